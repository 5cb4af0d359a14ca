//! What calls ask of workers, and what they were answered.
//!
//! A call runs again from its beginning whenever an answer has come. So that each operation is carried out once, the call keeps a
//! [`Log`] of all answers, those out of caches among them: on its next run it gets the same ones, in the same order, whatever has
//! been changed meanwhile by others or by itself.

use super::ahead::Arrivals;
use super::op::{Answer, Op, Value};
use super::{WAITS, Worker};
use crate::node::Ino;
use abi::Errno;
use foldhash::{HashMap, HashSet};
use std::collections::VecDeque;

/// Names an operation within a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) what: What,
    pub(super) worker: Worker,
    pub(super) ino: Ino,
    /// An offset, or a hash of names.
    pub(super) more: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Mount,
    Node,
    Settled,
    Lookup,
    Parent,
    NameOf,
    Find,
    Create,
    Link,
    Unlink,
    Rmdir,
    Rename,
    Exchange,
    Readlink,
    Read,
    Ahead,
    Write,
    Allocate,
    Seek,
    List,
    Xattrs,
    SetXattr,
    SetAttr,
    SetAcl,
    Touch,
    Statfs,
    Sync,
    Remount,
    Unmount,
}

/// When something was asked for or answered, counted in changes that were answered before they were carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Moment(u64);

#[derive(Debug)]
struct Logged {
    key: Key,
    answer: Answer,
    /// Nobody has seen it yet: what is known of the file system is to be brought up to date. When it was asked for.
    fresh: Option<Moment>,
    changes: bool,
}

/// The answers that a call has got.
#[derive(Debug, Default)]
pub struct Log {
    answers: Vec<Logged>,
    /// The next to be given.
    at: usize,
    /// What it waits for, whether that changes anything, and since when.
    wanted: Option<(Key, bool, Moment)>,
}

impl Log {
    /// The answer for which the call was stopped.
    pub fn answer(&mut self, answer: Answer) {
        let Some((key, changes, asked)) = self.wanted.take() else { return };
        let at = self.at.min(self.answers.len());
        self.answers.insert(at, Logged { key, answer, fresh: Some(asked), changes });
    }

    /// Whether nothing was asked or answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.wanted.is_none()
    }

    /// The call is to begin anew, since others have their turn first. What it has changed stays changed.
    pub fn restart(&mut self) {
        self.wanted = None;
        if !self.answers.iter().any(|one| one.changes) {
            self.answers.clear();
        }
    }

    /// The worker it waits for.
    #[must_use]
    pub fn waits_for(&self) -> Option<Worker> {
        self.wanted.map(|(key, ..)| key.worker)
    }
}

/// What goes between the calls and the workers of one kernel.
#[derive(Debug, Default)]
pub struct Exchange {
    log: Log,
    in_call: bool,
    wanted: Option<(Worker, Op)>,
    posted: VecDeque<(Worker, Op)>,
    /// Workers of whose file systems nothing that is known may be believed.
    distrusted: HashSet<Worker>,
    /// What became of operations that were answered before they were carried out, until somebody asks (fsync(2)).
    failed: HashMap<Worker, Errno>,
    /// Bytes on their way.
    behind: HashMap<Worker, usize>,
    now: Moment,
    /// Where what was read ahead goes.
    arrivals: HashMap<Worker, Arrivals>,
    /// Calls that wait for a change. What they make of names becomes known only when it is answered.
    changing: HashSet<u64>,
}

impl Exchange {
    /// A call runs, with the answers that it has got so far.
    pub fn begin(&mut self, mut log: Log) {
        log.at = 0;
        if log.answers.is_empty() && log.wanted.is_none() {
            // The one at hand has its memory already.
            self.log.at = 0;
        } else {
            self.log = log;
        }
        self.in_call = true;
        self.wanted = None;
    }

    /// The call has stopped. What it asks for, if it does, with its log; else the log is done with.
    pub fn end(&mut self) -> Option<(Worker, Op, Log)> {
        self.in_call = false;
        match self.wanted.take() {
            Some((worker, op)) => Some((worker, op, std::mem::take(&mut self.log))),
            None => {
                self.forget_from(0);
                None
            }
        }
    }

    /// The call has got so far that it does not begin anew: what it did is done.
    pub fn commit(&mut self) {
        if self.wanted.is_none() {
            self.forget_from(0);
        }
    }

    /// The call does not wait for what it has asked for.
    pub fn want_no_more(&mut self) {
        self.wanted = None;
        self.log.wanted = None;
    }

    /// A call that waited is gone: what it has changed nobody knows.
    pub fn abandon(&mut self, log: &Log) {
        if let Some((key, ..)) = log.wanted {
            self.distrusted.insert(key.worker);
        }
        self.distrusted.extend(log.answers.iter().filter(|one| one.changes).map(|one| one.key.worker));
    }

    /// The next operation that was answered already, to be handed to its worker before anything that is asked for later.
    pub fn next_posted(&mut self) -> Option<(Worker, Op)> {
        self.posted.pop_front()
    }

    /// This call's operation has been handed out.
    pub fn asked(&mut self, call: u64, op: &Op) {
        if op.changes() {
            self.changing.insert(call);
        }
    }

    /// It has been answered.
    pub fn answered(&mut self, call: u64) {
        self.changing.remove(&call);
    }

    /// Whether no call waits for a change.
    pub(super) fn changes_nothing(&self) -> bool {
        self.changing.is_empty()
    }

    /// An operation for which no call waits has been carried out.
    pub fn done(&mut self, worker: Worker, weight: usize, answer: Answer) {
        if let Some(behind) = self.behind.get_mut(&worker) {
            *behind = behind.saturating_sub(weight);
        }
        match answer {
            Ok(Value::Ahead(arrived)) => {
                if let Some(arrivals) = self.arrivals.get(&worker) {
                    arrivals.borrow_mut().push(arrived);
                }
            }
            Ok(_) => {}
            Err(errno) => {
                self.distrusted.insert(worker);
                self.failed.insert(worker, errno);
            }
        }
    }

    /// Where what is read ahead on a worker's file system goes.
    pub(super) fn arrivals_of(&mut self, worker: Worker) -> Arrivals {
        Arrivals::clone(self.arrivals.entry(worker).or_default())
    }

    /// A file system is there no more.
    pub(super) fn gone(&mut self, worker: Worker) {
        self.arrivals.remove(&worker);
    }

    /// Has something done for which nobody waits, and which changes nothing.
    pub(super) fn prepare(&mut self, worker: Worker, op: Op) {
        self.posted.push_back((worker, op));
    }

    /// Asks for a file system to be opened.
    pub(super) fn mount(&mut self, source: super::MountSource) -> Answer {
        let key = Key { what: What::Mount, worker: 0, ino: 0, more: 0 };
        match self.replay(key) {
            Some((answer, _)) => answer,
            None => self.want(key, Op::Mount(source)),
        }
    }

    /// The logged answer, and if it is fresh when it was asked for. None: there is none, or another: what was logged from there on is
    /// void.
    pub(super) fn replay(&mut self, key: Key) -> Option<(Answer, Option<Moment>)> {
        if self.wanted.is_some() {
            return Some((Err(WAITS), None));
        }
        let at = self.log.at;
        let logged = self.log.answers.get_mut(at)?;
        if logged.key == key {
            self.log.at += 1;
            return Some((logged.answer.clone(), logged.fresh.take()));
        }
        // The call took another way than before, since something else than this file system has changed.
        self.forget_from(at);
        None
    }

    /// Whether the log's next answer is that of this operation.
    pub(super) fn is_next(&self, key: Key) -> bool {
        self.log.answers.get(self.log.at).is_some_and(|logged| logged.key == key)
    }

    /// As [`Exchange::replay`], for what changes nothing and is not logged when it comes out of a cache.
    pub(super) fn replay_read(&mut self, key: Key) -> Option<(Answer, Option<Moment>)> {
        if self.is_next(key) || self.wanted.is_some() { self.replay(key) } else { None }
    }

    /// Logs what a cache has answered.
    pub(super) fn note(&mut self, key: Key, answer: Answer) {
        if self.in_call {
            self.log.answers.push(Logged { key, answer, fresh: None, changes: false });
            self.log.at = self.log.answers.len();
        }
    }

    /// The call is to wait for this operation.
    pub(super) fn want(&mut self, key: Key, op: Op) -> Answer {
        if self.in_call {
            self.log.wanted = Some((key, op.changes(), self.now));
            self.wanted = Some((key.worker, op));
        }
        Err(WAITS)
    }

    /// Has an operation carried out that is answered already.
    pub(super) fn post(&mut self, key: Key, op: Op) {
        self.note(key, Ok(Value::Nothing));
        if let Some(noted) = self.log.answers.last_mut().filter(|_| self.in_call) {
            noted.changes = true;
        }
        self.post_unlogged(key.worker, op);
    }

    /// As [`Exchange::post`], outside of calls.
    pub(super) fn post_unlogged(&mut self, worker: Worker, op: Op) {
        self.now.0 += 1;
        *self.behind.entry(worker).or_default() += op.weight();
        self.posted.push_back((worker, op));
    }

    /// Now: what is asked for from here on sees what was posted before.
    pub(super) const fn now(&self) -> Moment {
        self.now
    }

    /// Bytes on their way to a worker.
    pub(super) fn behind(&self, worker: Worker) -> usize {
        self.behind.get(&worker).copied().unwrap_or(0)
    }

    /// Whether nothing that is known of the file system may be believed; told once.
    pub(super) fn is_distrusted(&mut self, worker: Worker) -> bool {
        !self.distrusted.is_empty() && self.distrusted.remove(&worker)
    }

    /// What went wrong after it was answered; told once.
    pub(super) fn take_failure(&mut self, worker: Worker) -> Option<Errno> {
        self.failed.remove(&worker)
    }

    fn forget_from(&mut self, at: usize) {
        for logged in self.log.answers.drain(at..) {
            if logged.fresh.is_some() && logged.changes {
                self.distrusted.insert(logged.key.worker);
            }
        }
        self.log.at = at;
        self.log.wanted = None;
    }
}
