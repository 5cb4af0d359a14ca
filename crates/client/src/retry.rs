//! What happens when the connection to the rump kernel is lost (RUMPHIJACK_RETRYCONNECT, rumphijack(3)).

use crate::state::{Phase, Session, State};
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

const SECOND_NS: u64 = 1_000_000_000;
/// A server that comes back is found soon, and one that stays away costs nothing.
const PAUSE_NS: u64 = SECOND_NS / 10;
/// "once on standard error, then each 2 minutes".
const REMIND_NS: u64 = 120 * SECOND_NS;
const LOST: &[u8] = b"rump_sp: connection to kernel lost, trying to reconnect ...\n";
const BACK: &[u8] = b"rump_sp: reconnected!\n";
const STDERR: u32 = 2;

impl Session {
    /// Makes a connection where one was lost, as the mode says.
    ///
    /// # Errors
    /// `ENOTCONN`: there is none and will be none by this call; `EINTR`: a signal came while trying.
    pub(crate) fn reconnect(&self, state: &mut State) -> Result<(), Errno> {
        let until = match self.options.retry {
            Retry::No => None,
            Retry::Die => host::exit_group(1),
            Retry::Once => Some(0),
            Retry::Seconds(seconds) => Some(host::monotonic_ns() + u64::from(seconds) * SECOND_NS),
            Retry::Inftime => Some(u64::MAX),
        };
        let back = match until {
            Some(until) => self.try_until(state, until),
            None => Err(Errno::ENOTCONN),
        };
        if back == Err(Errno::ENOTCONN) {
            state.phase = Phase::Given;
        }
        back
    }

    fn try_until(&self, state: &mut State, until: u64) -> Result<(), Errno> {
        let mut remind = 0;
        loop {
            let now = host::monotonic_ns();
            if now >= remind {
                let _ = host::write(STDERR, LOST);
                remind = now + REMIND_NS;
            }
            if self.open(state).is_ok() {
                let _ = host::write(STDERR, BACK);
                return Ok(());
            }
            if now >= until {
                return Err(Errno::ENOTCONN);
            }
            host::sleep_ns(PAUSE_NS)?;
        }
    }
}
