//! One call: whose is it, and carrying it out.
//!
//! Most calls are routed as their row of [`abi::table`] says (module `route`). Those with code of their own have a
//! file each (or one for a family) and a line in `handler`.

mod accept;
mod across;
mod aio;
mod broken_pipe;
mod close;
mod credentials;
mod cwd;
mod dup;
mod epoll;
mod exe;
mod fcntl;
mod getdents;
mod handle;
mod inotify;
mod interfaces;
mod link;
mod long_read;
mod message;
mod mixed;
mod mmap;
mod mount;
mod mounts;
mod msync;
mod named_peer;
mod names;
mod openat2;
mod pidfd;
mod poll;
mod receiver;
mod rlimit;
mod route;
mod select;
mod select_rump;
mod splice;
mod transfer;
mod umask;
mod unlock;
mod unshare;

pub(crate) use rlimit::FileSize;

use crate::world::{Args, World};
use crate::{Hijack, exec};
use abi::table::{Route, Row, lookup};
use abi::{Errno, nr};
pub(crate) use cwd::shown_cwd;
pub(crate) use exe::concerns as concerns_exe;
pub use intercept::Call;
pub(crate) use poll::watch;
pub(crate) use route::{AT_FDCWD, PathOwner, Told};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The host carries it out, as the program made it.
    Host,
    /// It is done; this is the value for `%rax`.
    Value(u64),
}

/// What becomes of a call, or the error that the program sees.
pub type Verdict = Result<Answer, Errno>;

/// Code of its own for one call.
type Handler<W> = fn(&Hijack<W>, &Call) -> Verdict;

/// A caught call with the row that describes it.
type Rowed<'a> = (&'static Row, &'a Call);

/// The calls with code of their own.
fn handler<W: World>(number: u32) -> Option<Handler<W>> {
    Some(match number {
        nr::ACCEPT | nr::ACCEPT4 => accept::accept,
        nr::IO_SUBMIT => aio::io_submit,
        nr::CLOSE => close::close,
        nr::CLOSE_RANGE => close::close_range,
        nr::DUP => dup::dup,
        nr::DUP2 => dup::dup2,
        nr::DUP3 => dup::dup3,
        nr::FCNTL => fcntl::fcntl,
        nr::IOCTL => fcntl::ioctl,
        nr::OPEN => mounts::open,
        nr::OPENAT => mounts::openat,
        nr::OPENAT2 => openat2::openat2,
        nr::READLINK => link::readlink,
        nr::READLINKAT => link::readlinkat,
        nr::POLL => poll::poll,
        nr::PPOLL => poll::ppoll,
        nr::SELECT | nr::PSELECT6 => select::select,
        nr::EPOLL_CTL => epoll::epoll_ctl,
        nr::EPOLL_WAIT | nr::EPOLL_PWAIT | nr::EPOLL_PWAIT2 => epoll::epoll_wait,
        nr::CHDIR => cwd::chdir,
        nr::FCHDIR => cwd::fchdir,
        nr::GETCWD => cwd::getcwd,
        nr::GETDENTS64 => getdents::getdents64,
        nr::UMASK => umask::umask,
        nr::SETUID
        | nr::SETGID
        | nr::SETREUID
        | nr::SETREGID
        | nr::SETRESUID
        | nr::SETRESGID
        | nr::SETGROUPS => credentials::change,
        nr::SYNC => umask::sync,
        nr::SETRLIMIT => rlimit::setrlimit,
        nr::PRLIMIT64 => rlimit::prlimit64,
        nr::UNAME | nr::SETHOSTNAME | nr::SETDOMAINNAME => names::names,
        nr::SENDFILE => transfer::sendfile,
        nr::SPLICE => splice::splice,
        nr::TEE => splice::tee,
        nr::VMSPLICE => splice::vmsplice,
        nr::COPY_FILE_RANGE => transfer::copy_file_range,
        nr::MMAP => mmap::mmap,
        nr::MSYNC => msync::msync,
        nr::MOUNT => mount::mount,
        nr::FSOPEN => mount::fsopen,
        nr::LISTMOUNT => mounts::listmount,
        nr::STATMOUNT => mounts::statmount,
        nr::INOTIFY_ADD_WATCH => inotify::inotify_add_watch,
        nr::SENDMSG => message::sendmsg,
        nr::SENDMMSG => message::sendmmsg,
        nr::RECVMSG => message::recvmsg,
        nr::RECVMMSG => message::recvmmsg,
        nr::EXECVE => exec::execve,
        nr::EXECVEAT => exec::execveat,
        nr::OPEN_BY_HANDLE_AT => handle::open_by_handle_at,
        nr::UNSHARE => unshare::unshare,
        nr::PIDFD_GETFD => pidfd::pidfd_getfd,
        _ => return None,
    })
}

impl<W: World> Hijack<W> {
    /// Decides about one call and carries it out unless it is the host's.
    ///
    /// # Errors
    /// What the program sees as the call's error.
    pub fn dispatch(&self, call: &Call) -> Verdict {
        exe::by_name(self, call).unwrap_or_else(|| self.routed(call))
    }

    fn routed(&self, call: &Call) -> Verdict {
        if let Some(handler) = handler::<W>(call.nr) {
            return handler(self, call);
        }
        let Some(row) = lookup(call.nr) else { return Ok(Answer::Host) };
        match row.route {
            Route::ByFd(at) => self.by_fd((row, call), at),
            Route::ByPath(at) => self.by_path((row, call), at),
            Route::At { dir, path } => self.at((row, call), dir, path),
            Route::TwoPaths { first, second } => self.two_paths((row, call), first, second),
            Route::ByFamily(at) => self.by_family((row, call), at),
            Route::Refused(errno) => Err(errno),
            Route::Host | Route::Special => Ok(Answer::Host),
        }
    }
}

/// Argument `at` of a call; a row never names one that is not there.
fn argument(args: &Args, at: u8) -> u64 {
    args.get(usize::from(at)).copied().unwrap_or_default()
}

/// The arguments with one of them replaced.
pub(crate) fn with(mut args: Args, at: u8, value: u64) -> Args {
    if let Some(slot) = args.get_mut(usize::from(at)) {
        *slot = value;
    }
    args
}

/// The row of a call that has one.
pub(crate) fn row_of(number: u32) -> Result<&'static Row, Errno> {
    lookup(number).ok_or(Errno::ENOSYS)
}

#[cfg(test)]
mod tests;
