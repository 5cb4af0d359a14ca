//! Interfaces as netdevice(7) and rtnetlink(7) tell of them, alike.

use abi::Errno;
use std::cmp::Reverse;
use tcpip::{Address, LinkId, LinkInfo, Mac, Medium, Route, Stack};

/// `DEFAULT_TX_QUEUE_LEN`.
pub(crate) const TX_QUEUE_LEN: u32 = 1000;

/// `IFF_*` (netdevice(7), linux/if.h).
pub(crate) const IFF_UP: u32 = 0x1;
const IFF_BROADCAST: u32 = 0x2;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_POINTOPOINT: u32 = 0x10;
const IFF_RUNNING: u32 = 0x40;
const IFF_NOARP: u32 = 0x80;
const IFF_PROMISC: u32 = 0x100;
const IFF_MULTICAST: u32 = 0x1000;
const IFF_LOWER_UP: u32 = 0x1_0000;

/// `ARPHRD_ETHER`, `ARPHRD_LOOPBACK`, `ARPHRD_NONE` (linux/if_arp.h).
pub(crate) const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_NONE: u16 = 0xfffe;

/// `IFF_*` of a link.
pub(crate) fn flags(link: &LinkInfo) -> u32 {
    let kind = match link.medium {
        Medium::Ethernet { .. } => IFF_BROADCAST | IFF_MULTICAST,
        Medium::Ip if link.loopback => IFF_LOOPBACK,
        Medium::Ip => IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST,
    };
    let set = |on: bool, flag: u32| if on { flag } else { 0 };
    kind | set(link.up, IFF_UP)
        | set(link.up && link.running, IFF_RUNNING | IFF_LOWER_UP)
        | set(link.promiscuous, IFF_PROMISC)
}

/// `ARPHRD_*` of a link.
pub(crate) fn hardware(link: &LinkInfo) -> u16 {
    match link.medium {
        Medium::Ethernet { .. } => ARPHRD_ETHER,
        Medium::Ip if link.loopback => ARPHRD_LOOPBACK,
        Medium::Ip => ARPHRD_NONE,
    }
}

/// The addresses of a link and for all on it; a link without a header of its own has none.
pub(crate) const fn hardware_addresses(link: &LinkInfo) -> Option<([u8; 6], [u8; 6])> {
    match link.medium {
        Medium::Ethernet { mac } => Some((mac.0, Mac::BROADCAST.0)),
        Medium::Ip if link.loopback => Some(([0; 6], [0; 6])),
        Medium::Ip => None,
    }
}

/// `IF_OPER_*` (RFC 2863, linux/if.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationalState {
    Unknown = 0,
    Down = 2,
    Up = 6,
}

/// Of lo and of links without Ethernet it is not known, as on Linux.
pub(crate) const fn operational_state(link: &LinkInfo) -> OperationalState {
    match link.medium {
        _ if !link.up || !link.running => OperationalState::Down,
        Medium::Ethernet { .. } => OperationalState::Up,
        Medium::Ip => OperationalState::Unknown,
    }
}

/// All routes in the order in which Linux lists them: IPv4's, table by table, as its trie is walked, by network, then the longest
/// prefix, then the lowest metric.
pub(crate) fn routes(stack: &Stack) -> Vec<Route> {
    // FIB_TABLE_HASHSZ (linux/ip_fib.h).
    let place = |route: &Route| (route.table & 0xff, route.table);
    let (mut v4, mut v6): (Vec<_>, Vec<_>) =
        stack.routes().into_iter().partition(|route| route.dst.is_ipv4());
    v4.sort_by_key(|route| (place(route), route.dst, Reverse(route.prefix_len), route.metric));
    v6.sort_by_key(place);
    v4.extend(v6);
    v4
}

/// All addresses in the order in which Linux lists them: IPv4's, then IPv6's, of a link the widest scope and the newest first
/// (net/ipv6/addrconf.c, ipv6_link_dev_addr).
pub(crate) fn addresses(stack: &Stack) -> Vec<(LinkId, Address)> {
    let (mut v4, mut v6): (Vec<_>, Vec<_>) =
        stack.addresses().into_iter().partition(|(_, address)| address.ip.is_ipv4());
    v6.reverse();
    v6.sort_by_key(|(link, address)| (*link, address.scope));
    v4.extend(v6);
    v4
}

/// Changes the flags of a link that are in `mask`. Of them, up and promiscuous can be changed; the others are as the link is
/// (net/core/dev.c, __dev_change_flags).
///
/// # Errors
/// `ENODEV`: it is gone.
pub(crate) fn set_flags(stack: &mut Stack, link: &LinkInfo, flags: u32, mask: u32) -> Result<(), Errno> {
    let changed = |flag: u32, is: bool| mask & flag != 0 && (flags & flag != 0) != is;
    if changed(IFF_PROMISC, link.promiscuous) {
        stack.set_promiscuous(link.id, !link.promiscuous)?;
    }
    if changed(IFF_UP, link.up) {
        stack.set_up(link.id, !link.up)?;
    }
    Ok(())
}
