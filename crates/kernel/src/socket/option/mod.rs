//! Socket options: one table for each level, one row for each option.
//!
//! A row says what values there are, what it is before it was set, and which option of the TCP/IP stack it is if
//! it is one. Those that change nothing here (a loopback network has no wireless acknowledgements) are remembered,
//! as programs read back what they set.

mod ip;
mod ipv6;
mod multicast;
pub(crate) mod netlink;
pub(crate) mod packet;
mod raw;
mod socket;
pub(crate) mod tcp;
pub(crate) mod udp;
mod udplite;

use crate::Kernel;
use crate::file::OpenFile;
use abi::Errno;
use abi::raw::net::{
    AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP,
    SO_BINDTODEVICE, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM, SOL_SOCKET, TCP_CONGESTION, TCP_ULP,
};
use tcpip::Opt;

use super::{Common, Socket};

/// One option.
struct Row {
    /// Its number.
    name: u32,
    value: Value,
}

/// What an option's values are.
enum Value {
    /// On or off: any `int`, read back as 0 or 1.
    Flag {
        /// Before it was set.
        default: bool,
        /// What the stack calls it.
        stack: Option<fn(bool) -> Opt>,
    },
    /// An `int`; `EINVAL` outside of `min` to `max`.
    Int {
        /// Before it was set.
        default: i32,
        min: i32,
        max: i32,
        /// What the stack calls it.
        stack: Option<fn(i32) -> Opt>,
    },
    /// Code of its own. `ENOPROTOOPT` where there is none.
    Own { get: Option<Get>, set: Option<Set> },
}

type Get = fn(&mut Target<'_>) -> Result<Vec<u8>, Errno>;
type Set = fn(&mut Target<'_>, &[u8]) -> Result<(), Errno>;

/// A remembered flag that is off at first.
const fn flag(name: u32) -> Row {
    Row { name, value: Value::Flag { default: false, stack: None } }
}

/// A remembered number.
const fn int(name: u32, default: i32, min: i32, max: i32) -> Row {
    Row { name, value: Value::Int { default, min, max, stack: None } }
}

/// Code of its own.
const fn own(name: u32, get: Option<Get>, set: Option<Set>) -> Row {
    Row { name, value: Value::Own { get, set } }
}

/// The socket whose option it is.
struct Target<'a> {
    k: &'a mut Kernel,
    f: &'a OpenFile,
    socket: &'a dyn Socket,
}

impl Target<'_> {
    fn common(&self) -> &Common {
        self.socket.common()
    }

    fn is_root(&self) -> bool {
        self.k.is_ruled_by_caller()
    }
}

/// setsockopt(2): which one is its level and name.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. `EINVAL`: too short, or out of range. `EPERM`, `EDOM`, `ENODEV`: socket(7).
pub(crate) fn set(
    k: &mut Kernel,
    f: &OpenFile,
    socket: &dyn Socket,
    which: (u32, u32),
    value: &[u8],
) -> Result<(), Errno> {
    // Looked at before the name (net/core/sock.c, net/ipv4/tcp.c).
    let strict = match which.0 {
        SOL_SOCKET => which.1 != SO_BINDTODEVICE,
        // Names have a length of their own.
        TCP => has_level(socket.common(), TCP) && !matches!(which.1, TCP_CONGESTION | TCP_ULP),
        UDP => is_udp(socket.common()),
        _ => false,
    };
    let known = find(socket.common(), which);
    if strict && value.len() < 4 && known.as_ref().err() != Some(&Errno::EOPNOTSUPP) {
        return Err(Errno::EINVAL);
    }
    let row = known?;
    let mut target = Target { k, f, socket };
    match row.value {
        Value::Flag { stack, .. } => {
            let on = number(which, value)? != 0;
            apply(&mut target, stack.map(|opt| opt(on)))?;
            target.common().remember(which.0, which.1, i32::from(on));
        }
        Value::Int { min, max, stack, .. } => {
            let value = number(which, value)?;
            if !(min..=max).contains(&value) {
                return Err(Errno::EINVAL);
            }
            apply(&mut target, stack.map(|opt| opt(value)))?;
            target.common().remember(which.0, which.1, value);
        }
        Value::Own { set: Some(set), .. } => set(&mut target, value)?,
        Value::Own { set: None, .. } => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

/// getsockopt(2): the whole value; the caller cuts it to `room` bytes.
///
/// # Errors
/// `ENOPROTOOPT`: no such option. Others: socket(7).
pub(crate) fn get(
    k: &mut Kernel,
    f: &OpenFile,
    socket: &dyn Socket,
    which: (u32, u32),
    room: usize,
) -> Result<Vec<u8>, Errno> {
    let common = socket.common();
    let row = find(common, which).map_err(|errno| match errno {
        // A level that is not its own (net/ipv4/ip_sockglue.c, ip_getsockopt).
        Errno::ENOPROTOOPT if common.family == AF_INET && !has_level(common, which.0) => Errno::EOPNOTSUPP,
        errno => errno,
    })?;
    let set = common.value(which.0, which.1);
    let value = match row.value {
        Value::Flag { default, .. } => int_bytes(set.unwrap_or(i32::from(default))),
        Value::Int { default, .. } => int_bytes(set.unwrap_or(default)),
        Value::Own { get: Some(get), .. } => get(&mut Target { k, f, socket })?,
        Value::Own { get: None, .. } => return Err(Errno::ENOPROTOOPT),
    };
    Ok(narrowed(which.0, value, room))
}

const IP: u32 = IPPROTO_IP as u32;
const IPV6: u32 = IPPROTO_IPV6 as u32;
const TCP: u32 = IPPROTO_TCP as u32;

const UDP: u32 = IPPROTO_UDP as u32;

fn is_udp(common: &Common) -> bool {
    matches!(common.family, AF_INET | AF_INET6) && common.kind == SOCK_DGRAM && common.protocol == UDP
}

fn is_udplite(common: &Common) -> bool {
    matches!(common.family, AF_INET | AF_INET6) && common.protocol == udplite::LEVEL
}

fn has_level(common: &Common, level: u32) -> bool {
    match level {
        SOL_SOCKET | IP => true,
        TCP => common.kind == SOCK_STREAM,
        UDP => is_udp(common),
        _ => false,
    }
}

fn find(common: &Common, (level, name): (u32, u32)) -> Result<&'static Row, Errno> {
    let inet = matches!(common.family, AF_INET | AF_INET6);
    let rows = match level {
        SOL_SOCKET => socket::ROWS,
        // An IPv6 socket has the IPv4 options too: it may speak both.
        IP if inet && (common.family, common.kind) != (AF_INET6, SOCK_RAW) => ip::ROWS,
        IPV6 if common.family == AF_INET6 => ipv6::ROWS,
        raw::LEVEL if common.family == AF_INET && common.kind == SOCK_RAW => raw::ROWS,
        raw::LEVEL_ICMPV6 if common.family == AF_INET6 && common.kind == SOCK_RAW => raw::ROWS_ICMPV6,
        packet::LEVEL if common.family == AF_PACKET => packet::ROWS,
        TCP if inet && common.kind == SOCK_STREAM => tcp::ROWS,
        udp::LEVEL if is_udp(common) || is_udplite(common) => udp::ROWS,
        udplite::LEVEL if is_udplite(common) => udplite::ROWS,
        netlink::LEVEL if common.family == AF_NETLINK => netlink::ROWS,
        _ if inet || matches!(common.family, AF_NETLINK | AF_PACKET) => return Err(Errno::ENOPROTOOPT),
        _ => return Err(Errno::EOPNOTSUPP),
    };
    let more = match level {
        IP | IPV6 => multicast::ROWS,
        udplite::LEVEL => udp::ROWS,
        _ => &[],
    };
    rows.iter().chain(more).find(|row| row.name == name).ok_or(Errno::ENOPROTOOPT)
}

fn apply(target: &mut Target<'_>, opt: Option<Opt>) -> Result<(), Errno> {
    match (target.socket.inet(), opt) {
        (Some(id), Some(opt)) => target.k.net.stack.set_option(id, opt),
        _ => Ok(()),
    }
}

/// A number as setsockopt(2) takes it: an `int`. The IPv4 level takes one byte too, or none at all for 0, but for
/// some options (net/ipv4/ip_sockglue.c); the IPv6 level has some where a short value is 0.
fn number((level, name): (u32, u32), value: &[u8]) -> Result<i32, Errno> {
    if let Some(bytes) = value.first_chunk::<4>() {
        return Ok(i32::from_ne_bytes(*bytes));
    }
    match (level, value) {
        (IP, [byte, ..]) => Ok(i32::from(*byte)),
        (IP, []) if !ip::NOT_EMPTY.contains(&name) => Ok(0),
        (IPV6, _) if ipv6::MAY_BE_SHORT.contains(&name) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// At the IPv4 level a small number is one byte if there is no room for more.
fn narrowed(level: u32, value: Vec<u8>, room: usize) -> Vec<u8> {
    match value.as_slice() {
        [byte, 0, 0, 0] if level == IP && room < 4 => vec![*byte],
        _ => value,
    }
}

fn int_bytes(value: i32) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}
