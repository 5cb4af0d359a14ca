//! Values in a netspec.

use std::net::IpAddr;
use std::num::NonZeroU64;
use tcpip::Mac;
use tcpip::fault::Share;

/// An Ethernet address of one station, as `02:00:00:00:00:01`.
pub(crate) fn mac(text: &str) -> Result<Mac, String> {
    let mac: Mac = text.parse().map_err(|_| {
        format!("'{text}' is no Ethernet address: expected six hexadecimal bytes, as in 02:00:00:00:00:01")
    })?;
    if !mac.is_unicast() {
        return Err(format!(
            "'{text}' is no station's Ethernet address: the first byte must be even, and not all be 0"
        ));
    }
    Ok(mac)
}

/// An address and the length of its prefix, as `10.0.0.1/24` or `fd00::1/64`.
pub(crate) fn prefix(text: &str) -> Result<(IpAddr, u8), String> {
    let bad = || {
        format!(
            "'{text}' is no address with a prefix length: expected ADDRESS/LENGTH, as in 10.0.0.1/24 or fd00::1/64"
        )
    };
    let (ip, len) = text.split_once('/').ok_or_else(bad)?;
    let ip: IpAddr = ip.parse().map_err(|_| bad())?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let len = len.parse().ok().filter(|len| *len <= most).ok_or_else(bad)?;
    if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
        return Err(format!("'{text}' is no host's address on a link"));
    }
    Ok((ip, len))
}

/// A network and the gateway to it, as `10.1.0.0/16 via 10.0.0.9`.
pub(crate) fn route(text: &str) -> Result<(IpAddr, u8, IpAddr), String> {
    let bad =
        || format!("'{text}' is no route: expected NET/LENGTH via ADDRESS, as in 10.1.0.0/16 via 10.0.0.9");
    let (net, gateway) = text.split_once(" via ").ok_or_else(bad)?;
    let (ip, len) = prefix(net.trim()).map_err(|_| bad())?;
    let gateway: IpAddr = gateway.trim().parse().map_err(|_| bad())?;
    if ip.is_ipv4() != gateway.is_ipv4() {
        return Err(format!("'{text}' has addresses of two families"));
    }
    Ok((ip, len, gateway))
}

/// A bare address.
pub(crate) fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("'{text}' is no IP address"))
}

/// A domain's name (RFC 1035, section 2.3.1).
pub(crate) fn domain(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len()) && label.chars().all(letters)
    };
    let name = text.trim_end_matches('.');
    match name.len() <= 253 && name.split('.').all(label) {
        true => Ok(name.to_owned()),
        false => Err(format!("'{text}' is no domain's name, as example.org is")),
    }
}

/// `yes` or `no`.
pub(crate) fn yes_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("'{text}' is neither yes nor no")),
    }
}

/// A whole number.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("'{text}' is no whole number"))
}

/// The number of a descriptor.
pub(crate) fn descriptor(text: &str) -> Result<i32, String> {
    let number = text.parse().ok().filter(|fd| *fd >= 0);
    number.ok_or_else(|| format!("'{text}' is no descriptor's number"))
}

/// What needs no unit.
const NOTHING: &str = "0";

/// A probability, as `2%` or `0.1%`; nothing is `0`, too.
pub(crate) fn share(text: &str) -> Result<Share, String> {
    let bad = || format!("'{text}' is no share: expected 0% to 100%, as in 2% or 0.1%");
    let percent = text.strip_suffix('%').or((text == NOTHING).then_some(text)).ok_or_else(bad)?;
    let ppm = decimal(percent, 10_000).ok_or_else(bad)?;
    u32::try_from(ppm).ok().and_then(Share::from_ppm).ok_or_else(bad)
}

/// A span of time in nanoseconds, as `10ms`, `1.5s` or `250us`; none is `0`, too.
pub(crate) fn time_ns(text: &str) -> Result<u64, String> {
    const UNITS: &[(&str, u64)] = &[("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    with_unit(text, UNITS)
        .or((text == NOTHING).then_some(0))
        .ok_or_else(|| format!("'{text}' is no time: expected a number and s, ms, us or ns, as in 10ms"))
}

/// Bits per second, as `10mbit`.
pub(crate) fn rate_bps(text: &str) -> Result<NonZeroU64, String> {
    const UNITS: &[(&str, u64)] = &[("kbit", 1000), ("mbit", 1_000_000), ("gbit", 1_000_000_000), ("bit", 1)];
    with_unit(text, UNITS).and_then(NonZeroU64::new).ok_or_else(|| {
        format!("'{text}' is no rate: expected a number above 0 and bit, kbit, mbit or gbit, as in 10mbit")
    })
}

/// A time as [`time_ns`] reads it.
pub(crate) fn show_time(ns: u64) -> String {
    const UNITS: &[(u64, &str)] = &[(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us"), (1, "ns")];
    show_with_unit(ns, UNITS)
}

/// A rate as [`rate_bps`] reads it.
pub(crate) fn show_rate(bps: u64) -> String {
    const UNITS: &[(u64, &str)] = &[(1_000_000_000, "gbit"), (1_000_000, "mbit"), (1000, "kbit"), (1, "bit")];
    show_with_unit(bps, UNITS)
}

/// A share as [`share`] reads it.
pub(crate) fn show_share(share: Share) -> String {
    format!("{}%", f64::from(share.ppm()) / 10_000.0)
}

fn show_with_unit(value: u64, units: &[(u64, &str)]) -> String {
    let whole = units.iter().find(|(unit, _)| value != 0 && value.is_multiple_of(*unit));
    let (unit, name) = whole.or(units.last()).copied().unwrap_or((1, ""));
    format!("{}{name}", value / unit)
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
    decimal(number, unit)
}

/// `text` times `unit`; digits behind the point that the unit does not have are cut off.
fn decimal(text: &str, unit: u64) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
    let part = part.parse::<u128>().ok()? * u128::from(unit) / scale;
    whole.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones() {
        assert_eq!(mac("02:00:0a:FF:00:01"), Ok(Mac([2, 0, 10, 255, 0, 1])));
        assert_eq!(prefix("10.0.0.1/24"), Ok(("10.0.0.1".parse().unwrap(), 24)));
        assert_eq!(prefix("fd00::1/64"), Ok(("fd00::1".parse().unwrap(), 64)));
        assert_eq!(share("2.5%").map(Share::ppm), Ok(25_000));
        assert_eq!(share("100%").map(show_share), Ok("100%".to_owned()));
        assert_eq!(share("0.1%").map(show_share), Ok("0.1%".to_owned()));
        assert_eq!((share("0").map(Share::ppm), time_ns("0")), (Ok(0), Ok(0)));
        assert_eq!((time_ns("10ms"), time_ns("1.5s")), (Ok(10_000_000), Ok(1_500_000_000)));
        assert_eq!(show_time(10_000_000), "10ms");
        assert_eq!(show_time(0), "0ns");
        assert_eq!(rate_bps("10mbit").map(NonZeroU64::get), Ok(10_000_000));
        assert_eq!(show_rate(1_500_000), "1500kbit");
    }

    #[test]
    fn bad_ones_are_quoted() {
        let refused = [
            mac("02:00:00:00:00").map(drop),
            mac("01:00:00:00:00:01").map(drop),
            mac("02:00:00:00:00:01:02").map(drop),
            mac("+2:00:00:00:00:01").map(drop),
            prefix("10.0.0.1").map(drop),
            prefix("10.0.0.1/33").map(drop),
            prefix("224.0.0.1/24").map(drop),
            prefix("::/0").map(drop),
            route("10.0.0.0/8").map(drop),
            route("10.0.0.0/8 via fd00::1").map(drop),
            route("10.0.0.0 via 10.0.0.1").map(drop),
            share("2").map(drop),
            share("101%").map(drop),
            share("-1%").map(drop),
            share("1e2%").map(drop),
            time_ns("10").map(drop),
            time_ns("ms").map(drop),
            time_ns("99999999999999999s").map(drop),
            rate_bps("0mbit").map(drop),
            rate_bps("10mb").map(drop),
            yes_no("maybe").map(drop),
        ];
        for result in refused {
            assert!(result.is_err_and(|why| why.starts_with('\'')));
        }
    }
}
