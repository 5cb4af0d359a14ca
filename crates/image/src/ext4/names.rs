//! Names: what directories hold, and what is entered into them and taken out.

use super::attributes::{device_number, kind};
use super::{Result, State, Times, number, of};
use abi::Errno;
use rsext4::{
    DirectoryCursor, DirectoryEntryType, FileName, FilePermissions, MutationContext, RenameOptions,
    SpecialInodeKind, UnlinkOutcome,
};
use vfs::{EachName, Ino, Kind, NewName, NewNode, Time};

/// Entries that are read at a time.
const BATCH: usize = 1024;
/// Cookies of `.` and `..`; those of others lie above.
const DOTS: u64 = 2;

impl State {
    pub(super) fn child(&mut self, dir: Ino, name: &[u8]) -> Result<Ino> {
        if self.is_hidden(dir, name) {
            return Err(Errno::ENOENT);
        }
        let found = of(self.ext4.lookup_child(number(dir)?, file_name(name)?))?;
        found.map(|info| info.number.as_u64()).ok_or(Errno::ENOENT)
    }

    /// A directory was changed.
    fn note_dir(&mut self, dir: Ino, now: Time) {
        self.grown.extend(number(dir).map(rsext4::InodeNumber::raw));
        self.note(dir, |times| (times.mtime, times.ctime) = (now, now));
    }

    pub(super) fn make(&mut self, dir: Ino, name: &[u8], node: &NewNode, now: Time) -> Result<Ino> {
        let (parent, name) = (number(dir)?, file_name(name)?);
        self.has_room(0)?;
        let context = MutationContext::new(node.uid, node.gid, 0, 0);
        let mode = u16::try_from(node.mode & 0o7777).map_err(|_| Errno::EINVAL)?;
        let permissions = of(FilePermissions::new(mode))?;
        let block = self.raw.block_size;
        let ext4 = &mut self.at(now).ext4;
        let special = match node.kind {
            Kind::Regular => {
                return of(ext4.create_regular_file(context, parent, name, permissions)).map(made);
            }
            Kind::Directory => {
                return of(ext4.create_directory(context, parent, name, permissions)).map(made);
            }
            // It has one block for it (ext4_symlink).
            Kind::Symlink if node.target.len() as u64 >= block => return Err(Errno::ENAMETOOLONG),
            Kind::Symlink => return of(ext4.create_symlink(context, parent, name, &node.target)).map(made),
            Kind::Char => SpecialInodeKind::CharacterDevice(device_number(node.rdev)?),
            Kind::Block => SpecialInodeKind::BlockDevice(device_number(node.rdev)?),
            Kind::Fifo => SpecialInodeKind::Fifo,
            Kind::Socket => SpecialInodeKind::Socket,
        };
        of(ext4.create_special_inode(context, parent, name, permissions, special)).map(made)
    }

    pub(super) fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino> {
        let make = |state: &mut Self| match name {
            NewName::Named(name) => state.make(dir, name, node, now),
            NewName::Unnamed { linkable } => state.create_unnamed(linkable, node, now),
        };
        let ino = match make(self) {
            // Inodes run out as well.
            Err(Errno::ENOSPC) if self.reclaims()? => make(self)?,
            made => made?,
        };
        self.commits.made(ino);
        self.times.insert(number(ino)?.raw(), Times { atime: now, mtime: now, ctime: now, btime: now });
        if let NewName::Named(_) = name {
            self.note_dir(dir, now);
        }
        self.changed();
        Ok(ino)
    }

    pub(super) fn link(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<()> {
        self.has_room(0)?;
        let name = file_name(name)?;
        if !self.name_unnamed(ino, dir, name, now)? {
            of(self.at(now).ext4.hard_link(number(ino)?, number(dir)?, name))?;
        }
        self.note(ino, |times| times.ctime = now);
        self.note_dir(dir, now);
        self.changed();
        Ok(())
    }

    pub(super) fn unlink(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        let outcome = of(self.at(now).ext4.unlink(number(dir)?, file_name(name)?))?;
        self.taken_out(dir, outcome, now)
    }

    pub(super) fn rmdir(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        let outcome = of(self.at(now).ext4.remove_empty_directory(number(dir)?, file_name(name)?))?;
        self.taken_out(dir, outcome, now)
    }

    fn taken_out(&mut self, dir: Ino, outcome: UnlinkOutcome, now: Time) -> Result<()> {
        self.note_dir(dir, now);
        let ino = outcome.inode.as_u64();
        self.note(ino, |times| times.ctime = now);
        if outcome.requires_reap() {
            self.bury(ino)?;
        }
        self.changed();
        Ok(())
    }

    pub(super) fn move_name(
        &mut self,
        from: (Ino, &[u8]),
        to: (Ino, &[u8]),
        how: RenameOptions,
        now: Time,
    ) -> Result<()> {
        self.has_room(0)?;
        let ino = self.child(from.0, from.1)?;
        let (old, new) = ((number(from.0)?, file_name(from.1)?), (number(to.0)?, file_name(to.1)?));
        let outcome = of(self.at(now).ext4.rename(old.0, old.1, new.0, new.1, how))?;
        self.note(ino, |times| times.ctime = now);
        self.note_dir(from.0, now);
        self.note_dir(to.0, now);
        match outcome.replaced {
            Some(replaced) if replaced.requires_reap() => self.bury(replaced.inode.as_u64())?,
            Some(replaced) => self.note(replaced.inode.as_u64(), |times| times.ctime = now),
            None => {}
        }
        self.changed();
        Ok(())
    }

    pub(super) fn name_of(&mut self, dir: Ino) -> Result<Vec<u8>> {
        let parent = self.child(dir, b"..")?;
        let mut found = None;
        self.list(parent, 0, &mut |_, ino, _, name| {
            if ino == dir {
                found = Some(name.to_vec());
            }
            found.is_none()
        })?;
        found.ok_or(Errno::ENOENT)
    }

    pub(super) fn readlink(&mut self, ino: Ino) -> Result<Vec<u8>> {
        let info = self.inode(ino)?;
        if info.file_type() != DirectoryEntryType::Symlink {
            return Err(Errno::EINVAL);
        }
        let mut target = vec![0; usize::try_from(info.size.min(4096)).unwrap_or(0)];
        let len = of(self.ext4.read_inode(number(ino)?, 0, &mut target))?;
        target.truncate(len);
        Ok(target)
    }

    pub(super) fn list(&mut self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        let mut reader = of(self.ext4.open_directory_reader(number(dir)?))?;
        let mut cursor = DirectoryCursor::Start;
        loop {
            let entries = of(self.ext4.read_directory_with_reader(&mut reader, cursor, BATCH))?;
            let Some(last) = entries.last() else { return Ok(()) };
            let begin = cursor;
            cursor = last.next_cursor;
            for entry in entries {
                let at = cookie(entry.next_cursor);
                if entry.name == b"."
                    || entry.name == b".."
                    || at <= after
                    || self.is_hidden(dir, &entry.name)
                {
                    continue;
                }
                let kind = match kind(entry.file_type) {
                    Some(kind) => kind,
                    None => self.attr(entry.inode.as_u64())?.kind,
                };
                if !each(at, entry.inode.as_u64(), kind, &entry.name) {
                    return Ok(());
                }
            }
            if cursor == DirectoryCursor::End || cursor == begin {
                return Ok(());
            }
        }
    }
}

fn file_name(name: &[u8]) -> Result<FileName<'_>> {
    FileName::new(name).map_err(|_| if name.len() > 255 { Errno::ENAMETOOLONG } else { Errno::EINVAL })
}

fn made(info: rsext4::InodeInfo) -> Ino {
    info.number.as_u64()
}

/// What getdents(2) tells of a place in a directory: the same for as long as the entry is there.
fn cookie(next: DirectoryCursor) -> u64 {
    let cookie = match next {
        DirectoryCursor::Start => 0,
        DirectoryCursor::Linear { offset } => offset,
        // fs/ext4/dir.c, hash2pos: the hash is even.
        DirectoryCursor::HTree { major, minor, .. } => u64::from(major >> 1) << 32 | u64::from(minor),
        DirectoryCursor::End => u64::MAX >> 1,
    };
    cookie.max(DOTS + 1)
}
