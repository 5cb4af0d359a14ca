//! Sockets: what the socket calls work on.
//!
//! A protocol is one type here that implements [`Socket`]; [`SocketFile`] makes an open file of it. As with files,
//! nothing here waits: `EAGAIN` (or a `Wait` that names another object than the file's own) says that a program would.

mod address;
mod ancillary;
mod common;
pub(crate) mod control;
mod cork;
mod inet;
pub(crate) mod interface;
pub(crate) mod inventory;
mod ioctl;
pub(crate) mod message;
mod netlink;
pub(crate) mod option;
mod packet;
mod peek;
mod rights;
mod ring;
mod sending;
mod tcp;
pub(crate) mod transfer;
mod udp;
mod unix;

pub(crate) use common::{Common, Direction};
pub(crate) use netlink::{Inbox, Monitors, Netlink};
pub(crate) use packet::Packet;
pub(crate) use ring::Ring;
pub(crate) use tcp::Tcp;
pub(crate) use udp::Udp;
pub(crate) use unix::{Table as UnixTable, Unix};

use crate::Kernel;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::nameless::Nameless;
use crate::file::{At, File, FileKind, ObjectId, OpenFile};
use crate::process::Credentials;
use abi::Errno;
use abi::layout::{Stat, Ucred};
use abi::raw::general::S_IFSOCK;

/// A datagram or a piece of a stream on its way out.
pub(crate) struct Outgoing<'a> {
    /// Its bytes.
    pub(crate) data: &'a [u8],
    /// The address that sendto(2) named, as the program gave it.
    pub(crate) to: Option<&'a [u8]>,
    /// `MSG_*`.
    pub(crate) flags: u32,
    /// What its control messages say.
    pub(crate) control: &'a Ancillary,
}

/// What control messages (cmsg(3)) say of a message that is sent.
#[derive(Debug, Default)]
pub(crate) struct Ancillary {
    /// `SCM_RIGHTS`.
    pub(crate) rights: Vec<Right>,
    /// `SCM_CREDENTIALS`.
    pub(crate) credentials: Option<Ucred>,
    /// Those of other levels than `SOL_SOCKET`, for the protocol.
    pub(crate) others: Vec<Other>,
}

/// A control message that is the protocol's to understand.
#[derive(Debug)]
pub(crate) struct Other {
    /// `cmsg_level`.
    pub(crate) level: u32,
    /// `cmsg_type`.
    pub(crate) kind: u32,
    /// What follows the header.
    pub(crate) data: Vec<u8>,
}

/// A descriptor on its way through a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// A file of this kernel, of a process that holds its files by its own table.
    File(crate::FileId),
    /// A host descriptor that the server keeps under this number.
    Passed(u64),
}

/// What a receive call got.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// The bytes that fit.
    pub(crate) data: Vec<u8>,
    /// How many the message had; more than `data` if it was cut.
    pub(crate) full_len: usize,
    /// Who sent it.
    pub(crate) from: Option<Vec<u8>>,
    /// Control messages for the receiver.
    pub(crate) control: Vec<Control>,
    /// `MSG_TRUNC`, `MSG_EOR`.
    pub(crate) flags: u32,
}

/// One control message for a receiver.
#[derive(Debug)]
pub(crate) enum Control {
    /// `SCM_RIGHTS`.
    Rights {
        rights: Vec<Right>,
        /// They stay in the queue too (`MSG_PEEK`).
        shown: bool,
    },
    /// Any other.
    Bytes {
        /// `cmsg_level`.
        level: u32,
        /// `cmsg_type`.
        kind: u32,
        /// What follows the header.
        data: Vec<u8>,
    },
}

/// A connection that accept(2) took.
pub(crate) struct Accepted {
    /// Its socket.
    pub(crate) socket: Box<dyn Socket>,
    /// What changes when the socket's readiness does.
    pub(crate) object: ObjectId,
    /// Who connected.
    pub(crate) peer: Vec<u8>,
}

/// Which directions shutdown(2) ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct How {
    /// `SHUT_RD`, `SHUT_RDWR`.
    pub(crate) receive: bool,
    /// `SHUT_WR`, `SHUT_RDWR`.
    pub(crate) send: bool,
}

/// One line of `rump sockstat`.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) protocol: &'static str,
    pub(crate) state: &'static str,
    pub(crate) local: String,
    pub(crate) foreign: String,
}

/// What can be done with a socket. The defaults are what Linux answers for a protocol that cannot do it.
pub(crate) trait Socket {
    /// What all sockets have.
    fn common(&self) -> &Common;

    /// What clients are told.
    fn kind(&self) -> FileKind {
        FileKind::Socket
    }

    /// bind(2) to an address as the program gave it.
    ///
    /// # Errors
    /// As bind(2).
    fn bind(&self, _k: &mut Kernel, _f: &OpenFile, _addr: &[u8]) -> Result<(), Stop> {
        Err(Errno::EOPNOTSUPP.into())
    }

    /// listen(2).
    ///
    /// # Errors
    /// As listen(2).
    fn listen(&self, _k: &mut Kernel, _f: &OpenFile, _backlog: u32) -> Result<(), Stop> {
        Err(Errno::EOPNOTSUPP.into())
    }

    /// accept(2).
    ///
    /// # Errors
    /// As accept(2).
    fn accept(&self, _k: &mut Kernel, _f: &OpenFile) -> Result<Accepted, Stop> {
        Err(Errno::EOPNOTSUPP.into())
    }

    /// connect(2). A call that blocks runs it again while it answers `EINPROGRESS` or `EALREADY`.
    ///
    /// # Errors
    /// As connect(2).
    fn connect(&self, _k: &mut Kernel, _f: &OpenFile, _addr: &[u8]) -> Result<(), Stop> {
        Err(Errno::EOPNOTSUPP.into())
    }

    /// The address that getsockname(2) answers.
    ///
    /// # Errors
    /// As getsockname(2).
    fn local(&self, k: &Kernel) -> Result<Vec<u8>, Errno>;

    /// The address that getpeername(2) answers.
    ///
    /// # Errors
    /// `ENOTCONN`.
    fn peer(&self, k: &Kernel) -> Result<Vec<u8>, Errno>;

    /// Sends; answers how many bytes were taken: all of a datagram, at least one of a stream.
    ///
    /// # Errors
    /// `EAGAIN` where a program would wait; else as send(2). The caller raises SIGPIPE.
    fn send(&self, k: &mut Kernel, f: &OpenFile, message: &Outgoing<'_>) -> Result<usize, Stop>;

    /// Receives at most `len` bytes. Of the `MSG_*` flags it heeds those about what is received.
    ///
    /// # Errors
    /// `EAGAIN` where a program would wait; else as recv(2).
    fn receive(&self, k: &mut Kernel, f: &OpenFile, len: usize, flags: u32) -> Result<Incoming, Stop>;

    /// Takes an error out of the queue of `MSG_ERRQUEUE`. None: it has no such queue, and ignores the flag.
    ///
    /// # Errors
    /// `EAGAIN`: none is there; this is never waited for.
    fn receive_error(&self, _k: &mut Kernel) -> Option<Result<Incoming, Errno>> {
        None
    }

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`.
    fn shutdown(&self, k: &mut Kernel, f: &OpenFile, how: How) -> Result<(), Stop>;

    /// `POLL*` bits that hold now.
    fn poll(&self, k: &Kernel) -> u16;

    /// The last descriptor is closed.
    fn close(&self, k: &mut Kernel);

    /// `SO_ERROR`: the pending error, which is cleared.
    fn take_error(&self, _k: &mut Kernel) -> Option<Errno> {
        None
    }

    /// `SO_ACCEPTCONN`.
    fn is_listening(&self, _k: &Kernel) -> bool {
        false
    }

    /// `SO_PEERCRED`.
    fn peer_credentials(&self, _k: &Kernel) -> Ucred {
        // What Linux answers where there is no peer (net/core/sock.c, cred_to_ucred).
        Ucred { pid: 0, uid: u32::MAX, gid: u32::MAX }
    }

    /// `FIONREAD`: bytes that wait; of datagrams, those of the next one.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    fn unread(&self, k: &Kernel) -> Result<usize, Errno>;

    /// `SIOCOUTQ`: bytes that the peer has not taken yet.
    ///
    /// # Errors
    /// `EINVAL`: it listens.
    fn unsent(&self, k: &Kernel) -> Result<usize, Errno>;

    /// `SIOCOUTQNSD`: bytes that were not sent yet, not even once.
    ///
    /// # Errors
    /// `ENOTTY`: not TCP. `EINVAL`: it listens.
    fn unqueued(&self, _k: &Kernel) -> Result<usize, Errno> {
        Err(Errno::ENOTTY)
    }

    /// Whether each message is received as it was sent: `SOCK_DGRAM`, `SOCK_SEQPACKET`.
    fn keeps_boundaries(&self) -> bool {
        false
    }

    /// `SIOCATMARK`: whether what is read next follows urgent data.
    ///
    /// # Errors
    /// `ENOTTY`: it has no such thing.
    fn at_mark(&self, _k: &Kernel) -> Result<bool, Errno> {
        Ok(false)
    }

    /// `UDP_CORK` was taken away.
    fn uncork(&self, _k: &mut Kernel) {}

    /// The socket of the TCP/IP stack, if it is one of those.
    fn inet(&self) -> Option<tcpip::SocketId> {
        None
    }

    /// What waits in it, of a netlink socket.
    fn inbox(&self) -> Option<&Inbox> {
        None
    }

    /// For `rump sockstat`.
    fn summary(&self, k: &Kernel) -> Summary;
}

/// The device that sockets are on (sockfs).
const SOCKET_DEV: u64 = 8;

/// The open file of a socket.
pub(crate) struct SocketFile {
    socket: Box<dyn Socket>,
    inode: Nameless,
}

impl SocketFile {
    /// That of a socket which this process made.
    pub(crate) fn new(socket: Box<dyn Socket>, who: &Credentials) -> Self {
        Self { socket, inode: Nameless::new(S_IFSOCK | 0o777, who) }
    }
}

impl File for SocketFile {
    fn kind(&self) -> FileKind {
        self.socket.kind()
    }

    fn read(&self, k: &mut Kernel, f: &OpenFile, buf: &mut [u8], at: At) -> Result<usize, Stop> {
        if at != At::Position {
            return Err(Errno::ESPIPE.into());
        }
        // A read of nothing takes no datagram (net/socket.c, sock_read_iter).
        if buf.is_empty() {
            return Ok(0);
        }
        let Incoming { data, control, .. } = peek::receive(&*self.socket, k, f, buf.len(), 0)?;
        k.drop_control(control);
        let len = data.len().min(buf.len());
        buf[..len].copy_from_slice(&data[..len]);
        Ok(len)
    }

    fn write(&self, k: &mut Kernel, f: &OpenFile, data: &[u8], at: At) -> Result<usize, Stop> {
        if at != At::Position {
            return Err(Errno::ESPIPE.into());
        }
        self.socket.send(k, f, &Outgoing { data, to: None, flags: 0, control: &Ancillary::default() })
    }

    fn poll(&self, k: &Kernel) -> u16 {
        self.socket.poll(k)
    }

    fn ioctl(&self, cx: &mut Cx<'_>, f: &OpenFile, cmd: u32) -> Answer {
        ioctl::ioctl(cx, f, self.socket.as_ref(), cmd)
    }

    fn socket(&self) -> Option<&dyn Socket> {
        Some(self.socket.as_ref())
    }

    fn nameless(&self) -> Option<&Nameless> {
        Some(&self.inode)
    }

    fn stat(&self, _k: &mut Kernel, f: &OpenFile) -> Result<Stat, Stop> {
        let own = Stat {
            st_dev: SOCKET_DEV,
            st_ino: f.inode.get(),
            st_nlink: 1,
            st_blksize: 4096,
            ..Stat::default()
        };
        Ok(self.inode.stat(own))
    }

    fn close(&self, k: &mut Kernel) {
        self.socket.close(k);
    }
}
