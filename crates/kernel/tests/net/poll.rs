//! poll(2), and what the server hears of readiness.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr, private};
use kernel::{Descriptors, Effect};

#[test]
fn several_descriptors() {
    same(|s| {
        let (a, b) = s.pair(STREAM);
        let entry = |fd: u64, events: u16| {
            [
                &u32::try_from(fd & 0xffff_ffff).expect("32 bits").to_ne_bytes()[..],
                &events.to_ne_bytes(),
                &[9, 9],
            ]
            .concat()
        };
        let fds = [entry(a, 1), entry(u64::MAX, 1), entry(9999, 1), entry(b, 4), entry(b, 0)].concat();
        let at = s.put(&fds);
        s.call("", nr::POLL, &[at, 5, 0]).ok();
        for row in 0..5 {
            let revents = s.get(at + row * 8 + 6, 2);
            s.say("revents", revents);
        }
        s.close(a);
        s.call("", nr::POLL, &[at + 32, 1, 1000]).ok();
        let revents = s.get(at + 38, 2);
        s.say("hang-up unasked", revents);
        s.call("none", nr::POLL, &[0, 0, 0]).ok();
        let late = s.put(&[0_i64.to_ne_bytes(), 2_000_000_000_i64.to_ne_bytes()].concat());
        s.call("bad time", nr::PPOLL, &[at, 1, late, 0, 8]).ok();
    });
}

#[test]
fn waiting_ends_by_data_by_time_and_by_close() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let mut s = Script::on(&mut rump);
    let (a, b) = s.pair(STREAM);
    let at =
        s.put(&[&u32::try_from(b).expect("small").to_ne_bytes()[..], &1_u16.to_ne_bytes(), &[0; 2]].concat());
    let id = rump.start(pid, nr::POLL, [at, 1, 10, 0, 0, 0]);
    rump.pass(9_999_999);
    assert_eq!(rump.answer(id), None);
    rump.pass(1);
    assert_eq!(rump.answer(id), Some(Ok(0)));
    let forever = (-1_i32).cast_unsigned();
    let id = rump.start(pid, nr::POLL, [at, 1, forever.into(), 0, 0, 0]);
    rump.cancel(id);
    assert_eq!(rump.answer(id), Some(Err(Errno::EINTR)));
    let id = rump.start(pid, nr::POLL, [at, 1, forever.into(), 0, 0, 0]);
    Script::on(&mut rump).send(a, b"x", 0).ok();
    assert_eq!(rump.answer(id), Some(Ok(1)));
    let mut s = Script::on(&mut rump);
    s.recv(b, 1, 0).ok();
    let id = rump.start(pid, nr::POLL, [at, 1, forever.into(), 0, 0, 0]);
    Script::on(&mut rump).close(b);
    assert_eq!(rump.answer(id), Some(Ok(1)));
    assert_eq!(Script::on(&mut rump).get(at + 6, 2), 0x20_u16.to_ne_bytes());
}

/// What the server was told of readiness since the last time.
fn told(rump: &mut Rump) -> Vec<(u16, bool)> {
    let found = rump.effects.iter().filter_map(|effect| match effect {
        Effect::Ready { mask, edge, .. } => Some((*mask & 0x15, *edge)),
        _ => None,
    });
    let found = found.collect();
    rump.effects.clear();
    found
}

#[test]
fn watched_files_are_reported() {
    let mut rump = Rump::with(Descriptors::Weak, 0);
    let pid = rump.pid;
    let (client, server) = Script::on(&mut rump).tcp_pair();
    assert_eq!(told(&mut rump), [], "nobody watches");
    rump.sys_of(pid, private::WATCH, [server, 0, 0, 0, 0, 0]).expect("watch");
    assert_eq!(told(&mut rump), [(4, false)]);
    for _ in 0..2 {
        Script::on(&mut rump).send(client, b"ab", 0).ok();
        assert_eq!(told(&mut rump), [(5, true)], "an edge each time");
    }
    let room = Script::on(&mut rump).put(&[0; 8]);
    let id = rump.start(pid, nr::RECVFROM, [server, room, 3, 0, 0, 0]);
    assert_eq!(rump.reply(id).and_then(|reply| reply.touched).map(|(_, mask)| mask & 0x15), Some(5));
    let id = rump.start(pid, nr::RECVFROM, [server, room, 3, 0, 0, 0]);
    assert_eq!(
        rump.reply(id).and_then(|reply| reply.touched).map(|(_, mask)| mask & 0x15),
        Some(4),
        "now empty"
    );
    told(&mut rump);
    Script::on(&mut rump).sys(nr::SHUTDOWN, &[client, 1]).expect("shutdown");
    assert_eq!(told(&mut rump), [(5, true)]);
}

#[test]
fn sigio_upon_connection() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let mut s = Script::on(&mut rump);
    let (listener, name) = s.listener();
    let owner = s.put(&pid.0.to_ne_bytes());
    assert_eq!(s.sys(nr::IOCTL, &[listener, 0x8901, owner]), Ok(0), "FIOSETOWN");
    let on = s.put(&1_u32.to_ne_bytes());
    assert_eq!(s.sys(nr::IOCTL, &[listener, 0x5452, on]), Ok(0), "FIOASYNC");
    let client = s.socket(INET, STREAM);
    s.connect(client, &name);
    assert!(rump.signals().contains(&29));
}
