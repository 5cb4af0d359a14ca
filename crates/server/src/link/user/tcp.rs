//! Connections: a socket of the gateway's stack joined to one of the host's.

use super::forward::socket;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, SocketType, sockopt};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tcpip::{InterceptedSyn, Opt, Problem, Refusal, SocketId, Stack};

/// Pieces moved in one direction before other connections have their turn.
const PIECES: usize = 16;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) host: OwnedFd,
    guest: Guest,
    /// The host's socket may have something to read, room to write.
    readable: bool,
    writable: bool,
    /// No more comes from there, and the other side was told so.
    host_ended: bool,
    guest_ended: bool,
}

/// The guest's end.
#[derive(Debug, Clone, Copy)]
enum Guest {
    /// It is answered when the host's socket is connected.
    Asking(InterceptedSyn),
    Socket(SocketId),
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It goes on when something happens.
    Waits,
    /// There is more to move.
    More,
    /// The guest's socket is this one from now on.
    Joined(SocketId),
    /// It is over.
    Over,
}

impl Connection {
    /// Begins to connect to `to` for a guest.
    ///
    /// # Errors
    /// What the guest is to be told.
    pub(super) fn to_host(syn: InterceptedSyn, to: SocketAddr) -> Result<Self, Refusal> {
        let begin = || {
            let host = socket(to.ip(), SocketType::STREAM, None)?;
            match rustix::net::connect(&host, &to) {
                Ok(()) | Err(Errno::INPROGRESS) => Ok(host),
                Err(errno) => Err(errno),
            }
        };
        let host = begin().map_err(refusal)?;
        prepare(&host);
        Ok(Self::new(host, Guest::Asking(syn)))
    }

    /// Joins a connection that came to a forwarded port to a socket that connects to the guest.
    pub(super) fn to_guest(host: OwnedFd, guest: SocketId) -> Self {
        prepare(&host);
        Self { readable: true, writable: true, ..Self::new(host, Guest::Socket(guest)) }
    }

    fn new(host: OwnedFd, guest: Guest) -> Self {
        Self { host, guest, readable: false, writable: false, host_ended: false, guest_ended: false }
    }

    pub(super) fn asking(&self) -> Option<InterceptedSyn> {
        match self.guest {
            Guest::Asking(syn) => Some(syn),
            Guest::Socket(_) => None,
        }
    }

    pub(super) fn socket(&self) -> Option<SocketId> {
        match self.guest {
            Guest::Asking(_) => None,
            Guest::Socket(id) => Some(id),
        }
    }

    /// Something happened at the host's socket.
    pub(super) fn event(&mut self) {
        (self.readable, self.writable) = (true, true);
    }

    /// Moves what can be moved.
    pub(super) fn pump(&mut self, stack: &mut Stack, space: &mut [u8]) -> Next {
        match self.guest {
            Guest::Asking(syn) => self.answer(syn, stack),
            Guest::Socket(id) => {
                let more = match (self.move_to_host(id, stack, space), self.move_to_guest(id, stack, space)) {
                    (Ok(one), Ok(other)) => one || other,
                    _ => {
                        self.reset(stack);
                        return Next::Over;
                    }
                };
                if self.host_ended && self.guest_ended {
                    stack.close(id);
                    return Next::Over;
                }
                if more { Next::More } else { Next::Waits }
            }
        }
    }

    /// Tells the guest what has become of the host's connect(2).
    fn answer(&mut self, syn: InterceptedSyn, stack: &mut Stack) -> Next {
        let outcome = match sockopt::socket_error(&self.host) {
            Ok(Ok(())) => match rustix::net::getpeername(&self.host) {
                Ok(_) => Ok(()),
                Err(Errno::NOTCONN) => return Next::Waits,
                Err(errno) => Err(errno),
            },
            Ok(Err(errno)) | Err(errno) => Err(errno),
        };
        if let Err(errno) = outcome {
            stack.refuse_intercepted(&syn, refusal(errno));
            return Next::Over;
        }
        let Ok(id) = stack.accept_intercepted(&syn) else { return Next::Over };
        prepare_guest(stack, id);
        self.guest = Guest::Socket(id);
        Next::Joined(id)
    }

    /// From the guest to the host. Bytes stay in the stack until the host has taken them. Whether there is more.
    fn move_to_host(&mut self, id: SocketId, stack: &mut Stack, space: &mut [u8]) -> Result<bool, ()> {
        if stack.readiness(id).err {
            return Err(());
        }
        for _ in 0..PIECES {
            if !self.writable || self.guest_ended {
                return Ok(false);
            }
            match stack.recv(id, space, true) {
                Ok(0) => {
                    self.guest_ended = true;
                    // ENOTCONN: the host's side has gone altogether, which reading tells.
                    let _ = rustix::net::shutdown(&self.host, Shutdown::Write);
                    self.readable = true;
                }
                Ok(len) => match rustix::net::send(&self.host, &space[..len], SendFlags::NOSIGNAL) {
                    Ok(sent) => {
                        stack.recv(id, &mut space[..sent], false).map_err(drop)?;
                    }
                    Err(Errno::AGAIN) => self.writable = false,
                    Err(Errno::INTR) => {}
                    Err(_) => return Err(()),
                },
                Err(abi::Errno::EAGAIN) => return Ok(false),
                Err(_) => return Err(()),
            }
        }
        Ok(true)
    }

    /// From the host to the guest: no more is read than the stack has room for. Whether there is more.
    fn move_to_guest(&mut self, id: SocketId, stack: &mut Stack, space: &mut [u8]) -> Result<bool, ()> {
        if self.guest_ended && !self.host_ended && stack.readiness(id).hup {
            // Nobody is there any more to whom it could go.
            return Err(());
        }
        for _ in 0..PIECES {
            let room = stack.room(id).min(space.len());
            if !self.readable || self.host_ended || room == 0 {
                return Ok(false);
            }
            match rustix::net::recv(&self.host, &mut space[..room], RecvFlags::empty()) {
                Ok((0, _)) => {
                    self.host_ended = true;
                    stack.shutdown(id, std::net::Shutdown::Write).map_err(drop)?;
                }
                Ok((len, _)) => {
                    stack.send(id, &space[..len]).map_err(drop)?;
                }
                Err(Errno::AGAIN) => self.readable = false,
                Err(Errno::INTR) => {}
                Err(_) => return Err(()),
            }
        }
        Ok(true)
    }

    /// Ends both sides by a RST.
    pub(super) fn reset(&self, stack: &mut Stack) {
        let _ = sockopt::set_socket_linger(&self.host, Some(Duration::ZERO));
        if let Guest::Socket(id) = self.guest {
            let _ = stack.set_option(id, Opt::Linger(Some(0)));
            stack.close(id);
        }
    }
}

/// What comes is passed on as it comes; an urgent byte stays where it is.
fn prepare(host: &OwnedFd) {
    let _ = sockopt::set_tcp_nodelay(host, true);
    let _ = sockopt::set_socket_oobinline(host, true);
}

/// The same for the guest's end.
pub(super) fn prepare_guest(stack: &mut Stack, id: SocketId) {
    let _ = stack.set_option(id, Opt::NoDelay(true));
    let _ = stack.set_option(id, Opt::OobInline(true));
}

/// What connect(2)'s error means for the guest.
fn refusal(errno: Errno) -> Refusal {
    match errno {
        Errno::CONNREFUSED | Errno::CONNRESET => Refusal::Reset,
        Errno::NETUNREACH | Errno::AFNOSUPPORT => Refusal::Problem(Problem::Network),
        Errno::HOSTUNREACH | Errno::HOSTDOWN => Refusal::Problem(Problem::Host),
        Errno::ACCESS | Errno::PERM => Refusal::Problem(Problem::Prohibited),
        // ETIMEDOUT, which the guest finds by itself; EMFILE and the like, which may pass.
        _ => Refusal::Silence,
    }
}
