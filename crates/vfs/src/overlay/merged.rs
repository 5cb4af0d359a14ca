//! Directories as they are seen.

use super::{MARKS, Overlay, Real, Result};
use crate::fs::EachName;
use crate::node::{Ino, Kind};
use std::collections::BTreeMap;

/// Cookies of `.` and `..`; those of others lie above.
const DOTS: u64 = 2;

/// The name of a mark of the overlay itself, which nobody is told of.
pub(super) fn is_mark(name: &[u8]) -> bool {
    MARKS.iter().any(|mark| name.starts_with(mark))
}

impl Overlay {
    /// The names in these directories, from above, with the topmost inode of each.
    pub(super) fn names(&self, dirs: &[Real]) -> Result<BTreeMap<Vec<u8>, (Real, Kind)>> {
        let mut all = BTreeMap::new();
        for (layer, dir) in dirs {
            self.layer(*layer).read_dir(*dir, 0, &mut |_, ino, kind, name| {
                all.entry(name.to_vec()).or_insert(((*layer, ino), kind));
                true
            })?;
        }
        let mut seen = BTreeMap::new();
        for (name, (real, kind)) in all {
            if kind != Kind::Char || !self.is_whiteout(real)? {
                seen.insert(name, (real, kind));
            }
        }
        Ok(seen)
    }

    /// As [`crate::FileSystem::read_dir`].
    pub(super) fn list(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        let dirs = self.node(dir)?.reals;
        let names = self.names(&dirs)?;
        let mut entries = Vec::with_capacity(names.len());
        for (name, (real, kind)) in names {
            // A file is what its topmost inode is; of a directory, what it consists of is found when it is looked up.
            let known = self.nodes.borrow().by_real.get(&real).copied();
            let ino = match known {
                Some(ino) => ino,
                None => self.enter(self.seen(&dirs, &name)?, dir, &name)?,
            };
            entries.push((self.cookie(dir, &name), ino, kind, name));
        }
        entries.sort_unstable_by_key(|entry| entry.0);
        for (cookie, ino, kind, name) in entries {
            if cookie > after && !each(cookie, ino, kind, &name) {
                break;
            }
        }
        Ok(())
    }

    /// A name keeps its cookie for as long as the directory is known.
    fn cookie(&self, dir: Ino, name: &[u8]) -> u64 {
        let mut nodes = self.nodes.borrow_mut();
        let cookies = nodes.cookies.entry(dir).or_default();
        let next = DOTS + 1 + cookies.len() as u64;
        *cookies.entry(name.to_vec()).or_insert(next)
    }
}
