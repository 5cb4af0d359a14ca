//! Sessions with a server that does what the test says.

use crate::peer::{ORIGINAL, OURS, Peer, lseek, place, row};
use abi::{Errno, nr};
use client::{Options, Retry, Session};
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use wire::call::{Request, Segment};
use wire::url::Url;
use wire::{Decoder, Header, Message, class, handshake, kind};

#[test]
fn a_call_with_its_memory_is_one_round_trip() {
    let place = place();
    let session = place.session(Retry::No, false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            let hello = peer.frame().unwrap();
            let guest = Message::Name { kind: handshake::GUEST, name: b"test".to_vec() };
            assert_eq!(Message::parse(&hello), Some(guest));
            peer.answer(&hello, kind::HANDSHAKE, &[0; 4]);
            assert_eq!(peer.frame().unwrap().header.kind, kind::OPTIONS);
            let write = peer.frame().unwrap();
            let request = Request::parse(&write.payload, 9).unwrap();
            assert_eq!((write.header.word, request.segments[0].bytes), (nr::WRITE, b"hello".as_slice()));
            peer.reply(&write, 5, vec![]);
            let read = peer.frame().unwrap();
            let address = Request::parse(&read.payload, 9).unwrap().args[1];
            peer.reply(&read, 2, vec![Segment { address, bytes: b"ok" }]);
        });
        let data = *b"hello";
        let written = session.call(row(nr::WRITE), [3, data.as_ptr() as u64, 5, 0, 0, 0], &[]).unwrap();
        assert_eq!(written.result, Ok(5));
        let mut room = [0_u8; 4];
        let read = session.call(row(nr::READ), [3, room.as_mut_ptr() as u64, 4, 0, 0, 0], &[]).unwrap();
        assert_eq!((read.result, &room), (Ok(2), b"ok\0\0"));
    });
}

#[test]
fn many_threads_and_answers_in_any_order() {
    const THREADS: u64 = 64;
    const EACH: u64 = 50;
    let place = place();
    let session = Arc::new(place.session(Retry::No, false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            let mut held = Vec::new();
            for _ in 0..THREADS * EACH {
                let request = peer.request().unwrap();
                if request.header.word == abi::private::LANE {
                    peer.reply(&request, -i64::from(Errno::ENOSYS.number()), vec![]);
                    held.push(peer.request().unwrap());
                } else {
                    held.push(request);
                }
                // All threads but a few wait: answer the newest first, as if the others blocked.
                while held.len() as u64 > THREADS / 2 {
                    let frame = held.pop().unwrap();
                    let offset = Request::parse(&frame.payload, 9).unwrap().args[1];
                    peer.reply(&frame, offset.cast_signed() + 1, vec![]);
                }
                if peer.decoder.is_empty() {
                    for frame in held.drain(..) {
                        let offset = Request::parse(&frame.payload, 9).unwrap().args[1];
                        peer.reply(&frame, offset.cast_signed() + 1, vec![]);
                    }
                }
            }
        });
        for number in 0..THREADS {
            let session = session.clone();
            scope.spawn(move || {
                for turn in 0..EACH {
                    let offset = number * 1000 + turn;
                    assert_eq!(lseek(&session, offset), Ok(offset + 1));
                }
            });
        }
    });
}

#[test]
fn plain_rump_sp_fetches_and_stores() {
    for (banner, plain) in [(ORIGINAL, false), (OURS, true)] {
        let place = place();
        let session = place.session(Retry::No, plain);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut peer = Peer::accept(&place.listener, banner);
                let call = peer.request().unwrap();
                let Some(Message::Syscall(slots)) = Message::parse(&call) else { panic!("{call:?}") };
                let want = Message::Copyin { string: false, len: 5, address: slots[1] }.payload();
                peer.send(Header::request(9, kind::COPYIN, 0), &want);
                assert_eq!(peer.frame().unwrap().payload, b"hello");
                // Elsewhere is none of the server's business.
                let beside = Message::Copyin { string: false, len: 6, address: slots[1] }.payload();
                peer.send(Header::request(10, kind::COPYIN, 0), &beside);
                assert_eq!(peer.frame().unwrap().header.class, class::ERROR);
                let answer = Message::SyscallAnswer { error: 0, values: [5, 0] }.payload();
                peer.answer(&call, kind::SYSCALL, &answer);
                let read = peer.request().unwrap();
                let Some(Message::Syscall(slots)) = Message::parse(&read) else { panic!("{read:?}") };
                let out = Message::Copyout { address: slots[1], bytes: b"abc".to_vec() }.payload();
                peer.send(Header::request(11, kind::COPYOUT, 0), &out);
                let answer = Message::SyscallAnswer { error: 0, values: [3, 0] }.payload();
                peer.answer(&read, kind::SYSCALL, &answer);
                let failing = peer.request().unwrap();
                let answer = Message::SyscallAnswer { error: 9, values: [0, 0] }.payload();
                peer.answer(&failing, kind::SYSCALL, &answer);
            });
            let (data, mut room) = (*b"hello", [0_u8; 3]);
            let args = [3, data.as_ptr() as u64, 5, 0, 0, 0];
            assert_eq!(session.call(row(nr::WRITE), args, &[]).unwrap().result, Ok(5));
            let args = [3, room.as_mut_ptr() as u64, 3, 0, 0, 0];
            assert_eq!(session.call(row(nr::READ), args, &[]).unwrap().result, Ok(3));
            assert_eq!(&room, b"abc");
            assert_eq!(lseek(&session, 0), Err(Errno::EBADF));
        });
    }
}

#[test]
fn a_stray_write_ends_the_session() {
    let place = place();
    let session = place.session(Retry::No, false);
    let mut elsewhere = [1_u8; 8];
    let address = elsewhere.as_mut_ptr() as u64;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            let call = peer.request().unwrap();
            peer.reply(&call, 0, vec![Segment { address, bytes: &[9; 8] }]);
            assert!(peer.frame().is_none(), "the client must hang up");
        });
        let mut room = [0_u8; 8];
        let args = [3, room.as_mut_ptr() as u64, 8, 0, 0, 0];
        assert_eq!(session.call(row(nr::READ), args, &[]).unwrap_err(), Errno::ENOTCONN);
        assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN));
    });
    assert_eq!(elsewhere, [1; 8]);
}

#[test]
fn a_stray_write_ends_the_calls_of_other_threads_too() {
    let place = place();
    let session = place.session(Retry::No, false);
    let mut elsewhere = [1_u8; 8];
    let address = elsewhere.as_mut_ptr() as u64;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            // The first call's thread reads for both, and is still at it when the second finds the fault.
            let first = peer.request().unwrap();
            let second = peer.request().unwrap();
            let calls = [first, second];
            let read = calls.iter().find(|call| call.header.word == nr::READ).unwrap();
            thread::sleep(Duration::from_millis(50));
            peer.reply(read, 0, vec![Segment { address, bytes: &[9; 8] }]);
            let start = Instant::now();
            assert!(peer.frame().is_none(), "the client must hang up");
            assert!(start.elapsed() < Duration::from_secs(5), "while a thread waits");
        });
        let blocked = scope.spawn(|| lseek(&session, 0));
        thread::sleep(Duration::from_millis(50));
        let mut room = [0_u8; 8];
        let args = [3, room.as_mut_ptr() as u64, 8, 0, 0, 0];
        assert_eq!(session.call(row(nr::READ), args, &[]).unwrap_err(), Errno::ENOTCONN);
        assert_eq!(blocked.join().unwrap(), Err(Errno::ENOTCONN));
    });
    assert_eq!(elsewhere, [1; 8]);
}

#[test]
fn impossible_frames_end_the_session() {
    for length in [3_u64, 1 << 40] {
        let place = place();
        let session = place.session(Retry::No, false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut peer = Peer::accept(&place.listener, OURS);
                peer.request().unwrap();
                let mut bytes = Header::default().emit(0);
                bytes[..8].copy_from_slice(&length.to_le_bytes());
                peer.stream.write_all(&bytes).unwrap();
                assert!(peer.frame().is_none());
            });
            assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN));
        });
    }
}

#[test]
fn a_lost_server_without_retry() {
    let place = place();
    let session = place.session(Retry::No, false);
    let gone = thread::scope(|scope| {
        scope.spawn(|| drop(Peer::accept(&place.listener, OURS).request()));
        (0..4)
            .map(|_| scope.spawn(|| lseek(&session, 0)))
            .map(|call| call.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(gone, [Err(Errno::ENOTCONN); 4]);
    assert!(!session.is_connected() && session.generation() == 1);
}

#[test]
fn a_lost_server_that_comes_back() {
    let place = place();
    let session = place.session(Retry::Seconds(10), false);
    thread::scope(|scope| {
        scope.spawn(|| {
            Peer::accept(&place.listener, OURS).request().unwrap();
            let mut again = Peer::accept(&place.listener, OURS);
            let call = again.request().unwrap();
            again.reply(&call, 7, vec![]);
        });
        assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN), "what was under way is lost");
        assert_eq!(lseek(&session, 0), Ok(7));
    });
}

#[test]
fn a_lost_server_that_stays_away() {
    for (retry, least, most) in [(Retry::Once, 0, 1), (Retry::Seconds(1), 1, 3)] {
        let place = place();
        let session = place.session(retry, false);
        thread::scope(|scope| {
            scope.spawn(|| {
                Peer::accept(&place.listener, OURS).request().unwrap();
            });
            assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN));
        });
        drop(place);
        let start = Instant::now();
        assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN));
        assert!((least..most).contains(&start.elapsed().as_secs()), "{retry:?}: {:?}", start.elapsed());
        assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN), "given up");
    }
}

/// The listener's queue takes the connection, and nobody ever speaks.
#[test]
fn a_server_that_says_nothing() {
    let place = place();
    let session = place.session(Retry::No, false);
    let start = Instant::now();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(|| lseek(&session, 0))).collect();
        for call in calls {
            assert_eq!(call.join().unwrap(), Err(Errno::ENOTCONN));
        }
    });
    assert!((9..15).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[test]
fn a_lost_server_in_whose_place_nothing_speaks() {
    let place = place();
    let session = place.session(Retry::Seconds(1), false);
    thread::scope(|scope| {
        scope.spawn(|| drop(Peer::accept(&place.listener, OURS).request()));
        assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN));
    });
    let start = Instant::now();
    assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN));
    assert!((1..6).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

/// A banner that comes in pieces is one.
#[test]
fn a_slow_banner() {
    let place = place();
    let session = place.session(Retry::No, false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = place.listener.accept().unwrap();
            for byte in OURS {
                stream.write_all(&[*byte]).unwrap();
                thread::sleep(Duration::from_millis(2));
            }
            let mut peer = Peer { stream, decoder: Decoder::default() };
            let call = peer.request().unwrap();
            peer.reply(&call, 7, vec![]);
        });
        assert_eq!(lseek(&session, 0), Ok(7));
    });
}

#[test]
fn what_is_no_server_of_ours() {
    for banner in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], &[b'x'; 200], b"RUMPSP-1.0-Linux-9/x86_64\n"] {
        let place = place();
        let session = place.session(Retry::Inftime, false);
        thread::scope(|scope| {
            scope.spawn(|| drop(Peer::accept(&place.listener, banner).frame()));
            assert!(matches!(lseek(&session, 0), Err(Errno::EPROTO)), "{banner:?}");
            assert_eq!(lseek(&session, 0), Err(Errno::ENOTCONN), "it is not tried again");
        });
    }
}

#[test]
fn strings_are_fetched_and_memory_is_given_within_bounds() {
    let place = place();
    let session = place.session(Retry::No, true);
    let path = b"/etc/motd\0and more";
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, ORIGINAL);
            let call = peer.request().unwrap();
            let Some(Message::Syscall(slots)) = Message::parse(&call) else { panic!("{call:?}") };
            let want = Message::Copyin { string: true, len: 1024, address: slots[0] }.payload();
            peer.send(Header::request(1, kind::COPYINSTR, 0), &want);
            assert_eq!(peer.frame().unwrap().payload, b"/etc/motd\0", "up to its NUL");
            let elsewhere = Message::Copyin { string: true, len: 16, address: slots[0] + 8192 }.payload();
            peer.send(Header::request(2, kind::COPYINSTR, 0), &elsewhere);
            assert_eq!(peer.frame().unwrap().header.class, class::ERROR);
            peer.send(Header::request(3, kind::ANONMMAP, 0), &Message::Anonmmap(4096).payload());
            let given = u64::from_le_bytes(peer.frame().unwrap().payload.try_into().unwrap());
            let out = Message::Copyout { address: given, bytes: b"memo".to_vec() }.payload();
            peer.send(Header::request(4, kind::COPYOUT, 0), &out);
            let want = Message::Copyin { string: false, len: 5, address: given }.payload();
            peer.send(Header::request(5, kind::COPYIN, 0), &want);
            assert_eq!(peer.frame().unwrap().payload, b"memo\0");
            for (number, len) in [(6, 1 << 40), (7, u64::MAX)] {
                peer.send(Header::request(number, kind::ANONMMAP, 0), &Message::Anonmmap(len).payload());
                assert_eq!(peer.frame().unwrap().payload, [0; 8], "a null pointer: none");
            }
            let answer = Message::SyscallAnswer { error: 0, values: [3, 0] }.payload();
            peer.answer(&call, kind::SYSCALL, &answer);
        });
        let args = [path.as_ptr() as u64, 0, 0, 0, 0, 0];
        assert_eq!(session.call(row(nr::OPEN), args, &[]).unwrap().result, Ok(3));
    });
}

/// A server on TCP takes CALL frames and is not asked to pass descriptors.
#[test]
fn over_tcp() {
    const FILES: u32 = 2;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::Tcp([127, 0, 0, 1], listener.local_addr().unwrap().port());
    let place = place();
    let session = Session::new(Options { url, ..place.options(Retry::No, false) });
    thread::scope(|scope| {
        scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut stream = UnixStream::from(OwnedFd::from(stream));
            stream.write_all(OURS).unwrap();
            let mut peer = Peer { stream, decoder: Decoder::default() };
            let hello = peer.frame().unwrap();
            peer.answer(&hello, kind::HANDSHAKE, &[0; 4]);
            let options = peer.frame().unwrap();
            assert_eq!(options.header.kind, kind::OPTIONS);
            assert_eq!(u32::from_le_bytes(*options.payload.first_chunk().unwrap()) & FILES, 0);
            let call = peer.request().unwrap();
            peer.reply(&call, 7, vec![]);
        });
        assert_eq!(lseek(&session, 0), Ok(7));
    });
}
