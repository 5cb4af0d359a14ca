//! Timestamps on segments (RFC 7323).
#![allow(missing_docs)]

mod common;

use common::{at, lan::Lan, listener, net::MS, recv};
use smoltcp::wire::{EthernetFrame, IpProtocol, Ipv4Packet, TcpOption, TcpPacket};
use tcpip::SocketId;

const B: &str = "10.0.0.2:80";

/// A segment: who sent it, whether it is a SYN, and its timestamps.
type Stamped = (usize, bool, Option<(u32, u32)>);

fn segments(lan: &Lan) -> Vec<Stamped> {
    let parse = |host: usize, frame: &[u8]| {
        let ethernet = EthernetFrame::new_checked(frame).ok()?;
        let ip = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
        let tcp =
            TcpPacket::new_checked(ip.payload()).ok().filter(|_| ip.next_header() == IpProtocol::Tcp)?;
        assert!(tcp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()));
        assert!(ethernet.payload().len() <= 1500, "longer than the MTU");
        let (mut options, mut stamp) = (tcp.options(), None);
        while let Ok((rest, option)) = TcpOption::parse(options) {
            match option {
                TcpOption::TimeStamp { tsval, tsecr } => stamp = Some((tsval, tsecr)),
                TcpOption::EndOfList => break,
                _ => {}
            }
            options = rest;
        }
        (!tcp.rst()).then(|| (host, tcp.syn(), stamp))
    };
    lan.seen.iter().filter_map(|(host, frame)| parse(*host, frame)).collect()
}

/// A connection over which 200,000 bytes go there and a few back, and which is closed, at last from TIME-WAIT.
fn talk(lan: &mut Lan) -> SocketId {
    lan.seen.clear();
    let server = listener(&mut lan.stacks[1], B);
    let client = common::client(&mut lan.stacks[0], B);
    lan.run(10 * MS);
    let (accepted, _) = lan.stacks[1].accept(server).expect("a connection");
    let mut left = 200_000;
    while left > 0 {
        left -= lan.stacks[0].send(client, &vec![7; left.min(5000)]).unwrap_or(0);
        lan.run(5 * MS);
        while recv(&mut lan.stacks[1], accepted).is_ok_and(|got| !got.is_empty()) {}
    }
    lan.stacks[1].send(accepted, b"thanks").expect("room");
    lan.run(500 * MS);
    assert_eq!(recv(&mut lan.stacks[0], client), Ok("thanks".to_owned()));
    let info = lan.stacks[0].tcp_info(client).expect("TCP");
    let stamped = info.options & 1 == 1;
    assert_eq!(info.snd_mss, if stamped { 1448 } else { 1460 });
    lan.stacks[0].close(client);
    lan.stacks[1].close(accepted);
    lan.stacks[1].close(server);
    lan.run(500 * MS);
    client
}

#[test]
fn every_segment_has_them_once_both_ends_do() {
    let mut lan = Lan::flat(9, 2);
    talk(&mut lan);
    let seen = segments(&lan);
    assert!(seen.len() > 150, "{} segments", seen.len());
    let mut last: [Option<u32>; 2] = [None; 2];
    for (host, syn, stamp) in seen {
        let (value, echo) = stamp.unwrap_or_else(|| panic!("a segment of {host} has none"));
        assert!(
            last[host].is_none_or(|before| value.wrapping_sub(before).cast_signed() >= 0),
            "the clock went back"
        );
        let heard = last[1 - host];
        assert_eq!(echo == 0, syn && heard.is_none(), "only the first SYN has nothing to echo");
        assert!(
            heard.is_none_or(|heard| heard.wrapping_sub(echo).cast_signed() >= 0),
            "echoed before it was sent"
        );
        last[host] = Some(value);
    }
    assert_ne!(last[0].map(|v| v >> 20), last[1].map(|v| v >> 20), "clocks begin at random");
}

#[test]
fn an_end_without_them_is_spoken_to_without() {
    for without in [0, 1] {
        let mut lan = Lan::flat(9, 2);
        lan.stacks[without].settings_mut().tcp_timestamps = false;
        talk(&mut lan);
        let syn_of_other = |&(host, syn, stamp): &Stamped| host != without && syn && stamp.is_some();
        let seen = segments(&lan);
        assert_eq!(seen.iter().any(syn_of_other), without == 1, "offered by who opens alone");
        assert!(seen.iter().all(|(_, syn, stamp)| *syn || stamp.is_none()));
    }
    assert_eq!(at(B).port(), 80);
}

/// A port is used again while the peer, who closed first, is in TIME-WAIT: at once if both have timestamps (RFC 6191), else after the
/// peer was told that its connection is gone (RFC 9293, section 3.10.7.3).
#[test]
fn a_port_is_used_again() {
    for (stamped, patience_ms) in [(true, 20), (false, 1500)] {
        let mut lan = Lan::flat(9, 2);
        lan.stacks[0].settings_mut().tcp_timestamps = stamped;
        let server = listener(&mut lan.stacks[1], B);
        for round in 0..30 {
            let client = lan.stacks[0].tcp_socket(tcpip::Domain::Inet);
            lan.stacks[0].set_option(client, tcpip::Opt::ReuseAddr(true)).expect("an option");
            lan.stacks[0].bind(client, at("10.0.0.1:4000")).expect("free");
            assert_eq!(lan.stacks[0].connect(client, at(B)), Err(abi::Errno::EINPROGRESS));
            lan.run(patience_ms * MS);
            assert_eq!(lan.stacks[0].connect(client, at(B)), Ok(()), "round {round}, timestamps: {stamped}");
            let (accepted, _) = lan.stacks[1].accept(server).expect("a connection");
            lan.stacks[1].close(accepted);
            lan.run(5 * MS);
            lan.stacks[0].close(client);
            lan.run(5 * MS);
        }
    }
}

/// A segment from before is answered and not taken, whatever its sequence number says (PAWS).
#[test]
fn an_old_duplicate_is_answered() {
    let mut lan = Lan::flat(9, 2);
    let server = listener(&mut lan.stacks[1], B);
    let client = common::client(&mut lan.stacks[0], B);
    lan.run(10 * MS);
    let (accepted, _) = lan.stacks[1].accept(server).expect("a connection");
    lan.stacks[0].send(client, b"old").expect("room");
    lan.run(500 * MS);
    assert_eq!(recv(&mut lan.stacks[1], accepted), Ok("old".to_owned()));
    let old = lan.seen.iter().rev().find(|(host, frame)| *host == 0 && frame.ends_with(b"old"));
    let mut frame = old.expect("it was sent").1.clone();
    // What the peer has heard since is newer.
    lan.stacks[0].send(client, b"new").expect("room");
    lan.run(500 * MS);
    assert_eq!(recv(&mut lan.stacks[1], accepted), Ok("new".to_owned()));
    // Its number comes round to where the peer waits.
    let mut ethernet = EthernetFrame::new_unchecked(&mut frame[..]);
    let mut ip = Ipv4Packet::new_unchecked(ethernet.payload_mut());
    let (src, dst) = (ip.src_addr().into(), ip.dst_addr().into());
    let mut tcp = TcpPacket::new_unchecked(ip.payload_mut());
    tcp.set_seq_number(tcp.seq_number() + 6);
    tcp.fill_checksum(&src, &dst);
    let link = lan.stacks[1].link_named("eth0").expect("a link");
    lan.seen.clear();
    lan.stacks[1].frame_in(link, &frame);
    lan.run(MS);
    assert_eq!(recv(&mut lan.stacks[1], accepted), Err(abi::Errno::EAGAIN), "an old duplicate was taken");
    assert_eq!(segments(&lan).iter().filter(|(host, ..)| *host == 1).count(), 1, "it is answered");
    lan.stacks[0].send(client, b"more").expect("room");
    lan.run(500 * MS);
    assert_eq!(recv(&mut lan.stacks[1], accepted), Ok("more".to_owned()));
}
