//! A lane between a thread that calls and a server, in every order that loom finds. The lane is the crate's own; what it is made of is
//! a model.

#![allow(clippy::unwrap_used, reason = "a test ends there")]
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "the crate's module, of which these tests use some"
)]

extern crate alloc;

#[path = "../../src/lane.rs"]
mod lane;
#[path = "../../src/words.rs"]
mod words;

/// In the place of `src/shared.rs`: loom's atomics, and few of them.
mod shared {
    pub(crate) use crate::words::get;
    pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
    pub(crate) const HEAD: usize = 17;
    pub(crate) const CELL: usize = 10;
    pub(crate) const CELLS_MAX: usize = 1;

    pub(crate) fn put(words: &[AtomicU64], at: usize, bytes: &[u8]) {
        crate::words::put(&words[at / 8..], bytes);
    }
}

use lane::{Found, Taken, WORDS};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use shared::AtomicU64;

const ASKED: Taken = Taken { reqno: 7, nr: 8 };

fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

fn new() -> Arc<Vec<AtomicU64>> {
    let words: Vec<_> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
    lane::prepare(&words);
    Arc::new(words)
}

/// Serves the request that was taken; whether its answer was found in the cell.
fn serve(words: &[AtomicU64]) -> bool {
    let mut payload = Vec::new();
    assert_eq!(lane::request(words, 0, &mut payload), Some(ASKED));
    assert_eq!(payload, b"question");
    lane::answer(words, 0, [b"answer".as_slice()])
}

#[test]
fn a_server_that_goes_to_sleep_is_knocked_at() {
    model(|| {
        let words = new();
        lane::watch(&words);
        let server = {
            let words = words.clone();
            thread::spawn(move || {
                lane::unwatch(&words);
                lane::take_asked(&words) == 1
            })
        };
        let watched = lane::is_watched(&words);
        // One that does not watch is asked by the socket.
        let knocks = watched && !lane::ask(&words, 0, ASKED, b"question");
        let seen = server.join().unwrap();
        assert!(!watched || knocks || seen, "nobody knows of the request");
    });
}

#[test]
fn a_request_and_its_answer_are_whole() {
    model(|| {
        let words = new();
        let server = {
            let words = words.clone();
            thread::spawn(move || lane::take_asked(&words) == 1 && serve(&words))
        };
        let _ = lane::ask(&words, 0, ASKED, b"question");
        let mut payload = Vec::new();
        let found = lane::look(&words, 0, &mut payload).unwrap();
        assert!(found == Found::Nothing || payload == b"answer");
        if server.join().unwrap() {
            assert_eq!(lane::look(&words, 0, &mut payload), Some(Found::Answer));
            assert_eq!(payload, b"answer");
        }
    });
}

/// Either the cell has the answer or both know that the socket brings it.
#[test]
fn who_gives_up_is_answered_once() {
    model(|| {
        let words = new();
        let _ = lane::ask(&words, 0, ASKED, b"question");
        assert_eq!(lane::take_asked(&words), 1);
        let by_socket = Arc::new(AtomicBool::new(false));
        let server = {
            let (words, by_socket) = (words.clone(), by_socket.clone());
            thread::spawn(move || by_socket.store(!serve(&words), Ordering::SeqCst))
        };
        let gave_up = lane::give_up(&words, 0);
        server.join().unwrap();
        assert_eq!(gave_up, by_socket.load(Ordering::SeqCst));
        assert!(lane::is_done(&words, 0));
        let found = lane::look(&words, 0, &mut Vec::new());
        assert_eq!(found, Some(if gave_up { Found::BySocket } else { Found::Answer }));
    });
}
