//! Numbers that a network namespace has for others: `ip monitor` and `ip netns` ask for those of all that have names on the host. Here
//! no namespace has one.

use super::super::wire::{Refusal, Request, attribute};
use super::{Row, Serve};
use crate::Kernel;
use abi::Errno;

// linux/rtnetlink.h
const RTM_NEWNSID: u16 = 88;
const RTM_GETNSID: u16 = 90;
/// `struct rtgenmsg`, aligned.
const RTGENMSG: usize = 4;
// linux/net_namespace.h
const NETNSA_NSID: u16 = 1;
const NETNSA_PID: u16 = 2;
const NETNSA_FD: u16 = 3;
const NETNSA_NSID_NOT_ASSIGNED: i32 = -1;

pub(super) const ROWS: &[Row] =
    &[Row(RTM_GETNSID, Serve::Get { reply: RTM_NEWNSID, all: |_, _| Ok(Vec::new().into()), one: Some(one) })];

/// A namespace is named by a process in it or a descriptor of it (net/core/net_namespace.c, rtnl_net_getid).
fn one(_k: &Kernel, request: Request<'_>) -> Result<Vec<u8>, Refusal> {
    let attributes = request.attributes(RTGENMSG);
    if attributes.get(NETNSA_PID).or(attributes.get(NETNSA_FD)).is_none() {
        return Err(Errno::EINVAL.into());
    }
    let mut bytes = vec![0; RTGENMSG];
    attribute(&mut bytes, NETNSA_NSID, &NETNSA_NSID_NOT_ASSIGNED.to_ne_bytes());
    Ok(bytes)
}
