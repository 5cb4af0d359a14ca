//! `rump_share(fd)`: a host descriptor for a file that was its process's alone.

use crate::call::Answer;
use crate::cx::Cx;
use crate::effect::{NewFile, Pass};
use abi::Errno;

pub(crate) fn rump_share(cx: &mut Cx<'_>) -> Answer {
    let kfd = cx.uint(0);
    let fds = &mut cx.process()?.fds;
    if !fds.is_lone(kfd)? {
        return Err(Errno::EALREADY.into());
    }
    fds.set_lone(kfd, false)?;
    let (file, cloexec) = (fds.get(kfd)?, fds.cloexec(kfd)?);
    let kind = cx.kernel.files.get(file)?.ops.kind();
    cx.call.files.push(NewFile { file, kfd, kind, cloexec, put_at: 0, pass: Pass::Born });
    Ok(0)
}
