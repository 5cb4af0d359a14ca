//! chroot(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::chdir::check_directory;
use vfs::Follow;

pub(crate) fn chroot(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::Yes)?;
    check_directory(cx, at)?;
    cx.check_rules()?;
    let process = cx.process()?;
    let before = process.set_root(at);
    cx.kernel.fs.vfs.hold(at, true);
    cx.kernel.fs.vfs.hold(before, false);
    Ok(0)
}
