//! A file that is to be run, opened to be looked at.

use super::Image;
use crate::Hijack;
use crate::dispatch::{AT_FDCWD, Told};
use crate::fds::KernelFd;
use crate::text::Text;
use crate::world::{Args, Outcome, World};
use abi::layout::Stat;
use abi::raw::general::{
    AT_EACCESS, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, F_GETFL, MFD_CLOEXEC, O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK,
    O_PATH, O_RDONLY, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISUID, S_IXGRP,
};
use abi::{Errno, nr, private, table};
use alloc::vec;
use core::fmt::Write;

/// access(2)
const X_OK: u64 = 1;
/// linux/fcntl.h: execveat(2) only says whether it would succeed (Linux 6.14).
const AT_EXECVE_CHECK: u64 = 0x10000;
/// statfs(2), and where `f_flags` is in its structure.
const ST_NOEXEC: u64 = 8;
const FLAGS_WORD: usize = 10;
/// What is copied at once.
const PIECE: usize = 64 << 10;

/// See the module. To be closed.
#[derive(Debug)]
pub(super) enum File {
    /// The host's, by this descriptor.
    Host(u32),
    /// The rump kernel's. The program does not know of it; the host descriptor keeps it open, unless the program has one.
    Rump {
        /// By this descriptor.
        kernel_fd: KernelFd,
        /// See above.
        host_fd: Option<u32>,
    },
}

impl File {
    /// Opens a file of the host. `None`: the host's own exec is to say why it cannot be run, or runs it unread.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`: it might have to be looked at.
    pub(super) fn open_host<W: World>(h: &Hijack<W>, image: &Image) -> Result<Option<Self>, Errno> {
        let dir = image.dir.unwrap_or(AT_FDCWD.into());
        let mut stat = Stat::default();
        let args = [dir, image.path, (&raw mut stat) as u64, image.flags, 0, 0];
        let regular = h.world.host(nr::NEWFSTATAT, args).is_ok() && stat.st_mode & S_IFMT == S_IFREG;
        if !regular {
            return Ok(None);
        }
        let mut flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
        if image.flags as u32 & AT_SYMLINK_NOFOLLOW != 0 {
            flags |= O_NOFOLLOW;
        }
        let mut first = [0; 1];
        let opened =
            if image.flags as u32 & AT_EMPTY_PATH != 0 && h.world.read_str(image.path, &mut first)? == 0 {
                open_again(h, dir as u32, flags)
            } else {
                h.world.host(nr::OPENAT, [dir, image.path, flags.into(), 0, 0, 0]).map(|fd| fd as u32)
            };
        match opened {
            Ok(fd) => Ok(Some(Self::Host(fd))),
            Err(errno @ (Errno::EMFILE | Errno::ENFILE)) => Err(errno),
            Err(_) => Ok(None),
        }
    }

    /// Opens a file of the rump kernel, found there by this directory and path.
    ///
    /// # Errors
    /// The rump kernel's; `EACCES`: it may not be run.
    pub(super) fn open_rump<W: World>(
        h: &Hijack<W>,
        image: &Image,
        (dir, told): &(u64, Told),
    ) -> Result<Self, Errno> {
        let (dir, path) = (*dir, told.address());
        ask(h, nr::FACCESSAT2, [dir, path, X_OK, image.flags | u64::from(AT_EACCESS), 0, 0])?;
        let mut stat = Stat::default();
        ask(h, nr::NEWFSTATAT, [dir, path, (&raw mut stat) as u64, image.flags, 0, 0])?;
        // Before it is opened, which devices would notice. A link is one that is not to be followed: ELOOP.
        if !matches!(stat.st_mode & S_IFMT, S_IFREG | S_IFLNK) {
            return Err(Errno::EACCES);
        }
        let file = Self::open_there(h, image, dir, path)?;
        file.may_be_run(h).inspect_err(|_| file.close(h))?;
        Ok(file)
    }

    fn open_there<W: World>(h: &Hijack<W>, image: &Image, dir: u64, path: u64) -> Result<Self, Errno> {
        let mut first = [0; 1];
        if image.flags as u32 & AT_EMPTY_PATH != 0 && h.world.read_str(path, &mut first)? == 0 {
            let kernel_fd = u32::try_from(dir).map_err(|_| Errno::EBADF)?;
            let flags = ask(h, nr::FCNTL, [dir, F_GETFL.into(), 0, 0, 0, 0])?;
            if flags & u64::from(O_PATH) == 0 {
                return Ok(Self::Rump { kernel_fd: KernelFd(kernel_fd), host_fd: None });
            }
            // Nothing can be read by it: it is opened once more.
            let mut name = Text::default();
            write!(name, "/proc/self/fd/{kernel_fd}\0").map_err(|_| Errno::ENAMETOOLONG)?;
            return Self::open_by_path(h, (dir, name.as_bytes().as_ptr() as u64), 0);
        }
        let mut flags = 0;
        if image.flags as u32 & AT_SYMLINK_NOFOLLOW != 0 {
            flags |= O_NOFOLLOW;
        }
        Self::open_by_path(h, (dir, path), flags)
    }

    fn open_by_path<W: World>(h: &Hijack<W>, (dir, path): (u64, u64), flags: u32) -> Result<Self, Errno> {
        let row = table::lookup(nr::OPENAT).ok_or(Errno::ENOSYS)?;
        let flags = flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK;
        let reply = h.world.rump(row, [dir, path, flags.into(), 0, 0, 0], &[])?;
        reply.result?;
        let file = reply.files.first().ok_or(Errno::EIO)?;
        Ok(Self::Rump { kernel_fd: file.kernel_fd, host_fd: file.host_fd })
    }

    /// execve(2), EACCES: on a file system that is mounted noexec.
    fn may_be_run<W: World>(&self, h: &Hijack<W>) -> Result<(), Errno> {
        let Self::Rump { kernel_fd, .. } = self else { return Ok(()) };
        let mut statfs = [0_u64; 15];
        ask(h, nr::FSTATFS, [kernel_fd.0.into(), statfs.as_mut_ptr() as u64, 0, 0, 0, 0])?;
        if statfs[FLAGS_WORD] & ST_NOEXEC == 0 { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether the host would run this file of its own, which is not left to it.
    ///
    /// # Errors
    /// What execve(2) would fail with.
    pub(super) fn host_would_run<W: World>(&self, h: &Hijack<W>, image: &Image) -> Result<(), Errno> {
        let Self::Host(fd) = *self else { return Ok(()) };
        let empty = c"".as_ptr() as u64;
        let argv = [empty, 0];
        let flags = u64::from(AT_EMPTY_PATH) | AT_EXECVE_CHECK;
        let args = [fd.into(), empty, argv.as_ptr() as u64, argv[1..].as_ptr() as u64, flags, 0];
        match h.world.host(nr::EXECVEAT, args) {
            // Older kernels do not know the flag.
            Err(Errno::EINVAL) => {}
            answer => return answer.map(drop),
        }
        Self::host_may_run(h, image)?;
        let mut statfs = [0_u64; 15];
        h.world.host(nr::FSTATFS, [fd.into(), statfs.as_mut_ptr() as u64, 0, 0, 0, 0])?;
        if statfs[FLAGS_WORD] & ST_NOEXEC == 0 { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// Whether the calling user may run a file of the host's, whatever it is.
    ///
    /// # Errors
    /// Those of faccessat2(2).
    pub(super) fn host_may_run<W: World>(h: &Hijack<W>, image: &Image) -> Result<(), Errno> {
        let (dir, flags) = (image.dir.unwrap_or(AT_FDCWD.into()), image.flags | u64::from(AT_EACCESS));
        h.world.host(nr::FACCESSAT2, [dir, image.path, X_OK, flags, 0, 0]).map(drop)
    }

    /// Whether running this file of the host's gives privileges, which the loader could not.
    pub(super) fn gives_privileges<W: World>(&self, h: &Hijack<W>) -> bool {
        let Self::Host(fd) = *self else { return false };
        let mut stat = Stat::default();
        let known = h.world.host(nr::FSTAT, [fd.into(), (&raw mut stat) as u64, 0, 0, 0, 0]).is_ok();
        let set_id = stat.st_mode & S_ISUID != 0 || stat.st_mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP;
        !known || set_id || self.has_capabilities(h)
    }

    /// Whether this file of the host's has capabilities(7).
    pub(super) fn has_capabilities<W: World>(&self, h: &Hijack<W>) -> bool {
        let Self::Host(fd) = *self else { return false };
        let name = c"security.capability".as_ptr() as u64;
        h.world.host(nr::FGETXATTR, [fd.into(), name, 0, 0, 0, 0]).is_ok()
    }

    /// Reads until the slice is full or the file ends; answers how much.
    ///
    /// # Errors
    /// Those of pread(2).
    pub(super) fn read_at<W: World>(
        &self,
        h: &Hijack<W>,
        into: &mut [u8],
        offset: u64,
    ) -> Result<usize, Errno> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let (at, length) = (rest.as_mut_ptr() as u64, rest.len() as u64);
            let offset = offset.checked_add(filled as u64).ok_or(Errno::EINVAL)?;
            let got = match self {
                Self::Host(fd) => h.world.host(nr::PREAD64, [(*fd).into(), at, length, offset, 0, 0])?,
                Self::Rump { kernel_fd, .. } => {
                    ask(h, nr::PREAD64, [kernel_fd.0.into(), at, length, offset, 0, 0])?
                }
            };
            if got == 0 {
                break;
            }
            filled += usize::try_from(got).map_err(|_| Errno::EIO)?;
        }
        Ok(filled)
    }

    /// Tells the rump kernel that a program of its is about to run: nobody may write to it from then on. Answers whether it is one.
    ///
    /// # Errors
    /// `ETXTBSY`: somebody may.
    pub(super) fn will_run<W: World>(&self, h: &Hijack<W>) -> Result<bool, Errno> {
        match self {
            Self::Host(_) => Ok(false),
            Self::Rump { kernel_fd, .. } => text(h, kernel_fd.0).map(|_| true),
        }
    }

    /// It does not run, after all.
    pub(super) fn will_not_run<W: World>(h: &Hijack<W>) {
        let _ = text(h, u32::MAX);
    }

    /// A descriptor of the host's for the loader: the file's own, or that of a memory file with its contents, which nobody
    /// can write any more.
    ///
    /// # Errors
    /// Those of memfd_create(2) and write(2).
    pub(super) fn into_host<W: World>(self, h: &Hijack<W>) -> Result<u32, Errno> {
        if let Self::Host(fd) = self {
            return Ok(fd);
        }
        let copied = self.copy(h);
        self.close(h);
        copied
    }

    /// See [`File::into_host`].
    pub(super) fn copy<W: World>(&self, h: &Hijack<W>) -> Result<u32, Errno> {
        let name = c"rump".as_ptr() as u64;
        let writable = h.world.host(nr::MEMFD_CREATE, [name, MFD_CLOEXEC.into(), 0, 0, 0, 0])? as u32;
        let answer = self.fill(h, writable).and_then(|()| open_again(h, writable, O_RDONLY | O_CLOEXEC));
        h.close_quietly(writable);
        answer
    }

    fn fill<W: World>(&self, h: &Hijack<W>, memory: u32) -> Result<(), Errno> {
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        loop {
            let got = self.read_at(h, &mut piece, offset)? as u64;
            if got == 0 {
                return Ok(());
            }
            let args = [memory.into(), piece.as_ptr() as u64, got, offset, 0, 0];
            offset += h.world.host(nr::PWRITE64, args)?;
        }
    }

    pub(super) fn close<W: World>(&self, h: &Hijack<W>) {
        if let Self::Host(fd) | Self::Rump { host_fd: Some(fd), .. } = self {
            h.close_quietly(*fd);
        }
    }
}

fn text<W: World>(h: &Hijack<W>, kernel_fd: u32) -> Outcome {
    let row = table::lookup(private::TEXT).ok_or(Errno::ENOSYS)?;
    h.world.rump(row, [kernel_fd.into(), 0, 0, 0, 0, 0], &[])?.result
}

fn open_again<W: World>(h: &Hijack<W>, fd: u32, flags: u32) -> Result<u32, Errno> {
    let mut path = Text::default();
    write!(path, "/proc/self/fd/{fd}\0").map_err(|_| Errno::ENAMETOOLONG)?;
    let address = path.as_bytes().as_ptr() as u64;
    h.world.host(nr::OPEN, [address, flags.into(), 0, 0, 0, 0]).map(|fd| fd as u32)
}

fn ask<W: World>(h: &Hijack<W>, number: u32, args: Args) -> Outcome {
    let row = table::lookup(number).ok_or(Errno::ENOSYS)?;
    h.world.rump(row, args, &[])?.result
}
