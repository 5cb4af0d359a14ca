//! ioctl(2) on sockets (socket(7), netdevice(7), arp(7), tcp(7)).
//!
//! * `interface` what ifconfig(8) does;
//! * `route` what route(8) does;
//! * `arp` what arp(8) does.

mod arp;
mod interface;
mod route;

use crate::call::Answer;
use crate::cx::Cx;
use crate::file::OpenFile;
use abi::Errno;
use abi::raw::ioctl::*;
use abi::table::SIOCOUTQNSD;
use std::net::Ipv4Addr;

use super::{Socket, address};

/// Serves the commands of sockets.
///
/// # Errors
/// `ENOTTY`: not one of them. `ENODEV`: no such interface. `EPERM`: only who rules the kernel changes its network. `EFAULT`.
pub(super) fn ioctl(cx: &mut Cx<'_>, f: &OpenFile, socket: &dyn Socket, cmd: u32) -> Answer {
    let addr = cx.arg(2);
    match cmd {
        FIONREAD => put_count(cx, addr, socket.unread(cx.kernel)?),
        TIOCOUTQ => put_count(cx, addr, socket.unsent(cx.kernel)?),
        SIOCOUTQNSD => put_count(cx, addr, socket.unqueued(cx.kernel)?),
        SIOCATMARK => put_count(cx, addr, usize::from(socket.at_mark(cx.kernel)?)),
        FIOSETOWN | SIOCSPGRP => {
            let owner = cx.get(addr)?;
            cx.set_owner(f, owner);
            Ok(0)
        }
        FIOGETOWN | SIOCGPGRP => {
            cx.put(addr, &f.owner.get());
            Ok(0)
        }
        SIOCADDRT | SIOCDELRT => route::change(cx, socket.common().family, addr, cmd == SIOCADDRT),
        SIOCGARP | SIOCSARP | SIOCDARP => arp::arp(cx, addr, cmd),
        _ => interface::ioctl(cx, socket.common().family, addr, cmd),
    }
}

fn put_count(cx: &mut Cx<'_>, addr: u64, count: usize) -> Answer {
    cx.put(addr, &i32::try_from(count).unwrap_or(i32::MAX));
    Ok(0)
}

/// The address in a `struct sockaddr_in` of 16 bytes; its family is not looked at, as in old programs it is 0.
fn ipv4_of(sockaddr: &[u8]) -> Result<Ipv4Addr, Errno> {
    let bytes = sockaddr.get(4..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map(|bytes| Ipv4Addr::from(*bytes)).ok_or(Errno::EINVAL)
}

/// How long the prefix of a network mask is.
///
/// # Errors
/// `EINVAL`: its ones are not all in front.
fn prefix_of(mask: Ipv4Addr) -> Result<u8, Errno> {
    let bits = mask.to_bits();
    let len = bits.leading_ones();
    let gaps = len < 32 && bits << len != 0;
    if gaps { Err(Errno::EINVAL) } else { u8::try_from(len).map_err(|_| Errno::EINVAL) }
}

fn sockaddr(ip: Ipv4Addr) -> Vec<u8> {
    address::emit(abi::raw::net::AF_INET, (ip, 0).into())
}
