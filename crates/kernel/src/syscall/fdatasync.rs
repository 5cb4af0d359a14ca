//! fdatasync(2), as fsync(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::fsync::fsync;

pub(crate) fn fdatasync(cx: &mut Cx<'_>) -> Answer {
    fsync(cx)
}
