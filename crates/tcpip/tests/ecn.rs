//! Marks of congestion (RFC 3168), and the retransmission time-out (RFC 6298).
#![allow(clippy::expect_used, reason = "a test")]

mod common;

use common::net::{MS, Net, Weather};
use tcpip::{SocketId, TcpInfo};

const ECN: u8 = 8;
const SEEN: u8 = 16;

/// A connection whose ends have these values of `net.ipv4.tcp_ecn`.
fn connect(seed: u64, ecn: [u32; 2]) -> (Net, [SocketId; 2]) {
    let mut net = Net::new(seed, Weather::FINE);
    for (stack, ecn) in net.stacks.iter_mut().zip(ecn) {
        stack.settings_mut().tcp_ecn = ecn;
    }
    let (client, server, _) = net.connect(80);
    (net, [client, server])
}

/// Sends from the client to the server; how long that took.
fn transfer(net: &mut Net, [client, server]: [SocketId; 2], len: usize) -> u64 {
    let data: Vec<u8> = (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (began_ns, mut sent, mut received, mut buf) = (net.now_ns, 0, Vec::new(), vec![0; 65536]);
    while received.len() < len {
        assert!(net.now_ns < began_ns + 600_000 * MS, "{} of {len} bytes in ten minutes", received.len());
        if let Ok(n) = net.stacks[0].send(client, &data[sent..]) {
            sent += n;
        }
        while let Ok(n) = net.stacks[1].recv(server, &mut buf, false) {
            received.extend_from_slice(&buf[..n]);
        }
        net.step(net.now_ns + 10 * MS);
    }
    assert!(received == data, "not what was sent");
    net.now_ns - began_ns
}

fn info(net: &Net, end: usize, id: SocketId) -> TcpInfo {
    net.stacks[end].tcp_info(id).expect("TCP")
}

#[test]
fn it_is_used_where_one_asks_and_the_other_accepts() {
    for (ecn, used) in [([1, 2], true), ([1, 1], true), ([1, 0], false), ([2, 2], false), ([0, 1], false)] {
        let (mut net, ends) = connect(1, ecn);
        transfer(&mut net, ends, 20_000);
        for (end, id) in ends.into_iter().enumerate() {
            assert_eq!(info(&net, end, id).options & ECN != 0, used, "{ecn:?}, end {end}");
        }
        assert_eq!(info(&net, 1, ends[1]).options & SEEN != 0, used, "{ecn:?}");
    }
}

#[test]
fn marks_make_the_window_smaller_and_nothing_is_sent_again() {
    let took_ns = |loss_percent, ecn| {
        let (mut net, ends) = connect(2, ecn);
        net.weather = Weather { loss_percent, ecn: true, ..Weather::FINE };
        let took_ns = transfer(&mut net, ends, 3_000_000);
        (took_ns, info(&net, 0, ends[0]).total_retrans)
    };
    let (clear_ns, none) = took_ns(0, [1, 2]);
    let (marked_ns, again) = took_ns(2, [1, 2]);
    assert_eq!(none, 0);
    // Acknowledgements without data cannot be marked, and 2 % of them are lost: now and then the last of a window.
    assert!(again <= 4, "{again}");
    assert!(marked_ns > 3 * clear_ns, "marks are heard: {clear_ns} ns without, {marked_ns} ns with");
    let (lost_ns, lost) = took_ns(2, [0, 0]);
    assert!(lost > 20 && marked_ns < lost_ns * 2, "{lost} lost, {lost_ns} ns against {marked_ns} ns");
}

#[test]
fn the_first_time_out_is_two_hundred_milliseconds_and_doubles() {
    let (mut net, ends) = connect(3, [2, 2]);
    transfer(&mut net, ends, 1000);
    net.run(1_000 * MS);
    let rto_ms = info(&net, 0, ends[0]).rto_us / 1000;
    assert!((200..300).contains(&rto_ms), "{rto_ms} ms");
    net.weather.loss_percent = 100;
    let before = info(&net, 0, ends[0]).total_retrans;
    net.stacks[0].send(ends[0], b"x").expect("room");
    let mut seen = Vec::new();
    for _ in 0..14 {
        net.run(500 * MS);
        let info = info(&net, 0, ends[0]);
        seen.push((info.total_retrans - before, info.backoff));
    }
    // A probe of the tail after some 80 ms; time-outs about 0.3, 0.7, 1.5, 3.1, and 6.3 s after the bytes were sent.
    assert_eq!(seen[0], (2, 1), "{seen:?}");
    assert_eq!(seen[1], (3, 2), "{seen:?}");
    assert_eq!(seen[13], (6, 5), "{seen:?}");
    net.weather.loss_percent = 0;
    net.run(13_000 * MS);
    assert_eq!(common::recv(&mut net.stacks[1], ends[1]).as_deref(), Ok("x"));
    let info = info(&net, 0, ends[0]);
    assert_eq!((info.backoff, info.unacked), (0, 0));
    assert!(info.rto_us < 1_000_000, "{info:?}");
}

/// A FIN is sent again as soon.
#[test]
fn a_lost_fin_is_sent_again() {
    let (mut net, [client, server]) = connect(4, [2, 2]);
    net.weather.loss_percent = 100;
    net.stacks[0].shutdown(client, std::net::Shutdown::Write).expect("connected");
    net.run(150 * MS);
    net.weather.loss_percent = 0;
    net.run(300 * MS);
    assert_eq!(common::recv(&mut net.stacks[1], server).as_deref(), Ok(""));
}
