//! A router between two hosts for an hour of virtual time: all that is sent arrives, neighbours are looked after, and nothing piles up.
#![allow(missing_docs)]

mod common;

use common::{at, lan::Lan, net::MS, recv};
use tcpip::{Domain, Route, RouteUpdate, SocketId, Stack};

const HOUR_NS: u64 = 3_600_000 * MS;
const TO_B: [&str; 2] = ["10.0.2.2:9", "[2001:db8:2::2]:9"];

/// `A - R - B`.
fn path(seed: u64) -> Lan {
    let mut lan = Lan::new(seed);
    let [a, r, b] = [lan.host(), lan.host(), lan.host()];
    lan.join(a, 0, &["10.0.1.2/24", "2001:db8:1::2/64"]);
    lan.join(r, 0, &["10.0.1.1/24", "2001:db8:1::1/64"]);
    lan.join(r, 1, &["10.0.2.1/24", "2001:db8:2::1/64"]);
    lan.join(b, 1, &["10.0.2.2/24", "2001:db8:2::2/64"]);
    for (host, net) in [(a, 1), (b, 2)] {
        for gateway in [format!("10.0.{net}.1"), format!("2001:db8:{net}::1")] {
            let route = Route::default_via(gateway.parse().expect("an address"), None);
            lan.stacks[host].add_route(route, RouteUpdate::Add).expect("a route");
        }
    }
    let settings = lan.stacks[r].settings_mut();
    (settings.ip_forward, settings.forwarding) = (true, true);
    lan.run(2_000 * MS);
    lan
}

fn udp(stack: &mut Stack, to: &str) -> SocketId {
    stack.udp_socket(if at(to).is_ipv4() { Domain::Inet } else { Domain::Inet6 })
}

/// What the router keeps for others.
fn kept(lan: &Lan) -> [usize; 3] {
    let router = &lan.stacks[1];
    [router.neighbours().len(), router.sockets().len(), router.routes().len()]
}

fn an_hour(seed: u64) {
    let mut lan = path(seed);
    let listener = common::listener(&mut lan.stacks[2], "10.0.2.2:80");
    let client = common::client(&mut lan.stacks[0], "10.0.2.2:80");
    lan.run(1_000 * MS);
    let (server, _) = lan.stacks[2].accept(listener).expect("a connection");
    let ends: Vec<(SocketId, SocketId)> = TO_B
        .iter()
        .map(|to| {
            let sink = udp(&mut lan.stacks[2], to);
            lan.stacks[2].bind(sink, at(to)).expect("bind");
            (udp(&mut lan.stacks[0], to), sink)
        })
        .collect();
    let mut early = None;
    let (begun, mut sent, mut pauses) = (lan.now_ns, 0_u32, seed);
    while lan.now_ns < begun + HOUR_NS {
        // Pauses of up to two minutes: neighbours become stale meanwhile (RFC 4861, 7.3), and are asked again.
        pauses = pauses.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        lan.run(if sent % 8 == 0 { (pauses >> 33) % 120_000 * MS } else { 250 * MS });
        let text = format!("number {sent}");
        for (&(from, sink), to) in ends.iter().zip(TO_B) {
            lan.stacks[0].send_to(from, text.as_bytes(), Some(at(to))).expect("sent");
            lan.run(20 * MS);
            assert_eq!(recv(&mut lan.stacks[2], sink), Ok(text.clone()), "at {} s", lan.now_ns / (1000 * MS));
        }
        lan.stacks[0].send(client, text.as_bytes()).expect("sent");
        lan.run(20 * MS);
        assert_eq!(recv(&mut lan.stacks[2], server), Ok(text));
        sent += 1;
        // The frames are not the router's memory.
        let arp = lan.seen.iter().filter(|(_, frame)| frame[12..14] == [8, 6]).count();
        lan.seen.retain(|(_, frame)| frame[12..14] == [8, 6]);
        if sent == 50 {
            early = Some((kept(&lan), arp));
        }
    }
    let (early, arp) = early.expect("an hour is long");
    let late = kept(&lan);
    // Each host has an address of either family there, and one of the link's.
    assert!(late[0] <= 6 && late[1..] == early[1..], "{late:?} of {early:?}");
    assert!(lan.seen.len() > arp, "neighbours are asked again");
    assert!(lan.stacks[1].counters().ip_forw_datagrams >= u64::from(sent) * 2);
}

#[test]
fn without_losing_its_mind() {
    for seed in [1, 2, 3] {
        an_hour(seed);
    }
}
