//! getdents(2): as getdents64(2), with the type behind the name.

use super::getdents64::list;
use crate::call::Answer;
use crate::cx::Cx;

/// `offsetof(struct linux_dirent, d_name)`.
const NAME_AT: usize = 18;

pub(crate) fn getdents(cx: &mut Cx<'_>) -> Answer {
    list(cx, |cookie, ino, kind, name| {
        let length = (NAME_AT + name.len() + 2).next_multiple_of(8);
        let mut entry = Vec::with_capacity(length);
        entry.extend_from_slice(&ino.to_ne_bytes());
        entry.extend_from_slice(&cookie.to_ne_bytes());
        entry.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
        entry.extend_from_slice(name);
        entry.resize(length - 1, 0);
        entry.push(kind.d_type());
        entry
    })
}
