//! `IPPROTO_UDP` (udp(7)).

use super::{Row, Value};
use abi::raw::net::IPPROTO_UDP;
use tcpip::Opt;

/// `SOL_UDP`.
pub(crate) const LEVEL: u32 = IPPROTO_UDP as u32;
/// linux/udp.h; also the type of the control message.
pub(crate) const UDP_SEGMENT: u32 = 103;
/// linux/udp.h; also the type of the control message.
pub(crate) const UDP_GRO: u32 = 104;

pub(super) const ROWS: &[Row] = &[
    Row {
        name: UDP_SEGMENT,
        value: Value::Int {
            default: 0,
            min: 0,
            max: u16::MAX as i32,
            stack: Some(|size| Opt::UdpSegment(u16::try_from(size).unwrap_or(0))),
        },
    },
    Row { name: UDP_GRO, value: Value::Flag { default: false, stack: Some(Opt::UdpGro) } },
];
