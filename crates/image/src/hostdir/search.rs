//! Finding an inode by its number alone, for a handle that an earlier server gave out (open_by_handle_at(2)).

use super::{HostDirectory, Result};
use abi::Errno;
use std::collections::VecDeque;
use vfs::{FileSystem, Ino, Kind};

/// More names are not looked at: an inode that is gone must not cost a walk through a whole disk.
const NAMES_MAX: usize = 1 << 17;

impl HostDirectory {
    /// Goes through the tree, nearest directories first. What it sees is known from then on.
    ///
    /// # Errors
    /// `ESTALE`: it is not there.
    pub(super) fn search(&self, wanted: Ino) -> Result<()> {
        let (mut todo, mut seen) = (VecDeque::from([self.root_ino]), 0);
        while let Some(dir) = todo.pop_front() {
            let mut found = false;
            // A directory that cannot be read hides what is in it.
            let _ = self.read_dir(dir, 0, &mut |_, ino, kind, _| {
                seen += 1;
                found |= ino == wanted;
                if kind == Kind::Directory {
                    todo.push_back(ino);
                }
                !found && seen < NAMES_MAX
            });
            match found {
                true => return self.stat(wanted).map(drop),
                false if seen >= NAMES_MAX => break,
                false => {}
            }
        }
        Err(Errno::ESTALE)
    }
}
