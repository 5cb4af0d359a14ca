//! Calls by shared memory: our extension for a client and a server that are both awake.
//!
//! A lane is memory that both map, with [`CELLS`] cells. A thread that calls owns a cell: it puts the payload of a CALL there, marks
//! the cell as asked and looks for the answer, and neither side makes a host call. Only a server that is *watching* looks for
//! requests, and only a thread that is *looking* finds an answer. Everything else stays with the connection, which tells
//! both sides of each other's end: a thread that stops looking is answered by the socket ([`give_up`]), and so is a call whose
//! answer does not fit or brings host descriptors ([`sent`]); a server that stopped watching meanwhile is knocked at ([`ask`]).
//!
//! Each cell goes FREE, ASKED, then ANSWERED or SENT, and back with the next request; between them lies GIVEN_UP if the thread
//! has stopped looking. The client writes ASKED and GIVEN_UP, the server the others.
//!
//! All of it is hostile to the side that reads it: bytes are copied first and looked at then.

use crate::shared::{AtomicU64, CELL, CELLS_MAX, HEAD, Ordering, fence, get, put};
use alloc::vec::Vec;

/// Calls that can be under way at once.
pub const CELLS: usize = CELLS_MAX;
/// 64-bit words of a lane.
pub const WORDS: usize = HEAD + CELLS * CELL;
/// The longest payload.
pub const PAYLOAD_MAX: usize = (CELL - PAYLOAD) * 8;

// Words of the head, on cache lines of their own.
const VERSION_AT: usize = 0;
/// A bit for each cell with a request that was not taken. The client sets them, the server clears them.
const ASKED_AT: usize = 8;
/// 1 while the server looks there.
const WATCHED_AT: usize = 16;

// Words of a cell.
const STATE: usize = 0;
const REQNO: usize = 1;
/// The call's number, and the payload's length above it.
const WHAT: usize = 2;
const PAYLOAD: usize = 8;

const ASKED: u64 = 1;
const GIVEN_UP: u64 = 2;
const ANSWERED: u64 = 3;
const SENT: u64 = 4;

/// "rumplan" and the version of this layout.
const VERSION: u64 = u64::from_le_bytes(*b"rumplan\x02");

/// A request that was taken from a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The number that a CANCEL or an answer by the socket names it by.
    pub reqno: u64,
    /// The call's number.
    pub nr: u32,
}

/// What a thread that looks for its answer finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet.
    Nothing,
    /// The payload of the answer, copied.
    Answer,
    /// The answer comes by the socket.
    BySocket,
}

/// Server: makes words, all 0, a lane that is not watched.
pub fn prepare(words: &[AtomicU64]) {
    words[VERSION_AT].store(VERSION, Ordering::Release);
}

/// Client: whether these words are a lane.
#[must_use]
pub fn is_known(words: &[AtomicU64]) -> bool {
    words.len() == WORDS && words[VERSION_AT].load(Ordering::Acquire) == VERSION
}

/// Client: whether the server would see a request.
#[must_use]
pub fn is_watched(words: &[AtomicU64]) -> bool {
    words[WATCHED_AT].load(Ordering::Relaxed) == 1
}

/// Client: asks by a cell that is its own. `payload` is at most [`PAYLOAD_MAX`] long. Answers whether the server watches; if not,
/// it has to be told by the socket that there is something.
#[must_use]
pub fn ask(words: &[AtomicU64], cell: usize, request: Taken, payload: &[u8]) -> bool {
    let own = cell_of(words, cell);
    put(&own[PAYLOAD..], 0, payload);
    own[REQNO].store(request.reqno, Ordering::Relaxed);
    own[WHAT].store(u64::from(request.nr) | (payload.len() as u64) << 32, Ordering::Relaxed);
    own[STATE].store(ASKED, Ordering::Relaxed);
    words[ASKED_AT].fetch_or(1 << cell, Ordering::Release);
    // Before WATCHED is read. The server lowers it before it looks here for the last time.
    fence(Ordering::SeqCst);
    is_watched(words)
}

/// Client: looks for the answer in its cell; a reply's payload goes to `into`. None: the server broke the protocol.
pub fn look(words: &[AtomicU64], cell: usize, into: &mut Vec<u8>) -> Option<Found> {
    let own = cell_of(words, cell);
    match own[STATE].load(Ordering::Acquire) {
        ASKED => Some(Found::Nothing),
        ANSWERED => {
            let len = len_of(own[WHAT].load(Ordering::Relaxed))?;
            into.clear();
            get(&own[PAYLOAD..], len, into);
            Some(Found::Answer)
        }
        SENT => Some(Found::BySocket),
        _ => None,
    }
}

/// Client: does not look any more; whether the answer will come by the socket. If not, it is there.
#[must_use]
pub fn give_up(words: &[AtomicU64], cell: usize) -> bool {
    let state = &cell_of(words, cell)[STATE];
    state.compare_exchange(ASKED, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// Client: whether the server has taken note of the request.
#[must_use]
pub fn was_taken(words: &[AtomicU64], cell: usize) -> bool {
    words[ASKED_AT].load(Ordering::Acquire) & 1 << cell == 0
}

/// Client: whether the server is done with the cell, so that it can be used again.
#[must_use]
pub fn is_done(words: &[AtomicU64], cell: usize) -> bool {
    matches!(cell_of(words, cell)[STATE].load(Ordering::Acquire), ANSWERED | SENT)
}

/// Server: looks there from now on.
pub fn watch(words: &[AtomicU64]) {
    words[WATCHED_AT].store(1, Ordering::Relaxed);
}

/// Server: does not look there any more, except once behind this: a client that found it watching has asked before.
pub fn unwatch(words: &[AtomicU64]) {
    words[WATCHED_AT].store(0, Ordering::Relaxed);
    fence(Ordering::SeqCst);
}

/// Server: takes note of the cells with new requests, a bit for each.
#[must_use]
pub fn take_asked(words: &[AtomicU64]) -> u32 {
    let asked = &words[ASKED_AT];
    match asked.load(Ordering::Relaxed) {
        0 => 0,
        // Bits above belong to no cell.
        _ => asked.swap(0, Ordering::Acquire) as u32,
    }
}

/// Server: the request in a cell, its payload to `into`; none if it makes no sense.
pub fn request(words: &[AtomicU64], cell: usize, into: &mut Vec<u8>) -> Option<Taken> {
    let asked = cell_of(words, cell);
    let what = asked[WHAT].load(Ordering::Relaxed);
    into.clear();
    get(&asked[PAYLOAD..], len_of(what)?, into);
    Some(Taken { reqno: asked[REQNO].load(Ordering::Relaxed), nr: (what & 0xffff_ffff) as u32 })
}

/// Server: answers in the cell with these parts of a payload; false: the answer has to be sent by the socket, because it is too long or the client does not
/// look any more. The cell is done with in either case.
#[must_use]
pub fn answer<'a>(
    words: &[AtomicU64],
    cell: usize,
    payload: impl IntoIterator<Item = &'a [u8]> + Clone,
) -> bool {
    let asked = cell_of(words, cell);
    let state = &asked[STATE];
    let len: usize = payload.clone().into_iter().map(<[u8]>::len).sum();
    if len > PAYLOAD_MAX || state.load(Ordering::Relaxed) != ASKED {
        sent(words, cell);
        return false;
    }
    let mut at = 0;
    for part in payload {
        put(&asked[PAYLOAD..], at, part);
        at += part.len();
    }
    asked[WHAT].store((len as u64) << 32, Ordering::Relaxed);
    let found = state.compare_exchange(ASKED, ANSWERED, Ordering::Release, Ordering::Relaxed).is_ok();
    if !found {
        sent(words, cell);
    }
    found
}

/// Server: the answer is about to be sent by the socket.
pub fn sent(words: &[AtomicU64], cell: usize) {
    cell_of(words, cell)[STATE].store(SENT, Ordering::Release);
}

fn cell_of(words: &[AtomicU64], cell: usize) -> &[AtomicU64] {
    &words[HEAD + cell * CELL..HEAD + (cell + 1) * CELL]
}

fn len_of(what: u64) -> Option<usize> {
    usize::try_from(what >> 32).ok().filter(|len| *len <= PAYLOAD_MAX)
}
