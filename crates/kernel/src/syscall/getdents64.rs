//! getdents64(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::FileKind;
use abi::Errno;
use abi::raw::general::IN_ACCESS;
use vfs::{Ino, Kind};

/// The most that one call answers; a program asks again.
const ROOM_MAX: usize = 64 << 10;

/// `offsetof(struct linux_dirent64, d_name)`.
const NAME_AT: usize = 19;

pub(crate) fn getdents64(cx: &mut Cx<'_>) -> Answer {
    list(cx, |cookie, ino, kind, name| {
        let length = (NAME_AT + name.len() + 1).next_multiple_of(8);
        let mut entry = Vec::with_capacity(length);
        entry.extend_from_slice(&ino.to_ne_bytes());
        entry.extend_from_slice(&cookie.to_ne_bytes());
        entry.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        entry.push(kind.d_type());
        entry.extend_from_slice(name);
        entry.resize(length, 0);
        entry
    })
}

/// Answers as many entries, in the form that `encode` gives them, as the caller's buffer holds.
pub(super) fn list(cx: &mut Cx<'_>, encode: fn(u64, Ino, Kind, &[u8]) -> Vec<u8>) -> Answer {
    let file = cx.file(0)?;
    let at = file.ops.location().filter(|_| file.ops.kind() == FileKind::Directory).ok_or(Errno::ENOTDIR)?;
    let room = cx.uint(2) as usize;
    let room = room.min(ROOM_MAX);
    let (mut entries, mut last, mut left) = (Vec::new(), file.offset.get(), false);
    cx.kernel.fs.vfs.read_dir(at, last, &mut |cookie, ino, kind, name| {
        let entry = encode(cookie, ino, kind, name);
        left = entries.len() + entry.len() > room;
        if !left {
            entries.extend_from_slice(&entry);
            last = cookie;
        }
        !left
    })?;
    if entries.is_empty() && left {
        return Err(Stop::Errno(Errno::EINVAL));
    }
    let now = cx.kernel.now.real_ns;
    cx.kernel.fs.vfs.touch(at, now)?;
    if !entries.is_empty() {
        cx.kernel.fs.vfs.tell(at, None, IN_ACCESS);
    }
    file.offset.set(last);
    let moved = entries.len() as u64;
    cx.call.mem.write(cx.arg(1), entries);
    Ok(moved)
}
