//! Files of one process alone, for which no host descriptor is made until it asks for one.

use crate::client::{Client, EXEC, FORK, HANDSHAKE, PREFORK, REQ};
use crate::server::{Server, wait_for};
use abi::private::SHARE;

const PATH: u64 = 0x1000;
const OPTION_BITS: u32 = 1 | 2 | 32;
const O_CREAT_RDWR: u64 = 0o102;
const LOCK_EX_NB: u64 = 2 | 4;
const EAGAIN: i64 = -11;
const EBADF: i64 = -9;
const EALREADY: i64 = -114;

fn guest(server: &Server) -> Client {
    let mut client = server.connect();
    client.guest("lone");
    client.options(OPTION_BITS);
    client
}

/// Opens the one file, and locks it; answers the descriptor.
fn open(client: &mut Client) -> u64 {
    let reply = client.call(abi::nr::OPEN, &[PATH, O_CREAT_RDWR, 0o644], &[(PATH, b"/f\0")]);
    assert_eq!(reply.files.len(), 0, "no descriptor came");
    let fd = reply.value.cast_unsigned();
    assert_eq!(client.call(abi::nr::FLOCK, &[fd, LOCK_EX_NB], &[]).value, 0);
    fd
}

/// Whether somebody has it open and locked.
fn is_open(server: &Server) -> bool {
    let mut other = guest(server);
    let reply = other.call(abi::nr::OPEN, &[PATH, O_CREAT_RDWR, 0o644], &[(PATH, b"/f\0")]);
    other.call(abi::nr::FLOCK, &[reply.value.cast_unsigned(), LOCK_EX_NB], &[]).value == EAGAIN
}

#[test]
fn closed_by_close_and_by_the_end() {
    let server = Server::start();
    let mut client = guest(&server);
    let fd = open(&mut client);
    assert!(is_open(&server));
    assert_eq!(client.call(abi::nr::CLOSE, &[fd], &[]).value, 0);
    assert!(!is_open(&server));
    assert_eq!(client.call(abi::nr::CLOSE, &[fd], &[]).value, EBADF);
    open(&mut client);
    drop(client);
    wait_for("the end of its process", || !is_open(&server));
}

#[test]
fn shared_once_and_then_as_long_as_the_host_descriptor() {
    let server = Server::start();
    let mut client = guest(&server);
    let fd = open(&mut client);
    let mut shared = client.call(SHARE, &[fd], &[]);
    assert_eq!((shared.value, shared.files.len()), (0, 1));
    assert_eq!(client.call(SHARE, &[fd], &[]).value, EALREADY);
    assert_eq!(client.call(SHARE, &[fd + 1], &[]).value, EBADF);
    assert_eq!(client.call(abi::nr::CLOSE, &[fd], &[]).value, 0);
    assert!(is_open(&server), "a close alone does not end it any more");
    let _no_copies = crate::server::STARTING.read();
    shared.files.clear();
    wait_for("the last close", || !is_open(&server));
}

/// A child has none of its parent's, and another program none of the one before.
#[test]
fn neither_inherited_nor_kept_by_exec() {
    let server = Server::start();
    let mut client = guest(&server);
    let fd = open(&mut client);
    client.send(REQ, PREFORK, 0, &[]);
    let cookie = client.receive().unwrap().payload;
    let mut child = server.connect();
    let reqno = child.send(REQ, HANDSHAKE, FORK, &[&cookie[..], &[0; 4]].concat());
    child.expect_accepted(reqno);
    child.options(OPTION_BITS);
    assert_eq!(child.call(abi::nr::LSEEK, &[fd, 0, 1], &[]).value, EBADF);
    drop(child);
    assert!(is_open(&server));
    let reqno = client.send(REQ, HANDSHAKE, EXEC, b"next\0");
    client.expect_accepted(reqno);
    assert!(!is_open(&server));
}

/// Who does not ask for them gets host descriptors, as before.
#[test]
fn only_who_asks_has_them() {
    let server = Server::start();
    let mut client = server.guest();
    let reply = client.call(abi::nr::OPEN, &[PATH, O_CREAT_RDWR, 0o644], &[(PATH, b"/f\0")]);
    assert_eq!(reply.files.len(), 1);
    assert_eq!(client.call(SHARE, &[reply.value.cast_unsigned()], &[]).value, EALREADY);
}
