//! What the process has once and each of its vfork children has for itself: where relative paths go, and the
//! file mode creation mask. A vfork child shares its parent's memory, so its own are kept in a slot.

use crate::Hijack;
use crate::world::World;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Vfork children at one time, each holding one thread of the process. A further vfork is refused (`EAGAIN`).
pub(crate) const TASKS_MAX: usize = 64;

/// Not set since the process began.
const UMASK_UNKNOWN: u32 = u32::MAX;

struct Task {
    taken: AtomicBool,
    cwd_in_rump: AtomicBool,
    umask: AtomicU32,
}

/// The process (0) and its vfork children.
pub(crate) struct Tasks {
    tasks: [Task; TASKS_MAX],
}

impl Tasks {
    pub(crate) fn new() -> Self {
        let task = |number| Task {
            taken: AtomicBool::new(number == 0),
            cwd_in_rump: AtomicBool::new(false),
            umask: AtomicU32::new(UMASK_UNKNOWN),
        };
        Self { tasks: core::array::from_fn(task) }
    }

    fn get(&self, task: usize) -> &Task {
        self.tasks.get(task).unwrap_or(&self.tasks[0])
    }
}

impl<W: World> Hijack<W> {
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
        Some(self.task().umask.load(Ordering::Relaxed)).filter(|&mask| mask != UMASK_UNKNOWN)
    }

    /// Notes the calling task's file mode creation mask.
    pub fn set_umask(&self, mask: u32) {
        self.task().umask.store(mask & 0o777, Ordering::Relaxed);
    }

    /// Before a vfork: a number for the child, which has what the calling task has. `None`: too many at once.
    pub fn before_vfork(&self) -> Option<usize> {
        let parent = self.task();
        let claim = |task: &Task| {
            task.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let number = self.tasks.tasks.iter().position(claim)?;
        let child = self.tasks.get(number);
        child.cwd_in_rump.store(parent.cwd_in_rump.load(Ordering::Relaxed), Ordering::Relaxed);
        child.umask.store(parent.umask.load(Ordering::Relaxed), Ordering::Relaxed);
        Some(number)
    }

    /// After a vfork, in the parent: the child has run another image or ended.
    pub fn after_vfork(&self, number: usize) {
        self.scratch.reclaim_from_task(number);
        self.tasks.get(number).taken.store(number == 0, Ordering::Release);
    }

    fn task(&self) -> &Task {
        self.tasks.get(self.world.task())
    }
}
