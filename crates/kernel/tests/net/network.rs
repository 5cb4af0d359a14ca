//! Two kernels joined by a link that loses, delays and reorders packets, on one virtual clock.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};
use std::collections::BTreeMap;
use std::net::IpAddr;
use tcpip::{LinkConfig, LinkId};

/// Packets on their way, by time of arrival.
struct Wire {
    random: u64,
    loss_percent: u64,
    flying: BTreeMap<(u64, u64), (usize, Vec<u8>)>,
    sent: u64,
    lost: u64,
}

impl Wire {
    fn new(seed: u64, loss_percent: u64) -> Self {
        Self { random: seed | 1, loss_percent, flying: BTreeMap::new(), sent: 0, lost: 0 }
    }

    /// xorshift64.
    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn send(&mut self, to: usize, frame: Vec<u8>, now: u64) {
        self.sent += 1;
        if self.next_random() % 100 < self.loss_percent {
            self.lost += 1;
            return;
        }
        let delay = 1_000_000 + self.next_random() % 3_000_000;
        self.flying.insert((now + delay, self.sent), (to, frame));
    }
}

/// Runs both kernels for at most this long, until `done` says that it is over.
fn run(
    ends: &mut [Rump; 2],
    link: LinkId,
    wire: &mut Wire,
    limit_ns: u64,
    done: impl Fn(&mut [Rump; 2]) -> bool,
) {
    let end = ends[0].now.mono_ns + limit_ns;
    loop {
        let now = ends[0].now.mono_ns;
        for (from, rump) in ends.iter_mut().enumerate() {
            while let Some((_, frame)) = rump.kernel.next_frame() {
                wire.send(1 - from, frame, now);
            }
        }
        if done(ends) {
            return;
        }
        let deadlines = ends.iter().filter_map(|end| end.kernel.next_deadline());
        let next =
            deadlines.chain(wire.flying.keys().next().map(|(at, _)| *at)).min().unwrap_or(end).max(now);
        assert!(next < end, "not done after {limit_ns} ns");
        for rump in ends.iter_mut() {
            rump.pass(next - now);
        }
        while let Some(entry) = wire.flying.first_entry().filter(|entry| entry.key().0 <= next) {
            let (to, frame) = entry.remove();
            ends[to].kernel.frame_in(link, &frame);
            ends[to].pump();
        }
    }
}

fn transfer(seed: u64, loss_percent: u64) -> (u64, u64) {
    let mut ends = [Rump::new(), Rump::new()];
    let mut link = LinkId::LO;
    for (at, rump) in ends.iter_mut().enumerate() {
        let ip: IpAddr = [10, 1, 1, 1 + u8::try_from(at).expect("small")].into();
        let config = LinkConfig { addrs: vec![(ip, 24)], ..LinkConfig::ip("p0") };
        link = rump.kernel.add_link(config).expect("a link");
    }
    let mut wire = Wire::new(seed, loss_percent);
    let pids = [ends[0].pid, ends[1].pid];
    let mut s = Script::on(&mut ends[1]);
    let listener = s.socket(INET, STREAM);
    s.bind(listener, &v4([0; 4], 80));
    s.sys(nr::LISTEN, &[listener, 5]).expect("listen");
    const LEN: usize = 300_000;
    let data: Vec<u8> = (0..LEN).map(|at| u8::try_from((at * 7) % 253).expect("small")).collect();
    let to = s.put(&vec![0; LEN]);
    let accept = ends[1].start(pids[1], nr::ACCEPT, [listener, 0, 0, 0, 0, 0]);
    let mut s = Script::on(&mut ends[0]);
    let client = s.socket(INET, STREAM);
    let (addr, from) = (s.put(&v4([10, 1, 1, 2], 80)), s.put(&data));
    let connect = ends[0].start(pids[0], nr::CONNECT, [client, addr, 16, 0, 0, 0]);
    assert_eq!(ends[0].answer(connect), None, "the answer takes a round trip");
    let connected = std::cell::Cell::new(false);
    let accepted = std::cell::Cell::new(None);
    run(&mut ends, link, &mut wire, 120_000_000_000, |ends| {
        if let Some(answer) = ends[0].answer(connect) {
            assert_eq!(answer, Ok(0));
            connected.set(true);
        }
        if let Some(answer) = ends[1].answer(accept) {
            accepted.set(Some(answer.expect("accept")));
        }
        connected.get() && accepted.get().is_some()
    });
    let server = accepted.get().expect("accepted");
    let send = ends[0].start(pids[0], nr::SENDTO, [client, from, LEN as u64, 0, 0, 0]);
    let recv = ends[1].start(pids[1], nr::RECVFROM, [server, to, LEN as u64, 0x100, 0, 0]);
    run(&mut ends, link, &mut wire, 600_000_000_000, |ends| match ends[1].answer(recv) {
        Some(answer) => {
            assert_eq!(answer, Ok(LEN as u64));
            true
        }
        None => false,
    });
    assert_eq!(ends[0].answer(send), Some(Ok(LEN as u64)));
    assert!(Script::on(&mut ends[1]).get(to, LEN) == data, "what was sent");
    assert!(loss_percent == 0 || wire.lost > 0);
    (ends[0].now.mono_ns, wire.sent)
}

#[test]
fn bulk_over_a_good_link() {
    transfer(1, 0);
}

#[test]
fn bulk_over_a_bad_link_the_same_each_time() {
    for seed in [2, 3] {
        assert_eq!(transfer(seed, 5), transfer(seed, 5));
    }
}

#[test]
fn nobody_answers() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let config = LinkConfig { addrs: vec![([10, 1, 1, 1].into(), 24)], ..LinkConfig::ip("p0") };
    rump.kernel.add_link(config).expect("a link");
    let mut s = Script::on(&mut rump);
    let addr = s.put(&v4([10, 1, 1, 9], 80));
    let (limited, patient) = (s.socket(INET, STREAM), s.socket(INET, STREAM));
    let one_second = [1_i64.to_ne_bytes(), 0_i64.to_ne_bytes()].concat();
    s.set(limited, 1, 21, &one_second);
    let connect = |rump: &mut Rump, fd| rump.start(pid, nr::CONNECT, [fd, addr, 16, 0, 0, 0]);
    let first = connect(&mut rump, limited);
    rump.pass(999_999_999);
    assert_eq!(rump.answer(first), None);
    rump.pass(1);
    assert_eq!(rump.answer(first), Some(Err(Errno::EINPROGRESS)), "SO_SNDTIMEO");
    let second = connect(&mut rump, limited);
    rump.cancel(second);
    assert_eq!(rump.answer(second), Some(Err(Errno::EINTR)));
    let second = connect(&mut rump, limited);
    rump.pass(1_000_000_000);
    assert_eq!(rump.answer(second), Some(Err(Errno::EALREADY)));
    let id = connect(&mut rump, patient);
    rump.cancel(id);
    assert_eq!(rump.answer(id), Some(Err(Errno::ERESTARTSYS)));
    let id = connect(&mut rump, patient);
    rump.pass(200_000_000_000);
    assert_eq!(rump.answer(id), Some(Err(Errno::ETIMEDOUT)));
}
