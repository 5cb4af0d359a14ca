//! A link whose packets for other hosts are taken: what a guest sees of the outside.
#![allow(missing_docs)]

mod common;

use std::net::Shutdown;

use abi::Errno;
use common::{
    at,
    net::{B, MS, Net, Weather},
    recv,
};
use tcpip::{
    Domain, Intercepted, InterceptedDatagram, InterceptedSyn, Problem, Protocol, Refusal, Route, RouteUpdate,
    SocketId,
};

const OUTSIDE: &str = "192.0.2.7:80";

/// `stacks[0]` is the guest, `stacks[1]` its gateway.
fn net() -> Net {
    let mut net = Net::new(3, Weather::FINE);
    let gateway = B.parse().expect("an address");
    let link = net.stacks[0].link_named("p2p0");
    net.stacks[0].add_route(Route::default_via(gateway, link), RouteUpdate::Add).expect("a route");
    let link = net.stacks[1].link_named("p2p0").expect("a link");
    net.stacks[1].set_transparent(link, true).expect("a link");
    net
}

fn connecting(net: &mut Net) -> SocketId {
    common::client(&mut net.stacks[0], OUTSIDE)
}

fn next(net: &mut Net) -> Option<Intercepted> {
    net.run(50 * MS);
    net.stacks[1].next_intercepted()
}

fn syn(net: &mut Net) -> InterceptedSyn {
    match next(net) {
        Some(Intercepted::Syn(syn)) => syn,
        other => panic!("no SYN but {other:?}"),
    }
}

fn datagram(net: &mut Net) -> InterceptedDatagram {
    match next(net) {
        Some(Intercepted::Datagram(datagram)) => datagram,
        other => panic!("no datagram but {other:?}"),
    }
}

#[test]
fn a_connection_is_there_once_it_is_accepted() {
    let mut net = net();
    let client = connecting(&mut net);
    let syn = syn(&mut net);
    assert_eq!(syn.to, at(OUTSIDE));
    // Retransmissions are not shown again.
    net.run(3000 * MS);
    assert_eq!(net.stacks[1].next_intercepted(), None);
    assert_eq!(net.stacks[0].connect(client, at(OUTSIDE)), Err(Errno::EALREADY));

    let server = net.stacks[1].accept_intercepted(&syn).expect("a socket");
    assert_eq!(net.stacks[1].room(server), 0);
    net.run(50 * MS);
    assert_eq!(net.stacks[0].connect(client, at(OUTSIDE)), Ok(()));
    assert_eq!(net.stacks[1].local_addr(server), Ok(at(OUTSIDE)));
    assert!(net.stacks[1].room(server) > 1000);
    assert_eq!(net.stacks[1].accept_intercepted(&syn), Err(Errno::ECONNABORTED));

    net.stacks[0].send(client, b"to").expect("room");
    net.stacks[0].shutdown(client, Shutdown::Write).expect("connected");
    net.run(50 * MS);
    assert_eq!(recv(&mut net.stacks[1], server), Ok("to".to_owned()));
    assert_eq!(recv(&mut net.stacks[1], server), Ok(String::new()));
    net.stacks[1].send(server, b"fro").expect("room");
    net.stacks[1].close(server);
    net.run(50 * MS);
    assert_eq!(recv(&mut net.stacks[0], client), Ok("fro".to_owned()));
    assert_eq!(recv(&mut net.stacks[0], client), Ok(String::new()));
}

#[test]
fn a_connection_is_refused_in_three_ways() {
    let mut net = net();
    for (refusal, told) in [
        (Refusal::Reset, Errno::ECONNREFUSED),
        (Refusal::Problem(Problem::Host), Errno::EHOSTUNREACH),
        (Refusal::Problem(Problem::Network), Errno::ENETUNREACH),
    ] {
        let client = connecting(&mut net);
        let syn = syn(&mut net);
        net.stacks[1].refuse_intercepted(&syn, refusal);
        net.run(50 * MS);
        assert_eq!(net.stacks[0].connect(client, at(OUTSIDE)), Err(told));
    }
    let client = connecting(&mut net);
    let first = syn(&mut net);
    net.stacks[1].refuse_intercepted(&first, Refusal::Silence);
    net.run(2000 * MS);
    assert_eq!(syn(&mut net), first, "it has come again");
    assert_eq!(net.stacks[0].connect(client, at(OUTSIDE)), Err(Errno::EALREADY));
}

#[test]
fn datagrams_are_answered_in_the_others_name() {
    let mut net = net();
    let socket = net.stacks[0].udp_socket(Domain::Inet);
    net.stacks[0].connect(socket, at(OUTSIDE)).expect("a way");
    net.stacks[0].send(socket, b"question").expect("sent");
    let asked = datagram(&mut net);
    assert_eq!((asked.to, asked.protocol, asked.data()), (at(OUTSIDE), Protocol::Udp, &b"question"[..]));
    net.stacks[1].send_datagram(asked.to, asked.from, b"answer").expect("a way");
    net.run(50 * MS);
    assert_eq!(recv(&mut net.stacks[0], socket), Ok("answer".to_owned()));

    net.stacks[0].send(socket, &[7; 4000]).expect("sent");
    let long = datagram(&mut net);
    assert_eq!(long.data(), [7; 4000], "put together from fragments");
    net.stacks[1].reject(&long.head(), Problem::Port);
    net.run(50 * MS);
    assert_eq!(recv(&mut net.stacks[0], socket), Err(Errno::ECONNREFUSED));
}

#[test]
fn echo_requests_are_handed_out_but_not_ours() {
    let mut net = net();
    let socket = net.stacks[0].ping_socket(Domain::Inet);
    let request = [8, 0, 0, 0, 0, 0, 0, 1, b'x'];
    net.stacks[0].send_to(socket, &request, Some(at("10.0.0.2:0"))).expect("sent");
    assert_eq!(next(&mut net), None);
    assert!(recv(&mut net.stacks[0], socket).is_ok(), "the gateway answers for itself");

    net.stacks[0].send_to(socket, &request, Some(at(OUTSIDE))).expect("sent");
    let asked = datagram(&mut net);
    assert_eq!((asked.protocol, asked.data()), (Protocol::Ping, &b"x"[..]));
    let mut reply = asked.message().to_vec();
    reply[0] = 0;
    net.stacks[1].send_echo_reply(asked.to.ip(), asked.from.ip(), &reply);
    net.run(50 * MS);
    let mut buf = [0; 64];
    let got = net.stacks[0].recv_from(socket, &mut buf, false).expect("a reply");
    assert_eq!((got.from.ip(), got.len, &buf[6..9]), (at(OUTSIDE).ip(), 9, &[0, 1, b'x'][..]));
}

#[test]
fn nothing_is_taken_that_means_another_host_elsewhere() {
    let mut net = net();
    let socket = net.stacks[0].udp_socket(Domain::Inet);
    for to in ["169.254.169.254:80", "0.0.0.1:80", "10.0.0.255:80", "224.0.0.5:80"] {
        let _ = net.stacks[0].set_option(socket, tcpip::Opt::Broadcast(true));
        let _ = net.stacks[0].send_to(socket, b"x", Some(at(to)));
        assert_eq!(next(&mut net), None, "{to}");
    }
    // The last hop of a traceroute(8) but one.
    net.stacks[0].set_option(socket, tcpip::Opt::Ttl(1)).expect("an option");
    net.stacks[0].set_option(socket, tcpip::Opt::RecvErr4(true)).expect("an option");
    net.stacks[0].send_to(socket, b"x", Some(at(OUTSIDE))).expect("sent");
    assert_eq!(next(&mut net), None);
    assert_eq!(recv(&mut net.stacks[0], socket), Err(Errno::EHOSTUNREACH), "time exceeded");
}
