//! getcwd(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;

/// Answers the length with its NUL.
pub(crate) fn getcwd(cx: &mut Cx<'_>) -> Answer {
    let process = cx.process()?;
    let (root, cwd) = (process.root(), process.cwd());
    let mut path = cx.kernel.fs.vfs.path_of(root, cwd)?;
    path.push(0);
    let len = path.len() as u64;
    if len > cx.arg(1) {
        return Err(Errno::ERANGE.into());
    }
    cx.call.mem.write(cx.arg(0), path);
    Ok(len)
}
