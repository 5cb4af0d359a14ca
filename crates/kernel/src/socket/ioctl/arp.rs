//! Neighbours as arp(8) sees them (arp(7)).

use super::super::interface::ARPHRD_ETHER;
use super::ipv4_of;
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::raw::ioctl::*;
use std::net::IpAddr;
use tcpip::{LinkId, Mac, Neighbour, NeighbourState};

/// `sizeof (struct arpreq)`: two addresses of 16 bytes, flags, a mask of 16 bytes, a name of 16 bytes.
const ARPREQ_LEN: u64 = 68;
const HARDWARE_AT: usize = 16;
const FLAGS_AT: usize = 32;
const DEVICE_AT: usize = 52;
// linux/if_arp.h
const ATF_COM: u32 = 0x02;
const ATF_PERM: u32 = 0x04;
const ATF_PUBL: u32 = 0x08;

/// `SIOCGARP`, `SIOCSARP`, `SIOCDARP`.
///
/// # Errors
/// `EPERM`: a change, by who does not rule the kernel. `ENXIO`: nothing is known of the address. `ENODEV`: no such interface.
pub(super) fn arp(cx: &mut Cx<'_>, addr: u64, cmd: u32) -> Answer {
    if cmd != SIOCGARP {
        cx.check_rules()?;
    }
    let request = cx.call.mem.read(addr, ARPREQ_LEN)?.to_vec();
    let ip = IpAddr::V4(ipv4_of(&request)?);
    let link = device(cx, &request)?;
    let stack = &mut cx.kernel.net.stack;
    let known = stack.neighbours().into_iter().find(|n| n.ip == ip && link.is_none_or(|id| n.link == id));
    match cmd {
        SIOCGARP => {
            let known = known.filter(|n| n.mac.is_some()).ok_or(Errno::ENXIO)?;
            let name = stack.link(known.link)?.name;
            cx.call.mem.write(addr, answer(&request, &known, &name));
        }
        SIOCSARP => {
            let flags = request[FLAGS_AT..].first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
            if flags & ATF_PUBL != 0 {
                return Err(Errno::EOPNOTSUPP.into());
            }
            let state =
                if flags & ATF_PERM != 0 { NeighbourState::Permanent } else { NeighbourState::Reachable };
            let mac = request[HARDWARE_AT + 2..].first_chunk().ok_or(Errno::EINVAL)?;
            // The way to the address says which interface it is on (net/ipv4/arp.c, arp_req_set).
            let on = link.or_else(|| stack.route_to(ip, None).ok().and_then(|route| route.link));
            stack.add_neighbour(on.ok_or(Errno::EINVAL)?, ip, Mac(*mac), state, false)?;
        }
        _ => {
            let known = known.ok_or(Errno::ENXIO)?;
            stack.remove_neighbour(known.link, ip)?;
        }
    }
    Ok(0)
}

/// The interface that the request names, if it does.
fn device(cx: &Cx<'_>, request: &[u8]) -> Result<Option<LinkId>, Stop> {
    let name = request[DEVICE_AT..].split(|byte| *byte == 0).next().unwrap_or_default();
    if name.is_empty() {
        return Ok(None);
    }
    let name = str::from_utf8(name).map_err(|_| Errno::ENODEV)?;
    Ok(Some(cx.kernel.net.stack.link_named(name).ok_or(Errno::ENODEV)?))
}

/// The request with what is known filled in.
fn answer(request: &[u8], known: &Neighbour, name: &str) -> Vec<u8> {
    let mut bytes = request.to_vec();
    let permanent = if known.state == NeighbourState::Permanent { ATF_PERM } else { 0 };
    bytes[HARDWARE_AT..HARDWARE_AT + 2].copy_from_slice(&ARPHRD_ETHER.to_ne_bytes());
    bytes[HARDWARE_AT + 2..HARDWARE_AT + 8].copy_from_slice(&known.mac.unwrap_or_default().0);
    bytes[FLAGS_AT..FLAGS_AT + 4].copy_from_slice(&(ATF_COM | permanent).to_ne_bytes());
    bytes.truncate(DEVICE_AT);
    bytes.extend_from_slice(name.as_bytes());
    bytes.resize(request.len(), 0);
    bytes
}
