//! Frames that come in over a link and over lo: whatever they are, the stack goes on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tcpip::{Config, Domain, LinkConfig, LinkId, Stack};

const MS: u64 = 1_000_000;

fuzz_target!(|frames: Vec<Vec<u8>>| {
    let mut stack = Stack::new(Config { seed: 3 });
    let Ok(addr) = "10.0.0.1".parse() else { return };
    let config = LinkConfig { name: "p2p0".to_owned(), addrs: vec![(addr, 24)], mtu: 1500, default_route: true };
    let Ok(link) = stack.add_link(config) else { return };
    let _ = stack.udp_socket(Domain::Inet);
    for frame in &frames {
        stack.frame_in(link, frame);
        stack.frame_in(LinkId::LO, frame);
    }
    stack.advance(100_000 * MS);
});
