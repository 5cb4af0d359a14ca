//! UDP (udp(7), RFC 768), and UDP-Lite (udplite(7)), which is UDP but for its header's third field and a name space of ports
//! of its own.

use std::{
    collections::VecDeque,
    net::{IpAddr, Shutdown, SocketAddr},
};

use abi::Errno;

use crate::{
    Stack,
    addr::{self, Endpoint, Flow},
    ip_options::IpOptions,
    raw::RawOptions,
    route::{Hints, Way},
    socket::{Kind, Socket},
    types::{LinkId, Readiness, SocketId},
    udp_header::Variant,
};

mod receive;
mod send;

/// What Linux charges a datagram beyond its bytes (`sizeof(struct sk_buff)` and the like).
const OVERHEAD: usize = 256;
const HEADER: usize = 8;
const IPV4_HEADER: usize = 20;
const MAX_PACKET: usize = 65535;

/// The protocol's part of a UDP socket.
#[derive(Debug, Default)]
pub(crate) struct Udp {
    pub(crate) variant: Variant,
    /// Both ends once connected.
    pub(crate) flow: Option<Flow>,
    /// The link that the peer's address belongs to.
    pub(crate) scope: Option<LinkId>,
    /// The source address that the first connect(2) has chosen: that of later datagrams too, wherever they go.
    pub(crate) source: Option<IpAddr>,
    /// Of a raw socket.
    pub(crate) raw: Option<Box<RawOptions>>,
    queue: VecDeque<Datagram>,
    /// What the queue is charged with.
    charged: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) from: Endpoint,
    pub(crate) to: IpAddr,
    pub(crate) link: LinkId,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    pub(crate) at_ns: u64,
    /// Of its IPv4 header.
    pub(crate) options: IpOptions,
    /// It is several, of so many bytes.
    pub(crate) segment_size: Option<u16>,
    pub(crate) data: Box<[u8]>,
}

impl Udp {
    pub(crate) fn new(variant: Variant) -> Self {
        Self { variant, ..Self::default() }
    }

    pub(crate) fn readiness(&self, read_shut: bool, write_shut: bool) -> Readiness {
        Readiness {
            readable: !self.queue.is_empty() || read_shut,
            writable: true,
            hup: read_shut && write_shut,
            rdhup: read_shut,
            err: false,
            pri: false,
        }
    }

    /// Bytes of the next datagram (`FIONREAD`).
    pub(crate) fn next_len(&self) -> usize {
        self.queue.front().map_or(0, |d| d.data.len())
    }

    pub(crate) fn charged(&self) -> usize {
        self.charged
    }

    fn push(&mut self, datagram: Datagram, limit: usize) -> bool {
        // Linux takes one more as long as the limit is not yet passed.
        let room = self.charged <= limit;
        if room {
            self.charged += datagram.data.len() + OVERHEAD;
            self.queue.push_back(datagram);
        }
        room
    }

    fn pop(&mut self) {
        if let Some(datagram) = self.queue.pop_front() {
            self.charged = self.charged.saturating_sub(datagram.data.len() + OVERHEAD);
        }
    }
}

fn udp_of(socket: &mut Socket) -> Result<&mut Udp, Errno> {
    match &mut socket.kind {
        Kind::Udp(udp) => Ok(udp),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

impl Stack {
    pub(crate) fn udp_connect(&mut self, id: SocketId, addr: SocketAddr) -> Result<(), Errno> {
        let socket = self.sockets.find(id)?;
        let remote = addr::from_program(socket.domain, addr)?;
        let scope = addr::scope(addr, socket.options.bound_link)?;
        let scope = if remote.ip.is_multicast() { scope.or(socket.options.multicast_if6) } else { scope };
        if scope.is_none() && addr::confined(remote.ip) {
            return Err(Errno::EINVAL);
        }
        let mut remote = Endpoint { ip: socket.this_host(remote.ip), port: remote.port };
        if let Variant::Ping | Variant::Raw(_) = udp_of(self.sockets.find_mut(id)?)?.variant {
            remote.port = 0;
        }
        let (_, source) = self.udp_way(id, remote.ip, (scope, None))?;
        let port = self.udp_port(id)?;
        self.udp_disconnect(id)?;
        let local = Endpoint { ip: source, port };
        let flow = Flow { local, remote };
        let udp = udp_of(self.sockets.find_mut(id)?)?;
        udp.flow = Some(flow);
        udp.source.get_or_insert(source);
        udp.scope = scope;
        let variant = udp.variant;
        if !matches!(variant, Variant::Raw(_)) {
            self.udp_flows.insert((variant, flow), id);
        }
        Ok(())
    }

    pub(crate) fn udp_disconnect(&mut self, id: SocketId) -> Result<(), Errno> {
        let udp = udp_of(self.sockets.find_mut(id)?)?;
        udp.scope = None;
        let (variant, flow) = (udp.variant, udp.flow.take());
        self.forget_udp_flow(id, variant, flow);
        Ok(())
    }

    /// connect(2) with `AF_UNSPEC`: a port that nobody has asked for is given back (net/ipv4/udp.c, __udp_disconnect).
    pub(crate) fn udp_forget_peer(&mut self, id: SocketId) -> Result<(), Errno> {
        self.udp_disconnect(id)?;
        udp_of(self.sockets.find_mut(id)?)?.source = None;
        self.give_port_back(id)
    }

    fn forget_udp_flow(&mut self, id: SocketId, variant: Variant, flow: Option<Flow>) {
        if let Some(flow) = flow
            && self.udp_flows.get(&(variant, flow)) == Some(&id)
        {
            self.udp_flows.remove(&(variant, flow));
        }
    }

    pub(crate) fn udp_close(&mut self, id: SocketId, udp: &Udp) {
        self.forget_udp_flow(id, udp.variant, udp.flow);
    }

    /// shutdown(2): Linux wants a connected socket.
    pub(crate) fn udp_shutdown(&mut self, id: SocketId, how: Shutdown) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        let connected = udp_of(socket)?.flow.is_some();
        socket.read_shut |= how != Shutdown::Write;
        socket.write_shut |= how != Shutdown::Read;
        self.note(id);
        if connected { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    /// Where a datagram to `ip` leaves, and with which source address.
    fn udp_way(
        &self,
        id: SocketId,
        ip: IpAddr,
        (scope, mark): (Option<LinkId>, Option<u32>),
    ) -> Result<(Way, IpAddr), Errno> {
        let socket = self.sockets.find(id)?;
        if !socket.speaks(ip) {
            return Err(Errno::ENETUNREACH);
        }
        if socket.source().is_some_and(|source| source.is_ipv4() && ip.is_ipv6()) {
            // net/ipv6/ip6_output.c, ip6_dst_lookup_tail.
            return Err(Errno::EAFNOSUPPORT);
        }
        let group = if ip.is_ipv4() { socket.options.multicast_if4 } else { socket.options.multicast_if6 };
        // Who listens to a group may be bound to it.
        let bound = socket.source().filter(|b| !b.is_multicast() && b.is_ipv4() == ip.is_ipv4());
        // Groups and 255.255.255.255 are reached through the link of the address that the socket is bound to (net/ipv4/route.c,
        // ip_route_output_key_hash_rcu).
        let own = || bound.filter(|b| b.is_ipv4()).and_then(|b| self.links.with_address(b));
        let link = scope.or_else(|| match ip {
            IpAddr::V4(ip) if ip.is_broadcast() => own(),
            _ if ip.is_multicast() => group.or_else(own),
            _ => socket.options.unicast_if.filter(|_| !self.links.is_local(ip)),
        });
        let mark = mark.unwrap_or(socket.options.mark);
        let hints = Hints { link, source: bound, mark, from_link: None };
        let way = self.way(ip, hints)?;
        if self.links.is_broadcast(ip) && !socket.options.broadcast {
            return Err(Errno::EACCES);
        }
        let bound = bound.filter(|b| !self.links.is_broadcast(*b));
        Ok((way, bound.unwrap_or(way.source)))
    }

    /// The port it is bound to, an ephemeral one from now on if it was not.
    pub(crate) fn udp_port(&mut self, id: SocketId) -> Result<u16, Errno> {
        let binding = self.sockets.find(id)?.binding;
        if binding.is_none_or(|binding| !binding.has_port()) {
            self.bind_to(id, binding.and_then(|binding| binding.ip), 0).map_err(|_| Errno::EAGAIN)?;
        }
        Ok(self.sockets.find(id)?.binding.map_or(0, |b| b.port))
    }
}
