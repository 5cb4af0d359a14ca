//! Options of an IPv4 header (RFC 791, section 3.1; RFC 2113): routes and times that are recorded on the way. Source routes are not
//! followed, as by default on Linux (`net.ipv4.conf.all.accept_source_route`).

use std::net::{IpAddr, Ipv4Addr};

use abi::Errno;
use smoltcp::wire::Ipv4Packet;

use crate::{Stack, frame::Frame, packet::IpPacket};

/// More do not fit behind the header.
const MOST: usize = 40;
const HEADER: usize = 20;

const END: u8 = 0;
const NOOP: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;
const ROUTER_ALERT: u8 = 148;

/// What a timestamp option records, the lower four bits of its fourth byte.
const TIMES_ONLY: u8 = 0;
const TIMES_AND_ADDRESSES: u8 = 1;
const PRESCRIBED_ADDRESSES: u8 = 3;

/// The options of one header, padded to a multiple of four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpOptions {
    bytes: [u8; MOST],
    len: u8,
}

impl Default for IpOptions {
    fn default() -> Self {
        Self { bytes: [END; MOST], len: 0 }
    }
}

/// Something is wrong at this byte of the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed(usize);

/// Whose host the options have come to.
struct Host<'a> {
    /// What is recorded of the route: the address by which the packet leaves, or at which it has arrived.
    own: Ipv4Addr,
    /// What goes with a time: where it has arrived, for who sends it on, too.
    here: Ipv4Addr,
    /// Whether another address is one of its.
    is_ours: &'a dyn Fn(Ipv4Addr) -> bool,
    /// Milliseconds since midnight, UTC.
    time: u32,
    /// They have come in: who has no room to record counts that.
    received: bool,
}

impl IpOptions {
    /// What a program has given (`IP_OPTIONS`, ip(7)). Only `privileged` ones may have options that are unknown here.
    ///
    /// # Errors
    /// `EINVAL`: too long, malformed, a source route, or not allowed.
    pub fn new(given: &[u8], privileged: bool) -> Result<Self, Errno> {
        let mut options = Self::default();
        let room = options.bytes.get_mut(..given.len()).ok_or(Errno::EINVAL)?;
        room.copy_from_slice(given);
        options.len = u8::try_from(given.len().next_multiple_of(4)).map_err(|_| Errno::EINVAL)?;
        let known = |kind| matches!(kind, RECORD_ROUTE | TIMESTAMP | ROUTER_ALERT);
        let all = walk(options.as_bytes()).map_err(|_| Errno::EINVAL)?;
        if all.iter().any(|(kind, ..)| is_source_route(*kind) || !(privileged || known(*kind))) {
            return Err(Errno::EINVAL);
        }
        // A trial: what cannot be filled in later is wrong now.
        let nobody = Host {
            own: Ipv4Addr::UNSPECIFIED,
            here: Ipv4Addr::UNSPECIFIED,
            is_ours: &|_| false,
            time: 0,
            received: false,
        };
        record(&mut options.bytes[..usize::from(options.len)].to_vec(), &nobody)
            .map_err(|_| Errno::EINVAL)?;
        if let Some(end) = end_of(options.as_bytes()) {
            options.bytes[end..].fill(END);
        }
        Ok(options)
    }

    /// Those of a packet that came in.
    pub(crate) fn of_packet(ip: &IpPacket<'_>) -> Self {
        let mut options = Self::default();
        let given = options_in(ip.bytes);
        if let Some(room) = options.bytes.get_mut(..given.len()) {
            room.copy_from_slice(given);
            options.len = u8::try_from(given.len()).unwrap_or(0);
        }
        options
    }

    /// The options, padded.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What an answer to a packet with these has (`IP_RETOPTS`; net/ipv4/ip_options.c, __ip_options_echo): what is recorded goes on.
    #[must_use]
    pub fn echo(&self) -> Self {
        let mut echo = Self::default();
        let mut len = 0;
        for wanted in [RECORD_ROUTE, TIMESTAMP] {
            let all = walk(self.as_bytes()).unwrap_or_default();
            if let Some((_, at, end)) = all.into_iter().find(|(kind, ..)| *kind == wanted) {
                echo.bytes[len..len + end - at].copy_from_slice(&self.bytes[at..end]);
                len += end - at;
            }
        }
        echo.len = u8::try_from(len.next_multiple_of(4)).unwrap_or(0);
        echo
    }
}

const fn is_source_route(kind: u8) -> bool {
    matches!(kind, LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE)
}

/// What lies between a packet's header and its payload.
fn options_in(packet: &[u8]) -> &[u8] {
    let len = packet.first().map_or(0, |byte| usize::from(byte & 0xf) * 4);
    if packet.first().is_some_and(|byte| byte >> 4 == 4) {
        packet.get(HEADER..len).unwrap_or_default()
    } else {
        &[]
    }
}

/// The options that have a length: kind, begin and end of each.
fn walk(options: &[u8]) -> Result<Vec<(u8, usize, usize)>, Malformed> {
    let mut found: Vec<(u8, usize, usize)> = Vec::new();
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        match kind {
            END => break,
            NOOP => at += 1,
            _ => {
                let len = usize::from(*options.get(at + 1).ok_or(Malformed(at))?);
                if len < 2 || len > options.len() - at {
                    return Err(Malformed(at));
                }
                let again = matches!(kind, RECORD_ROUTE | TIMESTAMP)
                    && found.iter().any(|(known, ..)| *known == kind);
                if again {
                    return Err(Malformed(at));
                }
                found.push((kind, at, at + len));
                at += len;
            }
        }
    }
    Ok(found)
}

/// Where the end of the list is, if it is said.
fn end_of(options: &[u8]) -> Option<usize> {
    let last = walk(options).ok()?.last().map_or(0, |(.., end)| *end);
    let end = options[last..].iter().position(|kind| *kind == END)?;
    Some(last + end)
}

/// A host records what the options ask for (net/ipv4/ip_options.c, __ip_options_compile).
fn record(options: &mut [u8], host: &Host<'_>) -> Result<(), Malformed> {
    for (kind, at, end) in walk(options)? {
        let option = &mut options[at..end];
        match kind {
            RECORD_ROUTE => record_route(option, host),
            TIMESTAMP => record_time(option, host),
            ROUTER_ALERT if option.len() < 4 => Err(1),
            _ => Ok(()),
        }
        .map_err(|byte| Malformed(at + byte))?;
    }
    Ok(())
}

/// Writes the address where the pointer, the third byte, says: it counts from 1.
fn record_route(option: &mut [u8], host: &Host<'_>) -> Result<(), usize> {
    let &mut [_, _, pointer, ..] = option else { return Err(1) };
    let at = usize::from(pointer);
    match at {
        0..=3 => Err(2),
        _ if at > option.len() => Ok(()),
        _ => {
            option.get_mut(at - 1..at + 3).ok_or(2_usize)?.copy_from_slice(&host.own.octets());
            option[2] += 4;
            Ok(())
        }
    }
}

fn record_time(option: &mut [u8], host: &Host<'_>) -> Result<(), usize> {
    let &mut [_, _, pointer, flags, ..] = option else { return Err(1) };
    let (at, kind, overflow) = (usize::from(pointer), flags & 0xf, flags >> 4);
    if at < 5 {
        return Err(2);
    }
    if at > option.len() {
        if kind == PRESCRIBED_ADDRESSES || !host.received {
            return Ok(());
        }
        if overflow == 0xf {
            return Err(3);
        }
        option[3] = kind | (overflow + 1) << 4;
        return Ok(());
    }
    let time = host.time.to_be_bytes();
    let len = match kind {
        TIMES_ONLY => 4,
        TIMES_AND_ADDRESSES | PRESCRIBED_ADDRESSES => 8,
        _ => return Ok(()),
    };
    let slot = option.get_mut(at - 1..at - 1 + len).ok_or(2_usize)?;
    match slot {
        [a, b, c, d, stamp @ ..] if len == 8 => {
            let named = Ipv4Addr::new(*a, *b, *c, *d);
            if kind == PRESCRIBED_ADDRESSES && !(host.is_ours)(named) {
                return Ok(());
            }
            if kind == TIMES_AND_ADDRESSES {
                [*a, *b, *c, *d] = host.here.octets();
            }
            stamp.copy_from_slice(&time);
        }
        _ => slot.copy_from_slice(&time),
    }
    option[2] += u8::try_from(len).unwrap_or(0);
    Ok(())
}

impl Stack {
    /// Records in the options of a packet that has come in at `here`, and is to leave from `own` if it is sent on. None: it is dropped.
    /// Packets without options pass as they are.
    pub(crate) fn record_in(&mut self, packet: &mut [u8], own: IpAddr, here: IpAddr) -> Option<()> {
        let (IpAddr::V4(own), IpAddr::V4(here)) = (own, here) else { return Some(()) };
        let len = options_in(packet).len();
        if len == 0 {
            return Some(());
        }
        let time = self.time_of_day();
        let links = &self.links;
        let host = Host { own, here, is_ours: &|ip| links.is_local(ip.into()), time, received: true };
        let options = &mut packet[HEADER..HEADER + len];
        let routed = walk(options).is_ok_and(|all| all.iter().any(|(kind, ..)| is_source_route(*kind)));
        if routed || record(options, &host).is_err() {
            self.counters.ip_in_hdr_errors += 1;
            return None;
        }
        Ipv4Packet::new_unchecked(packet).fill_checksum();
        Some(())
    }

    /// The packet with these options behind its header, ours recorded in them.
    pub(crate) fn with_options(&mut self, frame: Frame, options: &IpOptions) -> Frame {
        let bytes = frame.bytes();
        let Some(IpAddr::V4(own)) = IpPacket::parse(bytes, false).map(|ip| ip.src) else { return frame };
        if options.is_empty() || bytes.len() + options.as_bytes().len() > usize::from(u16::MAX) {
            return frame;
        }
        let mut list = options.as_bytes().to_vec();
        let time = self.time_of_day();
        let links = &self.links;
        let host = Host { own, here: own, is_ours: &|ip| links.is_local(ip.into()), time, received: false };
        let _ = record(&mut list, &host);
        let mut whole = self.frames.take(bytes.len() + list.len());
        let (head, payload) = bytes.split_at(HEADER);
        let room = whole.bytes_mut();
        room[..HEADER].copy_from_slice(head);
        room[HEADER..HEADER + list.len()].copy_from_slice(&list);
        room[HEADER + list.len()..].copy_from_slice(payload);
        let (header_len, total) = (HEADER + list.len(), room.len());
        let mut ip = Ipv4Packet::new_unchecked(room);
        ip.set_header_len(u8::try_from(header_len).unwrap_or(u8::MAX));
        ip.set_total_len(u16::try_from(total).unwrap_or(u16::MAX));
        ip.fill_checksum();
        whole.offload = frame.offload;
        self.frames.give_back(frame);
        whole
    }

    /// What a clock on the wall shows now, in nanoseconds since 1970.
    pub fn set_real_time(&mut self, real_ns: u64) {
        self.real_ahead_ns = real_ns.wrapping_sub(self.now_ns);
    }

    /// Milliseconds since midnight, UTC (RFC 791, "Internet Timestamp").
    fn time_of_day(&self) -> u32 {
        const DAY_MS: u64 = 86_400_000;
        let real_ms = self.now_ns.wrapping_add(self.real_ahead_ns) / 1_000_000;
        u32::try_from(real_ms % DAY_MS).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(received: bool) -> Host<'static> {
        Host {
            own: Ipv4Addr::new(10, 0, 0, 1),
            here: Ipv4Addr::new(10, 0, 0, 1),
            is_ours: &|ip| ip == Ipv4Addr::new(10, 0, 0, 1),
            time: 7,
            received,
        }
    }

    #[test]
    fn a_route_is_recorded_while_there_is_room() {
        let mut options = vec![NOOP, RECORD_ROUTE, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0];
        for _ in 0..3 {
            assert_eq!(record(&mut options, &host(true)), Ok(()));
        }
        assert_eq!(options, [NOOP, RECORD_ROUTE, 11, 12, 10, 0, 0, 1, 10, 0, 0, 1]);
        for pointer in [3, 9, 10, 11] {
            let mut options = vec![RECORD_ROUTE, 11, pointer, 0, 0, 0, 0, 0, 0, 0, 0, END];
            assert_eq!(record(&mut options, &host(true)), Err(Malformed(2)), "pointer {pointer}");
        }
    }

    #[test]
    fn times_are_recorded_and_then_counted() {
        let mut options = vec![TIMESTAMP, 8, 5, TIMES_ONLY, 0, 0, 0, 0];
        for _ in 0..16 {
            assert_eq!(record(&mut options, &host(true)), Ok(()));
        }
        assert_eq!(options, [TIMESTAMP, 8, 9, 0xf0, 0, 0, 0, 7]);
        assert_eq!(record(&mut options, &host(true)), Err(Malformed(3)));
        assert_eq!(record(&mut options, &host(false)), Ok(()), "who sends counts nothing");
        let mut prescribed =
            vec![TIMESTAMP, 20, 5, PRESCRIBED_ADDRESSES, 10, 0, 0, 1, 0, 0, 0, 0, 10, 0, 0, 9, 0, 0, 0, 0];
        for _ in 0..2 {
            assert_eq!(record(&mut prescribed, &host(true)), Ok(()));
        }
        assert_eq!(prescribed[2..12], [13, PRESCRIBED_ADDRESSES, 10, 0, 0, 1, 0, 0, 0, 7]);
    }

    #[test]
    fn what_programs_may_give() {
        let given = |bytes: &[u8], privileged| {
            IpOptions::new(bytes, privileged).map(|options| options.as_bytes().to_vec())
        };
        assert_eq!(given(&[1], false), Ok(vec![1, 0, 0, 0]));
        assert_eq!(given(&[0, 9, 9, 9], false), Ok(vec![0; 4]));
        assert_eq!(given(&[ROUTER_ALERT, 4, 0, 0], false), Ok(vec![ROUTER_ALERT, 4, 0, 0]));
        assert_eq!(given(&[0xe8, 3, 0, 0], true), Ok(vec![0xe8, 3, 0, 0]));
        for bad in [&[0xe8, 3, 0, 0][..], &[7, 2, 0, 0], &[7], &[131, 7, 4, 1, 2, 3, 4], &[1; 41]] {
            assert_eq!(given(bad, false), Err(Errno::EINVAL), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(mut bytes in prop::collection::vec(any::<u8>(), 0..=40), received: bool) {
            let _ = IpOptions::new(&bytes, received).map(|options| options.echo());
            let _ = record(&mut bytes, &host(received));
        }
    }
}
