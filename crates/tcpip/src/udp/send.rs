//! Datagrams on their way out.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU16,
};

use abi::Errno;
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{IpAddress, IpRepr},
};

use super::{HEADER, IPV4_HEADER, MAX_PACKET, Udp, udp_of};
use crate::{
    Offload, Stack,
    addr::{self, Endpoint, Flow},
    error_queue::QueuedError,
    ip_options::IpOptions,
    option::{Discovery, Options},
    packet::{self, IPV6_HEADER},
    types::{Domain, LinkId, Sending, SocketId},
    udp_header::{Header, Variant},
};

/// Into how many datagrams `UDP_SEGMENT` cuts at most (`UDP_MAX_SEGMENTS`).
const SEGMENTS_MAX: usize = 128;

impl Stack {
    pub(crate) fn udp_send(
        &mut self,
        id: SocketId,
        data: &[u8],
        to: Option<SocketAddr>,
        how: &Sending,
    ) -> Result<usize, Errno> {
        let socket = self.sockets.find_mut(id)?;
        let (domain, options) = (socket.domain, socket.options);
        let &mut Udp { flow: connected, variant, scope: connected_scope, .. } = udp_of(socket)?;
        let (mut remote, scope) = match (to, connected) {
            (Some(to), _) => {
                (addr::from_program(domain, to)?, addr::scope(to, how.link.or(options.bound_link))?)
            }
            (None, Some(flow)) => (flow.remote, how.link.or(connected_scope).or(options.bound_link)),
            (None, None) => return Err(Errno::EDESTADDRREQ),
        };
        remote.ip = self.sockets.find(id)?.this_host(remote.ip);
        if how.urgent && remote.ip.is_ipv4() {
            return Err(Errno::EOPNOTSUPP);
        }
        match variant {
            Variant::Ping | Variant::Raw(_) => remote.port = 0,
            // A connected IPv6 socket is not asked, unless it is IPv4 that it speaks (net/ipv6/udp.c, udpv6_sendmsg).
            _ if remote.port == 0 && (to.is_some() || (domain == Domain::Inet6 && remote.ip.is_ipv4())) => {
                return Err(Errno::EINVAL);
            }
            _ => {}
        }
        if !variant.may_send(data, remote.ip) {
            return Err(Errno::EINVAL);
        }
        let (way, mut source) = self.udp_way(id, remote.ip, (scope, how.mark))?;
        if let Some(flow) = connected.filter(|flow| flow.remote == remote) {
            source = flow.local.ip;
        }
        if let Some(ip) = how.source {
            source = self.prescribed_source(domain, ip, remote.ip)?;
        }
        let ip_options = how.options.unwrap_or(self.ip_options(id)?);
        let segment_size = how.segment_size.unwrap_or(options.udp_segment);
        match NonZeroU16::new(segment_size) {
            Some(size) => {
                self.check_segments(way.link, (variant, remote.ip), data.len(), (size, &ip_options))?
            }
            None => self.check_size(id, way.link, remote, data, how)?,
        }
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
        let port = self.udp_port(id)?;
        let flow = Flow { local: Endpoint { ip: source, port }, remote };
        match variant {
            Variant::Raw(_) => {
                let marks = marks(&options, remote.ip, how);
                self.raw_emit(id, &way, (source, remote.ip), data, marks, &ip_options)?;
            }
            _ => {
                let cut = NonZeroU16::new(segment_size).filter(|size| data.len() > usize::from(size.get()));
                self.emit_datagram(id, way.link, flow, data, (how, &ip_options, cut))?;
            }
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
            Discovery::Do => self.unfragmented_mtu(link, remote.ip),
            Discovery::Probe if link != LinkId::LO => self.links.carrier(link).mtu,
            Discovery::Probe => self.unfragmented_mtu(link, remote.ip),
            Discovery::Want | Discovery::Dont => return Ok(()),
        };
        if data.len() + headers <= mtu {
            return Ok(());
        }
        if if v4 { options.recverr4 } else { options.recverr6 } {
            let error = QueuedError::local(domain, Errno::EMSGSIZE, mtu, remote, data);
            self.sockets.find_mut(id)?.errors.push(error);
        }
        Err(Errno::EMSGSIZE)
    }

    /// Whether it can be cut into segments (net/ipv4/udp.c, udp_send_skb): those are not fragmented.
    fn check_segments(
        &self,
        link: LinkId,
        (variant, to): (Variant, IpAddr),
        len: usize,
        (size, ip_options): (NonZeroU16, &IpOptions),
    ) -> Result<(), Errno> {
        let size = usize::from(size.get());
        let ip_header = if to.is_ipv4() { IPV4_HEADER + ip_options.as_bytes().len() } else { IPV6_HEADER };
        let mtu = self.unfragmented_mtu(link, to);
        let most = MAX_PACKET - HEADER - if to.is_ipv4() { ip_header } else { 0 };
        if len > most || ip_header + HEADER + len.min(size) > mtu {
            return Err(Errno::EMSGSIZE);
        }
        match variant {
            _ if len > size * SEGMENTS_MAX => Err(Errno::EINVAL),
            Variant::Udp => Ok(()),
            _ => Err(Errno::EIO),
        }
    }

    fn emit_datagram(
        &mut self,
        id: SocketId,
        link: LinkId,
        flow: Flow,
        data: &[u8],
        (how, ip_options, cut): (&Sending, &IpOptions, Option<NonZeroU16>),
    ) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        let (options, variant) = (socket.options, udp_of(socket)?.variant);
        let (ttl, tos) = marks(&options, flow.remote.ip, how);
        let offload = Offload { unsummed: cut.is_some(), segment_size: cut };
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
        let sums = if offload.unsummed { &ChecksumCapabilities::ignored() } else { &caps };
        header.emit(&mut frame.bytes_mut()[ip.header_len()..], data, sums);
        frame.offload = offload;
        if tos != 0 {
            packet::set_tos(frame.bytes_mut(), tos, &caps);
        }
        let frame = self.with_options(frame, ip_options);
        self.counters.udp_out_datagrams += 1;
        if self.is_looped(link, flow.remote.ip, &options) {
            let pieces = offload.finish(0, frame.bytes().to_vec());
            self.looped.extend(pieces.into_iter().map(|piece| (link, piece)));
        }
        self.mark = options.mark;
        self.transmit(link, frame);
        self.mark = 0;
        Ok(())
    }

    /// Whether this host hears what it sends there (`IP_MULTICAST_LOOP`).
    fn is_looped(&self, link: LinkId, to: IpAddr, options: &Options) -> bool {
        let wanted = if to.is_ipv4() { options.multicast_loop4 } else { options.multicast_loop6 };
        let group = to.is_multicast() && wanted && self.listens_to(link, to);
        link != LinkId::LO && (group || self.links.is_broadcast(to))
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
