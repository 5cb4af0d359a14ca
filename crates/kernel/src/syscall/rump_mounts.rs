//! `rump_mounts(prefix, len, list, flags)`: opens the list of mounts with a prefix before their directories.

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::made::Made;
use crate::proc::text::mounts::{mountinfo, mounts};
use abi::Errno;
use abi::raw::general::{O_CLOEXEC, O_PATH, O_ACCMODE, O_RDONLY};
use vfs::{Follow, Start};

/// Longer prefixes are no paths (`PATH_MAX`).
const PREFIX_MAX: u64 = 4096;

pub(crate) fn rump_mounts(cx: &mut Cx<'_>) -> Answer {
    let (addr, len, flags) = (cx.arg(0), cx.arg(1), cx.uint(3));
    if len > PREFIX_MAX || flags & O_PATH != 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags & O_ACCMODE != O_RDONLY {
        return Err(Errno::EACCES.into());
    }
    let prefix = cx.call.mem.read(addr, len)?.to_vec();
    let (path, text): (&[u8], _) = match cx.int(2) {
        0 => (b"/proc/self/mounts", mounts(cx.kernel, cx.kernel.processes.get(cx.call.pid)?, &prefix)),
        1 => (b"/proc/self/mountinfo", mountinfo(cx.kernel, cx.kernel.processes.get(cx.call.pid)?, &prefix)),
        _ => return Err(Errno::EINVAL.into()),
    };
    let root = cx.process()?.root();
    let tree = cx.tree()?;
    let at = tree.vfs.lookup(&tree.who, Start { root, dir: root }, path, Follow::Yes)?;
    cx.kernel.fs.vfs.hold(at, true);
    cx.install(Box::new(Made { at, bytes: text }), flags & !O_CLOEXEC, flags & O_CLOEXEC != 0, 0)
}
