//! setrlimit(2) and prlimit(2): the limits are the host's, and so is the signal that goes with one; the rump kernel keeps to
//! `RLIMIT_FSIZE` (SIGXFSZ: for the thread that wrote), the library's own descriptors keep out of `RLIMIT_NOFILE`.

use super::{Answer, Call, Verdict};
use crate::Hijack;
use crate::world::{Outcome, World};
use abi::raw::general::{RLIMIT_FSIZE, RLIMIT_NOFILE};
use abi::{Errno, nr, private, table};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// signal(7)
const SIGXFSZ: u64 = 25;
/// `RLIM_INFINITY`
const NONE: u64 = u64::MAX;

/// How long files may become by what the process writes.
pub(crate) struct FileSize {
    limit: AtomicU64,
    /// The session that was told a limit last, and that limit. Until one was told it is what a session begins with.
    session: AtomicU32,
    told: AtomicU64,
}

impl FileSize {
    pub(crate) const fn new() -> Self {
        Self { limit: AtomicU64::new(NONE), session: AtomicU32::new(0), told: AtomicU64::new(NONE) }
    }

    /// The session is to be told of the limit, whatever it was told: another process may have told it of another one.
    fn is_untold(&self) {
        self.told.store(!self.limit.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

pub(super) fn setrlimit<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    changed(h, call, 0, call.args[0], call.args[1])
}

pub(super) fn prlimit64<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    changed(h, call, call.args[0], call.args[1], call.args[2])
}

fn changed<W: World>(h: &Hijack<W>, call: &Call, pid: u64, resource: u64, new: u64) -> Verdict {
    let own = || pid as u32 == 0 || h.world.host(nr::GETPID, [0; 6]) == Ok(pid);
    match resource as u32 {
        _ if new == 0 => return Ok(Answer::Host),
        RLIMIT_FSIZE => {}
        RLIMIT_NOFILE if own() => {
            make_room(h, new);
            return Ok(Answer::Host);
        }
        _ => return Ok(Answer::Host),
    }
    let value = h.world.host(call.nr, call.args)?;
    match own() {
        // What a vfork child sets is not its parent's; the program that it becomes looks for itself.
        true if h.world.in_vfork_child() => {}
        true => {
            h.look_at_file_size();
            h.file_size.is_untold();
        }
        false => h.tell_file_size_of(pid, new),
    }
    Ok(Answer::Value(value))
}

/// Before the number of descriptors is limited to the `rlim_cur` at this address.
fn make_room<W: World>(h: &Hijack<W>, new: u64) {
    // RLIM_INFINITY is more than there can be.
    if let Some(Ok(limit)) = current_of(h, new).map(u32::try_from) {
        h.move_own_above(limit);
    }
}

/// The `rlim_cur` at this address.
fn current_of<W: World>(h: &Hijack<W>, address: u64) -> Option<u64> {
    let mut limit = [0; 8];
    h.world.read(address, &mut limit).ok()?;
    Some(u64::from_ne_bytes(limit))
}

impl<W: World> Hijack<W> {
    /// Notes the process's limit.
    pub fn look_at_file_size(&self) {
        self.file_size.limit.store(self.file_size_limit(), Ordering::Relaxed);
    }

    /// Asks the host for the process's limit.
    pub(crate) fn file_size_limit(&self) -> u64 {
        let mut limits = [NONE; 2];
        let args = [0, u64::from(RLIMIT_FSIZE), 0, (&raw mut limits) as u64, 0, 0];
        // It cannot fail: the process may ask for its own.
        let _ = self.world.host(nr::PRLIMIT64, args);
        limits[0]
    }

    /// Tells the rump kernel of the limit, if it does not know.
    pub(crate) fn tell_file_size(&self) -> Result<(), Errno> {
        let ours = &self.file_size;
        let session = self.world.generation();
        if ours.session.load(Ordering::Relaxed) != session {
            // Another process may have set it before the rump kernel knew this one.
            if !self.world.in_vfork_child() {
                self.look_at_file_size();
            }
            ours.told.store(NONE, Ordering::Relaxed);
            ours.session.store(session, Ordering::Relaxed);
        }
        let limit = ours.limit.load(Ordering::Relaxed);
        if limit == ours.told.load(Ordering::Relaxed) {
            return Ok(());
        }
        let row = table::lookup(private::FSIZE).ok_or(Errno::ENOSYS)?;
        self.world.rump(row, [limit, 0, 0, 0, 0, 0], &[])?;
        ours.told.store(limit, Ordering::Relaxed);
        ours.session.store(self.world.generation(), Ordering::Relaxed);
        Ok(())
    }

    /// Tells the rump kernel, if that knows it, of the limit that was set of another process: the `rlim_cur` at this address.
    fn tell_file_size_of(&self, pid: u64, new: u64) {
        if let (Some(limit), Some(row)) = (current_of(self, new), table::lookup(private::FSIZE)) {
            let _ = self.world.rump(row, [limit, pid, 0, 0, 0, 0], &[]);
        }
    }

    /// Sends the calling thread the signal that goes with a limit that was reached.
    pub(crate) fn signal_file_size(&self, result: &Outcome) {
        if *result != Err(Errno::EFBIG) {
            return;
        }
        // Another process may have set it.
        if self.file_size_limit() != NONE {
            self.signal_thread(SIGXFSZ);
        }
    }
}
