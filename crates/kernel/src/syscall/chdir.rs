//! chdir(2).

use crate::call::Answer;
use crate::cx::Cx;
use crate::call::Stop;
use abi::Errno;
use abi::raw::general::X_OK;
use vfs::{Follow, Kind, Location};

pub(crate) fn chdir(cx: &mut Cx<'_>) -> Answer {
    let at = cx.lookup(None, 0, Follow::Yes)?;
    enter(cx, at)
}

/// Makes a directory the working directory.
pub(super) fn enter(cx: &mut Cx<'_>, at: Location) -> Answer {
    check_directory(cx, at)?;
    let before = cx.process()?.set_cwd(at);
    cx.kernel.fs.vfs.hold(at, true);
    cx.kernel.fs.vfs.hold(before, false);
    Ok(0)
}

/// # Errors
/// `ENOTDIR`. `EACCES`: it may not be searched.
pub(super) fn check_directory(cx: &mut Cx<'_>, at: Location) -> Result<(), Stop> {
    let tree = cx.tree()?;
    if tree.vfs.attr(at)?.kind != Kind::Directory {
        return Err(Errno::ENOTDIR.into());
    }
    Ok(tree.vfs.access(&tree.who, at, X_OK)?)
}
