//! Rules that say which routing table is looked at: `ip rule`. There are those that Linux starts with, and no others.

use super::super::wire::{Request, attribute};
use super::{Row, Serve};
use crate::Kernel;
use abi::raw::net::{AF_INET, AF_INET6, AF_UNSPEC};

// linux/rtnetlink.h
const RTM_NEWRULE: u16 = 32;
const RTM_GETRULE: u16 = 34;
// linux/fib_rules.h
const FRA_PRIORITY: u16 = 6;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_PROTOCOL: u16 = 21;
/// `FR_ACT_TO_TBL`.
const LOOK_IN_TABLE: u8 = 1;
/// `RTPROT_KERNEL`.
const KERNEL: u8 = 2;

/// Priority and table: local, main, default.
const RULES: [(u32, u8); 3] = [(0, 255), (32766, 254), (32767, 253)];

pub(super) const ROWS: &[Row] = &[Row(RTM_GETRULE, Serve::Get { reply: RTM_NEWRULE, all, one: None })];

fn all(_k: &Kernel, request: Request<'_>) -> Vec<Vec<u8>> {
    let wanted = u32::from(request.byte(0));
    let mut rules = Vec::new();
    for family in [AF_INET, AF_INET6].into_iter().filter(|family| wanted == AF_UNSPEC || wanted == *family) {
        // IPv6 has no table `default`.
        let count = if family == AF_INET6 { 2 } else { RULES.len() };
        rules.extend(RULES[..count].iter().map(|(priority, table)| body(family, *priority, *table)));
    }
    rules
}

/// A `struct fib_rule_hdr` with its attributes (net/core/fib_rules.c, fib_nl_fill_rule).
fn body(family: u32, priority: u32, table: u8) -> Vec<u8> {
    let mut bytes = vec![family.to_le_bytes()[0], 0, 0, 0, table, 0, 0, LOOK_IN_TABLE];
    bytes.extend_from_slice(&0_u32.to_ne_bytes());
    attribute(&mut bytes, FRA_TABLE, &u32::from(table).to_ne_bytes());
    attribute(&mut bytes, FRA_SUPPRESS_PREFIXLEN, &u32::MAX.to_ne_bytes());
    attribute(&mut bytes, FRA_PROTOCOL, &[KERNEL]);
    if priority != 0 {
        attribute(&mut bytes, FRA_PRIORITY, &priority.to_ne_bytes());
    }
    bytes
}
