//! File systems that are never changed: what they have in common.

use abi::Errno;
use abi::layout::Statfs;
use std::collections::{BTreeMap, HashMap};
use vfs::{Attr, EachName, FileSystem, Ino, Kind, NewName, NewNode, SetAttr, Time};

type Result<T> = std::result::Result<T, Errno>;

/// Cookies of `.` and `..`; those of others lie above.
const DOTS: u64 = 2;

/// What such a file system has to tell. All its inodes are known when it is opened.
pub(crate) trait Tree {
    /// Its name in /proc/mounts.
    fn name(&self) -> &'static str;

    /// All names: the directory, the inode, the name.
    ///
    /// # Errors
    /// `EIO`, `EUCLEAN`.
    fn entries(&self) -> Result<Vec<(Ino, Ino, Vec<u8>)>>;

    /// Its root directory.
    fn root(&self) -> Ino;

    /// As [`FileSystem::attr`]; links are counted by the caller.
    ///
    /// # Errors
    /// `ESTALE`.
    fn attr(&self, ino: Ino) -> Result<Attr>;

    /// As [`FileSystem::readlink`].
    ///
    /// # Errors
    /// `EINVAL`.
    fn readlink(&self, ino: Ino) -> Result<Vec<u8>>;

    /// As [`FileSystem::read`].
    ///
    /// # Errors
    /// `EIO`.
    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// As [`FileSystem::statfs`].
    fn statfs(&self) -> Statfs;

    /// As [`FileSystem::identity`]; the numbers of inodes must follow from the image.
    fn identity(&self) -> Option<u64> {
        None
    }
}

/// A file system that is never changed.
pub(crate) struct ReadOnly<T> {
    tree: T,
    directories: HashMap<Ino, BTreeMap<Vec<u8>, Ino>>,
    /// Where a directory stands.
    above: HashMap<Ino, (Ino, Vec<u8>)>,
    links: HashMap<Ino, u64>,
}

impl<T: Tree> ReadOnly<T> {
    /// # Errors
    /// `EUCLEAN`: names contradict each other; what the tree answers.
    pub(crate) fn new(tree: T) -> Result<Self> {
        let (mut directories, mut above, mut links) = (HashMap::new(), HashMap::new(), HashMap::new());
        directories.insert(tree.root(), BTreeMap::new());
        // What the name is for others.
        links.insert(tree.root(), 1);
        for (dir, ino, name) in tree.entries()? {
            if name.is_empty() || name.contains(&b'/') || name == b"." || name == b".." {
                return Err(Errno::EUCLEAN);
            }
            let is_directory = tree.attr(ino)?.kind == Kind::Directory;
            if is_directory {
                // One directory in two places would be a ring.
                if ino == tree.root() || above.insert(ino, (dir, name.clone())).is_some() {
                    return Err(Errno::EUCLEAN);
                }
                directories.entry(ino).or_default();
                *links.entry(dir).or_default() += 1;
            }
            *links.entry(ino).or_insert(0u64) += 1;
            directories.entry(dir).or_insert_with(BTreeMap::new).insert(name, ino);
        }
        Ok(Self { tree, directories, above, links })
    }

    fn directory(&self, dir: Ino) -> Result<&BTreeMap<Vec<u8>, Ino>> {
        self.directories.get(&dir).ok_or(Errno::ENOTDIR)
    }
}

impl<T: Tree> FileSystem for ReadOnly<T> {
    fn name(&self) -> &'static str {
        self.tree.name()
    }

    fn root(&self) -> Ino {
        self.tree.root()
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        let attr = self.tree.attr(ino)?;
        let names = self.links.get(&ino).copied().unwrap_or(0);
        // A directory has its name, its `.` and the `..` of each below.
        let nlink = if attr.kind == Kind::Directory { names.max(1) + 1 } else { names.max(1) };
        Ok(Attr { nlink, ..attr })
    }

    fn set_attr(&mut self, _ino: Ino, _change: &SetAttr, _now: Time) -> Result<()> {
        Err(Errno::EROFS)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        self.directory(dir)?.get(name).copied().ok_or(Errno::ENOENT)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        self.directory(dir)?;
        Ok(self.above.get(&dir).map_or(dir, |(above, _)| *above))
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        self.above.get(&dir).map(|(_, name)| name.clone()).ok_or(Errno::ENOENT)
    }

    fn create(&mut self, _dir: Ino, _name: NewName<'_>, _node: &NewNode, _now: Time) -> Result<Ino> {
        Err(Errno::EROFS)
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.tree.readlink(ino)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.tree.read(ino, offset, into)
    }

    fn write(&mut self, _ino: Ino, _offset: u64, _bytes: &[u8], _now: Time) -> Result<usize> {
        Err(Errno::EROFS)
    }

    fn allocate(&mut self, _ino: Ino, _mode: u32, _offset: u64, _len: u64, _now: Time) -> Result<()> {
        Err(Errno::EROFS)
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        match self.tree.attr(ino)?.size {
            size if offset >= size => Err(Errno::ENXIO),
            _ if data => Ok(offset),
            size => Ok(size),
        }
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        for ((name, ino), cookie) in self.directory(dir)?.iter().zip(DOTS + 1..) {
            if cookie > after && !each(cookie, *ino, self.tree.attr(*ino)?.kind, name) {
                break;
            }
        }
        Ok(())
    }

    fn set_xattr(&mut self, _ino: Ino, _name: &[u8], _value: Option<&[u8]>, _now: Time) -> Result<()> {
        Err(Errno::EROFS)
    }

    fn hold(&mut self, _ino: Ino, _held: bool) {}

    fn identity(&self) -> Option<u64> {
        self.tree.identity()
    }

    fn find(&self, ino: Ino) -> Result<()> {
        if self.links.contains_key(&ino) { Ok(()) } else { Err(Errno::ESTALE) }
    }

    fn statfs(&self) -> Result<Statfs> {
        Ok(self.tree.statfs())
    }

    fn remount(&mut self, options: &[u8], read_only: bool) -> Result<()> {
        match (options, read_only) {
            (b"", true) => Ok(()),
            (b"", false) => Err(Errno::EROFS),
            _ => Err(Errno::EINVAL),
        }
    }
}
