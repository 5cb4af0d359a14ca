//! sethostname(2).

use crate::call::Answer;
use crate::cx::Cx;
use super::uname::given_name;

pub(crate) fn sethostname(cx: &mut Cx<'_>) -> Answer {
    cx.kernel.tunables.hostname = given_name(cx)?;
    Ok(0)
}
