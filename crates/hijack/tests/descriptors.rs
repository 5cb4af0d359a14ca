//! The descriptor table against a model, with the real host underneath.
//!
//! One test function: it works with numbers of the whole process.

mod support;

use abi::{Errno, nr};
use hijack::Hijack;
use hijack::config::Config;
use hijack::dispatch::{Answer, Call};
use hijack::exec::Inherited;
use hijack::fds::{Entry, Fds};
use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use support::{TestWorld, syscall};

const FIRST: u32 = 100;
const LAST: u32 = 130;
const OWN: u32 = 125;
const F_DUPFD: u64 = 0;
const CLOSE_RANGE_CLOEXEC: u64 = 4;
const SOCK_STREAM: u64 = 1;

#[derive(Debug, Clone)]
enum Op {
    OpenRump,
    OpenHost,
    PairRump,
    Dup(u32, u32),
    Dup2(u32, u32),
    Close(u32),
    CloseRange(u32, u32),
    ForgetCloexec(u32, u32),
    Forget(u32),
    InVforkChild(bool),
}

fn op() -> impl Strategy<Value = Op> {
    let number = || FIRST..LAST;
    prop_oneof![
        4 => Just(Op::OpenRump),
        2 => Just(Op::OpenHost),
        1 => Just(Op::PairRump),
        2 => (number(), number()).prop_map(|(fd, from)| Op::Dup(fd, from)),
        4 => (number(), number()).prop_map(|(old, new)| Op::Dup2(old, new)),
        3 => number().prop_map(Op::Close),
        1 => (number(), number()).prop_map(|(first, last)| Op::CloseRange(first, last)),
        1 => (number(), number()).prop_map(|(first, last)| Op::ForgetCloexec(first, last)),
        1 => number().prop_map(Op::Forget),
        1 => any::<bool>().prop_map(Op::InVforkChild),
    ]
}

struct Run {
    hijack: Hijack<TestWorld>,
    /// Number to the identity of a rump file; `None`: a host file.
    model: BTreeMap<u32, Option<u64>>,
    opened: u64,
}

impl Run {
    fn new() -> Self {
        let words: Vec<AtomicU64> = (0..1024).map(|_| AtomicU64::new(0)).collect();
        let fds = Fds::new(Box::leak(words.into_boxed_slice()), |_, _| {});
        let config = Config::parse(Some(b"path=/rump,socket=all:nolocal,fdoff=100")).expect("well formed");
        syscall(nr::DUP2, [0, OWN.into(), 0, 0, 0, 0]).expect("dup2");
        fds.set(OWN, Entry::Own);
        let hijack = Hijack::new(config, Inherited::default(), TestWorld::default(), fds, None);
        Self { hijack, model: BTreeMap::new(), opened: 0 }
    }

    fn call(&self, number: u32, args: &[u64]) -> Result<u64, Errno> {
        let mut registers = [0; 6];
        registers[..args.len()].copy_from_slice(args);
        match self.hijack.dispatch(&Call { nr: number, args: registers })? {
            Answer::Host => syscall(number, registers),
            Answer::Value(value) => Ok(value),
        }
    }

    fn next_id(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::OpenRump => {
                let fd = self.call(nr::SOCKET, &[2, SOCK_STREAM, 0]).expect("socket") as u32;
                let id = self.next_id();
                assert!(fd >= FIRST && self.model.insert(fd, Some(id)).is_none(), "{fd} was taken");
            }
            Op::PairRump => {
                let mut pair = [0u32; 2];
                self.call(nr::SOCKETPAIR, &[2, 1, 0, pair.as_mut_ptr() as u64]).expect("socketpair");
                for fd in pair {
                    let id = self.next_id();
                    assert!(self.model.insert(fd, Some(id)).is_none(), "{fd} was taken");
                }
            }
            Op::OpenHost => {
                let fd = self.call(nr::FCNTL, &[0, F_DUPFD, FIRST.into()]).expect("dup") as u32;
                assert!(self.model.insert(fd, None).is_none(), "{fd} was taken");
            }
            Op::Dup(fd, from) => {
                let answer = self.call(nr::FCNTL, &[fd.into(), F_DUPFD, from.into()]);
                assert_eq!(answer.is_ok(), self.model.contains_key(&fd));
                if let Ok(number) = answer {
                    let file = self.model[&fd];
                    assert!(self.model.insert(number as u32, file).is_none());
                }
            }
            Op::Dup2(_, OWN) => {}
            Op::Dup2(old, new) => {
                let answer = self.call(nr::DUP2, &[old.into(), new.into()]);
                assert_eq!(answer.is_ok(), self.model.contains_key(&old));
                if let Some(file) = self.model.get(&old).copied() {
                    self.model.insert(new, file);
                }
            }
            Op::Close(fd) => {
                let answer = self.call(nr::CLOSE, &[fd.into()]);
                assert_eq!(answer.is_ok(), self.model.remove(&fd).is_some());
            }
            Op::CloseRange(first, last) => {
                let answer = self.call(nr::CLOSE_RANGE, &[first.into(), last.into(), 0]);
                assert_eq!(answer.is_ok(), first <= last);
                self.model.retain(|fd, _| !(first..=last).contains(fd));
            }
            Op::ForgetCloexec(first, last) => {
                let answer = self.call(nr::CLOSE_RANGE, &[first.into(), last.into(), CLOSE_RANGE_CLOEXEC]);
                assert_eq!(answer.is_ok(), first <= last);
            }
            // As after exec, or a message with descriptors.
            Op::Forget(OWN) => {}
            Op::Forget(fd) => self.hijack.fds().set(fd, Entry::Unknown),
            Op::InVforkChild(is) => self.hijack.world().task.set(usize::from(is)),
        }
    }

    fn check(&self) {
        for fd in FIRST..LAST {
            let expected = match self.model.get(&fd) {
                Some(Some(id)) => Ok(*id),
                // fsync(2) of standard input, whatever it is.
                Some(None) => syscall(nr::FSYNC, [0; 6]),
                None => Err(Errno::EBADF),
            };
            assert_eq!(self.call(nr::FSYNC, &[fd.into()]), expected, "descriptor {fd}");
        }
        let mut expected: Vec<u64> = self.model.values().copied().flatten().collect();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(self.hijack.world().open_files(), expected, "a file lives as long as a number holds it");
        syscall(nr::FCNTL, [OWN.into(), 1, 0, 0, 0, 0]).expect("the library's own descriptor is still there");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.hijack.world().task.set(0);
        let _ = syscall(nr::CLOSE_RANGE, [FIRST.into(), 599, 0, 0, 0, 0]);
        self.hijack.world().open_files();
    }
}

#[test]
fn any_sequence_of_descriptor_calls_does_what_the_host_does() {
    let mut runner = TestRunner::new(Runs { cases: 200, ..Runs::default() });
    let sequences = proptest::collection::vec(op(), 1..40);
    let outcome = runner.run(&sequences, |ops| {
        let mut run = Run::new();
        for op in &ops {
            run.apply(op);
            run.check();
        }
        Ok(())
    });
    outcome.expect("the model and the table agree");
}
