//! The names of a file system that were all read when it was opened.

use super::Result;
use abi::Errno;
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeMap;
use vfs::{EachName, Ino, Kind};

/// Cookies of `.` and `..`; those of others lie above.
const DOTS: u64 = 2;

/// A name, where it stands and what it stands for.
pub(crate) struct Named {
    pub(crate) dir: Ino,
    pub(crate) ino: Ino,
    pub(crate) kind: Kind,
    pub(crate) name: Vec<u8>,
}

/// All names.
pub(crate) struct Names {
    root: Ino,
    directories: HashMap<Ino, BTreeMap<Vec<u8>, (Ino, Kind)>>,
    /// Where a directory stands.
    above: HashMap<Ino, (Ino, Vec<u8>)>,
    links: HashMap<Ino, u64>,
}

impl Names {
    /// # Errors
    /// `EUCLEAN`: they contradict each other.
    pub(crate) fn new(root: Ino, all: impl IntoIterator<Item = Named>) -> Result<Self> {
        let (mut directories, mut above, mut links) = (HashMap::new(), HashMap::new(), HashMap::new());
        directories.insert(root, BTreeMap::new());
        // What the name is for others.
        links.insert(root, 1);
        for Named { dir, ino, kind, name } in all {
            if name.is_empty() || name.contains(&b'/') || name == b"." || name == b".." {
                return Err(Errno::EUCLEAN);
            }
            if kind == Kind::Directory {
                // One directory in two places would be a ring.
                if ino == root || above.insert(ino, (dir, name.clone())).is_some() {
                    return Err(Errno::EUCLEAN);
                }
                directories.entry(ino).or_default();
                *links.entry(dir).or_default() += 1;
            }
            *links.entry(ino).or_insert(0u64) += 1;
            directories.entry(dir).or_insert_with(BTreeMap::new).insert(name, (ino, kind));
        }
        Ok(Self { root, directories, above, links })
    }

    fn directory(&self, dir: Ino) -> Result<&BTreeMap<Vec<u8>, (Ino, Kind)>> {
        self.directories.get(&dir).ok_or(Errno::ENOTDIR)
    }

    /// As `st_nlink`: a directory has its name, its `.` and the `..` of each below.
    pub(crate) fn nlink(&self, ino: Ino) -> u64 {
        let names = self.links.get(&ino).copied().unwrap_or(0).max(1);
        names + u64::from(self.directories.contains_key(&ino))
    }

    pub(crate) fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        self.directory(dir)?.get(name).map(|(ino, _)| *ino).ok_or(Errno::ENOENT)
    }

    pub(crate) fn parent(&self, dir: Ino) -> Result<Ino> {
        self.directory(dir)?;
        Ok(self.above.get(&dir).map_or(self.root, |(above, _)| *above))
    }

    pub(crate) fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        self.above.get(&dir).map(|(_, name)| name.clone()).ok_or(Errno::ENOENT)
    }

    pub(crate) fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        for ((name, (ino, kind)), cookie) in self.directory(dir)?.iter().zip(DOTS + 1..) {
            if cookie > after && !each(cookie, *ino, *kind, name) {
                break;
            }
        }
        Ok(())
    }

    /// # Errors
    /// `ESTALE`: no name leads there.
    pub(crate) fn find(&self, ino: Ino) -> Result<()> {
        if self.links.contains_key(&ino) { Ok(()) } else { Err(Errno::ESTALE) }
    }
}
