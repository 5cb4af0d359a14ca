//! Fragments are put together (RFC 791, RFC 8200 section 4.5, RFC 5722).

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
};

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};

use crate::{
    Stack,
    icmp::Problem,
    packet::{Fragment, IPV6_HEADER, IpPacket},
    random::Keyed,
    types::LinkId,
};

/// `net.ipv4.ipfrag_time`, and RFC 8200's 60 s.
const TIMEOUT_V4_NS: u64 = 30_000_000_000;
const TIMEOUT_V6_NS: u64 = 60_000_000_000;
/// `net.ipv4.ipfrag_high_thresh`: bytes that all fragments may take together.
const MEMORY_MAX: usize = 4 << 20;
/// What a fragment takes beside its bytes.
const OVERHEAD: usize = 64;
const PACKET_MAX: usize = 65535;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Whole {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    protocol: IpProtocol,
    link: LinkId,
}

#[derive(Debug, Default)]
struct Parts {
    /// The header of the first one.
    head: Option<Vec<u8>>,
    /// Offsets and bytes, by offset.
    parts: Vec<(usize, Vec<u8>)>,
    /// The length of the payload, once the last fragment is there.
    len: Option<usize>,
    /// Bytes that are there.
    have: usize,
    memory: usize,
    ends_ns: u64,
    /// Something overlapped: whatever else comes of it is dropped (RFC 5722).
    refused: bool,
}

/// Packets of which some fragments are there.
#[derive(Debug)]
pub(crate) struct Reassembly {
    wholes: HashMap<Whole, Parts, Keyed>,
    /// When they are given up, in this order: one time-out for each family.
    ends: VecDeque<(u64, Whole)>,
    memory: usize,
}

impl Reassembly {
    pub(crate) fn new(hasher: Keyed) -> Self {
        Self { wholes: HashMap::with_hasher(hasher), ends: VecDeque::new(), memory: 0 }
    }

    /// When the next one is given up; may be early.
    pub(crate) fn next(&self) -> Option<u64> {
        self.ends.front().map(|&(at_ns, _)| at_ns)
    }

    fn remove(&mut self, whole: &Whole) -> Option<Parts> {
        let parts = self.wholes.remove(whole)?;
        self.memory = self.memory.saturating_sub(parts.memory);
        Some(parts)
    }
}

impl Parts {
    /// Takes a fragment. `false`: it does not fit to the others.
    fn add(&mut self, fragment: Fragment, payload: &[u8]) -> bool {
        let end = fragment.offset + payload.len();
        let uneven = fragment.more && !payload.len().is_multiple_of(8);
        let beyond = self.len.is_some_and(|len| end > len || (!fragment.more && end != len));
        if uneven || beyond || end > PACKET_MAX || payload.is_empty() {
            return false;
        }
        let at = self.parts.partition_point(|(offset, _)| *offset < fragment.offset);
        // The same again may be a packet that the network has doubled.
        if self.parts.get(at).is_some_and(|(offset, bytes)| *offset == fragment.offset && bytes == payload) {
            return true;
        }
        let before = at.checked_sub(1).and_then(|at| self.parts.get(at));
        let overlaps_before = before.is_some_and(|(offset, bytes)| offset + bytes.len() > fragment.offset);
        let overlaps_behind = self.parts.get(at).is_some_and(|(offset, _)| *offset < end);
        let last_end = self.parts.last().map_or(0, |(offset, bytes)| offset + bytes.len());
        if overlaps_before || overlaps_behind || (!fragment.more && last_end > end) {
            return false;
        }
        if !fragment.more {
            self.len = Some(end);
        }
        self.have += payload.len();
        self.memory += payload.len() + OVERHEAD;
        self.parts.insert(at, (fragment.offset, payload.to_vec()));
        true
    }

    /// The packet, once all is there: nothing overlaps, so that counting is enough.
    fn finish(&self, protocol: IpProtocol) -> Option<Vec<u8>> {
        let head = self.head.as_ref()?;
        let len = self.len.filter(|len| *len == self.have)?;
        let mut packet = head.clone();
        packet.extend(self.parts.iter().flat_map(|(_, bytes)| bytes));
        if packet.first()? >> 4 == 4 {
            let total = u16::try_from(packet.len()).ok()?;
            let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
            ip.set_total_len(total);
            ip.set_more_frags(false);
            ip.set_frag_offset(0);
            ip.fill_checksum();
        } else {
            let mut ip = Ipv6Packet::new_unchecked(&mut packet[..]);
            ip.set_payload_len(u16::try_from(len).ok()?);
            ip.set_next_header(protocol);
        }
        Some(packet)
    }
}

impl Stack {
    /// Takes a fragment; the packet that it completes.
    pub(crate) fn reassemble(
        &mut self,
        link: LinkId,
        ip: &IpPacket<'_>,
        fragment: Fragment,
    ) -> Option<Vec<u8>> {
        self.counters.ip_reasm_reqds += 1;
        let confined = matches!(ip.dst, IpAddr::V6(v6) if v6.is_unicast_link_local());
        let link_of = if confined { link } else { LinkId::LO };
        let whole = Whole { src: ip.src, dst: ip.dst, id: fragment.id, protocol: ip.protocol, link: link_of };
        let timeout_ns = if ip.src.is_ipv4() { TIMEOUT_V4_NS } else { TIMEOUT_V6_NS };
        let ends_ns = self.now_ns + timeout_ns;
        while self.reassembly.memory + ip.payload.len() + OVERHEAD > MEMORY_MAX {
            let Some((_, oldest)) = self.reassembly.ends.pop_front() else { break };
            if self.reassembly.remove(&oldest).is_some() {
                self.counters.ip_reasm_fails += 1;
            }
        }
        let state = &mut self.reassembly;
        let parts = state.wholes.entry(whole).or_insert_with(|| {
            state.ends.push_back((ends_ns, whole));
            state.memory += OVERHEAD;
            Parts { ends_ns, memory: OVERHEAD, ..Parts::default() }
        });
        let before = parts.memory;
        if parts.refused || !parts.add(fragment, ip.payload) {
            // It stays as it is until its time is over, so that its other fragments make no new one.
            state.memory -= before - OVERHEAD;
            *parts = Parts { refused: true, ends_ns: parts.ends_ns, memory: OVERHEAD, ..Parts::default() };
            self.counters.ip_reasm_fails += 1;
            return None;
        }
        state.memory += parts.memory - before;
        if fragment.offset == 0 {
            let len = if ip.src.is_ipv4() { ip.bytes.len() - ip.payload.len() } else { IPV6_HEADER };
            parts.head = Some(ip.bytes[..len].to_vec());
        }
        let packet = parts.finish(ip.protocol)?;
        state.remove(&whole);
        self.counters.ip_reasm_oks += 1;
        Some(packet)
    }

    /// Gives up what has waited too long; its sender is told if the first fragment is there.
    pub(crate) fn expire_fragments(&mut self) {
        while let Some((at_ns, whole)) =
            self.reassembly.ends.pop_front_if(|&mut (at_ns, _)| at_ns <= self.now_ns)
        {
            let current = self.reassembly.wholes.get(&whole).is_some_and(|parts| parts.ends_ns == at_ns);
            let Some(parts) = current.then(|| self.reassembly.remove(&whole)).flatten() else { continue };
            self.counters.ip_reasm_fails += 1;
            let (Some(mut packet), false) = (parts.head, parts.refused) else { continue };
            packet.extend(parts.parts.iter().take(1).flat_map(|(_, bytes)| bytes));
            if let Some(ip) = IpPacket::parse(&patched(packet, whole.protocol), false) {
                self.send_problem(whole.link, &ip, Problem::ReassemblyTimeExceeded);
            }
        }
    }
}

/// Lengths that are those of the bytes that are there, so that the packet can be quoted.
fn patched(mut packet: Vec<u8>, protocol: IpProtocol) -> Vec<u8> {
    let len = packet.len();
    match packet.first().map(|byte| byte >> 4) {
        Some(4) => {
            let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
            ip.set_total_len(u16::try_from(len).unwrap_or(u16::MAX));
            ip.fill_checksum();
        }
        Some(6) => {
            let mut ip = Ipv6Packet::new_unchecked(&mut packet[..]);
            ip.set_payload_len(u16::try_from(len - IPV6_HEADER).unwrap_or(u16::MAX));
            ip.set_next_header(protocol);
        }
        _ => {}
    }
    packet
}
