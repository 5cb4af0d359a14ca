//! Frames that a peer may send who means no good: nothing that comes in panics, and no memory grows without bound.
#![allow(missing_docs)]

mod common;

use std::num::NonZeroU16;

use common::forged::{Forged, host, last_sent};
use common::{at, client, listener, net::MS};
use proptest::prelude::*;
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{IpAddress, IpProtocol, IpRepr, TcpControl},
};
use tcpip::{Domain, Intercepted, LinkId, Offload, Offloads, Problem, Refusal, SocketId, Stack};

fn near(range: u32) -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0..range, 2 => (0..range).prop_map(|n| 0u32.wrapping_sub(n)), 1 => any::<u32>()]
}

prop_compose! {
    fn forged()(
        seq in near(600_000),
        ack in prop::option::weighted(0.9, near(70_000)),
        control in prop_oneof![
            6 => Just(TcpControl::None),
            2 => Just(TcpControl::Psh),
            1 => Just(TcpControl::Fin),
            1 => Just(TcpControl::Syn),
        ],
        window in any::<u16>(),
        scale in prop::option::of(any::<u8>()),
        mss in prop::option::of(any::<u16>()),
        len in prop_oneof![Just(0usize), 1usize..100, 1000usize..40_000],
    ) -> Forged {
        Forged { seq, ack, control, window, scale, mss, len }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_bytes_are_survived(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..50)) {
        let (mut stack, link) = host();
        listener(&mut stack, "10.0.0.1:80");
        for frame in &frames {
            stack.frame_in(link, frame);
            stack.frame_in(LinkId::LO, frame);
            let size = frame.first().and_then(|byte| NonZeroU16::new(u16::from(*byte) * 8));
            stack.frame_in_with(link, frame, Offload { unsummed: true, segment_size: size });
        }
        stack.advance(100_000 * MS);
    }

    /// A guest may send anything to anybody; what was taken is bounded, and answering it in any way is survived.
    #[test]
    fn a_guest_may_send_anything(
        packets in prop::collection::vec((any::<u8>(), any::<[u8; 4]>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..120)), 0..60),
        syns in prop::collection::vec((any::<u16>(), 0u8..4), 0..30),
    ) {
        let (mut stack, link) = host();
        stack.set_transparent(link, true).expect("a link");
        for (kind, dst, ttl, payload) in packets {
            let protocol = [IpProtocol::Tcp, IpProtocol::Udp, IpProtocol::Icmp][usize::from(kind) % 3];
            let ip = |octets: [u8; 4]| IpAddress::from(std::net::IpAddr::from(octets));
            let header = IpRepr::new(ip([10, 0, 0, 2]), ip(dst), protocol, payload.len(), ttl);
            let mut packet = vec![0; header.buffer_len()];
            header.emit(&mut packet[..], &ChecksumCapabilities::default());
            packet.extend_from_slice(&payload);
            stack.frame_in(link, &packet);
        }
        for (port, fate) in syns {
            let syn = Forged { seq: 9, ack: None, control: TcpControl::Syn, window: 900, scale: None, mss: None, len: 0 };
            stack.frame_in(link, &syn.packet(port.max(1), 80));
            while let Some(intercepted) = stack.next_intercepted() {
                match (intercepted, fate) {
                    (Intercepted::Datagram(datagram), 0) => stack.reject(&datagram.head(), Problem::Port),
                    (Intercepted::Datagram(datagram), 1) => stack.reject(&datagram, Problem::TooBig(1280)),
                    (Intercepted::Datagram(datagram), _) => {
                        let _ = stack.send_datagram(datagram.to, datagram.from, datagram.data());
                        stack.send_echo_reply(datagram.to.ip(), datagram.from.ip(), datagram.message());
                    }
                    (Intercepted::Syn(syn), 0) => stack.refuse_intercepted(&syn, Refusal::Reset),
                    (Intercepted::Syn(syn), 1) => stack.refuse_intercepted(&syn, Refusal::Problem(Problem::Host)),
                    (Intercepted::Syn(syn), 2) => drop(stack.accept_intercepted(&syn)),
                    _ => {}
                }
            }
        }
        stack.advance(100_000 * MS);
    }

    #[test]
    fn any_ip_packet_to_us_is_survived(
        protocol in prop_oneof![Just(1u8), Just(6), Just(17), Just(58)],
        ttl in any::<u8>(),
        payload in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let (mut stack, _) = host();
        listener(&mut stack, "127.0.0.1:80");
        let udp = stack.udp_socket(Domain::Inet);
        stack.connect(udp, at("127.0.0.1:9")).expect("a route");
        let len = u16::try_from(20 + payload.len()).expect("short").to_be_bytes();
        let mut frame = vec![0x45, 0, len[0], len[1], 0, 0, 0, 0, ttl, protocol, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1];
        frame.extend_from_slice(&payload);
        // lo does not look at checksums, so that these get further.
        stack.frame_in(LinkId::LO, &frame);
        stack.advance(1_000 * MS);
    }

    #[test]
    fn a_lying_peer_of_an_established_connection_is_survived(
        segments in prop::collection::vec((forged(), 0u64..3000, any::<bool>()), 1..60),
        mss in prop::option::of(prop_oneof![any::<u16>(), 0u16..60]),
        scale in prop::option::of(0u8..20),
        offloads in prop_oneof![Just(Offloads::None), Just(Offloads::Tcp), Just(Offloads::TcpAndUdp)],
        ecn in 0u32..3,
    ) {
        let (mut stack, link) = host();
        stack.set_offloads(link, offloads).expect("a link");
        stack.settings_mut().tcp_ecn = ecn;
        let listener = listener(&mut stack, "10.0.0.1:80");
        let syn = Forged { seq: 1000, ack: None, control: TcpControl::Syn, window: 65535, scale, mss, len: 0 };
        stack.frame_in(link, &syn.packet(5000, 80));
        let (isn, _) = last_sent(&mut stack).expect("a SYN-ACK");
        let ack = Forged { seq: 1001, ack: Some(isn.wrapping_add(1)), control: TcpControl::None, ..syn };
        stack.frame_in(link, &ack.packet(5000, 80));
        let (server, _) = stack.accept(listener).expect("established");
        attack(&mut stack, link, server, isn, &segments);
    }
}

/// Sends segments with numbers relative to those in use; the program goes on meanwhile.
fn attack(stack: &mut Stack, link: LinkId, server: SocketId, isn: u32, segments: &[(Forged, u64, bool)]) {
    let mut now_ns = 0;
    let (mut snd, mut rcv) = (isn.wrapping_add(1), 1001u32);
    let mut buf = [0; 50_000];
    for (forged, pause_ms, active) in segments {
        let forged = Forged {
            seq: rcv.wrapping_add(forged.seq),
            ack: forged.ack.map(|ack| snd.wrapping_add(ack)),
            ..forged.clone()
        };
        stack.frame_in(link, &forged.packet(5000, 80));
        if *active {
            let _ = stack.recv(server, &mut buf, false);
            let _ = stack.send(server, &buf[..30_000]);
        }
        now_ns += pause_ms * MS;
        stack.advance(now_ns);
        if let Some((seq, ack)) = last_sent(stack) {
            (snd, rcv) = (seq, ack);
        }
    }
    stack.close(server);
    stack.advance(now_ns + 200_000 * MS);
}

#[test]
fn bytes_beyond_the_window_right_behind_the_handshake_are_dropped() {
    // Where smoltcp alone would take them for received and panic (see Engine::overruns).
    let (mut stack, link) = host();
    let listener = listener(&mut stack, "10.0.0.1:80");
    let base = Forged {
        seq: 0,
        ack: None,
        control: TcpControl::Syn,
        window: 65535,
        scale: Some(7),
        mss: Some(1460),
        len: 0,
    };
    stack.frame_in(link, &base.packet(5000, 80));
    let (isn, _) = last_sent(&mut stack).expect("a SYN-ACK");
    let data = Forged { ack: Some(isn.wrapping_add(1)), control: TcpControl::None, len: 1000, ..base };
    stack.frame_in(link, &Forged { seq: 1, len: 0, ..data.clone() }.packet(5000, 80));
    for n in (0..600u32).rev() {
        stack.frame_in(link, &Forged { seq: 1 + n * 1000, ..data.clone() }.packet(5000, 80));
    }
    let (server, _) = stack.accept(listener).expect("established");
    assert!(stack.unread(server) <= 65536);
}

#[test]
fn a_flood_of_syns_holds_a_bounded_number_of_connections() {
    let (mut stack, link) = host();
    let listener = listener(&mut stack, "10.0.0.1:80");
    let syn =
        Forged { seq: 0, ack: None, control: TcpControl::Syn, window: 65535, scale: None, mss: None, len: 0 };
    for port in 1..20_000 {
        stack.frame_in(link, &syn.packet(port, 80));
        while stack.next_frame().is_some() {}
    }
    assert!(stack.sockets().len() <= 257, "{}", stack.sockets().len());
    // They go when nobody answers, and then others find room.
    stack.advance(70_000 * MS);
    assert_eq!(stack.sockets().len(), 1);
    stack.close(listener);
    client(&mut stack, "10.0.0.1:80");
}

#[test]
fn loopback_addresses_from_outside_are_martians() {
    let (mut stack, link) = host();
    listener(&mut stack, "127.0.0.1:80");
    let frame =
        [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x7c, 0xcf, 127, 0, 0, 1, 127, 0, 0, 1, 0, 9, 0, 9, 0, 8, 0, 0];
    stack.frame_in(link, &frame);
    let counters = stack.counters();
    assert_eq!((counters.ip_in_addr_errors, counters.udp_no_ports), (1, 0));
}
