//! Working directories of threads' own (unshare(2) and clone(2) without `CLONE_FS`).
//!
//! A thread that has one has a slot here, which the threads share that it makes with `CLONE_FS`. The rump kernel keeps the directory
//! itself, from the first time on that it is one of its own: calls name its number there ([`abi::private::PLACE`]).

use crate::Hijack;
use crate::dispatch::row_of;
use crate::pieces_unsafe::Pieces;
use crate::world::World;
use abi::private::PlaceOp;
use abi::{Errno, private};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use intercept::Fork;

#[derive(Default)]
struct Slot {
    /// How many threads are there; 0: it is free.
    threads: AtomicU32,
    cwd_in_rump: AtomicBool,
    /// Its number in the rump kernel is that of another process too: a vfork child's, which has a copy of all that its parent had.
    is_copy: AtomicBool,
}

impl Slot {
    fn take(&self) -> bool {
        self.threads.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// All slots. That of number 0 stands for the process and is not used.
pub(crate) struct Slots {
    slots: Pieces<Slot>,
    /// Whether there ever was one: most processes have none.
    any: AtomicBool,
}

impl Slots {
    pub(crate) fn new() -> Self {
        let slots = Pieces::<Slot>::new();
        slots.claim(Slot::take);
        Self { slots, any: AtomicBool::new(false) }
    }
}

impl<W: World> Hijack<W> {
    /// The calling thread's slot, if it has one.
    fn slot(&self) -> Option<(usize, &Slot)> {
        if !self.slots.any.load(Ordering::Relaxed) {
            return None;
        }
        let number = Some(self.world.place()).filter(|number| *number != 0)?;
        self.slots.slots.get(number).map(|slot| (number, slot))
    }

    /// Whether the calling thread's relative paths are the rump kernel's; `None`: it has the process's working directory.
    pub(crate) fn own_cwd_in_rump(&self) -> Option<bool> {
        self.slot().map(|(_, slot)| slot.cwd_in_rump.load(Ordering::Relaxed))
    }

    /// Notes where the calling thread's working directory is; false: it has the process's.
    pub(crate) fn set_own_cwd_in_rump(&self, is: bool) -> bool {
        self.slot().map(|(_, slot)| slot.cwd_in_rump.store(is, Ordering::Relaxed)).is_some()
    }

    /// The calling thread is about to have a working directory of its own. Alone it has it already.
    pub(crate) fn part_places(&self) {
        let is_alone = match self.slot() {
            Some((_, slot)) => slot.threads.load(Ordering::Relaxed) == 1,
            None => !self.has_threads.load(Ordering::Relaxed),
        };
        if !is_alone && let Some(new) = self.copied_slot() {
            let before = self.world.set_place(new);
            self.leave_slot(before);
        }
    }

    /// Before the calling thread changes to a directory of the rump kernel's: it is not the process that does.
    ///
    /// # Errors
    /// `EAGAIN`: too many threads have one.
    pub(crate) fn begin_own_place(&self) -> Result<(), Errno> {
        match self.slot() {
            Some((number, _)) if self.world.place_number(number).is_none() => {
                let there = self.ask_place(PlaceOp::New, 0)?;
                self.world.set_place_number(number, there);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The slot for a child that shares the memory.
    pub(crate) fn slot_of_child(&self, fork: Fork, shares_fs: bool) -> usize {
        match (fork, self.slot()) {
            (Fork::Process, _) => 0,
            (Fork::Thread, Some((number, slot))) if shares_fs => {
                slot.threads.fetch_add(1, Ordering::AcqRel);
                number
            }
            (Fork::Thread, None) if shares_fs => 0,
            (Fork::Thread, _) => self.copied_slot().unwrap_or(0),
            (Fork::Vfork | Fork::Sharing, None) => 0,
            (Fork::Vfork | Fork::Sharing, Some((own, slot))) => {
                let (number, child) = self.new_slot(slot.cwd_in_rump.load(Ordering::Relaxed));
                child.is_copy.store(true, Ordering::Relaxed);
                self.world.set_place_number(number, self.world.place_number(own).map_or(0, u64::from));
                number
            }
        }
    }

    fn new_slot(&self, cwd_in_rump: bool) -> (usize, &Slot) {
        self.slots.any.store(true, Ordering::Relaxed);
        let (number, slot) = self.slots.slots.claim(Slot::take);
        slot.is_copy.store(false, Ordering::Relaxed);
        slot.cwd_in_rump.store(cwd_in_rump, Ordering::Relaxed);
        self.world.set_place_number(number, 0);
        (number, slot)
    }

    /// A slot that begins where the calling thread is. `None`: the rump kernel has no place for it.
    fn copied_slot(&self) -> Option<usize> {
        let in_rump = self.cwd_in_rump();
        let there = if in_rump { self.ask_place(PlaceOp::New, 0).ok()? } else { 0 };
        let (number, _) = self.new_slot(in_rump);
        self.world.set_place_number(number, there);
        Some(number)
    }

    /// A thread has left this slot.
    pub(crate) fn leave_slot(&self, number: usize) {
        let Some(slot) = self.slots.slots.get(number).filter(|_| number != 0) else { return };
        let there = self.world.place_number(number).filter(|_| !slot.is_copy.load(Ordering::Relaxed));
        if slot.threads.load(Ordering::Acquire) == 1
            && let Some(there) = there
        {
            let _ = self.ask_place(PlaceOp::Free, there.into());
        }
        slot.threads.fetch_sub(1, Ordering::AcqRel);
    }

    /// Before the calling thread becomes the process, as all others end by its exec, and behind that if it has failed.
    pub(crate) fn swap_places(&self) {
        if let Some(there) = self.slot().and_then(|(number, _)| self.world.place_number(number)) {
            let _ = self.ask_place(PlaceOp::Swap, there.into());
        }
    }

    fn ask_place(&self, op: PlaceOp, number: u64) -> Result<u64, Errno> {
        self.world.rump(row_of(private::PLACE)?, [op as u64, number, 0, 0, 0, 0], &[])?.result
    }
}
