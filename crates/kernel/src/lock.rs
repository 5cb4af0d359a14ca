//! Locks of fcntl(2): those of a process, and those of an open file.

use crate::call::{Answer, Stop, Wait};
use crate::cx::Cx;
use crate::file::OpenFile;
use crate::fs::Key;
use crate::process::{Descriptors, Pid};
use abi::Errno;
use abi::layout::Flock;
use abi::raw::general::{
    F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLKW, F_UNLCK, F_WRLCK, SEEK_CUR, SEEK_END,
    SEEK_SET,
};
use vfs::locks::{Owner, Range};

/// F_GETLK, F_SETLK, F_SETLKW and their F_OFD_ forms.
///
/// # Errors
/// As fcntl(2).
pub(crate) fn fcntl(cx: &mut Cx<'_>, file: &OpenFile, cmd: u32) -> Answer {
    let addr = cx.arg(2);
    let wanted: Flock = cx.get(addr)?;
    let key = file.lock_key();
    let of_file = matches!(cmd, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
    if of_file && wanted.l_pid != 0 {
        return Err(Errno::EINVAL.into());
    }
    let owner = if of_file { Owner::File(file.id.0) } else { Owner::Process(cx.call.pid.0) };
    let kind = u32::try_from(wanted.l_type).map_err(|_| Errno::EINVAL)?;
    let (start, last) = range(cx, file, &wanted)?;
    let range = Range { start, last, exclusive: kind == F_WRLCK, owner };
    if matches!(cmd, F_GETLK | F_OFD_GETLK) {
        return find(cx, key, kind, &range);
    }
    match kind {
        F_UNLCK => {
            if cx.kernel.fs.locks.unlock(key, &range)? {
                cx.kernel.lock_freed(key);
            }
            return Ok(0);
        }
        F_RDLCK => file.check_reads()?,
        F_WRLCK => file.check_writes()?,
        _ => return Err(Errno::EINVAL.into()),
    }
    set(cx, key, range, matches!(cmd, F_SETLKW | F_OFD_SETLKW))
}

/// First and last byte.
fn range(cx: &Cx<'_>, file: &OpenFile, wanted: &Flock) -> Result<(u64, u64), Stop> {
    let from = match u32::try_from(wanted.l_whence).map_err(|_| Errno::EINVAL)? {
        SEEK_SET => 0,
        SEEK_CUR => file.offset.get(),
        SEEK_END => match file.ops.location() {
            Some(at) => cx.kernel.fs.vfs.attr(at)?.size,
            None => 0,
        },
        _ => return Err(Errno::EINVAL.into()),
    };
    let start = from.cast_signed().checked_add(wanted.l_start).ok_or(Errno::EOVERFLOW)?;
    // A negative length reaches back (fcntl(2)); 0 reaches to the end of all files.
    let (start, last) = match wanted.l_len {
        0 => (start, None),
        len @ 1.. => (start, Some(start.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?)),
        len => (start.checked_add(len).ok_or(Errno::EINVAL)?, start.checked_sub(1)),
    };
    let start = u64::try_from(start).map_err(|_| Errno::EINVAL)?;
    let last = last.map_or(Ok(u64::MAX), u64::try_from).map_err(|_| Errno::EINVAL)?;
    Ok((start, last))
}

/// F_GETLK: describes the lock that stands against this one, or says that none does.
fn find(cx: &mut Cx<'_>, key: Key, kind: u32, range: &Range) -> Answer {
    if kind != F_RDLCK && kind != F_WRLCK {
        return Err(Errno::EINVAL.into());
    }
    let addr = cx.arg(2);
    let mut answer: Flock = cx.get(addr)?;
    match cx.kernel.fs.locks.against(key, range) {
        None => answer.l_type = narrow(F_UNLCK),
        Some(other) => {
            answer.l_type = narrow(if other.exclusive { F_WRLCK } else { F_RDLCK });
            answer.l_whence = narrow(SEEK_SET);
            answer.l_start = other.start.cast_signed();
            answer.l_len =
                if other.last == u64::MAX { 0 } else { (other.last - other.start + 1).cast_signed() };
            answer.l_pid = match other.owner {
                Owner::Process(pid) => shown_pid(cx, Pid(pid)),
                // fcntl(2): an open file's lock is nobody's.
                Owner::File(_) => -1,
            };
        }
    }
    cx.put(addr, &answer);
    Ok(0)
}

/// The number that the process's own getpid(2) answers.
fn shown_pid(cx: &Cx<'_>, pid: Pid) -> i32 {
    let number = match cx.kernel.processes.get(pid) {
        Ok(process) if process.descriptors == Descriptors::Weak => process.who.host_pid,
        _ => pid.0,
    };
    i32::try_from(number).unwrap_or(0)
}

fn narrow(constant: u32) -> i16 {
    i16::try_from(constant).unwrap_or(0)
}

fn set(cx: &mut Cx<'_>, key: Key, range: Range, waits: bool) -> Answer {
    match cx.kernel.fs.locks.lock(key, range) {
        Ok(()) => {
            if let Owner::Process(_) = range.owner {
                cx.process()?.locked.insert(key);
            }
            // It may have become a weaker one, which lets others in.
            cx.kernel.lock_freed(key);
            Ok(0)
        }
        Err(Errno::EAGAIN) if waits => {
            deadlock(cx, key, &range)?;
            cx.call.wanted_lock = Some((key, range));
            Err(wait(cx, key))
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Refuses a wait that would never end. Only processes' locks are looked at, as on Linux: whose an open file is nobody can say.
fn deadlock(cx: &Cx<'_>, key: Key, range: &Range) -> Result<(), Errno> {
    let waits = |owner| match owner {
        Owner::Process(pid) => cx.kernel.parked.wanted_locks(Pid(pid)),
        Owner::File(_) => Vec::new(),
    };
    let of_process = matches!(range.owner, Owner::Process(_));
    if of_process && cx.kernel.fs.locks.deadlocks(key, range, &waits) { Err(Errno::EDEADLK) } else { Ok(()) }
}

/// The call waits until a lock on the inode is given up.
pub(crate) fn wait(cx: &mut Cx<'_>, key: Key) -> Stop {
    let object = cx.kernel.lock_object(key);
    Stop::Wait(Wait { on: vec![object], until: None, restartable: true })
}
