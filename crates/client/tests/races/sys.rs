//! Models in the place of `src/sys.rs`: loom's atomics, futex(2), and a connection with a server behind it.

use abi::Errno;
use host::{Fd, Part, Received, Wait};
use loom::sync::atomic::Ordering;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32};
use loom::sync::{Condvar, Mutex, MutexGuard, Notify};
use std::sync::Arc;
use wire::call::Reply;
use wire::{Decoder, Header, class, kind};

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It answers each call as it comes.
    AtOnce,
    /// It waits for so many calls and answers the last one first.
    Reversed(usize),
    /// As `Reversed`, but hangs up in place of the last answer.
    Unfinished(usize),
}

#[derive(Debug)]
struct Connection {
    manner: Manner,
    requests: Decoder,
    /// Calls that have come.
    calls: Vec<Header>,
    answers: Vec<u8>,
    is_closed: bool,
}

loom::lazy_static! {
    /// Who sleeps where.
    static ref SLEEPERS: Mutex<Vec<(usize, Arc<Notify>)>> = Mutex::new(Vec::new());
    static ref CONNECTION: Mutex<Connection> = Mutex::new(Connection {
        manner: Manner::AtOnce,
        requests: Decoder::default(),
        calls: Vec::new(),
        answers: Vec::new(),
        is_closed: false,
    });
    static ref ARRIVED: Condvar = Condvar::new();
}

/// The clock goes on with each look, so that no answer seems quick: a run has to be the same each time.
static CLOCK: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
const TICK_NS: u64 = 1_000_000_000;

/// Chooses what the server does.
pub(crate) fn serve(manner: Manner) {
    CONNECTION.lock().unwrap().manner = manner;
}

pub(crate) fn monotonic_ns() -> u64 {
    CLOCK.fetch_add(TICK_NS, std::sync::atomic::Ordering::Relaxed)
}

/// Others wanted the core, so that no glances multiply what is to be tried.
pub(crate) fn sched_yield() -> u64 {
    loom::thread::yield_now();
    10_000
}

pub(crate) fn spin_loop() {
    loom::hint::spin_loop();
}

pub(crate) fn futex_wait(
    word: &AtomicU32,
    value: u32,
    _timeout_ns: Option<u64>,
    _wait: Wait,
) -> Result<(), Errno> {
    let notify = {
        // The host compares and enqueues as one step.
        let mut sleepers = SLEEPERS.lock().unwrap();
        if word.load(Ordering::SeqCst) != value {
            return Err(Errno::EAGAIN);
        }
        let notify = Arc::new(Notify::new());
        sleepers.push((address(word), notify.clone()));
        notify
    };
    notify.wait();
    // Without a wake-up too: a wait may end for no reason.
    SLEEPERS.lock().unwrap().retain(|(_, other)| !Arc::ptr_eq(other, &notify));
    Ok(())
}

pub(crate) fn futex_wake(word: &AtomicU32, count: u32) {
    let mut sleepers = SLEEPERS.lock().unwrap();
    for _ in 0..count {
        let Some(at) = sleepers.iter().position(|(place, _)| *place == address(word)) else { return };
        sleepers.swap_remove(at).1.notify();
    }
}

fn address(word: &AtomicU32) -> usize {
    std::ptr::from_ref(word) as usize
}

pub(crate) fn send(_socket: u32, parts: &[Part<'_>], _fds: &[u32], _wait: Wait) -> Result<usize, Errno> {
    let mut connection = CONNECTION.lock().unwrap();
    if connection.is_closed {
        return Err(Errno::EPIPE);
    }
    for part in parts {
        let Part::Ours(bytes) = part else { panic!("the calls of these tests name no memory") };
        connection.requests.push(bytes);
    }
    while let Some(frame) = connection.requests.next_frame().unwrap() {
        connection.calls.push(frame.header);
    }
    connection.answer();
    ARRIVED.notify_all();
    Ok(parts.iter().map(Part::len).sum())
}

impl Connection {
    fn answer(&mut self) {
        let (awaited, hangs_up) = match self.manner {
            Manner::AtOnce => (1, false),
            Manner::Reversed(calls) => (calls, false),
            Manner::Unfinished(calls) => (calls, true),
        };
        if self.calls.len() < awaited {
            return;
        }
        let unanswered = if hangs_up { self.calls.remove(0) } else { Header::default() };
        while let Some(call) = self.calls.pop() {
            let result = i64::from(call.word);
            let reply = Reply { result, drain: 0, fill: false, files: Vec::new(), segments: Vec::new() };
            let header = Header { class: class::RESP, kind: kind::CALL, word: 0, ..call };
            let payload = reply.emit();
            self.answers.extend_from_slice(&header.emit(payload.len()));
            self.answers.extend_from_slice(&payload);
        }
        self.is_closed = unanswered != Header::default();
    }
}

pub(crate) fn receive(
    _socket: u32,
    into: &mut [u8],
    wait: Wait,
    _keep: impl FnMut(Fd),
) -> Result<Received, Errno> {
    let mut connection = CONNECTION.lock().unwrap();
    while connection.answers.is_empty() && !connection.is_closed {
        if wait == Wait::No {
            return Err(Errno::EAGAIN);
        }
        connection = arrival(connection);
    }
    let len = connection.answers.len();
    into[..len].copy_from_slice(&connection.answers);
    connection.answers.clear();
    Ok(Received { len, truncated: false })
}

fn arrival(connection: MutexGuard<'_, Connection>) -> MutexGuard<'_, Connection> {
    ARRIVED.wait(connection).unwrap()
}

pub(crate) fn shutdown(_socket: u32) -> Result<(), Errno> {
    CONNECTION.lock().unwrap().is_closed = true;
    ARRIVED.notify_all();
    Ok(())
}

pub(crate) fn close(_socket: u32) -> Result<(), Errno> {
    Ok(())
}

/// Uses of a value, which loom holds to come one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Watch(loom::cell::UnsafeCell<()>);

impl Watch {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn touch(&self) {
        self.0.with_mut(|_| ());
    }
}
