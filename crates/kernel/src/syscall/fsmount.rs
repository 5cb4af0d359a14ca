//! fsmount(2): a mount of what fsconfig(2) has made, which move_mount(2) puts into the tree.

use super::mount::{one_more, shown};
use super::mount_setattr::flags_of;
use crate::call::Answer;
use crate::cx::Cx;
use crate::file::fscontext::Phase;
use crate::file::mounted::Mounted;
use abi::Errno;
use abi::raw::general::{FSMOUNT_CLOEXEC, O_PATH};
use vfs::MountFlags;

pub(crate) fn fsmount(cx: &mut Cx<'_>) -> Answer {
    let (flags, attributes) = (cx.uint(1), cx.uint(2));
    cx.check_rules()?;
    if flags & !FSMOUNT_CLOEXEC != 0 {
        return Err(Errno::EINVAL.into());
    }
    let ms = flags_of(attributes.into()).ok_or(Errno::EINVAL)?;
    let file = cx.file(0)?;
    let mut context = file.ops.fs_context().ok_or(Errno::EINVAL)?.borrow_mut();
    match context.phase {
        Phase::Created(_) => {}
        Phase::Mounted(_) => return Err(Errno::EBUSY.into()),
        Phase::Parameters | Phase::Failed => return Err(Errno::EINVAL.into()),
    }
    one_more(cx)?;
    let Phase::Created(fs) = std::mem::replace(&mut context.phase, Phase::Failed) else {
        return Err(Errno::EINVAL.into());
    };
    let vfs = &mut cx.kernel.fs.vfs;
    let root = vfs.mount_nowhere(fs, &shown(&context.source), MountFlags::new(ms))?;
    if context.read_only == Some(true) {
        vfs.reconfigure(root, b"", Some(true))?;
    }
    // One for the descriptor, and one for the context, which can change it further.
    vfs.hold(root, true);
    vfs.hold(root, true);
    context.phase = Phase::Mounted(root);
    (context.options, context.read_only) = (Vec::new(), None);
    drop(context);
    cx.install(Box::new(Mounted::new(root)), O_PATH, flags & FSMOUNT_CLOEXEC != 0, 0)
}
