//! Many clients, many blocked calls, no work when idle.

use crate::client::Client;
use crate::server::{PROGRAM, Server, spawn, wait_for};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::process::Command;
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

/// Out of descriptors: clients are turned away, those who are in are served, and there is room again afterwards.
#[test]
fn more_clients_than_descriptors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let script = format!("ulimit -n 40; exec {PROGRAM} -s unix://{}", path.display());
    let mut server = spawn(Command::new("sh").args(["-c", &script]));
    wait_for("the server", || UnixStream::connect(&path).is_ok());
    let banner = |stream: &mut UnixStream| stream.read(&mut [0; 95]).unwrap() > 0;
    let mut streams: Vec<_> = (0..60).map(|_| UnixStream::connect(&path).unwrap()).collect();
    let greeted: Vec<bool> = streams.iter_mut().map(banner).collect();
    let count = greeted.iter().filter(|greeted| **greeted).count();
    assert!((20..40).contains(&count), "{count} of 60 were greeted");
    let mut client = Client::of(streams.remove(0));
    client.guest("early");
    client.options(3);
    let reply = client.call(abi::nr::SOCKETPAIR, &[1, 1, 0, 0x1000], &[]);
    assert_eq!(reply.value, -24, "EMFILE");
    assert_eq!(client.counter("files.open"), 0, "and nothing is left of it");
    drop(streams);
    wait_for("room", || banner(&mut UnixStream::connect(&path).unwrap()));
    server.kill().unwrap();
    server.wait().unwrap();
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
    wait_for("the reads to wait", || another.counter("calls.waiting") == 200);
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
