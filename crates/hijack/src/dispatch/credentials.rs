//! setuid(2) and its kin: the host changes who the process is, and the rump kernel is shown.
//!
//! To believe a program's word would give the rump kernel to whoever takes over a daemon that has dropped its rights. So it is shown
//! a socket made after the change, of which the host tells whose it is (`SO_PEERCRED`, unix(7)).

use super::{Answer, Call, Verdict};
use crate::Hijack;
use crate::world::World;
use abi::raw::general::O_CLOEXEC;
use abi::raw::net::{AF_UNIX, SOCK_STREAM};
use abi::{Errno, nr, private, table};

pub(super) fn change<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    h.world.connect_early();
    let value = h.world.host(call.nr, call.args)?;
    // The host has credentials per thread, and the C library changes those of all (nptl(7)); the rump kernel has the process's,
    // which are its first thread's.
    let is_first = h.world.host(nr::GETTID, [0; 6]) == h.world.host(nr::GETPID, [0; 6]);
    if h.world.is_connected() && (is_first || h.world.in_vfork_child()) {
        // What cannot be shown must not pass for a drop of rights; EAGAIN is setuid(2)'s own word for 'not now'.
        h.show_credentials().map_err(|_| Errno::EAGAIN)?;
    }
    Ok(Answer::Value(value))
}

impl<W: World> Hijack<W> {
    fn show_credentials(&self) -> Result<(), Errno> {
        let mut pair = [0u32; 2];
        let kind = u64::from(SOCK_STREAM | O_CLOEXEC);
        let made = self.world.host(nr::SOCKETPAIR, [AF_UNIX.into(), kind, 0, (&raw mut pair) as u64, 0, 0]);
        if made.is_err() {
            // Daemons give up descriptors (RLIMIT_NOFILE) before their rights. So the server looks at who sends.
            self.tell_credentials(1, &[])?;
            return self.tell_credentials(2, &[]);
        }
        let [shown, other] = pair;
        let told = self.tell_credentials(0, &[shown]);
        self.close_quietly(shown);
        self.close_quietly(other);
        told
    }

    fn tell_credentials(&self, how: u64, passed: &[u32]) -> Result<(), Errno> {
        let row = table::lookup(private::CREDENTIALS).ok_or(Errno::ENOSYS)?;
        self.world.rump(row, [how, 0, 0, 0, 0, 0], passed)?.result.map(drop)
    }
}
