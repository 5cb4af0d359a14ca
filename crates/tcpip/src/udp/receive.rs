//! Datagrams that come in, and errors about those that were sent.

use std::{hash::BuildHasher, num::NonZeroU16};

use abi::Errno;

use super::{Datagram, udp_of};
use crate::{
    Stack,
    addr::{self, Endpoint, Flow},
    bpf::About,
    error_queue::QueuedError,
    icmp::{IcmpError, Problem},
    ip_options::IpOptions,
    option::Discovery,
    packet::IpPacket,
    ports::Ports,
    socket::Kind,
    types::{LinkId, Received, SocketId},
    udp_header::{self, Variant},
};

impl Stack {
    pub(crate) fn udp_recv(&mut self, id: SocketId, buf: &mut [u8], peek: bool) -> Result<Received, Errno> {
        let socket = self.sockets.find_mut(id)?;
        let domain = socket.domain;
        socket.check_error()?;
        let read_shut = socket.read_shut;
        let udp = udp_of(socket)?;
        let Some(datagram) = udp.queue.front() else {
            return Err(if read_shut { Errno::ESHUTDOWN } else { Errno::EAGAIN });
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
            options: datagram.options,
            segment_size: datagram.segment_size,
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
        let options = IpOptions::of_packet(ip);
        let about = About { ifindex: link.index(), ..About::default() };
        let segment_size = ip.offload.segment_size.map(NonZeroU16::get);
        let datagram = |data: &[u8]| Datagram {
            from,
            to,
            link,
            ttl,
            tos,
            at_ns,
            options,
            segment_size,
            data: data.into(),
        };
        let whole = self.sockets.get(id.0).is_some_and(|socket| socket.options.udp_gro);
        match segment_size.filter(|_| !whole) {
            None => self.deliver_filtered(id, datagram(udp.data), ip.payload, &about),
            Some(size) => {
                for data in udp.data.chunks(size.into()) {
                    let seen = udp_header::with_data(ip.payload, data);
                    let one = Datagram { segment_size: None, ..datagram(data) };
                    self.deliver_filtered(id, one, &seen, &about);
                }
            }
        }
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
        // Who is connected to port 0 hears all ports (net/ipv4/udp.c, compute_score).
        let wide = Flow { remote: Endpoint { port: 0, ..flow.remote }, ..flow };
        let connected = |flow| self.udp_flows.get(&(variant, flow)).copied();
        if let Some(id) = connected(flow).or_else(|| connected(wide)) {
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
        let Ok(udp) = udp_of(socket) else { return };
        if !udp.push(datagram, limit) {
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
        let connected = udp.flow.is_some();
        if asked {
            socket.errors.push(QueuedError::new(domain, why, to, quoted));
        } else if !connected || !(why.hard || strict) {
            return true;
        }
        socket.error = Some(why.errno);
        self.note(id);
        true
    }
}
