//! Links: `ip link`.

use super::super::wire::{Refusal, Request, attribute};
use super::{Listed, Row, Serve};
use crate::Kernel;
use crate::socket::interface;
use abi::Errno;
use tcpip::{LinkInfo, Mac, Stack};

// linux/rtnetlink.h
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_SETLINK: u16 = 19;
// linux/if_link.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_QDISC: u16 = 6;
const IFLA_STATS: u16 = 7;
const IFLA_MASTER: u16 = 10;
const IFLA_TXQLEN: u16 = 13;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKMODE: u16 = 17;
const IFLA_NET_NS_PID: u16 = 19;
const IFLA_STATS64: u16 = 23;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_PROMISCUITY: u16 = 30;
const IFLA_NUM_TX_QUEUES: u16 = 31;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_GSO_MAX_SEGS: u16 = 40;
const IFLA_GSO_MAX_SIZE: u16 = 41;
const IFLA_GRO_MAX_SIZE: u16 = 58;
const IFLA_TSO_MAX_SIZE: u16 = 59;
const IFLA_TSO_MAX_SEGS: u16 = 60;
const IFLA_ALLMULTI: u16 = 61;
const IFLA_CARRIER: u16 = 33;
const IFLA_MIN_MTU: u16 = 50;
const IFLA_MAX_MTU: u16 = 51;

/// `sizeof (struct ifinfomsg)`.
const IFINFOMSG: usize = 16;

/// The types that tell of a link.
pub(in super::super) const NEW_DEL: [u16; 2] = [RTM_NEWLINK, RTM_DELLINK];

pub(super) const ROWS: &[Row] = &[
    Row(RTM_GETLINK, Serve::Get { reply: RTM_NEWLINK, all, one: Some(one) }),
    Row(RTM_NEWLINK, Serve::Set(set)),
    Row(RTM_SETLINK, Serve::Set(set)),
    Row(RTM_DELLINK, Serve::Set(delete)),
];

fn all(k: &Kernel, request: Request<'_>) -> Result<Listed, Refusal> {
    /// `AF_BRIDGE`: bridge(8) asks for the ports of bridges.
    const AF_BRIDGE: u8 = 7;
    Ok(match request.byte(0) {
        AF_BRIDGE => Vec::new().into(),
        _ => k.net.stack.links().iter().map(body).collect::<Vec<_>>().into(),
    })
}

fn one(k: &Kernel, request: Request<'_>) -> Result<Vec<u8>, Refusal> {
    let unnamed = request.number(4) == 0 && request.attributes(IFINFOMSG).get(IFLA_IFNAME).is_none();
    if unnamed { Err(Errno::EINVAL.into()) } else { Ok(body(&named(&k.net.stack, request)?)) }
}

/// The link whose index or name the request says.
fn named(stack: &Stack, request: Request<'_>) -> Result<LinkInfo, Errno> {
    let name = request.attributes(IFINFOMSG).text(IFLA_IFNAME)?;
    let links = stack.links();
    let found = match (request.number(4), name) {
        (0, Some(name)) => links.into_iter().find(|link| link.name == name),
        // ip(8) asks so whether there is RTM_NEWLINK: only ENODEV says so.
        (0, None) => None,
        (index, _) => links.into_iter().find(|link| link.id.index() == index),
    };
    found.ok_or(Errno::ENODEV)
}

/// `RTM_NEWLINK` of a link that is there, `RTM_SETLINK`. Links are made by the server, which has their other ends.
fn set(stack: &mut Stack, _now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    let link = match named(stack, request) {
        Ok(_) if request.creates() && request.is_exclusive() => return Err(Errno::EEXIST.into()),
        Err(Errno::ENODEV) if request.creates() => {
            return Err(Refusal::because(Errno::EOPNOTSUPP, "Unknown device type"));
        }
        found => found?,
    };
    let attributes = request.attributes(IFINFOMSG);
    if [IFLA_MASTER, IFLA_NET_NS_PID, IFLA_NET_NS_FD].iter().any(|kind| attributes.get(*kind).is_some()) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let id = link.id;
    if let Some(address) = attributes.get(IFLA_ADDRESS) {
        stack.set_mac(id, Mac(*address.first_chunk().ok_or(Errno::EINVAL)?))?;
    }
    if let Some(mtu) = attributes.number(IFLA_MTU)? {
        stack.set_mtu(id, usize::try_from(mtu).map_err(|_| Errno::EINVAL)?)?;
    }
    if request.number(4) != 0
        && let Some(name) = attributes.text(IFLA_IFNAME)?
    {
        stack.rename_link(id, name)?;
    }
    let (flags, mask) = (request.number(8), request.number(12));
    if flags == 0 && mask == 0 {
        return Ok(());
    }
    // No mask is an old program's way to say: all (rtnl_dev_combine_flags).
    Ok(interface::set_flags(stack, &link, flags, if mask == 0 { u32::MAX } else { mask })?)
}

/// `RTM_DELLINK`: as for a card in its slot. The server takes its links away (`rump link del`).
fn delete(stack: &mut Stack, _now_ns: u64, request: Request<'_>) -> Result<(), Refusal> {
    named(stack, request)?;
    Err(Errno::EOPNOTSUPP.into())
}

/// A `struct ifinfomsg` with its attributes (net/core/rtnetlink.c, rtnl_fill_ifinfo).
pub(in super::super) fn body(link: &LinkInfo) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend_from_slice(&interface::hardware(link).to_ne_bytes());
    bytes.extend_from_slice(&link.id.index().to_ne_bytes());
    bytes.extend_from_slice(&interface::flags(link).to_ne_bytes());
    bytes.extend_from_slice(&0_u32.to_ne_bytes());
    let mut number = |kind, value: u32| attribute(&mut bytes, kind, &value.to_ne_bytes());
    number(IFLA_TXQLEN, interface::TX_QUEUE_LEN);
    number(IFLA_MTU, u32::try_from(link.mtu).unwrap_or(u32::MAX));
    // 0: there is no bound (drivers/net/loopback.c).
    number(IFLA_MIN_MTU, if link.loopback { 0 } else { 68 });
    number(IFLA_MAX_MTU, if link.loopback { 0 } else { 65535 });
    number(IFLA_GROUP, 0);
    number(IFLA_PROMISCUITY, u32::from(link.promiscuous));
    number(IFLA_ALLMULTI, 0);
    number(IFLA_NUM_TX_QUEUES, 1);
    number(IFLA_NUM_RX_QUEUES, 1);
    // GSO_LEGACY_MAX_SIZE, GSO_MAX_SEGS, TSO_MAX_SIZE and so on (linux/netdevice.h).
    number(IFLA_GSO_MAX_SEGS, 65535);
    number(IFLA_GSO_MAX_SIZE, 65536);
    number(IFLA_GRO_MAX_SIZE, 65536);
    number(IFLA_TSO_MAX_SIZE, 524_280);
    number(IFLA_TSO_MAX_SEGS, 65535);
    attribute(&mut bytes, IFLA_IFNAME, &[link.name.as_bytes(), &[0]].concat());
    attribute(&mut bytes, IFLA_QDISC, b"noqueue\0");
    attribute(&mut bytes, IFLA_OPERSTATE, &[interface::operational_state(link) as u8]);
    attribute(&mut bytes, IFLA_LINKMODE, &[0]);
    attribute(&mut bytes, IFLA_CARRIER, &[u8::from(link.running)]);
    if let Some((address, broadcast)) = interface::hardware_addresses(link) {
        attribute(&mut bytes, IFLA_ADDRESS, &address);
        attribute(&mut bytes, IFLA_BROADCAST, &broadcast);
    }
    let counters = counters(link);
    attribute(&mut bytes, IFLA_STATS64, &counters.iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<_>>());
    // The old form holds what fits of each.
    let narrow = |n: &u64| u32::try_from(n & u64::from(u32::MAX)).unwrap_or(u32::MAX).to_ne_bytes();
    attribute(&mut bytes, IFLA_STATS, &counters.iter().flat_map(narrow).collect::<Vec<_>>());
    bytes
}

/// `struct rtnl_link_stats64`: 24 numbers in Linux 6.1 and older, of which most count what only cards have.
fn counters(link: &LinkInfo) -> [u64; 24] {
    let c = &link.counters;
    let mut all = [0; 24];
    let first = [
        c.rx_packets,
        c.tx_packets,
        c.rx_bytes,
        c.tx_bytes,
        c.rx_errors,
        c.tx_errors,
        c.rx_dropped,
        c.tx_dropped,
        c.multicast,
    ];
    all[..first.len()].copy_from_slice(&first);
    all
}
