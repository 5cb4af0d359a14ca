//! Multicast, broadcast, and sockets that keep to one interface.
#![allow(missing_docs)]

mod common;

use abi::Errno;
use common::{at, lan::Lan, net::MS, recv};
use tcpip::{Domain, LinkId, Opt, SocketId, SourceChange};

fn eth0(lan: &Lan, host: usize) -> LinkId {
    lan.stacks[host].link_named("eth0").expect("a link")
}

fn member(lan: &mut Lan, host: usize, addr: &str) -> SocketId {
    let domain = if at(addr).is_ipv4() { Domain::Inet } else { Domain::Inet6 };
    let link = eth0(lan, host);
    let stack = &mut lan.stacks[host];
    let id = stack.udp_socket(domain);
    let any = if domain == Domain::Inet { "0.0.0.0" } else { "[::]" };
    stack.set_option(id, Opt::ReuseAddr(true)).expect("an option");
    stack.bind(id, at(&format!("{any}:{}", at(addr).port()))).expect("a port");
    stack.join_group(id, at(addr).ip(), Some(link)).expect("a group");
    id
}

#[test]
fn a_group_hears_what_is_sent_to_it() {
    for group in ["239.1.2.3:5000", "[ff15::1234]:5000"] {
        let mut lan = Lan::flat(1, 4);
        let members = [member(&mut lan, 0, group), member(&mut lan, 1, group), member(&mut lan, 2, group)];
        let second = member(&mut lan, 1, group);
        let domain = if at(group).is_ipv4() { Domain::Inet } else { Domain::Inet6 };
        let outsider = lan.stacks[3].udp_socket(domain);
        lan.stacks[3]
            .bind(outsider, at(if at(group).is_ipv4() { "0.0.0.0:5000" } else { "[::]:5000" }))
            .expect("a port");
        let link = eth0(&lan, 0);
        for opt in [Opt::MulticastIf4(Some(link)), Opt::MulticastIf6(Some(link))] {
            lan.stacks[0].set_option(members[0], opt).expect("an option");
        }
        assert_eq!(lan.stacks[0].send_to(members[0], b"all", Some(at(group))), Ok(3));
        lan.run(100 * MS);
        for (host, id) in [(0, members[0]), (1, members[1]), (1, second), (2, members[2])] {
            assert_eq!(recv(&mut lan.stacks[host], id), Ok("all".to_owned()), "host {host}");
        }
        assert_eq!(recv(&mut lan.stacks[3], outsider), Err(Errno::EAGAIN));
        for opt in [Opt::MulticastLoop4(false), Opt::MulticastLoop6(false)] {
            lan.stacks[0].set_option(members[0], opt).expect("an option");
        }
        lan.stacks[0].send_to(members[0], b"others", Some(at(group))).expect("sent");
        lan.stacks[1].leave_group(members[1], at(group).ip(), None).expect("left");
        lan.stacks[1].set_option(members[1], Opt::MulticastAll4(false)).expect("an option");
        lan.stacks[1].set_option(members[1], Opt::MulticastAll6(false)).expect("an option");
        lan.run(100 * MS);
        assert_eq!(recv(&mut lan.stacks[0], members[0]), Err(Errno::EAGAIN), "its own");
        assert_eq!(recv(&mut lan.stacks[1], members[1]), Err(Errno::EAGAIN), "left");
        assert_eq!(recv(&mut lan.stacks[1], second), Ok("others".to_owned()));
        let link = eth0(&lan, 2);
        let again = lan.stacks[2].join_group(members[2], at(group).ip(), Some(link));
        assert_eq!(again, Err(Errno::EADDRINUSE));
    }
}

#[test]
fn sources_can_be_chosen() {
    let mut lan = Lan::flat(2, 3);
    let group = at("239.1.2.3:5000");
    let link = eth0(&lan, 2);
    let id = lan.stacks[2].udp_socket(Domain::Inet);
    lan.stacks[2].bind(id, at("0.0.0.0:5000")).expect("a port");
    let first = "10.0.0.1".parse().expect("an address");
    lan.stacks[2].change_source(id, group.ip(), first, Some(link), SourceChange::Join).expect("joined");
    for host in [0, 1] {
        let from = lan.stacks[host].udp_socket(Domain::Inet);
        let link = eth0(&lan, host);
        lan.stacks[host].set_option(from, Opt::MulticastIf4(Some(link))).expect("an option");
        lan.stacks[host].send_to(from, format!("from {host}").as_bytes(), Some(group)).expect("sent");
    }
    lan.run(100 * MS);
    assert_eq!(recv(&mut lan.stacks[2], id), Ok("from 0".to_owned()));
    assert_eq!(recv(&mut lan.stacks[2], id), Err(Errno::EAGAIN));
    let left = lan.stacks[2].change_source(id, group.ip(), first, Some(link), SourceChange::Leave);
    assert_eq!(left, Ok(()));
    assert!(lan.stacks[2].groups().is_empty());
}

#[test]
fn routers_are_told() {
    let mut lan = Lan::flat(3, 1);
    lan.seen.clear();
    let id = member(&mut lan, 0, "239.1.2.3:5000");
    let six = member(&mut lan, 0, "[ff15::1234]:5000");
    lan.run(10 * MS);
    let reports = |lan: &Lan| -> Vec<u8> {
        let kind = |frame: &Vec<u8>| match frame[12..14] {
            [8, 0] if frame[23] == 2 => Some(frame[38 + 8]),
            [0x86, 0xdd] if frame[14 + 40] == 58 => Some(frame[14 + 48 + 8]),
            _ => None,
        };
        lan.seen.iter().filter_map(|(_, frame)| kind(frame)).collect()
    };
    assert_eq!(reports(&lan), [4, 4], "change to exclude nothing");
    lan.stacks[0].close(id);
    lan.stacks[0].close(six);
    lan.run(10 * MS);
    assert_eq!(reports(&lan), [4, 4, 3, 3], "change to include nothing");
}

#[test]
fn all_hosts_of_a_network() {
    let mut lan = Lan::flat(4, 3);
    let ids: Vec<_> = (0..3)
        .map(|host| {
            let id = lan.stacks[host].udp_socket(Domain::Inet);
            lan.stacks[host].bind(id, at("0.0.0.0:5000")).expect("a port");
            id
        })
        .collect();
    let all = at("10.0.0.255:5000");
    assert_eq!(lan.stacks[0].send_to(ids[0], b"all", Some(all)), Err(Errno::EACCES));
    lan.stacks[0].set_option(ids[0], Opt::Broadcast(true)).expect("an option");
    assert_eq!(lan.stacks[0].send_to(ids[0], b"all", Some(all)), Ok(3));
    lan.run(100 * MS);
    for (host, id) in ids.iter().enumerate() {
        assert_eq!(recv(&mut lan.stacks[host], *id), Ok("all".to_owned()));
    }
    let everybody = at("255.255.255.255:5000");
    assert_eq!(lan.stacks[0].send_to(ids[0], b"x", Some(everybody)), Err(Errno::ENETUNREACH), "which link?");
    let link = eth0(&lan, 0);
    lan.stacks[0].set_option(ids[0], Opt::BindToDevice(Some(link))).expect("an option");
    assert_eq!(lan.stacks[0].send_to(ids[0], b"x", Some(everybody)), Ok(1));
    lan.run(100 * MS);
    assert_eq!(recv(&mut lan.stacks[1], ids[1]), Ok("x".to_owned()));
}

#[test]
fn a_socket_that_is_bound_to_a_device() {
    let mut lan = Lan::new(5);
    let (host, peer) = (lan.host(), lan.host());
    for segment in 0..2 {
        lan.join(host, segment, &[&format!("10.0.{segment}.1/24")]);
        lan.join(peer, segment, &[&format!("10.0.{segment}.2/24")]);
    }
    lan.run(2_000 * MS);
    let second = lan.stacks[host].link_named("eth1").expect("a link");
    let listener = common::listener(&mut lan.stacks[host], "0.0.0.0:80");
    lan.stacks[host].set_option(listener, Opt::BindToDevice(Some(second))).expect("an option");
    let refused = common::client(&mut lan.stacks[peer], "10.0.0.1:80");
    let taken = common::client(&mut lan.stacks[peer], "10.0.1.1:80");
    lan.run(1_000 * MS);
    assert_eq!(lan.stacks[peer].connect(refused, at("10.0.0.1:80")), Err(Errno::ECONNREFUSED));
    assert_eq!(lan.stacks[peer].connect(taken, at("10.0.1.1:80")), Ok(()));
    let udp = lan.stacks[host].udp_socket(Domain::Inet);
    lan.stacks[host].set_option(udp, Opt::BindToDevice(Some(second))).expect("an option");
    assert_eq!(lan.stacks[host].send_to(udp, b"x", Some(at("10.0.0.2:9"))), Err(Errno::ENETUNREACH));
}

#[test]
fn link_local_addresses_need_their_link() {
    let mut lan = Lan::flat(6, 2);
    let theirs = lan.stacks[1].addresses().into_iter().find(|(_, a)| a.scope == 253).map(|(_, a)| a.ip);
    let theirs = theirs.expect("a link-local address");
    let listener = common::listener(&mut lan.stacks[1], "[::]:80");
    let client = lan.stacks[0].tcp_socket(Domain::Inet6);
    assert_eq!(lan.stacks[0].connect(client, at(&format!("[{theirs}]:80"))), Err(Errno::EINVAL));
    let link = eth0(&lan, 0).index();
    let addr = at(&format!("[{theirs}%{link}]:80"));
    assert_eq!(lan.stacks[0].connect(client, addr), Err(Errno::EINPROGRESS));
    lan.run(100 * MS);
    assert_eq!(lan.stacks[0].connect(client, addr), Ok(()));
    assert_eq!(lan.stacks[0].peer_addr(client), Ok(addr), "with its scope");
    let (_, peer) = lan.stacks[1].accept(listener).expect("a connection");
    assert!(peer.to_string().contains("fe80::"));
}
