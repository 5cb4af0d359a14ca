//! The conversations that were captured from the original's client and server (spec/rump_sp_vectors): our client, making the
//! same calls, sends the same bytes and understands the same answers.
//!
//! The server's part is sent as it was captured, the uninitialised padding of answers and the numbers of RAISE included.
//! Addresses are put into the place of the captured ones, since memory lies elsewhere. Apart from that ours differs so:
//!
//! * badsys, mmap(2): the seventh argument slot is not sent. A call of Linux has six arguments.
//! * hang and reboot: a call without a connection is ENOTCONN, and no frame; the original answered with garbage.
//! * sigio and sigpipe: the number of a RAISE is the kernel's own, NetBSD's here, and is raised as it is.

use crate::peer::{Peer, place, row};
use crate::raw_unsafe::{HANDLED, count};
use crate::transcript::{Call, Line, Memory, Transcript};
use abi::{Errno, nr};
use client::{Handover, Options, Retry, Session};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;
use wire::{Message, handshake};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Signals of NetBSD, as RAISE brings them.
const SIGPIPE: u32 = 13;
const SIGIO: u32 = 23;
/// What the captured client's handler was for.
const SIGALRM: u32 = 14;

fn handled(signo: u32) -> u32 {
    HANDLED[signo as usize].load(Ordering::SeqCst)
}

/// The server's part: says what the captured server said, and holds what the client says against what the captured one said.
/// Tells of each frame that has come.
fn play(transcript: &Transcript, memory: &Memory, listener: &UnixListener, came: &Sender<usize>) {
    let mut peers: BTreeMap<usize, Peer> = BTreeMap::new();
    for (at, line) in transcript.lines.iter().enumerate() {
        match line {
            Line::Banner { connection, bytes } => {
                peers.insert(*connection, Peer::accept(listener, bytes));
            }
            Line::Hangup { connection } => drop(peers.remove(connection)),
            Line::Server { connection, frame } => {
                let bytes = memory.translated(frame).emit();
                peers.get_mut(connection).unwrap().stream.write_all(&bytes).unwrap();
            }
            Line::Client { connection, frame } => {
                let said = peers.get_mut(connection).unwrap().frame();
                assert_eq!(said, Some(memory.translated(frame)), "{}: line {at}", transcript.name);
                let _ = came.send(at);
            }
        }
    }
}

/// Makes a call, and holds what comes of it against what came of the captured one.
fn make(call: &Call, session: &Session, memory: &Memory) {
    memory.prepare(call);
    let result = session.call(call.row, memory.arguments(call), &[]).and_then(|reply| reply.result);
    assert_eq!(result, call.answer.unwrap_or(Err(Errno::ENOTCONN)), "{call:?}");
    memory.check(call);
}

/// The client's part. Calls that were answered late are made by threads of their own.
fn act(transcript: &Transcript, memory: &Memory, options: &Options, came: &Receiver<usize>) {
    let mut sessions: BTreeMap<usize, Arc<Session>> = BTreeMap::new();
    thread::scope(|scope| {
        for (at, connection, frame) in transcript.requests() {
            let session = sessions.get(&connection).cloned();
            let known = || session.clone().unwrap();
            let fresh = match Message::parse(frame).unwrap() {
                Message::Name { kind: handshake::GUEST, .. } => Session::new(options.clone()),
                Message::Name { .. } => {
                    let handover = Handover { fd: known().handover().unwrap(), reqno: 0, extended: false };
                    let adopted = Session::adopted(options.clone(), handover).unwrap();
                    adopted.announce().unwrap();
                    adopted
                }
                Message::Fork { auth, .. } => Session::forked(options.clone(), auth),
                Message::Prefork => {
                    let answer = Message::parse(transcript.answer(at).unwrap().1);
                    assert_eq!(known().prefork().map(Message::PreforkAnswer).ok(), answer);
                    continue;
                }
                _ => {
                    let (call, session) = (transcript.call(at), known());
                    if call.is_answered_at_once {
                        make(&call, &session, memory);
                    } else {
                        let (tid, thread) = channel();
                        scope.spawn(move || {
                            tid.send(host::gettid()).unwrap();
                            make(&call, &session, memory);
                        });
                        while came.recv_timeout(TIMEOUT).unwrap() != at {}
                        if transcript.name == "sigint" {
                            disturb(thread.recv().unwrap());
                        }
                    }
                    continue;
                }
            };
            sessions.insert(connection, Arc::new(fresh));
        }
    });
    if transcript.is_lost() {
        let after = sessions[&0].call(row(nr::GETPID), [0; 6], &[]).map(|reply| reply.result);
        assert_eq!(after, Err(Errno::ENOTCONN));
    }
}

/// A signal while the thread waits for its answer: it goes on waiting, since plain rump_sp has no cancelling.
fn disturb(tid: u32) {
    thread::sleep(Duration::from_millis(50));
    host::tgkill(host::getpid(), tid, SIGALRM).unwrap();
    while handled(SIGALRM) == 0 {
        thread::sleep(Duration::from_millis(1));
    }
}

fn replay(name: &'static str) {
    let transcript = Transcript::load(name);
    let memory = Memory::of(&transcript);
    let place = place();
    let options = Options { name: b"wire".to_vec(), ..place.options(Retry::No, true) };
    let (sender, came) = channel();
    thread::scope(|scope| {
        scope.spawn(|| play(&transcript, &memory, &place.listener, &sender));
        act(&transcript, &memory, &options, &came);
    });
}

macro_rules! replays {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*
    };
}

replays! { badsys block eof exec file fork hang hello kill reboot sock }

#[test]
fn sigint() {
    count(SIGALRM);
    replay("sigint");
    assert_eq!(handled(SIGALRM), 1);
}

#[test]
fn sigio() {
    count(SIGIO);
    replay("sigio");
    assert_eq!(handled(SIGIO), 4);
}

#[test]
fn sigpipe() {
    count(SIGPIPE);
    replay("sigpipe");
    assert_eq!(handled(SIGPIPE), 1);
}
