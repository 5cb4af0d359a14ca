//! What others tell about packets of ours: who sent them hears of it.

use std::net::IpAddr;

use abi::Errno;
use smoltcp::wire::{Icmpv4Message, Icmpv6Message, IpProtocol, Ipv4Packet, Ipv6Packet};

use super::{HEADER, Problem};
use crate::{
    Stack,
    addr::{Endpoint, Flow},
    error_queue::QueuedError,
    extension,
    packet::{IPV6_HEADER, IpPacket},
    slab::Key,
    tcp::{connection::Owner, engine::State, time_wait::FlowEntry},
    udp_header::{UDPLITE, Variant},
};

/// An error that came about a packet of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IcmpError {
    pub(crate) errno: Errno,
    /// Sockets that did not ask for all errors hear of it.
    pub(crate) hard: bool,
    /// The message's.
    pub(crate) kind: u8,
    /// The message's.
    pub(crate) code: u8,
    /// The MTU that a packet was too big for (`ee_info`).
    pub(crate) mtu: Option<u32>,
    /// Who sent it.
    pub(crate) from: IpAddr,
}

/// A packet of ours as an error quotes it.
struct Quote<'a> {
    protocol: IpProtocol,
    flow: Flow,
    /// The sequence number of a TCP segment.
    seq: Option<u32>,
    /// What is quoted behind its IP header.
    transport: &'a [u8],
    /// What is quoted of its data.
    data: &'a [u8],
}

impl Stack {
    /// An error about a packet of ours, whose beginning it quotes.
    pub(super) fn error_input(&mut self, ip: &IpPacket<'_>) {
        let &[kind, code, _, _, a, b, c, d, ..] = ip.payload else { return };
        let word = u32::from_be_bytes([a, b, c, d]);
        let found = if ip.src.is_ipv4() { meaning_v4(kind, code) } else { meaning_v6(kind, code) };
        let (Some((errno, hard)), Some(quote)) = (found, ip.payload.get(HEADER..)) else { return };
        let too_big = errno == Errno::EMSGSIZE;
        let mtu = too_big.then_some(if ip.src.is_ipv4() { word & 0xffff } else { word });
        self.quoted_error(quote, &IcmpError { errno, hard, kind, code, mtu, from: ip.src });
    }

    /// What an ICMP message would say about a packet that did not leave.
    pub(super) fn local_problem(&mut self, packet: &[u8], from: IpAddr, problem: Problem) {
        let (kind, code) = if from.is_ipv4() { problem.v4() } else { problem.v6() };
        let found = if from.is_ipv4() { meaning_v4(kind, code) } else { meaning_v6(kind, code) };
        if let Some((errno, hard)) = found {
            self.quoted_error(packet, &IcmpError { errno, hard, kind, code, mtu: None, from });
        }
    }

    fn quoted_error(&mut self, quote: &[u8], why: &IcmpError) {
        let Some(quote) = parse(quote) else { return };
        if matches!(quote.protocol, IpProtocol::Udp | IpProtocol::Icmp | IpProtocol::Icmpv6) {
            self.raw_error(quote.protocol, why, quote.flow.remote.ip, quote.data);
        }
        let variant = match quote.protocol {
            IpProtocol::Udp => Variant::Udp,
            UDPLITE => Variant::Lite,
            IpProtocol::Icmp | IpProtocol::Icmpv6 => Variant::Ping,
            IpProtocol::Tcp => return self.tcp_error(&quote, why),
            other => return self.raw_error(other, why, quote.flow.remote.ip, quote.data),
        };
        if self.udp_error(variant, quote.flow, why, quote.data)
            && let Some(mtu) = why.mtu
        {
            self.learn_path_mtu(quote.flow.remote.ip, mtu);
        }
    }

    /// RFC 5461: an error ends a connection only while it is being opened, unless the program wants to hear of all (`IP_RECVERR`).
    /// What is not about a segment in flight is no news (RFC 5927, section 4.1).
    fn tcp_error(&mut self, quote: &Quote<'_>, why: &IcmpError) {
        let Some(&FlowEntry::Connection(key)) = self.flows.get(&quote.flow) else { return };
        let Some(connection) = self.connections.get_mut(key) else { return };
        let ledger = connection.engine.ledger();
        let behind = quote.seq.map(|seq| ledger.snd_nxt.wrapping_sub(seq));
        // A SYN or a FIN may be in flight besides the bytes.
        let in_flight = u32::try_from(connection.engine.send_queue() + 1).unwrap_or(u32::MAX);
        if behind.is_some_and(|behind| behind > in_flight) || connection.over {
            return;
        }
        if let Some(mtu) = why.mtu {
            return self.learn_path_mtu(quote.flow.remote.ip, mtu);
        }
        connection.soft_error = Some(why.errno);
        self.report_tcp_error(key, quote, why);
    }

    /// net/ipv4/tcp_ipv4.c, tcp_v4_err: the queue holds what is told about a SYN.
    fn report_tcp_error(&mut self, key: Key, quote: &Quote<'_>, why: &IcmpError) {
        let Some(connection) = self.connections.get(key) else { return };
        let Owner::Socket(id) = connection.owner else { return };
        let (opening, remote) = (connection.engine.state() == State::SynSent, connection.flow.remote);
        let Some(socket) = self.sockets.get_mut(id.0) else { return };
        let asked = if remote.ip.is_ipv4() { socket.options.recverr4 } else { socket.options.recverr6 };
        if opening {
            if asked {
                socket.errors.push(QueuedError::new(socket.domain, why, remote, quote.transport));
            }
            self.counters.tcp_attempt_fails += 1;
            return self.end(key, Some(why.errno));
        }
        if asked {
            socket.error = Some(why.errno);
            self.note(id);
        }
    }
}

/// Linux's `icmp_err_convert` and `icmp_unreach`: the error, and whether it is fatal.
fn meaning_v4(kind: u8, code: u8) -> Option<(Errno, bool)> {
    let found = match (Icmpv4Message::from(kind), code) {
        (Icmpv4Message::DstUnreachable, 0 | 11) => (Errno::ENETUNREACH, false),
        (Icmpv4Message::DstUnreachable, 1 | 12) => (Errno::EHOSTUNREACH, false),
        (Icmpv4Message::DstUnreachable, 2) => (Errno::ENOPROTOOPT, true),
        (Icmpv4Message::DstUnreachable, 3) => (Errno::ECONNREFUSED, true),
        (Icmpv4Message::DstUnreachable, 4) => (Errno::EMSGSIZE, false),
        (Icmpv4Message::DstUnreachable, 5) => (Errno::EOPNOTSUPP, false),
        (Icmpv4Message::DstUnreachable, 6 | 9) => (Errno::ENETUNREACH, true),
        (Icmpv4Message::DstUnreachable, 7) => (Errno::EHOSTDOWN, true),
        (Icmpv4Message::DstUnreachable, 8) => (Errno::ENONET, true),
        (Icmpv4Message::DstUnreachable, 10 | 13..=15) => (Errno::EHOSTUNREACH, true),
        (Icmpv4Message::TimeExceeded, _) => (Errno::EHOSTUNREACH, false),
        (Icmpv4Message::ParamProblem, _) => (Errno::EPROTO, true),
        _ => return None,
    };
    Some(found)
}

/// Linux's `icmpv6_err_convert`.
fn meaning_v6(kind: u8, code: u8) -> Option<(Errno, bool)> {
    let found = match (Icmpv6Message::from(kind), code) {
        (Icmpv6Message::DstUnreachable, 0) => (Errno::ENETUNREACH, false),
        (Icmpv6Message::DstUnreachable, 1 | 5 | 6) => (Errno::EACCES, true),
        (Icmpv6Message::DstUnreachable, 2 | 3) => (Errno::EHOSTUNREACH, false),
        (Icmpv6Message::DstUnreachable, 4) => (Errno::ECONNREFUSED, true),
        (Icmpv6Message::PktTooBig, _) => (Errno::EMSGSIZE, false),
        (Icmpv6Message::TimeExceeded, _) => (Errno::EHOSTUNREACH, false),
        (Icmpv6Message::ParamProblem, _) => (Errno::EPROTO, true),
        _ => return None,
    };
    Some(found)
}

/// The flow that a quoted packet of ours belongs to. Less than the whole is there, so that its lengths say nothing.
fn parse(quote: &[u8]) -> Option<Quote<'_>> {
    let (src, dst, protocol, payload) = match quote.first()? >> 4 {
        4 if quote.len() >= 20 => {
            let ip = Ipv4Packet::new_unchecked(quote);
            if ip.frag_offset() > 0 {
                return None;
            }
            let payload = quote.get(usize::from(ip.header_len())..)?;
            (IpAddr::V4(ip.src_addr()), IpAddr::V4(ip.dst_addr()), ip.next_header(), payload)
        }
        6 if quote.len() >= IPV6_HEADER => {
            let ip = Ipv6Packet::new_unchecked(quote);
            let chain = extension::walk(ip.next_header(), &quote[IPV6_HEADER..])?;
            if chain.fragment.is_some_and(|fragment| fragment.offset > 0) {
                return None;
            }
            (IpAddr::V6(ip.src_addr()), IpAddr::V6(ip.dst_addr()), chain.protocol, chain.payload)
        }
        _ => return None,
    };
    if matches!(protocol, IpProtocol::Icmp | IpProtocol::Icmpv6) {
        // Of an echo request, the identifier is the port.
        let &[_, _, _, _, high, low, ..] = payload else { return None };
        let local = Endpoint { ip: src, port: u16::from_be_bytes([high, low]) };
        let flow = Flow { local, remote: Endpoint { ip: dst, port: 0 } };
        return Some(Quote { protocol, flow, seq: None, transport: payload, data: payload });
    }
    let &[s0, s1, d0, d1, ref rest @ ..] = payload else { return None };
    let local = Endpoint { ip: src, port: u16::from_be_bytes([s0, s1]) };
    let remote = Endpoint { ip: dst, port: u16::from_be_bytes([d0, d1]) };
    let tcp = protocol == IpProtocol::Tcp;
    let seq = rest.first_chunk::<4>().filter(|_| tcp).map(|seq| u32::from_be_bytes(*seq));
    if tcp && seq.is_none() {
        return None;
    }
    let (flow, data) = (Flow { local, remote }, rest.get(4..).unwrap_or_default());
    Some(Quote { protocol, flow, seq, transport: payload, data })
}
