//! Signals: those that interrupt a call, and those that the kernel sends.

use crate::peer::{ORIGINAL, OURS, Peer, place, row};
use crate::raw_unsafe::{HANDLED, count};
use abi::{Errno, nr};
use client::{Reply, Retry, Session};
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use wire::{Frame, Header, class, error, kind};

/// What interrupts a thread in [`interrupted`].
const SIGUSR1: u32 = 10;
const SIGUSR2: u32 = 12;
const SIGWINCH: u32 = 28;
const EINTR: i64 = -4;
const ERESTARTSYS: i64 = -512;

/// A call that waits in a session until a signal comes, with `serve` for a server, which gets the call once it has come.
fn interrupted(serve: impl FnOnce(&mut Peer, Frame) + Send) -> Result<Reply, Errno> {
    count(SIGUSR1);
    let place = place();
    let session = place.session(Retry::No, false);
    let (blocked, blocks) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            let call = peer.request().unwrap();
            blocked.send(()).unwrap();
            serve(&mut peer, call);
        });
        let (tid, thread) = channel();
        let session = &session;
        let caller = scope.spawn(move || {
            tid.send(host::gettid()).unwrap();
            session.call(row(nr::PAUSE), [0; 6], &[])
        });
        blocks.recv().unwrap();
        let thread = thread.recv().unwrap();
        // It may not sleep yet.
        while !caller.is_finished() {
            let _ = host::tgkill(host::getpid(), thread, SIGUSR1);
            thread::sleep(Duration::from_millis(10));
        }
        caller.join().unwrap()
    })
}

/// The request to cancel `call`.
fn cancelled(peer: &mut Peer, call: &Frame) -> Frame {
    let cancel = peer.frame().unwrap();
    assert_eq!((cancel.header.class, cancel.header.kind), (class::REQ, kind::CANCEL));
    assert_eq!(cancel.payload, call.header.reqno.to_le_bytes());
    assert_ne!(cancel.header.reqno, call.header.reqno, "a number of its own");
    cancel
}

#[test]
fn a_signal_cancels_a_call_once() {
    for (answer, expected) in [(EINTR, Err(Errno::EINTR)), (ERESTARTSYS, Err(Errno::ERESTARTSYS)), (7, Ok(7))]
    {
        let reply = interrupted(|peer, call| {
            cancelled(peer, &call);
            // The signals that go on coming are no further requests; the answer counts, whichever it is.
            peer.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            assert_eq!(peer.frame(), None);
            peer.reply(&call, answer, vec![]);
        });
        assert_eq!(reply.unwrap().result, expected);
    }
}

#[test]
fn the_connection_is_lost_while_a_cancelled_call_waits() {
    let reply = interrupted(|peer, call| drop(cancelled(peer, &call)));
    assert_eq!(reply.unwrap_err(), Errno::ENOTCONN);
}

#[test]
fn a_refusal_of_the_cancelled_call_is_its_error() {
    let reply = interrupted(|peer, call| {
        cancelled(peer, &call);
        peer.refuse(&call, error::NOMEM);
    });
    assert_eq!(reply.unwrap_err(), Errno::ENOMEM);
}

/// The threads of one session, one of which reads for all: the signal of either cancels its own call.
#[test]
fn a_signal_cancels_the_call_of_its_own_thread() {
    count(SIGUSR2);
    let place = place();
    let session = place.session(Retry::No, false);
    let (came, comes) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            let calls = [peer.request().unwrap(), peer.request().unwrap()];
            came.send(()).unwrap();
            let cancel = peer.frame().unwrap();
            assert_eq!(cancel.header.kind, kind::CANCEL);
            let is_it = |call: &&Frame| cancel.payload == call.header.reqno.to_le_bytes();
            let cancelled = calls.iter().find(is_it).unwrap();
            assert_eq!(cancelled.header.word, nr::SETSID, "the second thread's");
            peer.reply(cancelled, EINTR, vec![]);
            // The other still waits for its own.
            thread::sleep(Duration::from_millis(50));
            let other = calls.iter().find(|call| !is_it(call)).unwrap();
            peer.reply(other, 9, vec![]);
        });
        let reader = scope.spawn(|| session.call(row(nr::PAUSE), [0; 6], &[]).unwrap().result);
        thread::sleep(Duration::from_millis(50));
        let (tid, thread) = channel();
        let session: &Session = &session;
        let listener = scope.spawn(move || {
            tid.send(host::gettid()).unwrap();
            session.call(row(nr::SETSID), [0; 6], &[]).unwrap().result
        });
        comes.recv().unwrap();
        let thread = thread.recv().unwrap();
        while !listener.is_finished() {
            let _ = host::tgkill(host::getpid(), thread, SIGUSR2);
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(listener.join().unwrap(), Err(Errno::EINTR));
        assert_eq!(reader.join().unwrap(), Ok(9));
    });
}

/// RAISE is the signal's number and nothing else: what no signal has is ignored.
#[test]
fn raised_signals() {
    for (banner, plain) in [(OURS, false), (ORIGINAL, true)] {
        count(SIGWINCH);
        let before = HANDLED[SIGWINCH as usize].load(Ordering::SeqCst);
        let place = place();
        let session = place.session(Retry::No, plain);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut peer = Peer::accept(&place.listener, banner);
                let call = peer.request().unwrap();
                for signo in [0, SIGWINCH, 65, 1 << 20, u32::MAX, SIGWINCH] {
                    peer.send(Header::request(u64::MAX, kind::RAISE, signo), &[]);
                }
                match plain {
                    true => peer.answer(&call, kind::SYSCALL, &[0; 24]),
                    false => peer.reply(&call, 0, vec![]),
                }
            });
            let reply = session.call(row(nr::GETPID), [0; 6], &[]).unwrap();
            assert_eq!(reply.result, Ok(0));
        });
        assert_eq!(HANDLED[SIGWINCH as usize].load(Ordering::SeqCst) - before, 2);
    }
}
