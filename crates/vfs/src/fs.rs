//! What a file system does. It checks no permission and walks no path.
//!
//! Every operation answers at once. A file system over a disk image cannot: for it, blocks come as completions. The place for
//! that is this trait's error: an errno of its own for 'these blocks are missing', which [`crate::Vfs`] hands through unchanged
//! because each of its operations checks all before the first change, or (a write that takes set-user-ID away) changes what a second
//! run may change again. On it the kernel would park the call and run it again, as it does for bytes of a caller's memory.

use crate::acl::Acl;
use crate::mount::Location;
use crate::node::{Attr, Ino, Kind, NewName, NewNode, SetAttr, Time};
use crate::overlay::Shared;
use crate::pseudo::Jump;
use abi::Errno;
use abi::layout::Statfs;
use std::sync::Arc;

type Result<T> = std::result::Result<T, Errno>;

/// Called for each directory entry: cookie, inode, type, name. False ends it.
pub type EachName<'a> = &'a mut dyn FnMut(u64, Ino, Kind, &[u8]) -> bool;

/// Directories below each other at most: on an image that was tampered with they can be a ring.
pub(crate) const DEPTH_MAX: usize = 1 << 14;

/// A directory and those above it, up to the root of its file system.
pub(crate) fn upwards(fs: &dyn FileSystem, dir: Ino) -> impl Iterator<Item = Result<Ino>> {
    let mut next = Some(Ok(dir));
    let mut depth = 0;
    std::iter::from_fn(move || {
        let at = next.take()?;
        if let Ok(ino) = at {
            depth += 1;
            next = match fs.parent(ino) {
                Ok(parent) if parent == ino => None,
                Ok(_) if depth > DEPTH_MAX => Some(Err(Errno::ELOOP)),
                parent => Some(parent),
            };
        }
        Some(at)
    })
}

/// A mounted file system.
pub trait FileSystem {
    /// Its name in /proc/mounts.
    fn name(&self) -> &'static str;

    /// Its root directory.
    fn root(&self) -> Ino;

    /// An inode's attributes.
    ///
    /// # Errors
    /// `ESTALE`: there is no such inode any more.
    fn attr(&self, ino: Ino) -> Result<Attr>;

    /// Changes attributes; the inode's ctime becomes `now`.
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG` (size).
    fn set_attr(&mut self, ino: Ino, change: &SetAttr, now: Time) -> Result<()>;

    /// The inode of a name.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`.
    fn lookup(&self, dir: Ino, name: &[u8]) -> Result<Ino>;

    /// The directory above a directory; the root's is the root.
    ///
    /// # Errors
    /// `ENOENT`: the directory was removed.
    fn parent(&self, dir: Ino) -> Result<Ino>;

    /// The name of a directory in its parent.
    ///
    /// # Errors
    /// `ENOENT`: it was removed.
    fn name_of(&self, dir: Ino) -> Result<Vec<u8>>;

    /// Makes an inode and enters it.
    ///
    /// # Errors
    /// `EEXIST`, `ENOSPC`, `ENOENT`: the directory was removed.
    fn create(&mut self, dir: Ino, name: NewName<'_>, node: &NewNode, now: Time) -> Result<Ino>;

    /// What a file system whose names cannot be changed answers to each call that would.
    fn refusal(&self) -> Errno {
        Errno::EROFS
    }

    /// Enters an inode under one more name.
    ///
    /// # Errors
    /// `EEXIST`, `EMLINK`; `ENOENT`: the directory was removed, or the inode has no name and may not have one.
    fn link(&mut self, _dir: Ino, _name: &[u8], _ino: Ino, _now: Time) -> Result<()> {
        Err(self.refusal())
    }

    /// Removes a name of something that is no directory.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`.
    fn unlink(&mut self, _dir: Ino, _name: &[u8], _now: Time) -> Result<()> {
        Err(self.refusal())
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `ENOTEMPTY`.
    fn rmdir(&mut self, _dir: Ino, _name: &[u8], _now: Time) -> Result<()> {
        Err(self.refusal())
    }

    /// Moves a name; what stood at the new one is replaced. The caller has checked that this may be.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTEMPTY`.
    fn rename(&mut self, _from: (Ino, &[u8]), _to: (Ino, &[u8]), _now: Time) -> Result<()> {
        Err(self.refusal())
    }

    /// Exchanges what two names stand for.
    ///
    /// # Errors
    /// `ENOENT`.
    fn exchange(&mut self, _one: (Ino, &[u8]), _other: (Ino, &[u8]), _now: Time) -> Result<()> {
        Err(self.refusal())
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// `EINVAL`: it is none.
    fn readlink(&self, ino: Ino) -> Result<Vec<u8>>;

    /// Reads; answers how many bytes, 0 at the end.
    ///
    /// # Errors
    /// `EISDIR`, `EINVAL`.
    fn read(&self, ino: Ino, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// Writes, growing the file; answers how many bytes.
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG`.
    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], now: Time) -> Result<usize>;

    /// fallocate(2) with its mode bits.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `ENOSPC`, `EFBIG`.
    fn allocate(&mut self, ino: Ino, mode: u32, offset: u64, len: u64, now: Time) -> Result<()>;

    /// The next data (or, without, hole) from `offset` on, lseek(2).
    ///
    /// # Errors
    /// `ENXIO`.
    fn seek(&self, ino: Ino, offset: u64, data: bool) -> Result<u64>;

    /// Calls `each` with cookie, inode, type and name of the entries whose cookie is above `after`, in the order of cookies, until it
    /// answers false. `.` and `..` are the caller's. An entry keeps its cookie.
    ///
    /// # Errors
    /// `ENOTDIR`.
    fn read_dir(&self, dir: Ino, after: u64, each: EachName<'_>) -> Result<()>;

    /// An extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `EOPNOTSUPP`.
    fn xattr(&self, _ino: Ino, _name: &[u8]) -> Result<Vec<u8>> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The names of all extended attributes.
    ///
    /// # Errors
    /// `EOPNOTSUPP`.
    fn xattrs(&self, _ino: Ino) -> Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    /// Sets (`Some`) or removes an extended attribute.
    ///
    /// # Errors
    /// `ENODATA`, `ENOSPC`, `EOPNOTSUPP`.
    fn set_xattr(&mut self, _ino: Ino, _name: &[u8], _value: Option<&[u8]>, _now: Time) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Whether inodes have access control lists. What an inode's says is part of its attributes.
    fn has_acls(&self) -> bool {
        false
    }

    /// The list that new files in this directory get.
    ///
    /// # Errors
    /// `ESTALE`.
    fn default_acl(&self, _dir: Ino) -> Result<Option<Arc<Acl>>> {
        Ok(None)
    }

    /// Sets or removes the access control list of an inode, or the default one of a directory. The permission bits are the caller's.
    ///
    /// # Errors
    /// `EOPNOTSUPP`, `ENOSPC`.
    fn set_acl(&mut self, _ino: Ino, _default: bool, _acl: Option<Arc<Acl>>, _now: Time) -> Result<()> {
        Err(Errno::EOPNOTSUPP)
    }

    /// One more (`held`) or one less holder: an inode without names lives while it is held.
    fn hold(&mut self, ino: Ino, held: bool);

    /// statfs(2).
    ///
    /// # Errors
    /// `EIO`.
    fn statfs(&self) -> Result<Statfs>;

    /// As [`FileSystem::attr`], with the blocks that are taken in the end: those of bytes still on their way are allocated for it.
    ///
    /// # Errors
    /// `ESTALE`.
    fn settled(&self, ino: Ino) -> Result<Attr> {
        self.attr(ino)
    }

    /// What was written to this inode (none: to any) is to outlive a crash of the host (fsync(2), syncfs(2)).
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`: something that was written before could not be kept.
    fn sync(&mut self, _ino: Option<Ino>) -> Result<()> {
        Ok(())
    }

    /// Whether an inode is held ([`FileSystem::hold`]), where that is known.
    fn is_held(&self, _ino: Ino) -> bool {
        false
    }

    /// What programs have stored into mappings is handed to whoever keeps it; nobody waits for that.
    fn write_back(&mut self) {}

    /// The inode whose bytes are shared as this ([`SharedBytes::id`]), where that matters to whoever keeps them.
    fn shared_as(&self, _id: u64) -> Option<Ino> {
        None
    }

    /// As [`FileSystem::sync`] of one inode, whose mapping a program synchronizes.
    ///
    /// # Errors
    /// `EIO`, `ENOSPC`.
    fn sync_shared(&mut self, ino: Ino, _now: Time) -> Result<()> {
        self.sync(Some(ino))
    }

    /// Lets go of files that nobody has open and that were still mapped when they were closed; whether to come again.
    fn let_go_of_unmapped(&mut self) -> bool {
        false
    }

    /// It is about to be taken away for good: all is written.
    ///
    /// # Errors
    /// `EIO`.
    fn unmount(&mut self) -> Result<()> {
        Ok(())
    }

    /// The bytes of a regular file as memory that others can map; from now on both see the same.
    ///
    /// # Errors
    /// `ENODEV`: this file system has none to give.
    fn share(&mut self, _ino: Ino, _memory: &mut dyn SharedMemory) -> Result<u64> {
        Err(Errno::ENODEV)
    }

    /// As [`FileSystem::share`], of a file whose bytes are in memory anyway, `most` of them with each call; `None`: there are more.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: they are not, or it has holes, or there is no room for it. `EBUSY`: to move it costs more than the reads since
    /// it was changed would have saved by that.
    fn share_in_parts(
        &mut self,
        _ino: Ino,
        _memory: &mut dyn SharedMemory,
        _most: u64,
    ) -> Result<Option<u64>> {
        Err(Errno::EOPNOTSUPP)
    }

    /// A file has grown large: its bytes may move to memory that can be handed out, before that costs more.
    ///
    /// # Errors
    /// As [`SharedMemory::create`]: it stays as it is.
    fn grown(&mut self, _ino: Ino, _memory: &mut dyn SharedMemory) -> Result<()> {
        Ok(())
    }

    /// Where a symbolic link leads that leads to a place rather than along a path (proc_pid_fd(5)).
    fn jump(&self, _ino: Ino) -> Option<Jump> {
        None
    }

    /// What the kernel knows a file by that is in no tree and that a symbolic link leads to (proc_pid_fd(5)).
    fn leads_outside(&self, _ino: Ino) -> Option<Ino> {
        None
    }

    /// What the kernel knows this file by, if it makes the bytes up when the file is opened (proc(5)); none: they are here.
    fn made_up(&self, _ino: Ino) -> Option<(&'static str, Ino)> {
        None
    }

    /// No file has more bytes than this (`s_maxbytes`).
    fn size_max(&self) -> u64 {
        i64::MAX.cast_unsigned()
    }

    /// What it is known by whenever and wherever it is mounted. None: it is another one after each mount.
    fn identity(&self) -> Option<u64> {
        None
    }

    /// What an inode can be found by again, for as long as it has a name (name_to_handle_at(2)): up to 32 bytes. With an
    /// [`FileSystem::identity`] it is good after the next mount, too.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: this file system has no such handles. `ESTALE`.
    fn handle(&self, _ino: Ino) -> Result<Vec<u8>> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The inode of a handle. Any bytes may come.
    ///
    /// # Errors
    /// `ESTALE`: it is not one of this file system's, or the inode is gone.
    fn by_handle(&self, _handle: &[u8]) -> Result<Ino> {
        Err(Errno::ESTALE)
    }

    /// Whether there is an inode of this number that a name may lead to. Any number may come.
    ///
    /// # Errors
    /// `ESTALE`.
    fn find(&self, ino: Ino) -> Result<()> {
        self.attr(ino).map(drop)
    }

    /// The drive that it is on.
    fn drive(&self) -> Option<crate::remote::Worker> {
        None
    }

    /// Its own mount options, each behind a comma, as /proc/mounts shows them.
    fn options(&self) -> String {
        String::new()
    }

    /// Changes its own mount options (`MS_REMOUNT`), and whether anything will be changed in it.
    ///
    /// # Errors
    /// `EINVAL`: an unknown one, or one that cannot be changed so. `EROFS`: it can only be read.
    fn remount(&mut self, options: &[u8], _read_only: bool) -> Result<()> {
        if options.is_empty() { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// The inode is about to be opened for writing.
    ///
    /// # Errors
    /// What a write would fail with.
    fn will_write(&mut self, _ino: Ino, _now: Time) -> Result<()> {
        Ok(())
    }

    /// The directories of others that it consists of: they are in use while it is mounted.
    fn places(&self) -> Vec<Location> {
        Vec::new()
    }

    /// What the call that runs has done so far stays, and it begins anew and sees it. Nothing to do for those that never wait.
    ///
    /// # Errors
    /// [`crate::remote::WAITS`].
    fn starts_over(&self) -> Result<()> {
        Ok(())
    }

    /// Whether calls may have to wait for it ([`crate::remote`]).
    fn waits(&self) -> bool {
        false
    }

    /// It again, if it is part of an overlay.
    fn as_shared(&self) -> Option<Shared> {
        None
    }

    /// The inode was read, and the mount's flags say that its access time is to be this.
    fn touch(&mut self, _ino: Ino, _now: Time) {}
}

/// Makes memory that other processes can map. The server implements it.
pub trait SharedMemory {
    /// New memory of no bytes.
    ///
    /// # Errors
    /// `ENFILE`, `ENOMEM`.
    fn create(&mut self) -> Result<Box<dyn SharedBytes>>;

    /// Whether there is room for memory that nobody needs.
    fn has_room(&self) -> bool {
        true
    }
}

/// Bytes in memory that other processes can map.
pub trait SharedBytes {
    /// What the server knows it by.
    fn id(&self) -> u64;

    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes the size; new bytes are 0.
    ///
    /// # Errors
    /// `ENOSPC`, `EFBIG`.
    fn set_len(&mut self, len: u64) -> Result<()>;

    /// Bytes of memory that it takes: of holes none.
    fn allocated(&self) -> u64 {
        self.len()
    }

    /// Where behind `offset`, which is below the length, there are bytes, or a hole or the end.
    ///
    /// # Errors
    /// `ENXIO`: no bytes.
    fn seek(&self, offset: u64, data: bool) -> Result<u64> {
        Ok(if data { offset } else { self.len() })
    }

    /// Fills `into` from `offset` on, as far as there are bytes; answers how many.
    ///
    /// # Errors
    /// `EIO`.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize>;

    /// Makes the bytes from `start` up to `end` zero, giving their memory back where it can.
    ///
    /// # Errors
    /// `EIO`.
    fn punch(&mut self, start: u64, end: u64) -> Result<()>;

    /// Writes; the size grows as needed.
    ///
    /// # Errors
    /// `ENOSPC`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// When a program has stored into a mapping of it last, as far as that can be told: of each page it is the first store. `None`:
    /// never, or [`SharedBytes::forget_stored`] was called since.
    fn stored(&self) -> Option<Time> {
        None
    }

    /// Its times were set: what was stored before does not count any more.
    fn forget_stored(&mut self) {}

    /// Nobody but the kernel is to write it from now on.
    ///
    /// # Errors
    /// `EBUSY`: a program has it mapped, and can.
    fn seal(&mut self) -> Result<()> {
        Ok(())
    }
}
