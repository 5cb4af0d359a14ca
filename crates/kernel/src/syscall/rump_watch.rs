//! `rump_watch(fd, what)`: drive the file's host descriptor from now on.

use crate::Effect;
use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileKind;
use abi::raw::general::{POLLHUP, POLLRDHUP};

/// `what`: of urgent data, too.
const URGENT: u64 = 1;

pub(crate) fn rump_watch(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let is_more = cx.arg(1) & URGENT != 0 && !file.tells_urgent.replace(true);
    if !file.watched.replace(true) || is_more {
        let mask = file.shown(cx.kernel);
        // Ahead of the reply: the client polls the host descriptor as soon as it is answered.
        cx.kernel.effects.push_back(Effect::Ready { file: file.id, mask, edge: false });
    }
    // A hang-up cannot be taken back at the host descriptor. So it has none as long as the socket may yet connect.
    let mask = u32::from(file.ops.poll(cx.kernel));
    let is_unseen = file.ops.kind() == FileKind::Socket && mask & (POLLHUP | POLLRDHUP) == POLLHUP;
    Ok(if is_unseen { POLLHUP.into() } else { 0 })
}
