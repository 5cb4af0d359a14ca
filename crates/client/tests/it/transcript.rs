//! A captured conversation, read as a program: which calls were made, with which memory, and what came of them.

use abi::Errno;
use abi::table::{Arg, Dir, Len, Row};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use wire::{Decoder, Frame, Message, class, kind};

/// The registers of a call of ours.
const ARGS: usize = 6;

/// One line of a capture.
pub(crate) enum Line {
    Banner {
        connection: usize,
        bytes: Vec<u8>,
    },
    /// The server hung up.
    Hangup {
        connection: usize,
    },
    Server {
        connection: usize,
        frame: Frame,
    },
    Client {
        connection: usize,
        frame: Frame,
    },
}

pub(crate) struct Transcript {
    pub(crate) name: &'static str,
    pub(crate) lines: Vec<Line>,
}

/// A call that was captured.
#[derive(Debug)]
pub(crate) struct Call {
    /// A row that names the memory which the captured server copied.
    pub(crate) row: &'static Row,
    /// As captured.
    args: [u64; ARGS],
    /// None: the connection was lost first.
    pub(crate) answer: Option<Result<u64, Errno>>,
    /// Before the next request.
    pub(crate) is_answered_at_once: bool,
    /// What the call finds in memory, by captured address.
    input: Vec<(u64, Vec<u8>)>,
    /// What it leaves there.
    output: Vec<(u64, Vec<u8>)>,
}

impl Transcript {
    pub(crate) fn load(name: &'static str) -> Self {
        let path = format!("{}/../wire/tests/vectors/{name}.frames", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        Self { name, lines: text.lines().filter_map(line).collect() }
    }

    /// The client's requests: place, connection and what they say.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (usize, usize, &Frame)> {
        self.lines.iter().enumerate().filter_map(|(at, line)| match line {
            Line::Client { connection, frame } if frame.header.class == class::REQ => {
                Some((at, *connection, frame))
            }
            _ => None,
        })
    }

    /// Whether the server went away.
    pub(crate) fn is_lost(&self) -> bool {
        self.lines.iter().any(|line| matches!(line, Line::Hangup { .. }))
    }

    /// Where the answer to the request of line `at` is, and what it is.
    pub(crate) fn answer(&self, at: usize) -> Option<(usize, &Frame)> {
        let Line::Client { connection, frame: request } = &self.lines[at] else { return None };
        let is_answer =
            |frame: &Frame| frame.header.class != class::REQ && frame.header.reqno == request.header.reqno;
        self.lines.iter().enumerate().skip(at).find_map(|(at, line)| match line {
            Line::Server { connection: other, frame } if other == connection && is_answer(frame) => {
                Some((at, frame))
            }
            _ => None,
        })
    }

    /// The call of line `at`.
    pub(crate) fn call(&self, at: usize) -> Call {
        let Line::Client { connection, frame } = &self.lines[at] else { panic!("{at} is no call") };
        let Some(Message::Syscall(slots)) = Message::parse(frame) else { panic!("{at} is no call") };
        let answered = self.answer(at);
        let end = answered.map_or(self.lines.len(), |(end, _)| end);
        let answer = answered.map(|(_, frame)| match Message::parse(frame) {
            Some(Message::SyscallAnswer { error: 0, values }) => Ok(values[0].cast_unsigned()),
            Some(Message::SyscallAnswer { error, .. }) => Err(Errno::from_number(error)),
            other => panic!("{at}: {other:?}"),
        });
        let mut args = [0; ARGS];
        args.iter_mut().zip(&slots).for_each(|(arg, slot)| *arg = *slot);
        let copies = self.copies(*connection, at, end);
        let arg = |(at, slot): (usize, &u64)| argument(at, *slot, &copies);
        let args_of_row: Vec<Arg> = slots.iter().enumerate().take(ARGS).map(arg).collect();
        let row = Row::unnamed(frame.header.word, &args_of_row);
        let mine =
            |copy: &&Copy| slots.contains(&copy.address) || copies.iter().any(|array| array.names(copy));
        let part = |out| copies.iter().filter(mine).filter(move |copy| copy.out == out);
        let bytes = |copy: &Copy| (copy.address, copy.bytes.clone());
        Call {
            row: Box::leak(Box::new(row)),
            args,
            answer,
            is_answered_at_once: !self.requests().any(|(next, ..)| (at + 1..end).contains(&next)),
            input: part(false).map(bytes).collect(),
            output: part(true).map(bytes).collect(),
        }
    }

    /// What the server fetched and stored between two lines.
    fn copies(&self, connection: usize, from: usize, to: usize) -> Vec<Copy> {
        let copy = |(offset, line): (usize, &Line)| {
            let Line::Server { connection: other, frame } = line else { return None };
            match Message::parse(frame).filter(|_| *other == connection)? {
                Message::Copyin { string, address, .. } => {
                    let fetched = self.fetched(connection, from + offset, frame.header.reqno);
                    Some(Copy { address, string, out: false, bytes: fetched })
                }
                Message::Copyout { address, bytes } => {
                    Some(Copy { address, string: false, out: true, bytes })
                }
                _ => None,
            }
        };
        self.lines[from..to].iter().enumerate().filter_map(copy).collect()
    }

    fn fetched(&self, connection: usize, from: usize, reqno: u64) -> Vec<u8> {
        let answer = self.lines[from..].iter().find_map(|line| match line {
            Line::Client { connection: other, frame }
                if *other == connection
                    && frame.header.class == class::RESP
                    && frame.header.reqno == reqno =>
            {
                Some(frame.payload.clone())
            }
            _ => None,
        });
        answer.expect("each COPYIN was answered")
    }

    fn addresses(&self) -> impl Iterator<Item = (u64, usize)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Server { frame, .. } => match Message::parse(frame)? {
                Message::Copyin { len, address, .. } => Some((address, usize::try_from(len).unwrap())),
                Message::Copyout { address, bytes } => Some((address, bytes.len())),
                _ => None,
            },
            _ => None,
        })
    }
}

/// Memory that the server copied.
struct Copy {
    address: u64,
    string: bool,
    out: bool,
    bytes: Vec<u8>,
}

impl Copy {
    /// Whether this is an array that points to the other.
    fn names(&self, other: &Self) -> bool {
        !self.out && words(&self.bytes).any(|word| word == other.address)
    }
}

/// What the slot at `at` is, by what the server copied from and to its address.
fn argument(at: usize, slot: u64, copies: &[Copy]) -> Arg {
    let here: Vec<&Copy> = copies.iter().filter(|copy| copy.address == slot).collect();
    let (read, written) = (here.iter().find(|copy| !copy.out), here.iter().any(|copy| copy.out));
    let len = here.iter().map(|copy| copy.bytes.len()).max();
    let Some(len) = len.and_then(|len| u32::try_from(len).ok()).map(Len::Fixed) else { return Arg::Int };
    match read {
        Some(string) if string.string => Arg::Path,
        Some(array) if copies.iter().any(|copy| array.names(copy)) => {
            Arg::Iovec(Dir::In, u8::try_from(at + 1).unwrap())
        }
        Some(_) if written => Arg::Buf(Dir::InOut, len),
        Some(_) => Arg::Buf(Dir::In, len),
        None => Arg::Buf(Dir::Out, len),
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word))
}

fn line(text: &str) -> Option<Line> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    let connection = words[0].strip_prefix("conn").unwrap().parse().unwrap();
    let hex = *words.last().unwrap();
    let from_client = words[1] == "C->S";
    if hex == "EOF" {
        return (!from_client).then_some(Line::Hangup { connection });
    }
    let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(byte).collect();
    if words[2] == "BANNER" {
        return Some(Line::Banner { connection, bytes });
    }
    let mut decoder = Decoder::default();
    decoder.push(&bytes);
    let frame = decoder.next_frame().unwrap().unwrap();
    Some(if from_client { Line::Client { connection, frame } } else { Line::Server { connection, frame } })
}

/// This process's memory in the place of the captured one's.
pub(crate) struct Memory(BTreeMap<u64, Vec<AtomicU8>>);

impl Memory {
    pub(crate) fn of(transcript: &Transcript) -> Self {
        let mut memory = BTreeMap::<u64, Vec<AtomicU8>>::new();
        for (address, len) in transcript.addresses() {
            let bytes = memory.entry(address).or_default();
            bytes.resize_with(len.max(bytes.len()), AtomicU8::default);
        }
        Self(memory)
    }

    fn address(&self, captured: u64) -> u64 {
        self.0.get(&captured).map_or(captured, |bytes| bytes.as_ptr() as u64)
    }

    /// `bytes` with our addresses in the place of captured ones.
    fn readdressed(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for word in bytes.as_chunks_mut().0 {
            *word = self.address(u64::from_le_bytes(*word)).to_le_bytes();
        }
        bytes
    }

    /// A captured frame as it is between our client and its server.
    pub(crate) fn translated(&self, frame: &Frame) -> Frame {
        let mut payload = self.readdressed(&frame.payload);
        if (frame.header.class, frame.header.kind) == (class::REQ, kind::SYSCALL) {
            payload.truncate(ARGS * 8);
        }
        Frame { header: frame.header, payload }
    }

    pub(crate) fn arguments(&self, call: &Call) -> [u64; ARGS] {
        call.args.map(|arg| self.address(arg))
    }

    /// Puts there what the call reads.
    pub(crate) fn prepare(&self, call: &Call) {
        for (address, bytes) in &call.input {
            let bytes = self.readdressed(bytes);
            self.0[address].iter().zip(bytes).for_each(|(place, byte)| place.store(byte, Ordering::Relaxed));
        }
    }

    /// What the call has written must be there.
    pub(crate) fn check(&self, call: &Call) {
        for (address, bytes) in &call.output {
            let place = &self.0[address][..bytes.len()];
            let found: Vec<u8> = place.iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
            assert_eq!(&found, bytes, "{call:?}");
        }
    }
}
