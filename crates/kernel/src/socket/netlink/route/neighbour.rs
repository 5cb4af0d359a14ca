//! Neighbours: `ip neighbour`.

use super::super::wire::{Refusal, Request, attribute};
use super::{Listed, Row, Serve, family_of, ip, link_of, octets, ticks, wants};
use crate::Kernel;
use abi::Errno;
use tcpip::{LinkId, Mac, Neighbour, NeighbourState, Stack};

// linux/rtnetlink.h
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
// linux/neighbour.h
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_CACHEINFO: u16 = 3;
const NDA_PROBES: u16 = 4;
const NTF_PROXY: u8 = 0x08;
const NTF_ROUTER: u8 = 0x80;
/// `RTN_UNICAST`.
const UNICAST: u8 = 1;

/// `sizeof (struct ndmsg)`.
const NDMSG: usize = 12;

/// The types that tell of a neighbour.
pub(in super::super) const NEW_DEL: [u16; 2] = [RTM_NEWNEIGH, RTM_DELNEIGH];

pub(super) const ROWS: &[Row] = &[
    Row(RTM_GETNEIGH, Serve::Get { reply: RTM_NEWNEIGH, all, one: Some(one) }),
    Row(RTM_NEWNEIGH, Serve::Set(add)),
    Row(RTM_DELNEIGH, Serve::Set(delete)),
];

/// Those of the family that the `struct ndmsg` asks for. There are no proxies.
fn all(k: &Kernel, request: Request<'_>) -> Result<Listed, Refusal> {
    if request.byte(10) & NTF_PROXY != 0 {
        return Ok(Vec::new().into());
    }
    let neighbours = k.net.stack.neighbours();
    let wanted = neighbours.iter().filter(|n| wants(request.byte(0), n.ip));
    Ok(wanted.map(|n| body(k, n)).collect::<Vec<_>>().into())
}

fn one(k: &Kernel, request: Request<'_>) -> Result<Vec<u8>, Refusal> {
    let attributes = request.attributes(NDMSG);
    let dst = ip(&attributes, NDA_DST, request.byte(0))?.ok_or(Errno::EINVAL)?;
    let link = LinkId::from_index(request.number(4));
    let neighbours = k.net.stack.neighbours();
    let found = neighbours.iter().find(|n| n.ip == dst && n.link == link);
    found.map(|n| body(k, n)).ok_or(Refusal::because(Errno::ENOENT, "Neighbour entry not found"))
}

fn add(stack: &mut Stack, _now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let attributes = request.attributes(NDMSG);
    let link = link_of(stack, request.number(4))?;
    let dst = ip(&attributes, NDA_DST, request.byte(0))?.ok_or(Errno::EINVAL)?;
    let mac = attributes.get(NDA_LLADDR).ok_or(Errno::EINVAL)?;
    let mac = Mac(*mac.first_chunk().ok_or(Errno::EINVAL)?);
    if request.byte(10) & NTF_PROXY != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let known = stack.neighbours().iter().any(|n| n.ip == dst && n.link == link);
    if !known && !request.creates() {
        return Err(Errno::ENOENT.into());
    }
    let [low, high] = [request.byte(8), request.byte(9)];
    let state = NeighbourState::from_number(u16::from_ne_bytes([low, high])).ok_or(Errno::EINVAL)?;
    Ok(stack.add_neighbour(link, dst, mac, state, request.is_exclusive())?)
}

fn delete(stack: &mut Stack, _now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let attributes = request.attributes(NDMSG);
    let link = link_of(stack, request.number(4))?;
    let dst = ip(&attributes, NDA_DST, request.byte(0))?.ok_or(Errno::EINVAL)?;
    Ok(stack.remove_neighbour(link, dst)?)
}

/// A `struct ndmsg` with its attributes (net/core/neighbour.c, neigh_fill_info).
pub(in super::super) fn body(k: &Kernel, neighbour: &Neighbour) -> Vec<u8> {
    let mut bytes = vec![family_of(neighbour.ip), 0, 0, 0];
    bytes.extend_from_slice(&neighbour.link.index().to_ne_bytes());
    bytes.extend_from_slice(&neighbour.state.number().to_ne_bytes());
    bytes.extend_from_slice(&[if neighbour.router { NTF_ROUTER } else { 0 }, UNICAST]);
    attribute(&mut bytes, NDA_DST, &octets(neighbour.ip));
    if let Some(mac) = neighbour.mac {
        attribute(&mut bytes, NDA_LLADDR, &mac.0);
    }
    let since = |at_ns: u64| ticks(k.now.mono_ns.saturating_sub(at_ns));
    // struct nda_cacheinfo: confirmed, used, updated, references.
    let info = [since(neighbour.confirmed_ns), since(neighbour.used_ns), since(neighbour.updated_ns), 0];
    attribute(&mut bytes, NDA_CACHEINFO, &info.map(u32::to_ne_bytes).concat());
    attribute(&mut bytes, NDA_PROBES, &neighbour.probes.to_ne_bytes());
    bytes
}
