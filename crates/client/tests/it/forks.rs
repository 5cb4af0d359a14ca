//! Announced forks, those that do not happen among them, and refusals.

use crate::peer::{ORIGINAL, OURS, Peer, lseek, place};
use abi::Errno;
use client::{Retry, Session};
use std::thread;
use wire::{Message, error, handshake, kind};

const AUTH: [u8; 16] = *b"sixteen bytes...";

#[test]
fn a_fork_that_does_not_happen() {
    for banner in [OURS, ORIGINAL] {
        let place = place();
        let session = place.session(Retry::No, false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut parent = Peer::accept(&place.listener, banner);
                let prefork = parent.request().unwrap();
                assert_eq!(Message::parse(&prefork), Some(Message::Prefork));
                parent.answer(&prefork, kind::PREFORK, &AUTH);
                let mut nobody = Peer::accept(&place.listener, banner);
                let cancel = nobody.frame().unwrap();
                assert_eq!((cancel.header.kind, cancel.header.word), (kind::HANDSHAKE, handshake::FORK));
                assert_eq!(Message::parse(&cancel), Some(Message::Fork { auth: AUTH, cancel: true }));
                assert_eq!(nobody.frame(), None, "and nothing else");
                let after = parent.request().unwrap();
                match banner == OURS {
                    true => parent.reply(&after, 3, vec![]),
                    false => {
                        let answer = Message::SyscallAnswer { error: 0, values: [3, 0] };
                        parent.answer(&after, kind::SYSCALL, &answer.payload());
                    }
                }
            });
            let auth = session.prefork().unwrap();
            assert_eq!(auth, AUTH);
            session.cancel_prefork(auth).unwrap();
            assert_eq!(lseek(&session, 0), Ok(3), "the parent's connection goes on");
        });
    }
}

#[test]
fn nothing_is_cancelled_where_no_server_is() {
    let place = place();
    let session = place.session(Retry::No, false);
    drop(place);
    assert_eq!(session.cancel_prefork(AUTH), Err(Errno::ENOENT));
}

/// What the original refuses with, each as the errno of rump_sp(7). TRYAGAIN means to send it again, under a new number.
#[test]
fn refusals() {
    let refused = [
        (error::AUTH, Errno::EPERM),
        (error::INVALID_PREFORK, Errno::ESRCH),
        (error::RFORK_FAILED, Errno::EIO),
        (error::INEXEC, Errno::EBUSY),
        (error::NOMEM, Errno::ENOMEM),
        (error::MALFORMED, Errno::EINVAL),
        (99, Errno::EIO),
    ];
    let place = place();
    let session = place.session(Retry::No, false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = Peer::accept(&place.listener, OURS);
            for (code, _) in refused {
                let prefork = peer.request().unwrap();
                peer.refuse(&prefork, error::TRYAGAIN);
                let again = peer.request().unwrap();
                assert_eq!(again.header.kind, kind::PREFORK);
                assert_ne!(again.header.reqno, prefork.header.reqno);
                peer.refuse(&again, code);
                let call = peer.request().unwrap();
                peer.refuse(&call, error::TRYAGAIN);
                let again = peer.request().unwrap();
                assert_eq!(again.payload, call.payload);
                peer.refuse(&again, code);
            }
        });
        for (_, errno) in refused {
            assert_eq!(session.prefork(), Err(errno));
            assert_eq!(lseek(&session, 7), Err(errno));
        }
    });
}

/// The child's session introduces itself with what its parent was given, and the program that it runs after that.
#[test]
fn children() {
    let place = place();
    for executed in [false, true] {
        let options = place.options(Retry::No, false);
        let child = if executed { Session::executed(options, AUTH) } else { Session::forked(options, AUTH) };
        assert_eq!(child.fork_auth(), Some(AUTH));
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut peer = Peer::accept(&place.listener, OURS);
                let fork = peer.frame().unwrap();
                assert_eq!(Message::parse(&fork), Some(Message::Fork { auth: AUTH, cancel: false }));
                peer.answer(&fork, kind::HANDSHAKE, &[0; 4]);
                if executed {
                    let exec = peer.frame().unwrap();
                    let name = Message::Name { kind: handshake::EXEC, name: b"test".to_vec() };
                    assert_eq!(Message::parse(&exec), Some(name));
                    peer.answer(&exec, kind::HANDSHAKE, &[0; 4]);
                }
                let call = peer.request().unwrap();
                peer.reply(&call, 5, vec![]);
            });
            assert_eq!(lseek(&child, 0), Ok(5));
            assert_eq!(child.fork_auth(), None, "it was used");
        });
    }
}
