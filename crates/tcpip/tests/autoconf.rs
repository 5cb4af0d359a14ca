//! Links that configure themselves: a DHCP server and a router made up here, on a virtual clock.
#![allow(missing_docs)]

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::{lan::Lan, net::MS};
use proptest::prelude::*;
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame, EthernetProtocol,
        Icmpv6Packet, IpAddress, IpProtocol, IpRepr, Ipv4Packet, UdpPacket, UdpRepr,
    },
};
use tcpip::{Address, Config, LinkConfig, LinkId, Mac, Stack};

const SECOND: u64 = 1000 * MS;
const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

fn host() -> (Stack, LinkId) {
    let mut stack = Stack::new(Config { seed: 3 });
    let link = stack.add_link(LinkConfig::ethernet("eth0", MAC)).expect("a link");
    (stack, link)
}

/// An Ethernet frame with an IP packet in it.
fn frame(src: IpAddr, dst: IpAddr, protocol: IpProtocol, hops: u8, payload: &[u8]) -> Vec<u8> {
    let header = IpRepr::new(IpAddress::from(src), IpAddress::from(dst), protocol, payload.len(), hops);
    let mut bytes = vec![0; 14 + header.buffer_len()];
    let mut ethernet = EthernetFrame::new_unchecked(&mut bytes[..]);
    ethernet.set_dst_addr(EthernetAddress(if dst.is_multicast() { [0x33, 0x33, 0, 0, 0, 1] } else { MAC.0 }));
    ethernet.set_src_addr(EthernetAddress([2, 9, 9, 9, 9, 9]));
    ethernet.set_ethertype(if src.is_ipv4() { EthernetProtocol::Ipv4 } else { EthernetProtocol::Ipv6 });
    header.emit(&mut bytes[14..], &ChecksumCapabilities::default());
    bytes[14 + header.header_len()..].copy_from_slice(payload);
    bytes
}

/// The DHCP messages that the host has sent: type, transaction, and whether to everybody.
fn asked(stack: &mut Stack) -> Vec<(DhcpMessageType, u32, bool)> {
    let frames: Vec<_> = std::iter::from_fn(|| stack.next_frame()).collect();
    let parse = |bytes: &[u8]| {
        let ip = Ipv4Packet::new_checked(bytes.get(14..)?).ok().filter(|_| bytes[12..14] == [8, 0])?;
        let udp = UdpPacket::new_checked(ip.payload()).ok().filter(|udp| udp.dst_port() == 67)?;
        let packet = DhcpPacket::new_checked(udp.payload()).ok()?;
        let repr = DhcpRepr::parse(&packet).ok()?;
        assert_eq!(repr.client_hardware_address.0, MAC.0);
        Some((repr.message_type, repr.transaction_id, ip.dst_addr().is_broadcast()))
    };
    frames.iter().filter_map(|(_, bytes)| parse(bytes)).collect()
}

fn answer(message_type: DhcpMessageType, xid: u32, lease_s: u32) -> Vec<u8> {
    let repr = DhcpRepr {
        message_type,
        transaction_id: xid,
        secs: 0,
        client_hardware_address: EthernetAddress(MAC.0),
        client_ip: Ipv4Addr::UNSPECIFIED,
        your_ip: OURS,
        server_ip: SERVER,
        router: Some(SERVER),
        subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
        relay_agent_ip: Ipv4Addr::UNSPECIFIED,
        broadcast: false,
        requested_ip: None,
        client_identifier: None,
        server_identifier: Some(SERVER),
        parameter_request_list: None,
        dns_servers: None,
        max_size: None,
        lease_duration: Some(lease_s),
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[
            DhcpOption { kind: 26, data: &[5, 0x14] },
            DhcpOption { kind: 6, data: &[192, 0, 2, 53] },
            DhcpOption { kind: 15, data: b"example.net" },
            DhcpOption { kind: 119, data: b"\x07example\x03" },
            DhcpOption { kind: 119, data: b"org\x00\x01a\xc0\x00" },
        ],
    };
    let mut message = vec![0; repr.buffer_len()];
    repr.emit(&mut DhcpPacket::new_unchecked(&mut message[..])).expect("a message");
    let udp = UdpRepr { src_port: 67, dst_port: 68 };
    let mut datagram = vec![0; 8 + message.len()];
    let (from, to) = (IpAddress::from(IpAddr::V4(SERVER)), IpAddress::from(IpAddr::V4(OURS)));
    let fill = |bytes: &mut [u8]| bytes.copy_from_slice(&message);
    udp.emit(
        &mut UdpPacket::new_unchecked(&mut datagram[..]),
        &from,
        &to,
        message.len(),
        fill,
        &ChecksumCapabilities::default(),
    );
    // To the address that is not the host's yet.
    frame(SERVER.into(), OURS.into(), IpProtocol::Udp, 64, &datagram)
}

/// Goes through a whole exchange.
fn lease(stack: &mut Stack, link: LinkId, lease_s: u32) {
    let (kind, xid, _) = asked(stack).pop().expect("a question");
    assert_eq!(kind, DhcpMessageType::Discover);
    stack.frame_in(link, &answer(DhcpMessageType::Offer, xid, lease_s));
    let (kind, again, to_all) = asked(stack).pop().expect("a request");
    assert_eq!((kind, again, to_all), (DhcpMessageType::Request, xid, true));
    stack.frame_in(link, &answer(DhcpMessageType::Ack, xid, lease_s));
}

#[test]
fn a_lease_configures_the_link() {
    let (mut stack, link) = host();
    stack.set_dhcp(link, true).expect("a client");
    lease(&mut stack, link, 600);
    assert_eq!(stack.dhcp_lease(link), Some(OURS));
    let info = stack.link(link).expect("the link");
    assert!(info.addrs.contains(&(OURS.into(), 24)));
    assert_eq!(info.mtu, 1300);
    assert_eq!(stack.resolving().servers, [IpAddr::from([192, 0, 2, 53])]);
    assert_eq!(stack.resolving().domains, ["example.org", "a.example.org"]);
    let out = stack.route_to([198, 51, 100, 1].into(), None).expect("a default route");
    assert_eq!((out.gateway, out.source), (Some(SERVER.into()), Some(OURS.into())));
}

#[test]
fn a_lease_is_renewed_or_ends() {
    let (mut stack, link) = host();
    stack.set_dhcp(link, true).expect("a client");
    lease(&mut stack, link, 600);
    asked(&mut stack);
    stack
        .add_neighbour(link, SERVER.into(), Mac([2, 9, 9, 9, 9, 9]), tcpip::NeighbourState::Permanent, false)
        .expect("known");
    stack.advance(299 * SECOND);
    assert!(asked(&mut stack).is_empty());
    stack.advance(300 * SECOND);
    let (kind, xid, to_all) = asked(&mut stack).pop().expect("a renewal");
    assert_eq!((kind, to_all), (DhcpMessageType::Request, false));
    stack.frame_in(link, &answer(DhcpMessageType::Ack, xid, 600));
    stack.advance(800 * SECOND);
    assert_eq!(stack.dhcp_lease(link), Some(OURS), "for 600 s from the renewal on");
    let mut broadcast = false;
    for second in 800..900 {
        stack.advance(second * SECOND);
        broadcast |= asked(&mut stack).iter().any(|(_, _, to_all)| *to_all);
    }
    assert!(broadcast, "any server is asked in the end");
    stack.advance(901 * SECOND);
    assert_eq!(stack.dhcp_lease(link), None);
    assert_eq!(stack.resolving(), tcpip::Resolving::default());
    assert_eq!(
        asked(&mut stack).first().map(|(kind, ..)| *kind),
        Some(DhcpMessageType::Discover),
        "from the beginning"
    );
}

#[test]
fn a_silent_server_is_asked_again_and_a_refusal_believed() {
    let (mut stack, link) = host();
    stack.set_dhcp(link, true).expect("a client");
    for second in 0..300 {
        stack.advance(second * SECOND);
    }
    let count = asked(&mut stack).len();
    assert!((6..=12).contains(&count), "{count} questions");
    stack.advance(400 * SECOND);
    lease(&mut stack, link, 600);
    stack.advance(700 * SECOND + SECOND);
    let (_, xid, _) = asked(&mut stack).pop().unwrap_or((DhcpMessageType::Request, 0, false));
    stack.frame_in(link, &answer(DhcpMessageType::Nak, xid, 0));
    stack.set_dhcp(link, false).expect("off");
    assert!(stack.link(link).expect("the link").addrs.iter().all(|(ip, _)| ip.is_ipv6()));
}

/// A router advertisement: lifetime of the router, then options.
fn advertisement(lifetime_s: u16, options: &[u8]) -> Vec<u8> {
    let router: Ipv6Addr = "fe80::1".parse().expect("an address");
    let all: Ipv6Addr = "ff02::1".parse().expect("an address");
    let [high, low] = lifetime_s.to_be_bytes();
    let mut message = [&[134, 0, 0, 0, 64, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 0], options].concat();
    Icmpv6Packet::new_unchecked(&mut message[..]).fill_checksum(&router, &all);
    frame(router.into(), all.into(), IpProtocol::Icmpv6, 255, &message)
}

fn prefix(valid_s: u32, preferred_s: u32) -> Vec<u8> {
    let prefix: Ipv6Addr = "2001:db8:5::".parse().expect("an address");
    [&[3, 4, 64, 0xc0], &valid_s.to_be_bytes()[..], &preferred_s.to_be_bytes(), &[0; 4], &prefix.octets()]
        .concat()
}

#[test]
fn a_router_is_asked_and_believed() {
    let (mut stack, link) = host();
    stack.advance(2 * SECOND);
    let solicits = |stack: &mut Stack| {
        std::iter::from_fn(|| stack.next_frame())
            .filter(|(_, f)| f[12..14] == [0x86, 0xdd] && f[20] == 58 && f[54] == 133)
            .count()
    };
    assert_eq!(solicits(&mut stack), 1);
    let server: Ipv6Addr = "2001:db8:5::53".parse().expect("an address");
    let options = [
        prefix(4000, 2000),
        vec![25, 3, 0, 0, 0, 0, 0, 60],
        server.octets().to_vec(),
        vec![31, 3, 0, 0, 0, 0, 0, 60],
        b"\x07example\x03org\0\0\0\0".to_vec(),
        vec![1, 1, 2, 9, 9, 9, 9, 9],
    ]
    .concat();
    stack.frame_in(link, &advertisement(1800, &options));
    stack.advance(20 * SECOND);
    assert_eq!(solicits(&mut stack), 0, "the answer has come");
    let own: IpAddr = "2001:db8:5::ff:fe00:1".parse().expect("an address");
    let flags =
        |stack: &Stack| stack.addresses().into_iter().find(|(_, a)| a.ip == own).map(|(_, a)| a.flags);
    assert_eq!(flags(&stack), Some(0));
    assert_eq!(stack.resolving().servers, [IpAddr::V6(server)]);
    assert_eq!(stack.resolving().domains, ["example.org"]);
    let far = "2001:db8:99::1".parse().expect("an address");
    let out = stack.route_to(far, None).expect("a default route");
    assert_eq!((out.gateway, out.source), ("fe80::1".parse().ok(), Some(own)));
    stack.advance(1803 * SECOND);
    assert!(stack.route_to(far, None).is_err(), "the router's lifetime is over");
    stack.advance(2003 * SECOND);
    assert_eq!(flags(&stack), Some(Address::DEPRECATED));
    stack.advance(4003 * SECOND);
    assert_eq!(flags(&stack), None);
}

#[test]
fn a_router_does_not_listen_to_others() {
    let (mut stack, link) = host();
    stack.settings_mut().forwarding = true;
    stack.frame_in(link, &advertisement(1800, &prefix(4000, 2000)));
    assert_eq!(stack.addresses().iter().filter(|(id, _)| *id == link).count(), 1);
}

/// The client of one stack and the server of another.
#[test]
fn an_address_is_lent() {
    let mut lan = Lan::new(5);
    let (guest, gateway) = (lan.host(), lan.host());
    let link = lan.join(guest, 0, &[]);
    let served = lan.join(gateway, 0, &["192.0.2.1/24"]);
    let offer = tcpip::DhcpOffer {
        server: SERVER,
        guest: OURS,
        prefix_len: 24,
        name_server: Ipv4Addr::new(192, 0, 2, 3),
    };
    lan.stacks[gateway].offer_by_dhcp(served, offer).expect("a link");
    lan.stacks[guest].set_dhcp(link, true).expect("a client");
    lan.run(3 * SECOND);
    assert_eq!(lan.stacks[guest].dhcp_lease(link), Some(OURS));
    assert_eq!(lan.stacks[guest].resolving().servers, [IpAddr::from([192, 0, 2, 3])]);
    let way = lan.stacks[guest].route_to([198, 51, 100, 1].into(), None).expect("a default route");
    assert_eq!((way.gateway, way.source), (Some(SERVER.into()), Some(OURS.into())));
    // It is lent again and again.
    lan.run(100_000 * SECOND);
    assert_eq!(lan.stacks[guest].dhcp_lease(link), Some(OURS));
}

proptest! {
    #[test]
    fn whatever_a_router_says(options in proptest::collection::vec(any::<u8>(), 0..120), lifetime in any::<u16>()) {
        let (mut stack, link) = host();
        stack.frame_in(link, &advertisement(lifetime, &options));
        stack.advance(100_000 * SECOND);
    }

    #[test]
    fn whatever_a_server_says(flips in proptest::collection::vec((0..500usize, any::<u8>()), 0..6)) {
        let (mut stack, link) = host();
        stack.set_dhcp(link, true).expect("a client");
        for kind in [DhcpMessageType::Offer, DhcpMessageType::Ack] {
            let Some((_, xid, _)) = asked(&mut stack).pop() else { continue };
            let mut frame = answer(kind, xid, 60);
            for (at, bits) in &flips {
                if let Some(byte) = frame.get_mut(42 + at) {
                    *byte ^= bits;
                }
            }
            // No checksum.
            frame[40..42].fill(0);
            stack.frame_in(link, &frame);
        }
        for minute in 0..30 {
            stack.advance(minute * 60 * SECOND);
        }
    }
}
