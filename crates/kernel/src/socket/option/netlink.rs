//! `SOL_NETLINK` (netlink(7)).

use super::{Row, Target, flag, own};
use crate::socket::Inbox;
use abi::Errno;

/// `SOL_NETLINK`.
pub(crate) const LEVEL: u32 = 270;

// linux/netlink.h
const NETLINK_ADD_MEMBERSHIP: u32 = 1;
const NETLINK_DROP_MEMBERSHIP: u32 = 2;
const NETLINK_PKTINFO: u32 = 3;
const NETLINK_BROADCAST_ERROR: u32 = 4;
const NETLINK_NO_ENOBUFS: u32 = 5;
const NETLINK_LISTEN_ALL_NSID: u32 = 8;
const NETLINK_LIST_MEMBERSHIPS: u32 = 9;
pub(crate) const NETLINK_CAP_ACK: u32 = 10;
pub(crate) const NETLINK_EXT_ACK: u32 = 11;
pub(crate) const NETLINK_GET_STRICT_CHK: u32 = 12;

pub(super) const ROWS: &[Row] = &[
    own(NETLINK_ADD_MEMBERSHIP, None, Some(|target, value| set_member(target, value, true))),
    own(NETLINK_DROP_MEMBERSHIP, None, Some(|target, value| set_member(target, value, false))),
    flag(NETLINK_PKTINFO),
    flag(NETLINK_BROADCAST_ERROR),
    flag(NETLINK_NO_ENOBUFS),
    // There is one network namespace.
    flag(NETLINK_LISTEN_ALL_NSID),
    own(
        NETLINK_LIST_MEMBERSHIPS,
        Some(|target| target.socket.inbox().map(Inbox::memberships).ok_or(Errno::ENOPROTOOPT)),
        None,
    ),
    flag(NETLINK_CAP_ACK),
    flag(NETLINK_EXT_ACK),
    flag(NETLINK_GET_STRICT_CHK),
];

/// Joins or leaves the group with this number.
fn set_member(target: &mut Target<'_>, value: &[u8], member: bool) -> Result<(), Errno> {
    let group = value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)?;
    target.socket.inbox().ok_or(Errno::ENOPROTOOPT)?.set_member(group, member)
}
