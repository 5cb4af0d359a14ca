//! Ethernet links: neighbours are found by ARP and neighbour discovery, or are not.
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
use tcpip::{Address, Config, Domain, Event, LinkConfig, Mac, NeighbourState, SocketId, Stack};

fn echo(lan: &mut Lan, from: &str, to: &str) -> Result<String, Errno> {
    let domain = if at(to).is_ipv4() { Domain::Inet } else { Domain::Inet6 };
    let (client, server) = (lan.stacks[0].udp_socket(domain), lan.stacks[1].udp_socket(domain));
    lan.stacks[0].bind(client, at(from))?;
    lan.stacks[1].bind(server, at(to))?;
    lan.stacks[0].send_to(client, b"question", Some(at(to)))?;
    lan.run(100 * MS);
    assert_eq!(recv(&mut lan.stacks[1], server), Ok("question".to_owned()));
    lan.stacks[1].send_to(server, b"answer", Some(at(from)))?;
    lan.run(100 * MS);
    recv(&mut lan.stacks[0], client)
}

#[test]
fn neighbours_find_each_other() {
    for (from, to) in [("10.0.0.1:9", "10.0.0.2:9"), ("[2001:db8::1]:9", "[2001:db8::2]:9")] {
        let mut lan = Lan::flat(1, 3);
        assert_eq!(echo(&mut lan, from, to), Ok("answer".to_owned()));
        let known = lan.stacks[0].neighbours();
        let found = known.iter().find(|n| n.ip == at(to).ip()).expect("a neighbour");
        assert_eq!((found.state, found.mac), (NeighbourState::Reachable, Some(Mac([2, 0, 0, 0, 1, 1]))));
        assert!(lan.stacks[2].neighbours().is_empty(), "others learn nothing of it");
    }
}

#[test]
fn a_connection_crosses_a_lossy_segment() {
    let mut lan = Lan::flat(5, 2);
    lan.loss_percent = 10;
    let listener = common::listener(&mut lan.stacks[1], "[2001:db8::2]:80");
    let client = common::client(&mut lan.stacks[0], "[2001:db8::2]:80");
    lan.run(20_000 * MS);
    let (server, _) = lan.stacks[1].accept(listener).expect("a connection");
    assert_eq!(lan.stacks[0].send(client, b"hello"), Ok(5));
    lan.run(20_000 * MS);
    assert_eq!(recv(&mut lan.stacks[1], server), Ok("hello".to_owned()));
}

#[test]
fn nobody_at_home() {
    let mut lan = Lan::flat(2, 1);
    let stack = &mut lan.stacks[0];
    let udp = stack.udp_socket(Domain::Inet);
    stack.connect(udp, at("10.0.0.9:9")).expect("a peer");
    stack.set_option(udp, tcpip::Opt::RecvErr4(true)).expect("an option");
    assert_eq!(stack.send(udp, b"hello"), Ok(5));
    let tcp = common::client(stack, "[2001:db8::9]:9");
    lan.run(2_999 * MS);
    assert_eq!(lan.stacks[0].connect(tcp, at("[2001:db8::9]:9")), Err(Errno::EALREADY));
    assert_eq!(lan.stacks[0].take_error(udp), None);
    lan.run(2 * MS);
    assert_eq!(lan.stacks[0].connect(tcp, at("[2001:db8::9]:9")), Err(Errno::EHOSTUNREACH));
    assert_eq!(lan.stacks[0].take_error(udp), Some(Errno::EHOSTUNREACH));
    assert!(lan.stacks[0].neighbours().iter().all(|n| n.state == NeighbourState::Failed));
    lan.run(120_000 * MS);
    assert!(lan.stacks[0].neighbours().is_empty(), "forgotten after a while");
}

#[test]
fn a_neighbour_is_asked_again_before_it_is_given_up() {
    let mut lan = Lan::flat(3, 2);
    let udp = lan.stacks[0].udp_socket(Domain::Inet);
    let state = |lan: &Lan| {
        lan.stacks[0].neighbours().iter().find(|n| n.ip == at("10.0.0.2:9").ip()).map(|n| n.state)
    };
    let send = |lan: &mut Lan, udp: SocketId| lan.stacks[0].send_to(udp, b"x", Some(at("10.0.0.2:9")));
    assert_eq!(send(&mut lan, udp), Ok(1));
    lan.run(10 * MS);
    assert_eq!(state(&lan), Some(NeighbourState::Reachable));
    lan.run(31_000 * MS);
    assert_eq!(state(&lan), Some(NeighbourState::Stale));
    assert_eq!(send(&mut lan, udp), Ok(1));
    assert_eq!(state(&lan), Some(NeighbourState::Delay));
    lan.run(6_000 * MS);
    assert_eq!(state(&lan), Some(NeighbourState::Reachable), "it has answered");
    lan.loss_percent = 100;
    lan.run(31_000 * MS);
    assert_eq!(send(&mut lan, udp), Ok(1));
    lan.run(8_500 * MS);
    assert_eq!(state(&lan), Some(NeighbourState::Failed));
}

#[test]
fn an_address_that_another_host_has_is_not_used() {
    let mut lan = Lan::flat(4, 2);
    let link = lan.stacks[0].link_named("eth0").expect("a link");
    let (ip, len) = prefix("2001:db8::2/64");
    lan.stacks[0].add_address(link, Address::new(ip, len)).expect("a new address");
    lan.run(2_000 * MS);
    let flags =
        |lan: &Lan| lan.stacks[0].addresses().into_iter().find(|(_, a)| a.ip == ip).map(|(_, a)| a.flags);
    assert_eq!(flags(&lan), Some(Address::PERMANENT | Address::DADFAILED));
    let udp = lan.stacks[0].udp_socket(Domain::Inet6);
    assert_eq!(lan.stacks[0].bind(udp, at("[2001:db8::2]:9")), Err(Errno::EADDRNOTAVAIL));
}

#[test]
fn a_link_local_address_comes_from_the_mac() {
    let mut stack = Stack::new(Config { seed: 1 });
    let mac = "02:00:5e:10:20:30".parse().expect("a MAC");
    let link = stack.add_link(LinkConfig { up: false, ..LinkConfig::ethernet("eth0", mac) }).expect("a link");
    assert!(stack.addresses().iter().all(|(id, _)| *id != link));
    stack.set_up(link, true).expect("up");
    let own = stack.addresses().into_iter().find(|(id, _)| *id == link).map(|(_, a)| a.ip.to_string());
    assert_eq!(own.as_deref(), Some("fe80::5eff:fe10:2030"));
}

#[test]
fn a_new_mac_is_heard_of() {
    let mut lan = Lan::flat(6, 2);
    assert_eq!(echo(&mut lan, "10.0.0.1:9", "10.0.0.2:9"), Ok("answer".to_owned()));
    let link = lan.stacks[1].link_named("eth0").expect("a link");
    let mac = Mac([2, 9, 9, 9, 9, 9]);
    lan.stacks[1].set_mac(link, mac).expect("a MAC");
    lan.run(10 * MS);
    let known = lan.stacks[0].neighbours();
    assert_eq!(known.iter().find(|n| n.ip == at("10.0.0.2:9").ip()).and_then(|n| n.mac), Some(mac));
}

#[test]
fn monitors_hear_of_changes() {
    let mut stack = Stack::new(Config { seed: 1 });
    let config = LinkConfig { addrs: vec![prefix("10.0.0.1/24")], ..LinkConfig::ip("p2p0") };
    let link = stack.add_link(config).expect("a link");
    let events = |stack: &mut Stack| -> Vec<String> {
        let name = |event| match event {
            Event::Link(change, info) => format!("{change:?} link {} {}", info.name, info.up),
            Event::Address(change, _, a) => format!("{change:?} address {}", a.ip),
            Event::Route(change, r) => format!("{change:?} route {}/{}", r.dst, r.prefix_len),
            Event::Rule(change, r) => format!("{change:?} rule {}", r.priority),
            Event::Resolving(list) => format!("{list:?}"),
            Event::Neighbour(change, n) => format!("{change:?} neighbour {}", n.ip),
        };
        std::iter::from_fn(|| stack.next_event()).map(name).collect()
    };
    let mut all = vec!["New link p2p0 false", "New link p2p0 true", "New address 10.0.0.1"];
    all.extend(["New route 10.0.0.1/32", "New route 10.0.0.255/32", "New route 10.0.0.0/24"]);
    assert_eq!(events(&mut stack), all);
    stack.remove_link(link).expect("gone");
    let all = ["Del route 10.0.0.0/24", "New link p2p0 false", "Del address 10.0.0.1", "Del link p2p0 false"];
    assert_eq!(events(&mut stack), all);
}

/// An Ethernet frame that makes some sense, or none.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let macs = prop_oneof![
        Just([2, 0, 0, 0, 0, 1]),
        Just([0xff; 6]),
        Just([0x33, 0x33, 0, 0, 0, 1]),
        any::<[u8; 6]>()
    ];
    let kind = prop_oneof![Just([8, 0]), Just([8, 6]), Just([0x86, 0xdd]), any::<[u8; 2]>()];
    let body = prop_oneof![
        // ARP about our address.
        any::<(bool, [u8; 6], [u8; 4], bool)>().prop_map(|(request, mac, sender, ours)| {
            let target = if ours { [10, 0, 0, 1] } else { sender };
            let head = [0, 1, 8, 0, 6, 4, 0, 2 - u8::from(request)];
            [&head[..], &mac, &sender, &[0; 6], &target].concat()
        }),
        proptest::collection::vec(any::<u8>(), 0..100),
    ];
    (macs, any::<[u8; 6]>(), kind, body)
        .prop_map(|(dst, src, kind, body)| [&dst[..], &src, &kind, &body].concat())
}

proptest! {
    #[test]
    fn whatever_a_station_sends(frames in proptest::collection::vec(frame(), 0..200)) {
        let mut stack = Stack::new(Config { seed: 3 });
        let addrs = vec![prefix("10.0.0.1/24"), prefix("2001:db8::1/64")];
        let config = LinkConfig { addrs, ..LinkConfig::ethernet("eth0", Mac([2, 0, 0, 0, 0, 1])) };
        let link = stack.add_link(config).expect("a link");
        for (at, frame) in (0..).zip(&frames) {
            stack.frame_in(link, frame);
            stack.advance(at * 10 * MS);
        }
        prop_assert!(stack.neighbours().len() <= 1024);
        stack.advance(1_000_000 * MS);
        while stack.next_frame().is_some() {}
    }
}
