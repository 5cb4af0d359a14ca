//! link(2) and rename(2) from one kernel to the other: refused, after all that Linux looks at first.

use super::route::AT_FDCWD;
use super::{PathOwner, Told, Verdict};
use crate::Hijack;
use crate::world::World;
use abi::raw::general::{AT_EACCESS, AT_SYMLINK_NOFOLLOW, F_GETFD};
use abi::table::Row;
use abi::{Errno, nr, table};
use alloc::vec;
use alloc::vec::Vec;

/// linux/limits.h, the NUL included.
const PATH_MAX: usize = 4096;

/// A path argument.
pub(super) struct Named {
    /// Its directory, where the call has one.
    pub(super) dir: Option<u64>,
    /// Its address.
    pub(super) path: u64,
    /// What the rump kernel is told in place of the two; `None`: it is the host's.
    pub(super) found: Option<(u64, Told)>,
}

impl<W: World> Hijack<W> {
    /// # Errors
    /// `EXDEV`: not on the same file system; mv(1) copies then. Or what Linux finds before.
    pub(super) fn across(&self, row: &Row, from: &Named, to: &Named) -> Verdict {
        self.is_path(from.path)?;
        self.is_path(to.path)?;
        let hosts = if from.found.is_none() { from } else { to };
        self.is_open_directory(hosts.dir, hosts.path)?;
        if matches!(row.nr, nr::LINK | nr::LINKAT) {
            // It looks for the file before it looks where the link is to be.
            let (dir, path) = from.start();
            self.is_there(from, [dir, path], AT_SYMLINK_NOFOLLOW)?;
        } else {
            self.has_parent(from)?;
        }
        self.has_parent(to)?;
        Err(Errno::EXDEV)
    }

    /// # Errors
    /// `EFAULT`. `ENOENT`: it is empty.
    fn is_path(&self, address: u64) -> Result<(), Errno> {
        if self.world.read_str(address, &mut [0])? == 0 { Err(Errno::ENOENT) } else { Ok(()) }
    }

    /// `EBADF` unless a path of the host's can start where it does.
    fn is_open_directory(&self, dir: Option<u64>, path: u64) -> Result<(), Errno> {
        let Some(dir) = dir.filter(|dir| *dir as u32 != AT_FDCWD) else { return Ok(()) };
        match self.path_owner(path) {
            PathOwner::Relative => self.world.host(nr::FCNTL, [dir, F_GETFD.into(), 0, 0, 0, 0]).map(drop),
            PathOwner::Host | PathOwner::Rump(_) => Ok(()),
        }
    }

    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EACCES`: the directory that the name is to be in cannot be reached.
    fn has_parent(&self, named: &Named) -> Result<(), Errno> {
        let (dir, address) = named.start();
        let mut path = vec![0; PATH_MAX];
        let length = self.world.read_str(address, &mut path)?;
        path.truncate(length);
        let Some(parent) = parent(&path) else { return Ok(()) };
        self.is_there(named, [dir, parent.as_ptr() as u64], 0)
    }

    /// Asks the kernel of a path about it, or about another one.
    ///
    /// # Errors
    /// As faccessat2(2).
    fn is_there(&self, named: &Named, [dir, path]: [u64; 2], flags: u32) -> Result<(), Errno> {
        let args = [dir, path, 0, (flags | AT_EACCESS).into(), 0, 0];
        if named.found.is_some() {
            let row = table::lookup(nr::FACCESSAT2).ok_or(Errno::ENOSYS)?;
            return self.rump(row, args).map(drop);
        }
        match self.world.host(nr::FACCESSAT2, args) {
            // Linux before 5.8.
            Err(Errno::ENOSYS) => Ok(()),
            other => other.map(drop),
        }
    }
}

impl Named {
    /// Its directory and path, in the terms of its kernel.
    fn start(&self) -> (u64, u64) {
        match &self.found {
            Some((dir, told)) => (*dir, told.address()),
            None => (self.dir.unwrap_or(AT_FDCWD.into()), self.path),
        }
    }
}

/// The path, with a NUL, of the directory that the last name of a path is in; `None`: where the path starts, or the root.
fn parent(path: &[u8]) -> Option<Vec<u8>> {
    let end = path.iter().rposition(|byte| *byte != b'/')?;
    let slash = path.get(..end)?.iter().rposition(|byte| *byte == b'/').filter(|at| *at > 0)?;
    Some([path.get(..=slash)?, b".\0"].concat())
}

#[cfg(test)]
mod tests {
    use super::parent;

    #[test]
    fn directories_of_names() {
        for (path, directory) in [("/a/b", "/a/."), ("a//b//", "a//."), ("../x/", "../."), ("/../b", "/../.")]
        {
            assert_eq!(parent(path.as_bytes()), Some([directory.as_bytes(), b"\0"].concat()), "{path}");
        }
        for path in ["", "/", "//", "a", "a/", "/a"] {
            assert_eq!(parent(path.as_bytes()), None, "{path}");
        }
    }
}
