//! UDP over the loopback interface.

use crate::script::*;
use abi::nr;

fn bound(s: &mut Script<'_>) -> (u64, Vec<u8>) {
    let fd = s.socket(INET, DGRAM | NONBLOCK);
    s.bind(fd, &v4([127, 0, 0, 1], 0));
    let name = s.name(nr::GETSOCKNAME, fd).unwrap_or_default();
    (fd, name)
}

#[test]
fn datagrams() {
    same(|s| {
        let (a, to) = bound(s);
        let b = s.socket(INET, DGRAM | NONBLOCK);
        s.polled("fresh", b);
        s.recv(b, 1, 0).ok();
        s.send(b, b"nowhere", 0).ok();
        s.send_to(b, b"hello", &to);
        s.send_to(b, b"", &to);
        s.polled("a", a);
        s.recv(a, 2, PEEK).ok();
        s.recv(a, 2, TRUNC).ok();
        s.recv(a, 2, 0).ok();
        s.recv(a, 2, 0).ok();
        s.send_to(b, b"x", &to[..15]);
        s.send_to(b, b"x", &v4([127, 0, 0, 1], 0));
        s.send_to(b, b"x", &v6_loopback(9));
        s.send_to(b, &vec![0; 65_508], &to);
        s.send_to(b, &vec![1; 65_507], &to);
        s.connect(b, &to);
        let peer = s.name(nr::GETPEERNAME, b) == Ok(to.clone());
        s.say("peer", peer);
        s.send(b, b"connected", 0).ok();
        s.connect(b, &[0, 0]);
        s.send(b, b"x", 0).ok();
        s.call("", nr::LISTEN, &[a, 1]).ok();
        s.call("", nr::ACCEPT, &[a, 0, 0]).ok();
        s.call("", nr::SHUTDOWN, &[b, 2]).ok();
    });
}

#[test]
fn nobody_there() {
    same(|s| {
        let (a, to) = bound(s);
        s.close(a);
        let b = s.socket(INET, DGRAM | NONBLOCK);
        s.connect(b, &to);
        s.send(b, b"x", 0).ok();
        s.polled("b", b);
        s.recv(b, 1, 0).ok();
        s.recv(b, 1, 0).ok();
        s.send(b, b"x", 0).ok();
        s.shows(b, 1, 4, 4);
        s.shows(b, 1, 4, 4);
    });
}

#[test]
fn several_messages_at_once() {
    same(|s| {
        let (a, to) = bound(s);
        let b = s.socket(INET, DGRAM | NONBLOCK);
        s.connect(b, &to);
        let vector = |s: &mut Script<'_>, texts: [&[u8]; 3]| {
            let mut headers = Vec::new();
            for text in texts {
                let at = s.put(text);
                let iov = s.put(&[at.to_ne_bytes(), (text.len() as u64).to_ne_bytes()].concat());
                headers.extend([0, 0, iov, 1, 0, 0, 0, 0].map(u64::to_ne_bytes).concat());
            }
            s.put(&headers)
        };
        let out = vector(s, [b"first", b"", b"third!"]);
        s.call("", nr::SENDMMSG, &[b, out, 3, 0]).ok();
        let back = vector(s, [&[0; 3], &[0; 3], &[0; 8]]);
        s.call("", nr::RECVMMSG, &[a, back, 3, 0, 0]).ok();
        for at in 0..3 {
            let header = s.get(back + 64 * at + 40, 24);
            s.say("controllen, flags, len", header);
        }
        s.call("", nr::RECVMMSG, &[a, back, 3, 0, 0]).ok();
    });
}

#[test]
fn what_comes_with_a_datagram() {
    same(|s| {
        let (a, to) = bound(s);
        for name in [8, 12, 13] {
            s.set(a, 0, name, &1_u32.to_ne_bytes());
        }
        let b = s.socket(INET, DGRAM);
        s.set(b, 0, 2, &9_u32.to_ne_bytes());
        s.send_to(b, b"x", &to);
        let (at, control) = (s.put(&[0; 4]), s.put(&[0; 256]));
        let iov = s.put(&[at.to_ne_bytes(), 4_u64.to_ne_bytes()].concat());
        let message = s.put(&[0, 0, iov, 1, control, 256, 0].map(u64::to_ne_bytes).concat());
        s.call("", nr::RECVMSG, &[a, message, 0]).ok();
        let found = (s.get_u32(message + 40), s.get(control, 128));
        s.say("control", found);
    });
}
