//! `rump_watch(fd)`: drive the file's host descriptor from now on.

use crate::Effect;
use crate::call::Answer;
use crate::cx::Cx;

pub(crate) fn rump_watch(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    if !file.watched.replace(true) {
        let mask = file.ops.poll(cx.kernel);
        // Ahead of the reply: the client polls the host descriptor as soon as it is answered.
        cx.kernel.effects.push_back(Effect::Ready { file: file.id, mask, edge: false });
    }
    Ok(0)
}
