//! What **intercept** calls: the process's one [`Hijack`], and its decisions in the interceptor's terms.

use super::Live;
use super::fork::Announced;
use crate::Hijack;
use crate::dispatch::{Answer, concerns_exe};
use abi::{Errno, private, table};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicPtr, Ordering};
use intercept::{Call, Fork, Hooks, Interest};
use sitelist::BuildId;

/// The process's hijack, once [`super::start()`] has made it.
static HIJACK: AtomicPtr<Hijack<Live>> = AtomicPtr::new(core::ptr::null_mut());

/// Larger than the list of any file of a stock Debian: libc's is 27 KB.
const SITES_ROOM: usize = 256 << 10;

/// The decisions of this process.
#[must_use]
pub fn hooks(hijack: &'static Hijack<Live>) -> Hooks {
    HIJACK.store(core::ptr::from_ref(hijack).cast_mut(), Ordering::Release);
    Hooks { interest, dispatch, before_fork, after_fork, in_child, child_place, leave_place, sites }
}

fn hijack() -> Option<&'static Hijack<Live>> {
    super::hijack_unsafe::get(&HIJACK)
}

fn interest(number: u32) -> Interest {
    hijack().map_or(Interest::Never, |hijack| {
        let by_name = hijack.exe.is_some() && concerns_exe(number);
        if by_name { Interest::Always } else { crate::interest::of(hijack.config(), number) }
    })
}

fn dispatch(call: &Call) -> intercept::Answer {
    let Some(hijack) = hijack() else { return intercept::Answer::Host };
    match hijack.call(call) {
        Ok(Answer::Host) => intercept::Answer::Host,
        Ok(Answer::Value(value)) => intercept::Answer::Done(value as isize),
        Err(errno) => intercept::Answer::Done(errno.to_rax()),
    }
}

fn before_fork(fork: Fork, shares_files: bool) -> Result<usize, Errno> {
    if let Some(hijack) = hijack() {
        hijack.end_direct_of_all();
        if shares_files && fork != Fork::Thread {
            hijack.doubt_descriptors();
        }
    }
    match (hijack(), fork) {
        (None, _) => Ok(0),
        (Some(hijack), Fork::Thread) => {
            hijack.has_threads.store(true, Ordering::Relaxed);
            Ok(0)
        }
        (Some(hijack), Fork::Process) => {
            hijack.announce();
            Ok(0)
        }
        // vfork(2), clone(2), EAGAIN: too many processes.
        (Some(hijack), Fork::Vfork | Fork::Sharing) => Ok(hijack.begin_vfork()),
    }
}

fn after_fork(fork: Fork, task: usize, child: Result<u32, Errno>) {
    let Some(hijack) = hijack() else { return };
    match (fork, child) {
        (Fork::Thread, _) => {}
        (Fork::Process, child) => {
            hijack.announced(if child.is_ok() { Announced::Made } else { Announced::Failed })
        }
        // A child that goes on in our memory keeps its task until it is found to be gone.
        (Fork::Sharing, Ok(_)) => {}
        (Fork::Vfork | Fork::Sharing, _) => hijack.end_vfork(task),
    }
}

fn child_place(fork: Fork, shares_fs: bool) -> usize {
    hijack().map_or(0, |hijack| hijack.slot_of_child(fork, shares_fs))
}

fn leave_place(slot: usize) {
    if let Some(hijack) = hijack() {
        hijack.leave_slot(slot);
    }
}

fn in_child(_: usize) {
    if let Some(hijack) = hijack() {
        hijack.announced(Announced::Child);
    }
}

fn sites(path: &[u8], id: BuildId, size: u64) -> Option<Vec<u8>> {
    let path = [path, b"\0"].concat();
    let mut list = vec![0; SITES_ROOM];
    let (path_at, id_at, list_at) = (path.as_ptr() as u64, id.0.as_ptr() as u64, list.as_mut_ptr() as u64);
    let args = [path_at, id_at, size, list_at, SITES_ROOM as u64, 0];
    let hijack = hijack()?;
    let session = &hijack.world.session;
    // A program that may have no business with the rump kernel does not wait for a server that is gone.
    session.open_now().ok().filter(|()| session.is_connected())?;
    // Its first call may be one that closes what it did not open itself.
    hijack.note_own();
    let reply = session.call(table::lookup(private::SITES)?, args, &[]).ok()?;
    list.truncate(usize::try_from(reply.result.ok()?).ok().filter(|length| *length <= SITES_ROOM)?);
    Some(list)
}
