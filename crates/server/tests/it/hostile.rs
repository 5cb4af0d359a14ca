//! Clients that mean harm, or are broken: none of them may disturb the others.

use crate::client::{ERROR, EXEC, GUEST, HANDSHAKE, REQ, RESP, SYSCALL, frame};
use crate::server::Server;
use std::io::Write;
use std::time::{Duration, Instant};

const AUTH: u32 = 2;
const MALFORMED: u32 = 7;

fn still_serves(server: &Server) {
    assert!(server.guest().counter("calls") > 0);
}

#[test]
fn what_cannot_come_first_is_refused_and_closed() {
    let server = Server::start();
    for (class, kind, word) in [
        (REQ, SYSCALL, 39),
        (REQ, HANDSHAKE, 1),
        (REQ, HANDSHAKE, EXEC),
        (REQ, HANDSHAKE, 77),
        (RESP, 2, 0),
        (9, 9, 9),
    ] {
        let mut client = server.connect();
        let reqno = client.send(class, kind, word, b"");
        client.expect_refusal(reqno, AUTH);
        assert_eq!(client.receive(), None);
    }
    still_serves(&server);
}

#[test]
fn a_second_guest_is_refused_and_closed() {
    let server = Server::start();
    let mut client = server.guest();
    let reqno = client.send(REQ, HANDSHAKE, GUEST, b"again\0");
    client.expect_refusal(reqno, MALFORMED);
    assert_eq!(client.receive(), None);
}

#[test]
fn nonsense_is_refused_and_the_connection_stays() {
    let server = Server::start();
    let mut client = server.guest();
    for (class, kind) in [(REQ, 2), (REQ, 4), (REQ, 6), (REQ, 8), (REQ, 99), (ERROR, 0), (77, 1)] {
        let reqno = client.send(class, kind, 0, b"");
        client.expect_refusal(reqno, MALFORMED);
    }
    client.send(RESP, 2, 0, b"an answer that nobody asked for");
    let reqno = client.send(REQ, SYSCALL, abi::nr::READ, &[0; 8]);
    client.expect_refusal(reqno, MALFORMED);
    client.counter("calls");
}

#[test]
fn malformed_calls_are_refused() {
    let server = Server::start();
    let mut client = server.guest();
    let mut many = vec![0; 56];
    many[48..52].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut long = vec![0; 56 + 16];
    long[48] = 1;
    long[64..72].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut descriptors = vec![0; 56];
    descriptors[52] = 3;
    for payload in [vec![], vec![0; 55], vec![0; 57], many, long, descriptors] {
        let reqno = client.send(REQ, crate::client::CALL, abi::nr::READ, &payload);
        client.expect_refusal(reqno, MALFORMED);
    }
    client.counter("calls");
}

#[test]
fn empty_and_unterminated_names_are_accepted() {
    let server = Server::start();
    for name in [&b""[..], b"no end", &[0xff; 5000]] {
        let mut client = server.connect();
        let reqno = client.send(REQ, HANDSHAKE, GUEST, name);
        client.expect_accepted(reqno);
        let reqno = client.send(REQ, HANDSHAKE, EXEC, name);
        client.expect_accepted(reqno);
    }
}

#[test]
fn impossible_lengths_end_the_connection() {
    let server = Server::start();
    for len in [0, 23, (64 << 20) + 1, 1 << 32, 1 << 62, u64::MAX] {
        let mut client = server.guest();
        let mut bytes = frame(1, REQ, SYSCALL, 39, b"");
        bytes[..8].copy_from_slice(&len.to_le_bytes());
        client.stream.write_all(&bytes).unwrap();
        assert_eq!(client.receive(), None, "length {len}");
    }
    still_serves(&server);
}

#[test]
fn half_frames_and_sudden_death() {
    let server = Server::start();
    let whole = frame(1, REQ, HANDSHAKE, GUEST, b"byte by byte\0");
    for cut in 0..whole.len() {
        let mut client = server.connect();
        client.stream.write_all(&whole[..cut]).unwrap();
    }
    let mut slow = server.connect();
    for byte in whole {
        slow.stream.write_all(&[byte]).unwrap();
    }
    slow.expect_accepted(1);
    let mut dying = server.guest();
    let [one, _other] = dying.socketpair();
    for _ in 0..100 {
        dying.start(abi::nr::READ, &[one.kfd.into(), 0x1000, 64], &[]);
    }
    drop(dying);
    let mut client = server.guest();
    crate::server::wait_for("the dead client's calls", || client.counter("calls.waiting") == 0);
}

/// A client that asks and never reads its answers is not read any more; others are served.
#[test]
fn a_client_that_does_not_read_its_answers_is_held_up() {
    let server = Server::start();
    let mut greedy = server.guest();
    greedy.stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let args = [2u64, 0x1000, 4096, 0, 0, 0].iter().flat_map(|arg| arg.to_le_bytes()).collect::<Vec<_>>();
    let request = frame(1, REQ, crate::client::CALL, abi::private::INFO, &[&args[..], &[0; 8]].concat());
    let batch = request.repeat(1000);
    let limit = Instant::now() + Duration::from_secs(20);
    while greedy.stream.write_all(&batch).is_ok() {
        assert!(Instant::now() < limit, "its requests are still taken");
    }
    let status = server.proc_file("status");
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 64 << 10, "{kib} KiB");
    still_serves(&server);
}

/// A client that reads its answers late gets them all, without asking for anything more, and the server rests meanwhile.
#[test]
fn answers_that_are_read_late() {
    // Below what makes the server stop reading.
    const ANSWERS: usize = 200;
    let server = Server::start();
    let mut late = server.guest();
    let [one, other] = late.socketpair();
    for _ in 0..ANSWERS {
        late.start(abi::nr::WRITE, &[one.kfd.into(), 0x1000, 4096], &[(0x1000, &[7; 4096])]);
        late.start(abi::nr::READ, &[other.kfd.into(), 0x2000, 4096], &[]);
    }
    still_serves(&server);
    let before = server.cpu_ticks();
    std::thread::sleep(Duration::from_millis(300));
    assert!(server.cpu_ticks() - before < 10, "the server waits for the client without resting");
    let mut read = 0;
    while read < ANSWERS {
        let reply = late.receive().expect("the server goes on sending");
        read += usize::from(reply.payload.len() > 4096);
    }
    still_serves(&server);
}

/// Random bytes behind a handshake: the server survives, whatever they mean.
#[test]
fn noise() {
    let server = Server::start();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..200 {
        let mut client = server.guest();
        for _ in 0..20 {
            let mut random = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            };
            let payload: Vec<u8> = (0..random() % 120).map(|_| (random() >> 24) as u8 & 0x11).collect();
            let kind = [0, 1, 2, 3, 7, 32, 33, 34][(random() % 8) as usize];
            let word = (random() % 450) as u32;
            let bytes = frame(random() % 4, (random() % 3) as u16, kind, word, &payload);
            if client.stream.write_all(&bytes).is_err() {
                break;
            }
        }
    }
    still_serves(&server);
}
