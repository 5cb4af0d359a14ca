//! `rump_identify(cookie)`: which file is behind this host descriptor?

use crate::call::Answer;
use crate::cx::Cx;
use crate::effect::{NewFile, Pass};
use crate::file::FileId;
use crate::process::Descriptors;
use abi::Errno;

/// The server has put the file's name in the place of the cookie, which it alone can tell.
pub(crate) fn rump_identify(cx: &mut Cx<'_>) -> Answer {
    let id = FileId(cx.arg(0));
    let kind = cx.kernel.files.get(id).map_err(|_| Errno::ENOENT)?.ops.kind();
    let process = cx.process()?;
    let weak = process.descriptors == Descriptors::Weak;
    let kfd = match process.fds.find(id) {
        Some(known) => known,
        None => {
            let entered = process.fds.insert(id, false, 0)?;
            if !weak {
                cx.kernel.files.retain(id);
            }
            entered
        }
    };
    if weak {
        let pass = Pass::Nothing;
        cx.call.files.push(NewFile { file: id, kfd, kind, cloexec: false, put_at: 0, pass });
    }
    Ok(kfd.into())
}
