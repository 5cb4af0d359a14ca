//! Several networks with routers between them: forwarding, errors, fragments, path MTU discovery.
#![allow(missing_docs)]

mod common;

use abi::Errno;
use common::{
    at,
    lan::{Lan, prefix},
    net::MS,
    recv,
};
use proptest::prelude::*;
use smoltcp::wire::{Ipv4Packet, Ipv6Packet};
use tcpip::{
    Config, Domain, IpOptions, LinkConfig, Opt, Origin, Route, RouteUpdate, Sending, SocketId, Stack,
};

/// Two hosts with two routers between them: `A - R - S - B`.
fn path(seed: u64) -> Lan {
    let mut lan = Lan::new(seed);
    let hosts = [lan.host(), lan.host(), lan.host(), lan.host()];
    let nets = [(0, "1", "2"), (1, "1", "2"), (2, "1", "2")];
    for (n, left, right) in nets {
        for (host, end) in [(hosts[n], left), (hosts[n + 1], right)] {
            let v4 = format!("10.0.{n}.{end}/24");
            let v6 = format!("2001:db8:{n}::{end}/64");
            lan.join(host, n, &[&v4, &v6]);
        }
    }
    let via = |lan: &mut Lan, host: usize, to: &str, gateway: &str| {
        let (dst, len) = prefix(to);
        let route = Route::new(dst, len, gateway.parse().ok(), None);
        lan.stacks[host].add_route(route, RouteUpdate::Add).expect("a route");
    };
    for (net, any) in [("10.0", "0.0.0.0/0"), ("2001:db8", "::/0")] {
        let gateway = |n: u8, end: u8| {
            if net == "10.0" { format!("{net}.{n}.{end}") } else { format!("{net}:{n}::{end}") }
        };
        via(&mut lan, 0, any, &gateway(0, 2));
        via(&mut lan, 1, any, &gateway(1, 2));
        via(&mut lan, 2, any, &gateway(1, 1));
        via(&mut lan, 3, any, &gateway(2, 1));
    }
    for router in [1, 2] {
        let settings = lan.stacks[router].settings_mut();
        (settings.ip_forward, settings.forwarding) = (true, true);
    }
    lan.run(2_000 * MS);
    lan
}

const TO_B: [&str; 2] = ["10.0.2.2:9", "[2001:db8:2::2]:9"];

fn udp(stack: &mut Stack, to: &str) -> SocketId {
    stack.udp_socket(if at(to).is_ipv4() { Domain::Inet } else { Domain::Inet6 })
}

/// Each router records the address by which it sends on, and who answers goes on where the request ended.
#[test]
fn the_way_there_and_back_is_recorded() {
    let mut lan = path(11);
    let room = |addresses: usize| {
        let len = 3 + 4 * addresses;
        let mut option = vec![0; len];
        option[..3].copy_from_slice(&[7, u8::try_from(len).expect("a length"), 4]);
        IpOptions::new(&option, false).expect("well formed")
    };
    let recorded = |options: &IpOptions| {
        let bytes = options.as_bytes();
        let end = usize::from(bytes[2]) - 1;
        bytes[3..end].chunks(4).map(|a| format!("{}.{}.{}.{}", a[0], a[1], a[2], a[3])).collect::<Vec<_>>()
    };
    let there = ["10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.2.2"];
    let b = lan.stacks[3].udp_socket(Domain::Inet);
    lan.stacks[3].bind(b, at("10.0.2.2:9")).expect("bind");
    let a = udp(&mut lan.stacks[0], TO_B[0]);
    for (addresses, kept) in [(9, 4), (2, 2)] {
        lan.stacks[0].set_ip_options(a, room(addresses)).expect("a socket");
        lan.stacks[0].send_to(a, b"there", Some(at(TO_B[0]))).expect("sent");
        lan.run(1_000 * MS);
        let got = lan.stacks[3].recv_from(b, &mut [0; 16], false).expect("a datagram");
        assert_eq!(recorded(&got.options), there[..kept]);
        let how = Sending { options: Some(got.options.echo()), ..Sending::default() };
        lan.stacks[3].send_message(b, b"back", Some(got.from), &how).expect("sent");
        lan.run(1_000 * MS);
        let back = lan.stacks[0].recv_from(a, &mut [0; 16], false).expect("an answer");
        let whole =
            ["10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.2.2", "10.0.2.2", "10.0.1.2", "10.0.0.2", "10.0.0.1"];
        assert_eq!(recorded(&back.options), if addresses == 9 { &whole[..] } else { &there[..2] });
    }
}

/// `net.ipv4.conf.all.accept_source_route` is 0.
#[test]
fn source_routes_are_not_followed() {
    let mut lan = path(12);
    let mut packet = vec![0x47, 0, 0, 28, 0, 7, 0, 0, 9, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    packet.extend_from_slice(&[131, 7, 4, 10, 0, 2, 2, 0]);
    Ipv4Packet::new_unchecked(&mut packet[..]).fill_checksum();
    let router = lan.stacks[1].links()[1].id;
    let before = lan.stacks[1].counters().ip_in_hdr_errors;
    let sent = lan.seen.len();
    let frame = [&[2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1, 8, 0][..], &packet].concat();
    lan.stacks[1].frame_in(router, &frame);
    lan.run(1_000 * MS);
    assert_eq!(lan.stacks[1].counters().ip_in_hdr_errors, before + 1);
    assert!(lan.seen[sent..].iter().all(|(_, frame)| frame[12..14] != [8, 0]), "it went on");
}

fn recverr(stack: &mut Stack, id: SocketId) {
    stack.set_option(id, Opt::RecvErr4(true)).expect("an option");
    stack.set_option(id, Opt::RecvErr6(true)).expect("an option");
}

/// Sends from A to `to` and answers what comes at B, or the error that came back.
fn ask(lan: &mut Lan, to: &str, data: &[u8], opts: &[Opt]) -> Result<String, Errno> {
    let (from, sink) = (udp(&mut lan.stacks[0], to), udp(&mut lan.stacks[3], to));
    // Some ask for an address that B has not.
    let _ = lan.stacks[3].bind(sink, at(to));
    for opt in opts {
        lan.stacks[0].set_option(from, *opt)?;
    }
    recverr(&mut lan.stacks[0], from);
    let sent = lan.stacks[0].send_to(from, data, Some(at(to)));
    lan.run(5_000 * MS);
    let result = match (sent, lan.stacks[0].take_error(from)) {
        (Err(errno), _) | (_, Some(errno)) => Err(errno),
        _ => recv(&mut lan.stacks[3], sink),
    };
    lan.stacks[0].close(from);
    lan.stacks[3].close(sink);
    result
}

#[test]
fn routers_send_on_and_tell_of_what_they_cannot() {
    let mut lan = path(1);
    for to in TO_B {
        assert_eq!(ask(&mut lan, to, b"hello", &[]), Ok("hello".to_owned()));
        assert_eq!(ask(&mut lan, to, b"hello", &[Opt::Ttl(2)]), Err(Errno::EHOSTUNREACH), "time exceeded");
        assert_eq!(ask(&mut lan, to, b"hello", &[Opt::Ttl(3)]), Ok("hello".to_owned()));
    }
    assert_eq!(ask(&mut lan, "10.0.2.77:9", b"hello", &[]), Err(Errno::EHOSTUNREACH), "no such neighbour");
    assert_eq!(ask(&mut lan, "[2001:db8:2::77]:9", b"hello", &[]), Err(Errno::EHOSTUNREACH));
    assert!(lan.stacks[1].counters().ip_forw_datagrams > 0);
    lan.stacks[1].settings_mut().ip_forward = false;
    assert_eq!(ask(&mut lan, TO_B[0], b"hello", &[]), Err(Errno::EAGAIN), "a host keeps to itself");
}

#[test]
fn connections_hear_of_errors_while_they_open() {
    let mut lan = path(2);
    for (to, errno) in [("10.0.2.77:9", Errno::EHOSTUNREACH), ("10.0.2.2:9", Errno::ECONNREFUSED)] {
        let tcp = common::client(&mut lan.stacks[0], to);
        lan.run(5_000 * MS);
        assert_eq!(lan.stacks[0].connect(tcp, at(to)), Err(errno));
    }
}

#[test]
fn a_traceroute() {
    let mut lan = path(3);
    for to in TO_B {
        let mut hops = Vec::new();
        for ttl in 1..=3 {
            let id = udp(&mut lan.stacks[0], to);
            recverr(&mut lan.stacks[0], id);
            lan.stacks[0].set_option(id, Opt::Ttl(ttl)).expect("an option");
            lan.stacks[0].send_to(id, b"where?", Some(at(to))).expect("sent");
            lan.run(100 * MS);
            let error = lan.stacks[0].recv_error(id).expect("an error");
            assert_eq!((error.origin, error.data.as_slice()), (Origin::Icmp, &b"where?"[..]));
            hops.push(error.offender.ip().to_string());
        }
        let expected = if at(to).is_ipv4() {
            ["10.0.0.2", "10.0.1.2", "10.0.2.2"]
        } else {
            ["2001:db8::2", "2001:db8:1::2", "2001:db8:2::2"]
        };
        assert_eq!(hops, expected);
    }
}

#[test]
fn long_datagrams_are_cut_and_put_together() {
    let mut lan = path(4);
    let data = "0123456789abcdef".repeat(4000);
    for to in TO_B {
        assert_eq!(ask(&mut lan, to, data.as_bytes(), &[]), Ok(data.clone()));
    }
    assert_eq!(lan.stacks[3].counters().ip_reasm_oks, 2);
    // The middle network is narrower: IPv4's routers cut again, IPv6's say so.
    for router in [1, 2] {
        let links = lan.stacks[router].links();
        let middle = links
            .iter()
            .find(|l| l.addrs.iter().any(|(ip, _)| ip.to_string().starts_with("10.0.1.")))
            .expect("a link");
        let id = middle.id;
        lan.stacks[router].set_mtu(id, 1300).expect("an MTU");
    }
    let dont = [Opt::MtuDiscover4(0)];
    assert_eq!(ask(&mut lan, TO_B[0], data.as_bytes(), &dont), Ok(data.clone()));
    for to in TO_B {
        assert_eq!(ask(&mut lan, to, &[b'x'; 1400], &[]), Err(Errno::EMSGSIZE), "found on the way");
        assert_eq!(ask(&mut lan, to, &[b'x'; 1400], &[]).map(|s| s.len()), Ok(1400), "and cut from then on");
        let strict = [Opt::MtuDiscover4(2), Opt::MtuDiscover6(2)];
        assert_eq!(ask(&mut lan, to, &[b'x'; 1400], &strict), Err(Errno::EMSGSIZE));
        let longest = if at(to).is_ipv4() { 1300 - 28 } else { 1300 - 48 };
        assert_eq!(ask(&mut lan, to, &vec![b'x'; longest], &strict).map(|s| s.len()), Ok(longest));
    }
    lan.run(601_000 * MS);
    assert_eq!(
        ask(&mut lan, TO_B[1], &[b'x'; 1400], &[]),
        Err(Errno::EMSGSIZE),
        "forgotten after ten minutes"
    );
}

#[test]
fn a_connection_adapts_to_a_narrow_path() {
    for to in ["10.0.2.2:80", "[2001:db8:2::2]:80"] {
        let mut lan = path(5);
        let links = lan.stacks[1].links();
        let middle = links
            .iter()
            .find(|l| l.addrs.iter().any(|(ip, _)| ip.to_string().starts_with("10.0.1.")))
            .expect("a link")
            .id;
        lan.stacks[1].set_mtu(middle, 1280).expect("an MTU");
        let listener = common::listener(&mut lan.stacks[3], to);
        let client = common::client(&mut lan.stacks[0], to);
        lan.run(100 * MS);
        let (server, _) = lan.stacks[3].accept(listener).expect("a connection");
        assert_eq!(lan.stacks[0].connect(client, at(to)), Ok(()));
        let data = vec![b'x'; 20_000];
        assert_eq!(lan.stacks[0].send(client, &data), Ok(data.len()));
        lan.run(10_000 * MS);
        assert_eq!(lan.stacks[0].mtu_to_peer(client), Ok(1280));
        let mut got = 0;
        let mut buf = [0; 4096];
        while let Ok(n @ 1..) = lan.stacks[3].recv(server, &mut buf, false) {
            got += n;
            lan.run(100 * MS);
        }
        assert_eq!(got, data.len());
        assert_eq!(lan.stacks[1].counters().ip_frag_creates, 0, "DF is set");
    }
}

/// A fragment of a UDP datagram to us.
fn fragment(id: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 20 + payload.len()];
    bytes[20..].copy_from_slice(payload);
    let len = u16::try_from(bytes.len()).expect("short");
    let mut ip = Ipv4Packet::new_unchecked(&mut bytes[..]);
    ip.set_version(4);
    ip.set_header_len(20);
    ip.set_total_len(len);
    ip.set_ident(id);
    ip.set_more_frags(more);
    ip.set_frag_offset(u16::try_from(offset).expect("short"));
    ip.set_hop_limit(64);
    ip.set_next_header(smoltcp::wire::IpProtocol::Udp);
    ip.set_src_addr([10, 0, 0, 2].into());
    ip.set_dst_addr([10, 0, 0, 1].into());
    ip.fill_checksum();
    bytes
}

fn target() -> (Stack, tcpip::LinkId, SocketId) {
    let mut stack = Stack::new(Config { seed: 3 });
    let config = LinkConfig { addrs: vec![prefix("10.0.0.1/24")], ..LinkConfig::ip("p2p0") };
    let link = stack.add_link(config).expect("a link");
    let id = stack.udp_socket(Domain::Inet);
    stack.bind(id, at("10.0.0.1:9")).expect("a port");
    (stack, link, id)
}

/// A UDP datagram without a checksum to port 9.
fn datagram(data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(data.len() + 8).expect("short").to_be_bytes();
    [&[0, 7, 0, 9, len[0], len[1], 0, 0], data].concat()
}

#[test]
fn fragments_in_any_order_but_none_that_overlap() {
    let whole = datagram(&[b'y'; 40]);
    let (mut stack, link, id) = target();
    for (offset, end) in [(32, 48), (0, 16), (16, 32)] {
        stack.frame_in(link, &fragment(1, offset, end < 48, &whole[offset..end]));
    }
    assert_eq!(recv(&mut stack, id), Ok("y".repeat(40)));
    for (offset, end) in [(0, 24), (16, 32), (32, 48), (24, 32)] {
        stack.frame_in(link, &fragment(2, offset, end < 48, &whole[offset..end]));
    }
    assert_eq!(recv(&mut stack, id), Err(Errno::EAGAIN));
    assert!(stack.counters().ip_reasm_fails > 0);
    while stack.next_frame().is_some() {}
    stack.frame_in(link, &fragment(3, 0, true, &whole[..16]));
    stack.advance(29_999 * MS);
    assert!(stack.next_frame().is_none());
    stack.advance(31_000 * MS);
    let (_, told) = stack.next_frame().expect("time exceeded");
    assert_eq!(told[20..22], [11, 1]);
}

proptest! {
    #[test]
    fn whatever_fragments(pieces in proptest::collection::vec((0..4_u16, 0..9000_usize, any::<bool>(), 0..2000_usize), 0..300)) {
        let (mut stack, link, _) = target();
        for (at, (id, offset, more, len)) in (0..).zip(&pieces) {
            stack.frame_in(link, &fragment(*id, offset * 8 % 65528, *more, &vec![1; *len]));
            stack.advance(at * 100 * MS);
        }
        stack.advance(1_000_000 * MS);
        prop_assert!(stack.next_deadline().is_none());
    }

    #[test]
    fn a_router_takes_whatever_comes(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 0..60), v6 in any::<bool>()) {
        let (mut stack, link, _) = target();
        (stack.settings_mut().ip_forward, stack.settings_mut().forwarding) = (true, true);
        for mut packet in packets {
            if packet.len() > 40 {
                if v6 {
                    let len = u16::try_from(packet.len() - 40).expect("short");
                    packet[0] = 0x60;
                    Ipv6Packet::new_unchecked(&mut packet[..]).set_payload_len(len);
                } else {
                    let len = u16::try_from(packet.len()).expect("short");
                    packet[0] = 0x45 + packet[0] % 3;
                    let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
                    ip.set_total_len(len);
                    ip.fill_checksum();
                }
            }
            stack.frame_in(link, &packet);
        }
    }
}
