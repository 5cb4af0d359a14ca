//! A mutex on a futex, in code without libc.

use crate::sys::{AtomicU32, Watch, futex_wait, futex_wake};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering;
use host::Wait;

const FREE: u32 = 0;
const HELD: u32 = 1;
const WANTED: u32 = 2;

/// A value that one thread at a time uses.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    word: AtomicU32,
    watch: Watch,
    value: UnsafeCell<T>,
}

// SAFETY: only the holder of the lock reaches the value.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { word: AtomicU32::new(FREE), watch: Watch::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_lock(&self) -> Option<Held<'_, T>> {
        let taken = self.word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok();
        // Not `then_some`: a Held that is made and dropped would free the lock.
        taken.then(|| self.held())
    }

    /// Waits for the lock. Signals do not end the wait: nobody holds it for long.
    pub(crate) fn lock(&self) -> Held<'_, T> {
        if let Some(held) = self.try_lock() {
            return held;
        }
        while self.word.swap(WANTED, Ordering::Acquire) != FREE {
            let _ = futex_wait(&self.word, WANTED, None, Wait::Yes);
        }
        self.held()
    }

    fn held(&self) -> Held<'_, T> {
        self.watch.touch();
        Held { lock: self }
    }

    /// The value, whoever holds the lock.
    ///
    /// # Safety
    /// No other thread may exist in this process's memory.
    pub(crate) unsafe fn peek(&self) -> &T {
        // SAFETY: nobody else is there to change it.
        unsafe { &*self.value.get() }
    }

    /// Replaces the value in the child of a fork, where a thread that is not there any more may have held the lock and
    /// left the value half changed: the old one is forgotten as it is.
    ///
    /// # Safety
    /// No other thread may exist in this process's memory.
    pub(crate) unsafe fn renew(&self, value: T) {
        // SAFETY: nobody else is there, so nobody reads or writes the value meanwhile; `write` does not drop the old.
        unsafe { self.value.get().write(value) };
        self.word.store(FREE, Ordering::Release);
    }
}

/// The lock, held.
#[derive(Debug)]
pub(crate) struct Held<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this value exists only while the lock is held, and once.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.lock.watch.touch();
        if self.lock.word.swap(FREE, Ordering::Release) == WANTED {
            futex_wake(&self.lock.word, 1);
        }
    }
}
