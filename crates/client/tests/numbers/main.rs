//! A process that has no number for a descriptor. Its limit is lowered meanwhile, so this is the only test of its program.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

#[path = "../it/peer.rs"]
mod peer;
mod raw_unsafe;

use abi::{Errno, nr};
use client::{Retry, Session};
use peer::{OURS, Peer, place, row};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write, pipe};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;
use wire::call::{File, Reply, Request, Segment};
use wire::{Frame, Header, class, kind};

/// The client reads 16 KiB at once, unless it knows of more to come: the second read has room for what is left of the first answer
/// and for the second.
const LONG: usize = 24 << 10;
/// So much of the first answer comes with its descriptor.
const FIRST: usize = 20 << 10;

/// An answer to this read(2) that fills the caller's buffer and makes a file, as bytes.
fn answer(call: &Frame) -> Vec<u8> {
    let [_, address, len, ..] = Request::parse(&call.payload, 9).unwrap().args;
    let bytes = vec![7; usize::try_from(len).unwrap()];
    let file = File { descriptor: 5, passed: true, ..File::default() };
    let segments = vec![Segment { address, bytes: &bytes }];
    let reply = Reply { result: 0, drain: 0, fill: false, files: vec![file], segments };
    let header = Header { reqno: call.header.reqno, class: class::RESP, kind: kind::CALL, word: 0 };
    Frame { header, payload: reply.emit() }.emit()
}

/// Runs this while no descriptor can be made.
fn without_numbers(run: impl FnOnce()) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
    run();
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// The first answer's descriptor is lost, and the read that brings the end of that answer brings the second's as well: the first
/// call fails, and the second gets its own.
#[test]
fn a_lost_descriptor_is_not_made_good_by_anothers() {
    let place = place();
    let session = place.session(Retry::No, false);
    let (wrong, right) = (pipe().unwrap(), pipe().unwrap());
    let read = |session: &Session, len: usize| {
        let mut room = vec![0_u8; len];
        let args = [3, room.as_mut_ptr() as u64, len as u64, 0, 0, 0];
        session.call(row(nr::READ), args, &[]).map(|mut reply| reply.files.remove(0).host.unwrap())
    };
    let (first, second) = thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            let mut calls = [peer.request().unwrap(), peer.request().unwrap()];
            calls.sort_by_key(|call| Request::parse(&call.payload, 9).unwrap().args[2]);
            let [short, long] = calls.map(|call| answer(&call));
            without_numbers(|| {
                peer.pass(&long[..FIRST], &[wrong.0.as_fd()]);
                // Until the client has read it.
                thread::sleep(Duration::from_millis(200));
            });
            peer.stream.write_all(&long[FIRST..]).unwrap();
            peer.pass(&short, &[right.0.as_fd()]);
        });
        session.open_now().unwrap();
        raw_unsafe::set_receive_low_water(session.own_descriptor().unwrap(), i32::MAX);
        let first = scope.spawn(|| read(&session, LONG));
        let second = scope.spawn(|| read(&session, 16));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!(first.unwrap_err(), Errno::EMFILE);
    let second = second.unwrap().into_number();
    let mut end = std::fs::File::open(format!("/proc/self/fd/{second}")).unwrap();
    let (_, mut right) = right;
    right.write_all(b"x").unwrap();
    let mut byte = [0];
    end.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b"x");
}
