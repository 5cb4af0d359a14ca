//! Files behind the descriptors of other processes: by their names in /proc, and taken out by pidfd_getfd(2).
//!
//! The host says which socket a descriptor is, or that it is a copy of a stand-in (see `lone`): there the process has noted its lone
//! files, by their numbers. It says so to those only who may look into the process (proc_pid_fd(5)), and the rump kernel looks at
//! users once more.

use crate::Hijack;
use crate::config::decimal;
use crate::dispatch::row_of;
use crate::text::Text;
use crate::world::World;
use abi::raw::general::{MAP_SHARED, O_CLOEXEC, O_RDONLY, PROT_READ, PROT_WRITE};
use abi::{Errno, nr, private};
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

/// The name of stand-ins, and what the link of a copy shows (memfd_create(2)).
pub(crate) const STAND_IN: &core::ffi::CStr = c"rump-lone";
const STAND_IN_LINK: &[u8] = b"/memfd:rump-lone (deleted)";

/// What begins the link of a socket.
const SOCKET_LINK: &[u8] = b"socket:[";

/// Numbers from here on are not noted.
const NOTED: u64 = 1 << 14;
/// A cookie each.
const COOKIE: u64 = size_of::<u64>() as u64;

/// What `rump_find` is given.
const INODE: u64 = 0;
const LONE: u64 = 1;

/// The cookies of the process's lone files by their numbers: the contents of its stand-in, mapped. 0: there is none yet.
pub(crate) struct Notes(AtomicU64);

impl Notes {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn address(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Acquire)).filter(|address| *address != 0)
    }
}

impl<W: World> Hijack<W> {
    /// Makes room for notes in a new stand-in. Without it its files have no names elsewhere.
    pub(crate) fn begin_notes(&self, stand_in: u32) {
        // Beyond RLIMIT_FSIZE ftruncate(2) would send SIGXFSZ.
        let size = NOTED * COOKIE;
        if self.file_size_limit() < size
            || self.world.host(nr::FTRUNCATE, [stand_in.into(), size, 0, 0, 0, 0]).is_err()
        {
            return;
        }
        let protection = u64::from(PROT_READ | PROT_WRITE);
        let args = [0, size, protection, MAP_SHARED.into(), stand_in.into(), 0];
        let Ok(address) = self.world.host(nr::MMAP, args) else { return };
        // What was mapped before stays: another thread may be about to note something there.
        self.notes.0.store(address, Ordering::Release);
    }

    /// In the child of a fork: the notes are its parent's.
    pub(crate) fn end_notes(&self) {
        self.notes.0.store(0, Ordering::Release);
    }

    /// Notes that this number is that lone file.
    pub(crate) fn note(&self, fd: u32, cookie: u64) {
        if let Some(notes) = self.notes.address().filter(|_| u64::from(fd) < NOTED) {
            let _ = self.world.write(notes + u64::from(fd) * COOKIE, &cookie.to_ne_bytes());
        }
    }

    /// The process of the rump kernel and the number there by which it knows what is behind another process's descriptor. `None`: the
    /// host's, or nobody's.
    pub(crate) fn find_elsewhere(&self, pid: u32, fd: u32) -> Option<(u64, u64)> {
        let name = link(format_args!("/proc/{pid}/fd/{fd}"))?;
        let target = self.target(&name)?;
        let (number, what) = if target.as_bytes() == STAND_IN_LINK {
            (self.noted(&name, fd)?, LONE)
        } else {
            let inode = target.as_bytes().strip_prefix(SOCKET_LINK)?.strip_suffix(b"]")?;
            (decimal(inode)?.into(), INODE)
        };
        let found = self.rump(row_of(private::FIND).ok()?, [number, what, 0, 0, 0, 0]).ok()?;
        Some((found >> 32, found & 0xffff_ffff))
    }

    /// What pidfd_getfd(2) took out of another process, where it was `fd`, has arrived here: a lone file is given a host descriptor.
    ///
    /// # Errors
    /// `EBADF`: it was closed meanwhile. `EMFILE`. The number is free again then.
    pub(crate) fn settle_taken(&self, arrived: u32, fd: u32) -> Result<(), Errno> {
        let Some(name) = link(format_args!("/proc/self/fd/{arrived}")) else { return Ok(()) };
        if self.target(&name).is_none_or(|target| target.as_bytes() != STAND_IN_LINK) {
            return Ok(());
        }
        let taken = self.note_in(arrived, fd).ok_or(Errno::EBADF).and_then(|cookie| self.take(cookie));
        let put = taken.and_then(|own| self.put_in_place(arrived, own));
        put.inspect_err(|_| self.close_quietly(arrived))
    }

    /// A host descriptor of our own for another process's lone file.
    fn take(&self, cookie: u64) -> Result<u32, Errno> {
        let reply = self.world.rump(row_of(private::TAKE)?, [cookie, 0, 0, 0, 0, 0], &[])?;
        match reply.result {
            Err(Errno::ENOENT) => return Err(Errno::EBADF),
            result => result?,
        };
        reply.host_fd().ok_or(Errno::EMFILE)
    }

    /// What another process has noted of a number, by the name of its stand-in there.
    fn noted(&self, name: &Text, fd: u32) -> Option<u64> {
        let flags = u64::from(O_RDONLY | O_CLOEXEC);
        let stand_in =
            self.world.host(nr::OPEN, [name.as_bytes().as_ptr() as u64, flags, 0, 0, 0, 0]).ok()?;
        let cookie = self.note_in(stand_in as u32, fd);
        self.close_quietly(stand_in as u32);
        cookie
    }

    fn note_in(&self, stand_in: u32, fd: u32) -> Option<u64> {
        let mut cookie = [0; COOKIE as usize];
        let args = [stand_in.into(), cookie.as_mut_ptr() as u64, COOKIE, u64::from(fd) * COOKIE, 0, 0];
        let read = self.world.host(nr::PREAD64, args).ok()?;
        Some(u64::from_ne_bytes(cookie)).filter(|cookie| read == COOKIE && *cookie != 0)
    }

    /// What a link of the host shows, if that is short.
    fn target(&self, name: &Text) -> Option<Text> {
        let mut bytes = [0u8; 64];
        let args = [name.as_bytes().as_ptr() as u64, bytes.as_mut_ptr() as u64, bytes.len() as u64, 0, 0, 0];
        let length = usize::try_from(self.world.host(nr::READLINK, args).ok()?).ok()?;
        let mut target = Text::default();
        target.write_str(core::str::from_utf8(bytes.get(..length)?).ok()?).ok()?;
        Some(target)
    }
}

/// A path with its NUL.
fn link(path: core::fmt::Arguments<'_>) -> Option<Text> {
    let mut text = Text::default();
    write!(text, "{path}\0").ok()?;
    Some(text)
}
