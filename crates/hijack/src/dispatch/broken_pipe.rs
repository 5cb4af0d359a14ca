//! SIGPIPE: for the thread that wrote (pipe(7), send(2)), while what the server sends by itself any thread may read.

use super::row_of;
use crate::Hijack;
use crate::fds::RumpFd;
use crate::world::{Args, Outcome, World};
use abi::raw::net::{MSG_NOSIGNAL, SO_TYPE, SOCK_DGRAM, SOL_SOCKET};
use abi::table::Row;
use abi::{Errno, nr};

/// signal(7)
const SIGPIPE: u64 = 13;

impl<W: World> Hijack<W> {
    /// Sends the calling thread the signal that goes with this call's error, if one does.
    pub(crate) fn signal_broken_pipe(&self, row: &'static Row, args: &Args, rump: RumpFd, result: &Outcome) {
        if *result != Err(Errno::EPIPE) || is_quiet(row, args) || self.is_datagram(rump) {
            return;
        }
        self.signal_thread(SIGPIPE);
    }

    /// Sends the calling thread a signal.
    pub(super) fn signal_thread(&self, signo: u64) {
        let ids = (self.world.host(nr::GETPID, [0; 6]), self.world.host(nr::GETTID, [0; 6]));
        if let (Ok(pid), Ok(tid)) = ids {
            let _ = self.world.host(nr::TGKILL, [pid, tid, signo, 0, 0, 0]);
        }
    }

    /// Datagrams only fail (net/unix/af_unix.c, unix_dgram_sendmsg).
    fn is_datagram(&self, rump: RumpFd) -> bool {
        if !rump.kind.is_socket() {
            return false;
        }
        let (mut kind, mut length) = (0_u32, size_of::<u32>() as u32);
        let (kind_at, length_at) = ((&raw mut kind) as u64, (&raw mut length) as u64);
        let args = [rump.kernel_fd.0.into(), SOL_SOCKET.into(), SO_TYPE.into(), kind_at, length_at, 0];
        let asked = row_of(nr::GETSOCKOPT).and_then(|row| self.rump(row, args));
        asked.is_ok() && kind == SOCK_DGRAM
    }
}

/// Whether the call asked for no signal (send(2), MSG_NOSIGNAL), or moves nothing.
fn is_quiet(row: &'static Row, args: &Args) -> bool {
    let flags = match row.nr {
        nr::SENDMSG => args[2],
        nr::SENDTO | nr::SENDMMSG => args[3],
        nr::WRITE | nr::WRITEV | nr::PWRITE64 | nr::PWRITEV | nr::PWRITEV2 => 0,
        _ => return true,
    };
    flags & u64::from(MSG_NOSIGNAL) != 0
}
