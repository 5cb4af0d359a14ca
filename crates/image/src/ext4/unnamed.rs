//! Files without a name (`O_TMPFILE`).
//!
//! `rsext4` 0.9.2 gives no name to an inode that has none, so one that may get a name (linkat(2)) has one in the root directory that nobody
//! is shown. A killed server leaves it there, and the next mount takes it away. One that may not (`O_EXCL`) is on the disk's list of
//! orphans from the beginning.

use super::{Result, State, number, of};
use rsext4::{FileName, RenameOptions};
use std::fmt::Write;
use vfs::{Ino, Kind, NewNode, Time};

const PREFIX: &[u8] = b".rump-tmpfile-";

/// The hidden name of the `number`th such file of a mount.
fn hidden_name(number: u64) -> Vec<u8> {
    let mut name = String::from_utf8_lossy(PREFIX).into_owned();
    // Writing to a String cannot fail.
    let _ = write!(name, "{number:016x}");
    name.into_bytes()
}

fn is_ours(name: &[u8]) -> bool {
    let digits = name.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == 16 && digits.iter().all(u8::is_ascii_hexdigit)
}

impl State {
    /// Makes one. Whoever asked holds it next.
    pub(super) fn create_unnamed(&mut self, linkable: bool, node: &NewNode, now: Time) -> Result<Ino> {
        let root = self.ext4.root_inode().as_u64();
        // The root directory shows nothing of it.
        self.note(root, |_| ());
        self.last_unnamed += 1;
        let name = hidden_name(self.last_unnamed);
        let ino = self.make(root, &name, node, now)?;
        self.grown.extend(number(root).map(rsext4::InodeNumber::raw));
        if linkable {
            self.unnamed.insert(ino, name);
        } else {
            let _ = of(self.ext4.unlink(number(root)?, of(FileName::new(&name))?))?;
            self.orphans.insert(ino);
        }
        Ok(ino)
    }

    /// Gives one that is hidden its first name; whether it was one.
    pub(super) fn name_unnamed(&mut self, ino: Ino, dir: Ino, name: FileName<'_>, now: Time) -> Result<bool> {
        let Some(hidden) = self.unnamed.get(&ino).cloned() else { return Ok(false) };
        let root = self.ext4.root_inode();
        let (hidden, dir) = (of(FileName::new(&hidden))?, number(dir)?);
        let _ = of(self.at(now).ext4.rename(root, hidden, dir, name, RenameOptions::NO_REPLACE))?;
        self.unnamed.remove(&ino);
        Ok(true)
    }

    /// Nobody holds it any more.
    pub(super) fn drop_unnamed(&mut self, ino: Ino) -> Result<()> {
        let Some(hidden) = self.unnamed.remove(&ino) else { return Ok(()) };
        let root = self.ext4.root_inode();
        let _ = of(self.ext4.unlink(root, of(FileName::new(&hidden))?))?;
        self.bury(ino)
    }

    /// Whether a name in a directory is one that nobody is shown.
    pub(super) fn is_hidden(&self, dir: Ino, name: &[u8]) -> bool {
        is_ours(name)
            && dir == self.ext4.root_inode().as_u64()
            && self.unnamed.values().any(|hidden| hidden == name)
    }

    /// Takes away what a killed server has left.
    pub(super) fn drop_lost(&mut self) -> Result<()> {
        let root = self.ext4.root_inode();
        let mut lost = Vec::new();
        self.list(root.as_u64(), 0, &mut |_, ino, kind, name| {
            if kind == Kind::Regular && is_ours(name) {
                lost.push((ino, name.to_vec()));
            }
            true
        })?;
        for (ino, name) in lost {
            if self.attr(ino)?.nlink == 1 {
                let _ = of(self.ext4.unlink(root, of(FileName::new(&name))?))?;
                self.bury(ino)?;
            }
        }
        Ok(())
    }
}
