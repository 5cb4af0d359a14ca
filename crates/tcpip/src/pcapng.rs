//! Blocks of a capture file in the form of pcapng (draft-ietf-opsawg-pcapng). Numbers are little-endian, times in nanoseconds.

/// `LINKTYPE_ETHERNET`.
pub(crate) const ETHERNET: u16 = 1;
/// `LINKTYPE_RAW`: an IP packet, whose first four bits say which.
pub(crate) const RAW: u16 = 101;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

const END_OF_OPTIONS: u16 = 0;
const USER_APPLICATION: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;
const EPB_DROPCOUNT: u16 = 4;

/// A packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet<'a> {
    /// Which of the section's interfaces, from 0.
    pub(crate) interface: u32,
    /// Since 1970.
    pub(crate) real_ns: u64,
    pub(crate) inbound: bool,
    /// As much of it as is kept.
    pub(crate) bytes: &'a [u8],
    /// Its whole length.
    pub(crate) len: usize,
    /// Packets lost since the last one.
    pub(crate) dropped: u64,
}

/// The beginning of a file.
pub(crate) fn section(application: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(BYTE_ORDER.to_le_bytes());
    // Version 1.0, then the section's length: not known.
    body.extend([1, 0, 0, 0]);
    body.extend(u64::MAX.to_le_bytes());
    option(&mut body, USER_APPLICATION, application.as_bytes());
    option(&mut body, END_OF_OPTIONS, &[]);
    block(SECTION_HEADER, &body)
}

/// An interface; `snaplen` bytes of its packets are kept.
pub(crate) fn interface(name: &str, link_type: u16, snaplen: u32) -> Vec<u8> {
    const NANOSECONDS: u8 = 9;
    let mut body = Vec::new();
    body.extend(link_type.to_le_bytes());
    body.extend([0, 0]);
    body.extend(snaplen.to_le_bytes());
    option(&mut body, IF_NAME, name.as_bytes());
    option(&mut body, IF_TSRESOL, &[NANOSECONDS]);
    option(&mut body, END_OF_OPTIONS, &[]);
    block(INTERFACE, &body)
}

/// A packet.
pub(crate) fn packet(packet: &Packet<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(packet.bytes.len() + 48);
    body.extend(packet.interface.to_le_bytes());
    body.extend(half(packet.real_ns >> 32).to_le_bytes());
    body.extend(half(packet.real_ns).to_le_bytes());
    body.extend(word(packet.bytes.len()).to_le_bytes());
    body.extend(word(packet.len).to_le_bytes());
    padded(&mut body, packet.bytes);
    let direction: u32 = if packet.inbound { 1 } else { 2 };
    option(&mut body, EPB_FLAGS, &direction.to_le_bytes());
    if packet.dropped > 0 {
        option(&mut body, EPB_DROPCOUNT, &packet.dropped.to_le_bytes());
    }
    option(&mut body, END_OF_OPTIONS, &[]);
    block(ENHANCED_PACKET, &body)
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = word(body.len() + 12);
    let mut bytes = Vec::with_capacity(body.len() + 12);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(len.to_le_bytes());
    bytes.extend(body);
    bytes.extend(len.to_le_bytes());
    bytes
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    padded(body, value);
}

/// Everything begins at a multiple of four.
fn padded(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
}

fn word(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half is meant")]
const fn half(number: u64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_and_aligned() {
        for len in 0..9 {
            let bytes = vec![7; len];
            let packet = packet(&Packet {
                interface: 1,
                real_ns: 5 << 32 | 6,
                inbound: true,
                bytes: &bytes,
                len: 99,
                dropped: 3,
            });
            let total = u32::from_le_bytes(packet[4..8].try_into().unwrap());
            assert_eq!((packet.len() % 4, packet.len()), (0, total as usize));
            assert_eq!(packet[packet.len() - 4..], packet[4..8]);
            assert_eq!(packet[8..28], [1, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, len as u8, 0, 0, 0, 99, 0, 0, 0]);
        }
        assert_eq!(section("x").len() % 4 + interface("eth0", ETHERNET, 64).len() % 4, 0);
    }
}
