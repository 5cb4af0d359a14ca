//! Interfaces (netdevice(7)).

use super::super::interface::{self, TX_QUEUE_LEN};
use super::{ipv4_of, prefix_of, put_count, sockaddr};
use crate::call::{Answer, Stop};
use crate::cx::Cx;
use abi::Errno;
use abi::raw::ioctl::*;
use abi::raw::net::AF_INET6;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tcpip::{Address, LinkId, LinkInfo, Mac, Medium};

/// `struct ifreq`: a name of 16 bytes, then 24 bytes of what is asked.
const IFREQ: usize = 40;
const IFREQ_LEN: u64 = IFREQ as u64;
/// The last of the commands that take one.
const LAST: u32 = 0x8970;
const IFNAMSIZ: usize = 16;
/// `struct ifreq` as SIOCGIFCONF lays them out.
const IFCONF_ENTRY: usize = 40;
/// `struct in6_ifreq`: an address of 16 bytes, the length of its prefix, the interface's index.
const IN6_IFREQ_LEN: u64 = 24;

/// Serves the commands of netdevice(7).
pub(super) fn ioctl(cx: &mut Cx<'_>, family: u32, addr: u64, cmd: u32) -> Answer {
    if (SIOCGIFNAME..=LAST).contains(&cmd) && cmd != SIOCGIFCONF && family != AF_INET6 {
        // The host takes the structure before it looks at the command.
        cx.get::<[u8; IFREQ]>(addr)?;
    }
    match cmd {
        SIOCGIFCONF => list(cx, addr),
        SIOCGIFNAME => name_of_index(cx, addr),
        SIOCGIFFLAGS | SIOCGIFADDR | SIOCGIFDSTADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK | SIOCGIFMETRIC
        | SIOCGIFMTU | SIOCGIFHWADDR | SIOCGIFINDEX | SIOCGIFTXQLEN | SIOCGIFMAP => get(cx, addr, cmd),
        SIOCSIFADDR | SIOCDIFADDR if family == AF_INET6 => {
            cx.check_rules()?;
            set_ipv6(cx, addr, cmd == SIOCSIFADDR)
        }
        SIOCSIFFLAGS | SIOCSIFADDR | SIOCSIFNETMASK | SIOCSIFBRDADDR | SIOCSIFMTU | SIOCSIFNAME
        | SIOCSIFHWADDR | SIOCSIFTXQLEN | SIOCSIFMETRIC => {
            cx.check_rules()?;
            set(cx, addr, cmd)
        }
        // No card behind them that ethtool(8) or a point-to-point address could speak of.
        SIOCETHTOOL | SIOCGMIIPHY | SIOCSHWTSTAMP | SIOCGHWTSTAMP | SIOCSIFDSTADDR => {
            Err(Errno::EOPNOTSUPP.into())
        }
        _ => Err(Errno::ENOTTY.into()),
    }
}

// linux/sockios.h.
const SIOCETHTOOL: u32 = 0x8946;
const SIOCGMIIPHY: u32 = 0x8947;
const SIOCSHWTSTAMP: u32 = 0x89b0;
const SIOCGHWTSTAMP: u32 = 0x89b1;

/// `SIOCGIFCONF`: the interfaces that have an IPv4 address. A null buffer asks how long the list is.
fn list(cx: &mut Cx<'_>, addr: u64) -> Answer {
    let room: i32 = cx.get(addr)?;
    let buffer: u64 = cx.get(addr.wrapping_add(8))?;
    let mut list = Vec::new();
    let stack = &cx.kernel.net.stack;
    for (link, address) in stack.addresses() {
        let IpAddr::V4(ip) = address.ip else { continue };
        let mut entry = address.label.unwrap_or(stack.link(link)?.name).into_bytes();
        entry.resize(IFNAMSIZ, 0);
        entry.extend_from_slice(&sockaddr(ip));
        entry.resize(IFCONF_ENTRY, 0);
        list.extend_from_slice(&entry);
    }
    if buffer != 0 {
        let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
        list.truncate(room / IFCONF_ENTRY * IFCONF_ENTRY);
        cx.call.mem.write(buffer, list.clone());
    }
    put_count(cx, addr, list.len())
}

/// `SIOCGIFNAME`: the name of an index.
fn name_of_index(cx: &mut Cx<'_>, addr: u64) -> Answer {
    let index: u32 = cx.get(addr.wrapping_add(IFNAMSIZ as u64))?;
    let mut name = cx.kernel.net.stack.link(LinkId::from_index(index))?.name.into_bytes();
    name.resize(IFNAMSIZ, 0);
    cx.call.mem.write(addr, name);
    Ok(0)
}

/// The commands that ask one thing of the interface with this name.
fn get(cx: &mut Cx<'_>, addr: u64, cmd: u32) -> Answer {
    let Asked { link, first, .. } = named(cx, addr)?;
    let answer = match cmd {
        // `ifr_flags` is a short: those above are rtnetlink's.
        SIOCGIFFLAGS => interface::flags(&link).to_ne_bytes()[..2].to_vec(),
        SIOCGIFADDR | SIOCGIFDSTADDR => sockaddr(first.ok_or(Errno::EADDRNOTAVAIL)?.0),
        SIOCGIFBRDADDR => {
            let (_, address) = first.ok_or(Errno::EADDRNOTAVAIL)?;
            sockaddr(address.broadcast.unwrap_or(Ipv4Addr::UNSPECIFIED))
        }
        SIOCGIFNETMASK => sockaddr(mask(first.ok_or(Errno::EADDRNOTAVAIL)?.1.prefix_len)),
        SIOCGIFMTU => i32::try_from(link.mtu).unwrap_or(i32::MAX).to_ne_bytes().to_vec(),
        SIOCGIFHWADDR => {
            let mac = match link.medium {
                Medium::Ethernet { mac } => mac.0,
                Medium::Ip => [0; 6],
            };
            [interface::hardware(&link).to_ne_bytes().as_slice(), &mac, &[0; 8]].concat()
        }
        SIOCGIFINDEX => link.id.index().to_ne_bytes().to_vec(),
        SIOCGIFTXQLEN => TX_QUEUE_LEN.to_ne_bytes().to_vec(),
        SIOCGIFMAP => vec![0; 24],
        // SIOCGIFMETRIC: Linux knows no metrics of interfaces.
        _ => vec![0; 4],
    };
    cx.call.mem.write(addr.wrapping_add(IFNAMSIZ as u64), answer);
    Ok(0)
}

/// The commands that change one thing of the interface with this name.
fn set(cx: &mut Cx<'_>, addr: u64, cmd: u32) -> Answer {
    let Asked { link, label, first, value } = named(cx, addr)?;
    let number = value.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    let stack = &mut cx.kernel.net.stack;
    match cmd {
        SIOCSIFFLAGS => interface::set_flags(stack, &link, number & 0xffff, 0xffff)?,
        SIOCSIFMTU => stack.set_mtu(link.id, usize::try_from(number).map_err(|_| Errno::EINVAL)?)?,
        SIOCSIFHWADDR => {
            let mac = value.get(2..).and_then(|rest| rest.first_chunk()).ok_or(Errno::EINVAL)?;
            stack.set_mac(link.id, Mac(*mac))?;
        }
        SIOCSIFNAME => {
            let name = value[..IFNAMSIZ].split(|byte| *byte == 0).next().unwrap_or_default();
            stack.rename_link(link.id, str::from_utf8(name).map_err(|_| Errno::EINVAL)?)?;
        }
        SIOCSIFADDR => {
            let ip = ipv4_of(&value)?;
            let new = Address { label, ..Address::new(ip.into(), class(ip)) };
            replace(cx, &link, first, (!ip.is_unspecified()).then_some(new))?;
        }
        SIOCSIFNETMASK => {
            let (ip, _) = first.clone().ok_or(Errno::EADDRNOTAVAIL)?;
            let new = Address { label, ..Address::new(ip.into(), prefix_of(ipv4_of(&value)?)?) };
            replace(cx, &link, first, Some(new))?;
        }
        SIOCSIFBRDADDR => {
            let (_, address) = first.ok_or(Errno::EADDRNOTAVAIL)?;
            let broadcast = Some(ipv4_of(&value)?);
            stack.change_address(link.id, Address { broadcast, ..address })?;
        }
        // The lengths of queues and the metrics of interfaces change nothing.
        _ => {}
    }
    Ok(0)
}

/// The first IPv4 address of a link becomes another one; the link comes up with it (net/ipv4/devinet.c, devinet_ioctl).
fn replace(
    cx: &mut Cx<'_>,
    link: &LinkInfo,
    old: Option<(Ipv4Addr, Address)>,
    new: Option<Address>,
) -> Result<(), Errno> {
    let stack = &mut cx.kernel.net.stack;
    if let Some((_, address)) = old {
        stack.remove_address(link.id, address.ip, address.prefix_len)?;
    }
    if let Some(address) = new {
        stack.add_address(link.id, address)?;
        stack.set_up(link.id, true)?;
    }
    Ok(())
}

/// `SIOCSIFADDR`, `SIOCDIFADDR` of an IPv6 socket.
fn set_ipv6(cx: &mut Cx<'_>, addr: u64, add: bool) -> Answer {
    let request = cx.call.mem.read(addr, IN6_IFREQ_LEN)?;
    let ip = Ipv6Addr::from(*request.first_chunk::<16>().ok_or(Errno::EINVAL)?);
    let number =
        |at: usize| request[at..].first_chunk().map(|bytes| u32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL);
    let prefix_len = u8::try_from(number(16)?).map_err(|_| Errno::EINVAL)?;
    let link = LinkId::from_index(number(20)?);
    let stack = &mut cx.kernel.net.stack;
    match add {
        true => stack.add_address(link, Address::new(ip.into(), prefix_len))?,
        false => stack.remove_address(link, ip.into(), prefix_len)?,
    }
    Ok(0)
}

/// What a `struct ifreq` is about.
struct Asked {
    link: LinkInfo,
    /// The name, if it is that of an alias (`eth0:1`): one of the link's addresses is labelled so.
    label: Option<String>,
    /// The IPv4 address with that label, or the link's first.
    first: Option<(Ipv4Addr, Address)>,
    /// What follows the name.
    value: Vec<u8>,
}

/// Reads a `struct ifreq`.
fn named(cx: &Cx<'_>, addr: u64) -> Result<Asked, Stop> {
    let request = cx.call.mem.read(addr, IFREQ_LEN)?;
    let name = request[..IFNAMSIZ].split(|byte| *byte == 0).next().unwrap_or_default();
    let name = str::from_utf8(name).map_err(|_| Errno::ENODEV)?;
    let device = name.split(':').next().unwrap_or_default();
    let stack = &cx.kernel.net.stack;
    let link = stack.link(stack.link_named(device).ok_or(Errno::ENODEV)?)?;
    let label = (device != name).then(|| name.to_owned());
    let mut own = stack.addresses().into_iter().filter(|(id, _)| *id == link.id);
    let first = own.find_map(|(_, address)| match address.ip {
        IpAddr::V4(ip) if label.is_none() || address.label == label => Some((ip, address)),
        _ => None,
    });
    Ok(Asked { link, label, first, value: request[IFNAMSIZ..].to_vec() })
}

fn mask(prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0))
}

/// The length of the prefix of an address whose mask is not said (net/ipv4/devinet.c, inet_abc_len).
fn class(ip: Ipv4Addr) -> u8 {
    match ip.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        _ => 24,
    }
}
