//! Locks and FIFOs: calls that wait, and what ends their waiting. Only here: the host would block the test.

use crate::machine::{Machine, Rump};
use abi::raw::general::*;
use abi::{Errno, nr};
use kernel::{CallId, Descriptors, Pid};

const AT: u64 = 0x10_0000;

fn put(rump: &mut Rump, offset: usize, bytes: &[u8]) -> u64 {
    rump.memory()[offset..offset + bytes.len()].copy_from_slice(bytes);
    AT + offset as u64
}

fn open(rump: &mut Rump, pid: Pid, path: &[u8], flags: u32) -> u64 {
    let path = put(rump, 64, path);
    rump.sys_of(pid, nr::OPEN, [path, u64::from(flags), 0o600, 0, 0, 0]).expect("open")
}

/// A `struct flock` of bytes 0 to 9.
fn flock_at(rump: &mut Rump, kind: u32) -> u64 {
    let kind = u16::try_from(kind).expect("a kind").to_ne_bytes();
    let whole = [&kind[..], &[0; 6], &[0; 8], &10_u64.to_ne_bytes(), &[0; 8]].concat();
    put(rump, 512, &whole)
}

#[test]
fn two_hundred_calls_wait_for_one_lock() {
    let mut rump = Rump::new();
    let first = rump.pid;
    let fd = open(&mut rump, first, b"/tmp/l\0", O_CREAT | O_RDWR);
    let args = |lock| [fd, u64::from(F_SETLKW), lock, 0, 0, 0];
    let lock = flock_at(&mut rump, F_WRLCK);
    assert_eq!(rump.sys_of(first, nr::FCNTL, args(lock)), Ok(0));
    let waiting: Vec<(Pid, CallId)> = (0..200)
        .map(|_| {
            let child = rump.kernel.fork(first).expect("a child");
            (child, rump.start(child, nr::FCNTL, args(lock)))
        })
        .collect();
    assert!(waiting.iter().all(|(_, id)| rump.answer(*id).is_none()), "locks are not inherited");
    rump.cancel(waiting[0].1);
    assert_eq!(rump.answer(waiting[0].1), Some(Err(Errno::ERESTARTSYS)));
    // A process that is gone waits no more, and its locks are given up.
    rump.kernel.detach(waiting[1].0);
    rump.kernel.detach(first);
    rump.pump();
    for (pid, id) in &waiting[2..] {
        assert_eq!(rump.answer(*id), Some(Ok(0)), "one after the other");
        let unlock = flock_at(&mut rump, F_UNLCK);
        assert_eq!(rump.sys_of(*pid, nr::FCNTL, args(unlock)), Ok(0));
    }
}

#[test]
fn waiting_for_each_other_is_refused() {
    let mut rump = Rump::new();
    let first = rump.pid;
    let (one, other) = (
        open(&mut rump, first, b"/tmp/1\0", O_CREAT | O_RDWR),
        open(&mut rump, first, b"/tmp/2\0", O_CREAT | O_RDWR),
    );
    let child = rump.kernel.fork(first).expect("a child");
    let lock = flock_at(&mut rump, F_WRLCK);
    let args = |fd| [fd, u64::from(F_SETLKW), lock, 0, 0, 0];
    assert_eq!(rump.sys_of(first, nr::FCNTL, args(one)), Ok(0));
    assert_eq!(rump.sys_of(child, nr::FCNTL, args(other)), Ok(0));
    let waits = rump.start(first, nr::FCNTL, args(other));
    assert_eq!(rump.answer(waits), None);
    assert_eq!(rump.sys_of(child, nr::FCNTL, args(one)), Err(Errno::EDEADLK));
    // Who no longer waits stands in nobody's way.
    rump.cancel(waits);
    let waits = rump.start(child, nr::FCNTL, args(one));
    assert_eq!(rump.answer(waits), None);
    rump.kernel.detach(first);
    rump.pump();
    assert_eq!(rump.answer(waits), Some(Ok(0)));
}

#[test]
fn any_close_gives_up_the_locks_of_a_process() {
    let mut rump = Rump::new();
    let first = rump.pid;
    let fd = open(&mut rump, first, b"/tmp/l\0", O_CREAT | O_RDWR);
    let lock = flock_at(&mut rump, F_WRLCK);
    let child = rump.kernel.fork(first).expect("a child");
    assert_eq!(rump.sys_of(first, nr::FCNTL, [fd, u64::from(F_SETLK), lock, 0, 0, 0]), Ok(0));
    assert_eq!(rump.sys_of(child, nr::FCNTL, [fd, u64::from(F_SETLK), lock, 0, 0, 0]), Err(Errno::EAGAIN));
    assert_eq!(rump.sys_of(child, nr::FCNTL, [fd, u64::from(F_GETLK), lock, 0, 0, 0]), Ok(0));
    let owner = u32::from_ne_bytes(rump.memory()[512 + 24..512 + 28].try_into().expect("four bytes"));
    assert_eq!(owner, first.0);
    let other = open(&mut rump, first, b"/tmp/l\0", O_RDONLY);
    assert_eq!(rump.sys_of(first, nr::CLOSE, [other, 0, 0, 0, 0, 0]), Ok(0));
    let lock = flock_at(&mut rump, F_WRLCK);
    assert_eq!(rump.sys_of(child, nr::FCNTL, [fd, u64::from(F_SETLK), lock, 0, 0, 0]), Ok(0));
}

#[test]
fn flock_waits_for_the_last_close() {
    let mut rump = Rump::with(Descriptors::Weak, 0);
    let pid = rump.pid;
    let (one, two) =
        (open(&mut rump, pid, b"/tmp/l\0", O_CREAT | O_RDWR), open(&mut rump, pid, b"/tmp/l\0", O_RDWR));
    let lock = |fd, operation| [fd, u64::from(operation), 0, 0, 0, 0];
    assert_eq!(rump.sys_of(pid, nr::FLOCK, lock(one, LOCK_EX)), Ok(0));
    assert_eq!(rump.sys_of(pid, nr::FLOCK, lock(two, LOCK_SH | LOCK_NB)), Err(Errno::EAGAIN));
    assert_eq!(rump.sys_of(pid, nr::FLOCK, lock(two, 77)), Err(Errno::EINVAL));
    let waiting = rump.start(pid, nr::FLOCK, lock(two, LOCK_SH));
    assert_eq!(rump.answer(waiting), None);
    let number = u32::try_from(one).expect("a descriptor");
    for file in rump.files(pid, &[number]) {
        rump.kernel.file_gone(file);
    }
    rump.pump();
    assert_eq!(rump.answer(waiting), Some(Ok(0)));
}

#[test]
fn both_ends_of_a_fifo_wait_for_each_other() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let path = put(&mut rump, 64, b"/tmp/fifo\0");
    assert_eq!(rump.sys_of(pid, nr::MKNOD, [path, u64::from(S_IFIFO | 0o600), 0, 0, 0, 0]), Ok(0));
    let nonblock = [path, u64::from(O_WRONLY | O_NONBLOCK), 0, 0, 0, 0];
    assert_eq!(rump.sys_of(pid, nr::OPEN, nonblock), Err(Errno::ENXIO));
    let reader = rump.start(pid, nr::OPEN, [path, u64::from(O_RDONLY), 0, 0, 0, 0]);
    assert_eq!(rump.answer(reader), None);
    let writer = rump.sys_of(pid, nr::OPEN, [path, u64::from(O_WRONLY), 0, 0, 0, 0]).expect("a writer");
    let reader = rump.answer(reader).expect("no longer waiting").expect("a reader");
    let text = put(&mut rump, 256, b"through");
    assert_eq!(rump.sys_of(pid, nr::WRITE, [writer, text, 7, 0, 0, 0]), Ok(7));
    assert_eq!(rump.sys_of(pid, nr::READ, [reader, text, 100, 0, 0, 0]), Ok(7));
    assert_eq!(rump.sys_of(pid, nr::LSEEK, [reader, 0, 0, 0, 0, 0]), Err(Errno::ESPIPE));
}
