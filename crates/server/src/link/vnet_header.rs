//! `struct virtio_net_hdr` (linux/virtio_net.h), which a tap with `IFF_VNET_HDR` has in front of each frame: what is left to be done for it.

use std::num::NonZeroU16;
use tcpip::Offload;

/// Bytes of a header.
pub(super) const LEN: usize = 10;

const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
/// The segment carries CWR (`VIRTIO_NET_HDR_GSO_ECN`).
const GSO_ECN: u8 = 0x80;

const ETHERNET: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const IPV6_HEADER: usize = 40;
const TCP: u8 = 6;
const UDP: u8 = 17;
/// CWR among the flags of a TCP header, which are its 14th byte.
const CWR: u8 = 0x80;

/// Where the headers of a frame are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Layout {
    v6: bool,
    protocol: u8,
    /// Where the TCP segment or UDP datagram begins.
    transport: usize,
    /// Where its data begins.
    data: usize,
}

impl Layout {
    /// Of a TCP segment or a UDP datagram right behind an IP header.
    fn of(frame: &[u8]) -> Option<Self> {
        let ip = frame.get(ETHERNET..)?;
        let (v6, protocol, transport) = match *frame.get(12..14)?.first_chunk()? {
            IPV4 => (false, *ip.get(9)?, ETHERNET + usize::from(ip.first()? & 0xf) * 4),
            IPV6 => (true, *ip.get(6)?, ETHERNET + IPV6_HEADER),
            _ => return None,
        };
        let header_len = match protocol {
            TCP => usize::from(frame.get(transport + 12)? >> 4) * 4,
            UDP => 8,
            _ => return None,
        };
        let data = transport + header_len;
        (transport >= ETHERNET + 20 && data <= frame.len()).then_some(Self { v6, protocol, transport, data })
    }

    /// Where the checksum is, from where the segment begins.
    const fn sum_offset(&self) -> usize {
        if self.protocol == TCP { 16 } else { 6 }
    }

    /// The sum of the pseudo-header, which stands in for the checksum until that is filled in.
    fn pseudo_sum(&self, frame: &[u8]) -> u16 {
        let addresses = if self.v6 { 8..40 } else { 12..20 };
        let len = (frame.len() - self.transport) as u64;
        let addresses = &frame[ETHERNET + addresses.start..ETHERNET + addresses.end];
        fold(words(addresses) + (len >> 16) + (len & 0xffff) + u64::from(self.protocol))
    }
}

/// What stands in front of a frame that is sent, and, where its checksum is not filled in, where that is and what is put there.
pub(super) fn emit(frame: &[u8], offload: Offload) -> ([u8; LEN], Option<(usize, [u8; 2])>) {
    let mut header = [0; LEN];
    let Some(layout) = Layout::of(frame).filter(|_| offload.unsummed) else { return (header, None) };
    let mut put = |at: usize, value: usize| {
        header[at..at + 2].copy_from_slice(&u16::try_from(value).unwrap_or(0).to_ne_bytes());
    };
    put(6, layout.transport);
    put(8, layout.sum_offset());
    if let Some(size) = offload.segment_size {
        put(2, layout.data);
        put(4, size.get().into());
        let cwr = frame[layout.transport + 13] & CWR != 0;
        header[1] = if layout.v6 { GSO_TCPV6 } else { GSO_TCPV4 } | if cwr { GSO_ECN } else { 0 };
    }
    header[0] = NEEDS_CSUM;
    let sum = layout.pseudo_sum(frame).to_be_bytes();
    (header, Some((layout.transport + layout.sum_offset(), sum)))
}

/// Reads what stands in front of a frame that has come in. What the stack cannot leave undone is done here.
pub(super) fn parse(header: &[u8; LEN], frame: &mut [u8]) -> Offload {
    let value = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
    if header[0] & NEEDS_CSUM == 0 {
        return Offload::NONE;
    }
    let (start, offset) = (usize::from(value(6)), usize::from(value(8)));
    match Layout::of(frame) {
        Some(layout) if (layout.transport, layout.sum_offset()) == (start, offset) => {
            let size = NonZeroU16::new(value(4)).filter(|_| header[1] != GSO_NONE);
            Offload { unsummed: true, segment_size: size }
        }
        _ => {
            fill_in(frame, start, offset);
            Offload::NONE
        }
    }
}

/// Fills a checksum in that has the sum of its pseudo-header.
fn fill_in(frame: &mut [u8], start: usize, offset: usize) {
    let Some(summed) = frame.get(start..) else { return };
    let sum = !fold(words(summed));
    if let Some(field) = frame.get_mut(start + offset..start + offset + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

fn words(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    bytes.chunks(2).map(word).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A UDP datagram of "hi" from 10.0.0.1:1 to 10.0.0.2:2 without a checksum.
    fn datagram() -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend(IPV4);
        frame.extend([0x45, 0, 0, 30, 0, 0, 0, 0, 64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0, 1, 0, 2, 0, 10, 0, 0, b'h', b'i']);
        frame
    }

    #[test]
    fn a_checksum_that_is_left_can_be_filled_in() {
        let mut frame = datagram();
        let (header, sum) = emit(&frame, Offload { unsummed: true, segment_size: None });
        let (at, bytes) = sum.unwrap();
        assert_eq!((header[0], header[1], at), (NEEDS_CSUM, GSO_NONE, 40));
        assert_eq!(parse(&header, &mut frame), Offload { unsummed: true, segment_size: None });
        frame[at..at + 2].copy_from_slice(&bytes);
        fill_in(&mut frame, 34, 6);
        // The addresses, 17, the length; then the header and the data; complemented.
        assert_eq!(frame[40..42], (!0x7c94_u16).to_be_bytes());
    }

    #[test]
    fn what_is_complete_has_an_empty_header() {
        assert_eq!(emit(&datagram(), Offload::NONE), ([0; LEN], None));
        assert_eq!(parse(&[0; LEN], &mut datagram()), Offload::NONE);
    }

    proptest! {
        #[test]
        fn any_bytes_will_do(header: [u8; LEN], frame in prop::collection::vec(any::<u8>(), 0..200), v6: bool) {
            let mut frame = frame;
            if let Some(kind) = frame.get_mut(12..14) {
                kind.copy_from_slice(if v6 { &IPV6 } else { &IPV4 });
            }
            let offload = parse(&header, &mut frame);
            let (_, sum) = emit(&frame, offload);
            prop_assert!(sum.is_none_or(|(at, _)| at + 2 <= frame.len()));
        }
    }
}
