//! ppoll(2). Its signal mask is the client's business: the signals are the host's.

use super::poll::poll_for;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::layout::Timespec;

pub(crate) fn ppoll(cx: &mut Cx<'_>) -> Answer {
    let limit_ns = duration_ns(cx, cx.arg(2))?;
    poll_for(cx, limit_ns)
}

/// The `struct timespec` at `addr` in nanoseconds; a null pointer is no limit.
///
/// # Errors
/// `EINVAL`: out of range. `EFAULT`.
pub(super) fn duration_ns(cx: &Cx<'_>, addr: u64) -> Result<Option<u64>, Stop> {
    if addr == 0 {
        return Ok(None);
    }
    let time: Timespec = cx.get(addr)?;
    let sec = u64::try_from(time.tv_sec).map_err(|_| Errno::EINVAL)?;
    let ns = u64::try_from(time.tv_nsec).ok().filter(|ns| *ns < 1_000_000_000).ok_or(Errno::EINVAL)?;
    Ok(Some(sec.saturating_mul(1_000_000_000).saturating_add(ns)))
}
