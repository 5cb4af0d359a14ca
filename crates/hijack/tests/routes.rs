//! Which kernel is asked, and what it is told.

mod support;

use abi::layout::Pollfd;
use abi::{Errno, nr};
use hijack::Hijack;
use hijack::config::Config;
use hijack::dispatch::{Answer, Call, Verdict};
use hijack::exec::Inherited;
use hijack::fds::Fds;
use std::ffi::CStr;
use std::sync::atomic::AtomicU64;
use support::{TestWorld, syscall};
use zerocopy::IntoBytes;

const AT_FDCWD: u64 = -100i64 as u64;
const MSG_DONTWAIT: u64 = 0x40;

fn hijack(config: &str) -> Hijack<TestWorld> {
    let words: Vec<AtomicU64> = (0..1024).map(|_| AtomicU64::new(0)).collect();
    let fds = Fds::new(Box::leak(words.into_boxed_slice()), |_, _| {});
    let config = Config::parse(Some(config.as_bytes())).expect("well formed");
    Hijack::new(config, Inherited::default(), TestWorld::default(), fds, None)
}

fn call(h: &Hijack<TestWorld>, number: u32, args: &[u64]) -> Verdict {
    let mut registers = [0; 6];
    registers[..args.len()].copy_from_slice(args);
    h.dispatch(&Call { nr: number, args: registers })
}

fn at(text: &CStr) -> u64 {
    text.as_ptr() as u64
}

fn value(verdict: Verdict) -> u64 {
    match verdict {
        Ok(Answer::Value(value)) => value,
        other => panic!("expected a value: {other:?}"),
    }
}

#[test]
fn a_path_goes_by_its_prefix_and_then_by_the_working_directory() {
    let h = hijack("path=/rump");
    assert_eq!(call(&h, nr::MKDIR, &[at(c"/etc"), 0]), Ok(Answer::Host));
    assert_eq!(call(&h, nr::MKDIR, &[at(c"x"), 0]), Ok(Answer::Host));
    assert_eq!(call(&h, nr::CHDIR, &[at(c"/rump/dir")]), Ok(Answer::Value(0)));
    assert_eq!(call(&h, nr::MKDIR, &[at(c"x"), 0]), Ok(Answer::Value(0)));
    assert_eq!(call(&h, nr::MKDIR, &[at(c"/etc"), 0]), Ok(Answer::Host));
    assert_eq!(call(&h, nr::MKDIRAT, &[AT_FDCWD, at(c"x"), 0]), Ok(Answer::Value(0)));
    assert_eq!(call(&h, nr::CHDIR, &[at(c"/")]), Ok(Answer::Value(0)));
    assert_eq!(call(&h, nr::MKDIR, &[at(c"x"), 0]), Ok(Answer::Host));
    assert_eq!(*h.world().asked.borrow(), ["chdir", "mkdir", "mkdirat"]);
}

#[test]
fn a_failed_chdir_changes_nothing() {
    let h = hijack("path=/rump");
    value(call(&h, nr::CHDIR, &[at(c"/rump")]));
    assert_eq!(call(&h, nr::CHDIR, &[at(c"/nonexistent")]), Err(Errno::ENOENT));
    assert!(h.cwd_in_rump());
}

#[test]
fn getcwd_puts_the_prefix_back() {
    for (config, expected) in [("path=/rump", c"/rump/dir"), ("path=//", c"//dir"), ("blanket=/dir", c"/dir")]
    {
        let h = hijack(config);
        h.set_cwd_in_rump(true);
        let mut room = [0u8; 64];
        let length = expected.to_bytes_with_nul().len() as u64;
        assert_eq!(value(call(&h, nr::GETCWD, &[room.as_mut_ptr() as u64, 64])), length);
        assert_eq!(CStr::from_bytes_until_nul(&room), Ok(expected));
        assert_eq!(call(&h, nr::GETCWD, &[room.as_mut_ptr() as u64, length - 1]), Err(Errno::ERANGE));
    }
}

#[test]
fn two_paths_in_different_kernels_are_exdev() {
    let h = hijack("path=/rump");
    let rename = |old, new| call(&h, nr::RENAME, &[at(old), at(new)]);
    assert_eq!(rename(c"/a", c"/b"), Ok(Answer::Host));
    assert_eq!(rename(c"/a", c"/rump/b"), Err(Errno::EXDEV));
    assert_eq!(rename(c"/rump/a", c"b"), Err(Errno::EXDEV));
    assert!(h.world().asked.borrow().is_empty());
    // What a path leads through is looked for first.
    assert_eq!(rename(c"/nonexistent/a", c"/rump/b"), Err(Errno::ENOENT));
    assert_eq!(rename(c"/rump/a", c"/dev/null/b"), Err(Errno::ENOTDIR));
    assert_eq!(rename(c"/rump/a", c"/rump/b"), Ok(Answer::Value(0)));
    // Of a symbolic link only the new name decides.
    assert_eq!(call(&h, nr::SYMLINK, &[at(c"/rump/a"), at(c"/b")]), Ok(Answer::Host));
    assert_eq!(call(&h, nr::SYMLINK, &[at(c"/a"), at(c"/rump/b")]), Ok(Answer::Value(0)));
}

#[test]
fn sockets_go_by_family() {
    let h = hijack("socket=inet,fdoff=300");
    assert_eq!(call(&h, nr::SOCKET, &[1, 1, 0]), Ok(Answer::Host));
    assert_eq!(call(&h, nr::SOCKET, &[10, 1, 0]), Ok(Answer::Host));
    assert_eq!(call(&h, nr::SOCKET, &[2, 1, 0]), Ok(Answer::Value(300)));
    value(call(&h, nr::CLOSE, &[300]));
}

#[test]
fn io_uring_is_not_there() {
    assert_eq!(call(&hijack("path=/rump"), nr::IO_URING_SETUP, &[8, 0]), Err(Errno::ENOSYS));
}

#[test]
fn what_cannot_be_read_is_for_the_kernel_to_refuse() {
    let h = hijack("path=/rump");
    assert_eq!(call(&h, nr::OPEN, &[0, 0, 0]), Ok(Answer::Host));
    // futimens(3) is utimensat(2) with a null path.
    assert_eq!(call(&h, nr::UTIMENSAT, &[1, 0, 0, 0]), Ok(Answer::Host));
}

#[test]
fn a_descriptor_beyond_the_limit_stays_low() {
    let h = hijack("path=/rump,fdoff=1073741823");
    let fd = value(call(&h, nr::OPEN, &[at(c"/rump/f"), 0, 0]));
    assert!(fd < 1024, "{fd}");
    assert_eq!(value(call(&h, nr::FSYNC, &[fd])), 1);
    value(call(&h, nr::CLOSE, &[fd]));
}

#[test]
fn a_reply_drains_and_fills_the_descriptor() {
    let h = hijack("socket=inet,fdoff=310");
    let fd = value(call(&h, nr::SOCKET, &[2, 1, 0]));
    let far_end = u64::from(h.world().far_end(1));
    syscall(nr::SENDTO, [far_end, c"tokens".as_ptr() as u64, 6, 0, 0, 0]).expect("sent");
    h.world().hints.set((4, true));
    value(call(&h, nr::FSYNC, &[fd]));
    let mut bytes = [0u8; 2048];
    let room = bytes.as_mut_ptr() as u64;
    assert_eq!(syscall(nr::RECVFROM, [fd, room, 2048, MSG_DONTWAIT, 0, 0]), Ok(2));
    assert_eq!(syscall(nr::RECVFROM, [far_end, room, 2048, MSG_DONTWAIT, 0, 0]), Ok(1024));
    value(call(&h, nr::CLOSE, &[fd]));
}

#[test]
fn polls_of_the_rump_kernel_alone_are_one_request_and_mixed_ones_watch_once() {
    let h = hijack("socket=inet,fdoff=320");
    let fd = value(call(&h, nr::SOCKET, &[2, 1, 0]));
    let mut fds = [Pollfd { fd: fd as i32, events: 1, revents: 0 }, Pollfd { fd: -1, events: 1, revents: 9 }];
    let address = fds.as_mut_bytes().as_mut_ptr() as u64;
    value(call(&h, nr::POLL, &[address, 2, 0]));
    fds[1].fd = 0;
    let address = fds.as_mut_bytes().as_mut_ptr() as u64;
    assert_eq!(call(&h, nr::POLL, &[address, 2, 0]), Ok(Answer::Host));
    assert_eq!(call(&h, nr::POLL, &[address, 2, 0]), Ok(Answer::Host));
    let mut set = [0u64; 16];
    set[fd as usize / 64] = 1 << (fd % 64);
    assert_eq!(call(&h, nr::SELECT, &[1024, set.as_mut_ptr() as u64]), Ok(Answer::Host));
    assert_eq!(*h.world().asked.borrow(), ["socket", "poll", "rump_watch"]);
    value(call(&h, nr::CLOSE, &[fd]));
}

#[test]
fn descriptors_survive_the_connection_but_not_the_kernel() {
    let h = hijack("socket=inet,fdoff=330");
    let fd = value(call(&h, nr::SOCKET, &[2, 1, 0]));
    h.world().generation.set(1);
    assert_eq!(call(&h, nr::FSYNC, &[fd]), Ok(Answer::Value(1)));
    h.world().restart();
    assert_eq!(call(&h, nr::FSYNC, &[fd]), Err(Errno::EBADF));
    assert_eq!(call(&h, nr::CLOSE, &[fd]), Ok(Answer::Value(0)));
    assert_eq!(call(&h, nr::FSYNC, &[fd]), Ok(Answer::Host));
}

#[test]
fn copies_across_kernels_are_refused_where_callers_fall_back() {
    let h = hijack("socket=inet,fdoff=340");
    let fd = value(call(&h, nr::SOCKET, &[2, 1, 0]));
    assert_eq!(call(&h, nr::COPY_FILE_RANGE, &[0, 0, fd, 0, 9, 0]), Err(Errno::EXDEV));
    assert_eq!(call(&h, nr::SPLICE, &[0, 0, fd, 0, 9, 0]), Err(Errno::EINVAL));
    assert_eq!(call(&h, nr::TEE, &[fd, 1, 9, 0]), Err(Errno::EINVAL));
    assert_eq!(call(&h, nr::SENDFILE, &[1, 0, 0, 9]), Ok(Answer::Host));
    value(call(&h, nr::CLOSE, &[fd]));
}

#[test]
fn a_vfork_child_has_a_working_directory_of_its_own() {
    let h = hijack("path=/rump");
    value(call(&h, nr::CHDIR, &[at(c"/rump")]));
    let child = h.before_vfork();
    h.world().task.set(child);
    assert!(h.cwd_in_rump());
    value(call(&h, nr::CHDIR, &[at(c"/")]));
    assert!(!h.cwd_in_rump());
    h.world().task.set(0);
    assert!(h.cwd_in_rump());
    h.after_vfork(child);
}
