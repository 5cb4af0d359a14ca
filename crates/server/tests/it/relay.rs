//! Relays that mean harm, or are broken: what they say is believed of their own files alone.

use crate::client::{CALL, Client, OPTIONS, REQ};
use crate::server::Server;
use wire::kind::{CLOSED, GONE, READY};
use wire::option;

const MALFORMED: u32 = 7;
const EBADF: i64 = -9;
const EPIPE: i64 = -32;

/// A session that shows a relay's token.
fn of_relay(server: &Server, token: u8, bits: u32) -> Client {
    let mut client = server.connect();
    client.guest("relay");
    let payload = [&(bits | option::RELAY).to_le_bytes()[..], &[token; 16]].concat();
    client.send(REQ, OPTIONS, 0, &payload);
    client
}

/// A relay's own session.
fn relay(server: &Server, token: u8) -> Client {
    of_relay(server, token, option::CALL | option::CONTROL)
}

/// A pair of sockets of a relay's client: descriptors in the rump kernel, and the server's numbers of the files.
fn pair(client: &mut Client) -> [(u32, u64); 2] {
    let reqno = client.start(abi::nr::SOCKETPAIR, &[1, 1, 0, 0x1000], &[]);
    let frame = client.receive().expect("an answer");
    assert_eq!((frame.kind, frame.reqno), (CALL, reqno));
    let word = |at: usize| u64::from_le_bytes(frame.payload[at..at + 8].try_into().unwrap());
    assert_eq!((word(0), word(8) as u32), (0, 2), "two files");
    [24, 56].map(|at| (word(at + 16) as u32, word(at)))
}

fn write(client: &mut Client, fd: u32) -> i64 {
    client.call(abi::nr::WRITE, &[fd.into(), 0x2000, 1], &[(0x2000, b"x")]).value
}

fn read(client: &mut Client, fd: u32) -> i64 {
    client.call(abi::nr::READ, &[fd.into(), 0x3000, 1], &[]).value
}

fn gone(client: &mut Client, file: u64) {
    client.send(REQ, GONE, 0, &file.to_le_bytes());
}

#[test]
fn malformed_frames_are_refused_and_the_connection_stays() {
    let server = Server::start();
    let mut guest = server.guest();
    for payload in [
        &b""[..],
        &[0; 3],
        &[8, 0, 0, 0],
        &[24, 0, 0, 0, 1, 2, 3],
        &[[8, 0, 0, 0].as_slice(), &[1; 15]].concat(),
    ] {
        let reqno = guest.send(REQ, OPTIONS, 0, payload);
        guest.expect_refusal(reqno, MALFORMED);
    }
    for kind in [GONE, READY, CLOSED] {
        let reqno = guest.send(REQ, kind, 0, &[0; 8]);
        guest.expect_refusal(reqno, MALFORMED);
    }
    let mut relay = relay(&server, 1);
    for len in [0, 7, 9, 16, 5000] {
        let reqno = relay.send(REQ, GONE, 0, &vec![0xff; len]);
        relay.expect_refusal(reqno, MALFORMED);
    }
    for kind in [READY, CLOSED] {
        let reqno = relay.send(REQ, kind, 0, &[0; 24]);
        relay.expect_refusal(reqno, MALFORMED);
    }
    assert!(relay.counter("calls") > 0 && server.guest().counter("calls") > 0);
}

#[test]
fn a_relay_closes_its_own_files_alone() {
    let server = Server::start();
    let mut good = relay(&server, 1);
    good.counter("calls");
    let mut client = of_relay(&server, 1, option::CALL | option::FILES);
    let [(a, _), (b, number_of_b)] = pair(&mut client);
    let mut beside = server.guest();
    beside.options(option::CALL | option::FILES);
    let [one, other] = beside.socketpair();

    let mut bad = relay(&server, 2);
    let mut bad_client = of_relay(&server, 2, option::CALL | option::FILES);
    // A relay that nobody has heard of.
    let mut unknown = of_relay(&server, 3, option::CALL | option::FILES);
    for file in (0..2048).chain([u64::MAX, number_of_b]) {
        gone(&mut bad, file);
        gone(&mut bad_client, file);
    }
    let reqno = unknown.send(REQ, GONE, 0, &number_of_b.to_le_bytes());
    unknown.expect_refusal(reqno, MALFORMED);
    assert!(bad.counter("calls") > 0 && bad_client.counter("calls") > 0);
    assert_eq!((write(&mut client, a), read(&mut client, b)), (1, 1), "another relay's");
    assert_eq!((beside.write(&one, b"x").value, beside.read(&other, 1).value), (1, 1), "nobody's");

    gone(&mut client, number_of_b);
    assert_eq!(write(&mut client, a), EPIPE, "its own");
    drop(bad);
    assert_eq!(read(&mut client, a), 0);
    drop(good);
    // The server learns of both in its own time.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while read(&mut client, a) != EBADF {
        assert!(std::time::Instant::now() < end, "the relay's files outlive it");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(beside.write(&one, b"x").value, 1);
}
