//! ioctl(2) on sockets (socket(7), netdevice(7), tcp(7)).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::OpenFile;
use abi::Errno;
use abi::raw::ioctl::*;
use std::net::{IpAddr, Ipv4Addr};
use tcpip::{LinkInfo, Medium};

use super::{Socket, address};

/// `struct ifreq`: a name of 16 bytes, then 24 bytes of what is asked.
const IFREQ: usize = 40;
const IFREQ_LEN: u64 = IFREQ as u64;
/// The last of the commands that take one.
const LAST: u32 = 0x8970;
const IFNAMSIZ: usize = 16;
/// `struct ifreq` as SIOCGIFCONF lays them out.
const IFCONF_ENTRY: usize = 40;

/// `IFF_*` (netdevice(7)).
const IFF_UP: u16 = 0x1;
const IFF_LOOPBACK: u16 = 0x8;
const IFF_POINTOPOINT: u16 = 0x10;
const IFF_BROADCAST: u16 = 0x2;
const IFF_RUNNING: u16 = 0x40;
const IFF_NOARP: u16 = 0x80;
const IFF_PROMISC: u16 = 0x100;
const IFF_MULTICAST: u16 = 0x1000;
/// `ARPHRD_ETHER`, `ARPHRD_LOOPBACK`, `ARPHRD_NONE`.
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_NONE: u16 = 0xfffe;

/// Serves the commands of sockets.
///
/// # Errors
/// `ENOTTY`: not one of them. `ENODEV`: no such interface. `EFAULT`.
pub(super) fn ioctl(cx: &mut Cx<'_>, f: &OpenFile, socket: &dyn Socket, cmd: u32) -> Answer {
    let addr = cx.arg(2);
    if (SIOCGIFNAME..=LAST).contains(&cmd) && cmd != SIOCGIFCONF {
        // The host takes the structure before it looks at the command.
        cx.get::<[u8; IFREQ]>(addr)?;
    }
    match cmd {
        FIONREAD => put_count(cx, addr, socket.unread(cx.kernel)?),
        TIOCOUTQ => put_count(cx, addr, socket.unsent(cx.kernel)?),
        SIOCATMARK => put_count(cx, addr, usize::from(socket.at_mark(cx.kernel))),
        FIOSETOWN | SIOCSPGRP => {
            f.owner.set(cx.get::<i32>(addr)?);
            Ok(0)
        }
        FIOGETOWN | SIOCGPGRP => {
            cx.put(addr, &f.owner.get());
            Ok(0)
        }
        SIOCGIFCONF => if_conf(cx, addr),
        SIOCGIFNAME => if_name(cx, addr),
        SIOCGIFFLAGS | SIOCGIFADDR | SIOCGIFDSTADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK | SIOCGIFMETRIC
        | SIOCGIFMTU | SIOCGIFHWADDR | SIOCGIFINDEX | SIOCGIFTXQLEN | SIOCGIFMAP => if_get(cx, addr, cmd),
        SIOCSIFFLAGS | SIOCSIFADDR | SIOCSIFNETMASK | SIOCSIFMTU | SIOCSIFNAME | SIOCSIFHWADDR => {
            Err(Errno::EPERM.into())
        }
        _ => Err(Errno::ENOTTY.into()),
    }
}

fn put_count(cx: &mut Cx<'_>, addr: u64, count: usize) -> Answer {
    cx.put(addr, &i32::try_from(count).unwrap_or(i32::MAX));
    Ok(0)
}

/// `SIOCGIFCONF`: the interfaces that have an IPv4 address. A null buffer asks how long the list is.
fn if_conf(cx: &mut Cx<'_>, addr: u64) -> Answer {
    let room: i32 = cx.get(addr)?;
    let buffer: u64 = cx.get(addr.wrapping_add(8))?;
    let mut list = Vec::new();
    for link in cx.kernel.net.stack.links() {
        for ip in link.addrs.iter().filter_map(ipv4) {
            let mut entry = link.name.clone().into_bytes();
            entry.resize(IFNAMSIZ, 0);
            entry.extend_from_slice(&sockaddr(ip.0));
            entry.resize(IFCONF_ENTRY, 0);
            list.extend_from_slice(&entry);
        }
    }
    if buffer != 0 {
        let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
        list.truncate(room / IFCONF_ENTRY * IFCONF_ENTRY);
        cx.call.mem.write(buffer, list.clone());
    }
    put_count(cx, addr, list.len())
}

/// `SIOCGIFNAME`: the name of an index.
fn if_name(cx: &mut Cx<'_>, addr: u64) -> Answer {
    let index: u32 = cx.get(addr.wrapping_add(IFNAMSIZ as u64))?;
    let links = cx.kernel.net.stack.links();
    let link = links.into_iter().find(|link| link.id.index() == index).ok_or(Errno::ENODEV)?;
    let mut name = link.name.into_bytes();
    name.resize(IFNAMSIZ, 0);
    cx.call.mem.write(addr, name);
    Ok(0)
}

/// The commands that ask one thing of the interface with this name.
fn if_get(cx: &mut Cx<'_>, addr: u64, cmd: u32) -> Answer {
    let link = named(cx, addr)?;
    let first = link.addrs.iter().find_map(ipv4);
    let answer = match cmd {
        SIOCGIFFLAGS => flags_of(&link).to_ne_bytes().to_vec(),
        SIOCGIFADDR | SIOCGIFDSTADDR => sockaddr(first.ok_or(Errno::EADDRNOTAVAIL)?.0),
        SIOCGIFBRDADDR => {
            let (ip, _) = first.ok_or(Errno::EADDRNOTAVAIL)?;
            let addrs = cx.kernel.net.stack.addresses();
            let found = addrs.iter().find(|(id, a)| *id == link.id && a.ip == IpAddr::V4(ip));
            sockaddr(found.and_then(|(_, a)| a.broadcast).unwrap_or(Ipv4Addr::UNSPECIFIED))
        }
        SIOCGIFNETMASK => {
            let (_, prefix) = first.ok_or(Errno::EADDRNOTAVAIL)?;
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            sockaddr(Ipv4Addr::from(mask))
        }
        SIOCGIFMTU => i32::try_from(link.mtu).unwrap_or(i32::MAX).to_ne_bytes().to_vec(),
        SIOCGIFHWADDR => {
            let (kind, mac) = match link.medium {
                Medium::Ethernet { mac } => (ARPHRD_ETHER, mac.0),
                Medium::Ip if link.loopback => (ARPHRD_LOOPBACK, [0; 6]),
                Medium::Ip => (ARPHRD_NONE, [0; 6]),
            };
            [kind.to_ne_bytes().as_slice(), &mac, &[0; 8]].concat()
        }
        SIOCGIFINDEX => link.id.index().to_ne_bytes().to_vec(),
        SIOCGIFTXQLEN => 1000_u32.to_ne_bytes().to_vec(),
        SIOCGIFMAP => vec![0; 24],
        // SIOCGIFMETRIC: Linux knows no metrics of interfaces.
        _ => vec![0; 4],
    };
    cx.call.mem.write(addr.wrapping_add(IFNAMSIZ as u64), answer);
    Ok(0)
}

fn flags_of(link: &LinkInfo) -> u16 {
    let kind = match link.medium {
        Medium::Ethernet { .. } => IFF_BROADCAST | IFF_MULTICAST,
        Medium::Ip if link.loopback => IFF_LOOPBACK,
        Medium::Ip => IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST,
    };
    let set = |on: bool, flag: u16| if on { flag } else { 0 };
    kind | set(link.up, IFF_UP)
        | set(link.up && link.running, IFF_RUNNING)
        | set(link.promiscuous, IFF_PROMISC)
}

/// The interface that a `struct ifreq` names.
fn named(cx: &Cx<'_>, addr: u64) -> Result<LinkInfo, Stop> {
    let request = cx.call.mem.read(addr, IFREQ_LEN)?;
    let name = request[..IFNAMSIZ].split(|byte| *byte == 0).next().unwrap_or_default();
    let links = cx.kernel.net.stack.links();
    links.into_iter().find(|link| link.name.as_bytes() == name).ok_or(Errno::ENODEV.into())
}

fn ipv4((addr, prefix): &(IpAddr, u8)) -> Option<(Ipv4Addr, u8)> {
    match addr {
        IpAddr::V4(ip) => Some((*ip, *prefix)),
        IpAddr::V6(_) => None,
    }
}

fn sockaddr(ip: Ipv4Addr) -> Vec<u8> {
    address::emit(abi::raw::net::AF_INET, (ip, 0).into())
}
