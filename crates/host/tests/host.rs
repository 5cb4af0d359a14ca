//! The wrappers against the host.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::Errno;
use host::{Fd, Part, Wait, copy_in, copy_in_string, copy_out, receive, send};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;

fn number(socket: &UnixStream) -> u32 {
    socket.as_raw_fd().try_into().unwrap()
}

#[test]
fn bad_addresses_are_efault() {
    let mut bytes = [0; 8];
    assert_eq!(copy_in(16, &mut bytes), Err(Errno::EFAULT));
    assert_eq!(copy_out(16, &bytes), Err(Errno::EFAULT));
    assert_eq!(copy_in_string(u64::MAX - 3, &mut bytes), Err(Errno::EFAULT));
    let text = b"text\0more";
    let mut room = [0; 20];
    assert_eq!(copy_in_string(text.as_ptr() as u64, &mut room), Ok(5));
    assert_eq!(&room[..5], b"text\0");
    // Longer and shorter than what the kernel is made to write to ask.
    for len in 1..40 {
        let (mut room, bytes) = ([0xee_u8; 48], [7; 40]);
        assert_eq!(copy_out(room.as_mut_ptr() as u64 + 4, &bytes[..len]), Ok(()));
        assert_eq!((room[3], room[4 + len]), (0xee, 0xee), "{len} bytes and no more");
        assert!(room[4..4 + len].iter().all(|byte| *byte == 7));
    }
    let constant: &'static str = "constant";
    assert_eq!(copy_out(constant.as_ptr() as u64, b"x"), Err(Errno::EFAULT), "read-only memory");
}

#[test]
fn descriptors_travel() {
    let (left, right) = UnixStream::pair().unwrap();
    let (passed, other) = UnixStream::pair().unwrap();
    let cookie = host::so_cookie(number(&passed)).unwrap();
    let parts = [Part::Ours(b"ab"), Part::Program { address: b"c".as_ptr() as u64, len: 1 }];
    assert_eq!(send(number(&left), &parts, &[number(&passed)], Wait::Yes), Ok(3));
    let (mut bytes, mut fds) = ([0; 10], Vec::new());
    let got = receive(number(&right), &mut bytes, Wait::Interruptible, |fd| fds.push(fd)).unwrap();
    assert_eq!((got.len, got.truncated), (3, false));
    assert_eq!(&bytes[..3], b"abc");
    let [fd] = &fds[..] else { panic!("one was sent: {fds:?}") };
    assert_ne!(fd.number(), number(&passed));
    assert_eq!(host::so_cookie(fd.number()), Ok(cookie));
    let high = host::dup_above(fd.number(), 500).unwrap();
    assert!(high.number() >= 500);
    drop((other, fds));
    assert_eq!(receive(number(&right), &mut bytes, Wait::No, drop).unwrap_err(), Errno::EAGAIN);
}

#[test]
fn an_owned_descriptor_is_closed() {
    let (left, right) = UnixStream::pair().unwrap();
    drop(Fd::own(left.into_raw_fd().try_into().unwrap()));
    let mut byte = [0];
    assert_eq!(host::read(number(&right), &mut byte), Ok(0));
}

#[test]
fn the_gadget_is_complete() {
    let offsets = host::gadget_unsafe::offsets();
    let code = host::gadget_unsafe::code();
    assert_eq!(code.len(), offsets.len);
    assert_eq!(code[..3], [0x0f, 0x05, 0xc3], "syscall; ret");
    assert_eq!(code[offsets.entering..offsets.entering + 2], [0x0f, 0x05]);
    assert!(offsets.interruptible < offsets.entering && offsets.entering < offsets.interrupted);
    assert!(offsets.interrupted + 8 < offsets.len);
    assert_eq!(host::getpid(), std::process::id());
}
