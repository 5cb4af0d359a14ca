//! Frames that come in over a link and over lo: whatever they are, the stack goes on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::num::NonZeroU16;
use tcpip::{Config, Domain, LinkConfig, LinkId, Mac, Offload, Stack};

const MS: u64 = 1_000_000;

fuzz_target!(|frames: Vec<Vec<u8>>| {
    let mut stack = Stack::new(Config { seed: 3 });
    let Ok(addr) = "10.0.0.1".parse() else { return };
    let config = LinkConfig { addrs: vec![(addr, 24)], ..LinkConfig::ip("p2p0") };
    let Ok(link) = stack.add_link(config) else { return };
    let Ok(addr) = "10.0.1.1".parse() else { return };
    let config = LinkConfig { addrs: vec![(addr, 24)], ..LinkConfig::ethernet("eth0", Mac([2, 0, 0, 0, 0, 1])) };
    let Ok(ethernet) = stack.add_link(config) else { return };
    let _ = stack.udp_socket(Domain::Inet);
    for frame in &frames {
        stack.frame_in(link, frame);
        stack.frame_in(ethernet, frame);
        stack.frame_in(LinkId::LO, frame);
        let size = frame.first().and_then(|byte| NonZeroU16::new(u16::from(*byte) * 8));
        stack.frame_in_with(ethernet, frame, Offload { unsummed: true, segment_size: size });
    }
    stack.advance(100_000 * MS);
});
