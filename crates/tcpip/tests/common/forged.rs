//! A host on a line, and segments as its neighbour writes them by hand.

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{IpAddress, IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber},
};
use tcpip::{Config, LinkConfig, LinkId, Stack};

pub(crate) const US: &str = "10.0.0.1";
pub(crate) const THEM: &str = "10.0.0.2";

pub(crate) fn host() -> (Stack, LinkId) {
    let mut stack = Stack::new(Config { seed: 3 });
    let addrs = vec![(US.parse().expect("an address"), 24)];
    let config = LinkConfig { addrs, ..LinkConfig::ip("p2p0") };
    let link = stack.add_link(config).expect("a link");
    (stack, link)
}

/// A segment as the other side may send it; its checksums are right.
#[derive(Debug, Clone)]
pub(crate) struct Forged {
    pub(crate) seq: u32,
    pub(crate) ack: Option<u32>,
    pub(crate) control: TcpControl,
    pub(crate) window: u16,
    pub(crate) scale: Option<u8>,
    pub(crate) mss: Option<u16>,
    pub(crate) len: usize,
}

impl Forged {
    pub(crate) fn packet(&self, src_port: u16, dst_port: u16) -> Vec<u8> {
        let payload = vec![0xa5; self.len];
        let repr = TcpRepr {
            src_port,
            dst_port,
            control: self.control,
            seq_number: TcpSeqNumber(self.seq.cast_signed()),
            ack_number: self.ack.map(|ack| TcpSeqNumber(ack.cast_signed())),
            window_len: self.window,
            window_scale: self.scale,
            max_seg_size: self.mss,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &payload,
        };
        let ip = |text: &str| IpAddress::from(text.parse::<std::net::IpAddr>().expect("an address"));
        let (src, dst) = (ip(THEM), ip(US));
        let caps = ChecksumCapabilities::default();
        let header = IpRepr::new(src, dst, IpProtocol::Tcp, repr.buffer_len(), 64);
        let mut bytes = vec![0; header.buffer_len()];
        header.emit(&mut bytes[..], &caps);
        let mut tcp = TcpPacket::new_unchecked(&mut bytes[header.header_len()..]);
        repr.emit(&mut tcp, &src, &dst, &caps);
        bytes
    }
}

/// The last segment that we sent: its sequence and acknowledgement numbers.
pub(crate) fn last_sent(stack: &mut Stack) -> Option<(u32, u32)> {
    let (_, packet) = std::iter::from_fn(|| stack.next_frame()).last()?;
    let tcp = TcpPacket::new_checked(packet.get(20..)?.to_vec()).ok()?;
    Some((tcp.seq_number().0.cast_unsigned(), tcp.ack_number().0.cast_unsigned()))
}
