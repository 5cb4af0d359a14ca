//! fcntl(2).

use super::dup::duplicate;
use crate::call::Answer;
use crate::cx::Cx;
use crate::file::{FileKind, OpenFile};
use crate::lock;
use abi::Errno;
use abi::raw::general::*;

/// `F_LINUX_SPECIFIC_BASE + 7` and `+ 8` (linux/fcntl.h).
const SETPIPE_SZ: u32 = 1031;
const GETPIPE_SZ: u32 = 1032;

/// What F_SETFL can change.
const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC;

pub(crate) fn fcntl(cx: &mut Cx<'_>) -> Answer {
    let file = cx.any_file(0)?;
    let (fd, cmd, arg) = (cx.uint(0), cx.uint(1), cx.uint(2));
    match cmd {
        F_DUPFD => duplicate(cx, &file, arg, false),
        F_DUPFD_CLOEXEC => duplicate(cx, &file, arg, true),
        F_GETFD => Ok(u64::from(cx.process()?.fds.cloexec(fd)?)),
        F_SETFD => {
            cx.process()?.fds.set_cloexec(fd, arg & FD_CLOEXEC != 0)?;
            Ok(0)
        }
        F_GETFL => Ok(u64::from(file.flags.get())),
        // All that an O_PATH descriptor is good for was above (open(2)).
        _ if file.ops.kind() == FileKind::Path => Err(Errno::EBADF.into()),
        F_GETLK | F_SETLK | F_SETLKW | F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW => lock::fcntl(cx, &file, cmd),
        F_SETFL => {
            // Files of the tree have nobody to tell (fs/fcntl.c, setfl: without `fasync` the flag stays away).
            let tells = !matches!(file.ops.kind(), FileKind::Regular | FileKind::Directory);
            let arg = if tells { arg } else { arg & !FASYNC };
            let kept = file.flags.get() & !CHANGEABLE;
            file.flags.set(kept | (arg & CHANGEABLE));
            Ok(0)
        }
        F_SETOWN | F_GETOWN | F_SETOWN_EX | F_GETOWN_EX => owner(cx, &file, cmd),
        // There are none.
        F_GETLEASE => Ok(u64::from(F_UNLCK)),
        F_NOTIFY if file.ops.kind() != FileKind::Directory => Err(Errno::ENOTDIR.into()),
        // Notifications, of which there are none, end; others are refused as by a kernel that is built without them.
        F_NOTIFY if arg & !DN_MULTISHOT == 0 => Ok(0),
        SETPIPE_SZ => {
            let end = file.ops.pipe().ok_or(Errno::EBADF)?;
            Ok(end.set_capacity(cx.kernel, arg as usize)? as u64)
        }
        GETPIPE_SZ => Ok(file.ops.pipe().ok_or(Errno::EBADF)?.capacity() as u64),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Who gets SIGIO. A group is a negative number, as F_SETOWN takes it.
fn owner(cx: &mut Cx<'_>, file: &OpenFile, cmd: u32) -> Answer {
    const GROUP: i32 = 2;
    let addr = cx.arg(2);
    match cmd {
        F_SETOWN => cx.set_owner(file, cx.int(2)),
        // The library's wrapper makes an error of a small negative value; Linux answers it all the same.
        F_GETOWN => return Ok(i64::from(file.owner.get()).cast_unsigned()),
        F_SETOWN_EX => {
            let [kind, number]: [i32; 2] = cx.get(addr)?;
            let owner = match kind {
                0 | 1 => number,
                GROUP => number.checked_neg().ok_or(Errno::EINVAL)?,
                _ => return Err(Errno::EINVAL.into()),
            };
            cx.set_owner(file, owner);
        }
        _ => {
            let number = file.owner.get();
            let kind = if number < 0 { GROUP } else { 1 };
            cx.put(addr, &[kind, number.saturating_abs()]);
        }
    }
    Ok(0)
}
