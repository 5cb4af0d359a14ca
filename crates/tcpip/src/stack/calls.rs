//! Socket calls.

use std::net::{Shutdown, SocketAddr};

use abi::Errno;

use crate::{
    Domain, Options, Received, Sending, SocketId, Stack,
    raw::RawOptions,
    socket::{Kind, Socket, Tcp},
    types::Protocol,
    udp::Udp,
    udp_header::Variant,
};

impl Stack {
    /// socket(2), `SOCK_STREAM`.
    pub fn tcp_socket(&mut self, domain: Domain) -> SocketId {
        self.add_socket(domain, Protocol::Tcp)
    }

    /// socket(2), `SOCK_DGRAM`.
    pub fn udp_socket(&mut self, domain: Domain) -> SocketId {
        self.add_socket(domain, Protocol::Udp)
    }

    /// socket(2), `SOCK_DGRAM` with `IPPROTO_UDPLITE`.
    pub fn udplite_socket(&mut self, domain: Domain) -> SocketId {
        self.add_socket(domain, Protocol::UdpLite)
    }

    /// socket(2), `SOCK_DGRAM` with `IPPROTO_ICMP` or `IPPROTO_ICMPV6`: sends echo requests, whose identifier is its port, and
    /// receives the replies.
    pub fn ping_socket(&mut self, domain: Domain) -> SocketId {
        self.add_socket(domain, Protocol::Ping)
    }

    /// bind(2). Port 0 takes an ephemeral one.
    ///
    /// # Errors
    /// `EINVAL`: already bound. `EADDRINUSE`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`: bind(2).
    pub fn bind(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        self.bind_explicitly(id, addr)
    }

    /// listen(2). An unbound socket gets an ephemeral port.
    ///
    /// # Errors
    /// `EADDRINUSE`, `EINVAL`, `EOPNOTSUPP`: listen(2).
    pub fn listen(&mut self, id: SocketId, backlog: u32) -> Result<(), Errno> {
        self.tcp_listen(id, backlog)
    }

    /// An unbound socket gets an ephemeral port, as before the first datagram that it sends.
    ///
    /// # Errors
    /// `EAGAIN`: none is free.
    pub fn take_port(&mut self, id: SocketId) -> Result<(), Errno> {
        self.udp_port(id).map(drop)
    }

    /// connect(2). For UDP it sets the peer. For TCP the first call starts and answers `EINPROGRESS`, even on `lo`;
    /// later ones answer `EALREADY` while it goes on, success or the failure once, then `EISCONN`. A kernel that
    /// blocks calls it again when the socket has changed.
    ///
    /// # Errors
    /// As above, and connect(2): `ECONNREFUSED`, `ETIMEDOUT`, `ENETUNREACH`, `EADDRNOTAVAIL`, `EAFNOSUPPORT`.
    pub fn connect(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        let result = match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_connect(id, addr),
            Kind::Udp(_) => self.udp_connect(id, addr),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        };
        self.note_failure(id, result)
    }

    /// What connect(2) answers of a TCP socket that is connecting, connected or listening, whatever the address is; `None`: of others.
    pub fn connect_again(&mut self, id: SocketId) -> Option<Result<(), Errno>> {
        let result = self.tcp_connect_again(id)?;
        Some(self.note_failure(id, result))
    }

    /// connect(2) with `AF_UNSPEC`: a UDP socket forgets its peer, a TCP connection is reset.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn disconnect(&mut self, id: SocketId) -> Result<(), Errno> {
        match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_disconnect(id),
            Kind::Udp(_) => self.udp_forget_peer(id),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// accept(2): the connection's socket and its peer.
    ///
    /// # Errors
    /// `EAGAIN`: none waits. `EINVAL`: not listening. `EOPNOTSUPP`: not TCP.
    pub fn accept(&mut self, id: SocketId) -> Result<(SocketId, SocketAddr), Errno> {
        self.tcp_accept(id)
    }

    /// send(2): how many bytes were taken. UDP: the datagram goes to the peer.
    ///
    /// # Errors
    /// `EAGAIN`: no room. `EPIPE`, `ENOTCONN`, `ECONNRESET`, `EDESTADDRREQ`, `EMSGSIZE`: send(2). A pending error
    /// (`SO_ERROR`) is answered and cleared.
    pub fn send(&mut self, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        let result = match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_send(id, data),
            Kind::Udp(_) => self.udp_send(id, data, None, &Sending::default()),
            Kind::Packet(_) => self.packet_send(id, data, None),
        };
        self.note_failure(id, result)
    }

    /// recv(2): how many bytes came; 0 at the end of the stream. `peek` leaves them there (`MSG_PEEK`).
    ///
    /// # Errors
    /// `EAGAIN`: nothing there. `ENOTCONN`, `ECONNREFUSED`: recv(2). A pending error (`SO_ERROR`) is answered and
    /// cleared, after the bytes that arrived before it.
    pub fn recv(&mut self, id: SocketId, buf: &mut [u8], peek: bool) -> Result<usize, Errno> {
        let result = match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_recv(id, buf, peek),
            Kind::Udp(_) => self.udp_recv(id, buf, peek).map(|received| received.len),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        };
        self.note_failure(id, result)
    }

    /// sendto(2) on a UDP socket; without an address it is [`Stack::send`].
    ///
    /// # Errors
    /// As [`Stack::send`], and `EACCES`: a broadcast address without `SO_BROADCAST`.
    pub fn send_to(&mut self, id: SocketId, data: &[u8], to: Option<SocketAddr>) -> Result<usize, Errno> {
        self.send_message(id, data, to, &Sending::default())
    }

    /// sendmsg(2) on a UDP socket, with control messages.
    ///
    /// # Errors
    /// As [`Stack::send_to`], and `ENETUNREACH`, `EINVAL`: a source address that is not ours.
    pub fn send_message(
        &mut self,
        id: SocketId,
        data: &[u8],
        to: Option<SocketAddr>,
        how: &Sending,
    ) -> Result<usize, Errno> {
        let result = match self.sockets.find(id)?.kind {
            // tcp(7): the address is ignored.
            Kind::Tcp(_) => self.tcp_send(id, data),
            Kind::Udp(_) => self.udp_send(id, data, to, how),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        };
        self.note_failure(id, result)
    }

    /// recvmsg(2) on a UDP socket.
    ///
    /// # Errors
    /// `EAGAIN`: nothing there. `EOPNOTSUPP`: not UDP. A pending error is answered and cleared.
    pub fn recv_from(&mut self, id: SocketId, buf: &mut [u8], peek: bool) -> Result<Received, Errno> {
        let result = self.udp_recv(id, buf, peek);
        self.note_failure(id, result)
    }

    /// shutdown(2).
    ///
    /// # Errors
    /// `ENOTCONN`: not connected.
    pub fn shutdown(&mut self, id: SocketId, how: Shutdown) -> Result<(), Errno> {
        match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_shutdown(id, how),
            Kind::Udp(_) => self.udp_shutdown(id, how),
            Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// The last close(2). What the peer is still owed is sent by the stack itself; unread bytes or `SO_LINGER` 0
    /// reset the connection (RFC 2525, section 2.17). The id is dead from here on.
    pub fn close(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.remove(id.0) else { return };
        self.unbind(id, &socket);
        self.leave_all(socket.groups);
        match socket.kind {
            Kind::Tcp(tcp) => self.tcp_close(id, tcp, socket.options.linger),
            Kind::Udp(udp) => self.udp_close(id, &udp),
            Kind::Packet(packet) => self.packet_close(id, &packet),
        }
    }

    fn add_socket(&mut self, domain: Domain, protocol: Protocol) -> SocketId {
        let kind = match protocol {
            Protocol::Tcp => Kind::Tcp(Tcp::Closed),
            Protocol::Udp => Kind::Udp(Udp::new(Variant::Udp)),
            Protocol::UdpLite => Kind::Udp(Udp::new(Variant::Lite)),
            _ => Kind::Udp(Udp::new(Variant::Ping)),
        };
        let id = SocketId(self.sockets.insert(Socket::new(
            domain,
            Options::new(protocol, domain, &self.settings),
            kind,
        )));
        let ready = self.readiness(id);
        if let Some(socket) = self.sockets.get_mut(id.0) {
            socket.told = ready;
        }
        id
    }

    pub(crate) fn add_raw_socket(&mut self, domain: Domain, protocol: u8) -> SocketId {
        let mut udp = Udp::new(Variant::Raw(protocol));
        udp.raw = Some(Box::new(RawOptions::new(domain, protocol)));
        let options = Options::new(Protocol::Raw, domain, &self.settings);
        let id = SocketId(self.sockets.insert(Socket::new(domain, options, Kind::Udp(udp))));
        if let Some(socket) = self.sockets.get_mut(id.0) {
            let port = protocol.into();
            socket.binding = Some(crate::socket::Binding { port, ip: None, locked: true });
            let claim = socket.claim(None);
            self.raw_ports.bind(id, port, claim);
        }
        self.note(id);
        id
    }

    /// A call that fails may have taken the pending error away; the next one is to be told again.
    fn note_failure<T>(&mut self, id: SocketId, result: Result<T, Errno>) -> Result<T, Errno> {
        if result.is_err() {
            self.note(id);
        }
        result
    }
}
