//! getcwd(2).

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;

/// Answers the length with its NUL.
pub(crate) fn getcwd(cx: &mut Cx<'_>) -> Answer {
    let process = cx.process()?;
    let (root, cwd) = (process.root(), process.cwd());
    let vfs = &cx.kernel.fs.vfs;
    let mut path = match vfs.path_of(root, cwd) {
        // Not below the root, as getcwd(2) has it of the system call.
        Err(Errno::ENOENT) => [b"(unreachable)", vfs.path_of(vfs.root(), cwd)?.as_slice()].concat(),
        path => path?,
    };
    path.push(0);
    let len = path.len() as u64;
    if len > cx.arg(1) {
        return Err(Errno::ERANGE.into());
    }
    cx.call.mem.write(cx.arg(0), path);
    Ok(len)
}
