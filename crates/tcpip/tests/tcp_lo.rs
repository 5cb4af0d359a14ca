//! TCP over `lo`: connections, bytes, their ends. Expected results are Linux's (tcp(7), RFC 9293).
#![allow(missing_docs)]

mod common;

use std::net::Shutdown;

use abi::Errno;
use common::{at, client, listener, pair, pair_with, polled, recv, stack, tcp_states};
use tcpip::{Domain, Opt};

#[test]
fn a_connection_carries_bytes_both_ways() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    assert_eq!(net.send(client, b"ping"), Ok(4));
    assert_eq!(net.next_change(), Some(server));
    assert_eq!(recv(&mut net, server), Ok("ping".to_owned()));
    assert_eq!(recv(&mut net, server), Err(Errno::EAGAIN));
    assert_eq!(net.send(server, b"pong!"), Ok(5));
    let mut buf = [0; 2];
    assert_eq!(net.recv(client, &mut buf, true), Ok(2));
    assert_eq!(net.unread(client), 5);
    assert_eq!(recv(&mut net, client), Ok("pong!".to_owned()));
    let local = net.local_addr(client).expect("an address");
    assert_eq!(net.peer_addr(server), Ok(local));
    assert_eq!(net.peer_addr(client), Ok(at("127.0.0.1:80")));
}

#[test]
fn connect_says_in_progress_then_success_once_then_connected() {
    let mut net = stack();
    listener(&mut net, "127.0.0.1:80");
    let id = client(&mut net, "127.0.0.1:80");
    assert_eq!(net.connect(id, at("127.0.0.1:80")), Ok(()));
    assert_eq!(net.connect(id, at("127.0.0.1:80")), Err(Errno::EISCONN));
}

#[test]
fn a_port_without_listener_refuses() {
    let mut net = stack();
    let id = client(&mut net, "127.0.0.1:81");
    assert_eq!(polled(&net, id), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(net.connect(id, at("127.0.0.1:81")), Err(Errno::ECONNREFUSED));
    assert_eq!(polled(&net, id), "OUT|HUP");
    let id = client(&mut net, "[::1]:81");
    assert_eq!(net.take_error(id), Some(Errno::ECONNREFUSED));
    assert_eq!(net.take_error(id), None);
    assert_eq!(net.send(id, b"x"), Err(Errno::EPIPE));
}

#[test]
fn unconnected_sockets_answer_as_linux_does() {
    let mut net = stack();
    let id = net.tcp_socket(Domain::Inet);
    assert_eq!(polled(&net, id), "OUT|HUP");
    assert_eq!(net.send(id, b"x"), Err(Errno::EPIPE));
    assert_eq!(recv(&mut net, id), Err(Errno::ENOTCONN));
    assert_eq!(net.accept(id), Err(Errno::EINVAL));
    assert_eq!(net.shutdown(id, Shutdown::Both), Err(Errno::ENOTCONN));
    assert_eq!(net.peer_addr(id), Err(Errno::ENOTCONN));
    assert_eq!(net.local_addr(id), Ok(at("0.0.0.0:0")));
    assert_eq!(net.connect(id, at("192.0.2.1:80")), Err(Errno::ENETUNREACH));
    assert_eq!(net.connect(id, at("[::1]:80")), Err(Errno::EAFNOSUPPORT));
    assert_eq!(net.bind(id, at("192.0.2.1:80")), Err(Errno::EADDRNOTAVAIL));
}

#[test]
fn a_fin_is_an_end_of_stream_and_the_other_half_goes_on() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    net.send(client, b"last").expect("room");
    net.shutdown(client, Shutdown::Write).expect("connected");
    assert_eq!(polled(&net, client), "OUT");
    assert_eq!(polled(&net, server), "IN|OUT|RDHUP");
    assert_eq!(net.send(client, b"x"), Err(Errno::EPIPE));
    assert_eq!(recv(&mut net, server), Ok("last".to_owned()));
    assert_eq!(recv(&mut net, server), Ok(String::new()));
    assert_eq!(net.send(server, b"answer"), Ok(6));
    assert_eq!(recv(&mut net, client), Ok("answer".to_owned()));
    assert_eq!(tcp_states(&net), ["CLOSE-WAIT", "FIN-WAIT-2"]);
    net.shutdown(server, Shutdown::Write).expect("connected");
    assert_eq!(polled(&net, client), "IN|OUT|HUP|RDHUP");
    assert_eq!(polled(&net, server), "IN|OUT|HUP|RDHUP");
    assert_eq!(recv(&mut net, client), Ok(String::new()));
    assert_eq!(net.peer_addr(client), Err(Errno::ENOTCONN));
}

#[test]
fn closing_with_unread_bytes_resets() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    net.send(client, b"unread").expect("room");
    net.close(server);
    assert_eq!(polled(&net, client), "IN|OUT|ERR|HUP|RDHUP");
    assert_eq!(recv(&mut net, client), Err(Errno::ECONNRESET));
    assert_eq!(recv(&mut net, client), Ok(String::new()));
    assert_eq!(net.send(client, b"x"), Err(Errno::EPIPE));
}

#[test]
fn bytes_that_came_before_a_reset_are_still_read() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    net.send(server, b"first").expect("room");
    net.set_option(server, Opt::Linger(Some(0))).expect("an option");
    net.close(server);
    assert_eq!(recv(&mut net, client), Ok("first".to_owned()));
    assert_eq!(recv(&mut net, client), Err(Errno::ECONNRESET));
    assert_eq!(recv(&mut net, client), Ok(String::new()));
}

#[test]
fn a_reset_is_told_by_send_first_and_then_it_is_a_broken_pipe() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    net.set_option(server, Opt::Linger(Some(0))).expect("an option");
    net.close(server);
    assert_eq!(net.send(client, b"x"), Err(Errno::ECONNRESET));
    assert_eq!(net.send(client, b"x"), Err(Errno::EPIPE));
}

#[test]
fn the_side_that_closes_first_waits() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    net.close(client);
    assert_eq!(tcp_states(&net), ["CLOSE-WAIT", "FIN-WAIT-2"]);
    assert_eq!(recv(&mut net, server), Ok(String::new()));
    net.close(server);
    assert_eq!(tcp_states(&net), ["TIME-WAIT"]);
    net.advance(59_000_000_000);
    assert_eq!(tcp_states(&net), ["TIME-WAIT"]);
    let deadline = net.next_deadline().expect("the end of TIME-WAIT");
    net.advance(deadline);
    assert_eq!(tcp_states(&net), [""; 0]);
    assert_eq!(net.next_deadline(), None);
}

#[test]
fn data_for_who_has_closed_is_answered_by_a_reset() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    net.close(client);
    assert_eq!(net.send(server, b"anybody there?"), Ok(14));
    // Linux: EPIPE, since the peer's FIN had been received (tcp_reset).
    assert_eq!(net.take_error(server), Some(Errno::EPIPE));
    net.close(server);
    assert_eq!(tcp_states(&net), [""; 0]);
}

#[test]
fn sixty_four_megabytes_arrive_whole() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    let block: Vec<u8> = (0..100_003u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    let total = block.len() * 640;
    let (mut sent, mut received) = (0, 0);
    let mut buf = vec![0; 77_777];
    while received < total {
        let from = sent % block.len();
        match net.send(client, &block[from..]) {
            Ok(n) if sent < total => sent += n,
            Ok(n) => sent += n,
            Err(error) => assert_eq!(error, Errno::EAGAIN),
        }
        while let Ok(n) = net.recv(server, &mut buf, false) {
            for (i, &byte) in buf[..n].iter().enumerate() {
                assert_eq!(byte, block[(received + i) % block.len()], "at {}", received + i);
            }
            received += n;
        }
    }
    // All of it without a timer: nothing waits for a delayed ACK.
    assert_eq!(net.counters().tcp_retrans_segs, 0);
}

#[test]
fn small_writes_read_at_once_never_wait_for_a_timer() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    let mut buf = vec![0; 4096];
    for size in [1, 100, 4000, 4096] {
        for _ in 0..1000 {
            assert_eq!(net.send(client, &buf[..size]), Ok(size));
            assert_eq!(net.recv(server, &mut buf, false), Ok(size));
        }
    }
}

#[test]
fn an_idle_connection_gives_its_memory_back_and_goes_on() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    let block = vec![9; 200_000];
    let mut buf = vec![0; 200_000];
    for round in 1..4 {
        assert_eq!(net.send(client, &block), Ok(block.len()));
        let mut got = 0;
        while let Ok(n) = net.recv(server, &mut buf, false) {
            got += n;
        }
        assert_eq!(got, block.len());
        assert!(net.tcp_info(server).expect("TCP").rcv_space >= 65536);
        net.advance(round * 10_000_000_000);
        assert_eq!(net.tcp_info(server).expect("TCP").rcv_space, 4096);
    }
    assert_eq!(net.counters().tcp_retrans_segs, 0);
}

#[test]
fn a_small_send_buffer_never_waits_for_a_timer() {
    let mut net = stack();
    let (client, server) = pair_with(&mut net, &[Opt::SndBuf(1)]);
    let mut buf = vec![0; 4096];
    let (mut sent, mut received) = (0, 0);
    for _ in 0..1000 {
        sent += net.send(client, &[5; 1000]).unwrap_or(0);
        received += net.recv(server, &mut buf, false).unwrap_or(0);
    }
    assert!(sent >= 999_000, "{sent}");
    assert_eq!(received, sent);
}

#[test]
fn an_idle_connection_asks_for_no_wake_up() {
    let mut net = stack();
    let (client, server) = pair(&mut net);
    net.send(client, &[1; 100_000]).expect("room");
    let mut buf = vec![0; 100_000];
    while net.recv(server, &mut buf, false).is_ok() {}
    let mut wake_ups = 0;
    while let Some(at_ns) = net.next_deadline() {
        net.advance(at_ns);
        wake_ups += 1;
        assert!(wake_ups < 20);
    }
    assert_eq!(polled(&net, client), "OUT");
}

#[test]
fn a_connection_to_itself_speaks_to_itself() {
    let mut net = stack();
    let id = net.tcp_socket(Domain::Inet);
    net.bind(id, at("127.0.0.1:5000")).expect("free");
    assert_eq!(net.connect(id, at("127.0.0.1:5000")), Err(Errno::EINPROGRESS));
    assert_eq!(net.connect(id, at("127.0.0.1:5000")), Ok(()));
    assert_eq!(net.send(id, b"echo"), Ok(4));
    assert_eq!(recv(&mut net, id), Ok("echo".to_owned()));
}
