//! The calls about descriptors, on sockets and pipes.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};

#[test]
fn flags_and_vectors() {
    same(|s| {
        let (a, b) = s.pair(STREAM);
        s.call("F_GETFL", nr::FCNTL, &[a, 3, 0]).ok();
        s.call("F_SETFL", nr::FCNTL, &[b, 4, NONBLOCK]).ok();
        s.call("F_GETFL", nr::FCNTL, &[b, 3, 0]).ok();
        let room = s.put(&[0; 16]);
        s.call("", nr::READ, &[b, room, 1]).ok();
        s.call("F_GETFD", nr::FCNTL, &[a, 1, 0]).ok();
        s.call("F_SETFD", nr::FCNTL, &[a, 2, 1]).ok();
        s.call("F_GETFD", nr::FCNTL, &[a, 1, 0]).ok();
        s.call("no command", nr::FCNTL, &[a, 7777, 1]).ok();
        s.call("F_GETPIPE_SZ", nr::FCNTL, &[a, 1032, 0]).ok();
        let (one, two) = (s.put(b"gathered "), s.put(b"bytes"));
        let iov = s.put(&[one, 9, two, 5].map(u64::to_ne_bytes).concat());
        s.call("", nr::WRITEV, &[a, iov, 2]).ok();
        let iov = s.put(&[room, 3, room + 3, 0, room + 8, 8].map(u64::to_ne_bytes).concat());
        s.call("", nr::READV, &[b, iov, 3]).ok();
        let found = s.get(room, 16);
        s.say("scattered", found);
        s.call("too many", nr::READV, &[b, iov, 1025]).ok();
        let iov = s.put(&[room, u64::MAX].map(u64::to_ne_bytes).concat());
        s.call("negative", nr::READV, &[b, iov, 1]).ok();
        let (c, d) = s.pair(DGRAM);
        let iov = s.put(&[one, 9, two, 5].map(u64::to_ne_bytes).concat());
        s.call("one datagram", nr::WRITEV, &[c, iov, 2]).ok();
        s.recv(d, 20, 0).ok();
        let stat = s.put(&[0; 144]);
        s.call("", nr::FSTAT, &[c, stat]).ok();
        let mode = s.get_u32(stat + 24);
        s.say("mode", mode);
        let other = s.put(&[0; 144]);
        s.call("", nr::FSTAT, &[d, other]).ok();
        let differ = s.get(stat + 8, 8) != s.get(other + 8, 8);
        s.say("inodes differ", differ);
    });
}

#[test]
fn copies_of_a_descriptor() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let (a, b) = s.pair(STREAM);
    let copy = s.sys(nr::DUP, &[b]).expect("dup");
    assert_eq!(s.sys(nr::DUP2, &[b, 77]), Ok(77));
    assert_eq!(s.sys(nr::FCNTL, &[b, 1030, 100]), Ok(100), "F_DUPFD_CLOEXEC");
    assert_eq!(s.sys(nr::FCNTL, &[100, 1, 0]), Ok(1));
    assert_eq!(s.sys(nr::DUP3, &[b, b, 0]), Err(Errno::EINVAL));
    for fd in [b, copy, 77] {
        s.close(fd);
        assert_eq!(s.poll(a, 0x2000), 0, "still open");
    }
    assert_eq!(s.sys(nr::DUP2, &[a, 100]), Ok(100), "closes the last one");
    assert_eq!(s.poll(a, 0x2000), 0x2010);
}

#[test]
fn the_size_of_a_pipe() {
    same(|s| {
        let at = s.put(&[0; 8]);
        s.call("", nr::PIPE2, &[at, NONBLOCK]).ok();
        let (r, w) = (u64::from(s.get_u32(at)), u64::from(s.get_u32(at + 4)));
        s.call("F_GETPIPE_SZ", nr::FCNTL, &[r, 1032, 0]).ok();
        s.call("F_SETPIPE_SZ", nr::FCNTL, &[w, 1031, 5000]).ok();
        let data = s.put(&[1; 9000]);
        s.call("", nr::WRITE, &[w, data, 9000]).ok();
        s.call("F_SETPIPE_SZ", nr::FCNTL, &[w, 1031, 100]).ok();
        s.call("F_SETPIPE_SZ", nr::FCNTL, &[w, 1031, 1 << 20]).ok();
    });
}
