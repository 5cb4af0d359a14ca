//! `rump_inotify(flags)`: inotify_init1(2). The library asks when a file of this kernel is to be watched.

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::inotify::InotifyFile;
use abi::Errno;
use abi::raw::general::{IN_CLOEXEC, IN_NONBLOCK, O_RDONLY};

pub(crate) fn rump_inotify(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(0);
    if flags & !(IN_CLOEXEC | IN_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let object = cx.kernel.new_inotify()?;
    let status = O_RDONLY | flags & IN_NONBLOCK;
    cx.install_on(Box::new(InotifyFile(object)), status, flags & IN_CLOEXEC != 0, 0, object)
}
