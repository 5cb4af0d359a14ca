//! File handles (name_to_handle_at(2)): inodes by number, without a path.

use crate::mount::{Location, Vfs};
use abi::Errno;

/// `handle_type` of our handles: the mount's number, then what the file system knows the inode by.
pub const HANDLE_TYPE: i32 = 0x72;
/// The mount's number.
const MOUNT_LEN: usize = 4;

impl Vfs {
    /// The handle of an inode, and the number of its mount (statx(2), `stx_mnt_id`).
    ///
    /// # Errors
    /// `EOPNOTSUPP`: the file system has no handles. `ESTALE`.
    pub fn handle_of(&self, at: Location) -> Result<(Vec<u8>, u64), Errno> {
        let fs = self.fs(at)?;
        fs.attr(at.ino)?;
        let handle = fs.handle(at.ino).ok_or(Errno::EOPNOTSUPP)?;
        let bytes = [&at.mount.to_ne_bytes()[..], &handle].concat();
        Ok((bytes, crate::mount_table::mount_id(at)))
    }

    /// The inode of a handle. `mount` is a place in the mount that it must be of; none: whichever it is of.
    ///
    /// # Errors
    /// `ESTALE`: the mount or the inode is gone, has no name any more, or is another one's.
    pub fn by_handle(&self, mount: Option<Location>, handle: &[u8]) -> Result<Location, Errno> {
        let (number, rest) = handle.split_first_chunk::<MOUNT_LEN>().ok_or(Errno::ESTALE)?;
        let number = u32::from_ne_bytes(*number);
        if mount.is_some_and(|mount| mount.mount != number) {
            return Err(Errno::ESTALE);
        }
        let root = self.mounts.get(&number).filter(|mount| !mount.detached).ok_or(Errno::ESTALE)?.root;
        let ino = self.fs(root)?.by_handle(rest).ok_or(Errno::ESTALE)?;
        let at = root.with(ino);
        if self.attr(at)?.nlink == 0 { Err(Errno::ESTALE) } else { Ok(at) }
    }
}
