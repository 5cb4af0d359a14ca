//! Options of raw sockets (raw(7), icmp(7), ipv6(7)).

use super::{Row, Target, int_bytes, own};
use abi::Errno;
use abi::raw::net::SOCK_RAW;
use tcpip::RawOptions;

/// `SOL_RAW`.
pub(super) const LEVEL: u32 = 255;
/// `SOL_ICMPV6`.
pub(super) const LEVEL_ICMPV6: u32 = 58;

const ICMP_FILTER: u32 = 1;
const ICMPV6_FILTER: u32 = 1;

pub(super) const ROWS: &[Row] = &[own(
    ICMP_FILTER,
    Some(|t| Ok(get(t)?.icmp_filter.to_ne_bytes().to_vec())),
    Some(|t, v| {
        let filter = v.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)?;
        change(t, |raw| raw.icmp_filter = filter)
    }),
)];

pub(super) const ROWS_ICMPV6: &[Row] = &[own(
    ICMPV6_FILTER,
    Some(|t| Ok(get(t)?.icmpv6_filter.iter().flat_map(|word| word.to_ne_bytes()).collect())),
    Some(|t, v| {
        let mut filter = get(t)?.icmpv6_filter;
        for (word, bytes) in filter.iter_mut().zip(v.as_chunks::<4>().0) {
            *word = u32::from_ne_bytes(*bytes);
        }
        change(t, |raw| raw.icmpv6_filter = filter)
    }),
)];

/// `IP_HDRINCL`.
pub(super) fn header_included(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    // Others have it, and it is off.
    let raw = target.common().kind == SOCK_RAW;
    Ok(int_bytes(i32::from(raw && get(target)?.header_included)))
}

pub(super) fn set_header_included(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let on = value
        .first_chunk::<4>()
        .map_or_else(|| value.first().copied().unwrap_or(0).into(), |b| i32::from_ne_bytes(*b));
    change(target, |raw| raw.header_included = on != 0)
}

/// `IPV6_CHECKSUM`: where the checksum is; -1: nowhere.
pub(super) fn checksum(target: &mut Target<'_>) -> Result<Vec<u8>, Errno> {
    Ok(int_bytes(get(target)?.checksum_at.map_or(-1, i32::from)))
}

pub(super) fn set_checksum(target: &mut Target<'_>, value: &[u8]) -> Result<(), Errno> {
    let at = value.first_chunk::<4>().map(|b| i32::from_ne_bytes(*b)).ok_or(Errno::EINVAL)?;
    if target.common().protocol == LEVEL_ICMPV6 {
        // RFC 3542, section 3.1: it cannot be elsewhere.
        return if at == 2 { Ok(()) } else { Err(Errno::EINVAL) };
    }
    if at > 0 && at % 2 == 1 {
        return Err(Errno::EINVAL);
    }
    change(target, |raw| raw.checksum_at = u16::try_from(at).ok())
}

fn get(target: &Target<'_>) -> Result<RawOptions, Errno> {
    target.k.net.stack.raw_options(target.socket.inet().ok_or(Errno::ENOPROTOOPT)?)
}

fn change(target: &mut Target<'_>, change: impl FnOnce(&mut RawOptions)) -> Result<(), Errno> {
    let id = target.socket.inet().ok_or(Errno::ENOPROTOOPT)?;
    let mut options = target.k.net.stack.raw_options(id)?;
    change(&mut options);
    target.k.net.stack.set_raw_options(id, options)
}
