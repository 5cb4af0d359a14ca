//! Disks: drives of the command line, and a thread for each file system that does I/O.
//!
//! The kernel names workers by numbers: those of drives are theirs by the order of the command line, from 1 on; each file system that is
//! mounted gets one of its own. A worker carries out its operations in the order in which they come.

mod drives;
mod queue;
mod worker;

pub(crate) use drives::{Drives, open_all};

use crate::clock;
use abi::Errno;
use kernel::CallId;
use queue::Held;
use rustix::event::EventfdFlags;
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use vfs::remote::{Answer, Op, Source, Value, Worker};
use worker::Thread;

/// An operation for a worker.
struct Job {
    call: Option<CallId>,
    op: Op,
}

/// What became of it.
pub(crate) struct Done {
    /// The worker.
    pub(crate) worker: Worker,
    /// The call that waits for it.
    pub(crate) call: Option<CallId>,
    /// What the operation weighed.
    pub(crate) weight: usize,
    /// The answer.
    pub(crate) answer: Answer,
}

/// Where answers go: to the thread that owns the kernel, which is woken.
#[derive(Clone)]
struct Answers {
    sender: Sender<Done>,
    wake: Arc<OwnedFd>,
}

impl Answers {
    fn send(&self, done: Done) {
        // That something went well which was answered already can wait until there is something else to tell: a call that finds too
        // much on its way is behind it.
        let wakes = done.call.is_some() || !matches!(done.answer, Ok(Value::Nothing));
        // Nobody listens any more: the server ends.
        if self.sender.send(done).is_ok() && wakes {
            let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
        }
    }
}

/// All workers.
pub(crate) struct Disks {
    drives: Drives,
    workers: HashMap<Worker, (Sender<Job>, Thread)>,
    /// Those that were told to end.
    ending: Vec<Thread>,
    last: Worker,
    held: Held,
    answers: Answers,
    done: Receiver<Done>,
}

impl Disks {
    /// Those of these drives; threads come when they are used.
    ///
    /// # Errors
    /// As eventfd(2).
    pub(crate) fn new(drives: Drives) -> Result<Self, rustix::io::Errno> {
        let (sender, done) = channel();
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let last = drives.last();
        let answers = Answers { sender, wake: Arc::new(wake) };
        Ok(Self {
            drives,
            workers: HashMap::new(),
            ending: Vec::new(),
            last,
            held: Held::default(),
            answers,
            done,
        })
    }

    /// Hands an operation to its worker.
    ///
    /// Writes for which nobody waits are held back for a moment: programs write some KiB at a time, and go on where they were.
    pub(crate) fn send(&mut self, worker: Worker, call: Option<CallId>, op: Op) {
        let out = self.held.pass(worker, Job { call, op }, clock::mono_ns());
        out.into_iter().flatten().for_each(|(worker, job)| self.hand_out(worker, job));
    }

    /// Hands out what is held since before this time.
    pub(crate) fn hand_out_held(&mut self, before_ns: u64) {
        if let Some((worker, job)) = self.held.take(before_ns) {
            self.hand_out(worker, job);
        }
    }

    fn hand_out(&mut self, worker: Worker, job: Job) {
        let (call, weight) = (job.call, job.op.weight());
        let sent = self.try_send(worker, job);
        if let Err(errno) = sent {
            self.answers.send(Done { worker, call, weight, answer: Err(errno) });
        }
    }

    fn try_send(&mut self, worker: Worker, job: Job) -> Result<(), Errno> {
        let worker = if let Op::Mount(source) = &job.op {
            let source = self.source(&source.from)?;
            self.last = self.last.checked_add(1).ok_or(Errno::ENOMEM)?;
            self.start(self.last, worker::Task::FileSystem(source))?;
            self.last
        } else {
            if !self.workers.contains_key(&worker) {
                let drive = self.drives.get(worker).ok_or(Errno::EIO)?.clone();
                self.start(worker, worker::Task::Drive(drive))?;
            }
            worker
        };
        let last = matches!(job.op, Op::Unmount);
        let (sender, _) = self.workers.get(&worker).ok_or(Errno::EIO)?;
        sender.send(job).map_err(|_| Errno::EIO)?;
        if last && self.drives.get(worker).is_none() {
            // Who asks it after that gets EIO.
            self.ending.extend(self.workers.remove(&worker).map(|(_, thread)| thread));
        }
        Ok(())
    }

    fn source(&self, from: &Source) -> Result<worker::From, Errno> {
        match from {
            Source::Drive(number) => {
                let drive = self.drives.get(*number).ok_or(Errno::ENXIO)?;
                Ok(worker::From::Drive(*number, drive.disk.clone()))
            }
            Source::Host(path) => Ok(worker::From::Host(path.clone())),
        }
    }

    fn start(&mut self, worker: Worker, task: worker::Task) -> Result<(), Errno> {
        let (sender, jobs) = channel();
        let thread = worker::start(worker, task, jobs, self.answers.clone()).map_err(|_| Errno::EAGAIN)?;
        self.workers.insert(worker, (sender, thread));
        Ok(())
    }

    /// What has been done since.
    pub(crate) fn take_done(&mut self) -> Vec<Done> {
        let _ = rustix::io::read(&*self.answers.wake, &mut [0; 8]);
        self.done.try_iter().collect()
    }

    /// Ends all workers: file systems are taken away as umount(2) does, and what was written is on the disk then.
    pub(crate) fn finish(&mut self) {
        self.hand_out_held(u64::MAX);
        // Without their senders they end.
        self.ending.extend(self.workers.drain().map(|(_, (_, thread))| thread));
        self.ending.drain(..).for_each(Thread::join);
    }
}

impl AsFd for Disks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.answers.wake.as_fd()
    }
}
