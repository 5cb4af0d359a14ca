//! UDP over `lo` (udp(7)).
#![allow(missing_docs)]

mod common;

use std::net::Shutdown;

use abi::Errno;
use common::{at, polled, recv, stack};
use tcpip::{Domain, LinkId, Opt, SocketId, Stack};

fn bound(net: &mut Stack, addr: &str) -> SocketId {
    let addr = at(addr);
    let domain = if addr.is_ipv4() { Domain::Inet } else { Domain::Inet6 };
    let id = net.udp_socket(domain);
    net.bind(id, addr).expect("free");
    id
}

#[test]
fn datagrams_keep_their_boundaries_and_their_sender() {
    let mut net = stack();
    let server = bound(&mut net, "127.0.0.1:53");
    let client = net.udp_socket(Domain::Inet);
    assert_eq!(polled(&net, server), "OUT");
    assert_eq!(net.send_to(client, b"one", Some(at("127.0.0.1:53"))), Ok(3));
    assert_eq!(net.send_to(client, b"", Some(at("127.0.0.1:53"))), Ok(0));
    assert_eq!(polled(&net, server), "IN|OUT");
    let mut buf = [0; 2];
    let cut = net.recv_from(server, &mut buf, true).expect("a datagram");
    assert_eq!((cut.len, cut.full_len, cut.link), (2, 3, LinkId::LO));
    assert_eq!(cut.to, at("127.0.0.1:53").ip());
    assert_eq!(cut.from.ip(), at("127.0.0.1:0").ip());
    assert!((32768..=60999).contains(&cut.from.port()));
    assert_eq!(recv(&mut net, server), Ok("one".to_owned()));
    assert_eq!(recv(&mut net, server), Ok(String::new()));
    assert_eq!(recv(&mut net, server), Err(Errno::EAGAIN));
}

#[test]
fn the_largest_datagram_fits_and_no_larger() {
    let mut net = stack();
    let server = bound(&mut net, "127.0.0.1:53");
    let client = net.udp_socket(Domain::Inet);
    let data = vec![0x5a; 65508];
    assert_eq!(net.send_to(client, &data, Some(at("127.0.0.1:53"))), Err(Errno::EMSGSIZE));
    assert_eq!(net.send_to(client, &data[..65507], Some(at("127.0.0.1:53"))), Ok(65507));
    let mut buf = vec![0; 70000];
    assert_eq!(net.recv_from(server, &mut buf, false).expect("it").full_len, 65507);
    assert_eq!(buf[..65507], data[..65507]);
}

#[test]
fn only_a_connected_sender_hears_of_a_closed_port() {
    let mut net = stack();
    let stranger = net.udp_socket(Domain::Inet);
    assert_eq!(net.send_to(stranger, b"x", Some(at("127.0.0.1:9"))), Ok(1));
    assert_eq!(net.take_error(stranger), None);
    let id = net.udp_socket(Domain::Inet);
    assert_eq!(net.send(id, b"x"), Err(Errno::EDESTADDRREQ));
    net.connect(id, at("127.0.0.1:9")).expect("a route");
    assert_eq!(net.send(id, b"x"), Ok(1));
    assert_eq!(polled(&net, id), "OUT|ERR");
    assert_eq!(recv(&mut net, id), Err(Errno::ECONNREFUSED));
    assert_eq!(recv(&mut net, id), Err(Errno::EAGAIN));
    // Every error is news, not the first alone.
    for _ in 0..2 {
        while net.next_change().is_some() {}
        assert_eq!(net.send(id, b"x"), Ok(1));
        assert_eq!(net.next_change(), Some(id));
        assert_eq!(net.send(id, b"x"), Err(Errno::ECONNREFUSED));
    }
    let v6 = net.udp_socket(Domain::Inet6);
    net.connect(v6, at("[::1]:9")).expect("a route");
    assert_eq!(net.send(v6, b"x"), Ok(1));
    assert_eq!(net.send(v6, b"x"), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_connected_socket_hears_its_peer_alone_until_it_is_disconnected() {
    let mut net = stack();
    let peer = bound(&mut net, "127.0.0.1:53");
    let id = bound(&mut net, "127.0.0.1:1000");
    net.connect(id, at("127.0.0.1:53")).expect("a route");
    assert_eq!(net.peer_addr(id), Ok(at("127.0.0.1:53")));
    let other = net.udp_socket(Domain::Inet);
    net.send_to(other, b"intruder", Some(at("127.0.0.1:1000"))).expect("sent");
    assert_eq!(recv(&mut net, id), Err(Errno::EAGAIN));
    net.send_to(peer, b"hello", Some(at("127.0.0.1:1000"))).expect("sent");
    assert_eq!(recv(&mut net, id), Ok("hello".to_owned()));
    net.disconnect(id).expect("UDP");
    net.send_to(other, b"welcome", Some(at("127.0.0.1:1000"))).expect("sent");
    assert_eq!(recv(&mut net, id), Ok("welcome".to_owned()));
    assert_eq!(net.peer_addr(id), Err(Errno::ENOTCONN));
}

#[test]
fn a_full_receive_buffer_drops() {
    let mut net = stack();
    let server = bound(&mut net, "127.0.0.1:53");
    net.set_option(server, Opt::RcvBuf(2000)).expect("an option");
    let client = net.udp_socket(Domain::Inet);
    for _ in 0..10 {
        net.send_to(client, &[0; 1000], Some(at("127.0.0.1:53"))).expect("sent");
    }
    let mut buf = [0; 1000];
    let received = std::iter::from_fn(|| net.recv_from(server, &mut buf, false).ok()).count();
    assert_eq!(received, 4);
    assert_eq!(net.counters().udp_rcvbuf_errors, 6);
}

#[test]
fn a_dual_stack_socket_sees_ipv4_as_mapped() {
    let mut net = stack();
    let server = bound(&mut net, "[::]:53");
    let client = bound(&mut net, "127.0.0.1:2000");
    net.send_to(client, b"four", Some(at("127.0.0.1:53"))).expect("sent");
    let mut buf = [0; 8];
    let got = net.recv_from(server, &mut buf, false).expect("a datagram");
    assert_eq!(got.from, at("[::ffff:127.0.0.1]:2000"));
    net.send_to(server, b"back", Some(got.from)).expect("sent");
    assert_eq!(recv(&mut net, client), Ok("back".to_owned()));
    let only6 = net.udp_socket(Domain::Inet6);
    net.set_option(only6, Opt::V6Only(true)).expect("unbound");
    assert_eq!(net.send_to(only6, b"x", Some(got.from)), Err(Errno::ENETUNREACH));
}

#[test]
fn broadcast_needs_permission() {
    let mut net = stack();
    let id = net.udp_socket(Domain::Inet);
    assert_eq!(net.send_to(id, b"x", Some(at("255.255.255.255:9"))), Err(Errno::ENETUNREACH));
    net.set_option(id, Opt::Broadcast(true)).expect("an option");
    assert_eq!(net.send_to(id, b"x", Some(at("255.255.255.255:9"))), Err(Errno::ENETUNREACH));
}

#[test]
fn shutdown_needs_a_peer_but_wakes_the_reader_anyway() {
    let mut net = stack();
    let id = bound(&mut net, "127.0.0.1:53");
    assert_eq!(net.shutdown(id, Shutdown::Both), Err(Errno::ENOTCONN));
    assert_eq!(polled(&net, id), "IN|OUT|HUP|RDHUP");
    assert_eq!(net.next_change(), Some(id));
    assert_eq!(recv(&mut net, id), Err(Errno::ESHUTDOWN));
    assert_eq!(net.send_to(id, b"x", Some(at("127.0.0.1:9"))), Err(Errno::EPIPE));
}
