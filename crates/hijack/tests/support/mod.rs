//! An outside for tests: the real host, and a rump kernel of a hundred lines.

#![allow(dead_code, reason = "each test file uses a part of it")]

mod raw_unsafe;

pub(crate) use raw_unsafe::{copy_from, copy_to, syscall};

use abi::layout::Pollfd;
use abi::table::{Arg, Row};
use abi::{Errno, nr, private};
use hijack::fds::{KernelFd, Kind};
use hijack::world::{Args, NewFile, Outcome, Reply, World};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

const SO_COOKIE: u64 = 57;
const SO_SNDBUF: u64 = 7;
const POLLHUP: u16 = 0x10;

/// One open file of the rump kernel.
struct File {
    id: u64,
    cookie: u64,
    far_end: u32,
}

/// A call that the rump kernel was asked: its name, its arguments, and those that are paths read.
pub(crate) type Told = (&'static str, Args, [Option<String>; 6]);

/// The outside.
#[derive(Default)]
pub(crate) struct TestWorld {
    files: RefCell<BTreeMap<u32, File>>,
    last_id: Cell<u64>,
    /// What the rump kernel was asked, by name.
    pub(crate) asked: RefCell<Vec<&'static str>>,
    /// The same with arguments, and with those that are paths read.
    pub(crate) told: RefCell<Vec<Told>>,
    /// Which session this is.
    pub(crate) generation: Cell<u32>,
    /// The calling task.
    pub(crate) task: Cell<usize>,
    /// Whether the next reply says: drain this many, fill.
    pub(crate) hints: Cell<(u32, bool)>,
}

impl TestWorld {
    /// The files that are open, by identity.
    pub(crate) fn open_files(&self) -> Vec<u64> {
        self.forget_closed();
        let mut ids: Vec<u64> = self.files.borrow().values().map(|file| file.id).collect();
        ids.sort_unstable();
        ids
    }

    /// The far end of the descriptor of this file.
    pub(crate) fn far_end(&self, id: u64) -> u32 {
        self.files.borrow().values().find(|file| file.id == id).expect("open").far_end
    }

    /// Another kernel takes this one's place.
    pub(crate) fn restart(&self) {
        self.files.borrow_mut().clear();
        self.generation.set(self.generation.get() + 1);
    }

    /// As the server does before it serves a request: what nobody holds any more is closed.
    fn forget_closed(&self) {
        self.files.borrow_mut().retain(|_, file| {
            let mut poll = Pollfd { fd: file.far_end as i32, events: 0, revents: 0 };
            syscall(nr::POLL, [poll.as_mut_bytes().as_mut_ptr() as u64, 1, 0, 0, 0, 0]).expect("poll");
            let open = poll.revents & POLLHUP == 0;
            if !open {
                syscall(nr::CLOSE, [file.far_end.into(), 0, 0, 0, 0, 0]).expect("our own");
            }
            open
        });
    }

    fn open(&self, put_at: u64, cloexec: bool) -> NewFile {
        let mut ends = [0u32; 2];
        syscall(nr::SOCKETPAIR, [1, 1 | 0o2000000, 0, ends.as_mut_ptr() as u64, 0, 0]).expect("socketpair");
        // As the server makes them: the library tells them by it.
        let least = 1u32.to_ne_bytes();
        syscall(nr::SETSOCKOPT, [ends[0].into(), 1, SO_SNDBUF, least.as_ptr() as u64, 4, 0])
            .expect("a buffer");
        let (mut cookie, mut size) = (0u64, 8u32);
        let (at, size_at) = ((&raw mut cookie) as u64, (&raw mut size) as u64);
        syscall(nr::GETSOCKOPT, [ends[0].into(), 1, SO_COOKIE, at, size_at, 0]).expect("cookie");
        // Both far out of the way of the numbers that the tests use.
        let far_end = syscall(nr::FCNTL, [ends[1].into(), 1030, 600, 0, 0, 0]).expect("dup") as u32;
        syscall(nr::CLOSE, [ends[1].into(), 0, 0, 0, 0, 0]).expect("close");
        self.last_id.set(self.last_id.get() + 1);
        let mut files = self.files.borrow_mut();
        let kfd = (0..).find(|kfd| !files.contains_key(kfd)).expect("a free number");
        files.insert(kfd, File { id: self.last_id.get(), cookie, far_end });
        NewFile {
            host_fd: Some(ends[0]),
            kernel_fd: KernelFd(kfd),
            kind: Kind::Socket,
            cloexec,
            put_at,
            lone: false,
            cookie,
        }
    }

    fn paths(&self, row: &Row, args: &Args) -> [Option<String>; 6] {
        std::array::from_fn(|at| {
            let mut room = [0; 256];
            let length = match row.args().get(at) {
                Some(Arg::Path) => self.read_str(args[at], &mut room).ok()?,
                _ => return None,
            };
            Some(String::from_utf8_lossy(&room[..length]).into_owned())
        })
    }

    fn identify(&self, cookie: u64) -> Result<u64, Errno> {
        let files = self.files.borrow();
        let found = files.iter().find(|(_, file)| file.cookie == cookie);
        found.map(|(kfd, _)| u64::from(*kfd)).ok_or(Errno::ENOENT)
    }
}

impl World for TestWorld {
    fn host(&self, number: u32, args: Args) -> Outcome {
        syscall(number, args)
    }

    fn host_waiting(&self, number: u32, args: Args) -> Outcome {
        syscall(number, args)
    }

    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Errno> {
        copy_from(address, into)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        copy_to(address, bytes)
    }

    fn read_str(&self, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
        for (at, byte) in into.iter_mut().enumerate() {
            let mut one = [0];
            copy_from(address + at as u64, &mut one)?;
            if one[0] == 0 {
                return Ok(at);
            }
            *byte = one[0];
        }
        Ok(into.len())
    }

    fn is_connected(&self) -> bool {
        true
    }

    fn connect_early(&self) {}

    fn own_in_child(&self) -> Option<u32> {
        None
    }

    fn generation(&self) -> u32 {
        self.generation.get()
    }

    fn rump(&self, row: &'static Row, args: Args, _passed: &[u32]) -> Result<Reply, Errno> {
        self.forget_closed();
        self.asked.borrow_mut().push(row.name());
        self.told.borrow_mut().push((row.name(), args, self.paths(row, &args)));
        let (drain, fill) = self.hints.take();
        let mut reply = Reply { drain, fill, ..Reply::of(Ok(0)) };
        match row.nr {
            nr::SOCKET => reply.files.push(self.open(0, args[1] & 0o2000000 != 0)),
            nr::OPEN => reply.files.push(self.open(0, args[1] & 0o2000000 != 0)),
            nr::SOCKETPAIR => {
                reply.files.push(self.open(args[3], false));
                reply.files.push(self.open(args[3] + 4, false));
            }
            // Answers which file it was.
            nr::FSYNC => {
                let files = self.files.borrow();
                let file = files.get(&(args[0] as u32)).ok_or(Errno::EBADF)?;
                reply.result = Ok(file.id);
            }
            nr::GETCWD => {
                copy_to(args[0], b"/dir\0")?;
                reply.result = Ok(5);
            }
            private::IDENTIFY => reply.result = self.identify(args[0]),
            _ => {}
        }
        Ok(reply)
    }

    fn move_own(&self, _: u32) -> Result<(), Errno> {
        Err(Errno::EMFILE)
    }

    fn move_own_above(&self, _: u32) -> Result<(), Errno> {
        Err(Errno::EMFILE)
    }

    fn session_fd(&self) -> Option<u32> {
        None
    }

    fn fork_auth(&self) -> Option<[u8; 16]> {
        None
    }

    fn task(&self) -> usize {
        self.task.get()
    }
}
