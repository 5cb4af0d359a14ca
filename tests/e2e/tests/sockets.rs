//! What calls on sockets answer in every state that a socket can be in: probes in C, in a network namespace of the host's kernel and
//! in the rump kernel.

use e2e::{Server, c_program, in_a_namespace, ordinary_user, run};

#[track_caller]
fn same(probe: &str, args: &[&str]) {
    ordinary_user();
    let server = Server::start();
    let program = c_program(probe, server.directory());
    let Some(mut natively) = in_a_namespace("ip link set lo up; exec \"$0\" \"$@\"") else { return };
    let expected = run(natively.arg(&program).args(args)).success();
    let mut hijacked = server.hijacked(&program);
    let found = run(hijacked.env("RUMPHIJACK", "socket=all").args(args)).success();
    let pairs = found.lines().zip(expected.lines()).enumerate();
    for (at, (found, expected)) in pairs {
        assert_eq!(found, expected, "hijacked (left) differs from native (right), line {}", at + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
    assert!(server.counter("call.socket") + server.counter("call.socketpair") > 0, "not in the rump kernel");
}

#[test]
fn tcp_in_all_states() {
    same("h_tcp", &["states"]);
}

/// Refused, to itself, and again.
#[test]
fn tcp_opening() {
    same("h_tcp", &["opening"]);
}

#[test]
fn tcp_flags_and_inherited_options() {
    same("h_tcp", &["flags"]);
    same("h_tcp", &["inherit"]);
}

#[test]
fn datagrams_and_their_peers() {
    same("h_udp", &["peers"]);
    same("h_udp", &["errors"]);
}

/// `MSG_MORE`, `UDP_CORK`; `IP_MTU_DISCOVER` with two MTUs of lo.
#[test]
fn datagrams_in_pieces_and_uncut() {
    same("h_udp", &["corked"]);
    same("h_udp", &["uncut"]);
}

#[test]
fn several_messages_and_their_control() {
    same("h_udp", &["several"]);
    same("h_udp", &["control"]);
}

#[test]
fn who_may_share_a_port() {
    same("h_binds", &[]);
}

/// Of all three types.
#[test]
fn unix_sockets() {
    /// `SOCK_STREAM`, `SOCK_DGRAM`, `SOCK_SEQPACKET`.
    const TYPES: [&str; 3] = ["1", "2", "5"];
    for kind in TYPES {
        for what in ["rights", "names", "ends"] {
            same("h_unix", &[what, kind]);
        }
    }
}

/// First values, bounds, lengths and errors of the options of each kind of socket.
#[test]
fn options() {
    same("h_options", &[]);
}
