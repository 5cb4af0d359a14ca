//! Links that come and go while the stack runs.
#![allow(missing_docs)]

use abi::Errno;
use tcpip::{Config, Domain, LinkConfig, LinkId, Stack};

fn add(stack: &mut Stack, addr: &str) -> LinkId {
    let addrs = vec![(addr.parse().expect("an address"), 24)];
    let config = LinkConfig { name: "p2p0".to_owned(), addrs, mtu: 1500, default_route: true };
    stack.add_link(config).expect("a link")
}

#[test]
fn a_removed_link_takes_its_addresses_routes_and_frames_along() {
    let mut stack = Stack::new(Config { seed: 1 });
    let link = add(&mut stack, "10.0.0.1");
    let peer = "10.0.0.2:7".parse().expect("an address");
    let socket = stack.udp_socket(Domain::Inet);
    assert_eq!(stack.send_to(socket, b"one", Some(peer)), Ok(3));
    let (_, frame) = stack.next_frame().expect("a datagram");
    assert_eq!(stack.send_to(socket, b"two", Some(peer)), Ok(3));
    let connecting = stack.tcp_socket(Domain::Inet);
    assert_eq!(stack.connect(connecting, peer), Err(Errno::EINPROGRESS));

    assert_eq!(stack.remove_link(link), Ok(()));
    assert!(stack.next_frame().is_none(), "what waited is gone");
    assert_eq!(stack.send_to(socket, b"three", Some(peer)), Err(Errno::ENETUNREACH));
    let before = stack.counters().ip_in_addr_errors;
    stack.frame_in(link, &frame);
    assert_eq!(stack.counters().ip_in_addr_errors, before + 1);
    stack.advance(5_000_000_000);
    assert!(stack.next_frame().is_none(), "retransmissions have nowhere to go");
}

#[test]
fn an_index_is_given_once_and_lo_stays() {
    let mut stack = Stack::new(Config { seed: 1 });
    let first = add(&mut stack, "10.0.0.1");
    assert_eq!(stack.remove_link(first), Ok(()));
    assert_eq!(stack.remove_link(first), Err(Errno::ENODEV));
    assert_ne!(add(&mut stack, "10.0.1.1"), first);
    assert_eq!(stack.remove_link(LinkId::LO), Err(Errno::EOPNOTSUPP));
}
