//! fsopen(2).

use super::mount::is_known;
use crate::call::Answer;
use crate::cx::Cx;
use crate::file::fscontext::{Context, FsContext, Phase};
use abi::Errno;
use abi::raw::general::{FSOPEN_CLOEXEC, O_RDWR};
use std::cell::RefCell;

pub(crate) fn fsopen(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(1);
    cx.check_rules()?;
    if flags & !FSOPEN_CLOEXEC != 0 {
        return Err(Errno::EINVAL.into());
    }
    let kind = cx.string(0)?;
    if !is_known(&kind) {
        return Err(Errno::ENODEV.into());
    }
    let context = Context::new(Phase::Parameters, kind);
    cx.install(Box::new(FsContext(RefCell::new(context))), O_RDWR, flags & FSOPEN_CLOEXEC != 0, 0)
}
