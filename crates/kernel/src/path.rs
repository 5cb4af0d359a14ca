//! Paths as calls name them: a string, and the directory that a relative one starts from.

use crate::Kernel;
use crate::call::Stop;
use crate::cx::Cx;
use crate::file::OpenFile;
use abi::Errno;
use abi::raw::general::AT_FDCWD;
use std::rc::Rc;
use vfs::{Follow, Location, Point, Start, Time, Vfs, Who};

/// A path and where it starts.
pub(crate) struct PathArg {
    pub(crate) start: Start,
    pub(crate) path: Vec<u8>,
}

/// What a directory descriptor and a path name together.
pub(crate) enum Named {
    /// Something in the tree.
    Place(Location),
    /// An open file that is not in the tree, by AT_EMPTY_PATH or by its name in /proc.
    File(Rc<OpenFile>),
}

/// The file tree with whose call it is and the time.
pub(crate) struct Tree<'a> {
    pub(crate) vfs: &'a mut Vfs,
    pub(crate) who: Who<'a>,
    pub(crate) now: Time,
}

impl Kernel {
    /// The file tree as the process uses it whose call runs.
    ///
    /// # Errors
    /// `ESRCH`.
    pub(crate) fn tree(&mut self) -> Result<Tree<'_>, Errno> {
        let process = self.processes.get(self.current)?;
        let who = &process.who;
        let who = Who {
            uid: who.uid,
            gid: who.gid,
            groups: &who.groups,
            umask: process.umask,
            prefix: &process.prefix,
        };
        Ok(Tree { vfs: &mut self.fs.vfs, who, now: self.now.real_ns })
    }

    /// A file of `size` bytes is to have `wanted` of them.
    ///
    /// # Errors
    /// `EFBIG`: that is more than the process whose call runs may make of it (`RLIMIT_FSIZE`; its library sends the SIGXFSZ). `ESRCH`.
    pub(crate) fn check_growth(&self, size: u64, wanted: u64) -> Result<(), Errno> {
        let limit = self.processes.get(self.current)?.fsize;
        if wanted > size && wanted > limit { Err(Errno::EFBIG) } else { Ok(()) }
    }
}

impl Cx<'_> {
    /// The file tree as the caller uses it.
    ///
    /// # Errors
    /// `ESRCH`.
    pub(crate) fn tree(&mut self) -> Result<Tree<'_>, Stop> {
        Ok(self.kernel.tree()?)
    }

    /// The path in argument `path`, relative to the directory descriptor in argument `dir` where there is one.
    ///
    /// # Errors
    /// `EBADF`, `ENOTDIR`: the descriptor is no directory's. `EFAULT`, `ENAMETOOLONG`.
    pub(crate) fn path(&mut self, dir: Option<usize>, path: usize) -> Result<PathArg, Stop> {
        let path = self.string(path)?;
        let process = self.process()?;
        let (root, cwd) = (process.root(), process.cwd());
        let start = match dir {
            // Neither an absolute path nor an empty one, which leads nowhere, looks at the descriptor.
            Some(at) if !path.starts_with(b"/") && !path.is_empty() => self.directory(at)?,
            _ => cwd,
        };
        Ok(PathArg { start: Start { root, dir: start }, path })
    }

    /// What the directory descriptor in argument `at` is open on, or the working directory.
    ///
    /// # Errors
    /// `EBADF`, `ENOTDIR`.
    pub(crate) fn directory(&mut self, at: usize) -> Result<Location, Stop> {
        if self.int(at) == AT_FDCWD {
            return Ok(self.process()?.cwd());
        }
        Ok(self.any_file(at)?.ops.location().ok_or(Errno::ENOTDIR)?)
    }

    /// What a path leads to.
    ///
    /// # Errors
    /// As path_resolution(7).
    pub(crate) fn lookup(
        &mut self,
        dir: Option<usize>,
        path: usize,
        follow: Follow,
    ) -> Result<Location, Stop> {
        let arg = self.path(dir, path)?;
        let tree = self.tree()?;
        Ok(tree.vfs.lookup(&tree.who, arg.start, &arg.path, follow)?)
    }

    /// What the path in an argument leads to, and by which name.
    ///
    /// # Errors
    /// As path_resolution(7).
    pub(crate) fn lookup_point(&mut self, path: usize) -> Result<Point, Stop> {
        let arg = self.path(None, path)?;
        let tree = self.tree()?;
        Ok(tree.vfs.lookup_point(&tree.who, arg.start, &arg.path, Follow::Yes)?)
    }

    /// As [`Cx::place`], and by which name, if a path has led there.
    ///
    /// # Errors
    /// As path_resolution(7); `EBADF`, `EOPNOTSUPP`.
    pub(crate) fn point(&mut self, dir: usize, path: usize, flags: u32) -> Result<Point, Stop> {
        use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};
        if flags & AT_EMPTY_PATH != 0 && self.string(path)?.is_empty() {
            return Ok(Point::of(self.place(dir, path, flags)?));
        }
        let arg = self.path(Some(dir), path)?;
        let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
        let tree = self.tree()?;
        Ok(tree.vfs.lookup_point(&tree.who, arg.start, &arg.path, follow)?)
    }

    /// As [`Cx::lookup`]; `flags` holds AT_SYMLINK_NOFOLLOW or not, and with AT_EMPTY_PATH an empty path names what the
    /// descriptor is open on.
    ///
    /// # Errors
    /// As path_resolution(7); `EBADF`.
    pub(crate) fn named(&mut self, dir: usize, path: usize, flags: u32) -> Result<Named, Stop> {
        use abi::raw::general::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW};
        // statx(2) takes a null pointer for an empty path since Linux 6.11, and so do we for all of them.
        let empty = flags & AT_EMPTY_PATH != 0 && (self.arg(path) == 0 || self.string(path)?.is_empty());
        if empty {
            return self.named_by(dir);
        }
        let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
        self.found(Some(dir), path, follow)
    }

    /// As [`Cx::lookup`]; also a file that is in no tree by its name in /proc (proc_pid_fd(5)).
    ///
    /// # Errors
    /// As path_resolution(7).
    pub(crate) fn found(&mut self, dir: Option<usize>, path: usize, follow: Follow) -> Result<Named, Stop> {
        let at = self.lookup(dir, path, follow)?;
        let outside = if matches!(follow, Follow::Yes) { self.kernel.outside(at) } else { None };
        Ok(outside.map_or(Named::Place(at), Named::File))
    }

    /// What the directory descriptor in an argument is open on.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn named_by(&mut self, dir: usize) -> Result<Named, Stop> {
        if self.int(dir) == AT_FDCWD {
            return Ok(Named::Place(self.process()?.cwd()));
        }
        let file = self.any_file(dir)?;
        Ok(match file.ops.location() {
            Some(at) => Named::Place(at),
            None => Named::File(file),
        })
    }

    /// As [`Cx::named`], of what can only be done to something in the tree.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: an open file that is not in it.
    pub(crate) fn place(&mut self, dir: usize, path: usize, flags: u32) -> Result<Location, Stop> {
        match self.named(dir, path, flags)? {
            Named::Place(at) => Ok(at),
            Named::File(_) => Err(Errno::EOPNOTSUPP.into()),
        }
    }

    /// The place in the tree that the file of a descriptor is open on.
    ///
    /// # Errors
    /// `EBADF`. `EOPNOTSUPP`: it is not in the tree.
    pub(crate) fn place_of(&mut self, fd: usize) -> Result<Location, Stop> {
        Ok(self.file(fd)?.ops.location().ok_or(Errno::EOPNOTSUPP)?)
    }
}
