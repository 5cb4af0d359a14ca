//! What the kernel wants done by the server.

use crate::Kernel;
use crate::call::{Call, CallId, Copyin};
use crate::file::{FileId, FileKind};
use crate::process::Pid;
use abi::Errno;

/// Whom a signal for a process of the host is for. Only the host knows of threads whether the process is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalTo {
    /// The process.
    Process,
    /// Its thread of this number, if it has one.
    Thread(u32),
}

/// One thing for the server to do, in this order.
#[derive(Debug)]
pub enum Effect {
    /// A call is answered.
    Reply(Reply),
    /// A call needs bytes of its caller's memory; answered by [`Kernel::supply`].
    Copyin {
        /// The call.
        call: CallId,
        /// Its process.
        pid: Pid,
        /// What it needs.
        want: Copyin,
    },
    /// A process gets a signal.
    Raise {
        /// The process.
        pid: Pid,
        /// The signal's number.
        signo: u8,
    },
    /// A process of the host gets a signal that belongs to no call of it.
    Signal {
        /// Its number on the host.
        host_pid: u32,
        /// Whom in it, and on what condition.
        to: SignalTo,
        /// The signal's number.
        signo: u8,
    },
    /// A process group of the host gets a signal that belongs to no call.
    SignalGroup {
        /// Its number on the host.
        group: u32,
        /// The processes of the host that are known: if none of them is in the group, it may be another's that has the same number elsewhere.
        known: Vec<u32>,
        /// The user who wants it.
        uid: u32,
        /// The signal's number.
        signo: u8,
    },
    /// A watched file's readiness is now this (`POLL*` bits).
    Ready {
        /// The file.
        file: FileId,
        /// `POLLIN`, `POLLOUT`, … as poll(2) would answer now.
        mask: u16,
        /// Something happened since the last report, even if the bits are the same (EPOLLET).
        edge: bool,
    },
    /// The file is closed; its host descriptors mean nothing any more.
    Closed(FileId),
    /// A descriptor that was passed along with a call is no longer needed.
    DropPassed(u64),
    /// A worker is to carry out an operation, behind those that it was given before; answered by [`Kernel::disk_done`], or, without
    /// a call, by [`Kernel::disk_posted`].
    Disk {
        /// The call that waits for it.
        call: Option<CallId>,
        /// The worker.
        worker: vfs::remote::Worker,
        /// The operation.
        op: vfs::remote::Op,
    },
    /// The kernel was halted (rump_halt): nothing comes after this.
    Halt,
}

/// The answer to a call.
#[derive(Debug)]
pub struct Reply {
    /// The call.
    pub call: CallId,
    /// Its process.
    pub pid: Pid,
    /// The value for `%rax`, or the error.
    pub result: Result<u64, Errno>,
    /// Bytes for the caller's memory.
    pub out: Vec<(u64, Vec<u8>)>,
    /// Files that the process has got by this call.
    pub files: Vec<NewFile>,
    /// The watched file that the call used (its first argument) and its readiness afterwards.
    pub touched: Option<(FileId, u16)>,
}

/// A file that a process has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// The file.
    pub file: FileId,
    /// Its descriptor in the process.
    pub kfd: u32,
    /// What it is.
    pub kind: FileKind,
    /// Whether close-on-exec was asked for.
    pub cloexec: bool,
    /// Where in the caller's memory its number belongs; 0: it is the call's value.
    pub put_at: u64,
    /// Which host descriptor goes with it.
    pub pass: Pass,
}

/// Which host descriptor goes with a [`NewFile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The file was born with this call: its end A.
    Born,
    /// None: the process has one already.
    Nothing,
    /// None: the file, whose readiness never changes, is this process's alone. Its own close(2), its exec and its end close the
    /// file, until `rump_share` makes a host descriptor for it.
    Lone,
    /// One that came along with an earlier call ([`Call::passed`]); given out once, it is the process's then.
    Passed(u64),
    /// A copy of one that came along with an earlier call and stays on its way (`MSG_PEEK`).
    Shown(u64),
    /// The memory of a file that is to be mapped ([`vfs::SharedBytes::id`]).
    Memory {
        /// What the server knows it by.
        id: u64,
        /// Whether the descriptor may be written through.
        writable: bool,
    },
}

impl Reply {
    pub(crate) fn new(kernel: &mut Kernel, mut call: Call, result: Result<u64, Errno>) -> Self {
        let touched = kernel.touched(&call);
        Self {
            call: call.id,
            pid: call.pid,
            result,
            out: call.mem.take_out(),
            files: std::mem::take(&mut call.files),
            touched,
        }
    }

    /// The reply tells that the file it used is not writable; answers what tells right behind it if it is. A socket that has never
    /// connected is writable, and that it is so once it has connected is news to epoll(7) and SIGIO all the same (`tcp_finish_connect()`).
    pub(crate) fn hold_back_writable(&mut self) -> Option<Effect> {
        let (file, mask) = self.touched.as_mut()?;
        let news = Effect::Ready { file: *file, mask: *mask, edge: false };
        *mask &= !(abi::raw::general::POLLOUT as u16);
        Some(news)
    }
}
