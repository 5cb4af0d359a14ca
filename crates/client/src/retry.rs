//! What happens when the connection to the rump kernel is lost (RUMPHIJACK_RETRYCONNECT, rumphijack(3)).

use crate::state::{Phase, Session};
use abi::Errno;

/// How often to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// Not at all: every later call fails with `ENOTCONN`.
    #[default]
    No,
    /// Once.
    Once,
    /// Exit with status 1.
    Die,
    /// For so many seconds.
    Seconds(u32),
    /// For ever.
    Inftime,
}

pub(crate) const SECOND_NS: u64 = 1_000_000_000;
/// A server that comes back is found soon, and one that stays away costs nothing.
const PAUSE_NS: u64 = SECOND_NS / 10;
/// A server that was reached and has said nothing by then is not back.
const ANSWER_NS: u64 = 10 * SECOND_NS;
/// "once on standard error, then each 2 minutes".
const REMIND_NS: u64 = 120 * SECOND_NS;
const LOST: &[u8] = b"rump_sp: connection to kernel lost, trying to reconnect ...\n";
const BACK: &[u8] = b"rump_sp: reconnected!\n";
const STDERR: u32 = 2;

impl Session {
    /// Makes a connection where one was lost, as the mode says. The time that it may take begins with the loss: a signal that
    /// ends a call's wait does not prolong it.
    ///
    /// # Errors
    /// `ENOTCONN`: there is none and will be none; `EINTR`: a signal came while trying.
    pub(crate) fn reconnect(&self) -> Result<(), Errno> {
        let now = host::monotonic_ns();
        let retry = self.state.lock().retry;
        let until = match retry {
            Retry::No => None,
            Retry::Die => host::exit_group(1),
            Retry::Once => Some(now),
            Retry::Seconds(seconds) => Some(now.saturating_add(u64::from(seconds) * SECOND_NS)),
            Retry::Inftime => Some(u64::MAX),
        };
        let until = until.map(|until| *self.state.lock().trying_until.get_or_insert(until));
        let back = until.map_or(Err(Errno::ENOTCONN), |until| self.try_until(until));
        if back != Err(Errno::EINTR) {
            let mut state = self.state.lock();
            state.trying_until = None;
            state.remind_at = 0;
            if back.is_err() {
                state.phase = Phase::Given;
            }
        }
        back
    }

    fn try_until(&self, until: u64) -> Result<(), Errno> {
        loop {
            let now = host::monotonic_ns();
            self.remind(now);
            if self.try_once(until.saturating_sub(now).clamp(SECOND_NS, ANSWER_NS))? {
                let _ = host::write(STDERR, BACK);
                return Ok(());
            }
            if now >= until {
                return Err(Errno::ENOTCONN);
            }
            self.pause(PAUSE_NS)?;
        }
    }

    /// Connects, and waits so long for the server to say what it is. Whether that was enough.
    fn try_once(&self, within_ns: u64) -> Result<bool, Errno> {
        match self.connect() {
            Ok(socket) => self.state.lock().phase = Phase::silent(socket),
            Err(Errno::EINTR) => return Err(Errno::EINTR),
            // Not that the server is away: this process may not connect any more. It has locked itself up (seccomp(2), Landlock, or as Firefox
            // by chroot(2) into a dead process's directory of /proc, where nothing has a name), and waiting does not help.
            Err(Errno::EPERM | Errno::EACCES | Errno::ENOSYS | Errno::ESRCH) => return Err(Errno::ENOTCONN),
            Err(_) => return Ok(false),
        }
        let answered = self.learn_banner(within_ns);
        let mut state = self.state.lock();
        let up = matches!(state.phase, Phase::Up { .. });
        if !up {
            self.lose(&mut state);
            state.phase = Phase::Lost;
        }
        if answered == Err(Errno::EINTR) { Err(Errno::EINTR) } else { Ok(up) }
    }

    fn remind(&self, now: u64) {
        let mut state = self.state.lock();
        if now >= state.remind_at {
            let _ = host::write(STDERR, LOST);
            state.remind_at = now + REMIND_NS;
        }
    }
}
