//! What the host's poll says about the host descriptors of rump files.

use crate::client::{Client, NewFile, Reply};
use crate::server::{STARTING, Server, wait_for};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn poll_of(file: &NewFile, timeout_ms: i64) -> PollFlags {
    let mut fds = [PollFd::new(&file.host, PollFlags::IN | PollFlags::OUT | PollFlags::RDHUP)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: timeout_ms * 1_000_000 })).unwrap();
    fds[0].revents()
}

/// Does at the host descriptor what a reply says.
fn obey(file: &NewFile, reply: &Reply) {
    for _ in 0..reply.drain {
        assert_eq!(rustix::io::read(&file.host, &mut [0; 1]), Ok(1));
    }
    for _ in 0..reply.fill {
        assert_eq!(rustix::io::write(&file.host, &[0; 1024]), Ok(1024));
    }
}

fn watch(client: &mut Client, file: &NewFile) {
    let reply = client.call(abi::private::WATCH, &[file.kfd.into()], &[]);
    assert_eq!(reply.value, 0);
    obey(file, &reply);
}

#[test]
fn readable_when_something_came() {
    let server = Server::start();
    let mut client = server.guest();
    let [one, other] = client.socketpair();
    watch(&mut client, &one);
    assert_eq!(poll_of(&one, 0), PollFlags::OUT);
    client.write(&other, b"hello");
    assert_eq!(poll_of(&one, 0), PollFlags::IN | PollFlags::OUT);
    let part = client.read(&one, 2);
    obey(&one, &part);
    assert_eq!(poll_of(&one, 0), PollFlags::IN | PollFlags::OUT, "three bytes are left");
    let rest = client.read(&one, 9);
    assert!(rest.drain > 0);
    obey(&one, &rest);
    assert_eq!(poll_of(&one, 0), PollFlags::OUT);
}

#[test]
fn watched_late_is_readable_at_once() {
    let server = Server::start();
    let mut client = server.guest();
    let [one, other] = client.socketpair();
    client.write(&other, b"hello");
    watch(&mut client, &one);
    assert_eq!(poll_of(&one, 0), PollFlags::IN | PollFlags::OUT);
}

#[test]
fn unwritable_while_the_buffer_is_full() {
    const DONTWAIT: u64 = 0x40;
    let server = Server::start();
    let mut client = server.guest();
    let [one, other] = client.socketpair();
    watch(&mut client, &one);
    let data = vec![7; 64 << 10];
    let mut sent = 0;
    loop {
        let args = [one.kfd.into(), 0x2000, data.len() as u64, DONTWAIT];
        let reply = client.call(abi::nr::SENDTO, &args, &[(0x2000, &data)]);
        obey(&one, &reply);
        match reply.value {
            -11 => break,
            moved => sent += moved,
        }
    }
    assert_eq!(poll_of(&one, 0), PollFlags::empty());
    while sent > 0 {
        sent -= client.read(&other, 1 << 20).value;
    }
    assert_eq!(poll_of(&one, 0), PollFlags::OUT);
}

#[test]
fn the_last_close_ends_the_file() {
    let server = Server::start();
    let mut client = server.guest();
    let [one, other] = client.socketpair();
    watch(&mut client, &one);
    let copy = other.host.try_clone().unwrap();
    drop(other.host);
    assert_eq!(poll_of(&one, 20), PollFlags::OUT, "a copy lives");
    drop(copy);
    wait_for("the hang-up", || poll_of(&one, 10).contains(PollFlags::HUP | PollFlags::IN));
    assert_eq!(client.read(&one, 9).value, 0);
    drop(one.host);
    wait_for("the end of both files", || client.counter("files.open") == 0);
}

/// A descriptor that was closed before a request was sent is closed when the request is served.
#[test]
fn a_close_is_seen_before_the_next_request() {
    let server = Server::start();
    let _no_copies = STARTING.read();
    let mut client = server.guest();
    for round in 0..200 {
        let [one, other] = client.socketpair();
        drop(other.host);
        assert_eq!(client.read(&one, 1).value, 0);
        drop(one.host);
        assert_eq!(client.counter("files.open"), 0, "round {round}");
    }
}

#[test]
fn files_end_with_the_client_that_is_killed() {
    let server = Server::start();
    let _no_copies = STARTING.read();
    let mut watcher = server.guest();
    let mut client = server.guest();
    let pair = client.socketpair();
    assert_eq!(watcher.counter("files.open"), 2);
    drop(client);
    assert_eq!(watcher.counter("files.open"), 2, "the descriptors live on their own");
    drop(pair);
    assert_eq!(watcher.counter("files.open"), 0);
}
