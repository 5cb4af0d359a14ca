//! Connections without a listener: both ends connect at once (RFC 9293, section 3.5, MUST-10), or a socket connects to itself.
#![allow(missing_docs)]

mod common;

use std::net::Shutdown;

use abi::Errno;
use common::{
    at,
    net::{A, B, MS, Net, Weather},
    polled, recv, stack, tcp_states,
};
use tcpip::Domain;

#[test]
fn a_socket_connects_to_itself() {
    let mut net = stack();
    net.advance(5_000 * MS);
    let id = net.tcp_socket(Domain::Inet);
    net.bind(id, at("127.0.0.1:4567")).expect("bind");
    assert_eq!(net.connect(id, at("127.0.0.1:4567")), Err(Errno::EINPROGRESS));
    assert_eq!(net.connect(id, at("127.0.0.1:4567")), Ok(()));
    assert_eq!((net.peer_addr(id), net.local_addr(id)), (Ok(at("127.0.0.1:4567")), Ok(at("127.0.0.1:4567"))));
    assert_eq!(net.send(id, b"hello"), Ok(5));
    assert_eq!(recv(&mut net, id), Ok("hello".to_owned()));
    assert_eq!(net.send(id, &[7; 100_000]), Ok(100_000));
    let mut got = 0;
    while let Ok(bytes) = net.recv(id, &mut [0; 4096], false) {
        got += bytes;
    }
    assert_eq!(got, 100_000);
    net.shutdown(id, Shutdown::Write).expect("connected");
    assert_eq!(recv(&mut net, id), Ok(String::new()));
    assert_eq!(polled(&net, id), "IN|OUT|HUP|RDHUP");
    net.close(id);
    assert!(tcp_states(&net).len() <= 1, "{:?}", tcp_states(&net));
}

/// Whatever is lost of the two SYNs and what follows them, both ends are connected in the end.
#[test]
fn both_ends_connect_at_once() {
    for (seed, loss_percent) in (1..=40).map(|seed| (seed, if seed % 2 == 0 { 0 } else { 20 })) {
        let mut net = Net::new(seed, Weather { loss_percent, ..Weather::FINE });
        let ends = [A, B].map(|host| at(&format!("{host}:7")));
        let ids = [0, 1].map(|n| {
            let id = net.stacks[n].tcp_socket(Domain::Inet);
            net.stacks[n].bind(id, ends[n]).expect("bind");
            assert_eq!(net.stacks[n].connect(id, ends[1 - n]), Err(Errno::EINPROGRESS));
            id
        });
        net.run(60_000 * MS);
        for ((stack, id), other) in net.stacks.iter_mut().zip(ids).zip([ends[1], ends[0]]) {
            assert_eq!(tcp_states(stack), ["ESTAB"], "seed {seed}");
            assert_eq!(stack.connect(id, other), Ok(()));
            assert_eq!(stack.send(id, b"to the other"), Ok(12));
        }
        net.run(60_000 * MS);
        for (stack, id) in net.stacks.iter_mut().zip(ids) {
            assert_eq!(recv(stack, id), Ok("to the other".to_owned()), "seed {seed}");
        }
    }
}
