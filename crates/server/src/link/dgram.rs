//! `type=dgram`: Ethernet over datagrams, a frame in each: the form of QEMU's `-netdev dgram`.

use crate::link::backend::{Backend, Deliver, Sent};
use crate::link::fds_unsafe;
use crate::link::framing::FRAME_MAX;
use crate::link::kinds::{Kind, Opened, Opening, Plan};
use crate::link::values;
use crate::spec::Fields;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use std::net::SocketAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use tcpip::Offload;

/// The row of the table.
pub(crate) const KIND: Kind = Kind {
    name: "dgram",
    about: "Ethernet over datagrams, UDP's or of unix sockets, as QEMU's -netdev dgram",
    ethernet: true,
    keys: &[
        ("local", "ADDRESS:PORT|PATH", "where frames come in"),
        ("remote", "ADDRESS:PORT|PATH", "the other end"),
        ("fd", "NUMBER", "a connected socket that the server inherits, instead of both"),
    ],
    parse,
};

const SOCKET: u32 = 0;
/// What an end has no room for is tried again after that: nobody tells when it has.
const AGAIN_NS: u64 = 1_000_000;
/// A bulk of frames; the host takes what it allows (`net.core.rmem_max`).
const BUFFER: usize = 4 << 20;

#[derive(Debug)]
enum DgramPlan {
    Udp { local: SocketAddr, remote: SocketAddr },
    Unix { local: PathBuf, remote: PathBuf },
    Inherited(RawFd),
}

fn parse(fields: &mut Fields) -> Result<Box<dyn Plan>, String> {
    let fd = fields.parsed("fd", values::descriptor)?;
    if let Some(fd) = fd {
        return match (fields.take("local"), fields.take("remote")) {
            (None, None) => Ok(Box::new(DgramPlan::Inherited(fd))),
            _ => Err("'fd=' goes neither with 'local=' nor with 'remote='".to_owned()),
        };
    }
    let local = fields.required("local").map_err(|why| format!("{why} (or 'fd=')"))?;
    let remote = fields.required("remote")?;
    match (local.parse::<SocketAddr>(), remote.parse::<SocketAddr>()) {
        (Ok(local), Ok(remote)) if local.is_ipv4() != remote.is_ipv4() => {
            Err(format!("local '{local}' and remote '{remote}' are of different families"))
        }
        (_, Ok(remote)) if remote.ip().is_multicast() => {
            Err(format!("remote '{remote}' is a group's address: only one other end can be named"))
        }
        (Ok(local), Ok(remote)) => Ok(Box::new(DgramPlan::Udp { local, remote })),
        (Err(_), Err(_)) if !local.is_empty() && !remote.is_empty() => {
            Ok(Box::new(DgramPlan::Unix { local: local.into(), remote: remote.into() }))
        }
        _ => Err(format!("local '{local}' and remote '{remote}' are not both ADDRESS:PORT or both PATH")),
    }
}

impl Plan for DgramPlan {
    fn open(&self, opening: Opening) -> Result<Opened, String> {
        let (fd, remote, path) = match self {
            Self::Udp { local, remote } => {
                let fd = udp(local).map_err(|errno| format!("dgram {local}: {errno}"))?;
                (fd, Some(Remote::Udp(*remote)), None)
            }
            Self::Unix { local, remote } => {
                let (local, remote) = (opening.directory.join(local), opening.directory.join(remote));
                let failed = |path: &Path| {
                    let path = path.display().to_string();
                    move |errno: Errno| format!("dgram {path}: {errno}")
                };
                let address = SocketAddrUnix::new(&remote).map_err(failed(&remote))?;
                (unix(&local).map_err(failed(&local))?, Some(Remote::Unix(address)), Some(local))
            }
            Self::Inherited(fd) => (inherited(*fd)?, None, None),
        };
        let _ = sockopt::set_socket_send_buffer_size(&fd, BUFFER);
        let _ = sockopt::set_socket_recv_buffer_size(&fd, BUFFER);
        opening.watch.add(&fd, SOCKET, EventFlags::IN).map_err(|errno| format!("dgram: {errno}"))?;
        let (now_ns, again_ns) = (crate::clock::mono_ns(), None);
        let buffer = vec![0; FRAME_MAX];
        Ok(Opened::plain(Dgram { fd, remote, path, now_ns, again_ns, buffer }))
    }
}

fn socket(family: AddressFamily) -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)
}

fn udp(local: &SocketAddr) -> Result<OwnedFd, Errno> {
    let fd = socket(if local.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })?;
    rustix::net::bind(&fd, local)?;
    Ok(fd)
}

/// A socket that a dead server left is replaced; one that is served is not.
fn unix(path: &Path) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let fd = socket(AddressFamily::UNIX)?;
    match rustix::net::bind(&fd, &address) {
        Err(Errno::ADDRINUSE) if rustix::net::connect(&fd, &address) == Err(Errno::CONNREFUSED) => {
            rustix::fs::unlink(path)?;
            rustix::net::bind(&fd, &address)?;
        }
        bound => bound?,
    }
    rustix::fs::chmod(path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)?;
    Ok(fd)
}

fn inherited(fd: RawFd) -> Result<OwnedFd, String> {
    let failed = |errno: Errno| format!("fd {fd}: {errno}");
    let borrowed = fds_unsafe::borrow(fd).map_err(failed)?;
    match sockopt::socket_type(borrowed) {
        Ok(SocketType::DGRAM) => {}
        Ok(_) | Err(Errno::NOTSOCK) => return Err(format!("fd {fd} is no datagram socket")),
        Err(errno) => return Err(failed(errno)),
    }
    let fd = rustix::io::fcntl_dupfd_cloexec(borrowed, 0).map_err(failed)?;
    rustix::io::ioctl_fionbio(&fd, true).map_err(failed)?;
    Ok(fd)
}

/// Whom frames are sent to.
enum Remote {
    Udp(SocketAddr),
    Unix(SocketAddrUnix),
}

struct Dgram {
    fd: OwnedFd,
    /// None: the socket is connected.
    remote: Option<Remote>,
    /// Our own socket's name, which goes with it.
    path: Option<PathBuf>,
    now_ns: u64,
    /// When a frame for which there was no room is tried again.
    again_ns: Option<u64>,
    buffer: Vec<u8>,
}

impl Drop for Dgram {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = rustix::fs::unlink(path);
        }
    }
}

impl Dgram {
    /// Bytes of the next frame, if it comes from the other end.
    fn next(&mut self) -> Result<Option<usize>, Errno> {
        let (len, _, from) = rustix::net::recvfrom(&self.fd, &mut self.buffer[..], RecvFlags::empty())?;
        let ours = match (&self.remote, from) {
            (Some(Remote::Udp(remote)), Some(from)) => {
                SocketAddr::try_from(from).is_ok_and(|from| from == *remote)
            }
            // Who may write to a unix socket is said by its mode.
            _ => true,
        };
        Ok(ours.then_some(len))
    }
}

impl Backend for Dgram {
    fn event(&mut self, _number: u32, _flags: EventFlags) {}

    fn receive(&mut self, most: usize, deliver: &mut Deliver<'_>) -> bool {
        for _ in 0..most {
            match self.next() {
                Ok(Some(len)) => deliver(&self.buffer[..len], Offload::NONE),
                Ok(None) | Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn send(&mut self, frame: &[u8], _: Offload) -> Sent {
        let flags = SendFlags::NOSIGNAL;
        let sent = match &self.remote {
            None => rustix::net::send(&self.fd, frame, flags),
            Some(Remote::Udp(to)) => rustix::net::sendto(&self.fd, frame, flags, to),
            Some(Remote::Unix(to)) => rustix::net::sendto(&self.fd, frame, flags, to),
        };
        match sent {
            Ok(_) => Sent::Done,
            Err(Errno::AGAIN | Errno::NOBUFS) => {
                self.again_ns = Some(self.now_ns.saturating_add(AGAIN_NS));
                Sent::Full
            }
            // Nobody is there, as at an open end of a cable; or it is too long.
            Err(_) => Sent::Dropped,
        }
    }

    fn advance(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.again_ns.take_if(|at_ns| *at_ns <= now_ns);
    }

    fn next_deadline(&self) -> Option<u64> {
        self.again_ns
    }
}
