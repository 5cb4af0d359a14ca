//! The wrappers against the host.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::Errno;
use host::{Fd, Wait, copy_in, copy_in_string, copy_out, receive, send};
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
    let constant: &'static str = "constant";
    assert_eq!(copy_out(constant.as_ptr() as u64, b"x"), Err(Errno::EFAULT), "read-only memory");
}

#[test]
fn descriptors_travel() {
    let (left, right) = UnixStream::pair().unwrap();
    let (passed, other) = UnixStream::pair().unwrap();
    let cookie = host::so_cookie(number(&passed)).unwrap();
    assert_eq!(send(number(&left), &[b"ab", b"c"], &[number(&passed)], Wait::Yes), Ok(3));
    let mut bytes = [0; 10];
    let mut got = receive(number(&right), &mut bytes, Wait::Interruptible).unwrap();
    assert_eq!((got.len, got.fd_count, got.truncated), (3, 1, false));
    assert_eq!(&bytes[..3], b"abc");
    let fd = got.fds[0].take().unwrap();
    assert_ne!(fd.number(), number(&passed));
    assert_eq!(host::so_cookie(fd.number()), Ok(cookie));
    let high = host::dup_above(fd.number(), 500).unwrap();
    assert!(high.number() >= 500);
    drop((other, got));
    assert_eq!(receive(number(&right), &mut bytes, Wait::No).unwrap_err(), Errno::EAGAIN);
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
