//! bind(2), listen(2), accept(2): who gets a port, and what a listener does with connections.
#![allow(missing_docs)]

mod common;

use std::net::Shutdown;

use abi::Errno;
use common::{at, client, listener, pair, polled, recv, stack, tcp_states};
use tcpip::{Domain, Opt, SocketId, Stack};

/// A TCP socket with options that bind(2) is tried on.
fn try_bind(net: &mut Stack, addr: &str, opts: &[Opt]) -> (SocketId, Result<(), Errno>) {
    let addr = at(addr);
    let id = net.tcp_socket(if addr.is_ipv4() { Domain::Inet } else { Domain::Inet6 });
    for &opt in opts {
        net.set_option(id, opt).expect("an option");
    }
    (id, net.bind(id, addr))
}

const ADDR: &[Opt] = &[Opt::ReuseAddr(true)];
const PORT: &[Opt] = &[Opt::ReusePort(true)];
const IN_USE: Result<(), Errno> = Err(Errno::EADDRINUSE);

#[test]
fn overlapping_addresses_conflict_unless_both_reuse() {
    for (first, second, opts, expected) in [
        ("127.0.0.1:80", "127.0.0.1:80", &[][..], IN_USE),
        ("127.0.0.1:80", "127.0.0.2:80", &[], Ok(())),
        ("0.0.0.0:80", "127.0.0.2:80", &[], IN_USE),
        ("127.0.0.2:80", "0.0.0.0:80", &[], IN_USE),
        ("[::]:80", "0.0.0.0:80", &[], IN_USE),
        ("[::]:80", "[::1]:80", &[], IN_USE),
        ("[::1]:80", "127.0.0.1:80", &[], Ok(())),
        ("[::ffff:127.0.0.1]:80", "127.0.0.1:80", &[], IN_USE),
        ("[::ffff:0.0.0.0]:80", "[::1]:80", &[], Ok(())),
        ("127.0.0.1:80", "127.0.0.1:80", ADDR, Ok(())),
        ("127.0.0.1:80", "127.0.0.1:80", PORT, Ok(())),
    ] {
        let mut net = stack();
        assert_eq!(try_bind(&mut net, first, opts).1, Ok(()), "{first}");
        assert_eq!(try_bind(&mut net, second, opts).1, expected, "{first} then {second}");
    }
    let mut net = stack();
    assert_eq!(try_bind(&mut net, "[::]:80", &[Opt::V6Only(true)]).1, Ok(()));
    assert_eq!(try_bind(&mut net, "0.0.0.0:80", &[]).1, Ok(()));
}

#[test]
fn a_listener_shares_with_reuseport_only() {
    let mut net = stack();
    let (first, _) = try_bind(&mut net, "127.0.0.1:80", ADDR);
    let (second, bound) = try_bind(&mut net, "127.0.0.1:80", ADDR);
    assert_eq!(bound, Ok(()));
    assert_eq!(net.listen(first, 1), Ok(()));
    assert_eq!(net.listen(second, 1), Err(Errno::EADDRINUSE));
    assert_eq!(try_bind(&mut net, "127.0.0.1:80", ADDR).1, IN_USE);
}

#[test]
fn reuseport_listeners_share_the_connections() {
    let mut net = stack();
    let listeners: Vec<_> = (0..2)
        .map(|_| {
            let (id, bound) = try_bind(&mut net, "127.0.0.1:80", PORT);
            bound.expect("shared");
            net.listen(id, 1000).expect("bound");
            id
        })
        .collect();
    for _ in 0..200 {
        client(&mut net, "127.0.0.1:80");
    }
    let mut accepted = |id| std::iter::from_fn(|| net.accept(id).ok()).count();
    let shares = [accepted(listeners[0]), accepted(listeners[1])];
    assert_eq!(shares[0] + shares[1], 200);
    assert!(shares.iter().all(|&n| n > 50), "{shares:?}");
}

#[test]
fn a_restarted_server_needs_reuseaddr() {
    let mut net = stack();
    let (server, _) = try_bind(&mut net, "127.0.0.1:80", ADDR);
    net.listen(server, 5).expect("bound");
    client(&mut net, "127.0.0.1:80");
    let (connection, _) = net.accept(server).expect("one");
    net.close(server);
    assert_eq!(try_bind(&mut net, "127.0.0.1:80", &[]).1, IN_USE);
    let (again, bound) = try_bind(&mut net, "127.0.0.1:80", ADDR);
    assert_eq!(bound, Ok(()));
    assert_eq!(net.listen(again, 5), Ok(()));
    net.close(again);
    // The same with a TIME-WAIT.
    net.close(connection);
    assert_eq!(try_bind(&mut net, "127.0.0.1:80", &[]).1, IN_USE);
    assert_eq!(try_bind(&mut net, "127.0.0.1:80", ADDR).1, Ok(()));
}

#[test]
fn a_time_wait_gives_way_on_lo() {
    let mut net = stack();
    let listener = listener(&mut net, "127.0.0.1:80");
    let connect = |net: &mut Stack| {
        let (id, bound) = try_bind(net, "127.0.0.1:4000", ADDR);
        bound.expect("nobody else");
        assert_eq!(net.connect(id, at("127.0.0.1:80")), Err(Errno::EINPROGRESS));
        assert_eq!(net.connect(id, at("127.0.0.1:80")), Ok(()));
        id
    };
    for _ in 0..3 {
        let client = connect(&mut net);
        let (server, _) = net.accept(listener).expect("one");
        net.close(client);
        net.close(server);
        assert_eq!(tcp_states(&net), ["LISTEN", "TIME-WAIT"]);
    }
}

#[test]
fn ephemeral_ports_run_out_per_destination() {
    let mut net = stack();
    for port in ["127.0.0.1:80", "127.0.0.1:81"] {
        let id = listener(&mut net, port);
        net.listen(id, 4096).expect("again");
    }
    let connect = |net: &mut Stack, addr: &str| {
        let id = net.tcp_socket(Domain::Inet);
        net.set_option(id, Opt::SndBuf(2048)).expect("an option");
        let result = net.connect(id, at(addr));
        if let Ok((server, _)) = net.accept(SocketId::clone(&id)) {
            net.close(server);
        }
        result
    };
    // Those beyond the backlog stay in SYN-SENT: they have a port all the same.
    for n in 0..28232 {
        assert_eq!(connect(&mut net, "127.0.0.1:80"), Err(Errno::EINPROGRESS), "{n}");
    }
    assert_eq!(connect(&mut net, "127.0.0.1:80"), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(connect(&mut net, "127.0.0.1:81"), Err(Errno::EINPROGRESS));
    assert_eq!(try_bind(&mut net, "127.0.0.1:0", &[]).1, IN_USE);
}

/// Whatever the options: who shares a port asks for it.
#[test]
fn ephemeral_ports_of_tcp_are_not_shared() {
    for options in [&[], ADDR, PORT] {
        let mut net = stack();
        net.settings_mut().ip_local_port_range = (32768, 32768);
        assert_eq!(try_bind(&mut net, "127.0.0.1:0", options).1, Ok(()));
        assert_eq!(try_bind(&mut net, "127.0.0.1:0", options).1, IN_USE);
        assert_eq!(try_bind(&mut net, "127.0.0.2:0", options).1, Ok(()));
    }
}

#[test]
fn a_full_accept_queue_lets_the_client_try_again() {
    let mut net = stack();
    let id = net.tcp_socket(Domain::Inet);
    net.bind(id, at("127.0.0.1:80")).expect("free");
    net.listen(id, 1).expect("bound");
    // Linux: sk_acceptq_is_full takes one more than the backlog.
    let clients: Vec<_> = (0..3).map(|_| client(&mut net, "127.0.0.1:80")).collect();
    assert_eq!(polled(&net, clients[1]), "OUT");
    assert_eq!(polled(&net, clients[2]), "");
    assert!(net.counters().tcp_listen_overflows > 0);
    net.accept(id).expect("the first");
    let retransmission = net.next_deadline().expect("a SYN to send again");
    assert!(retransmission <= 1_000_000_000);
    net.advance(1_000_000_000);
    assert_eq!(polled(&net, clients[2]), "OUT");
}

#[test]
fn what_a_client_sent_and_closed_before_accept_is_there() {
    let mut net = stack();
    let listener = listener(&mut net, "127.0.0.1:80");
    let client = client(&mut net, "127.0.0.1:80");
    net.send(client, b"early").expect("connected");
    net.close(client);
    assert_eq!(net.next_change(), Some(listener));
    let (server, _) = net.accept(listener).expect("one");
    assert_eq!(recv(&mut net, server), Ok("early".to_owned()));
    assert_eq!(recv(&mut net, server), Ok(String::new()));
}

#[test]
fn a_client_that_reset_before_accept_is_accepted_as_an_error() {
    let mut net = stack();
    let listener = listener(&mut net, "127.0.0.1:80");
    let client = client(&mut net, "127.0.0.1:80");
    net.set_option(client, Opt::Linger(Some(0))).expect("an option");
    net.close(client);
    let (server, _) = net.accept(listener).expect("one");
    assert_eq!(polled(&net, server), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(recv(&mut net, server), Err(Errno::ECONNRESET));
}

#[test]
fn closing_a_listener_resets_who_was_not_accepted() {
    let mut net = stack();
    let listener = listener(&mut net, "127.0.0.1:80");
    let client = client(&mut net, "127.0.0.1:80");
    assert_eq!(polled(&net, listener), "IN");
    net.close(listener);
    assert_eq!(net.take_error(client), Some(Errno::ECONNRESET));
    assert_eq!(net.readiness(listener), tcpip::Readiness::default());
    assert_eq!(net.accept(listener), Err(Errno::EBADF));
}

#[test]
fn shutting_a_listener_down_ends_listening() {
    let mut net = stack();
    let listener = listener(&mut net, "127.0.0.1:80");
    assert_eq!(net.shutdown(listener, Shutdown::Write), Ok(()));
    assert!(net.is_listening(listener));
    assert_eq!(net.shutdown(listener, Shutdown::Read), Ok(()));
    assert_eq!(net.next_change(), Some(listener));
    assert_eq!(net.accept(listener), Err(Errno::EINVAL));
    let refused = client(&mut net, "127.0.0.1:80");
    assert_eq!(net.take_error(refused), Some(Errno::ECONNREFUSED));
    assert_eq!(net.local_addr(listener), Ok(at("127.0.0.1:80")));
}

#[test]
fn a_dual_stack_listener_shows_ipv4_clients_as_mapped() {
    let mut net = stack();
    let listener = listener(&mut net, "[::]:80");
    let four = client(&mut net, "127.0.0.1:80");
    let (server, peer) = net.accept(listener).expect("one");
    let port = net.local_addr(four).expect("bound").port();
    assert_eq!(peer, at(&format!("[::ffff:127.0.0.1]:{port}")));
    assert_eq!(net.local_addr(server), Ok(at("[::ffff:127.0.0.1]:80")));
    let six = net.tcp_socket(Domain::Inet6);
    assert_eq!(net.connect(six, at("[::ffff:127.0.0.1]:80")), Err(Errno::EINPROGRESS));
    assert_eq!(net.connect(six, at("[::ffff:127.0.0.1]:80")), Ok(()));
    let only = net.tcp_socket(Domain::Inet6);
    net.set_option(only, Opt::V6Only(true)).expect("unbound");
    assert_eq!(net.connect(only, at("[::ffff:127.0.0.1]:80")), Err(Errno::ENETUNREACH));
}

#[test]
fn options_are_shown_as_linux_shows_them() {
    let mut net = stack();
    let id = net.tcp_socket(Domain::Inet);
    let shown = |net: &Stack| net.options(id).expect("open");
    assert_eq!((shown(&net).sndbuf, shown(&net).rcvbuf), (16384, 131_072));
    net.set_option(id, Opt::SndBuf(1)).expect("an option");
    net.set_option(id, Opt::RcvBuf(100_000_000)).expect("an option");
    assert_eq!((shown(&net).sndbuf, shown(&net).rcvbuf), (4608, 425_984));
    assert_eq!(net.set_option(id, Opt::Ttl(0)), Err(Errno::EINVAL));
    assert_eq!(net.set_option(id, Opt::KeepCnt(128)), Err(Errno::EINVAL));
    assert_eq!(net.set_option(id, Opt::V6Only(true)), Err(Errno::ENOPROTOOPT));
    let udp = net.udp_socket(Domain::Inet);
    assert_eq!(net.set_option(udp, Opt::NoDelay(true)), Err(Errno::ENOPROTOOPT));
}

#[test]
fn sockstat_sees_every_socket() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    net.send(client, b"four").expect("room");
    let info = net.sockets().into_iter().find(|s| s.id == Some(server)).expect("listed");
    assert_eq!((info.state, info.recv_queue, info.local), ("ESTAB", 4, at("127.0.0.1:80")));
    net.close(server);
    net.close(client);
    assert!(net.sockets().is_empty());
}
