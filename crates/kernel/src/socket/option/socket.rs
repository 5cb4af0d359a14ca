//! `SOL_SOCKET` (socket(7), unix(7)).

use super::{Row, Target, Value, flag, int, int_bytes, own};
use crate::socket::Direction;
use crate::socket::ancillary::{SO_TIMESTAMP, SO_TIMESTAMPING, SO_TIMESTAMPNS};
use crate::socket::common::BUFFER;
use abi::Errno;
use abi::layout::{Linger, Timeval};
use abi::raw::net::*;
use tcpip::{LinkId, Opt, Options, Settings};
use zerocopy::{FromBytes, IntoBytes};

// asm-generic/socket.h; the names of the 64-bit forms are the kernel's own.
const SO_RCVTIMEO_NEW: u32 = 66;
const SO_SNDTIMEO_NEW: u32 = 67;

/// `SOF_TIMESTAMPING_MASK` of Linux 6.1.
const TIMESTAMPING_FLAGS: i32 = (1 << 17) - 1;
/// That of the first network namespace; the rump kernel has no other (net/core/net_namespace.c).
const NETNS_COOKIE: u64 = 1;
/// `SKF_AD_MAX`: the ancillary data that packet filters can read.
const BPF_EXTENSIONS: i32 = 64;

/// `SOCK_MIN_SNDBUF`.
const SNDBUF_MIN: i32 = 4608;
/// `SOCK_MIN_RCVBUF`.
const RCVBUF_MIN: i32 = 2304;
/// Larger values than `wmem_max` are for root, up to this.
const FORCED_MAX: i32 = i32::MAX / 2;

pub(super) const ROWS: &[Row] = &[
    flag(SO_DEBUG),
    Row { name: SO_REUSEADDR, value: Value::Flag { default: false, stack: Some(Opt::ReuseAddr) } },
    own(SO_TYPE, Some(|t| Ok(int_bytes(t.common().kind.cast_signed()))), None),
    own(SO_ERROR, Some(error), None),
    flag(SO_DONTROUTE),
    Row { name: SO_BROADCAST, value: Value::Flag { default: false, stack: Some(Opt::Broadcast) } },
    own(SO_SNDBUF, Some(sndbuf), Some(|t, v| set_sndbuf(t, v, narrow(settings(t).wmem_max)))),
    own(SO_RCVBUF, Some(rcvbuf), Some(|t, v| set_rcvbuf(t, v, narrow(settings(t).rmem_max)))),
    Row { name: SO_KEEPALIVE, value: Value::Flag { default: false, stack: Some(Opt::KeepAlive) } },
    Row { name: SO_OOBINLINE, value: Value::Flag { default: false, stack: Some(Opt::OobInline) } },
    own(SO_PRIORITY, Some(|t| remembered(t, SO_PRIORITY, 0)), Some(set_priority)),
    own(SO_LINGER, Some(linger), Some(set_linger)),
    own(SO_REUSEPORT, Some(|t| remembered(t, SO_REUSEPORT, 0)), Some(set_reuseport)),
    own(
        SO_PASSCRED,
        Some(|t| credentials_flag(t, SO_PASSCRED)),
        Some(|t, v| set_credentials_flag(t, SO_PASSCRED, v)),
    ),
    own(
        SO_PASSSEC,
        Some(|t| credentials_flag(t, SO_PASSSEC)),
        Some(|t, v| set_credentials_flag(t, SO_PASSSEC, v)),
    ),
    own(SO_PEERCRED, Some(|t| Ok(t.socket.peer_credentials(t.k).as_bytes().to_vec())), None),
    own(SO_RCVLOWAT, Some(|t| remembered(t, SO_RCVLOWAT, 1)), Some(set_rcvlowat)),
    own(SO_SNDLOWAT, Some(|_| Ok(int_bytes(1))), None),
    own(
        SO_RCVTIMEO,
        Some(|t| timeout(t, Direction::Receive)),
        Some(|t, v| set_timeout(t, v, Direction::Receive)),
    ),
    own(SO_SNDTIMEO, Some(|t| timeout(t, Direction::Send)), Some(|t, v| set_timeout(t, v, Direction::Send))),
    own(
        SO_RCVTIMEO_NEW,
        Some(|t| timeout(t, Direction::Receive)),
        Some(|t, v| set_timeout(t, v, Direction::Receive)),
    ),
    own(
        SO_SNDTIMEO_NEW,
        Some(|t| timeout(t, Direction::Send)),
        Some(|t, v| set_timeout(t, v, Direction::Send)),
    ),
    own(SO_BINDTODEVICE, Some(device), Some(set_device)),
    own(SO_DETACH_FILTER, None, Some(detach_filter)),
    own(SO_TIMESTAMP, Some(|t| remembered(t, SO_TIMESTAMP, 0)), Some(|t, v| set_stamp(t, SO_TIMESTAMP, v))),
    own(
        SO_TIMESTAMPNS,
        Some(|t| remembered(t, SO_TIMESTAMPNS, 0)),
        Some(|t, v| set_stamp(t, SO_TIMESTAMPNS, v)),
    ),
    own(SO_TIMESTAMPING, Some(timestamping), Some(set_timestamping)),
    own(SO_PEERNAME, Some(|t| t.socket.peer(t.k)), None),
    // The bytes are the same without a checksum.
    flag(SO_NO_CHECK),
    // "Not implemented" since Linux 2.1 (socket(7)).
    own(SO_BSDCOMPAT, Some(|_| Ok(int_bytes(0))), Some(|_, _| Ok(()))),
    own(SO_BPF_EXTENSIONS, Some(|_| Ok(int_bytes(BPF_EXTENSIONS))), None),
    own(SO_MEMINFO, Some(memory), None),
    own(SO_INCOMING_NAPI_ID, Some(|_| Ok(int_bytes(0))), None),
    own(SO_BINDTOIFINDEX, Some(|t| remembered(t, SO_BINDTODEVICE, 0)), Some(set_interface)),
    own(SO_ACCEPTCONN, Some(|t| Ok(int_bytes(i32::from(t.socket.is_listening(t.k))))), None),
    own(SO_SNDBUFFORCE, None, Some(|t, v| forced(t).and_then(|()| set_sndbuf(t, v, FORCED_MAX)))),
    own(SO_RCVBUFFORCE, None, Some(|t, v| forced(t).and_then(|()| set_rcvbuf(t, v, FORCED_MAX)))),
    own(SO_MARK, Some(|t| remembered(t, SO_MARK, 0)), Some(set_mark)),
    own(SO_PROTOCOL, Some(|t| Ok(int_bytes(t.common().protocol.cast_signed()))), None),
    own(SO_DOMAIN, Some(|t| Ok(int_bytes(t.common().family.cast_signed()))), None),
    flag(SO_RXQ_OVFL),
    flag(SO_WIFI_STATUS),
    own(SO_PEEK_OFF, Some(|t| peeks(t).and_then(|()| remembered(t, SO_PEEK_OFF, -1))), Some(set_peek_off)),
    flag(SO_NOFCS),
    flag(SO_LOCK_FILTER),
    flag(SO_SELECT_ERR_QUEUE),
    own(SO_BUSY_POLL, Some(|t| remembered(t, SO_BUSY_POLL, 0)), Some(set_busy_poll)),
    own(SO_MAX_PACING_RATE, Some(pacing), Some(set_pacing)),
    int(SO_INCOMING_CPU, -1, i32::MIN, i32::MAX),
    own(SO_NETNS_COOKIE, Some(|_| Ok(NETNS_COOKIE.to_ne_bytes().to_vec())), None),
    own(SO_COOKIE, Some(|t| Ok(t.f.object.0.to_ne_bytes().to_vec())), None),
];

fn error(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    Ok(int_bytes(target.socket.take_error(target.k).map_or(0, Errno::number)))
}

fn remembered(target: &mut Target<'_>, name: u32, default: i32) -> Result<Vec<u8>, Errno> {
    Ok(int_bytes(target.common().value(SOL_SOCKET, name).unwrap_or(default)))
}

/// Only sockets whose messages can say who sent them have these (net/core/sock.c, sk_may_scm_recv).
fn names_senders(target: &Target<'_>) -> Result<(), Errno> {
    if matches!(target.common().family, AF_UNIX | AF_NETLINK) { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

fn credentials_flag(target: &mut Target<'_>, name: u32) -> Result<Vec<u8>, Errno> {
    names_senders(target)?;
    remembered(target, name, 0)
}

fn set_credentials_flag(target: &mut Target<'_>, name: u32, value: &[u8]) -> Result<(), Errno> {
    names_senders(target)?;
    target.common().remember(SOL_SOCKET, name, i32::from(number(value)? != 0));
    Ok(())
}

fn options(target: &Target<'_>) -> Option<Options> {
    target.k.net.stack.options(target.socket.inet()?).ok()
}

fn settings<'a>(target: &'a Target<'_>) -> &'a Settings {
    target.k.net.stack.settings()
}

fn narrow(size: u32) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}

fn sndbuf(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    match options(target) {
        Some(options) => Ok(options.sndbuf.to_ne_bytes().to_vec()),
        None => remembered(target, SO_SNDBUF, BUFFER),
    }
}

fn rcvbuf(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    match options(target) {
        Some(options) => Ok(options.rcvbuf.to_ne_bytes().to_vec()),
        None => remembered(target, SO_RCVBUF, BUFFER),
    }
}

/// A negative size is a large one (net/core/sock.c, sock_setsockopt).
fn limited(asked: i32, max: i32) -> i32 {
    if asked < 0 { max } else { asked.min(max) }
}

fn set_sndbuf(target: &mut Target<'_>, value: &[u8], max: i32) -> Result<(), Errno> {
    let asked = limited(number(value)?, max);
    super::apply(target, Some(Opt::SndBuf(u32::try_from(asked).unwrap_or(0))))?;
    // Linux doubles it, for its own bookkeeping (socket(7)).
    target.common().remember(SOL_SOCKET, SO_SNDBUF, asked.saturating_mul(2).max(SNDBUF_MIN));
    Ok(())
}

fn set_rcvbuf(target: &mut Target<'_>, value: &[u8], max: i32) -> Result<(), Errno> {
    let asked = limited(number(value)?, max);
    super::apply(target, Some(Opt::RcvBuf(u32::try_from(asked).unwrap_or(0))))?;
    target.common().remember(SOL_SOCKET, SO_RCVBUF, asked.saturating_mul(2).max(RCVBUF_MIN));
    Ok(())
}

/// Streams wait for so many bytes. 0 is 1, a negative number all there can be.
fn set_rcvlowat(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let bytes = match number(value)? {
        0 => 1,
        bytes if bytes < 0 => i32::MAX,
        bytes => bytes,
    };
    super::apply(target, Some(Opt::RcvLowAt(bytes.unsigned_abs())))?;
    target.common().remember(SOL_SOCKET, SO_RCVLOWAT, bytes);
    Ok(())
}

fn set_peek_off(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    peeks(target)?;
    target.common().remember(SOL_SOCKET, SO_PEEK_OFF, number(value)?);
    Ok(())
}

/// Linux has it for datagrams, too.
fn peeks(target: &Target<'_>) -> Result<(), Errno> {
    let (family, kind) = (target.common().family, target.common().kind);
    let stream = kind == SOCK_STREAM && matches!(family, AF_INET | AF_INET6 | AF_UNIX);
    if stream { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

fn number(value: &[u8]) -> Result<i32, Errno> {
    value.first_chunk::<4>().map(|bytes| i32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)
}

fn forced(target: &Target<'_>) -> Result<(), Errno> {
    if target.is_root() { Ok(()) } else { Err(Errno::EPERM) }
}

fn detach_filter(target: &mut Target<'_>, _: &[u8]) -> Result<(), Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOENT)?;
    target.k.net.stack.set_filter(id, None)
}

/// Priorities above 6 are for CAP_NET_ADMIN.
fn set_priority(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let priority = number(value)?;
    if !(0..=6).contains(&priority) {
        forced(target)?;
    }
    target.common().remember(SOL_SOCKET, SO_PRIORITY, priority);
    Ok(())
}

fn set_mark(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let mark = number(value)?;
    forced(target)?;
    super::apply(target, Some(Opt::Mark(mark.cast_unsigned())))?;
    target.common().remember(SOL_SOCKET, SO_MARK, mark);
    Ok(())
}

/// Only CAP_NET_ADMIN may raise it.
fn set_busy_poll(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let usec = number(value)?;
    if usec < 0 {
        return Err(Errno::EINVAL);
    }
    if usec > target.common().value(SOL_SOCKET, SO_BUSY_POLL).unwrap_or(0) {
        forced(target)?;
    }
    target.common().remember(SOL_SOCKET, SO_BUSY_POLL, usec);
    Ok(())
}

/// Nothing is paced; all ones stand for no limit.
fn pacing(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let rate = target.common().value(SOL_SOCKET, SO_MAX_PACING_RATE).map_or(u32::MAX, i32::cast_unsigned);
    let rate = if rate == u32::MAX { u64::MAX } else { rate.into() };
    Ok(rate.to_ne_bytes().to_vec())
}

/// 32 or 64 bits.
fn set_pacing(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let rate = match value.first_chunk() {
        Some(bytes) => u32::try_from(u64::from_ne_bytes(*bytes)).unwrap_or(u32::MAX),
        None => number(value)?.cast_unsigned(),
    };
    target.common().remember(SOL_SOCKET, SO_MAX_PACING_RATE, rate.cast_signed());
    Ok(())
}

/// `struct so_timestamping`: flags, and the number of a card's clock.
fn timestamping(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let flags = target.common().value(SOL_SOCKET, SO_TIMESTAMPING).unwrap_or(0);
    Ok([flags, 0].map(i32::to_ne_bytes).concat())
}

/// One of the two at most is on, and either takes both away (net/core/sock.c, sock_set_timestamp).
fn set_stamp(target: &mut Target<'_>, name: u32, value: &[u8]) -> Result<(), Errno> {
    let on = number(value)? != 0;
    for stamp in [SO_TIMESTAMP, SO_TIMESTAMPNS] {
        target.common().remember(SOL_SOCKET, stamp, i32::from(on && stamp == name));
    }
    Ok(())
}

/// What came in is stamped. Of what is sent no stamps are made.
fn set_timestamping(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let flags = number(value)?;
    if flags & !TIMESTAMPING_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    target.common().remember(SOL_SOCKET, SO_TIMESTAMPING, flags);
    Ok(())
}

/// `SK_MEMINFO_*` (linux/sock_diag.h): received, its limit, to be sent, its limit, and what only Linux counts.
fn memory(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let queued = |count: Result<usize, Errno>| u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX);
    let (unread, unsent) = (target.socket.unread(target.k), target.socket.unsent(target.k));
    let limit = |bytes: Vec<u8>| bytes.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    let (rcvbuf, sndbuf) = (limit(rcvbuf(target)?), limit(sndbuf(target)?));
    let all = [queued(unread), rcvbuf, queued(unsent), sndbuf, 0, 0, 0, 0, 0];
    Ok(all.map(u32::to_ne_bytes).concat())
}

/// `SO_BINDTODEVICE` by number.
fn set_interface(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let index = u32::try_from(number(value)?).map_err(|_| Errno::EINVAL)?;
    let link = (index != 0).then(|| LinkId::from_index(index));
    super::apply(target, Some(Opt::BindToDevice(link)))?;
    target.common().remember(SOL_SOCKET, SO_BINDTODEVICE, index.cast_signed());
    Ok(())
}

fn linger(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let sec = target.common().value(SOL_SOCKET, SO_LINGER);
    let raw =
        Linger { l_onoff: i32::from(sec.is_some_and(|sec| sec >= 0)), l_linger: sec.unwrap_or(0).max(0) };
    Ok(raw.as_bytes().to_vec())
}

/// Remembered in seconds, off as -1.
fn set_linger(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let (raw, _) = Linger::read_from_prefix(value).map_err(|_| Errno::EINVAL)?;
    let sec = (raw.l_onoff != 0).then_some(raw.l_linger.max(0));
    super::apply(target, Some(Opt::Linger(sec.map(i32::cast_unsigned))))?;
    target.common().remember(SOL_SOCKET, SO_LINGER, sec.unwrap_or(-1));
    Ok(())
}

fn timeout(target: &mut Target<'_>, direction: Direction) -> Result<Vec<u8>, Errno> {
    let ns = target.common().timeout_ns(direction).unwrap_or(0);
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let raw = Timeval { tv_sec: signed(ns / 1_000_000_000), tv_usec: signed(ns % 1_000_000_000 / 1000) };
    Ok(raw.as_bytes().to_vec())
}

/// 0 is without end; a negative one does not wait at all (net/core/sock.c, sock_set_timeout).
fn set_timeout(target: &mut Target<'_>, value: &[u8], direction: Direction) -> Result<(), Errno> {
    let (raw, _) = Timeval::read_from_prefix(value).map_err(|_| Errno::EINVAL)?;
    let usec = u64::try_from(raw.tv_usec).ok().filter(|usec| *usec < 1_000_000).ok_or(Errno::EDOM)?;
    let limit = match u64::try_from(raw.tv_sec) {
        Err(_) => Some(0),
        Ok(0) if usec == 0 => None,
        Ok(sec) => Some(sec.saturating_mul(1_000_000_000).saturating_add(usec * 1000)),
    };
    target.common().set_timeout_ns(direction, limit);
    Ok(())
}

/// The name of the interface with its NUL, nothing if it is not bound to one.
fn device(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let bound = target.common().value(SOL_SOCKET, SO_BINDTODEVICE).unwrap_or(0);
    let link =
        target.k.net.stack.links().into_iter().find(|link| i64::from(link.id.index()) == i64::from(bound));
    Ok(link.map_or_else(Vec::new, |link| [link.name.as_bytes(), &[0]].concat()))
}

/// The socket sends to and receives from that interface alone.
fn set_device(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
    let link = if name.is_empty() {
        None
    } else {
        let name = str::from_utf8(name).map_err(|_| Errno::ENODEV)?;
        Some(target.k.net.stack.link_named(name).ok_or(Errno::ENODEV)?)
    };
    super::apply(target, Some(Opt::BindToDevice(link)))?;
    let index = link.map_or(Ok(0), |link| i32::try_from(link.index())).map_err(|_| Errno::ENODEV)?;
    target.common().remember(SOL_SOCKET, SO_BINDTODEVICE, index);
    Ok(())
}

/// Of the Internet's sockets alone, but for 0 (net/core/sock.c, sk_setsockopt).
fn set_reuseport(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let on = super::number((SOL_SOCKET, SO_REUSEPORT), value)? != 0;
    if on && target.socket.inet().is_none() {
        return Err(Errno::EOPNOTSUPP);
    }
    super::apply(target, Some(Opt::ReusePort(on)))?;
    target.common().remember(SOL_SOCKET, SO_REUSEPORT, i32::from(on));
    Ok(())
}
