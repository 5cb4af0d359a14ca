//! `rump_take(cookie)`: what pidfd_getfd(2) took out of another process was a lone file.

use crate::call::Answer;
use crate::cx::Cx;
use crate::effect::{NewFile, Pass};
use crate::file::FileId;
use abi::Errno;

/// The other process's descriptor stays a lone one, which its close(2) closes; the caller's is as long as its host descriptor.
pub(crate) fn rump_take(cx: &mut Cx<'_>) -> Answer {
    let file = FileId(cx.arg(0));
    cx.holder(file).ok_or(Errno::ENOENT)?;
    let kind = cx.kernel.files.get(file)?.ops.kind();
    let name = cx.kernel.files.name_again(file)?;
    let kfd = match cx.process()?.fds.insert(name, true, 0) {
        Ok(kfd) => kfd,
        Err(errno) => {
            cx.kernel.close_file(name);
            return Err(errno.into());
        }
    };
    cx.call.files.push(NewFile { file: name, kfd, kind, cloexec: true, put_at: 0, pass: Pass::Born });
    Ok(kfd.into())
}
