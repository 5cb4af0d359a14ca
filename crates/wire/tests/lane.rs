//! A lane's cells, used as meant and by somebody hostile.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use wire::lane::{self, CELLS, Found, PAYLOAD_MAX, Taken, WORDS};

/// Where the first cell is, and how many words it has.
const CELL_AT: usize = WORDS - CELLS * CELL;
const CELL: usize = PAYLOAD_MAX / 8 + 8;
/// Which cells are asked.
const ASKED_AT: usize = 8;

fn new() -> Vec<AtomicU64> {
    let words: Vec<_> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
    assert!(!lane::is_known(&words));
    lane::prepare(&words);
    assert!(lane::is_known(&words) && !lane::is_watched(&words));
    words
}

proptest! {
    #[test]
    fn payloads_arrive(
        cell in 0..CELLS,
        question: Vec<u8>,
        answer in proptest::collection::vec(any::<u8>(), 0..PAYLOAD_MAX + 64),
    ) {
        let words = new();
        lane::watch(&words);
        let asked = Taken { reqno: 3, nr: 4 };
        prop_assert!(lane::ask(&words, cell, asked, &question));
        prop_assert_eq!(lane::take_asked(&words), 1 << cell);
        prop_assert_eq!(lane::take_asked(&words), 0);
        let mut read = Vec::new();
        prop_assert_eq!(lane::look(&words, cell, &mut read), Some(Found::Nothing));
        prop_assert_eq!(lane::request(&words, cell, &mut read), Some(asked));
        prop_assert_eq!(&read, &question);
        let fits = answer.len() <= PAYLOAD_MAX;
        prop_assert_eq!(lane::answer(&words, cell, answer.chunks(1001)), fits);
        let found = lane::look(&words, cell, &mut read);
        prop_assert_eq!(found, Some(if fits { Found::Answer } else { Found::BySocket }));
        prop_assert!(!fits || read == answer);
        prop_assert!(lane::is_done(&words, cell));
    }

    /// Nothing that the other side writes leads out of the lane.
    #[test]
    fn anything_may_stand_there(cell in 0..CELLS, words: [u64; 8], asked: u64) {
        let lane = new();
        for (at, word) in words.into_iter().enumerate() {
            lane[CELL_AT + cell * CELL + at].store(word, Ordering::Relaxed);
        }
        lane[ASKED_AT].store(asked, Ordering::Relaxed);
        let mut read = Vec::new();
        let _ = (lane::take_asked(&lane), lane::request(&lane, cell, &mut read), lane::look(&lane, cell, &mut read));
        prop_assert!(read.len() <= PAYLOAD_MAX);
        let _ = (lane::give_up(&lane, cell), lane::answer(&lane, cell, [[1; 9].as_slice()]), lane::is_done(&lane, cell));
    }
}

#[test]
fn who_gives_up_is_answered_by_the_socket() {
    let words = new();
    let _ = lane::ask(&words, 0, Taken { reqno: 1, nr: 1 }, b"?");
    assert!(lane::give_up(&words, 0));
    assert!(!lane::is_done(&words, 0), "the server may still read it");
    assert!(!lane::answer(&words, 0, [b"!".as_slice()]));
    assert!(lane::is_done(&words, 0) && !lane::give_up(&words, 0));
}
