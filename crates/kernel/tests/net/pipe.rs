//! Pipes.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};

fn pipe(s: &mut Script<'_>, flags: u64) -> (u64, u64) {
    let at = s.put(&[0; 8]);
    s.call("", nr::PIPE2, &[at, flags]).ok();
    (u64::from(s.get_u32(at)), u64::from(s.get_u32(at + 4)))
}

fn write(s: &mut Script<'_>, fd: u64, data: &[u8]) {
    let at = s.put(data);
    s.call("", nr::WRITE, &[fd, at, data.len() as u64]).ok();
}

fn read(s: &mut Script<'_>, fd: u64, len: u64) {
    let at = s.put(&vec![0; usize::try_from(len).expect("small")]);
    s.call("", nr::READ, &[fd, at, len]).ok();
}

#[test]
fn as_the_hosts() {
    same(|s| {
        let (r, w) = pipe(s, NONBLOCK);
        s.polled("r", r);
        s.polled("w", w);
        read(s, r, 1);
        s.call("no socket", nr::LISTEN, &[r, 1]).ok();
        write(s, w, b"hello");
        s.polled("r", r);
        read(s, r, 3);
        read(s, r, 0);
        write(s, r, b"x");
        read(s, w, 1);
        read(s, r, 10);
        write(s, w, &vec![7; 70_000]);
        s.polled("w", w);
        write(s, w, &[1; 10]);
        read(s, r, 65_536);
        s.polled("w", w);
        let at = s.put(&[0; 4]);
        write(s, w, b"count me");
        s.call("", nr::IOCTL, &[r, 0x541b, at]).ok();
        let count = s.get_u32(at);
        s.say("FIONREAD", count);
        s.close(w);
        s.polled("r", r);
        read(s, r, 100);
        read(s, r, 100);
        s.polled("r", r);
        s.close(r);
        s.call("bad flags", nr::PIPE2, &[at, 1]).ok();
    });
}

#[test]
fn nobody_reads() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let (r, w) = pipe(&mut s, 0);
    s.close(r);
    s.polled("w", w);
    let at = s.put(b"x");
    assert_eq!(s.sys(nr::WRITE, &[w, at, 1]), Err(Errno::EPIPE));
    assert_eq!(s.log.last().map(String::as_str), Some("w polls: \"OUT|ERR\""));
    assert_eq!(rump.signals(), [13]);
}

#[test]
fn a_blocked_writer_goes_on() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let (r, w, from, to) = {
        let mut s = Script::on(&mut rump);
        let (r, w) = pipe(&mut s, 0);
        (r, w, s.put(&vec![1; 200_000]), s.put(&vec![0; 200_000]))
    };
    let write = rump.start(pid, nr::WRITE, [w, from, 200_000, 0, 0, 0]);
    assert_eq!(rump.answer(write), None);
    let mut got = 0;
    while got < 200_000 {
        got += rump.sys_of(pid, nr::READ, [r, to, 200_000, 0, 0, 0]).expect("data");
    }
    assert_eq!(rump.answer(write), Some(Ok(200_000)));
    let read = rump.start(pid, nr::READ, [r, to, 10, 0, 0, 0]);
    assert_eq!(rump.answer(read), None);
    Script::on(&mut rump).close(w);
    assert_eq!(rump.answer(read), Some(Ok(0)), "the end wakes a reader");
}
