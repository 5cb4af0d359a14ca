//! What a stranger can do to a connection who knows its addresses and guesses numbers (RFC 5961), and what a listener says to segments
//! that open none (RFC 9293, section 3.10.7.2).
#![allow(missing_docs)]

mod common;

use abi::Errno;
use common::forged::{Forged, host};
use common::{listener, net::MS, recv};
use smoltcp::wire::{TcpControl, TcpPacket};
use tcpip::{LinkId, SocketId, Stack};

/// Sequence, acknowledgement, and the flags FIN, SYN, RST, PSH, ACK.
type Answer = (u32, u32, u16);

const RST: u16 = 4;
const ACK: u16 = 16;

/// A connection that was opened from the other side, of which the peer's next byte is 1001.
struct Established {
    stack: Stack,
    link: LinkId,
    server: SocketId,
    /// Our next byte.
    next: u32,
}

const NEXT: u32 = 1001;

fn answers(stack: &mut Stack) -> Vec<Answer> {
    let read = |packet: Vec<u8>| {
        let tcp = TcpPacket::new_checked(packet.get(20..)?.to_vec()).ok()?;
        let flags = u16::from(packet.get(20 + 13).copied()?) & 0x17;
        Some((tcp.seq_number().0.cast_unsigned(), tcp.ack_number().0.cast_unsigned(), flags))
    };
    std::iter::from_fn(|| stack.next_frame()).filter_map(|(_, packet)| read(packet)).collect()
}

fn forged(control: TcpControl, seq: u32, ack: Option<u32>, len: usize) -> Forged {
    Forged { seq, ack, control, window: 500, scale: None, mss: None, len }
}

impl Established {
    fn new() -> Self {
        let (mut stack, link) = host();
        let listener = listener(&mut stack, "10.0.0.1:80");
        stack.frame_in(link, &forged(TcpControl::Syn, NEXT - 1, None, 0).packet(5000, 80));
        let [(isn, _, _)] = answers(&mut stack)[..] else { panic!("a SYN-ACK") };
        let next = isn.wrapping_add(1);
        stack.frame_in(link, &forged(TcpControl::None, NEXT, Some(next), 0).packet(5000, 80));
        let (server, _) = stack.accept(listener).expect("established");
        stack.advance(1_000 * MS);
        answers(&mut stack);
        Self { stack, link, server, next }
    }

    /// What is sent for a segment.
    fn told(&mut self, control: TcpControl, seq: u32, ack: Option<u32>, len: usize) -> Vec<Answer> {
        self.stack.frame_in(self.link, &forged(control, seq, ack, len).packet(5000, 80));
        answers(&mut self.stack)
    }

    fn challenge(&self) -> Vec<Answer> {
        vec![(self.next, NEXT, ACK)]
    }

    fn is_open(&mut self) -> bool {
        recv(&mut self.stack, self.server) == Err(Errno::EAGAIN)
    }

    fn a_second_later(&mut self) {
        self.stack.advance(2_000 * MS);
    }
}

#[test]
fn a_rst_counts_with_the_very_next_number_alone() {
    let mut it = Established::new();
    assert_eq!(it.told(TcpControl::Rst, NEXT + 1, None, 0), it.challenge(), "in the window");
    assert_eq!(it.told(TcpControl::Rst, NEXT + 2, None, 0), [], "not again so soon");
    it.a_second_later();
    assert_eq!(it.told(TcpControl::Rst, NEXT + 2, Some(it.next), 0), it.challenge());
    assert_eq!(it.told(TcpControl::Rst, NEXT - 1, None, 0), [], "before it");
    assert_eq!(it.told(TcpControl::Rst, NEXT + 10_000_000, None, 0), [], "far behind it");
    assert!(it.is_open());
    assert_eq!(it.told(TcpControl::Rst, NEXT, None, 0), []);
    assert_eq!(recv(&mut it.stack, it.server), Err(Errno::ECONNRESET));
}

#[test]
fn a_syn_is_challenged_wherever_it_is() {
    for seq in [NEXT - 1, NEXT, NEXT + 5, NEXT.wrapping_sub(1_000_000)] {
        for ack in [None, Some(0)] {
            let mut it = Established::new();
            assert_eq!(it.told(TcpControl::Syn, seq, ack, 0), it.challenge(), "{seq} {ack:?}");
            assert!(it.is_open());
        }
    }
}

#[test]
fn acknowledgements_of_what_was_not_sent_or_long_ago_bring_nothing() {
    for ack in [1, 10_000, 0u32.wrapping_sub(501), 1 << 31] {
        let mut it = Established::new();
        let ack = it.next.wrapping_add(ack);
        assert_eq!(it.told(TcpControl::None, NEXT, Some(ack), 10), it.challenge(), "{ack}");
        assert!(it.is_open(), "its bytes are dropped");
    }
}

/// Segments that overtake each other: the acknowledgement in the later one is old, its bytes are not.
#[test]
fn bytes_with_an_old_acknowledgement_are_taken() {
    let mut it = Established::new();
    assert_eq!(it.stack.send(it.server, &[7; 100]), Ok(100));
    assert_eq!(answers(&mut it.stack).len(), 1);
    let (before, behind) = (it.next, it.next.wrapping_add(100));
    assert!(it.told(TcpControl::None, NEXT + 10, Some(behind), 5).iter().all(|(_, ack, _)| *ack == NEXT));
    it.told(TcpControl::None, NEXT, Some(before), 10);
    assert_eq!(it.stack.unread(it.server), 15);
}

#[test]
fn a_segment_without_ack_is_dropped() {
    let mut it = Established::new();
    assert_eq!(it.told(TcpControl::None, NEXT, None, 10), []);
    assert_eq!(it.told(TcpControl::Fin, NEXT, None, 0), []);
    assert!(it.is_open());
}

#[test]
fn a_listener_refuses_acknowledgements_and_is_silent_to_the_rest() {
    let (mut stack, link) = host();
    listener(&mut stack, "10.0.0.1:80");
    let mut told = |control, ack| {
        stack.frame_in(link, &forged(control, 77, ack, 0).packet(5000, 80));
        answers(&mut stack)
    };
    for control in [TcpControl::None, TcpControl::Fin, TcpControl::Psh, TcpControl::Rst] {
        assert_eq!(told(control, None), [], "{control:?}");
    }
    assert_eq!(told(TcpControl::Rst, Some(5)), []);
    assert_eq!(told(TcpControl::None, Some(5)), [(5, 0, RST)]);
    assert_eq!(told(TcpControl::Syn, Some(5)), [(5, 0, RST)]);
    let mut closed = |control, ack| {
        stack.frame_in(link, &forged(control, 77, ack, 0).packet(5000, 81));
        answers(&mut stack)
    };
    assert_eq!(closed(TcpControl::None, None), [(0, 77, RST | ACK)]);
    assert_eq!(closed(TcpControl::Fin, None), [(0, 78, RST | ACK)]);
}

#[test]
fn time_wait_ends_by_the_right_rst_alone() {
    let mut it = Established::new();
    it.stack.close(it.server);
    let fin = answers(&mut it.stack);
    assert_eq!(fin.len(), 1);
    let behind = it.next.wrapping_add(1);
    assert_eq!(it.told(TcpControl::Fin, NEXT, Some(behind), 0), [(behind, NEXT + 1, ACK)]);
    assert_eq!(it.told(TcpControl::Rst, NEXT + 5, None, 0), []);
    assert_eq!(it.told(TcpControl::Rst, NEXT, None, 0), []);
    let again = it.told(TcpControl::Fin, NEXT, Some(behind), 0);
    assert_eq!(again, [(behind, NEXT + 1, ACK)], "it still waits");
    assert_eq!(it.told(TcpControl::Rst, NEXT + 1, None, 0), []);
    let again = it.told(TcpControl::Fin, NEXT, Some(behind), 0);
    assert_eq!(again, [(behind, 0, RST)], "no connection is known");
}

#[test]
fn bytes_beyond_the_window_are_answered() {
    let mut it = Established::new();
    let seq = NEXT + 10_000_000;
    assert_eq!(it.told(TcpControl::None, seq, Some(it.next), 5), it.challenge());
    assert!(it.is_open());
}
