//! What control messages ask for one datagram that is sent (ip(7), ipv6(7)).

use abi::Errno;
use abi::raw::net::{
    AF_INET6, IP_PKTINFO, IP_RETOPTS, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_DONTFRAG, IPV6_HOPLIMIT,
    IPV6_PKTINFO, IPV6_TCLASS, SO_MARK, SO_TIMESTAMPING_NEW, SO_TIMESTAMPING_OLD, SOL_SOCKET,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tcpip::{IpOptions, LinkId, Sending};

use super::Other;
use super::option::udp::{LEVEL as UDP, UDP_SEGMENT};

const IP: u32 = IPPROTO_IP as u32;
const IPV6: u32 = IPPROTO_IPV6 as u32;

/// For a socket of this family; `is_udp`: of UDP or UDP-Lite; `rules`: the caller may set marks. An IPv4 socket passes IPv6's messages over, as Linux does.
///
/// # Errors
/// `EINVAL`: out of range, malformed or unknown. `EPERM`: a mark.
pub(super) fn read(family: u32, (is_udp, rules): (bool, bool), messages: &[Other]) -> Result<Sending, Errno> {
    let mut how = Sending::default();
    for message in messages {
        match message.level {
            SOL_SOCKET => any(rules, message, &mut how)?,
            IP => ipv4(family, message, &mut how)?,
            IPV6 if family == AF_INET6 => ipv6(message, &mut how)?,
            UDP if is_udp => udp(message, &mut how)?,
            _ => {}
        }
    }
    Ok(how)
}

/// net/core/sock.c, __sock_cmsg_send.
fn any(rules: bool, message: &Other, how: &mut Sending) -> Result<(), Errno> {
    /// `SOF_TIMESTAMPING_TX_RECORD_MASK`.
    const RECORDED: u32 = 0x303;
    let number = message.data.as_slice().try_into().map(u32::from_ne_bytes).map_err(|_| Errno::EINVAL);
    match message.kind {
        SO_MARK if !rules => Err(Errno::EPERM),
        SO_MARK => number.map(|mark| how.mark = Some(mark)),
        // What is sent is not stamped, whoever asks.
        SO_TIMESTAMPING_OLD | SO_TIMESTAMPING_NEW if number? & !RECORDED == 0 => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// net/ipv4/ip_sockglue.c, ip_cmsg_send.
fn ipv4(family: u32, message: &Other, how: &mut Sending) -> Result<(), Errno> {
    match (message.kind, message.data.as_slice()) {
        (IP_TTL, data) => how.ttl = Some(byte(data).filter(|ttl| *ttl > 0).ok_or(Errno::EINVAL)?),
        (IP_TOS, [tos]) => how.tos = Some(*tos),
        (IP_TOS, data) => how.tos = Some(byte(data).ok_or(Errno::EINVAL)?),
        // Unknown options are for who may have them by setsockopt(2).
        (IP_RETOPTS, data) => how.options = Some(IpOptions::new(data, false)?),
        // struct in_pktinfo: interface, source, destination.
        (IP_PKTINFO, &[i0, i1, i2, i3, a, b, c, d, _, _, _, _]) => {
            how.link = link(u32::from_ne_bytes([i0, i1, i2, i3]));
            let ip = Ipv4Addr::new(a, b, c, d);
            if !ip.is_unspecified() {
                let mapped = family == AF_INET6;
                how.source = Some(if mapped { ip.to_ipv6_mapped().into() } else { ip.into() });
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// net/ipv6/datagram.c, ip6_datagram_send_ctl.
fn ipv6(message: &Other, how: &mut Sending) -> Result<(), Errno> {
    let data = message.data.as_slice();
    match message.kind {
        IPV6_HOPLIMIT => how.ttl = byte_or_default(data)?,
        IPV6_TCLASS => how.tos = byte_or_default(data)?,
        IPV6_DONTFRAG if data.len() == 4 => how.dontfrag = Some(int(data) != Some(0)),
        // struct in6_pktinfo: source, interface.
        IPV6_PKTINFO if data.len() >= 20 => {
            let ip = data.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes)).ok_or(Errno::EINVAL)?;
            how.source = Some(IpAddr::from(ip)).filter(|ip| !ip.is_unspecified());
            how.link = data[16..].first_chunk::<4>().and_then(|bytes| link(u32::from_ne_bytes(*bytes)));
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// net/ipv4/udp.c, __udp_cmsg_send.
fn udp(message: &Other, how: &mut Sending) -> Result<(), Errno> {
    match (message.kind, message.data.as_slice()) {
        (UDP_SEGMENT, &[a, b]) => how.segment_size = Some(u16::from_ne_bytes([a, b])),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// An interface by its index; 0: any.
fn link(index: u32) -> Option<LinkId> {
    (index != 0).then(|| LinkId::from_index(index))
}

fn int(data: &[u8]) -> Option<i32> {
    data.try_into().ok().map(i32::from_ne_bytes)
}

fn byte(data: &[u8]) -> Option<u8> {
    u8::try_from(int(data)?).ok()
}

/// -1 stands for the socket's own.
fn byte_or_default(data: &[u8]) -> Result<Option<u8>, Errno> {
    match int(data).ok_or(Errno::EINVAL)? {
        -1 => Ok(None),
        number => u8::try_from(number).map(Some).map_err(|_| Errno::EINVAL),
    }
}
