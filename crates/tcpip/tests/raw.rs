//! Raw and packet sockets.
#![allow(missing_docs)]

mod common;

use abi::Errno;
use common::{at, lan::Lan, net::MS};
use proptest::prelude::*;
use tcpip::{Domain, FrameKind, Instruction, LinkAddr, Mac, Program, RawOptions, Sending, SocketId, Stack};

const ICMP: u8 = 1;

fn echo_request() -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
    message.extend_from_slice(b"abcdefgh");
    let sum: u32 = message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).expect("folded");
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

fn received(stack: &mut Stack, id: SocketId) -> Result<Vec<u8>, Errno> {
    let mut buf = [0; 2000];
    let got = stack.recv_from(id, &mut buf, false)?;
    Ok(buf[..got.len].to_vec())
}

#[test]
fn a_ping_by_hand() {
    let mut lan = Lan::flat(1, 2);
    let id = lan.stacks[0].raw_socket(Domain::Inet, ICMP);
    lan.stacks[0].send_to(id, &echo_request(), Some(at("10.0.0.2:0"))).expect("sent");
    lan.run(100 * MS);
    let answer = received(&mut lan.stacks[0], id).expect("an answer");
    assert_eq!((answer[0] >> 4, answer[20], &answer[24..26]), (4, 0, &[0x12, 0x34][..]), "with its header");
    let options = RawOptions { icmp_filter: 1, ..RawOptions::default() };
    lan.stacks[0].set_raw_options(id, options).expect("a filter");
    lan.stacks[0].send_to(id, &echo_request(), Some(at("10.0.0.2:0"))).expect("sent");
    lan.run(100 * MS);
    assert_eq!(received(&mut lan.stacks[0], id), Err(Errno::EAGAIN), "echo replies are not wanted");
}

#[test]
fn icmpv6_has_its_checksum_made() {
    let mut lan = Lan::flat(2, 2);
    let id = lan.stacks[0].raw_socket(Domain::Inet6, 58);
    let request = [128, 0, 0, 0, 0x12, 0x34, 0, 1, 1, 2, 3];
    lan.stacks[0].send_to(id, &request, Some(at("[2001:db8::2]:0"))).expect("sent");
    lan.run(100 * MS);
    let kinds: Vec<_> = std::iter::from_fn(|| received(&mut lan.stacks[0], id).ok()).map(|m| m[0]).collect();
    assert!(kinds.contains(&129), "{kinds:?}");
}

#[test]
fn a_protocol_of_ones_own() {
    let mut lan = Lan::flat(3, 2);
    let sender = lan.stacks[0].raw_socket(Domain::Inet, 200);
    let receiver = lan.stacks[1].raw_socket(Domain::Inet, 200);
    lan.stacks[0].send_to(sender, b"payload", Some(at("10.0.0.2:0"))).expect("sent");
    lan.run(100 * MS);
    assert_eq!(received(&mut lan.stacks[1], receiver).map(|m| m[20..].to_vec()), Ok(b"payload".to_vec()));
    lan.stacks[1].bind(receiver, at("10.0.0.2:0")).expect("an address of ours");
    lan.stacks[1].connect(receiver, at("10.0.0.77:0")).expect("a peer");
    lan.stacks[0].send_to(sender, b"payload", Some(at("10.0.0.2:0"))).expect("sent");
    lan.run(100 * MS);
    assert_eq!(received(&mut lan.stacks[1], receiver), Err(Errno::EAGAIN), "from somebody else");
}

#[test]
fn a_header_of_ones_own() {
    let mut lan = Lan::flat(4, 2);
    let id = lan.stacks[0].raw_socket(Domain::Inet, 255);
    let sink = lan.stacks[1].udp_socket(Domain::Inet);
    lan.stacks[1].bind(sink, at("10.0.0.2:9")).expect("a port");
    // Source, identification, length and checksum are filled in.
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 9, 17, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2];
    packet.extend_from_slice(&[0, 7, 0, 9, 0, 10, 0, 0, b'h', b'i']);
    lan.stacks[0].send_to(id, &packet, Some(at("10.0.0.2:0"))).expect("sent");
    lan.run(100 * MS);
    let mut buf = [0; 100];
    let got = lan.stacks[1].recv_from(sink, &mut buf, false).expect("a datagram");
    assert_eq!((&buf[..got.len], got.ttl, got.from), (&b"hi"[..], 9, at("10.0.0.1:7")));
    assert_eq!(lan.stacks[0].send_to(id, &packet[..10], Some(at("10.0.0.2:0"))), Err(Errno::EINVAL));
    assert_eq!(lan.stacks[0].send_to(id, &[0x45; 1501], Some(at("10.0.0.2:0"))), Err(Errno::EMSGSIZE));
}

#[test]
fn packet_sockets_see_both_ways() {
    let mut lan = Lan::flat(5, 2);
    let link = lan.stacks[0].link_named("eth0").expect("a link");
    let all = lan.stacks[0].packet_socket(true, 3);
    lan.stacks[0].packet_bind(all, Some(link), 0).expect("bound");
    let arp = lan.stacks[0].packet_socket(false, 0x0806);
    let udp = lan.stacks[0].udp_socket(Domain::Inet);
    lan.stacks[0].send_to(udp, b"x", Some(at("10.0.0.2:9"))).expect("sent");
    lan.run(100 * MS);
    let seen: Vec<_> = std::iter::from_fn(|| lan.stacks[0].packet_recv(all, false).ok()).collect();
    let kinds: Vec<_> = seen.iter().map(|c| (c.from.kind, c.from.protocol)).collect();
    let (out, host) = (FrameKind::Outgoing, FrameKind::Host);
    // The question, the answer, the datagram, the refusal.
    assert_eq!(kinds, [(out, 0x806), (host, 0x806), (out, 0x800), (host, 0x800)]);
    assert_eq!(seen[0].data[..6], [0xff; 6]);
    let answer = lan.stacks[0].packet_recv(arp, false).expect("the answer alone");
    assert_eq!((answer.from.kind, answer.data.len()), (host, 28));
    assert_eq!(lan.stacks[0].packet_statistics(all).map(|s| s.packets), Ok(4));
}

#[test]
fn loopback_is_shown_as_ethernet() {
    let mut stack = common::stack();
    let all = stack.packet_socket(true, 3);
    let udp = stack.udp_socket(Domain::Inet);
    stack.bind(udp, at("127.0.0.1:9")).expect("a port");
    stack.send_to(udp, b"x", Some(at("127.0.0.1:9"))).expect("sent");
    let first = stack.packet_recv(all, false).expect("what is sent");
    let second = stack.packet_recv(all, false).expect("what comes in");
    assert_eq!((first.from.kind, second.from.kind), (FrameKind::Outgoing, FrameKind::Host));
    assert_eq!((first.from.hatype, &first.data[12..15]), (772, &[8, 0, 0x45][..]));
}

#[test]
fn arping() {
    let mut lan = Lan::flat(6, 2);
    let link = lan.stacks[0].link_named("eth0").expect("a link");
    let id = lan.stacks[0].packet_socket(false, 0x0806);
    lan.stacks[0].packet_bind(id, Some(link), 0x0806).expect("bound");
    let own = lan.stacks[0].packet_local(id).expect("an address").mac.expect("a MAC");
    let question = [&[0, 1, 8, 0, 6, 4, 0, 1], &own.0[..], &[10, 0, 0, 1], &[0; 6], &[10, 0, 0, 2]].concat();
    let to = LinkAddr {
        link: Some(link),
        protocol: 0x0806,
        hatype: 1,
        kind: FrameKind::Host,
        mac: Some(Mac::BROADCAST),
    };
    assert_eq!(lan.stacks[0].packet_send(id, &question, Some(to)), Ok(28));
    lan.run(100 * MS);
    let answer = lan.stacks[0].packet_recv(id, false).expect("an answer");
    assert_eq!((answer.data[7], answer.from.mac), (2, Some(Mac([2, 0, 0, 0, 1, 1]))));
}

#[test]
fn a_filter_keeps_out_what_is_not_asked_for() {
    let mut lan = Lan::flat(7, 2);
    let id = lan.stacks[0].packet_socket(true, 3);
    let i = |code, jt, jf, k| Instruction { code, jt, jf, k };
    let arp = [i(0x28, 0, 0, 12), i(0x15, 0, 1, 0x806), i(6, 0, 0, 20), i(6, 0, 0, 0)];
    lan.stacks[0].set_filter(id, Some(Program::new(&arp).expect("a program"))).expect("attached");
    let udp = lan.stacks[0].udp_socket(Domain::Inet);
    lan.stacks[0].send_to(udp, b"x", Some(at("10.0.0.2:9"))).expect("sent");
    lan.run(100 * MS);
    let seen: Vec<_> = std::iter::from_fn(|| lan.stacks[0].packet_recv(id, false).ok()).collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|c| c.data.len() == 20 && c.full_len == 42));
    assert_eq!(lan.stacks[0].set_filter(id, None), Ok(()));
    assert_eq!(lan.stacks[0].set_filter(id, None), Err(Errno::ENOENT));
}

proptest! {
    #[test]
    fn whatever_a_program_sends(packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..40)) {
        let mut lan = Lan::flat(8, 2);
        let ids = [(Domain::Inet, 255), (Domain::Inet, 1), (Domain::Inet6, 58), (Domain::Inet6, 255)];
        for (domain, protocol) in ids {
            let id = lan.stacks[0].raw_socket(domain, protocol);
            let to = if domain == Domain::Inet { "10.0.0.2:0" } else { "[2001:db8::2]:0" };
            for packet in &packets {
                let _ = lan.stacks[0].send_message(id, packet, Some(at(to)), &Sending::default());
            }
        }
        let link = lan.stacks[0].link_named("eth0");
        let id = lan.stacks[0].packet_socket(true, 3);
        prop_assert!(lan.stacks[0].packet_bind(id, link, 0).is_ok());
        for packet in &packets {
            let _ = lan.stacks[0].packet_send(id, packet, None);
        }
        lan.run(1_000 * MS);
    }
}
