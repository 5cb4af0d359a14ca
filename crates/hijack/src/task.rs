//! What the process has once and each of its vfork children has for itself: where relative paths go, and the
//! file mode creation mask. A vfork child shares its parent's memory, so its own are kept in a slot.

use crate::Hijack;
use crate::fds::Entry;
use crate::pieces_unsafe::Pieces;
use crate::world::World;
use abi::{Errno, nr, table};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

#[derive(Default)]
struct Task {
    taken: AtomicBool,
    cwd_in_rump: AtomicBool,
    /// A mask, plus 1; 0: not set since the process began.
    umask: AtomicU32,
    /// The session that was told a mask, and that mask, plus 1; 0: none was.
    told: AtomicU64,
}

/// What the rump kernel gives a process that is nobody's child.
pub(crate) const UMASK: u32 = 0o022;

/// The process (0) and its vfork children.
pub(crate) struct Tasks {
    tasks: Pieces<Task>,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        let tasks = Pieces::<Task>::new();
        // The process.
        tasks.claim(Task::take);
        Self { tasks }
    }
}

impl Task {
    fn take(&self) -> bool {
        self.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl<W: World> Hijack<W> {
    /// What a descriptor is. The table of a vfork child is its parent's, and says nothing of the connection that the child has made.
    pub(crate) fn entry(&self, fd: u32) -> Entry {
        self.entry_of(fd, self.fds.get(fd))
    }

    /// As [`Hijack::entry`], where the table says this.
    pub(crate) fn entry_of(&self, fd: u32, entry: Entry) -> Entry {
        match entry {
            Entry::Unknown if self.world.own_in_child() == Some(fd) => Entry::Own,
            // A file of the parent's alone.
            Entry::Rump(rump) if rump.lone && self.world.in_vfork_child() => Entry::Unknown,
            _ => entry,
        }
    }

    /// Whether the calling task's relative paths are the rump kernel's.
    #[must_use]
    pub fn cwd_in_rump(&self) -> bool {
        self.own_cwd_in_rump().unwrap_or_else(|| self.task().cwd_in_rump.load(Ordering::Relaxed))
    }

    /// Notes where the calling task's working directory is.
    pub fn set_cwd_in_rump(&self, is: bool) {
        if !self.set_own_cwd_in_rump(is) {
            self.task().cwd_in_rump.store(is, Ordering::Relaxed);
        }
    }

    /// Tells the rump kernel of the calling task's file mode creation mask, if it does not know: it was set before there was a
    /// session, or that is another one by now.
    pub(crate) fn tell_umask(&self) -> Result<(), Errno> {
        let umask = self.task().umask.load(Ordering::Relaxed);
        let known = self.task().told.load(Ordering::Relaxed);
        let new = self.told(umask);
        let is_new_guest = known >> 32 != new >> 32 && umask == UMASK + 1;
        if umask == 0 || known == new || is_new_guest {
            return Ok(());
        }
        let row = table::lookup(nr::UMASK).ok_or(Errno::ENOSYS)?;
        self.world.rump(row, [u64::from(umask - 1), 0, 0, 0, 0, 0], &[])?;
        // It may have been another session's first call.
        self.task().told.store(self.told(umask), Ordering::Relaxed);
        Ok(())
    }

    /// Notes the mask that the rump kernel has for the process; `None`: it is not known.
    pub(crate) fn set_told_umask(&self, mask: Option<u32>) {
        self.task().told.store(mask.map_or(0, |mask| self.told((mask & 0o777) + 1)), Ordering::Relaxed);
    }

    /// As [`Task::told`] has it.
    fn told(&self, umask: u32) -> u64 {
        u64::from(self.world.generation()) << 32 | u64::from(umask)
    }

    /// Notes the calling task's file mode creation mask.
    pub fn set_umask(&self, mask: u32) {
        self.task().umask.store((mask & 0o777) + 1, Ordering::Relaxed);
    }

    /// Before a vfork: a number for the child, which has what the calling task has.
    pub fn before_vfork(&self) -> usize {
        let parent = self.task();
        let (number, child) = self.tasks.tasks.claim(Task::take);
        child.cwd_in_rump.store(parent.cwd_in_rump.load(Ordering::Relaxed), Ordering::Relaxed);
        child.umask.store(parent.umask.load(Ordering::Relaxed), Ordering::Relaxed);
        child.told.store(parent.told.load(Ordering::Relaxed), Ordering::Relaxed);
        number
    }

    /// After a vfork, in the parent: the child has run another image or ended.
    pub fn after_vfork(&self, number: usize) {
        self.scratch.reclaim_from_task(number);
        if let Some(task) = self.tasks.tasks.get(number).filter(|_| number != 0) {
            task.taken.store(false, Ordering::Release);
        }
    }

    fn task(&self) -> &Task {
        // The process is always there.
        let tasks = &self.tasks.tasks;
        tasks.get(self.world.task()).unwrap_or(tasks.first())
    }
}
