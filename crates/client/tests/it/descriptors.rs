//! Descriptors that come with an answer.

use crate::peer::{OURS, Peer, lseek, place, row};
use abi::{Errno, nr};
use client::{NewFile, Retry};
use std::io::{PipeReader, PipeWriter, Read, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use wire::call::{File, Reply};
use wire::{Frame, Header, class, kind};

/// What comes of a call that makes `announced` files and is answered with `sent` descriptors, which are the writing ends of the
/// pipes whose other ends are answered. The session has to go on after it.
fn files(announced: u32, sent: usize) -> (Result<Vec<NewFile>, Errno>, Vec<PipeReader>) {
    let place = place();
    let session = place.session(Retry::No, false);
    let (readers, writers): (Vec<PipeReader>, Vec<PipeWriter>) = (0..sent).map(|_| pipe().unwrap()).unzip();
    let files = thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            let call = peer.request().unwrap();
            let file = |descriptor| File { descriptor, passed: true, ..File::default() };
            let files = (0..announced).map(file).collect();
            let reply = Reply { result: 0, drain: 0, fill: false, files, segments: Vec::new() };
            let header = Header { reqno: call.header.reqno, class: class::RESP, kind: kind::CALL, word: 0 };
            let fds: Vec<BorrowedFd<'_>> = writers.iter().map(AsFd::as_fd).collect();
            peer.pass(&Frame { header, payload: reply.emit() }.emit(), &fds);
            drop(writers);
            let next = peer.request().unwrap();
            peer.reply(&next, 6, vec![]);
        });
        let files = session.call(row(nr::SOCKET), [0; 6], &[]).map(|reply| reply.files);
        assert_eq!(lseek(&session, 0), Ok(6));
        files
    });
    (files, readers)
}

fn is_closed(mut reader: PipeReader) -> bool {
    // It would wait for ever if the other end were open.
    rustix::io::ioctl_fionbio(&reader, true).unwrap();
    matches!(reader.read(&mut [0]), Ok(0))
}

#[test]
fn as_many_as_announced() {
    let (files, readers) = files(2, 2);
    let files = files.unwrap();
    let numbers: Vec<u32> = files.iter().map(|file| file.descriptor).collect();
    assert_eq!(numbers, [0, 1]);
    assert!(files.iter().all(|file| file.host.is_some()));
    assert!(!readers.into_iter().any(is_closed));
}

/// They are lost where the process has no number for them.
#[test]
fn too_few() {
    for sent in [1, 2] {
        let (files, readers) = files(3, sent);
        assert_eq!(files.unwrap_err(), Errno::EMFILE);
        assert!(readers.into_iter().all(is_closed), "those that came are closed");
    }
}

#[test]
fn too_many() {
    for announced in [0, 1] {
        let (files, readers) = files(announced, 3);
        assert_eq!(files.unwrap().len(), announced as usize);
        let closed = readers.into_iter().map(is_closed).filter(|closed| *closed).count();
        assert_eq!(closed, 3, "the first as well: the program's is dropped here");
    }
}

/// An answer that nobody waits for brings nothing to anybody.
#[test]
fn those_of_an_answer_to_nothing() {
    let place = place();
    let session = place.session(Retry::No, false);
    let (reader, writer) = pipe().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            let call = peer.request().unwrap();
            let files = vec![File { passed: true, ..File::default() }];
            let stray = Reply { result: 0, drain: 0, fill: false, files, segments: Vec::new() };
            let header = Header { reqno: 99, class: class::RESP, kind: kind::CALL, word: 0 };
            peer.pass(&Frame { header, payload: stray.emit() }.emit(), &[writer.as_fd()]);
            drop(writer);
            peer.reply(&call, 6, vec![]);
        });
        assert_eq!(lseek(&session, 0), Ok(6));
    });
    assert!(is_closed(reader));
}
