//! The conversation that was captured from the original's client and server around a fork (spec/rump_sp_vectors,
//! fork): our client, making the same calls, sends the same bytes, addresses aside, and understands the same answers.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::table::{Arg, Dir, Len, Route, Row, Support};
use client::{Options, Retry, Session};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;
use wire::url::Url;
use wire::{Decoder, Frame, class, kind};

const CAPTURE: &str = include_str!("../../wire/tests/vectors/fork.frames");

/// NetBSD's numbers.
const fn call(nr: u32, args: &'static [Arg]) -> Row {
    Row { nr, name: "", args, route: Route::Host, support: Support::Full, note: "" }
}
static PIPE: Row = call(42, &[]);
static GETPID: Row = call(20, &[]);
static READ: Row = call(3, &[Arg::Fd, Arg::Buf(Dir::Out, Len::Arg(2)), Arg::Size]);
static WRITE: Row = call(4, &[Arg::Fd, Arg::Buf(Dir::In, Len::Arg(2)), Arg::Size]);

/// The frames of one connection: whether the client sent it, and its bytes.
fn conversation(connection: &str) -> Vec<(bool, Vec<u8>)> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let line = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (way, hex) = (words[1], *words.last().unwrap());
        (words[0] == connection && hex != "EOF")
            .then(|| (way == "C->S", hex.as_bytes().chunks(2).map(byte).collect()))
    };
    CAPTURE.lines().filter_map(line).collect()
}

fn frame(bytes: &[u8]) -> Frame {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    decoder.next_frame().unwrap().unwrap()
}

fn receive(stream: &mut UnixStream, decoder: &mut Decoder) -> Frame {
    loop {
        if let Some(frame) = decoder.next_frame().unwrap() {
            return frame;
        }
        let mut bytes = [0; 512];
        let len = stream.read(&mut bytes).unwrap();
        assert!(len > 0, "the client hung up");
        decoder.push(&bytes[..len]);
    }
}

/// Says what the captured server said, with the addresses of this client, and holds what the client says against what the
/// captured client said.
fn play(mut stream: UnixStream, connection: &str) {
    /// Where the address is in the payload of read's and write's slots, and of COPYIN and COPYOUT.
    const ADDRESS: std::ops::Range<usize> = 8..16;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (mut decoder, mut address) = (Decoder::default(), [0; 8]);
    for (from_client, bytes) in conversation(connection) {
        if !from_client && bytes.starts_with(b"RUMPSP") {
            stream.write_all(&bytes).unwrap();
            continue;
        }
        let mut captured = frame(&bytes);
        let has_address = match (captured.header.class, captured.header.kind) {
            (class::REQ, kind::SYSCALL) => !captured.payload.is_empty(),
            (class::REQ, kind::COPYIN | kind::COPYOUT) => true,
            _ => false,
        };
        if from_client {
            let said = receive(&mut stream, &mut decoder);
            if has_address {
                address.copy_from_slice(&said.payload[ADDRESS]);
                captured.payload[ADDRESS].copy_from_slice(&address);
            }
            assert_eq!(said, captured);
        } else {
            if has_address {
                captured.payload[ADDRESS].copy_from_slice(&address);
            }
            stream.write_all(&captured.emit()).unwrap();
        }
    }
}

#[test]
fn fork() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let options = Options {
        url: Url::Unix(path.to_str().unwrap().as_bytes().to_vec()),
        name: b"wire".to_vec(),
        retry: Retry::No,
        plain: false,
        prefix: Vec::new(),
    };
    let answered =
        |session: &Session, row: &Row, args: [u64; 6]| session.call(row, args, &[]).unwrap().result;
    thread::scope(|scope| {
        let parent = Session::new(options.clone());
        scope.spawn(|| play(listener.accept().unwrap().0, "conn0"));
        assert_eq!(answered(&parent, &PIPE, [0; 6]), Ok(3));
        assert_eq!(answered(&parent, &GETPID, [0; 6]), Ok(2));
        let auth = parent.prefork().unwrap();
        let mut byte = [0_u8; 1];
        assert_eq!(answered(&parent, &READ, [3, byte.as_mut_ptr() as u64, 1, 0, 0, 0]), Ok(1));
        assert_eq!(byte, *b"x");

        let child = Session::forked(options.clone(), auth);
        scope.spawn(|| play(listener.accept().unwrap().0, "conn1"));
        assert_eq!(answered(&child, &GETPID, [0; 6]), Ok(4));
        assert_eq!(answered(&child, &WRITE, [4, b"x".as_ptr() as u64, 1, 0, 0, 0]), Ok(1));
    });
}
