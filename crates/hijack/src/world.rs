//! What this crate needs from the outside: the host's calls, the program's memory, the rump kernel.
//!
//! With the outside as a trait, the decisions of this crate run against a model in tests.

use crate::fds::{KernelFd, Kind};
use abi::Errno;
use abi::table::Row;
use alloc::vec::Vec;

/// The six argument registers of a call.
pub type Args = [u64; 6];

/// What a call came to: the value for `%rax`, or the error.
pub type Outcome = Result<u64, Errno>;

/// The outside of this crate.
pub trait World {
    /// Carries out a call of the host that does not wait.
    ///
    /// # Errors
    /// The host's.
    fn host(&self, nr: u32, args: Args) -> Outcome;

    /// Carries out a call of the host that may wait. A signal ends it.
    ///
    /// # Errors
    /// The host's; [`ERESTARTSYS`] if a signal came first and the call may start again.
    fn host_waiting(&self, nr: u32, args: Args) -> Outcome;

    /// Copies bytes of the program's memory.
    ///
    /// # Errors
    /// `EFAULT`.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Errno>;

    /// Copies bytes into the program's memory.
    ///
    /// # Errors
    /// `EFAULT`.
    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno>;

    /// Copies a string of the program's up to its NUL, the NUL left out, or as much as `into` holds. Answers
    /// how many bytes.
    ///
    /// # Errors
    /// `EFAULT`.
    fn read_str(&self, address: u64, into: &mut [u8]) -> Result<usize, Errno>;

    /// Whether there is a session with a rump kernel. There may be none yet, or none any more.
    fn is_connected(&self) -> bool;

    /// Connects now if that is possible at once: the process is about to give up the right to.
    fn connect_early(&self);

    /// Which session this is; each reconnect makes another. 24 bits.
    fn generation(&self) -> u32;

    /// Carries out a call in the rump kernel. Addresses in the arguments are the program's, or this library's
    /// own. `passed` are host descriptors that travel along.
    ///
    /// # Errors
    /// `ENOTCONN`: no kernel was reached. The kernel's own errors are in the reply, [`ERESTARTSYS`] among them.
    fn rump(&self, row: &'static Row, args: Args, passed: &[u32]) -> Result<Reply, Errno>;

    /// Moves the library's own descriptor away from this number, which the program wants.
    ///
    /// # Errors
    /// `EMFILE`: no other number is free.
    fn move_own(&self, fd: u32) -> Result<(), Errno>;

    /// Moves the descriptor of the process's session to a number from `least` on, if there is one that nobody waits at.
    ///
    /// # Errors
    /// `EINVAL`, `EMFILE`: no such number can be had.
    fn move_own_above(&self, least: u32) -> Result<(), Errno>;

    /// The descriptor of the connection that the calling task's session runs on, to be continued by the next
    /// image.
    fn session_fd(&self) -> Option<u32>;

    /// The descriptor of the connection that the calling thread has made as a vfork child.
    fn own_in_child(&self) -> Option<u32>;

    /// The authentication with which the calling task can still open a session of its own; `None` if it has
    /// one or never will.
    fn fork_auth(&self) -> Option<[u8; 16]>;

    /// The task that the calling thread belongs to: 0 is the process, anything else a vfork child (memory
    /// shared with its parent, descriptors and working directory not), as [`crate::Hijack::before_vfork`]
    /// numbered it.
    fn task(&self) -> usize;

    /// The slot of the calling thread, if it has a working directory of its own; 0: it has its process's.
    fn place(&self) -> usize {
        0
    }

    /// Gives the calling thread this slot; answers the one before.
    fn set_place(&self, _slot: usize) -> usize {
        0
    }

    /// The number that the rump kernel of this session knows a slot by.
    fn place_number(&self, _slot: usize) -> Option<u16> {
        None
    }

    /// From now on it knows the slot by this; 0: by none.
    fn set_place_number(&self, _slot: usize, _number: u64) {}

    /// Whether the calling thread is a vfork child.
    fn in_vfork_child(&self) -> bool {
        self.task() != 0
    }
}

/// A call that a signal ended before it had an effect; it starts again where SA_RESTART says so
/// (linux/errno.h).
pub const ERESTARTSYS: i32 = 512;

/// What the rump kernel answered.
#[derive(Debug)]
pub struct Reply {
    /// The value for `%rax`, or the kernel's error.
    pub result: Outcome,
    /// Files that the process has got by this call.
    pub files: Vec<NewFile>,
    /// Tokens to take off the descriptor that the call used.
    pub drain: u32,
    /// Whether to make that descriptor unwritable.
    pub fill: bool,
}

impl Reply {
    /// The host descriptor that came with the first of its files.
    pub(crate) fn host_fd(&self) -> Option<u32> {
        self.files.first().and_then(|file| file.host_fd)
    }

    /// A result and nothing else.
    #[must_use]
    pub fn of(result: Outcome) -> Self {
        Self { result, files: Vec::new(), drain: 0, fill: false }
    }
}

/// A file that the process has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewFile {
    /// The host descriptor that goes with it, at whatever number it arrived, close-on-exec; `None`: the process
    /// has one already.
    pub host_fd: Option<u32>,
    /// Its descriptor in the rump kernel.
    pub kernel_fd: KernelFd,
    /// What it is.
    pub kind: Kind,
    /// Whether the program asked for close-on-exec.
    pub cloexec: bool,
    /// Where the program wants its number; 0: it is the call's value.
    pub put_at: u64,
    /// Whether no host descriptor stands for it (see `lone`).
    pub lone: bool,
    /// What other processes find it by if it is a lone file.
    pub cookie: u64,
}
