//! uname(2), sethostname(2), setdomainname(2): what they show and set are nodes of the sysctl tree, so `sysctl=yes` says whose they
//! are, as in NetBSD, where gethostname(3) and uname(3) are sysctl(3).

use super::{Answer, Call, Verdict, row_of};
use crate::Hijack;
use crate::world::World;

pub(super) fn names<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    if h.config.sysctl { h.rump(row_of(call.nr)?, call.args).map(Answer::Value) } else { Ok(Answer::Host) }
}
