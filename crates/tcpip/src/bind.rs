//! bind(2), and what a socket's changes mean to who waits for them.

use std::net::{IpAddr, SocketAddr};

use abi::Errno;

use crate::{
    Stack, addr,
    ports::Ports,
    socket::{Binding, Socket},
    types::{LinkId, Protocol, SocketId},
};

impl Stack {
    pub(crate) fn bind_explicitly(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        let socket = self.sockets.find(id)?;
        let raw = socket.protocol() == Protocol::Raw;
        // A connection that is over keeps a port that bind(2) gave, and no other (net/ipv4/tcp.c, tcp_set_state).
        let over = |key| self.connections.get(key).is_none_or(|connection| connection.over);
        let fresh = (socket.binding.is_none_or(|binding| !binding.has_port()) || raw)
            && socket.connection().is_none_or(over);
        let end = addr::from_program(socket.domain, addr)?;
        let v4_mapped = addr.is_ipv6() && end.ip.is_ipv4();
        if v4_mapped && socket.options.v6only {
            return Err(Errno::EINVAL);
        }
        let specific = !end.ip.is_unspecified();
        let group = end.ip.is_multicast() && socket.protocol() != Protocol::Tcp;
        let foreign = socket.options.free_bind || socket.options.transparent;
        if specific && !group && !foreign && !self.links.is_local(end.ip) && !self.links.is_broadcast(end.ip)
        {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if let (SocketAddr::V6(v6), Some(socket)) = (addr, self.sockets.get_mut(id.0))
            && (v6.ip().is_unicast_link_local() || v6.ip().is_multicast())
        {
            // ipv6(7): a scope makes it the interface's.
            let scope = Some(v6.scope_id()).filter(|scope| *scope != 0).map(LinkId::from_index);
            let scope = scope.or(socket.options.bound_link);
            if v6.ip().is_unicast_link_local() && scope.is_none() {
                return Err(Errno::EINVAL);
            }
            socket.options.bound_link = scope;
        }
        if !fresh {
            return Err(Errno::EINVAL);
        }
        // ::ffff:0.0.0.0 stands for all IPv4 addresses and no other.
        let ip = (specific || v4_mapped).then_some(end.ip);
        if raw && let Some(binding) = self.sockets.find(id)?.binding {
            // Its port is the protocol.
            self.sockets.find_mut(id)?.binding = Some(Binding { ip, ..binding });
            return Ok(());
        }
        self.bind_to(id, ip, end.port)?;
        if specific && end.ip.is_ipv6() {
            // Such an address is IPv6's alone (net/ipv6/af_inet6.c, __inet6_bind).
            self.sockets.find_mut(id)?.options.v6only = true;
        }
        Ok(())
    }

    /// Binds to a port, 0 being any ephemeral one. `ip`: `None` is the unspecified address.
    pub(crate) fn bind_to(&mut self, id: SocketId, ip: Option<IpAddr>, port: u16) -> Result<(), Errno> {
        let (random, range) = (self.random.next(), self.settings.ip_local_port_range);
        let socket = self.sockets.find(id)?;
        let claim = socket.claim(ip);
        let (protocol, locked) = (socket.protocol(), port != 0);
        let ports = self.ports_of(protocol);
        let port = match port {
            0 => ports.free_ephemeral(range, random, &claim, id).ok_or(Errno::EADDRINUSE)?,
            port if ports.is_free(port, &claim, id) => port,
            _ => return Err(Errno::EADDRINUSE),
        };
        ports.bind(id, port, claim);
        self.sockets.find_mut(id)?.binding = Some(Binding { port, ip, locked });
        Ok(())
    }

    pub(crate) fn unbind(&mut self, id: SocketId, socket: &Socket) {
        if let Some(binding) = socket.binding {
            self.ports_of(socket.protocol()).unbind(id, binding.port);
        }
    }

    /// A port that nobody has asked for is given back; an address that bind(2) gave stays.
    pub(crate) fn give_port_back(&mut self, id: SocketId) -> Result<(), Errno> {
        let socket = self.sockets.find(id)?;
        let Some(binding) = socket.binding.filter(|binding| !binding.locked) else { return Ok(()) };
        let protocol = socket.protocol();
        self.ports_of(protocol).unbind(id, binding.port);
        let socket = self.sockets.find_mut(id)?;
        socket.binding = binding.ip.map(|_| Binding { port: 0, ..binding });
        Ok(())
    }

    /// Each protocol has ports of its own.
    pub(crate) fn ports_of(&mut self, protocol: Protocol) -> &mut Ports {
        match protocol {
            Protocol::Tcp => &mut self.tcp_ports,
            Protocol::Udp => &mut self.udp_ports,
            Protocol::UdpLite => &mut self.udplite_ports,
            Protocol::Ping => &mut self.ping_ports,
            Protocol::Raw | Protocol::Packet => &mut self.raw_ports,
        }
    }

    /// Puts a socket among the changes if something has become ready.
    pub(crate) fn note(&mut self, id: SocketId) {
        let ready = self.readiness(id);
        let Some(socket) = self.sockets.get_mut(id.0) else { return };
        let before = std::mem::replace(&mut socket.told, ready);
        if ready.rises_from(before) {
            self.note_arrival(id);
        }
    }

    /// Puts a socket among the changes: something arrived, which wakes an edge-triggered epoll(7) even if the socket was
    /// readable before.
    pub(crate) fn note_arrival(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id.0)
            && !socket.change_queued
        {
            socket.change_queued = true;
            self.changes.push_back(id);
        }
    }
}
