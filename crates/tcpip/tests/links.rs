//! Links that come and go while the stack runs.
#![allow(missing_docs)]

use abi::Errno;
use tcpip::{
    Address, Config, Domain, LinkConfig, LinkId, Mac, Route, RouteKind, RouteMatch, RouteUpdate, Stack,
};

fn add(stack: &mut Stack, addr: &str) -> LinkId {
    let addrs = vec![(addr.parse().expect("an address"), 24)];
    let config = LinkConfig { addrs, ..LinkConfig::ip("p2p0") };
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

fn net(text: &str) -> (std::net::IpAddr, u8) {
    let (ip, len) = text.split_once('/').expect("a slash");
    (ip.parse().expect("an address"), len.parse().expect("a length"))
}

fn route(to: &str, via: Option<&str>, link: Option<LinkId>) -> Route {
    let (dst, len) = net(to);
    Route::new(dst, len, via.map(|ip| ip.parse().expect("an address")), link)
}

#[test]
fn routes_as_linux_takes_them() {
    let mut stack = Stack::new(Config { seed: 1 });
    let link = add(&mut stack, "10.0.0.1");
    let mut to = |to, via, link| stack.add_route(route(to, via, link), RouteUpdate::Add);
    assert_eq!(to("0.0.0.0/0", Some("10.0.0.2"), None), Ok(()));
    assert_eq!(to("0.0.0.0/0", Some("10.0.0.3"), None), Err(Errno::EEXIST));
    assert_eq!(to("192.0.2.0/24", Some("172.16.0.1"), None), Err(Errno::ENETUNREACH), "not a neighbour");
    assert_eq!(to("192.0.2.0/24", Some("10.0.0.1"), None), Err(Errno::EINVAL), "ourselves");
    assert_eq!(to("192.0.2.0/24", None, Some(LinkId::from_index(9))), Err(Errno::ENODEV));
    assert_eq!(to("192.0.2.0/24", None, None), Err(Errno::ENODEV));
    assert_eq!(to("2001:db8::/32", Some("fe80::1"), None), Err(Errno::EINVAL), "on which link?");
    let (dst, len) = net("192.0.2.0/24");
    assert_eq!(stack.remove_route(&RouteMatch::to(dst, len)), Err(Errno::ESRCH));
    let stray = Route { dst: net("192.0.2.1/24").0, ..route("192.0.2.0/24", None, Some(link)) };
    assert_eq!(stack.add_route(stray, RouteUpdate::Add), Err(Errno::EINVAL), "bits behind the prefix");
    let change = |stack: &mut Stack, metric, update| {
        stack.add_route(Route { metric, ..route("192.0.2.0/24", Some("10.0.0.9"), None) }, update)
    };
    assert_eq!(change(&mut stack, 5, RouteUpdate::Change), Err(Errno::ENOENT));
    assert_eq!(change(&mut stack, 5, RouteUpdate::Replace), Ok(()));
    let found = stack.route_to("192.0.2.7".parse().expect("an address"), None).expect("a route");
    assert_eq!(found.gateway, Some("10.0.0.9".parse().expect("an address")));
    assert_eq!(found.source, Some("10.0.0.1".parse().expect("an address")));
    let blackhole = Route { kind: RouteKind::Unreachable, ..route("192.0.2.0/24", None, None) };
    assert_eq!(stack.add_route(blackhole, RouteUpdate::Add), Ok(()), "a lower metric");
    let udp = stack.udp_socket(Domain::Inet);
    let peer = "192.0.2.7:9".parse().ok();
    assert_eq!(stack.send_to(udp, b"x", peer), Err(Errno::EHOSTUNREACH));
}

#[test]
fn addresses_come_and_go_with_their_routes() {
    let mut stack = Stack::new(Config { seed: 1 });
    let link = add(&mut stack, "10.0.0.1");
    let address = |text| {
        let (ip, len) = net(text);
        Address::new(ip, len)
    };
    assert_eq!(stack.add_address(link, address("10.0.0.1/24")), Err(Errno::EEXIST));
    assert_eq!(stack.add_address(link, address("224.0.0.1/24")), Err(Errno::EINVAL));
    assert_eq!(stack.add_address(link, address("10.0.0.5/24")), Ok(()));
    let secondary = stack.addresses().into_iter().any(|(_, a)| a.flags & Address::SECONDARY != 0);
    assert!(secondary);
    let connected = |stack: &Stack| stack.routes().iter().filter(|r| r.table == Route::TABLE_MAIN).count();
    assert_eq!(connected(&stack), 1);
    stack.set_up(link, false).expect("down");
    assert_eq!(connected(&stack), 0);
    stack.set_up(link, true).expect("up");
    assert_eq!(connected(&stack), 1);
    let (ip, len) = net("10.0.0.1/24");
    assert_eq!(stack.remove_address(link, ip, len), Ok(()));
    assert_eq!(stack.remove_address(link, ip, len), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(connected(&stack), 0, "the secondary one went with the first");
    let limited = Address { valid_until_ns: Some(5_000_000_000), ..address("10.0.0.7/24") };
    assert_eq!(stack.add_address(link, limited), Ok(()));
    stack.advance(4_999_999_999);
    assert_eq!(connected(&stack), 1);
    assert_eq!(stack.next_deadline(), Some(5_000_000_000));
    stack.advance(5_000_000_000);
    assert_eq!(connected(&stack), 0);
}

#[test]
fn a_connection_follows_the_routes() {
    let mut stack = Stack::new(Config { seed: 1 });
    let add = |stack: &mut Stack, name: &str, addr: &str| {
        let config = LinkConfig { addrs: vec![net(addr)], ..LinkConfig::ip(name) };
        stack.add_link(config).expect("a link")
    };
    let (first, second) = (add(&mut stack, "a", "10.0.0.1/24"), add(&mut stack, "b", "10.0.1.1/24"));
    stack.add_route(route("192.0.2.0/24", None, Some(first)), RouteUpdate::Add).expect("a route");
    let tcp = stack.tcp_socket(Domain::Inet);
    let peer = "192.0.2.1:9".parse().expect("an address");
    assert_eq!(stack.connect(tcp, peer), Err(Errno::EINPROGRESS));
    assert_eq!(stack.next_frame().map(|(link, _)| link), Some(first));
    stack.remove_link(first).expect("gone");
    let other = Route { metric: 9, ..route("192.0.2.0/24", None, Some(second)) };
    stack.add_route(other, RouteUpdate::Add).expect("a route");
    stack.advance(2_000_000_000);
    assert_eq!(stack.next_frame().map(|(link, _)| link), Some(second));
    stack.set_up(second, false).expect("down");
    for second in 3..200 {
        stack.advance(second * 1_000_000_000);
    }
    assert_eq!(stack.connect(tcp, peer), Err(Errno::ENETUNREACH), "the reason of the time-out");
}

#[test]
fn links_change() {
    let mut stack = Stack::new(Config { seed: 1 });
    let link = add(&mut stack, "10.0.0.1");
    let ethernet = stack.add_link(LinkConfig::ethernet("eth0", Mac([2; 6]))).expect("a link");
    assert_eq!(stack.rename_link(link, "eth0"), Err(Errno::EEXIST));
    assert_eq!(stack.rename_link(link, "a/b"), Err(Errno::EINVAL));
    assert_eq!(stack.rename_link(link, "wan0"), Ok(()));
    assert_eq!(stack.link_named("wan0"), Some(link));
    assert_eq!(stack.set_mac(link, Mac([2; 6])), Err(Errno::EOPNOTSUPP));
    assert_eq!(stack.set_mac(ethernet, Mac([3; 6])), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(stack.set_mtu(ethernet, 67), Err(Errno::EINVAL));
    assert_eq!(stack.set_mtu(ethernet, 1000), Ok(()));
    let v6 = stack.addresses().into_iter().any(|(id, a)| id == ethernet && a.ip.is_ipv6());
    assert!(!v6, "too small for IPv6");
    assert_eq!(stack.add_link(LinkConfig::ethernet("eth0", Mac([2; 6]))), Err(Errno::EEXIST));
    assert_eq!(stack.remove_neighbour(ethernet, [10, 0, 0, 9].into()), Err(Errno::ENOENT));
}
