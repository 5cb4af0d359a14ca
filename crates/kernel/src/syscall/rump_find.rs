//! `rump_find(number, what)`: which process has this open file, and by which number?

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::FileId;
use abi::Errno;

/// The number is that of a host descriptor, and the server has put the file's in its place.
const SHARED: u64 = 0;

pub(crate) fn rump_find(cx: &mut Cx<'_>) -> Answer {
    let (file, what) = (FileId(cx.arg(0)), cx.arg(1));
    cx.kernel.files.get(file).map_err(|_| Errno::ENOENT)?;
    let (pid, fd) = match cx.holder(file) {
        Some(found) => found,
        // Those that have its host descriptor made no call with it yet. The server has seen whose it is.
        None if what == SHARED => (cx.call.pid, cx.process()?.fds.insert(file, false, 0)?),
        None => return Err(Errno::ENOENT.into()),
    };
    Ok(u64::from(pid.0) << 32 | u64::from(fd))
}
