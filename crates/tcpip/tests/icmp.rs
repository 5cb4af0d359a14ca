//! ICMP and ICMPv6: echo, and errors for what nobody takes (RFC 792, RFC 4443).
#![allow(missing_docs)]

mod common;

use std::net::IpAddr;

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress, IpProtocol, IpRepr, Ipv4Packet,
        Ipv6Packet,
    },
};
use tcpip::{Config, LinkConfig, LinkId, Stack};

const US: [&str; 2] = ["10.0.0.1", "2001:db8::1"];
const THEM: [&str; 2] = ["10.0.0.2", "2001:db8::2"];

fn host() -> (Stack, LinkId) {
    let mut stack = Stack::new(Config { seed: 3 });
    let addrs = vec![(ip(US[0]), 24), (ip(US[1]), 64)];
    let config = LinkConfig { addrs, ..LinkConfig::ip("p2p0") };
    let link = stack.add_link(config).expect("a link");
    (stack, link)
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// An IP packet from them to us.
fn packet(version: usize, protocol: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = (IpAddress::from(ip(THEM[version])), IpAddress::from(ip(US[version])));
    let header = IpRepr::new(src, dst, protocol, payload.len(), 64);
    let mut bytes = vec![0; header.buffer_len()];
    header.emit(&mut bytes[..], &ChecksumCapabilities::default());
    bytes[header.header_len()..].copy_from_slice(payload);
    bytes
}

#[test]
fn an_echo_request_is_answered() {
    let (mut stack, link) = host();
    let caps = ChecksumCapabilities::default();
    let request = Icmpv4Repr::EchoRequest { ident: 7, seq_no: 9, data: b"hello" };
    let mut message = vec![0; request.buffer_len()];
    request.emit(&mut Icmpv4Packet::new_unchecked(&mut message[..]), &caps);
    stack.frame_in(link, &packet(0, IpProtocol::Icmp, &message));
    let (to, reply) = stack.next_frame().expect("an answer");
    assert_eq!(to, link);
    let header = Ipv4Packet::new_checked(&reply[..]).expect("IPv4");
    assert!(header.verify_checksum());
    assert_eq!(IpAddr::from(header.dst_addr()), ip(THEM[0]));
    let icmp = Icmpv4Packet::new_checked(header.payload()).expect("ICMP");
    let expected = Icmpv4Repr::EchoReply { ident: 7, seq_no: 9, data: b"hello" };
    assert_eq!(Icmpv4Repr::parse(&icmp, &caps), Ok(expected));
}

#[test]
fn an_icmpv6_echo_request_is_answered() {
    let (mut stack, link) = host();
    let caps = ChecksumCapabilities::default();
    let (IpAddr::V6(us), IpAddr::V6(them)) = (ip(US[1]), ip(THEM[1])) else { unreachable!() };
    let request = Icmpv6Repr::EchoRequest { ident: 7, seq_no: 9, data: b"hello" };
    let mut message = vec![0; request.buffer_len()];
    request.emit(&them, &us, &mut Icmpv6Packet::new_unchecked(&mut message[..]), &caps);
    stack.frame_in(link, &packet(1, IpProtocol::Icmpv6, &message));
    let (_, reply) = stack.next_frame().expect("an answer");
    let header = Ipv6Packet::new_checked(&reply[..]).expect("IPv6");
    let icmp = Icmpv6Packet::new_checked(header.payload()).expect("ICMPv6");
    let expected = Icmpv6Repr::EchoReply { ident: 7, seq_no: 9, data: b"hello" };
    assert_eq!(Icmpv6Repr::parse(&us, &them, &icmp, &caps), Ok(expected));
}

#[test]
fn a_wrong_checksum_is_not_answered() {
    let (mut stack, link) = host();
    stack.frame_in(link, &packet(0, IpProtocol::Icmp, &[8, 0, 1, 2, 0, 7, 0, 9]));
    assert!(stack.next_frame().is_none());
}

#[test]
fn a_datagram_for_nobody_comes_back_as_port_unreachable() {
    let (mut stack, link) = host();
    let datagram = [0, 9, 0, 99, 0, 10, 0, 0, b'h', b'i'];
    let sent = packet(0, IpProtocol::Udp, &datagram);
    stack.frame_in(link, &sent);
    let (_, reply) = stack.next_frame().expect("an error");
    let header = Ipv4Packet::new_checked(&reply[..]).expect("IPv4");
    assert_eq!(header.payload()[..2], [3, 3]);
    assert_eq!(header.payload()[8..], sent);
    assert_eq!(stack.counters().udp_no_ports, 1);
}

#[test]
fn an_unknown_protocol_comes_back_as_unreachable() {
    let (mut stack, link) = host();
    stack.frame_in(link, &packet(0, IpProtocol::Unknown(200), b"what?"));
    let (_, reply) = stack.next_frame().expect("an error");
    assert_eq!(reply[20..22], [3, 2]);
}

/// What a router says about a SYN ends the connection's opening, and is kept for `MSG_ERRQUEUE` where that was asked for.
#[test]
fn an_error_about_a_syn_is_queued() {
    for asked in [true, false] {
        let (mut stack, link) = host();
        let id = common::client(&mut stack, &format!("{}:80", THEM[0]));
        stack.set_option(id, tcpip::Opt::RecvErr4(asked)).expect("an option");
        let (_, syn) = stack.next_frame().expect("a SYN");
        let message = [&[3, 1, 0, 0, 0, 0, 0, 0], &syn[..28]].concat();
        let mut message = message;
        Icmpv4Packet::new_unchecked(&mut message[..]).fill_checksum();
        stack.frame_in(link, &packet(0, IpProtocol::Icmp, &message));
        let queued = stack.recv_error(id);
        if !asked {
            assert_eq!(queued, Err(abi::Errno::EAGAIN));
            assert_eq!(stack.take_error(id), Some(abi::Errno::EHOSTUNREACH));
            continue;
        }
        let queued = queued.expect("an error");
        assert_eq!((queued.errno, queued.kind, queued.code), (abi::Errno::EHOSTUNREACH, 3, 1));
        assert_eq!((queued.offender.ip(), queued.to), (ip(THEM[0]), common::at(&format!("{}:80", THEM[0]))));
        assert_eq!(queued.data, syn[20..28], "the segment's beginning");
        assert_eq!(stack.take_error(id), None, "it was taken with the error");
    }
}
