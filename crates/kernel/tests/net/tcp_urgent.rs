//! Urgent data (tcp(7), `MSG_OOB`), and `SO_RCVLOWAT`.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};

const OOB: u64 = 1;
const SO_OOBINLINE: u64 = 10;
const SO_RCVLOWAT: u64 = 18;
const FIONREAD: u64 = 0x541b;
const SIOCATMARK: u64 = 0x8905;
const F_SETOWN: u64 = 8;
const SIGURG: u8 = 23;

/// What is there to read, whether at the mark, and what poll finds.
fn look(s: &mut Script<'_>, fd: u64) {
    for (name, cmd) in [("unread", FIONREAD), ("at mark", SIOCATMARK)] {
        let at = s.put(&[0; 4]);
        s.sys(nr::IOCTL, &[fd, cmd, at]).ok();
        let found = s.get_u32(at);
        s.say(name, found);
    }
    s.polled("it", fd);
}

/// Lets what was sent arrive; on the host that takes a moment.
fn settle(s: &mut Script<'_>) {
    let time = s.put(&[0_u64.to_ne_bytes(), 20_000_000_u64.to_ne_bytes()].concat());
    // Of the rump kernel's own calls none sleeps, and nothing has to.
    s.sys(nr::NANOSLEEP, &[time, 0]).ok();
}

fn send(s: &mut Script<'_>, fd: u64, text: &[u8], flags: u64) {
    s.send(fd, text, flags).ok();
    settle(s);
}

#[test]
fn one_byte_out_of_band() {
    same(|s| {
        let (a, b) = s.tcp_pair();
        s.recv(b, 1, OOB).ok();
        send(s, a, b"ab", 0);
        send(s, a, b"cd!", OOB);
        send(s, a, b"ef", 0);
        look(s, b);
        s.recv(b, 10, PEEK).ok();
        s.recv(b, 10, OOB | PEEK).ok();
        s.recv(b, 10, OOB).ok();
        s.recv(b, 10, OOB).ok();
        look(s, b);
        s.recv(b, 3, 0).ok();
        s.recv(b, 10, 0).ok();
        look(s, b);
        s.recv(b, 10, PEEK).ok();
        s.recv(b, 10, 0).ok();
        look(s, b);
        s.recv(b, 10, 0).ok();
    });
}

#[test]
fn passed_over_it_is_lost() {
    same(|s| {
        let (a, b) = s.tcp_pair();
        send(s, a, b"x", OOB);
        look(s, b);
        s.recv(b, 10, 0).ok();
        send(s, a, b"after", 0);
        look(s, b);
        s.recv(b, 10, 0).ok();
        s.recv(b, 10, OOB).ok();
        look(s, b);
    });
}

#[test]
fn a_second_mark_replaces_the_first() {
    same(|s| {
        let (a, b) = s.tcp_pair();
        send(s, a, b"1x", OOB);
        send(s, a, b"2y", OOB);
        look(s, b);
        s.recv(b, 10, OOB).ok();
        s.recv(b, 10, 0).ok();
        s.recv(b, 10, 0).ok();
        send(s, a, b"x", OOB);
        send(s, a, b"y", OOB);
        look(s, b);
        s.recv(b, 10, 0).ok();
        s.recv(b, 10, OOB).ok();
    });
}

#[test]
fn in_line_it_is_a_byte_like_others() {
    same(|s| {
        let (a, b) = s.tcp_pair();
        s.set(b, 1, SO_OOBINLINE, &1_u32.to_ne_bytes());
        send(s, a, b"ab!", OOB);
        send(s, a, b"cd", 0);
        look(s, b);
        s.recv(b, 1, OOB).ok();
        s.recv(b, 10, 0).ok();
        look(s, b);
        s.recv(b, 10, 0).ok();
        look(s, b);
        s.call("", nr::SHUTDOWN, &[a, 1]).ok();
        settle(s);
        s.recv(b, 1, OOB).ok();
    });
}

#[test]
fn the_owner_gets_sigurg() {
    let mut rump = Rump::new();
    let own = u64::from(rump.pid.0);
    let mut s = Script::on(&mut rump);
    let (a, b) = s.tcp_pair();
    assert_eq!(s.sys(nr::FCNTL, &[b, F_SETOWN, own]), Ok(0));
    s.send(a, b"plain", 0).ok();
    assert_eq!(rump.signals(), []);
    let mut s = Script::on(&mut rump);
    s.send(a, b"!", OOB).ok();
    assert_eq!(rump.signals(), [SIGURG]);
}

#[test]
fn so_rcvlowat_is_waited_for() {
    same(|s| {
        let (a, b) = s.tcp_pair();
        s.set(b, 1, SO_RCVLOWAT, &4_u32.to_ne_bytes());
        send(s, a, b"abc", 0);
        s.polled("three of four", b);
        send(s, a, b"d", 0);
        s.polled("four", b);
        s.recv(b, 2, 0).ok();
        s.polled("two", b);
        s.recv(b, 10, 0).ok();
        send(s, a, b"end", 0);
        s.call("", nr::SHUTDOWN, &[a, 1]).ok();
        settle(s);
        s.polled("the end", b);
    });
}

#[test]
fn a_blocking_call_waits_for_so_rcvlowat() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let mut s = Script::on(&mut rump);
    let (a, b) = s.tcp_pair();
    s.set(b, 1, SO_RCVLOWAT, &4_u32.to_ne_bytes());
    let room = s.put(&[0; 16]);
    let id = rump.start(pid, nr::RECVFROM, [b, room, 10, 0, 0, 0]);
    let mut s = Script::on(&mut rump);
    s.send(a, b"abc", 0).ok();
    assert_eq!(rump.answer(id), None, "three of four bytes");
    let mut s = Script::on(&mut rump);
    s.send(a, b"de", 0).ok();
    assert_eq!(rump.answer(id), Some(Ok(5)));
    let id = rump.start(pid, nr::RECVFROM, [b, room, 2, 0, 0, 0]);
    let mut s = Script::on(&mut rump);
    s.send(a, b"fg", 0).ok();
    assert_eq!(rump.answer(id), Some(Ok(2)), "never more than was asked for");
    assert_eq!(rump.sys_of(pid, nr::RECVFROM, [b, room, 2, DONTWAIT, 0, 0]), Err(Errno::EAGAIN));
}
