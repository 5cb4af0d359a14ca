//! inotify_rm_watch(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;

pub(crate) fn inotify_rm_watch(cx: &mut Cx<'_>) -> Answer {
    let object = cx.file(0)?.ops.inotify().ok_or(Errno::EINVAL)?;
    let number = cx.int(1);
    cx.kernel.unwatch(object, number)?;
    Ok(0)
}
