//! A file system that panics costs itself and nothing else.

use super::*;
use abi::layout::Statfs;
use rustix::event::EventfdFlags;
use std::sync::mpsc::{Sender, channel};
use vfs::{Attr, EachName, Ino, NewName, NewNode, SetAttr, Time};

type Result<T> = std::result::Result<T, Errno>;

/// Answers statfs(2), and panics when something is read or written.
struct Broken;

impl FileSystem for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn root(&self) -> Ino {
        1
    }

    fn attr(&self, _ino: Ino) -> Result<Attr> {
        Err(Errno::ENOSYS)
    }

    fn set_attr(&mut self, _ino: Ino, _change: &SetAttr, _now: Time) -> Result<()> {
        Err(Errno::ENOSYS)
    }

    fn lookup(&self, _dir: Ino, _name: &[u8]) -> Result<Ino> {
        Err(Errno::ENOSYS)
    }

    fn parent(&self, _dir: Ino) -> Result<Ino> {
        Err(Errno::ENOSYS)
    }

    fn name_of(&self, _dir: Ino) -> Result<Vec<u8>> {
        Err(Errno::ENOSYS)
    }

    fn create(&mut self, _dir: Ino, _name: NewName<'_>, _node: &NewNode, _now: Time) -> Result<Ino> {
        Err(Errno::ENOSYS)
    }

    fn readlink(&self, _ino: Ino) -> Result<Vec<u8>> {
        Err(Errno::ENOSYS)
    }

    fn read(&self, _ino: Ino, _offset: u64, _into: &mut [u8]) -> Result<usize> {
        panic!("as a crate may that believes its image")
    }

    fn write(&mut self, _ino: Ino, _offset: u64, _bytes: &[u8], _now: Time) -> Result<usize> {
        panic!("as a crate may that believes its image")
    }

    fn allocate(&mut self, _ino: Ino, _mode: u32, _offset: u64, _len: u64, _now: Time) -> Result<()> {
        Err(Errno::ENOSYS)
    }

    fn seek(&self, _ino: Ino, _offset: u64, _data: bool) -> Result<u64> {
        Err(Errno::ENOSYS)
    }

    fn read_dir(&self, _dir: Ino, _after: u64, _each: EachName<'_>) -> Result<()> {
        Err(Errno::ENOSYS)
    }

    fn hold(&mut self, _ino: Ino, _held: bool) {}

    fn statfs(&self) -> Result<Statfs> {
        Ok(Statfs::default())
    }
}

/// A worker of a [`Broken`], and its answers.
struct Bench {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    thread: Thread,
}

impl Bench {
    fn new(worker: Worker) -> Self {
        let ((jobs, queue), (sender, done)) = (channel(), channel());
        let wake = Arc::new(rustix::event::eventfd(0, EventfdFlags::NONBLOCK).unwrap());
        let thread = spawn(worker, queue, Answers { sender, wake }, || serve(&mut Broken)).unwrap();
        Self { jobs, done, thread }
    }

    fn ask(&self, call: Option<u64>, op: Op) {
        self.jobs.send(Job { call: call.map(CallId), op }).unwrap();
    }

    /// The next answer: to which call, and whether it is an error.
    fn answered(&self) -> (Option<u64>, Result<()>) {
        let done = self.done.recv_timeout(Duration::from_secs(10)).expect("an answer");
        (done.call.map(|call| call.0), done.answer.map(drop))
    }
}

/// Runs a test in a process of its own, which exits: a thread that has failed keeps the lock of the panic hook, and the main thread of
/// tests takes it at the end.
fn in_own_process(name: &str, test: fn()) {
    const NAMED: &str = "RUMP_TEST_IN_OWN_PROCESS";
    if std::env::var_os(NAMED).is_some() {
        std::process::exit(i32::from(std::panic::catch_unwind(test).is_err()));
    }
    let mut own = std::process::Command::new(std::env::current_exe().unwrap());
    own.args(["--exact", &format!("disks::worker::tests::{name}"), "--nocapture"]).env(NAMED, "1");
    let ran = own.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn read() -> Op {
    Op::Read { ino: 2, offset: 0, len: 10 }
}

fn write(offset: u64) -> Op {
    Op::Write { ino: 2, offset, bytes: vec![0; 10], now: 0 }
}

#[test]
fn a_panic_is_eio_for_whoever_waits_and_all_who_come() {
    in_own_process("a_panic_is_eio_for_whoever_waits_and_all_who_come", panic_while_a_call_waits);
}

fn panic_while_a_call_waits() {
    let (bench, other) = (Bench::new(1), Bench::new(2));
    bench.ask(Some(1), Op::Statfs);
    assert_eq!(bench.answered(), (Some(1), Ok(())));
    bench.ask(Some(2), read());
    assert_eq!(bench.answered(), (None, Err(Errno::EIO)), "fsync(2) will tell");
    assert_eq!(bench.answered(), (Some(2), Err(Errno::EIO)));
    for (call, op) in [(3, Op::Statfs), (4, read()), (5, Op::Sync(None)), (6, Op::Unmount)] {
        bench.ask(Some(call), op);
        let answers = [bench.answered(), bench.answered()];
        assert_eq!(answers[1], (Some(call), Err(Errno::EIO)));
    }
    // The server's end does not wait for it, and other disks know nothing of it.
    bench.thread.join();
    other.ask(Some(7), Op::Statfs);
    assert_eq!(other.answered(), (Some(7), Ok(())));
}

#[test]
fn what_was_on_its_way_is_told_as_failed() {
    in_own_process("what_was_on_its_way_is_told_as_failed", panic_behind_a_call);
}

fn panic_behind_a_call() {
    let bench = Bench::new(3);
    bench.ask(None, write(0));
    bench.ask(Some(1), write(10));
    let mut answers = Vec::new();
    while answers.last().is_none_or(|(call, _)| *call != Some(1)) {
        answers.push(bench.answered());
    }
    assert!(answers.iter().all(|(_, answer)| *answer == Err(Errno::EIO)), "{answers:?}");
    assert!(answers.iter().any(|(call, _)| call.is_none()), "fsync(2) will tell: {answers:?}");
}
