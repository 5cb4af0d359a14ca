//! The client's lock, its bells, and the threads that take turns at reading the connection, in every order that loom finds
//! (up to so many preemptions). The modules are the client's own; `sys` alone is a model.

#![allow(clippy::unwrap_used, reason = "a test ends there")]
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "the client's modules, of which these tests use some"
)]

extern crate alloc;

#[path = "../../src/call.rs"]
mod call;
#[path = "../../src/connect.rs"]
mod connect;
#[path = "../../src/crowd.rs"]
mod crowd;
#[path = "../../src/fork_unsafe.rs"]
mod fork_unsafe;
#[path = "../../src/gather.rs"]
mod gather;
#[path = "../../src/handover.rs"]
mod handover;
#[path = "../../src/interruption.rs"]
mod interruption;
#[path = "../../src/lane.rs"]
mod lane;
#[path = "../../src/lock_unsafe.rs"]
mod lock_unsafe;
#[path = "../../src/passed.rs"]
mod passed;
#[path = "../../src/pump.rs"]
mod pump;
#[path = "../../src/relay.rs"]
mod relay;
#[path = "../../src/retry.rs"]
mod retry;
#[path = "../../src/send.rs"]
mod send;
#[path = "../../src/serve.rs"]
mod serve;
#[path = "../../src/slot.rs"]
mod slot;
#[path = "../../src/state.rs"]
mod state;
mod sys;

use abi::Errno;
use call::Request;
use gather::Memory;
use host::{Part, Wait};
use lock_unsafe::Lock;
use loom::thread;
use retry::Retry;
use slot::{Answer, Slot};
use state::{Options, Phase, Session};
use std::sync::Arc;
use sys::Manner;
use wire::kind;
use wire::url::Url;

/// Most faults of synchronisation show with two.
const PREEMPTIONS: usize = 2;
/// The connection's number, which no descriptor has.
const SOCKET: u32 = 1 << 20;

fn model(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(run);
}

/// So many threads each count once under the lock.
fn count(threads: usize) {
    let lock = Arc::new(Lock::new(0));
    let others: Vec<_> = (1..threads)
        .map(|_| {
            let lock = lock.clone();
            thread::spawn(move || *lock.lock() += 1)
        })
        .collect();
    if let Some(mut held) = lock.try_lock() {
        *held += 1;
    } else {
        *lock.lock() += 1;
    }
    others.into_iter().for_each(|other| other.join().unwrap());
    assert_eq!(*lock.lock(), threads);
}

#[test]
fn one_thread_at_a_time_holds_the_lock() {
    model(3, || count(2));
    model(1, || count(3));
}

#[test]
fn a_bell_wakes_who_waits_for_an_answer() {
    model(PREEMPTIONS, || {
        let slot = Arc::new(Slot::new(Memory::default()));
        let other = slot.clone();
        let answering = thread::spawn(move || {
            // A reason to look again that is no answer.
            other.ring();
            other.put(Answer::Lost);
        });
        loop {
            let seen = slot.bell();
            if let Some(answer) = slot.take() {
                assert!(matches!(answer, Answer::Lost));
                break;
            }
            let _ = slot.listen(seen, Wait::Yes);
        }
        answering.join().unwrap();
    });
}

fn connected() -> Arc<Session> {
    let options = Options {
        url: Url::Unix(b"/nowhere".to_vec()),
        name: Vec::new(),
        prefix: Vec::new(),
        retry: Retry::No,
        plain: false,
        host_descriptors: true,
        relay: None,
        interruption: None,
    };
    let session = Session::new(options);
    session.state.lock().phase = Phase::Up { socket: SOCKET, extended: true };
    Arc::new(session)
}

/// Makes a call of this number, which the server answers with it.
fn call(session: &Session, number: u32) -> Result<u64, Errno> {
    let head = wire::call::emit_request([0; 6], 0, &[]);
    let payload = [Part::Ours(&head)];
    let request = Request { kind: kind::CALL, word: number, payload: &payload, passed: &[] };
    match session.transact(&request, Memory::default())? {
        Answer::Reply(reply) => reply?.result,
        Answer::Lost => Err(Errno::ENOTCONN),
        Answer::Frame(frame) => panic!("{frame:?}"),
    }
}

/// Calls of so many threads at once.
fn calls(manner: Manner, threads: u32) -> Vec<Result<u64, Errno>> {
    sys::serve(manner);
    let session = connected();
    let others: Vec<_> = (1..threads)
        .map(|number| {
            let session = session.clone();
            thread::spawn(move || call(&session, number))
        })
        .collect();
    let own = call(&session, 0);
    let others = others.into_iter().map(|other| other.join().unwrap());
    let outcome = std::iter::once(own).chain(others).collect();
    assert!(session.state.lock().waiting.is_empty());
    outcome
}

#[test]
fn each_thread_gets_its_own_answer() {
    model(PREEMPTIONS, || assert_eq!(calls(Manner::AtOnce, 2), [Ok(0), Ok(1)]));
}

/// The thread that reads gets its own answer last or first, and hands over.
#[test]
fn answers_come_in_another_order() {
    model(PREEMPTIONS, || assert_eq!(calls(Manner::Reversed(2), 2), [Ok(0), Ok(1)]));
}

#[test]
fn three_threads_take_turns() {
    model(1, || assert_eq!(calls(Manner::AtOnce, 3), [Ok(0), Ok(1), Ok(2)]));
}

#[test]
fn all_learn_that_the_connection_is_lost() {
    model(PREEMPTIONS, || {
        let outcome = calls(Manner::Unfinished(2), 2);
        let lost = outcome.iter().filter(|outcome| **outcome == Err(Errno::ENOTCONN)).count();
        assert_eq!(lost, 1, "{outcome:?}");
        assert!(outcome.contains(&Ok(0)) || outcome.contains(&Ok(1)), "the other was answered");
    });
}
