//! What is kept for later processes, in a directory that is the user's alone: `$XDG_CACHE_HOME/rumphijack`, else
//! `$HOME/.cache/rumphijack`, else `/tmp/rumphijack-UID`.
//!
//! `BUILD-ID.sites` is a list of sites, `BUILD-ID.N.code` an object that has been rewritten ([`crate::prepared_unsafe`]).

use crate::image_unsafe::Image;
use abi::raw::general::{
    O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY, S_IFDIR, S_IFMT,
    S_IFREG, stat, statfs,
};
use abi::{Errno, nr};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::mem::MaybeUninit;
use host::Fd;
use sitelist::BuildId;

/// Longer than any list of sites.
const SIZE_MAX: usize = 4 << 20;

/// File systems whose files may go while they are mapped (linux/magic.h): NFS, SMB, CIFS, FUSE, 9P, AFS. A program must not die with
/// its cache.
const ELSEWHERE: &[i64] = &[0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x5346_414f];

const DIRECTORY: u32 = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;

/// What tells a file, and its contents, from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Stat {
    device: u64,
    inode: u64,
    /// In bytes.
    pub(crate) size: u64,
    modified: [i64; 2],
    changed: [i64; 2],
}

/// The directory.
pub(crate) struct Directory {
    fd: Fd,
    /// With a NUL.
    path: Vec<u8>,
}

impl Directory {
    /// The directory, if there is one that can be trusted, or can be made.
    pub(crate) fn find(image: Image) -> Option<Self> {
        let absolute = |path: &&[u8]| path.starts_with(b"/");
        let cache = image.variable(b"XDG_CACHE_HOME").filter(absolute).map(<[u8]>::to_vec);
        let home = || Some([image.variable(b"HOME").filter(absolute)?, b"/.cache"].concat());
        let found = cache.or_else(home).and_then(|above| {
            let path = [above.as_slice(), b"/rumphijack\0"].concat();
            // Not more than these two: a home that is not there is not ours to make (it may be meant to lie in the rump
            // kernel's tree, where the host must not get one).
            Self::at(&path, Some(&[above.as_slice(), b"\0"].concat()))
        });
        found.or_else(|| {
            let uid = host::geteuid().to_string();
            Self::at(&[b"/tmp/rumphijack-", uid.as_bytes(), b"\0"].concat(), None)
        })
    }

    fn at(path: &[u8], above: Option<&[u8]>) -> Option<Self> {
        let found = open(path, DIRECTORY).or_else(|errno| {
            if errno != Errno::ENOENT {
                return Err(errno);
            }
            above.into_iter().chain([path]).for_each(make_directory);
            open(path, DIRECTORY)
        });
        Self::trusted_at(found.ok()?, path)
    }

    /// The directory that was found before, with all that makes it one to be trusted looked at again: the process may have become
    /// another user's, or have gone to another root.
    pub(crate) fn again(path: &[u8]) -> Option<Self> {
        Self::trusted_at(open(path, DIRECTORY).ok()?, path)
    }

    fn trusted_at(fd: Fd, path: &[u8]) -> Option<Self> {
        (ours(&fd, S_IFDIR).is_some() && is_here(&fd)).then(|| Self { fd, path: path.to_vec() })
    }

    /// Its path, for [`Directory::again`].
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// A file of the directory, by its name with a NUL.
    pub(crate) fn open(&self, name: &[u8], flags: u32) -> Result<Fd, Errno> {
        open_at(self.fd.number() as usize, name, flags)
    }

    /// What there is of a file of the directory, if nobody else can have written it.
    pub(crate) fn trusted(&self, file: &Fd) -> Option<Stat> {
        ours(file, S_IFREG).map(|stat| Stat::from(&stat))
    }

    /// The list of an object's sites, as it was kept.
    pub(crate) fn read_list(&self, id: BuildId) -> Option<Vec<u8>> {
        let file = self.open(&list(id), O_RDONLY | O_CLOEXEC | O_NOFOLLOW).ok()?;
        self.trusted(&file)?;
        read_all(&file)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// As [`Directory::write`].
    pub(crate) fn write_list(&self, id: BuildId, bytes: &[u8]) -> Result<(), Errno> {
        self.write(&list(id), bytes)
    }

    /// Keeps a file for the next program. It is whole or not there at all.
    ///
    /// # Errors
    /// The host's; it is not kept then, which costs time only.
    pub(crate) fn write(&self, name: &[u8], bytes: &[u8]) -> Result<(), Errno> {
        let partial = [b".", host::getpid().to_string().as_bytes(), b".", name].concat();
        let file = self.open(&partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC)?;
        let whole = host::write(file.number(), bytes) == Ok(bytes.len());
        let directory = self.fd.number() as usize;
        let (from, to) = (partial.as_ptr() as usize, name.as_ptr() as usize);
        // SAFETY: both names end in NUL.
        Errno::from_rax(unsafe {
            if whole {
                host::syscall(nr::RENAMEAT, [directory, from, directory, to, 0, 0])
            } else {
                host::syscall(nr::UNLINKAT, [directory, from, 0, 0, 0, 0])
            }
        })
        .map(drop)
    }
}

impl Stat {
    fn from(stat: &stat) -> Self {
        let time = |seconds, nanoseconds| [seconds as i64, nanoseconds as i64];
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size as u64,
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Of the file at this path.
    pub(crate) fn of(path: &CStr) -> Option<Self> {
        let mut stat = MaybeUninit::<stat>::zeroed();
        // SAFETY: the kernel fills it.
        let answer = unsafe {
            host::syscall(nr::STAT, [path.as_ptr() as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0])
        };
        // SAFETY: zeroed or filled.
        (answer == 0).then(|| Self::from(unsafe { stat.assume_init_ref() }))
    }

    /// Of an open regular file, by a number of the program's.
    pub(crate) fn of_open(fd: u32) -> Option<Self> {
        let stat = fstat(fd).filter(|stat| stat.st_mode & S_IFMT == S_IFREG)?;
        Some(Self::from(&stat))
    }

    /// How long ago it was written.
    pub(crate) fn age_seconds(&self) -> i64 {
        let mut now = [0_i64; 2];
        // SAFETY: CLOCK_REALTIME (0); the kernel writes a `struct timespec`.
        unsafe { host::syscall(nr::CLOCK_GETTIME, [0, now.as_mut_ptr() as usize, 0, 0, 0, 0]) };
        now[0].saturating_sub(self.modified[0])
    }
}

/// The name of an object's list.
fn list(id: BuildId) -> Vec<u8> {
    [id.hex().as_slice(), b".sites\0"].concat()
}

/// What there is of an open file, if it is of this kind and the process's own user's or root's, and nobody else may write to it.
fn ours(file: &Fd, kind: u32) -> Option<stat> {
    let others = 0o022;
    let is_ours =
        |stat: &stat| stat.st_mode & (S_IFMT | others) == kind && [0, host::geteuid()].contains(&stat.st_uid);
    fstat(file.number()).filter(is_ours)
}

fn fstat(fd: u32) -> Option<stat> {
    let mut stat = MaybeUninit::<stat>::zeroed();
    // SAFETY: the kernel fills it.
    let answer = unsafe { host::syscall(nr::FSTAT, [fd as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    // SAFETY: zeroed or filled.
    (answer == 0).then(|| unsafe { stat.assume_init() })
}

/// Whether a file lies on this machine.
fn is_here(file: &Fd) -> bool {
    let mut found = MaybeUninit::<statfs>::zeroed();
    // SAFETY: the kernel fills it.
    let answer = unsafe {
        host::syscall(nr::FSTATFS, [file.number() as usize, found.as_mut_ptr() as usize, 0, 0, 0, 0])
    };
    // SAFETY: zeroed or filled.
    answer == 0 && !ELSEWHERE.contains(&unsafe { found.assume_init_ref() }.f_type)
}

fn make_directory(path: &[u8]) {
    // SAFETY: the path ends in NUL. One that is there already is fine.
    unsafe { host::syscall(nr::MKDIR, [path.as_ptr() as usize, 0o700, 0, 0, 0, 0]) };
}

/// The bytes of the file at this path, which ends in NUL, if they are not too many.
pub(crate) fn read_file(path: &[u8]) -> Option<Vec<u8>> {
    read_all(&open(path, O_RDONLY | O_CLOEXEC).ok()?)
}

fn read_all(file: &Fd) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        match host::read(file.number(), bytes.get_mut(filled..)?).ok()? {
            0 => break,
            read => filled += read,
        }
        if filled == bytes.len() {
            if filled >= SIZE_MAX {
                return None;
            }
            bytes.resize(filled * 2, 0);
        }
    }
    bytes.truncate(filled);
    Some(bytes)
}

/// Reads a part of the file at this path. What lies behind its end is 0.
///
/// # Errors
/// The host's.
pub(crate) fn read_part(path: &CStr, into: &mut [u8], offset: u64) -> Result<(), Errno> {
    read_at(open(path.to_bytes_with_nul(), O_RDONLY | O_CLOEXEC)?.number(), into, offset)
}

/// As [`read_part`], of an open file.
///
/// # Errors
/// The host's.
pub(crate) fn read_at(fd: u32, into: &mut [u8], offset: u64) -> Result<(), Errno> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let (at, len) = (rest.as_mut_ptr() as usize, rest.len());
        let args = [fd as usize, at, len, (offset as usize).wrapping_add(filled), 0, 0];
        // SAFETY: the kernel writes within the slice.
        match Errno::from_rax(unsafe { host::syscall(nr::PREAD64, args) })? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(())
}

/// Opens a file by its path with a NUL.
///
/// # Errors
/// open(2)'s.
pub(crate) fn open(path: &[u8], flags: u32) -> Result<Fd, Errno> {
    /// linux/fcntl.h
    const AT_FDCWD: usize = -100_isize as usize;
    open_at(AT_FDCWD, path, flags)
}

fn open_at(directory: usize, path: &[u8], flags: u32) -> Result<Fd, Errno> {
    // SAFETY: the path ends in NUL. openat(2) is what ld.so uses: a filter that the process has inherited lets it pass.
    let number = Errno::from_rax(unsafe {
        host::syscall(nr::OPENAT, [directory, path.as_ptr() as usize, flags as usize, 0o600, 0, 0])
    })?;
    u32::try_from(number).map(Fd::own).map_err(|_| Errno::EMFILE)
}

/// The file that traps are counted in, with its size.
///
/// # Errors
/// open(2)'s.
pub(crate) fn open_counters(path: &[u8]) -> Result<(Fd, u64), Errno> {
    let file = open(&[path, b"\0"].concat(), O_RDWR | O_CLOEXEC)?;
    let size = fstat(file.number()).map_or(0, |stat| stat.st_size as u64);
    Ok((file, size))
}
