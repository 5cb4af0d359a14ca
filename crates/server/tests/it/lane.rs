//! Calls by shared memory (rump_sp(7), "Lanes"). The memory is read and written as a file here, which is the same.

use crate::client::{CANCEL, COPYIN, Client, EXEC, HANDSHAKE, REQ, call_payload};
use crate::server::Server;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

const ASKED_AT: u64 = 8 * 8;
const WATCHED_AT: u64 = 16 * 8;
const CELL: u64 = 20 << 10;
/// Words of a cell.
const STATE: u64 = 0;
const REQNO: u64 = 8;
const WHAT: u64 = 16;
const PAYLOAD: u64 = 64;

const ASKED: u64 = 1;
const GIVEN_UP: u64 = 2;
const ANSWERED: u64 = 3;
const SENT: u64 = 4;

const KNOCK: u16 = 38;
const MALFORMED: u32 = 7;
const EBUSY: i64 = 16;
/// A number that no frame of these tests has.
const OURS: u64 = 1 << 40;

struct Lane(File);

impl Lane {
    fn of(client: &mut Client) -> Self {
        let mut reply = client.call(abi::private::LANE, &[], &[]);
        assert_eq!(reply.value, 0);
        Self(File::from(reply.files.pop().unwrap().host))
    }

    fn word(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, at).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn set(&self, at: u64, word: u64) {
        self.0.write_all_at(&word.to_le_bytes(), at).unwrap();
    }

    fn cell(number: u64) -> u64 {
        4096 + number * CELL
    }

    /// Puts a request there and marks it.
    fn ask(&self, number: u64, nr: u32, args: &[u64], memory: &[(u64, &[u8])]) {
        let (cell, payload) = (Self::cell(number), call_payload(args, memory, 0));
        self.0.write_all_at(&payload, cell + PAYLOAD).unwrap();
        self.set(cell + REQNO, OURS + number);
        self.set(cell + WHAT, u64::from(nr) | (payload.len() as u64) << 32);
        self.set(cell + STATE, ASKED);
        self.set(ASKED_AT, self.word(ASKED_AT) | 1 << number);
    }

    fn state(&self, number: u64) -> u64 {
        self.word(Self::cell(number) + STATE)
    }

    /// Waits for a state, and for nothing longer than the tests bear.
    fn expect(&self, number: u64, state: u64) {
        let end = Instant::now() + Duration::from_secs(10);
        while self.state(number) != state {
            assert!(Instant::now() < end, "cell {number} is in state {}", self.state(number));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The result in an answered cell.
    fn value(&self, number: u64) -> i64 {
        self.expect(number, ANSWERED);
        self.word(Self::cell(number) + PAYLOAD).cast_signed()
    }
}

fn knock(client: &mut Client) {
    client.send(REQ, KNOCK, 0, b"");
}

#[test]
fn a_request_is_answered_where_it_stands() {
    let server = Server::start();
    let mut client = server.guest();
    let lane = Lane::of(&mut client);
    let [one, other] = client.socketpair();
    lane.ask(5, abi::nr::WRITE, &[one.kfd.into(), 0x2000, 5], &[(0x2000, b"hello")]);
    knock(&mut client);
    assert_eq!(lane.value(5), 5);
    assert_eq!(client.read(&other, 9).out, [(0x3000, b"hello".to_vec())]);
    let again = client.call(abi::private::LANE, &[], &[]);
    assert_eq!(again.value, -EBUSY);
}

#[test]
fn what_comes_by_the_socket_comes_behind_the_lane() {
    let server = Server::start();
    let mut client = server.guest();
    let lane = Lane::of(&mut client);
    let [one, _other] = client.socketpair();
    lane.ask(0, abi::nr::READ, &[one.kfd.into(), 0x3000, 9], &[]);
    client.send(REQ, CANCEL, 0, &OURS.to_le_bytes());
    let value = lane.value(0);
    assert!(value == -4 || value == -512, "{value}");
}

#[test]
fn who_has_given_up_is_answered_by_the_socket() {
    let server = Server::start();
    let mut client = server.guest();
    let lane = Lane::of(&mut client);
    let [one, other] = client.socketpair();
    lane.ask(0, abi::nr::READ, &[one.kfd.into(), 0x3000, 9], &[]);
    knock(&mut client);
    assert_eq!(client.counter("calls.waiting"), 1);
    lane.set(Lane::cell(0) + STATE, GIVEN_UP);
    let reqno = client.start(abi::nr::WRITE, &[other.kfd.into(), 0x2000, 2], &[(0x2000, b"hi")]);
    let mut replies = [client.receive().unwrap(), client.receive().unwrap()];
    replies.sort_by_key(|frame| frame.reqno);
    assert_eq!([replies[0].reqno, replies[1].reqno], [reqno, OURS]);
    assert_eq!(client.parse_reply(&replies[1].payload).out, [(0x3000, b"hi".to_vec())]);
    assert_eq!(lane.state(0), SENT);
}

#[test]
fn descriptors_and_long_answers_come_by_the_socket() {
    let server = Server::start();
    let mut client = server.guest();
    let lane = Lane::of(&mut client);
    lane.ask(0, abi::nr::SOCKETPAIR, &[1, 1, 0, 0x1000], &[]);
    knock(&mut client);
    let pair = client.finish(OURS).files;
    assert_eq!((pair.len(), lane.state(0)), (2, SENT));
    client.write(&pair[0], &[7; 32 << 10]);
    lane.ask(1, abi::nr::READ, &[pair[1].kfd.into(), 0x3000, 64 << 10], &[]);
    knock(&mut client);
    assert_eq!(client.finish(OURS + 1).out[0].1, [7; 32 << 10]);
    assert_eq!(lane.state(1), SENT);
}

/// A file without a host descriptor is no reason for the socket.
#[test]
fn lone_files_come_by_the_lane() {
    let server = Server::start();
    let mut client = server.connect();
    client.guest("lone");
    client.options(1 | 2 | 32);
    let lane = Lane::of(&mut client);
    lane.ask(0, abi::nr::OPEN, &[0x1000, 0o102, 0o600], &[(0x1000, b"/f\0")]);
    knock(&mut client);
    let fd = lane.value(0);
    let flags = lane.word(Lane::cell(0) + PAYLOAD + 24 + 24) as u32;
    assert_eq!((fd, flags), (0, 4));
}

#[test]
fn what_did_not_travel_is_asked_for_by_the_socket() {
    let server = Server::start();
    let mut client = server.guest();
    let lane = Lane::of(&mut client);
    let [one, _other] = client.socketpair();
    lane.ask(0, abi::nr::WRITE, &[one.kfd.into(), 0x2000, 5], &[]);
    knock(&mut client);
    let wanted = client.receive().unwrap();
    assert_eq!((wanted.kind, lane.state(0)), (COPYIN, SENT), "it looks at the socket from now on");
    let answer = crate::client::frame(wanted.reqno, 1, COPYIN, 0, b"hello");
    std::io::Write::write_all(&mut client.stream, &answer).unwrap();
    assert_eq!(client.finish(OURS).value, 5);
}

/// While requests keep coming, the lane is watched; soon after, nobody looks there.
#[test]
fn it_is_watched_while_requests_keep_coming() {
    let server = Server::start();
    let mut client = server.guest();
    let lane = Lane::of(&mut client);
    let end = Instant::now() + Duration::from_secs(20);
    while lane.word(WATCHED_AT) == 0 {
        assert!(Instant::now() < end, "never watched");
        client.identify(12345);
    }
    while lane.word(WATCHED_AT) == 1 {
        assert!(Instant::now() < end, "watched for ever");
        std::thread::sleep(Duration::from_millis(1));
    }
    lane.ask(0, abi::private::IDENTIFY, &[12345], &[]);
    knock(&mut client);
    assert_eq!(lane.value(0), -2);
}

#[test]
fn another_program_has_another_lane() {
    let server = Server::start();
    let mut client = server.guest();
    let before = Lane::of(&mut client);
    let reqno = client.send(REQ, HANDSHAKE, EXEC, b"after\0");
    client.expect_accepted(reqno);
    before.ask(0, abi::private::IDENTIFY, &[12345], &[]);
    knock(&mut client);
    let lane = Lane::of(&mut client);
    lane.ask(0, abi::private::IDENTIFY, &[12345], &[]);
    knock(&mut client);
    assert_eq!((lane.value(0), before.state(0)), (-2, ASKED));
}

#[test]
fn nonsense_is_refused() {
    let server = Server::start();
    let mut client = server.guest();
    let lane = Lane::of(&mut client);
    // Nothing that was asked, in all cells and some that there are not.
    lane.set(ASKED_AT, u64::MAX);
    knock(&mut client);
    for _ in 0..32 {
        let frame = client.receive().unwrap();
        assert_eq!((frame.class, frame.word), (2, MALFORMED));
    }
    lane.expect(31, SENT);
    // Longer than a cell.
    lane.set(Lane::cell(3) + WHAT, u64::MAX);
    lane.set(ASKED_AT, 1 << 3);
    knock(&mut client);
    assert_eq!(client.receive(), None, "this client is not believed any more");
    assert!(server.guest().counter("calls") > 0);
}

/// The client cannot take the memory away under the server.
#[test]
fn the_memory_cannot_shrink() {
    let server = Server::start();
    let mut client = server.guest();
    let lane = Lane::of(&mut client);
    assert!(lane.0.set_len(0).is_err());
    assert!(rustix::fs::fcntl_add_seals(&lane.0, rustix::fs::SealFlags::WRITE).is_err());
}
