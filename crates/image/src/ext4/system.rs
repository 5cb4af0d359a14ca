//! The operations of the tree, and what is asked about the file system as a whole.

use super::{Ext4Fs, Result, State};
use abi::Errno;
use abi::layout::Statfs;
use rsext4::{RenameOptions, XattrNamespace};
use std::sync::Arc;
use vfs::{Acl, Attr, EachName, FileSystem, Ino, NewName, NewNode, SetAttr, Time};

const MAGIC: i64 = 0xef53;

impl FileSystem for Ext4Fs {
    fn name(&self) -> &'static str {
        "ext4"
    }

    /// Logical blocks have 32 bits, and the last number is none (fs/ext4/super.c, `ext4_max_size`).
    fn size_max(&self) -> u64 {
        u64::from(u32::MAX) * self.0.borrow().raw.block_size
    }

    fn root(&self) -> Ino {
        self.0.borrow().ext4.root_inode().as_u64()
    }

    fn attr(&self, ino: Ino) -> Result<Attr> {
        self.0.borrow_mut().attr(ino)
    }

    fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<()> {
        self.0.get_mut().set_attr(ino, change, now)
    }

    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino> {
        self.0.borrow_mut().child(dir, name)
    }

    fn parent(&self, dir: Ino) -> Result<Ino> {
        self.0.borrow_mut().child(dir, b"..")
    }

    fn name_of(&self, dir: Ino) -> Result<Vec<u8>> {
        self.0.borrow_mut().name_of(dir)
    }

    fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino> {
        self.0.get_mut().create(dir, name, node, now)
    }

    fn link(&mut self, dir: Ino, name: &[u8], ino: Ino, now: Time) -> Result<()> {
        self.0.get_mut().link(dir, name, ino, now)
    }

    fn unlink(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        self.0.get_mut().unlink(dir, name, now)
    }

    fn rmdir(&mut self, dir: Ino, name: &[u8], now: Time) -> Result<()> {
        self.0.get_mut().rmdir(dir, name, now)
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), now: Time) -> Result<()> {
        self.0.get_mut().move_name(from, to, RenameOptions::REPLACE, now)
    }

    fn exchange(&mut self, one: (Ino, &[u8]), other: (Ino, &[u8]), now: Time) -> Result<()> {
        let state = self.0.get_mut();
        state.move_name(one, other, RenameOptions::EXCHANGE, now)?;
        let ino = state.child(one.0, one.1)?;
        state.note(ino, |times| times.ctime = now);
        Ok(())
    }

    fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        self.0.borrow_mut().readlink(ino)
    }

    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.0.borrow_mut().read(ino, offset, into)
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize> {
        self.0.get_mut().write(ino, offset, bytes, now)
    }

    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<()> {
        self.0.get_mut().allocate(ino, mode, offset, len, now)
    }

    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64> {
        self.0.borrow_mut().seek(ino, offset, data)
    }

    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()> {
        self.0.borrow_mut().list(dir, after, each)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        self.0.borrow_mut().xattr(ino, name)
    }

    fn xattrs(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        self.0.borrow_mut().xattrs(ino)
    }

    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: Option<&[u8]>, now: Time) -> Result<()> {
        self.0.get_mut().set_xattr(ino, name, value, now)
    }

    fn has_acls(&self) -> bool {
        true
    }

    fn default_acl(&self, dir: Ino) -> Result<Option<Arc<Acl>>> {
        self.0.borrow_mut().acl(dir, XattrNamespace::PosixAclDefault)
    }

    fn set_acl(&mut self, ino: Ino, default: bool, acl: Option<Arc<Acl>>, now: Time) -> Result<()> {
        self.0.get_mut().set_acl(ino, default, acl, now)
    }

    fn hold(&mut self, ino: Ino, held: bool) {
        self.0.get_mut().hold(ino, held);
    }

    fn identity(&self) -> Option<u64> {
        Some(self.0.borrow().raw.identity)
    }

    fn find(&self, ino: Ino) -> Result<()> {
        let mut state = self.0.borrow_mut();
        let root = state.ext4.root_inode().as_u64();
        let own = ino != root && ino < u64::from(state.raw.first_inode);
        if own || state.attr(ino).map_err(|_| Errno::ESTALE)?.nlink == 0 {
            Err(Errno::ESTALE)
        } else {
            Ok(())
        }
    }

    fn statfs(&self) -> Result<Statfs> {
        let state = self.0.borrow();
        let stats = state.ext4.statfs();
        let block_size = stats.block_size.cast_signed();
        let free = stats.free_blocks + state.commits.dying_blocks() * 512 / stats.block_size.max(512);
        Ok(Statfs {
            f_type: MAGIC,
            f_bsize: block_size,
            f_frsize: block_size,
            f_blocks: stats.total_blocks,
            f_bfree: free,
            f_bavail: free.saturating_sub(state.raw.reserved),
            f_files: u64::from(stats.total_inodes),
            f_ffree: u64::from(stats.free_inodes),
            f_namelen: 255,
            ..Statfs::default()
        })
    }

    fn sync(&mut self, _ino: Option<Ino>) -> Result<()> {
        self.0.get_mut().commit()
    }

    fn unmount(&mut self) -> Result<()> {
        let state = self.0.get_mut();
        for ino in std::mem::take(&mut state.orphans) {
            state.holders.remove(&ino);
            let _ = state.bury(ino);
        }
        for ino in state.unnamed.keys().copied().collect::<Vec<_>>() {
            state.holders.remove(&ino);
            let _ = state.drop_unnamed(ino);
        }
        state.close()
    }

    /// The crate's own leaves in the journal what it has to write for that (0.9.2): so it is taken away and opened anew.
    fn remount(&mut self, options: &[u8], read_only: bool) -> Result<()> {
        super::options(options)?;
        let state = self.0.get_mut();
        if read_only == state.read_only {
            return Ok(());
        }
        if !state.orphans.is_empty() || !state.unnamed.is_empty() {
            return Err(Errno::EBUSY);
        }
        let disk = state.raw.disk.clone();
        if disk.is_read_only() {
            return Err(Errno::EROFS);
        }
        state.close()?;
        let holders = std::mem::take(&mut state.holders);
        *state = State { holders, ..State::open(disk, read_only)? };
        Ok(())
    }

    fn touch(&mut self, ino: Ino, now: Time) {
        let state = self.0.get_mut();
        if !state.read_only && state.set_atime(ino, now).is_ok() {
            state.changed();
        }
    }
}
