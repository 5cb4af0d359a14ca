//! `SOL_NETLINK` (netlink(7)).

use super::{Row, flag, own};

/// `SOL_NETLINK`.
pub(super) const LEVEL: u32 = 270;

// linux/netlink.h
const NETLINK_ADD_MEMBERSHIP: u32 = 1;
const NETLINK_DROP_MEMBERSHIP: u32 = 2;
const NETLINK_PKTINFO: u32 = 3;
const NETLINK_BROADCAST_ERROR: u32 = 4;
const NETLINK_NO_ENOBUFS: u32 = 5;
const NETLINK_CAP_ACK: u32 = 10;
const NETLINK_EXT_ACK: u32 = 11;
const NETLINK_GET_STRICT_CHK: u32 = 12;

pub(super) const ROWS: &[Row] = &[
    // Nothing here ever changes: a member of a group has nothing to hear.
    own(NETLINK_ADD_MEMBERSHIP, None, Some(|_, _| Ok(()))),
    own(NETLINK_DROP_MEMBERSHIP, None, Some(|_, _| Ok(()))),
    flag(NETLINK_PKTINFO),
    flag(NETLINK_BROADCAST_ERROR),
    flag(NETLINK_NO_ENOBUFS),
    flag(NETLINK_CAP_ACK),
    flag(NETLINK_EXT_ACK),
    flag(NETLINK_GET_STRICT_CHK),
];
