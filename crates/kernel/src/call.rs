//! A call on its way, and the ways it can stop.

use crate::file::ObjectId;
use crate::mem::UserMem;
use crate::process::Pid;
use abi::Errno;
use vfs::locks::{Key, Range};

/// Names a call that was submitted and not yet answered. The server chooses it, unique in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// One system call of one process.
#[derive(Debug)]
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// Who makes it.
    pub pid: Pid,
    /// Its number (`abi::nr`, `abi::private`).
    pub nr: u32,
    /// Where its paths start, as `rump_place` numbers it; 0: where its process's do.
    pub place: u16,
    /// Its arguments, as the registers held them: the upper half of a narrow one may hold anything.
    pub args: [u64; 6],
    /// What is known of the caller's memory, and what is to be written there.
    pub mem: UserMem,
    /// Descriptors that came along (SCM_RIGHTS), as the server names them.
    pub passed: Vec<u64>,
    pub(crate) files: Vec<crate::effect::NewFile>,
    /// Bytes moved by earlier runs of this call.
    pub(crate) progress: usize,
    /// When waiting ends, fixed by the first run.
    pub(crate) deadline: Option<u64>,
    pub(crate) restartable: bool,
    /// What connect(2) answers if its time runs out, as its first run found it.
    pub(crate) timed_out: Option<Errno>,
    /// What disks have answered it.
    pub(crate) log: vfs::remote::Log,
    /// It was interrupted while it waited for a disk.
    pub(crate) cancelled: bool,
    /// The lock that fcntl(2) waits for.
    pub(crate) wanted_lock: Option<(Key, Range)>,
}

impl Call {
    /// A call that has not run yet.
    #[must_use]
    pub fn new(id: CallId, pid: Pid, nr: u32, args: [u64; 6], mem: UserMem) -> Self {
        Self {
            id,
            pid,
            nr,
            place: 0,
            args,
            mem,
            passed: Vec::new(),
            files: Vec::new(),
            progress: 0,
            deadline: None,
            restartable: true,
            timed_out: None,
            log: vfs::remote::Log::default(),
            cancelled: false,
            wanted_lock: None,
        }
    }
}

/// Why a handler did not return a value.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The call failed.
    Errno(Errno),
    /// The call waits. It has had no side effect that a second run would repeat.
    Wait(Wait),
    /// Bytes of the caller's memory are missing.
    Copyin(Copyin),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// What a handler answers: the value for `%rax`, or why there is none yet.
pub(crate) type Answer = Result<u64, Stop>;

/// What a parked call waits for: any of these objects to change, or a time.
#[derive(Debug)]
pub(crate) struct Wait {
    /// Any of these.
    pub(crate) on: Vec<ObjectId>,
    /// Or this time on the monotonic clock, in nanoseconds.
    pub(crate) until: Option<u64>,
    /// Whether SA_RESTART restarts it when interrupted (signal(7)).
    pub(crate) restartable: bool,
}

/// Bytes wanted from the caller's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copyin {
    /// Where.
    pub addr: u64,
    /// How many; for a string the most, its NUL included.
    pub len: u64,
    /// Up to the first NUL only.
    pub string: bool,
}
