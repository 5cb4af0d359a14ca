//! What is known of sockets, and their options.

use std::net::SocketAddr;

use abi::Errno;

use crate::{
    Counters, Domain, IpOptions, LinkId, Opt, Options, Program, Readiness, SocketId, SocketInfo, Stack,
    TcpInfo, addr,
    addr::Flow,
    socket::{Kind, Socket, Tcp},
    tcp::connection::Limits,
    types::Protocol,
};

impl Stack {
    /// What poll(2) would find. A closed socket is all false.
    #[must_use]
    pub fn readiness(&self, id: SocketId) -> Readiness {
        let Some(socket) = self.sockets.get(id.0) else { return Readiness::default() };
        let (read_shut, write_shut) = (socket.read_shut, socket.write_shut);
        let ready = match &socket.kind {
            Kind::Tcp(tcp) => self.tcp_readiness(tcp, read_shut, write_shut),
            Kind::Udp(udp) => udp.readiness(read_shut, write_shut),
            Kind::Packet(packet) => packet.readiness(),
        };
        Readiness { err: ready.err || socket.error.is_some() || !socket.errors.is_empty(), ..ready }
    }

    /// getsockname(2): the unspecified address and port 0 while unbound.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn local_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        let socket = self.sockets.find(id)?;
        let bound = socket.bound_end();
        let has_port = socket.binding.is_some_and(|binding| binding.has_port());
        // After its connection was over it may have been bound to another port.
        let rebound =
            |local: &addr::Endpoint| has_port && bound.is_some_and(|bound| bound.port != local.port);
        let end = self.flow_of(socket).map(|flow| flow.local).filter(|local| !rebound(local)).or(bound);
        Ok(end.map_or_else(
            || SocketAddr::new(addr::unspecified(socket.domain), 0),
            |end| addr::scoped(addr::to_program(socket.domain, end), self.bound_of(socket)),
        ))
    }

    /// getpeername(2).
    ///
    /// # Errors
    /// `ENOTCONN`: there is none.
    pub fn peer_addr(&self, id: SocketId) -> Result<SocketAddr, Errno> {
        let socket = self.sockets.find(id)?;
        let gone = |key| self.connections.get(key).is_none_or(|c| c.over || c.is_opening());
        if socket.connection().is_some_and(gone) {
            return Err(Errno::ENOTCONN);
        }
        let flow = self.flow_of(socket).ok_or(Errno::ENOTCONN)?;
        // net/ipv4/af_inet.c, inet_getname.
        if flow.remote.port == 0 && matches!(socket.protocol(), Protocol::Udp | Protocol::UdpLite) {
            return Err(Errno::ENOTCONN);
        }
        Ok(addr::scoped(addr::to_program(socket.domain, flow.remote), self.bound_of(socket)))
    }

    /// `SO_ERROR`: the pending error, which is cleared.
    pub fn take_error(&mut self, id: SocketId) -> Option<Errno> {
        let error = self.sockets.get_mut(id.0)?.error.take();
        self.note(id);
        error
    }

    /// Whether listen(2) was called on it (`SO_ACCEPTCONN`).
    #[must_use]
    pub fn is_listening(&self, id: SocketId) -> bool {
        self.sockets.get(id.0).is_some_and(|s| s.listener().is_some())
    }

    /// Its options.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn options(&self, id: SocketId) -> Result<Options, Errno> {
        self.sockets.find(id).map(|socket| socket.options)
    }

    /// setsockopt(2).
    ///
    /// # Errors
    /// `EINVAL`: out of range, or too late. `ENOPROTOOPT`: not an option of this protocol.
    pub fn set_option(&mut self, id: SocketId, opt: Opt) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        if opt.is_tcp() && !matches!(socket.kind, Kind::Tcp(_)) {
            return Err(Errno::ENOPROTOOPT);
        }
        if matches!(opt, Opt::V6Only(_)) && (socket.domain == Domain::Inet || socket.binding.is_some()) {
            return Err(if socket.domain == Domain::Inet { Errno::ENOPROTOOPT } else { Errno::EINVAL });
        }
        socket.options.set(opt, &self.settings)?;
        if matches!(opt, Opt::RecvErr4(false) | Opt::RecvErr6(false)) {
            socket.errors.clear();
        }
        self.apply_options(id);
        Ok(())
    }

    /// `FIONREAD`: bytes that wait, up to urgent data; for UDP, of the next datagram.
    #[must_use]
    pub fn unread(&self, id: SocketId) -> usize {
        let Some(socket) = self.sockets.get(id.0) else { return 0 };
        match &socket.kind {
            Kind::Tcp(Tcp::Connection(key)) => self.connections.get(*key).map_or(0, |c| c.engine.unread()),
            Kind::Tcp(_) => 0,
            Kind::Udp(udp) => udp.next_len(),
            Kind::Packet(packet) => packet.next_len(),
        }
    }

    /// `SIOCOUTQ`: bytes not yet acknowledged.
    #[must_use]
    pub fn unsent(&self, id: SocketId) -> usize {
        let connection = self.sockets.get(id.0).and_then(Socket::connection);
        match connection.and_then(|key| self.connections.get(key)) {
            Some(open) if !open.over => open.engine.send_queue(),
            // Linux counts a SYN that was not acknowledged once the connection has failed.
            Some(failed) if !failed.established() => 1,
            _ => 0,
        }
    }

    /// `IP_OPTIONS`: those of datagrams that are sent.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn ip_options(&self, id: SocketId) -> Result<IpOptions, Errno> {
        Ok(self.sockets.find(id)?.ip_options.as_deref().copied().unwrap_or_default())
    }

    /// Sets them.
    ///
    /// # Errors
    /// `EBADF`: no such socket.
    pub fn set_ip_options(&mut self, id: SocketId, options: IpOptions) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        socket.ip_options = (!options.is_empty()).then(|| Box::new(options));
        Ok(())
    }

    /// `SIOCOUTQNSD`: bytes not yet sent.
    #[must_use]
    pub fn not_sent(&self, id: SocketId) -> usize {
        let connection = self.sockets.get(id.0).and_then(Socket::connection);
        let open = connection.and_then(|key| self.connections.get(key)).filter(|c| !c.over);
        open.map_or(0, |c| c.engine.not_sent())
    }

    /// How many bytes [`Stack::send`] would take of a connection.
    #[must_use]
    pub fn room(&self, id: SocketId) -> usize {
        let connection = self.sockets.get(id.0).and_then(Socket::connection);
        let open =
            connection.and_then(|key| self.connections.get(key)).filter(|c| !c.is_opening() && !c.over);
        open.map_or(0, |c| c.engine.send_capacity().saturating_sub(c.engine.send_queue()))
    }

    /// `TCP_INFO`.
    ///
    /// # Errors
    /// `EOPNOTSUPP`: not TCP.
    pub fn tcp_info(&self, id: SocketId) -> Result<TcpInfo, Errno> {
        self.tcp_report(id)
    }

    /// All sockets and what closed ones left behind, for `rump sockstat`.
    #[must_use]
    pub fn sockets(&self) -> Vec<SocketInfo> {
        self.report_sockets()
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The link that a socket keeps to.
    fn bound_of(&self, socket: &Socket) -> Option<LinkId> {
        let connection = socket.connection().and_then(|key| self.connections.get(key));
        let udp = match &socket.kind {
            Kind::Udp(udp) => udp.scope,
            _ => None,
        };
        connection.and_then(|c| c.bound).or(udp).or(socket.options.bound_link)
    }

    /// `SO_ATTACH_FILTER`, `SO_DETACH_FILTER`.
    ///
    /// # Errors
    /// `EBADF`: no such socket. `ENOENT`: there is none to detach. `EOPNOTSUPP`: TCP's segments are not filtered.
    pub fn set_filter(&mut self, id: SocketId, filter: Option<Program>) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        if matches!(socket.kind, Kind::Tcp(_)) && filter.is_some() {
            return Err(Errno::EOPNOTSUPP);
        }
        if filter.is_none() && socket.filter.is_none() {
            return Err(Errno::ENOENT);
        }
        socket.filter = filter.map(Box::new);
        Ok(())
    }

    fn flow_of(&self, socket: &Socket) -> Option<Flow> {
        match &socket.kind {
            Kind::Tcp(Tcp::Connection(key)) => self.connections.get(*key).map(|c| c.flow),
            Kind::Tcp(_) => None,
            Kind::Udp(udp) => udp.flow,
            Kind::Packet(_) => None,
        }
    }

    /// Lets a change of options act on what is open already.
    fn apply_options(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get(id.0) else { return };
        let (options, kind, connection) = (socket.options, socket.protocol(), socket.connection());
        if let Some(binding) = socket.binding {
            let claim = socket.claim(binding.ip);
            self.ports_of(kind).set_claim(id, binding.port, claim);
        }
        if let Some(key) = connection
            && let Some(connection) = self.connections.get_mut(key)
        {
            connection.limits = Limits::new(&options, &self.settings);
            connection.engine.set_options(&options);
            connection.engine.set_most(&options, &self.settings);
            self.queue_output(key);
            self.pump();
        }
    }
}
