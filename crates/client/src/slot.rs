//! Where a thread waits for its answer.

use crate::call::Reply;
use crate::gather::Memory;
use crate::lock_unsafe::Lock;
use crate::sys::{AtomicBool, AtomicU32, futex_wait, futex_wake};
use abi::Errno;
use core::sync::atomic::Ordering;
use host::{Fd, Wait};
use wire::Frame;

/// Set in a bell while its thread sleeps: a thread that looks for its own answer need not be woken.
const ASLEEP: u32 = 1;

/// What came for a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// To a CALL; what it writes is in the program's memory.
    Reply(Result<Reply, Errno>),
    /// To anything else.
    Frame(Frame),
    /// The connection was lost.
    Lost,
}

/// One unanswered request.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Counts up by two whenever there is a reason to look again; the lowest bit is [`ASLEEP`].
    bell: AtomicU32,
    answer: Lock<Option<Answer>>,
    /// Whether there is an answer, without the lock.
    answered: AtomicBool,
    /// Rung along with the bell, once there is one.
    alarm: Lock<Option<Fd>>,
    /// Whether there is one, without the lock.
    armed: AtomicBool,
    /// What the server may read and write meanwhile.
    pub(crate) memory: Memory,
}

impl Slot {
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            bell: AtomicU32::new(0),
            answer: Lock::new(None),
            answered: AtomicBool::new(false),
            alarm: Lock::new(None),
            armed: AtomicBool::new(false),
            memory,
        }
    }

    pub(crate) fn bell(&self) -> u32 {
        self.bell.load(Ordering::Acquire) & !ASLEEP
    }

    /// Wakes the thread that waits here, if it sleeps.
    pub(crate) fn ring(&self) {
        let before = self
            .bell
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, |bell| Some((bell | ASLEEP).wrapping_add(1)));
        if before.is_ok_and(|bell| bell & ASLEEP != 0) {
            futex_wake(&self.bell, 1);
        }
        if self.armed.load(Ordering::SeqCst)
            && let Some(alarm) = &*self.alarm.lock()
        {
            let _ = host::write(alarm.number(), &1_u64.to_ne_bytes());
        }
    }

    /// A descriptor that is readable when the bell has rung since; none if the process has no number left.
    pub(crate) fn arm(&self) -> Option<u32> {
        let mut alarm = self.alarm.lock();
        if alarm.is_none() {
            *alarm = host::eventfd().ok().and_then(|fd| aside(&fd));
            // Who rings from here on sees it, and who rang before has changed the bell, which is to be looked at now.
            self.armed.store(true, Ordering::SeqCst);
        }
        alarm.as_ref().map(Fd::number)
    }

    /// The alarm was heard.
    pub(crate) fn calm(&self) {
        if let Some(alarm) = &*self.alarm.lock() {
            let _ = host::read(alarm.number(), &mut [0; 8]);
        }
    }

    /// Waits until the bell has rung since it showed `seen`, or for a signal (`interruptible`).
    pub(crate) fn listen(&self, seen: u32, wait: Wait) -> Result<(), Errno> {
        let asleep = seen | ASLEEP;
        match self.bell.compare_exchange(seen, asleep, Ordering::AcqRel, Ordering::Relaxed) {
            // Still marked: a signal ended the last wait.
            Err(now) if now != asleep => Ok(()),
            _ => futex_wait(&self.bell, asleep, None, wait),
        }
    }

    pub(crate) fn put(&self, answer: Answer) {
        *self.answer.lock() = Some(answer);
        self.answered.store(true, Ordering::Release);
        self.ring();
    }

    pub(crate) fn take(&self) -> Option<Answer> {
        if self.is_answered() { self.answer.lock().take() } else { None }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }
}

/// A copy at a number where programs have none of their own as a rule: they expect the lowest ones to be free.
fn aside(fd: &Fd) -> Option<Fd> {
    const USUAL_MAX: u32 = 512;
    host::dup_above(fd.number(), USUAL_MAX.min(host::descriptor_limit() / 2)).ok()
}
