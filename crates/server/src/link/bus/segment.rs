//! Joining a segment, and leaving it.

use crate::link::bus::ring::{self, Reader};
use crate::shared_unsafe::{OwnMemory, PeerMemory};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Connections that wait until a member looks up.
const BACKLOG: i32 = 1024;
/// Members hold the segment's lock for less than a millisecond, to come or to go.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// A member's place: its socket in the segment's directory, which goes with this value.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) listener: OwnedFd,
    segment: OwnedFd,
    directory: PathBuf,
    socket: PathBuf,
}

impl Place {
    /// Takes a place in the segment, which is made if it is not there; answers connections to those who have one already.
    /// Whoever comes later connects to us. The lock makes one the earlier of any two.
    ///
    /// # Errors
    /// What cannot be done, as one line.
    pub(super) fn join(path: &Path) -> Result<(Self, Vec<OwnedFd>), String> {
        let failed = |what: &str, errno: Errno| format!("bus {}: {what}: {errno}", path.display());
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let segment =
            rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| failed("open", errno))?;
        let stat = rustix::fs::fstat(&segment).map_err(|errno| failed("fstat", errno))?;
        if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
            return Err(format!("bus {}: not a regular file", path.display()));
        }
        lock(&segment).map_err(|errno| match errno {
            Errno::AGAIN => format!("bus {}: locked by another program (flock(2))", path.display()),
            errno => failed("flock", errno),
        })?;
        let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
        let joined = Self::take(path, mode, segment).map_err(|errno| match errno {
            Errno::NAMETOOLONG => {
                format!("bus {}: the path is too long for a unix socket (unix(7))", path.display())
            }
            errno => failed("joining", errno),
        })?;
        let _ = rustix::fs::flock(&joined.0.segment, FlockOperation::Unlock);
        Ok(joined)
    }

    fn take(path: &Path, mode: Mode, segment: OwnedFd) -> Result<(Self, Vec<OwnedFd>), Errno> {
        let mut directory = path.as_os_str().to_owned();
        directory.push(".d");
        let directory = PathBuf::from(directory);
        make_directory(&directory, mode)?;
        let others = others(&directory);
        let listener = socket()?;
        for number in 0_u32.. {
            let socket = directory.join(number.to_string());
            match rustix::net::bind(&listener, &SocketAddrUnix::new(&socket)?) {
                Err(Errno::ADDRINUSE) => {}
                Err(errno) => return Err(errno),
                Ok(()) => {
                    // As for the segment: who may write it may connect.
                    rustix::fs::chmod(&socket, mode)?;
                    rustix::net::listen(&listener, BACKLOG)?;
                    return Ok((Self { listener, segment, directory, socket }, others));
                }
            }
        }
        Err(Errno::NOSPC)
    }

    /// A connection of somebody who came later.
    ///
    /// # Errors
    /// `EAGAIN`: there is none. As accept4(2).
    pub(super) fn accept(&self) -> Result<OwnedFd, Errno> {
        rustix::net::accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever joins meanwhile finds a socket that nobody listens on, and removes it.
        let _ = rustix::fs::unlink(&self.socket);
        if rustix::fs::flock(&self.segment, FlockOperation::NonBlockingLockExclusive).is_ok() {
            // The last one; it stays while there are others.
            let _ = rustix::fs::rmdir(&self.directory);
        }
    }
}

fn lock(segment: &OwnedFd) -> Result<(), Errno> {
    for _ in 0..LOCK_TRIES {
        match rustix::fs::flock(segment, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::AGAIN) => std::thread::sleep(LOCK_PAUSE),
            done => return done,
        }
    }
    Err(Errno::AGAIN)
}

/// Whoever may read or write the segment may look into the directory, too.
fn make_directory(directory: &Path, mode: Mode) -> Result<(), Errno> {
    let bits = mode.bits();
    let mode = Mode::from_bits_truncate(bits | (bits & 0o444) >> 2);
    match rustix::fs::mkdir(directory, mode) {
        Ok(()) => rustix::fs::chmod(directory, mode),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Connections to those who are there. Sockets of the dead are removed.
fn others(directory: &Path) -> Vec<OwnedFd> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| connect(&entry.path())).collect()
}

fn connect(path: &Path) -> Option<OwnedFd> {
    let address = SocketAddrUnix::new(path).ok()?;
    let connection = socket().ok()?;
    match rustix::net::connect(&connection, &address) {
        Ok(()) => Some(connection),
        Err(Errno::CONNREFUSED) => {
            let _ = rustix::fs::unlink(path);
            None
        }
        Err(errno) => {
            tracing::warn!("bus: member {}: {errno}", path.display());
            None
        }
    }
}

fn socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// What members tell each other first: here is my memory.
pub(super) mod hello {
    use super::{AsFd, Errno, OwnMemory, OwnedFd, PeerMemory, Reader, ring};
    use rustix::net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags,
    };
    use std::io::{IoSlice, IoSliceMut};
    use std::mem::MaybeUninit;

    const HELLO: &[u8; 10] = b"rump bus 1";

    /// The other is to read from the place `head` on.
    ///
    /// # Errors
    /// As sendmsg(2).
    pub(in crate::link::bus) fn send(
        connection: &OwnedFd,
        memory: &OwnMemory,
        head: u64,
    ) -> Result<(), Errno> {
        let text = [HELLO.as_slice(), &head.to_le_bytes()].concat();
        let fds = [memory.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        rustix::net::sendmsg(connection, &[IoSlice::new(&text)], &mut control, flags).map(|_| ())
    }

    /// The other's memory; none if it has not come yet.
    ///
    /// # Errors
    /// It has sent something else, or has gone. As [`PeerMemory::new`].
    pub(in crate::link::bus) fn receive(connection: &OwnedFd) -> Result<Option<(PeerMemory, Reader)>, Errno> {
        let mut text = [0; 64];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let got =
            match rustix::net::recvmsg(connection, &mut [IoSliceMut::new(&mut text)], &mut control, flags) {
                Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
                got => got?.bytes,
            };
        let fds = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        let fd = fds.flatten().next().ok_or(Errno::PROTO)?;
        let head =
            text.get(..got).and_then(|text| text.strip_prefix(HELLO)).and_then(|head| head.try_into().ok());
        let head = u64::from_le_bytes(head.ok_or(Errno::PROTO)?);
        let memory = PeerMemory::new(fd.as_fd(), ring::WORDS)?;
        let reader = Reader::new(memory.words(), head).ok_or(Errno::PROTO)?;
        Ok(Some((memory, reader)))
    }
}
