//! Many clients, many blocked calls, no work when idle.

use crate::server::Server;
use std::time::Duration;

#[test]
fn three_hundred_clients() {
    let server = Server::start();
    let mut clients: Vec<_> = (0..300).map(|_| server.guest()).collect();
    for client in &mut clients {
        client.counter("calls");
    }
    let processes = clients[0].call(abi::private::INFO, &[0, 0x1000, 1 << 16], &[]);
    assert_eq!(String::from_utf8_lossy(&processes.out[0].1).lines().count(), 300);
}

#[test]
fn blocked_calls_of_one_client_stop_nobody() {
    let server = Server::start();
    let mut blocked = server.guest();
    let [one, other] = blocked.socketpair();
    for _ in 0..200 {
        blocked.start(abi::nr::READ, &[one.kfd.into(), 0x3000, 1], &[]);
    }
    let mut another = server.guest();
    crate::server::wait_for("the reads to wait", || another.counter("calls.waiting") == 200);
    blocked.start(abi::nr::WRITE, &[other.kfd.into(), 0x2000, 200], &[(0x2000, &[1; 200])]);
    for _ in 0..201 {
        let reply = blocked.receive().unwrap().payload;
        assert!(blocked.parse_reply(&reply).value > 0);
    }
}

#[test]
fn an_idle_server_does_not_run() {
    let server = Server::start();
    let _client = server.guest();
    let switches = || {
        let status = server.proc_file("status");
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    std::thread::sleep(Duration::from_millis(100));
    let before = switches();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(switches(), before);
}
