//! Two kernels on a virtual clock, and a link that loses, delays, reorders and duplicates.
#![allow(missing_docs)]

mod common;

use std::net::Shutdown;

use abi::Errno;
use common::{
    at, client, listener,
    net::{A, B, MS, Net, Weather},
    polled, recv, tcp_states,
};
use tcpip::{Domain, Opt, SocketId};

/// Byte `n` of the stream that is sent.
fn pattern(n: usize) -> u8 {
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    mixed.to_le_bytes()[0]
}

/// Sends `total` bytes each way at once, then FINs, and compares. The time it took.
fn exchange(net: &mut Net, ends: [SocketId; 2], total: usize) -> u64 {
    let data: Vec<u8> = (0..total).map(pattern).collect();
    let mut sent = [0; 2];
    let mut got = [Vec::new(), Vec::new()];
    let mut ended = [false; 2];
    let mut buf = [0; 4000];
    while ended != [true; 2] {
        for side in 0..2 {
            let (stack, end) = (&mut net.stacks[side], ends[side]);
            while sent[side] < total {
                let Ok(n) = stack.send(end, &data[sent[side]..]) else { break };
                sent[side] += n;
                if sent[side] == total {
                    stack.shutdown(end, Shutdown::Write).expect("connected");
                }
            }
            while let Ok(n) = stack.recv(end, &mut buf, false) {
                ended[side] |= n == 0;
                got[side].extend_from_slice(&buf[..n]);
                if n == 0 {
                    break;
                }
            }
        }
        assert!(ended == [true; 2] || step(net), "stuck at {sent:?}");
    }
    assert!(got[0] == data && got[1] == data, "the bytes differ");
    net.now_ns
}

/// Lets the next thing happen. `false`: nothing will, or it has gone on for a virtual day.
fn step(net: &mut Net) -> bool {
    let until_ns = net.now_ns + 600_000 * MS;
    net.now_ns < 86_400_000 * MS && net.step(until_ns)
}

#[test]
fn bulk_transfer_survives_loss() {
    for (loss, total) in [(0, 3_000_000), (1, 1_000_000), (5, 300_000), (20, 60_000)] {
        for seed in [1, 2, 3] {
            let mut net = Net::new(seed, Weather::losing(loss));
            let (client, server, _) = net.connect(80);
            let took_ns = exchange(&mut net, [client, server], total);
            println!("loss {loss} %: {total} bytes each way in {} virtual ms", took_ns / MS);
        }
    }
}

/// What is sent first behind the handshake, and all of a second try, is lost: it comes again within Linux's shortest time-out or so,
/// not after smoltcp's second.
#[test]
fn the_first_segment_is_repaired_soon() {
    let mut net = Net::new(4, Weather::FINE);
    let (client, server, _) = net.connect(80);
    net.run(50 * MS);
    net.weather.loss_percent = 100;
    net.stacks[0].send(client, b"request").expect("room");
    net.run(120 * MS);
    net.weather.loss_percent = 0;
    net.run(200 * MS);
    assert_eq!(recv(&mut net.stacks[1], server), Ok("request".to_owned()));
    let info = net.stacks[0].tcp_info(client).expect("TCP");
    assert!((9000..20_000).contains(&info.rtt_us), "{} µs of a round trip of 10 ms", info.rtt_us);
}

/// A FIN that is lost while all data arrives comes again, whatever duplicates the peer sends meanwhile.
#[test]
fn a_lost_fin_comes_again() {
    for seed in 55..65 {
        let mut net = Net::new(seed, Weather::losing(1));
        let (client, server, _) = net.connect(80);
        exchange(&mut net, [client, server], 300_000);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut net = Net::new(9, Weather::losing(5));
        let (client, server, _) = net.connect(80);
        (exchange(&mut net, [client, server], 50_000), net.stacks[0].counters())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_link_without_loss_retransmits_nothing() {
    let mut net = Net::new(4, Weather::FINE);
    let (client, server, _) = net.connect(80);
    let took_ns = exchange(&mut net, [client, server], 1_000_000);
    assert_eq!(net.stacks[0].counters().tcp_retrans_segs, 0);
    assert!(took_ns < 2000 * MS, "{took_ns} ns");
}

#[test]
fn many_connections_at_once_under_loss() {
    let mut net = Net::new(5, Weather::losing(3));
    let addr = format!("{B}:80");
    let listener = listener(&mut net.stacks[1], &addr);
    let clients: Vec<_> = (0..100).map(|_| client(&mut net.stacks[0], &addr)).collect();
    let mut servers = Vec::new();
    while servers.len() < clients.len() {
        assert!(step(&mut net), "{} of 100", servers.len());
        while let Ok((server, _)) = net.stacks[1].accept(listener) {
            servers.push(server);
        }
    }
    net.run(5_000 * MS);
    for (n, &client) in clients.iter().enumerate() {
        net.stacks[0].send(client, format!("{n}").as_bytes()).expect("room");
    }
    net.run(100_000 * MS);
    let mut got: Vec<usize> = servers
        .iter()
        .map(|&server| recv(&mut net.stacks[1], server).expect("a number").parse().expect("a number"))
        .collect();
    got.sort_unstable();
    assert!(got.into_iter().eq(0..100));
}

#[test]
fn connecting_to_nobody_times_out_after_127_seconds() {
    let mut net = Net::new(6, Weather::FINE);
    let id = client(&mut net.stacks[0], "10.0.0.99:80");
    net.weather.loss_percent = 100;
    net.run(126_000 * MS);
    assert_eq!(net.stacks[0].connect(id, at("10.0.0.99:80")), Err(Errno::EALREADY));
    assert_eq!(polled(&net.stacks[0], id), "");
    net.run(2_000 * MS);
    assert_eq!(polled(&net.stacks[0], id), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(net.stacks[0].connect(id, at("10.0.0.99:80")), Err(Errno::ETIMEDOUT));
}

#[test]
fn a_peer_that_vanishes_is_found_out_by_data_or_keep_alive_only() {
    let mut net = Net::new(7, Weather::FINE);
    let (client, server, _) = net.connect(80);
    net.stacks[1].set_option(server, Opt::KeepAlive(true)).expect("an option");
    net.stacks[1].set_option(server, Opt::KeepIdle(60)).expect("an option");
    net.stacks[1].set_option(server, Opt::KeepIntvl(10)).expect("an option");
    net.stacks[1].set_option(server, Opt::KeepCnt(3)).expect("an option");
    net.run(600_000 * MS);
    assert_eq!(polled(&net.stacks[1], server), "OUT");
    net.weather.loss_percent = 100;
    net.run(100_000 * MS);
    assert_eq!(net.stacks[1].take_error(server), Some(Errno::ETIMEDOUT));
    net.run(3_600_000 * MS);
    assert_eq!(polled(&net.stacks[0], client), "OUT");
    net.stacks[0].send(client, b"hello?").expect("room");
    net.run(900_000 * MS);
    assert_eq!(polled(&net.stacks[0], client), "OUT");
    net.run(60_000 * MS);
    assert_eq!(recv(&mut net.stacks[0], client), Err(Errno::ETIMEDOUT));
}

#[test]
fn user_timeout_shortens_the_wait() {
    let mut net = Net::new(8, Weather::FINE);
    let (client, _, _) = net.connect(80);
    net.stacks[0].set_option(client, Opt::UserTimeout(5000)).expect("an option");
    net.weather.loss_percent = 100;
    net.stacks[0].send(client, b"hello?").expect("room");
    net.run(6_000 * MS);
    assert_eq!(net.stacks[0].take_error(client), Some(Errno::ETIMEDOUT));
}

#[test]
fn both_may_close_at_once() {
    let mut net = Net::new(10, Weather::FINE);
    let (client, server, listener) = net.connect(80);
    net.stacks[1].close(listener);
    net.stacks[0].close(client);
    net.stacks[1].close(server);
    net.run(1_000 * MS);
    assert_eq!(tcp_states(&net.stacks[0]), ["TIME-WAIT"]);
    assert_eq!(tcp_states(&net.stacks[1]), ["TIME-WAIT"]);
    net.run(61_000 * MS);
    assert_eq!(tcp_states(&net.stacks[0]), [""; 0]);
    assert_eq!(tcp_states(&net.stacks[1]), [""; 0]);
}

#[test]
fn what_was_sent_before_close_arrives_although_nobody_holds_the_socket() {
    let mut net = Net::new(11, Weather::losing(10));
    let (client, server, _) = net.connect(80);
    let sent = net.stacks[0].send(client, &[7; 50_000]).expect("room");
    net.stacks[0].close(client);
    let mut got = 0;
    let mut buf = [0; 65536];
    loop {
        match net.stacks[1].recv(server, &mut buf, false) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) => assert_eq!(error, Errno::EAGAIN),
        }
        assert!(step(&mut net), "{got} of {sent}");
    }
    assert_eq!(got, sent);
}

#[test]
fn an_orphan_whose_peer_is_gone_does_not_stay() {
    let mut net = Net::new(12, Weather::FINE);
    let (client, _, _) = net.connect(80);
    net.weather.loss_percent = 100;
    net.stacks[0].send(client, b"into the void").expect("room");
    net.stacks[0].close(client);
    assert_eq!(tcp_states(&net.stacks[0]), ["FIN-WAIT-1"]);
    net.run(120_000 * MS);
    assert_eq!(tcp_states(&net.stacks[0]), [""; 0]);
    assert_eq!(net.stacks[0].next_deadline(), None);
}

#[test]
fn a_zero_window_is_probed_until_it_opens() {
    let mut net = Net::new(13, Weather::losing(10));
    let (client, server, _) = net.connect(80);
    let block = [3; 20_000];
    let mut sent = 0;
    // Two full buffers, and then nothing goes for five minutes.
    while net.now_ns < 600_000 * MS {
        let full = loop {
            match net.stacks[0].send(client, &block) {
                Ok(n) => sent += n,
                Err(error) => break error,
            }
        };
        assert_eq!(full, Errno::EAGAIN);
        net.run(1_000 * MS);
    }
    assert_eq!(polled(&net.stacks[0], client), "");
    let mut got = 0;
    let mut buf = [0; 65536];
    while got < sent {
        if let Ok(n) = net.stacks[1].recv(server, &mut buf, false) {
            got += n;
        } else {
            assert!(step(&mut net), "{got} of {sent}");
        }
    }
}

#[test]
fn datagrams_and_their_refusal_cross_the_link() {
    let mut net = Net::new(14, Weather::FINE);
    let server = net.stacks[1].udp_socket(Domain::Inet);
    net.stacks[1].bind(server, at("0.0.0.0:53")).expect("free");
    let id = net.stacks[0].udp_socket(Domain::Inet);
    net.stacks[0].connect(id, at(&format!("{B}:53"))).expect("a route");
    assert_eq!(net.stacks[0].local_addr(id).expect("bound").ip(), at(&format!("{A}:0")).ip());
    net.stacks[0].set_option(id, Opt::MtuDiscover4(2)).expect("an option");
    assert_eq!(net.stacks[0].send(id, &[0; 1473]), Err(Errno::EMSGSIZE));
    net.stacks[0].send(id, &[1; 1472]).expect("fits");
    net.run(10 * MS);
    let mut buf = [0; 2000];
    assert_eq!(net.stacks[1].recv_from(server, &mut buf, false).expect("it").len, 1472);
    net.stacks[1].close(server);
    net.stacks[0].send(id, b"x").expect("sent");
    net.run(20 * MS);
    assert_eq!(recv(&mut net.stacks[0], id), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_reset_behind_lost_segments_is_believed() {
    let mut net = Net::new(15, Weather::FINE);
    let (client, server, _) = net.connect(80);
    net.stacks[0].send(client, &[1; 1000]).expect("room");
    net.run(100 * MS);
    // Retransmissions of what the peer has, its acknowledgements being lost, and then the RST.
    net.stacks[0].send(client, &[2; 1000]).expect("room");
    net.run(5 * MS);
    net.weather.loss_percent = 100;
    net.run(3_500 * MS);
    net.weather.loss_percent = 0;
    net.stacks[0].set_option(client, Opt::Linger(Some(0))).expect("an option");
    net.stacks[0].close(client);
    net.run(100 * MS);
    assert_eq!(net.stacks[1].take_error(server), Some(Errno::ECONNRESET));
}

/// How much goes from A to B in ten seconds over a path that delays by 20 ms each way.
fn goodput(seed: u64, loss_percent: u64) -> u64 {
    let weather = Weather { loss_percent, duplicate_percent: 0, delay_ns: 20 * MS, jitter_ns: 0, ecn: false };
    let mut net = Net::new(seed, weather);
    let (client, server, _) = net.connect(80);
    let (mut got, end_ns, chunk, mut buf) = (0, net.now_ns + 10_000 * MS, [0; 16384], vec![0; 1 << 20]);
    while net.now_ns < end_ns {
        while net.stacks[0].send(client, &chunk).is_ok() {}
        while let Ok(n @ 1..) = net.stacks[1].recv(server, &mut buf, false) {
            got += n as u64;
        }
        net.step(end_ns);
    }
    got / 10
}

#[test]
fn losses_do_not_stop_a_connection() {
    // What a Reno flow gets (Mathis et al.): 1460 / 0.04 s × 1.22 / √p.
    for (loss_percent, reno) in [(1, 445_000), (3, 257_000)] {
        let mean = (1..=3).map(|seed| goodput(seed, loss_percent)).sum::<u64>() / 3;
        assert!(mean > reno / 2, "{loss_percent} %: {mean} of {reno} bytes a second");
    }
}
