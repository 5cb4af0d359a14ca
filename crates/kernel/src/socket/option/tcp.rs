//! `IPPROTO_TCP` (tcp(7)).

use super::{Row, Target, Value, flag, int, own};
use abi::Errno;
use abi::raw::net::*;
use tcpip::{Opt, TcpInfo};

const LEVEL: u32 = IPPROTO_TCP as u32;
/// linux/tcp.h; also the type of the control message.
pub(crate) const TCP_INQ: u32 = 36;

/// The only congestion control there is.
pub(crate) const CONGESTION: &[u8] = b"cubic";
/// `TCP_CA_NAME_MAX`: getsockopt(2) answers that many bytes.
const CONGESTION_LEN: usize = 16;
/// `sizeof (struct tcp_info)` of Linux 6.1.
const TCP_INFO_LEN: usize = 240;
/// `MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL`, in seconds.
const KEEP_SEC_MAX: i32 = 32_767;

pub(super) const ROWS: &[Row] = &[
    Row { name: TCP_NODELAY, value: Value::Flag { default: false, stack: Some(Opt::NoDelay) } },
    own(TCP_MAXSEG, Some(maxseg), Some(set_maxseg)),
    // Segments are never held back for it: what is sent is the same, in more packets.
    flag(TCP_CORK),
    number(TCP_KEEPIDLE, 7200, 1, KEEP_SEC_MAX, |sec| Opt::KeepIdle(sec.unsigned_abs())),
    number(TCP_KEEPINTVL, 75, 1, KEEP_SEC_MAX, |sec| Opt::KeepIntvl(sec.unsigned_abs())),
    number(TCP_KEEPCNT, 9, 1, 127, |count| Opt::KeepCnt(count.unsigned_abs())),
    int(TCP_SYNCNT, 6, 1, 127),
    own(TCP_LINGER2, Some(linger2), Some(set_linger2)),
    own(TCP_DEFER_ACCEPT, Some(deferred), Some(set_deferred)),
    own(TCP_WINDOW_CLAMP, Some(|t| remembered(t, TCP_WINDOW_CLAMP)), Some(set_window_clamp)),
    int(TCP_THIN_LINEAR_TIMEOUTS, 0, 0, 1),
    own(TCP_THIN_DUPACK, Some(|_| Ok(vec![0; 4])), Some(set_thin_dupack)),
    int(TCP_INQ, 0, 0, 1),
    own(TCP_INFO, Some(info), None),
    Row { name: TCP_QUICKACK, value: Value::Flag { default: true, stack: None } },
    own(TCP_CONGESTION, Some(congestion), Some(set_congestion)),
    number(TCP_USER_TIMEOUT, 0, 0, i32::MAX, |ms| Opt::UserTimeout(ms.unsigned_abs())),
    own(TCP_FASTOPEN, Some(|t| remembered(t, TCP_FASTOPEN)), Some(set_fastopen)),
    // As Linux answers it with net.ipv4.tcp_fastopen=0.
    own(TCP_FASTOPEN_CONNECT, Some(|_| Ok(vec![0; 4])), Some(|_, _| Err(Errno::EOPNOTSUPP))),
    int(TCP_NOTSENT_LOWAT, 0, i32::MIN, i32::MAX),
    int(TCP_SAVE_SYN, 0, 0, 0),
    // As Linux answers it without the tls module.
    own(TCP_ULP, Some(|_| Ok(Vec::new())), Some(|_, _| Err(Errno::ENOENT))),
    own(TCP_REPAIR, None, Some(|_, _| Err(Errno::EPERM))),
];

fn remembered(target: &mut Target<'_>, name: u32) -> Result<Vec<u8>, Errno> {
    Ok(target.common().value(LEVEL, name).unwrap_or(0).to_ne_bytes().to_vec())
}

/// How long FIN-WAIT-2 lasts, in seconds; `net.ipv4.tcp_fin_timeout` if it was not said, -1: not at all (net/ipv4/tcp.c).
fn linger2(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let usual = i32::try_from(target.k.net.stack.settings().tcp_fin_timeout).unwrap_or(i32::MAX);
    let set = target.common().value(LEVEL, TCP_LINGER2).filter(|sec| *sec != 0);
    Ok(set.unwrap_or(usual).to_ne_bytes().to_vec())
}

fn set_linger2(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    /// `TCP_FIN_TIMEOUT_MAX`.
    const MOST: i32 = 120;
    let sec = super::number((LEVEL, TCP_LINGER2), value)?;
    target.common().remember(LEVEL, TCP_LINGER2, sec.clamp(-1, MOST));
    Ok(())
}

/// How many may wait: remembered, since nobody comes with data in his SYN. Not of a connection (net/ipv4/tcp.c, do_tcp_setsockopt).
fn set_fastopen(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    /// `TCP_CLOSE`, `TCP_LISTEN`.
    const STATES: [u8; 2] = [7, 10];
    let most = super::number((LEVEL, TCP_FASTOPEN), value)?;
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    if most < 0 || !STATES.contains(&target.k.net.stack.tcp_info(id)?.state) {
        return Err(Errno::EINVAL);
    }
    target.common().remember(LEVEL, TCP_FASTOPEN, most);
    Ok(())
}

/// Half of `SOCK_MIN_RCVBUF` at least, or 0.
fn set_window_clamp(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    const LEAST: i32 = 1152;
    let asked = super::number((LEVEL, TCP_WINDOW_CLAMP), value)?;
    target.common().remember(LEVEL, TCP_WINDOW_CLAMP, if asked == 0 { 0 } else { asked.max(LEAST) });
    Ok(())
}

/// Taken and not obeyed, as by Linux since 4.13.
fn set_thin_dupack(_: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let asked = super::number((LEVEL, TCP_THIN_DUPACK), value)?;
    if (0..=1).contains(&asked) { Ok(()) } else { Err(Errno::EINVAL) }
}

const fn number(name: u32, default: i32, min: i32, max: i32, stack: fn(i32) -> Opt) -> Row {
    Row { name, value: Value::Int { default, min, max, stack: Some(stack) } }
}

/// Linux counts in retransmissions of its SYN-ACK, 1, 2, 4, … up to 120 seconds apart, and so shows the next larger sum of those
/// (net/ipv4/tcp.c, secs_to_retrans).
fn set_deferred(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    const RETRANSMISSIONS_MAX: u32 = 255;
    let asked = super::number((IPPROTO_TCP as u32, TCP_DEFER_ACCEPT), value)?;
    let asked = u32::try_from(asked).unwrap_or(0);
    let apart = |n: u32| 1_u32.checked_shl(n).map_or(120, |seconds| seconds.min(120));
    let sums = (0..RETRANSMISSIONS_MAX).scan(0, |sum, n| {
        *sum += apart(n);
        Some(*sum)
    });
    let seconds =
        if asked == 0 { 0 } else { sums.clone().find(|sum| *sum >= asked).or(sums.last()).unwrap_or(0) };
    super::apply(target, Some(Opt::DeferAccept(seconds)))
}

fn deferred(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    Ok(target.k.net.stack.options(id)?.defer_accept.to_ne_bytes().to_vec())
}

/// What segments carry on this connection, else what was asked for, else the RFC 9293 default.
fn maxseg(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    const DEFAULT: u32 = 536;
    let Some(id) = target.socket.inet() else { return Err(Errno::ENOPROTOOPT) };
    let stack = &target.k.net.stack;
    let current = stack.tcp_info(id).map_or(0, |info| info.snd_mss);
    let asked = stack.options(id).map_or(0, |options| u32::from(options.maxseg));
    let mss = [current, asked].into_iter().find(|mss| *mss != 0).unwrap_or(DEFAULT);
    Ok(mss.to_ne_bytes().to_vec())
}

fn set_maxseg(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let mss = super::number((IPPROTO_TCP as u32, TCP_MAXSEG), value)?;
    let mss = u16::try_from(mss).ok().filter(|mss| *mss == 0 || (88..=32_767).contains(mss));
    super::apply(target, Some(Opt::MaxSeg(mss.ok_or(Errno::EINVAL)?)))
}

fn congestion(_: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let mut name = CONGESTION.to_vec();
    name.resize(CONGESTION_LEN, 0);
    Ok(name)
}

fn set_congestion(_: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    match value.split(|byte| *byte == 0).next() {
        _ if value.is_empty() => Err(Errno::EINVAL),
        Some(CONGESTION) => Ok(()),
        _ => Err(Errno::ENOENT),
    }
}

fn info(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    Ok(info_bytes(&target.k.net.stack.tcp_info(id)?))
}

/// The fields that the stack knows, at their places in `struct tcp_info` (linux/tcp.h); the others are 0.
pub(crate) fn info_bytes(info: &TcpInfo) -> Vec<u8> {
    let mut bytes = vec![0; TCP_INFO_LEN];
    bytes[0] = info.state;
    (bytes[4], bytes[5]) = (info.backoff, info.options);
    // Bit fields of four bits each.
    bytes[6] = info.wscale.0 & 0xf | info.wscale.1 << 4;
    let unacked_segments = info.unacked.div_ceil(info.snd_mss.max(1));
    let fields = [
        (8, info.rto_us),
        (16, info.snd_mss),
        (20, info.rcv_mss),
        (24, unacked_segments),
        (68, info.rtt_us),
        (72, info.rttvar_us),
        (96, info.rcv_space),
        (100, info.total_retrans),
        (136, info.segs_out),
        (140, info.segs_in),
    ];
    for (at, value) in fields {
        bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    bytes
}
