//! Calls by shared memory, with a server that does what the test says.

use crate::peer::{OURS, Peer, Place, lseek, place};
use abi::{Errno, private};
use client::{Retry, Session};
use host::SharedWords;
use rustix::fs::{MemfdFlags, SealFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use wire::call::{File, Reply, Request};
use wire::lane::{self, CELLS, WORDS};
use wire::{Frame, Header, class, kind};

/// So many calls make a lane worthwhile, and some more.
const WARM: u64 = 40;

fn memory(seals: SealFlags) -> OwnedFd {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = rustix::fs::memfd_create("lane", flags).unwrap();
    rustix::fs::ftruncate(&file, WORDS as u64 * 8).unwrap();
    rustix::fs::fcntl_add_seals(&file, seals).unwrap();
    file
}

/// The server's view of a lane.
struct Lane(SharedWords);

impl Lane {
    fn new(file: &OwnedFd) -> Self {
        // A copy, which the mapping does not need.
        let number = std::os::fd::AsRawFd::as_raw_fd(file).cast_unsigned();
        let lane = Self(SharedWords::map(&host::dup_above(number, 0).unwrap(), WORDS).unwrap());
        lane::prepare(lane.words());
        lane
    }

    fn words(&self) -> &[AtomicU64] {
        self.0.words()
    }

    /// Answers a request as `lseek` expects, by the socket if that is where its thread waits by now; whether so.
    fn answer(&self, cell: usize, peer: &mut Peer) -> bool {
        let mut payload = Vec::new();
        let taken = lane::request(self.words(), cell, &mut payload).unwrap();
        let result = Request::parse(&payload, 9).unwrap().args[1].cast_signed() + 1;
        let reply = Reply { result, drain: 0, fill: false, files: vec![], segments: vec![] }.emit();
        let header = Header { reqno: taken.reqno, class: class::RESP, kind: kind::CALL, word: 0 };
        let by_socket = !lane::answer(self.words(), cell, [&reply[..]]);
        if by_socket {
            peer.send(header, &reply);
        }
        by_socket
    }

    /// The one cell that is asked.
    fn asked(&self) -> usize {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let asked = lane::take_asked(self.words());
            if asked != 0 {
                return asked.trailing_zeros() as usize;
            }
            assert!(Instant::now() < end, "nothing comes by the lane");
            thread::yield_now();
        }
    }
}

/// Serves [`WARM`] calls by the socket, one of which asks for a lane and gets this.
fn warm_up(peer: &mut Peer, file: &OwnedFd) {
    for _ in 0..=WARM {
        let call = peer.request().unwrap();
        if call.header.word == private::LANE {
            let entry = File { passed: true, ..File::default() };
            let reply = Reply { result: 0, drain: 0, fill: false, files: vec![entry], segments: vec![] };
            let header = Header { class: class::RESP, kind: kind::CALL, word: 0, ..call.header };
            peer.pass(&Frame { header, payload: reply.emit() }.emit(), &[file.as_fd()]);
        } else {
            answer_by_socket(peer, &call);
        }
    }
}

fn answer_by_socket(peer: &mut Peer, call: &Frame) {
    let offset = Request::parse(&call.payload, 9).unwrap().args[1];
    peer.reply(call, offset.cast_signed() + 1, vec![]);
}

fn calls(session: &Session, count: u64) {
    for offset in 0..count {
        assert_eq!(lseek(session, offset), Ok(offset + 1));
    }
}

/// A connection that has a lane; `serve` is what the server does from then on, and `ask` what the program does.
fn with_lane(
    place: &Place,
    session: &Session,
    serve: impl FnOnce(&mut Peer, &Lane) + Send,
    ask: impl FnOnce(&Session),
) {
    let file = memory(SealFlags::SHRINK);
    let lane = Lane::new(&file);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            warm_up(&mut peer, &file);
            serve(&mut peer, &lane);
        });
        calls(session, WARM);
        ask(session);
    });
}

#[test]
fn calls_go_by_a_lane_that_is_watched() {
    let place = place();
    let session = place.session(Retry::No, false);
    let watched = |peer: &mut Peer, lane: &Lane| {
        // Not yet: this comes by the socket.
        let call = peer.request().unwrap();
        lane::watch(lane.words());
        answer_by_socket(peer, &call);
        for _ in 0..100 {
            let cell = lane.asked();
            lane.answer(cell, peer);
        }
    };
    with_lane(&place, &session, watched, |session| calls(session, 101));
}

#[test]
fn many_threads_have_a_cell_each() {
    const THREADS: u64 = 40;
    const EACH: u64 = 20;
    let place = place();
    let session = Arc::new(place.session(Retry::No, false));
    let serve = |peer: &mut Peer, lane: &Lane| {
        lane::watch(lane.words());
        peer.stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let (mut served, end) = (0, Instant::now() + Duration::from_secs(20));
        while served < THREADS * EACH {
            assert!(Instant::now() < end, "{served} calls have come");
            // Those without a cell, and those who do not look any more.
            if let Some(call) = peer.request() {
                answer_by_socket(peer, &call);
                served += 1;
            }
            let asked = lane::take_asked(lane.words());
            for cell in (0..CELLS).filter(|cell| asked & 1 << cell != 0) {
                lane.answer(cell, peer);
                served += 1;
            }
        }
    };
    with_lane(&place, &session, serve, |session| {
        thread::scope(|scope| {
            for number in 0..THREADS {
                scope.spawn(move || {
                    for turn in 0..EACH {
                        let offset = number * 1000 + turn;
                        assert_eq!(lseek(session, offset), Ok(offset + 1));
                    }
                });
            }
        });
    });
}

#[test]
fn a_late_answer_comes_by_the_socket_and_the_cell_is_used_again() {
    let place = place();
    let session = place.session(Retry::No, false);
    let serve = |peer: &mut Peer, lane: &Lane| {
        lane::watch(lane.words());
        for _ in 0..3 {
            let cell = lane.asked();
            assert_eq!(cell, 0);
            thread::sleep(Duration::from_millis(30));
            assert!(lane.answer(cell, peer), "nobody looks for so long");
        }
    };
    with_lane(&place, &session, serve, |session| calls(session, 3));
}

#[test]
fn a_server_that_fell_asleep_is_knocked_at() {
    let place = place();
    let session = place.session(Retry::No, false);
    let serve = |peer: &mut Peer, lane: &Lane| {
        lane::watch(lane.words());
        for _ in 0..200 {
            lane::watch(lane.words());
            lane::unwatch(lane.words());
            let cell = match lane::take_asked(lane.words()) {
                0 => match peer.request().unwrap() {
                    call if call.header.kind == kind::CALL => {
                        answer_by_socket(peer, &call);
                        continue;
                    }
                    knock => {
                        assert_eq!(knock.header.kind, kind::KNOCK);
                        lane.asked()
                    }
                },
                asked => asked.trailing_zeros() as usize,
            };
            lane.answer(cell, peer);
        }
    };
    with_lane(&place, &session, serve, |session| calls(session, 200));
}

/// The call was not seen by the server that is gone: the next one gets it.
#[test]
fn a_call_that_was_not_taken_is_made_again() {
    let place = place();
    let session = place.session(Retry::Inftime, false);
    thread::scope(|scope| {
        let (listener, session) = (&place.listener, &session);
        let file = memory(SealFlags::SHRINK);
        let lane = Lane::new(&file);
        scope.spawn(move || {
            let mut peer = Peer::accept(listener, OURS);
            warm_up(&mut peer, &file);
            lane::watch(lane.words());
            // Until it is asked.
            while lane::was_taken(lane.words(), 0) {
                thread::yield_now();
            }
            drop(peer);
            let mut peer = Peer::accept(listener, OURS);
            let call = peer.request().unwrap();
            assert_eq!(call.header.word, abi::nr::GETPPID);
            peer.reply(&call, 77, vec![]);
        });
        calls(session, WARM);
        let reply = session.call(crate::peer::row(abi::nr::GETPPID), [0; 6], &[]).unwrap();
        assert_eq!(reply.result, Ok(77));
    });
}

#[test]
fn a_server_that_writes_nonsense_is_not_believed() {
    let place = place();
    let session = place.session(Retry::No, false);
    let serve = |_: &mut Peer, lane: &Lane| {
        lane::watch(lane.words());
        let cell = lane.asked();
        // A length beyond the cell's end, and the state of an answer.
        let words = &lane.words()[WORDS - (CELLS - cell) * 2560..];
        words[2].store(u64::MAX, Ordering::Relaxed);
        words[0].store(3, Ordering::Release);
        thread::sleep(Duration::from_millis(100));
    };
    with_lane(&place, &session, serve, |session| assert_eq!(lseek(session, 1), Err(Errno::ENOTCONN)));
}

/// A look at memory that was taken away would be SIGBUS.
#[test]
fn memory_that_could_shrink_is_not_used() {
    let place = place();
    let session = place.session(Retry::No, false);
    let file = memory(SealFlags::GROW);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            warm_up(&mut peer, &file);
            for _ in 0..3 {
                let call = peer.request().unwrap();
                answer_by_socket(&mut peer, &call);
            }
        });
        calls(&session, WARM + 3);
    });
}
