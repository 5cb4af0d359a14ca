//! `SOL_PACKET` (packet(7)). Of the rings there is the one for receiving, in `TPACKET_V2`.

use super::{Row, Target, flag, int, int_bytes, own};
use crate::socket::packet::{PACKET_AUXDATA, SOL_PACKET};
use crate::socket::ring::{self, Ring};
use abi::Errno;
use abi::raw::net::SOCK_RAW;
use tcpip::LinkId;

pub(crate) const LEVEL: u32 = SOL_PACKET;

const PACKET_ADD_MEMBERSHIP: u32 = 1;
const PACKET_DROP_MEMBERSHIP: u32 = 2;
const PACKET_RX_RING: u32 = 5;
const PACKET_STATISTICS: u32 = 6;
const PACKET_VERSION: u32 = 10;
/// Asked with a value; see [`header_len`].
pub(crate) const PACKET_HDRLEN: u32 = 11;
const PACKET_RESERVE: u32 = 12;
/// `PACKET_MR_MULTICAST`, `PACKET_MR_PROMISC`, `PACKET_MR_ALLMULTI`, `PACKET_MR_UNICAST`.
const MR_MULTICAST: u16 = 0;
const MR_PROMISC: u16 = 1;
const MR_UNICAST: u16 = 3;

pub(super) const ROWS: &[Row] = &[
    own(PACKET_ADD_MEMBERSHIP, None, Some(|t, v| membership(t, v, true))),
    own(PACKET_DROP_MEMBERSHIP, None, Some(|t, v| membership(t, v, false))),
    own(PACKET_STATISTICS, Some(statistics), None),
    flag(PACKET_AUXDATA),
    own(PACKET_VERSION, Some(|_| Ok(ring::VERSION.to_ne_bytes().to_vec())), Some(version)),
    own(PACKET_RX_RING, None, Some(rx_ring)),
    int(PACKET_RESERVE, 0, 0, 1024),
];

/// Only `TPACKET_V2`: what libpcap asks for when `PACKET_HDRLEN` of `TPACKET_V3` is refused.
fn version(_: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    if word(value, 0)? == ring::VERSION { Ok(()) } else { Err(Errno::EINVAL) }
}

/// `PACKET_HDRLEN`, which is asked for a version.
///
/// # Errors
/// `EINVAL`: another version than ours.
pub(crate) fn header_len(version: u32) -> Result<u32, Errno> {
    if version == ring::VERSION { Ok(ring::TPACKET2_HDR) } else { Err(Errno::EINVAL) }
}

/// A `struct tpacket_req`; one without blocks takes the ring away.
fn rx_ring(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let request = ring::Request {
        block_size: word(value, 0)?,
        block_nr: word(value, 4)?,
        frame_size: word(value, 8)?,
        frame_nr: word(value, 12)?,
    };
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    if request.block_nr == 0 {
        target.k.net.rings.remove(&id);
        return Ok(());
    }
    if target.k.net.rings.contains_key(&id) {
        return Err(Errno::EBUSY);
    }
    let raw = target.common().kind == SOCK_RAW;
    let reserve = target.common().value(LEVEL, PACKET_RESERVE).unwrap_or(0);
    let maker = target.k.fs.memory.as_mut().ok_or(Errno::ENOMEM)?;
    let ring = Ring::new(&mut **maker, request, raw, usize::try_from(reserve).unwrap_or(0))?;
    target.k.net.rings.insert(id, ring);
    target.k.fill_ring(id);
    Ok(())
}

fn word(value: &[u8], at: usize) -> Result<u32, Errno> {
    let bytes = value.get(at..).and_then(|bytes| bytes.first_chunk::<4>()).ok_or(Errno::EINVAL)?;
    Ok(u32::from_ne_bytes(*bytes))
}

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
