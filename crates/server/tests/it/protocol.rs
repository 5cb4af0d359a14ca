//! Handshakes, calls in both forms, cancelling.

use crate::client::{CANCEL, COPYIN, EXEC, HANDSHAKE, REQ, RESP, SYSCALL};
use crate::server::Server;

const EINTR: i64 = 4;
const ENOSYS: i32 = 38;
const ERESTARTSYS: i64 = 512;

#[test]
fn plain_calls_fetch_and_put_memory_by_copies() {
    let server = Server::start();
    let mut client = server.connect();
    client.guest("plain");
    let slots = |args: &[u64]| args.iter().flat_map(|arg| arg.to_le_bytes()).collect::<Vec<u8>>();
    let reqno = client.send(REQ, SYSCALL, abi::nr::SOCKETPAIR, &slots(&[1, 1, 0, 0x1000]));
    let puts = [client.receive().unwrap(), client.receive().unwrap()];
    assert!(puts.iter().all(|put| (put.class, put.kind) == (REQ, 4)), "COPYOUT comes before the response");
    let response = client.receive().unwrap();
    assert_eq!((response.class, response.kind, response.reqno), (RESP, SYSCALL, reqno));
    assert_eq!(response.payload, [0; 24]);

    let fd = |at: usize| u64::from(puts[at].payload[16]);
    client.send(REQ, SYSCALL, abi::nr::WRITE, &slots(&[fd(0), 0x2000, 5]));
    let wanted = client.receive().unwrap();
    assert_eq!((wanted.class, wanted.kind), (REQ, COPYIN));
    assert_eq!(wanted.payload, slots(&[5, 0x2000]));
    let answer = crate::client::frame(wanted.reqno, RESP, COPYIN, 0, b"hello");
    std::io::Write::write_all(&mut client.stream, &answer).unwrap();
    assert_eq!(client.receive().unwrap().payload[8..16], 5u64.to_le_bytes());

    client.send(REQ, SYSCALL, abi::nr::READ, &slots(&[fd(1), 0x3000, 64]));
    assert_eq!(client.receive().unwrap().payload[16..], *b"hello");
    assert_eq!(client.receive().unwrap().payload[8..16], 5u64.to_le_bytes());
}

#[test]
fn a_bad_address_is_efault_of_the_call() {
    let server = Server::start();
    let mut client = server.guest();
    let [one, _other] = client.socketpair();
    let reqno = client.start(abi::nr::WRITE, &[one.kfd.into(), 0xbad, 5], &[]);
    let wanted = client.receive().unwrap();
    let answer = crate::client::frame(wanted.reqno, 2, 0, 7, b"");
    std::io::Write::write_all(&mut client.stream, &answer).unwrap();
    assert_eq!(client.finish(reqno).value, -14);
}

#[test]
fn unknown_calls_are_enosys() {
    let server = Server::start();
    let mut client = server.connect();
    client.guest("unknown");
    for nr in [499, 10_000, 0x8000_0000, u32::MAX] {
        client.send(REQ, SYSCALL, nr, &[]);
        assert_eq!(client.receive().unwrap().payload[..4], ENOSYS.to_le_bytes());
    }
}

#[test]
fn a_blocked_call_is_answered_last_or_cancelled() {
    let server = Server::start();
    let mut client = server.guest();
    let [one, other] = client.socketpair();
    let first = client.start(abi::nr::READ, &[one.kfd.into(), 0x3000, 16], &[]);
    let second = client.start(abi::nr::READ, &[one.kfd.into(), 0x4000, 16], &[]);
    assert_eq!(client.counter("calls.waiting"), 2);
    client.send(REQ, CANCEL, 0, &first.to_le_bytes());
    let value = client.finish(first).value;
    assert!(value == -EINTR || value == -ERESTARTSYS, "{value}");
    let third = client.start(abi::nr::WRITE, &[other.kfd.into(), 0x2000, 2], &[(0x2000, b"hi")]);
    let mut replies = [client.receive().unwrap(), client.receive().unwrap()];
    replies.sort_by_key(|frame| frame.reqno);
    assert_eq!([replies[0].reqno, replies[1].reqno], [second, third]);
    assert_eq!(client.parse_reply(&replies[0].payload).out, [(0x4000, b"hi".to_vec())]);
    client.send(REQ, CANCEL, 0, &first.to_le_bytes());
    assert_eq!(client.counter("calls.waiting"), 0, "cancelling what was answered is nothing");
}

#[test]
fn exec_keeps_files_and_forgets_calls() {
    let server = Server::start();
    let mut client = server.guest();
    let [one, other] = client.socketpair();
    client.start(abi::nr::READ, &[one.kfd.into(), 0x3000, 16], &[]);
    let reqno = client.send(REQ, HANDSHAKE, EXEC, b"after\0");
    client.expect_accepted(reqno);
    client.options(3);
    assert_eq!(client.counter("calls.waiting"), 0);
    assert_eq!(client.write(&other, b"x").value, 1);
    assert_eq!(client.read(&one, 9).out, [(0x3000, b"x".to_vec())]);
    let processes = client.call(abi::private::INFO, &[0, 0x1000, 4096], &[]);
    assert!(String::from_utf8_lossy(&processes.out[0].1).contains("after"));
}

#[test]
fn a_file_is_known_by_its_cookie() {
    let server = Server::start();
    let mut client = server.guest();
    let [one, _other] = client.socketpair();
    assert_eq!(rustix::net::sockopt::socket_cookie(&one.host), Ok(one.cookie));
    let known = client.identify(one.cookie);
    assert_eq!(known, i64::from(one.kfd));
    let mut stranger = server.guest();
    assert!(stranger.identify(one.cookie) >= 0, "received or inherited, it is entered");
    assert_eq!(stranger.write(&one, b"x").value, 1);
    assert_eq!(client.identify(12345), -2);
}

#[test]
fn site_lists() {
    let server = Server::start();
    let mut client = server.guest();
    let path = std::fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .find_map(|line| line.contains("libc.so").then(|| line[line.find('/').unwrap()..].to_owned()))
        .unwrap();
    let analysis = sites::analyse_file(path.as_ref()).unwrap().list;
    let terminated = format!("{path}\0");
    let mut ask = |path: &[u8], size: u64, len: u64| {
        let memory: [(u64, &[u8]); 2] = [(0x1000, path), (0x2000, &analysis.build_id.0)];
        client.call(abi::private::SITES, &[0x1000, 0x2000, size, 0x3000, len], &memory)
    };
    let expected = analysis.encode();
    for _ in 0..2 {
        let reply = ask(terminated.as_bytes(), analysis.file_size, 1 << 20);
        assert_eq!(reply.value, expected.len() as i64);
        assert_eq!(reply.out, [(0x3000, expected.clone())]);
    }
    assert_eq!(ask(terminated.as_bytes(), analysis.file_size, 10).out[0].1, expected[..10]);
    assert_eq!(ask(terminated.as_bytes(), analysis.file_size + 1, 10).value, -2);
    assert_eq!(ask(b"/etc/passwd\0", 1, 10).value, -2);
    assert_eq!(ask(b"relative\0", 1, 10).value, -22);
}

#[test]
fn finished_calls_are_told() {
    let server = Server::start();
    let mut listener = server.guest();
    assert_eq!(listener.call(abi::private::TRACE, &[0x1000, 0], &[]).value, 0);
    let reqno = listener.start(abi::private::TRACE, &[0x1000, 4096], &[]);
    let mut client = server.guest();
    client.call(abi::nr::READ, &[77, 0x2000, 5], &[]);
    let told = String::from_utf8(listener.finish(reqno).out.remove(0).1).unwrap();
    assert!(told.ends_with(" guest read(77, 0x2000, 5) = -1 EBADF\n"), "{told}");
}
