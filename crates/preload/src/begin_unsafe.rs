//! The step from which on calls are caught.

use abi::Errno;
use intercept::{Call, Hooks, Image};

/// See [`intercept::start`].
pub(crate) fn intercept(hooks: Hooks, image: Image) -> Result<(), Errno> {
    // SAFETY: no code of the program's or of another library's has run, so there is one thread, and %gs is not in use.
    unsafe { intercept::start(hooks, image) }
}

/// Has the host carry out an execve(2). Answers why it failed.
pub(crate) fn host(execve: &Call) -> Errno {
    // SAFETY: the addresses are those of the process's own start.
    let answer = unsafe { host::syscall(execve.nr, execve.args.map(|arg| arg as usize)) };
    Errno::from_rax(answer).err().unwrap_or(Errno::ENOEXEC)
}
