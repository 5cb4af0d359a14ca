//! mount(2). What can be mounted is a new tmpfs.

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;
use abi::raw::general::{
    MS_BIND, MS_MOVE, MS_PRIVATE, MS_REMOUNT, MS_SHARED, MS_SLAVE, MS_UNBINDABLE,
};
use vfs::Follow;
use vfs::tmpfs::Tmpfs;

/// What a tmpfs holds unless `size=` says otherwise.
const SIZE: u64 = 1 << 30;
/// Flags that change what is mounted already, or how mounts see each other: there is nothing of that here.
const OTHER_OPERATIONS: u32 = MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

pub(crate) fn mount(cx: &mut Cx<'_>) -> Answer {
    let source = if cx.arg(0) == 0 { b"none".to_vec() } else { cx.string(0)? };
    let flags = cx.uint(3);
    if flags & OTHER_OPERATIONS == 0 && cx.arg(2) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let kind = if cx.arg(2) == 0 { Vec::new() } else { cx.string(2)? };
    let options = if cx.arg(4) == 0 { Vec::new() } else { cx.string(4)? };
    let at = cx.lookup(None, 1, Follow::Yes)?;
    if cx.process()?.who.uid != 0 {
        return Err(Errno::EPERM.into());
    }
    if flags & OTHER_OPERATIONS != 0 {
        return Err(Errno::EINVAL.into());
    }
    if kind != b"tmpfs" {
        return Err(Errno::ENODEV.into());
    }
    let size = size(&options)?;
    if cx.kernel.fs.vfs.mount_count() >= cx.kernel.tunables.mount_max {
        return Err(Errno::ENOSPC.into());
    }
    let tree = cx.tree()?;
    // Names with a tab or newline would break the table of mounts.
    let source = String::from_utf8_lossy(&source).replace(char::is_whitespace, "?");
    tree.vfs.mount(Box::new(Tmpfs::new(size, tree.now)), at, &source)?;
    Ok(0)
}

/// What `size=` says, as tmpfs(5): bytes, or with k, m, g. Other options are refused.
fn size(options: &[u8]) -> Result<u64, Errno> {
    let mut size = SIZE;
    for option in options.split(|byte| *byte == b',').filter(|option| !option.is_empty()) {
        let text = option.strip_prefix(b"size=").and_then(|text| std::str::from_utf8(text).ok());
        let text = text.ok_or(Errno::EINVAL)?;
        let (digits, shift) = match text.as_bytes().last() {
            Some(b'k' | b'K') => (&text[..text.len() - 1], 10),
            Some(b'm' | b'M') => (&text[..text.len() - 1], 20),
            Some(b'g' | b'G') => (&text[..text.len() - 1], 30),
            _ => (text, 0),
        };
        let number: u64 = digits.parse().map_err(|_| Errno::EINVAL)?;
        size = number.checked_mul(1 << shift).ok_or(Errno::EINVAL)?;
    }
    Ok(size)
}
