//! lstat(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::stat::stat_path;
use vfs::Follow;

pub(crate) fn lstat(cx: &mut Cx<'_>) -> Answer {
    stat_path(cx, Follow::No)
}
