//! From the start of an image to its first caught call.

use crate::begin_unsafe::{self, intercept};
use abi::Errno;
use core::ffi::CStr;
use hijack::Hijack;
use hijack::live::{self, Live, Outside, refuse};
use intercept::{Answer, Call, Fork, Hooks, Image, Interest, marks};

/// Reads the environment, connects, and catches calls from now on. `exe` is the path of a program that this library has
/// loaded itself.
pub(crate) fn begin(image: Image, exe: Option<&'static CStr>) {
    let (hooks, refused) = match start(image, exe) {
        Some(hijack) => (live::hooks(hijack), refused(hijack)),
        None if image.variable(b"RUMPHIJACK__CATCH") == Some(b"all") => (PASS, None),
        None => return,
    };
    if intercept(hooks, image).is_err() {
        refuse(format_args!("system calls cannot be caught here: Linux 5.11 or newer is expected"));
    }
    if let Some(families) = refused {
        if !intercept::trap() {
            refuse(format_args!("strict: not all calls can be caught here: Linux 5.11 or newer is expected"));
        }
        if let Err(why) = intercept::refuse_families(families) {
            refuse(format_args!("strict: seccomp(2): {why}"));
        }
    }
}

/// The families whose sockets the host must not make, where the user is strict about it.
fn refused(hijack: &Hijack<Live>) -> Option<u64> {
    hijack.is_strict().then(|| hijack.config().families.bits())
}

/// Carries out the execve(2) with which a program begins to be hijacked. Answers why it failed.
pub(crate) fn run_first(image: Image, execve: &Call) -> Errno {
    let answer = start(image, Some(c"")).map(|hijack| (live::hooks(hijack).dispatch)(execve));
    match answer {
        Some(Answer::Done(errno)) => Errno::from_rax(errno).err().unwrap_or(Errno::ENOEXEC),
        // Nothing is to be hijacked.
        Some(Answer::Host) | None => begin_unsafe::host(execve),
    }
}

fn start(image: Image, exe: Option<&'static CStr>) -> Option<&'static Hijack<Live>> {
    let outside = Outside {
        mark: marks::set,
        task: intercept::task,
        place: intercept::place,
        set_place: intercept::set_place,
        library: image.own_path(),
        exe,
    };
    live::start(image.environment(), outside)
}

/// Catches everything and leaves it to the host: is it the interception that a program does not like?
const PASS: Hooks = Hooks {
    interest: |_| Interest::Always,
    dispatch: |_| Answer::Host,
    before_fork: |_, _| Ok(0),
    after_fork: |_: Fork, _, _| {},
    in_child: |_| {},
    child_place: |_, _| 0,
    leave_place: |_| {},
    sites: |_, _, _| None,
};
