//! Times of files as calls give them: timespecs, timevals, seconds.

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::layout::{Timespec, Timeval};
use vfs::{Location, SetTime};

const SECOND_NS: i64 = 1_000_000_000;
const MICROSECOND_NS: i64 = 1_000;
/// `UTIME_NOW`, `UTIME_OMIT` (linux/stat.h).
const NOW: i64 = (1 << 30) - 1;
const OMIT: i64 = (1 << 30) - 2;

/// Access and modification time to be set.
pub(crate) type Times = [SetTime; 2];

/// Two timespecs in the caller's memory; a null pointer: the current time.
///
/// # Errors
/// `EINVAL`, `EFAULT`.
pub(crate) fn timespecs(cx: &Cx<'_>, addr: u64) -> Result<Times, Stop> {
    if addr == 0 {
        return Ok([SetTime::Now; 2]);
    }
    let [atime, mtime]: [Timespec; 2] = cx.get(addr)?;
    Ok([timespec(atime)?, timespec(mtime)?])
}

/// Two timevals.
///
/// # Errors
/// As [`timespecs`].
pub(crate) fn timevals(cx: &Cx<'_>, addr: u64) -> Result<Times, Stop> {
    if addr == 0 {
        return Ok([SetTime::Now; 2]);
    }
    let [atime, mtime]: [Timeval; 2] = cx.get(addr)?;
    let time = |time: Timeval| match time.tv_usec {
        0..1_000_000 => Ok(point(time.tv_sec, time.tv_usec * MICROSECOND_NS)),
        _ => Err(Errno::EINVAL),
    };
    Ok([time(atime)?, time(mtime)?])
}

/// Two numbers of seconds (`struct utimbuf`).
///
/// # Errors
/// `EFAULT`.
pub(crate) fn seconds(cx: &Cx<'_>, addr: u64) -> Result<Times, Stop> {
    if addr == 0 {
        return Ok([SetTime::Now; 2]);
    }
    let [atime, mtime]: [i64; 2] = cx.get(addr)?;
    Ok([point(atime, 0), point(mtime, 0)])
}

/// Sets the times of something in the tree.
///
/// # Errors
/// As utimensat(2).
pub(crate) fn set(cx: &mut Cx<'_>, at: Location, [atime, mtime]: Times) -> Answer {
    let tree = cx.tree()?;
    tree.vfs.utimens(&tree.who, at, atime, mtime, tree.now)?;
    Ok(0)
}

fn timespec(time: Timespec) -> Result<SetTime, Errno> {
    match time.tv_nsec {
        NOW => Ok(SetTime::Now),
        OMIT => Ok(SetTime::Omit),
        0..SECOND_NS => Ok(point(time.tv_sec, time.tv_nsec)),
        _ => Err(Errno::EINVAL),
    }
}

/// Times before 1970 or after 2554 are clamped, as file systems with a narrower range do.
fn point(seconds: i64, ns: i64) -> SetTime {
    let time = i128::from(seconds) * i128::from(SECOND_NS) + i128::from(ns);
    SetTime::To(u64::try_from(time.max(0)).unwrap_or(u64::MAX))
}
