//! quotactl_fd(2): of file systems without quotas.

use crate::call::Answer;
use crate::cx::Cx;
use abi::Errno;

pub(crate) fn quotactl_fd(cx: &mut Cx<'_>) -> Answer {
    cx.any_file(0)?;
    Err(Errno::ESRCH.into())
}
