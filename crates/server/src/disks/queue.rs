//! What a worker is to do: operations in their order, and writes that go on from each other as one.

use super::Job;
use crate::clock;
use crate::spin::Spin;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;
use vfs::Ino;
use vfs::remote::{Op, Worker};

/// Bytes of writes that are taken together at most. Programs write some KiB at a time; a file system looks for room, changes its trees
/// and its journal once for each write.
pub(super) const MERGED_MAX: usize = 1 << 20;

/// A job, and what was put in front of it.
pub(super) struct Taken {
    pub(super) job: Job,
    /// Bytes of writes that nobody waits for, in front of the write that the job's call waits for.
    pub(super) before: usize,
}

/// A write that was not handed to its worker yet, since more may follow that goes on from it.
#[derive(Default)]
pub(super) struct Held {
    job: Option<(Worker, Job, u64)>,
    /// Where the last write ended. One that begins elsewhere may be the only one: its worker begins with it at once.
    end: Option<(Worker, Ino, u64)>,
}

impl Held {
    /// Takes a job in if it is a write for which nobody waits; `now_ns` is the time. Answers what is to be handed out, in this order.
    pub(super) fn pass(&mut self, worker: Worker, job: Job, now_ns: u64) -> [Option<(Worker, Job)>; 2] {
        let goes_on = self.goes_on(worker, &job);
        let (first, job) = match self.job.take() {
            Some((same, mut first, since_ns)) if same == worker && job.call.is_none() => {
                match append(&mut first.op, job) {
                    Ok(()) if first.op.weight() < MERGED_MAX => {
                        self.job = Some((worker, first, since_ns));
                        return [None, None];
                    }
                    Ok(()) => return [Some((worker, first)), None],
                    Err(job) => (Some((worker, first)), job),
                }
            }
            first => (first.map(|(worker, job, _)| (worker, job)), job),
        };
        if goes_on {
            self.job = Some((worker, job, now_ns));
            return [first, None];
        }
        [first, Some((worker, job))]
    }

    /// Whether the job is a write for which nobody waits, and which begins where the last one ended.
    fn goes_on(&mut self, worker: Worker, job: &Job) -> bool {
        let Op::Write { ino, offset, bytes, .. } = &job.op else { return false };
        let end = offset.checked_add(bytes.len() as u64).map(|end| (worker, *ino, end));
        std::mem::replace(&mut self.end, end) == Some((worker, *ino, *offset)) && job.call.is_none()
    }

    /// What was held, if it came before this time.
    pub(super) fn take(&mut self, before_ns: u64) -> Option<(Worker, Job)> {
        let (worker, job, _) = self.job.take_if(|(.., since_ns)| *since_ns < before_ns)?;
        Some((worker, job))
    }
}

/// The jobs of one worker.
pub(super) struct Queue {
    jobs: Receiver<Job>,
    /// One that came while others were merged.
    next: Option<Job>,
    spin: Spin,
}

impl Queue {
    pub(super) fn new(jobs: Receiver<Job>) -> Self {
        Self { jobs, next: None, spin: Spin::default() }
    }

    /// The next job; none of those that wait is left behind.
    ///
    /// # Errors
    /// `Timeout`: none has come in time (none: however late). `Disconnected`: none will.
    pub(super) fn take(&mut self, timeout: Option<Duration>) -> Result<Taken, RecvTimeoutError> {
        let job = match self.next.take().or_else(|| self.look()) {
            Some(job) => job,
            None => match timeout {
                Some(timeout) => self.jobs.recv_timeout(timeout)?,
                None => self.jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)?,
            },
        };
        Ok(self.merged(job))
    }

    /// The next operation without going to sleep: a call that needs one needs another as often as not.
    fn look(&mut self) -> Option<Job> {
        let mut now = clock::mono_ns();
        loop {
            if let Ok(job) = self.jobs.try_recv() {
                self.spin.worked(now);
                return Some(job);
            }
            if !self.spin.looks(now) {
                return None;
            }
            rustix::thread::sched_yield();
            let later = clock::mono_ns();
            self.spin.yielded(now, later);
            now = later;
        }
    }

    /// A write for which nobody waits, with those that go on where it ends; a call may wait for the last.
    fn merged(&mut self, mut job: Job) -> Taken {
        let mut before = 0;
        while job.call.is_none() && job.op.weight() < MERGED_MAX {
            let Ok(next) = self.jobs.try_recv() else { break };
            let (call, weight) = (next.call, job.op.weight());
            if let Err(next) = append(&mut job.op, next) {
                self.next = Some(next);
                break;
            }
            job.call = call;
            if call.is_some() {
                before = weight;
            }
        }
        Taken { job, before }
    }
}

/// Makes one of two writes.
///
/// # Errors
/// The second: it is none that goes on from the first.
fn append(first: &mut Op, next: Job) -> Result<(), Job> {
    if let Op::Write { ino, offset, bytes, now } = first
        && let Op::Write { ino: same, offset: at, bytes: more, now: later } = &next.op
        && ino == same
        && offset.checked_add(bytes.len() as u64) == Some(*at)
    {
        bytes.extend_from_slice(more);
        *now = *later;
        return Ok(());
    }
    Err(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn write(ino: u64, offset: u64, len: usize) -> Job {
        Job { call: None, op: Op::Write { ino, offset, bytes: vec![1; len], now: offset } }
    }

    #[test]
    fn writes_that_go_on_are_one() {
        let (sender, jobs) = channel();
        let all = [write(1, 0, 10), write(1, 10, 5), write(1, 16, 4), write(2, 20, 1), write(2, 21, 1)];
        all.into_iter().for_each(|job| sender.send(job).unwrap());
        sender.send(Job { call: None, op: Op::Release(2) }).unwrap();
        sender.send(write(2, 22, 1)).unwrap();
        drop(sender);
        let mut queue = Queue::new(jobs);
        let mut taken = Vec::new();
        while let Ok(Taken { job, before: 0 }) = queue.take(None) {
            taken.push(job.op);
        }
        let op = |ino, offset, len, now| Op::Write { ino, offset, bytes: vec![1; len], now };
        assert_eq!(
            taken,
            [op(1, 0, 15, 10), op(1, 16, 4, 16), op(2, 20, 2, 21), Op::Release(2), op(2, 22, 1, 22)]
        );
    }

    #[test]
    fn writes_are_held_until_something_else_comes() {
        let mut held = Held::default();
        let pass = |held: &mut Held, worker, job: Job| -> Vec<(Worker, Op)> {
            let out = held.pass(worker, job, 5);
            out.into_iter().flatten().map(|(worker, job)| (worker, job.op)).collect()
        };
        let op = |ino, offset, len, now| Op::Write { ino, offset, bytes: vec![1; len], now };
        assert_eq!(
            pass(&mut held, 1, write(1, 0, 10)),
            [(1, op(1, 0, 10, 0))],
            "the first may be the only one"
        );
        assert_eq!(pass(&mut held, 1, write(1, 10, 5)), []);
        assert_eq!(pass(&mut held, 1, write(1, 15, 5)), []);
        let other = Job { call: None, op: Op::Release(2) };
        assert_eq!(pass(&mut held, 1, other), [(1, op(1, 10, 10, 15)), (1, Op::Release(2))]);
        assert_eq!(pass(&mut held, 1, write(1, 20, 5)), []);
        assert_eq!(pass(&mut held, 2, write(1, 25, 5)).len(), 2, "another file system's");
        assert_eq!(pass(&mut held, 2, write(1, 30, 5)), []);
        let waits = Job { call: Some(kernel::CallId(7)), ..write(1, 35, 1) };
        assert_eq!(pass(&mut held, 2, waits), [(2, op(1, 30, 5, 30)), (2, op(1, 35, 1, 35))]);
        assert!(held.take(u64::MAX).is_none());
        pass(&mut held, 2, write(1, 36, MERGED_MAX - 1));
        assert_eq!(pass(&mut held, 2, write(1, 35 + MERGED_MAX as u64, 1)).len(), 1, "enough");
        pass(&mut held, 2, write(1, 36 + MERGED_MAX as u64, 1));
        assert!(held.take(5).is_none() && held.take(6).is_some() && held.take(6).is_none());
    }

    #[test]
    fn a_call_waits_for_the_last_only() {
        let call = Some(kernel::CallId(7));
        let (sender, jobs) = channel();
        let all = [
            write(1, 0, 10),
            Job { call, ..write(1, 10, 5) },
            write(1, 15, 1),
            Job { call, ..write(2, 0, 1) },
        ];
        all.into_iter().for_each(|job| sender.send(job).unwrap());
        drop(sender);
        let mut queue = Queue::new(jobs);
        let taken = std::iter::from_fn(|| queue.take(None).ok());
        let taken = taken.map(|taken| (taken.job.call, taken.job.op.weight(), taken.before));
        assert_eq!(taken.collect::<Vec<_>>(), [(call, 15, 10), (None, 1, 0), (call, 1, 0)]);
    }

    #[test]
    fn what_is_merged_has_an_end() {
        let (sender, jobs) = channel();
        (0..40).for_each(|at| sender.send(write(1, at << 16, 1 << 16)).unwrap());
        drop(sender);
        let mut queue = Queue::new(jobs);
        let weights = std::iter::from_fn(|| Some(queue.take(None).ok()?.job.op.weight()));
        assert_eq!(weights.collect::<Vec<_>>(), [MERGED_MAX, MERGED_MAX, 8 << 16]);
    }
}
