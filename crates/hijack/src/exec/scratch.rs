//! Memory for what the next image is handed. In a vfork child it is the parent's memory, and a successful exec
//! gives nothing back: so it is kept in slots, and the parent takes them back afterwards.

use crate::pieces_unsafe::Pieces;
use crate::world::World;
use abi::raw::general::{MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use abi::{Errno, nr};
use core::sync::atomic::{AtomicU64, Ordering};

const FREE: u64 = 0;

#[derive(Default)]
struct Slot {
    /// Who uses it.
    user: AtomicU64,
    address: AtomicU64,
    size: AtomicU64,
}

/// The slots of a process.
pub(crate) struct Scratch {
    slots: Pieces<Slot>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { slots: Pieces::new() }
    }

    /// Memory of at least `size` bytes for the calling thread.
    pub(super) fn take<W: World>(&self, world: &W, size: u64) -> Result<u64, Errno> {
        let user = user(world);
        let claim =
            |slot: &Slot| slot.user.compare_exchange(FREE, user, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let (_, slot) = self.slots.claim(claim);
        if slot.size.load(Ordering::Relaxed) < size {
            slot.grow(world, size).inspect_err(|_| slot.user.store(FREE, Ordering::Release))?;
        }
        Ok(slot.address.load(Ordering::Relaxed))
    }

    /// Takes back all that the calling thread has.
    pub(super) fn give_back<W: World>(&self, world: &W) {
        self.reclaim(user(world));
    }

    /// Takes back all that a vfork child had, which is gone now.
    pub(crate) fn reclaim_from_task(&self, task: usize) {
        self.reclaim(task as u64);
    }

    fn reclaim(&self, user: u64) {
        for (_, slot) in self.slots.iter() {
            let _ = slot.user.compare_exchange(user, FREE, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}

/// The calling thread: the number of the vfork child that it is, or its own, larger than those.
fn user<W: World>(world: &W) -> u64 {
    match world.task() {
        0 => 1 << 32 | world.host(nr::GETTID, [0; 6]).unwrap_or(0),
        task => task as u64,
    }
}

impl Slot {
    fn grow<W: World>(&self, world: &W, size: u64) -> Result<(), Errno> {
        let old = (self.address.load(Ordering::Relaxed), self.size.load(Ordering::Relaxed));
        if old.1 > 0 {
            self.size.store(0, Ordering::Relaxed);
            world.host(nr::MUNMAP, [old.0, old.1, 0, 0, 0, 0])?;
        }
        let size = size.next_multiple_of(4096);
        let (prot, flags) = (u64::from(PROT_READ | PROT_WRITE), u64::from(MAP_PRIVATE | MAP_ANONYMOUS));
        let address = world.host(nr::MMAP, [0, size, prot, flags, u64::MAX, 0])?;
        self.address.store(address, Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
        Ok(())
    }
}
