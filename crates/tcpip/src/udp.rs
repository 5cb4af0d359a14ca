//! UDP (udp(7), RFC 768), and UDP-Lite (udplite(7)), which is UDP but for its header's third field and a name space of ports
//! of its own.

use std::{
    collections::VecDeque,
    hash::BuildHasher,
    net::{IpAddr, Shutdown, SocketAddr},
};

use abi::Errno;
use smoltcp::wire::{IpAddress, IpRepr};

use crate::{
    Stack,
    addr::{self, Endpoint, Flow},
    bpf::About,
    error_queue::{ErrorQueue, QueuedError},
    icmp::{IcmpError, Problem},
    option::{Discovery, Options},
    packet::{self, IpPacket},
    ports::Ports,
    raw::RawOptions,
    route::{Hints, Way},
    socket::{Kind, Socket},
    types::{Domain, LinkId, Readiness, Received, Sending, SocketId},
    udp_header::{self, Header, Variant},
};

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
    /// Of a raw socket.
    pub(crate) raw: Option<Box<RawOptions>>,
    queue: VecDeque<Datagram>,
    pub(crate) errors: ErrorQueue,
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
            err: !self.errors.is_empty(),
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
        let mut remote = Endpoint { ip: addr::this_host(remote.ip), port: remote.port };
        if let Variant::Ping | Variant::Raw(_) = udp_of(self.sockets.find_mut(id)?)?.variant {
            remote.port = 0;
        }
        let (_, source) = self.udp_way(id, remote.ip, scope)?;
        let port = self.udp_port(id)?;
        self.udp_disconnect(id)?;
        let local = Endpoint { ip: source, port };
        let flow = Flow { local, remote };
        let udp = udp_of(self.sockets.find_mut(id)?)?;
        udp.flow = Some(flow);
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

    pub(crate) fn udp_send(
        &mut self,
        id: SocketId,
        data: &[u8],
        to: Option<SocketAddr>,
        how: &Sending,
    ) -> Result<usize, Errno> {
        let socket = self.sockets.find_mut(id)?;
        // Linux sends a raw socket's packets whatever became of those before, unless the program writes their headers
        // (sock_alloc_send_skb, which reports errors, is not called for them).
        let unheld = udp_of(socket)?.raw.as_deref().is_some_and(|raw| !raw.header_included);
        if !unheld {
            socket.check_error()?;
        }
        if socket.write_shut {
            return Err(Errno::EPIPE);
        }
        let (domain, options) = (socket.domain, socket.options);
        let &mut Udp { flow: connected, variant, scope: connected_scope, .. } = udp_of(socket)?;
        let (mut remote, scope) = match (to, connected) {
            (Some(to), _) => {
                (addr::from_program(domain, to)?, addr::scope(to, how.link.or(options.bound_link))?)
            }
            (None, Some(flow)) => (flow.remote, how.link.or(connected_scope).or(options.bound_link)),
            (None, None) => return Err(Errno::EDESTADDRREQ),
        };
        match variant {
            Variant::Ping | Variant::Raw(_) => remote.port = 0,
            _ if remote.port == 0 => return Err(Errno::EINVAL),
            _ => {}
        }
        if !variant.may_send(data, remote.ip) {
            return Err(Errno::EINVAL);
        }
        let remote = Endpoint { ip: addr::this_host(remote.ip), port: remote.port };
        let (way, mut source) = self.udp_way(id, remote.ip, scope)?;
        if let Some(flow) = connected.filter(|flow| flow.remote == remote) {
            source = flow.local.ip;
        }
        if let Some(ip) = how.source {
            source = self.prescribed_source(domain, ip, remote.ip)?;
        }
        self.check_size(id, way.link, remote, data, how)?;
        let port = self.udp_port(id)?;
        let flow = Flow { local: Endpoint { ip: source, port }, remote };
        match variant {
            Variant::Raw(_) => {
                self.raw_emit(id, &way, (source, remote.ip), data, marks(&options, remote.ip, how))?;
            }
            _ => self.emit_datagram(id, way.link, flow, data, how)?,
        }
        self.pump();
        Ok(data.len())
    }

    /// The source address that a control message names: one of ours (ip(7), `ipi_spec_dst`).
    fn prescribed_source(&self, domain: Domain, ip: IpAddr, to: IpAddr) -> Result<IpAddr, Errno> {
        let ip = addr::from_program(domain, SocketAddr::new(ip, 0))?.ip;
        let ours = self.links.is_local(ip) && ip.is_ipv4() == to.is_ipv4();
        match ip {
            _ if ours => Ok(ip),
            // net/ipv4/route.c, ip_route_output_key_hash_rcu; net/ipv6/datagram.c, ip6_datagram_send_ctl.
            IpAddr::V4(_) => Err(Errno::ENETUNREACH),
            IpAddr::V6(_) => Err(Errno::EINVAL),
        }
    }

    /// Where a datagram to `ip` leaves, and with which source address.
    fn udp_way(&self, id: SocketId, ip: IpAddr, scope: Option<LinkId>) -> Result<(Way, IpAddr), Errno> {
        let socket = self.sockets.find(id)?;
        if !socket.speaks(ip) {
            return Err(Errno::ENETUNREACH);
        }
        if self.links.is_broadcast(ip) && !socket.options.broadcast {
            return Err(Errno::EACCES);
        }
        let group = if ip.is_ipv4() { socket.options.multicast_if4 } else { socket.options.multicast_if6 };
        let link = scope.or(if ip.is_multicast() { group } else { None });
        let way = self.way(ip, Hints { link })?;
        // Who listens to a group may be bound to it.
        let bound = socket.binding.and_then(|b| b.source()).filter(|b| !b.is_multicast());
        if bound.is_some_and(|b| b.is_ipv4() != ip.is_ipv4()) {
            return Err(Errno::EINVAL);
        }
        let bound = bound.filter(|b| !self.links.is_broadcast(*b));
        Ok((way, bound.unwrap_or(way.source)))
    }

    /// The port it is bound to, an ephemeral one from now on if it was not.
    fn udp_port(&mut self, id: SocketId) -> Result<u16, Errno> {
        if self.sockets.find(id)?.binding.is_none() {
            self.bind_to(id, None, 0).map_err(|_| Errno::EAGAIN)?;
        }
        Ok(self.sockets.find(id)?.binding.map_or(0, |b| b.port))
    }

    /// Whether it is short enough. Without fragments (`IP_MTU_DISCOVER`, `IPV6_DONTFRAG`) the path says what fits, and who asked for
    /// errors is told (ip(7)).
    fn check_size(
        &mut self,
        id: SocketId,
        link: LinkId,
        remote: Endpoint,
        data: &[u8],
        how: &Sending,
    ) -> Result<(), Errno> {
        let v4 = remote.ip.is_ipv4();
        let socket = self.sockets.find_mut(id)?;
        let variant = udp_of(socket)?.variant;
        let (options, domain) = (socket.options, socket.domain);
        let headers = variant.header_len() + if v4 { IPV4_HEADER } else { 40 };
        // The length field of IPv6 does not count its own header.
        let protocol_limit = if v4 { MAX_PACKET - IPV4_HEADER - HEADER } else { MAX_PACKET - HEADER };
        if data.len() > protocol_limit {
            return Err(Errno::EMSGSIZE);
        }
        let discovery = if how.dontfrag == Some(true) && !v4 { Discovery::Do } else { options.discovery(v4) };
        let mtu = match discovery {
            Discovery::Do => self.output_mtu(link, remote.ip),
            Discovery::Probe => self.links.carrier(link).mtu,
            Discovery::Want | Discovery::Dont => return Ok(()),
        };
        if link == LinkId::LO || data.len() + headers <= mtu {
            return Ok(());
        }
        if if v4 { options.recverr4 } else { options.recverr6 } {
            let error = QueuedError::local(domain, Errno::EMSGSIZE, mtu, remote, data);
            udp_of(self.sockets.find_mut(id)?)?.errors.push(error);
        }
        Err(Errno::EMSGSIZE)
    }

    fn emit_datagram(
        &mut self,
        id: SocketId,
        link: LinkId,
        flow: Flow,
        data: &[u8],
        how: &Sending,
    ) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        let (options, variant) = (socket.options, udp_of(socket)?.variant);
        let (ttl, tos) = marks(&options, flow.remote.ip, how);
        let caps = self.links.carrier(link).checksums();
        let (src, dst) = (IpAddress::from(flow.local.ip), IpAddress::from(flow.remote.ip));
        let len = variant.header_len() + data.len();
        let ip = IpRepr::new(src, dst, variant.protocol(flow.remote.ip), len, ttl);
        let mut frame = self.frames.take(ip.buffer_len());
        ip.emit(frame.bytes_mut(), &caps);
        if flow.remote.ip.is_ipv4() && !options.discovery(true).sets_dont_fragment() {
            packet::clear_dont_frag(frame.bytes_mut(), &caps);
        }
        let header = Header { variant, flow, coverage: options.send_coverage };
        header.emit(&mut frame.bytes_mut()[ip.header_len()..], data, &caps);
        if tos != 0 {
            packet::set_tos(frame.bytes_mut(), tos, &caps);
        }
        self.counters.udp_out_datagrams += 1;
        if self.is_looped(link, flow.remote.ip, &options) {
            self.looped.push_back((link, frame.bytes().to_vec()));
        }
        self.transmit(link, frame);
        Ok(())
    }

    /// Whether this host hears what it sends there (`IP_MULTICAST_LOOP`).
    fn is_looped(&self, link: LinkId, to: IpAddr, options: &Options) -> bool {
        let wanted = if to.is_ipv4() { options.multicast_loop4 } else { options.multicast_loop6 };
        let group = to.is_multicast() && wanted && self.listens_to(link, to);
        link != LinkId::LO && (group || self.links.is_broadcast(to))
    }

    pub(crate) fn udp_recv(&mut self, id: SocketId, buf: &mut [u8], peek: bool) -> Result<Received, Errno> {
        let socket = self.sockets.find_mut(id)?;
        let domain = socket.domain;
        socket.check_error()?;
        let read_shut = socket.read_shut;
        let udp = udp_of(socket)?;
        let Some(datagram) = udp.queue.front() else {
            let nobody = Endpoint { ip: addr::unspecified(domain), port: 0 };
            return if read_shut { Ok(Received::nothing(nobody)) } else { Err(Errno::EAGAIN) };
        };
        let len = datagram.data.len().min(buf.len());
        buf[..len].copy_from_slice(&datagram.data[..len]);
        let received = Received {
            len,
            full_len: datagram.data.len(),
            from: addr::scoped(addr::to_program(domain, datagram.from), Some(datagram.link)),
            to: addr::ip_to_program(domain, datagram.to),
            link: datagram.link,
            ttl: datagram.ttl,
            tos: datagram.tos,
            at_ns: datagram.at_ns,
        };
        if !peek {
            udp.pop();
            self.note(id);
        }
        Ok(received)
    }

    /// Takes a packet of UDP or UDP-Lite.
    pub(crate) fn udp_input(&mut self, link: LinkId, ip: &IpPacket<'_>, variant: Variant) {
        let Some(udp) = udp_header::parse(ip, variant, link != LinkId::LO && !ip.offload.unsummed) else {
            self.counters.udp_in_errors += 1;
            return;
        };
        if variant == Variant::Udp && self.is_for_dhcp(link, ip) && self.dhcp_input(link, udp.data) {
            return;
        }
        if ip.dst.is_multicast() || self.links.is_broadcast(ip.dst) {
            return self.udp_group_input(link, ip, variant, &udp);
        }
        let Some(id) = self.udp_receiver(variant, udp.flow, Some(link)) else {
            if variant == Variant::Ping || self.intercept_datagram(link, ip, variant) {
                return;
            }
            self.counters.udp_no_ports += 1;
            self.send_problem(link, ip, Problem::Port);
            return;
        };
        if let (Some(covered), Some(socket)) = (udp.partly_covered, self.sockets.get(id.0))
            && !socket.options.takes_coverage(covered)
        {
            self.counters.udp_in_errors += 1;
            return;
        }
        self.deliver_datagram(id, link, ip, &udp);
    }

    /// A datagram for a group or for all hosts: each socket that listens gets a copy.
    fn udp_group_input(
        &mut self,
        link: LinkId,
        ip: &IpPacket<'_>,
        variant: Variant,
        udp: &udp_header::Incoming<'_>,
    ) {
        if variant == Variant::Ping {
            return;
        }
        let bound = self.datagram_ports(variant).bound_for(udp.flow.local.port, ip.dst);
        for id in self.group_receivers(link, bound, ip.dst, ip.src) {
            self.deliver_datagram(id, link, ip, udp);
        }
    }

    fn deliver_datagram(
        &mut self,
        id: SocketId,
        link: LinkId,
        ip: &IpPacket<'_>,
        udp: &udp_header::Incoming<'_>,
    ) {
        let (from, to, ttl, tos, at_ns) = (udp.flow.remote, ip.dst, ip.ttl, ip.tos, self.now_ns);
        let datagram = Datagram { from, to, link, ttl, tos, at_ns, data: udp.data.into() };
        self.deliver_filtered(id, datagram, ip.payload, &About { ifindex: link.index(), ..About::default() });
    }

    /// Delivers what the socket's filter lets through.
    pub(crate) fn deliver_filtered(
        &mut self,
        id: SocketId,
        mut datagram: Datagram,
        seen: &[u8],
        about: &About,
    ) {
        if let Some(filter) = self.sockets.get(id.0).and_then(|s| s.filter.as_ref()) {
            let kept = filter.run(seen, about);
            if kept == 0 {
                return;
            }
            let header = seen.len() - datagram.data.len();
            let kept = kept.saturating_sub(header);
            if kept < datagram.data.len() {
                datagram.data = datagram.data[..kept].into();
            }
        }
        self.deliver(id, datagram);
    }

    /// A connected socket for just this flow, else the one bound most closely that is not connected elsewhere.
    fn udp_receiver(&self, variant: Variant, flow: Flow, link: Option<LinkId>) -> Option<SocketId> {
        if let Some(&id) = self.udp_flows.get(&(variant, flow)) {
            return Some(id);
        }
        let hash = self.hasher.hash_one(flow);
        let unconnected = |id: SocketId| {
            let socket = self.sockets.get(id.0);
            let free = socket.is_some_and(|s| matches!(&s.kind, Kind::Udp(udp) if udp.flow.is_none()));
            free && link.is_none_or(|link| self.is_open_on(id, link))
        };
        self.datagram_ports(variant).receiver(flow.local.port, flow.local.ip, hash, unconnected)
    }

    fn datagram_ports(&self, variant: Variant) -> &Ports {
        match variant {
            Variant::Udp => &self.udp_ports,
            Variant::Lite => &self.udplite_ports,
            Variant::Ping => &self.ping_ports,
            Variant::Raw(_) => &self.raw_ports,
        }
    }

    fn deliver(&mut self, id: SocketId, datagram: Datagram) {
        let Some(socket) = self.sockets.get_mut(id.0) else { return };
        let limit = usize::try_from(socket.options.rcvbuf).unwrap_or(usize::MAX);
        let read_shut = socket.read_shut;
        let Ok(udp) = udp_of(socket) else { return };
        if read_shut || !udp.push(datagram, limit) {
            self.counters.udp_rcvbuf_errors += 1;
            return;
        }
        self.counters.udp_in_datagrams += 1;
        self.note_arrival(id);
        self.note(id);
    }

    /// An ICMP error about a datagram of `flow`. A connected socket hears of it (udp(7)); any that asked for all errors
    /// (`IP_RECVERR`) is told what of its datagram is quoted, too. `false`: no socket can have sent it.
    pub(crate) fn udp_error(&mut self, variant: Variant, flow: Flow, why: &IcmpError, quoted: &[u8]) -> bool {
        let Some(id) = self.udp_receiver(variant, flow, None) else { return false };
        self.datagram_error(id, flow.remote, why, quoted)
    }

    /// Tells a socket of an error about what it sent to `to`.
    pub(crate) fn datagram_error(
        &mut self,
        id: SocketId,
        to: Endpoint,
        why: &IcmpError,
        quoted: &[u8],
    ) -> bool {
        let Some(socket) = self.sockets.get_mut(id.0) else { return false };
        let asked = if to.ip.is_ipv4() { socket.options.recverr4 } else { socket.options.recverr6 };
        let domain = socket.domain;
        // Who discovers the MTU by itself wants to know (net/ipv4/udp.c, __udp4_lib_err).
        let strict = why.mtu.is_some() && socket.options.discovery(to.ip.is_ipv4()) == Discovery::Do;
        let Ok(udp) = udp_of(socket) else { return false };
        if asked {
            udp.errors.push(QueuedError::new(domain, why, to, quoted));
        } else if udp.flow.is_none() || !(why.hard || strict) {
            return true;
        }
        socket.error = Some(why.errno);
        self.note(id);
        true
    }
}

/// TTL and TOS of a datagram.
fn marks(options: &Options, to: IpAddr, how: &Sending) -> (u8, u8) {
    let ttl = match to {
        IpAddr::V4(ip) if ip.is_multicast() => options.multicast_ttl4,
        IpAddr::V6(ip) if ip.is_multicast() => options.multicast_ttl6,
        _ => options.ttl,
    };
    (how.ttl.unwrap_or(ttl), how.tos.unwrap_or(options.tos))
}

impl Received {
    /// What recv(2) answers after `SHUT_RD`.
    fn nothing(nobody: Endpoint) -> Self {
        Self {
            len: 0,
            full_len: 0,
            from: SocketAddr::new(nobody.ip, nobody.port),
            to: nobody.ip,
            link: LinkId::LO,
            ttl: 0,
            tos: 0,
            at_ns: 0,
        }
    }
}
