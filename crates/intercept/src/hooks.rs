//! What the user of this crate decides.

use abi::Errno;
use alloc::vec::Vec;
use sitelist::BuildId;

/// A call as the program made it.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Its number.
    pub nr: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The host carries it out, as the program made it, with the program's registers and stack.
    Host,
    /// It is done; this goes to `%rax`. -512 (ERESTARTSYS): a signal ended it before it had an effect.
    Done(isize),
}

/// When a call has to be looked at. Fixed at [`crate::start`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Never: it is the host's.
    Never,
    /// If the descriptor in this argument (0 to 5) is [marked](crate::marks).
    IfMarked(u8),
    /// ioctl(2): if the descriptor is marked, or the command is one of sockets (`0x89..`, linux/sockios.h).
    IfMarkedOrSocket,
    /// Each time.
    Always,
}

/// What a fork, vfork, clone or clone3 makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// A process with a copy of the memory.
    Process,
    /// A process that shares the memory until it runs another image or ends; the calling thread waits so long.
    Vfork,
    /// A process that shares the memory, but not the descriptors, while the calling thread goes on.
    Sharing,
    /// A thread.
    Thread,
}

/// The decisions. All run on the thread that makes the call, on this crate's stack.
#[derive(Debug, Clone, Copy)]
pub struct Hooks {
    /// Which calls have to be looked at.
    pub interest: fn(u32) -> Interest,
    /// Decides about one call.
    pub dispatch: fn(&Call) -> Answer,
    /// Before a fork of any kind; `true`: it shares the descriptors (`CLONE_FILES`). Answers the child's [`crate::task`] (0 for all but [`Fork::Vfork`] and
    /// [`Fork::Sharing`]), or the error that the program sees.
    pub before_fork: fn(Fork, bool) -> Result<usize, Errno>,
    /// After it, in the parent, with what `before_fork` answered and with the child's number or the error. For
    /// [`Fork::Vfork`] the child has run another image or ended. For [`Fork::Sharing`] it is called again when the child has
    /// been found to have done so, with `ESRCH`.
    pub after_fork: fn(Fork, usize, Result<u32, Errno>),
    /// After it, in a child that is a [`Fork::Process`].
    pub in_child: fn(usize),
    /// Before a child that shares the memory is made: its [`crate::place`]. `true`: it shares its working directory (`CLONE_FS`).
    pub child_place: fn(Fork, bool) -> usize,
    /// A thread, or a child that shared the memory, has left its place, which is not 0, or was not made.
    pub leave_place: fn(usize),
    /// The encoded [`sitelist::SiteList`] of an object file (path without NUL, build-id, size) that is in no cache.
    pub sites: fn(&[u8], BuildId, u64) -> Option<Vec<u8>>,
}
