//! Socket options: one table for each level, one row for each option.
//!
//! A row says what values there are, what it is before it was set, and which option of the TCP/IP stack it is if
//! it is one. Those that change nothing here (a loopback network has no wireless acknowledgements) are remembered,
//! as programs read back what they set.

mod ip;
mod ipv6;
mod netlink;
mod socket;
mod tcp;

use crate::Kernel;
use crate::file::OpenFile;
use abi::Errno;
use abi::raw::net::{
    AF_INET, AF_INET6, AF_NETLINK, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOCK_STREAM, SOL_SOCKET,
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
        self.k.caller_credentials().uid == 0
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
    let row = find(socket.common(), which)?;
    let mut target = Target { k, f, socket };
    match row.value {
        Value::Flag { stack, .. } => {
            let on = number(which.0, value)? != 0;
            apply(&mut target, stack.map(|opt| opt(on)))?;
            target.common().remember(which.0, which.1, i32::from(on));
        }
        Value::Int { min, max, stack, .. } => {
            let value = number(which.0, value)?;
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
    let row = find(socket.common(), which)?;
    let set = socket.common().value(which.0, which.1);
    match row.value {
        Value::Flag { default, .. } => Ok(emit(which.0, set.unwrap_or(i32::from(default)), room)),
        Value::Int { default, .. } => Ok(emit(which.0, set.unwrap_or(default), room)),
        Value::Own { get: Some(get), .. } => get(&mut Target { k, f, socket }),
        Value::Own { get: None, .. } => Err(Errno::ENOPROTOOPT),
    }
}

fn find(common: &Common, (level, name): (u32, u32)) -> Result<&'static Row, Errno> {
    const IP: u32 = IPPROTO_IP as u32;
    const IPV6: u32 = IPPROTO_IPV6 as u32;
    const TCP: u32 = IPPROTO_TCP as u32;
    let inet = matches!(common.family, AF_INET | AF_INET6);
    let rows = match level {
        SOL_SOCKET => socket::ROWS,
        // An IPv6 socket has the IPv4 options too: it may speak both.
        IP if inet => ip::ROWS,
        IPV6 if common.family == AF_INET6 => ipv6::ROWS,
        TCP if inet && common.kind == SOCK_STREAM => tcp::ROWS,
        netlink::LEVEL if common.family == AF_NETLINK => netlink::ROWS,
        _ if inet || common.family == AF_NETLINK => return Err(Errno::ENOPROTOOPT),
        _ => return Err(Errno::EOPNOTSUPP),
    };
    rows.iter().find(|row| row.name == name).ok_or(Errno::ENOPROTOOPT)
}

fn apply(target: &mut Target<'_>, opt: Option<Opt>) -> Result<(), Errno> {
    match (target.socket.inet(), opt) {
        (Some(id), Some(opt)) => target.k.net.stack.set_option(id, opt),
        _ => Ok(()),
    }
}

/// A number as setsockopt(2) takes it: an `int`; at the IPv4 level one byte will do (net/ipv4/ip_sockglue.c).
fn number(level: u32, value: &[u8]) -> Result<i32, Errno> {
    match (value.first_chunk::<4>(), value.first()) {
        (Some(bytes), _) => Ok(i32::from_ne_bytes(*bytes)),
        (None, Some(byte)) if level == IPPROTO_IP as u32 => Ok(i32::from(*byte)),
        _ => Err(Errno::EINVAL),
    }
}

/// A number as getsockopt(2) answers it: an `int`; at the IPv4 level one byte if there is no more room.
fn emit(level: u32, value: i32, room: usize) -> Vec<u8> {
    match u8::try_from(value) {
        Ok(byte) if level == IPPROTO_IP as u32 && room < 4 => vec![byte],
        _ => value.to_ne_bytes().to_vec(),
    }
}

fn int_bytes(value: i32) -> Vec<u8> {
    value.to_ne_bytes().to_vec()
}
