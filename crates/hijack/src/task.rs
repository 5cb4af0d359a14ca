//! What the process has once and each of its vfork children has for itself: where relative paths go, and the
//! file mode creation mask. A vfork child shares its parent's memory, so its own are kept in a slot.

use crate::Hijack;
use crate::fds::Entry;
use crate::pieces_unsafe::Pieces;
use crate::world::World;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

#[derive(Default)]
struct Task {
    taken: AtomicBool,
    cwd_in_rump: AtomicBool,
    /// A mask, plus 1; 0: not set since the process began.
    umask: AtomicU32,
}

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
        if entry == Entry::Unknown && self.world.own_in_child() == Some(fd) { Entry::Own } else { entry }
    }

    /// Whether the calling task's relative paths are the rump kernel's.
    #[must_use]
    pub fn cwd_in_rump(&self) -> bool {
        self.task().cwd_in_rump.load(Ordering::Relaxed)
    }

    /// Notes where the calling task's working directory is.
    pub fn set_cwd_in_rump(&self, is: bool) {
        self.task().cwd_in_rump.store(is, Ordering::Relaxed);
    }

    /// The calling task's file mode creation mask, if it has been set.
    #[must_use]
    pub fn umask(&self) -> Option<u32> {
        self.task().umask.load(Ordering::Relaxed).checked_sub(1)
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
