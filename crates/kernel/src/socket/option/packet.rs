//! `SOL_PACKET` (packet(7)). Frames are received by calls; the ring in shared memory (`PACKET_RX_RING`) is refused.

use super::{Row, Target, flag, int_bytes, own};
use crate::socket::packet::{PACKET_AUXDATA, SOL_PACKET};
use abi::Errno;
use tcpip::LinkId;

pub(super) const LEVEL: u32 = SOL_PACKET;

const PACKET_ADD_MEMBERSHIP: u32 = 1;
const PACKET_DROP_MEMBERSHIP: u32 = 2;
const PACKET_STATISTICS: u32 = 6;
/// `PACKET_MR_MULTICAST`, `PACKET_MR_PROMISC`, `PACKET_MR_ALLMULTI`, `PACKET_MR_UNICAST`.
const MR_MULTICAST: u16 = 0;
const MR_PROMISC: u16 = 1;
const MR_UNICAST: u16 = 3;

pub(super) const ROWS: &[Row] = &[
    own(PACKET_ADD_MEMBERSHIP, None, Some(|t, v| membership(t, v, true))),
    own(PACKET_DROP_MEMBERSHIP, None, Some(|t, v| membership(t, v, false))),
    own(PACKET_STATISTICS, Some(statistics), None),
    flag(PACKET_AUXDATA),
];

/// A `struct packet_mreq`. Groups are heard by every interface here: nothing is to be done for them.
fn membership(target: &mut Target<'_>, value: &[u8], add: bool) -> Result<(), Errno> {
    let &[i0, i1, i2, i3, t0, t1, ..] = value else { return Err(Errno::EINVAL) };
    if value.len() < 16 {
        return Err(Errno::EINVAL);
    }
    let link = LinkId::from_index(u32::from_ne_bytes([i0, i1, i2, i3]));
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    target.k.net.stack.link(link)?;
    match u16::from_ne_bytes([t0, t1]) {
        MR_PROMISC => target.k.net.stack.packet_promiscuous(id, link, add),
        MR_MULTICAST..=MR_UNICAST => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// `struct tpacket_stats`, counted anew from here on.
fn statistics(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    let found = target.k.net.stack.packet_statistics(id)?;
    Ok([int_bytes(found.packets.cast_signed()), int_bytes(found.drops.cast_signed())].concat())
}
