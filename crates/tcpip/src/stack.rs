//! The stack as a value: what the kernel calls.

use std::net::{Shutdown, SocketAddr};

use abi::Errno;

use crate::{
    Config, Counters, Domain, LinkConfig, LinkId, LinkInfo, Opt, Options, Readiness, Received, SocketId,
    SocketInfo, TcpInfo,
};

/// One TCP/IP stack. See the crate's documentation.
#[derive(Debug)]
pub struct Stack {
    now_ns: u64,
}

impl Stack {
    /// A stack with `lo` up, at time 0.
    #[must_use]
    pub fn new(_config: Config) -> Self {
        Self { now_ns: 0 }
    }

    /// Sets the time, in nanoseconds of a clock that never goes back, and does what has become due.
    pub fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
    }

    /// When [`Stack::advance`] must be called at the latest. May be early, never late; `None`: nothing is due
    /// until a call or a frame comes in.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        None
    }

    /// Adds a point-to-point link and brings it up.
    ///
    /// # Errors
    /// `EINVAL`: an MTU below 1280 (RFC 8200) or above 65535, or an address that is not a unicast one.
    pub fn add_link(&mut self, _config: LinkConfig) -> Result<LinkId, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The network interfaces.
    #[must_use]
    pub fn links(&self) -> Vec<LinkInfo> {
        Vec::new()
    }

    /// Takes a frame that arrived on `link`. Any bytes will do; what is malformed is counted and dropped.
    pub fn frame_in(&mut self, _link: LinkId, _frame: &[u8]) {}

    /// The next frame to send, and where.
    pub fn next_frame(&mut self) -> Option<(LinkId, Vec<u8>)> {
        None
    }

    /// A socket whose readiness changed, or that received more, since it was last named here.
    pub fn next_change(&mut self) -> Option<SocketId> {
        None
    }

    /// What poll(2) would find. A closed socket is all false.
    #[must_use]
    pub fn readiness(&self, _id: SocketId) -> Readiness {
        Readiness::default()
    }

    /// socket(2), `SOCK_STREAM`.
    pub fn tcp_socket(&mut self, _domain: Domain) -> SocketId {
        SocketId { slot: 0, generation: 0 }
    }

    /// socket(2), `SOCK_DGRAM`.
    pub fn udp_socket(&mut self, _domain: Domain) -> SocketId {
        SocketId { slot: 0, generation: 0 }
    }

    /// bind(2). Port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// `EINVAL`: already bound. `EADDRINUSE`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`: bind(2).
    pub fn bind(&mut self, _id: SocketId, _addr: SocketAddr) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// listen(2). An unbound socket gets an ephemeral port.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EINVAL`, `EOPNOTSUPP`: listen(2).
    pub fn listen(&mut self, _id: SocketId, _backlog: u32) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// connect(2). For UDP it sets the peer. For TCP the first call starts and answers `EINPROGRESS`, even on `lo`;
    /// later ones answer `EALREADY` while it goes on, success or the failure once, then `EISCONN`. A kernel that
    /// blocks calls it again when the socket has changed.
    ///
    /// # Errors
    /// As above, and connect(2): `ECONNREFUSED`, `ETIMEDOUT`, `ENETUNREACH`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`.
    pub fn connect(&mut self, _id: SocketId, _addr: SocketAddr) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// connect(2) with `AF_UNSPEC`: a UDP socket forgets its peer, a TCP connection is reset.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn disconnect(&mut self, _id: SocketId) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// accept(2): the connection's socket and its peer.
    ///
    /// # Errors
    /// `EAGAIN`: none waits. `EINVAL`: not listening. `EOPNOTSUPP`: not TCP.
    pub fn accept(&mut self, _id: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// send(2): how many bytes were taken. UDP: the datagram goes to the peer.
    ///
    /// # Errors
    /// `EAGAIN`: no room. `EPIPE`, `ENOTCONN`, `ECONNRESET`, `EDESTADDRREQ`, `EMSGSIZE`: send(2). A pending error
    /// (`SO_ERROR`) is answered and cleared.
    pub fn send(&mut self, _id: SocketId, _data: &[u8]) -> Result<usize, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// recv(2): how many bytes came; 0 at the end of the stream. `peek` leaves them there (`MSG_PEEK`).
    ///
    /// # Errors
    /// `EAGAIN`: nothing there. `ENOTCONN`, `ECONNREFUSED`: recv(2). A pending error (`SO_ERROR`) is answered and
    /// cleared, after the bytes that arrived before it.
    pub fn recv(&mut self, _id: SocketId, _buf: &mut [u8], _peek: bool) -> Result<usize, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// sendto(2) on a UDP socket; without an address it is [`Stack::send`].
    ///
    /// # Errors
    /// As [`Stack::send`], and `EACCES`: a broadcast address without `SO_BROADCAST`.
    pub fn send_to(&mut self, _id: SocketId, _data: &[u8], _to: Option<SocketAddr>) -> Result<usize, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// recvmsg(2) on a UDP socket.
    ///
    /// # Errors
    /// `EAGAIN`: nothing there. `EOPNOTSUPP`: not UDP. A pending error is answered and cleared.
    pub fn recv_from(&mut self, _id: SocketId, _buf: &mut [u8], _peek: bool) -> Result<Received, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`: not connected.
    pub fn shutdown(&mut self, _id: SocketId, _how: Shutdown) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The last close(2). What the peer is still owed is sent by the stack itself; unread bytes or `SO_LINGER` 0
    /// reset the connection (RFC 2525, section 2.17). The id is dead from here on.
    pub fn close(&mut self, _id: SocketId) {}

    /// getsockname(2): the unspecified address and port 0 while unbound.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn local_addr(&self, _id: SocketId) -> Result<SocketAddr, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// getpeername(2).
    ///
    /// # Errors
    /// `ENOTCONN`: there is none.
    pub fn peer_addr(&self, _id: SocketId) -> Result<SocketAddr, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// `SO_ERROR`: the pending error, which is cleared.
    pub fn take_error(&mut self, _id: SocketId) -> Option<Errno> {
        None
    }

    /// Whether listen(2) was called on it (`SO_ACCEPTCONN`).
    #[must_use]
    pub fn is_listening(&self, _id: SocketId) -> bool {
        false
    }

    /// Its options.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn options(&self, _id: SocketId) -> Result<Options, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// setsockopt(2).
    ///
    /// # Errors
    /// `EINVAL`: out of range, or too late. `ENOPROTOOPT`: not an option of this protocol.
    pub fn set_option(&mut self, _id: SocketId, _opt: Opt) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// `FIONREAD`: bytes that wait; for UDP, of the next datagram.
    #[must_use]
    pub fn unread(&self, _id: SocketId) -> usize {
        0
    }

    /// `SIOCOUTQ`: bytes not yet acknowledged.
    #[must_use]
    pub fn unsent(&self, _id: SocketId) -> usize {
        0
    }

    /// `TCP_INFO`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: not TCP.
    pub fn tcp_info(&self, _id: SocketId) -> Result<TcpInfo, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// All sockets and what closed ones left behind, for `rump sockstat`.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketInfo> {
        Vec::new()
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}
