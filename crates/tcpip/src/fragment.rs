//! Packets that are too long for a link are cut (RFC 791, section 3.2; RFC 8200, section 4.5).

use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};

use crate::packet::IPV6_HEADER;

const FRAGMENT_HEADER: usize = 8;
/// Options that belong into each fragment (RFC 791, section 3.1).
const COPIED: u8 = 0x80;

/// Cuts an IP packet into fragments of at most `mtu` bytes with this identification. `None`: the MTU has no room for any.
pub(crate) fn cut(packet: &[u8], mtu: usize, id: u32) -> Option<Vec<Vec<u8>>> {
    match packet.first()? >> 4 {
        4 => cut_v4(packet, mtu, id),
        _ => cut_v6(packet, mtu, id),
    }
}

fn cut_v4(packet: &[u8], mtu: usize, id: u32) -> Option<Vec<Vec<u8>>> {
    let ip = Ipv4Packet::new_checked(packet).ok()?;
    let (head, payload) = packet.split_at_checked(usize::from(ip.header_len()))?;
    // A fragment that is cut again keeps what it is a part of.
    let (base, more_behind) = (usize::from(ip.frag_offset()), ip.more_frags());
    let kept = if base > 0 || more_behind { ip.ident() } else { (id & 0xffff) as u16 };
    let room = mtu.checked_sub(head.len())? / 8 * 8;
    let mut fragments = Vec::new();
    for (at, piece) in chunks(payload, room)? {
        let head = if at == 0 { head.to_vec() } else { later_head(head) };
        let last = at + piece.len() == payload.len();
        let mut bytes = [&head, piece].concat();
        let (header_len, total) = (u8::try_from(head.len()).ok()?, u16::try_from(bytes.len()).ok()?);
        let mut ip = Ipv4Packet::new_unchecked(&mut bytes[..]);
        ip.set_header_len(header_len);
        ip.set_total_len(total);
        ip.set_ident(kept);
        ip.set_dont_frag(false);
        ip.set_more_frags(!last || more_behind);
        ip.set_frag_offset(u16::try_from(base + at).ok()?);
        ip.fill_checksum();
        fragments.push(bytes);
    }
    Some(fragments)
}

/// The header of all fragments but the first: the options that are not copied become padding.
fn later_head(head: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    let mut at = 20;
    while let Some(&kind) = head.get(at) {
        let len = match (kind, head.get(at + 1)) {
            (0, _) => break,
            (1, _) => 1,
            (_, Some(&len)) if len >= 2 => usize::from(len),
            _ => break,
        };
        let end = (at + len).min(head.len());
        if kind & COPIED == 0 {
            head[at..end].fill(1);
        }
        at = end;
    }
    head
}

fn cut_v6(packet: &[u8], mtu: usize, id: u32) -> Option<Vec<Vec<u8>>> {
    let ip = Ipv6Packet::new_checked(packet).ok()?;
    let (mut at, mut next, mut next_at) = (IPV6_HEADER, ip.next_header(), 6);
    // Each router looks at these: they stay in front (section 4.5, "Per-Fragment headers").
    while matches!(next, IpProtocol::HopByHop | IpProtocol::Ipv6Route) {
        let &[following, len] = packet.get(at..at + 2)? else { return None };
        next_at = at;
        next = following.into();
        at += (usize::from(len) + 1) * 8;
    }
    let (head, payload) = packet.split_at_checked(at)?;
    let room = mtu.checked_sub(head.len() + FRAGMENT_HEADER)? / 8 * 8;
    let mut fragments = Vec::new();
    for (offset, piece) in chunks(payload, room)? {
        let more = offset + piece.len() < payload.len();
        // The offset is in units of 8 bytes, above three bits of which the last says that more follows.
        let place = u16::try_from(offset).ok()? | u16::from(more);
        let [high, low] = place.to_be_bytes();
        let [a, b, c, d] = id.to_be_bytes();
        let mut bytes = [head, &[next.into(), 0, high, low, a, b, c, d], piece].concat();
        *bytes.get_mut(next_at)? = IpProtocol::Ipv6Frag.into();
        let len = u16::try_from(bytes.len() - IPV6_HEADER).ok()?;
        Ipv6Packet::new_unchecked(&mut bytes[..]).set_payload_len(len);
        fragments.push(bytes);
    }
    Some(fragments)
}

/// Pieces of at most `room` bytes and where they begin.
fn chunks(payload: &[u8], room: usize) -> Option<impl Iterator<Item = (usize, &[u8])>> {
    (room >= 8).then(|| payload.chunks(room).enumerate().map(move |(n, piece)| (n * room, piece)))
}
