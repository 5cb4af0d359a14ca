//! `AF_UNIX` sockets.

use crate::script::*;
use abi::nr;

#[test]
fn a_stream_pair() {
    same(|s| {
        let (a, b) = s.pair(STREAM);
        s.polled("fresh", a);
        s.recv(b, 1, 0).ok();
        s.send(a, b"hello ", 0).ok();
        s.send(a, b"world", 0).ok();
        s.polled("full", b);
        s.recv(b, 20, PEEK).ok();
        s.recv(b, 8, 0).ok();
        s.recv(b, 20, TRUNC).ok();
        s.call("", nr::SHUTDOWN, &[a, 1]).ok();
        s.polled("a", a);
        s.polled("b", b);
        s.recv(b, 1, 0).ok();
        s.send(a, b"x", NOSIGNAL).ok();
        s.send(b, b"back", 0).ok();
        s.close(b);
        s.polled("a", a);
        s.recv(a, 10, 0).ok();
        s.recv(a, 10, 0).ok();
        s.send(a, b"x", NOSIGNAL).ok();
    });
}

#[test]
fn unread_bytes_reset_it() {
    same(|s| {
        let (a, b) = s.pair(STREAM);
        s.send(a, b"unread", 0).ok();
        s.close(b);
        s.polled("a", a);
        s.recv(a, 1, 0).ok();
        s.recv(a, 1, 0).ok();
        s.polled("a", a);
    });
}
