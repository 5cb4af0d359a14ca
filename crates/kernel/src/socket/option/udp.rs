//! `IPPROTO_UDP` (udp(7)).

use super::{Row, Target, Value, int_bytes, number, own};
use abi::Errno;
use abi::raw::net::IPPROTO_UDP;
use tcpip::Opt;

/// `SOL_UDP`.
pub(crate) const LEVEL: u32 = IPPROTO_UDP as u32;
/// linux/udp.h.
pub(crate) const UDP_CORK: u32 = 1;
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
    own(UDP_CORK, Some(cork), Some(set_cork)),
    Row { name: UDP_GRO, value: Value::Flag { default: false, stack: Some(Opt::UdpGro) } },
];

fn cork(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    Ok(int_bytes(i32::from(target.common().flag(LEVEL, UDP_CORK))))
}

fn set_cork(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let on = number((LEVEL, UDP_CORK), value)? != 0;
    target.common().remember(LEVEL, UDP_CORK, i32::from(on));
    if !on {
        target.socket.uncork(target.k);
    }
    Ok(())
}
