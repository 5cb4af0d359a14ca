//! TCP segments that nobody has cut, and checksums that nobody has filled in (`Stack::set_offloads`).
#![allow(clippy::expect_used, reason = "a test")]

mod common;

use std::{net::IpAddr, num::NonZeroU16};

use common::{at, client, lan::Lan, listener, net::MS};
use smoltcp::wire::{IpAddress, Ipv4Packet, Ipv6Packet, TcpPacket};
use tcpip::{LinkId, Offload, Offloads, Opt, Sending, SocketId, TapConfig};

const ETHERNET: usize = 14;

/// Bytes that tell where they belong.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A connection from host `from` to host `to` of this address.
fn connect(lan: &mut Lan, from: usize, to: usize, addr: &str) -> (SocketId, SocketId) {
    let listening = listener(&mut lan.stacks[to], addr);
    let calling = client(&mut lan.stacks[from], addr);
    lan.run(2_000 * MS);
    assert_eq!(lan.stacks[from].connect(calling, at(addr)), Ok(()));
    (calling, lan.stacks[to].accept(listening).expect("a connection").0)
}

/// Sends so many bytes; what has come.
fn transfer(lan: &mut Lan, (from, sender): (usize, SocketId), (to, receiver): (usize, SocketId), len: usize) {
    let data = pattern(len);
    let (mut sent, mut received, mut buf) = (0, Vec::new(), vec![0; 65536]);
    let end_ns = lan.now_ns + 300_000 * MS;
    while received.len() < len {
        assert!(
            lan.now_ns < end_ns,
            "{} of {len} bytes in five minutes; {:?}",
            received.len(),
            lan.stacks[from].tcp_info(sender)
        );
        if let Ok(n) = lan.stacks[from].send(sender, &data[sent..]) {
            sent += n;
        }
        while let Ok(n) = lan.stacks[to].recv(receiver, &mut buf, false) {
            received.extend_from_slice(&buf[..n]);
        }
        lan.step(lan.now_ns + 10 * MS);
    }
    assert!(received == data, "not what was sent");
}

fn offloads(lan: &mut Lan, links: &[(usize, LinkId)]) {
    for &(host, link) in links {
        lan.stacks[host].set_offloads(link, Offloads::TcpAndUdp).expect("a link");
    }
}

/// The only link of a host.
fn only(lan: &Lan, host: usize) -> LinkId {
    lan.stacks[host].links().last().expect("a link").id
}

/// Whether the checksums of a frame with a TCP segment are right; none: it is no such frame.
fn summed(frame: &[u8]) -> Option<bool> {
    let packet = frame.get(ETHERNET..)?;
    let (src, dst, tcp, header): (IpAddr, IpAddr, &[u8], bool) = match packet.first()? >> 4 {
        4 => {
            let ip = Ipv4Packet::new_checked(packet).ok().filter(|ip| u8::from(ip.next_header()) == 6)?;
            (ip.src_addr().into(), ip.dst_addr().into(), ip.payload(), ip.verify_checksum())
        }
        _ => {
            let ip = Ipv6Packet::new_checked(packet).ok().filter(|ip| u8::from(ip.next_header()) == 6)?;
            (ip.src_addr().into(), ip.dst_addr().into(), ip.payload(), true)
        }
    };
    let tcp = TcpPacket::new_checked(tcp).ok()?;
    Some(header && tcp.verify_checksum(&IpAddress::from(src), &IpAddress::from(dst)))
}

fn longest(lan: &Lan, host: usize) -> usize {
    lan.seen.iter().filter(|(from, _)| *from == host).map(|(_, frame)| frame.len()).max().unwrap_or(0)
}

#[test]
fn segments_cross_uncut_where_both_sides_take_them_so() {
    for addr in ["10.0.0.2:80", "[2001:db8::2]:80"] {
        let mut lan = Lan::flat(1, 2);
        let ends = [(0, only(&lan, 0)), (1, only(&lan, 1))];
        offloads(&mut lan, &ends);
        let (calling, accepted) = connect(&mut lan, 0, 1, addr);
        lan.seen.clear();
        transfer(&mut lan, (0, calling), (1, accepted), 3_000_000);
        assert!(longest(&lan, 0) > 60_000, "{}", longest(&lan, 0));
        assert!(lan.seen.len() < 600, "{} frames for 2,100 segments", lan.seen.len());
        let [mine, theirs] =
            [(0, calling), (1, accepted)].map(|(host, id)| lan.stacks[host].tcp_info(id).expect("TCP"));
        assert_eq!(mine.total_retrans, 0);
        assert!(mine.segs_out > 2000 && theirs.segs_in < mine.segs_out, "{mine:?} {theirs:?}");
    }
}

#[test]
fn who_takes_frames_as_on_a_wire_gets_them_so() {
    for addr in ["10.0.0.2:80", "[2001:db8::2]:80"] {
        let mut lan = Lan::flat(2, 2);
        let (link, far) = (only(&lan, 0), only(&lan, 1));
        offloads(&mut lan, &[(0, link)]);
        let (calling, _) = connect(&mut lan, 0, 1, addr);
        lan.stacks[0].send(calling, &pattern(50_000)).expect("room");
        let mut frames = Vec::new();
        for _ in 0..200 {
            while let Some((_, frame)) = lan.stacks[0].next_frame() {
                lan.stacks[1].frame_in(far, &frame);
                frames.push(frame);
            }
            while let Some((_, frame)) = lan.stacks[1].next_frame() {
                lan.stacks[0].frame_in(link, &frame);
            }
        }
        assert!(frames.len() > 30, "{addr}: {}", frames.len());
        assert!(frames.iter().all(|frame| frame.len() <= ETHERNET + 1500 && summed(frame) == Some(true)));
        let ids: Vec<_> = frames.iter().map(|frame| &frame[18..20]).collect();
        assert!(addr.starts_with('[') || ids.windows(2).all(|pair| pair[0] != pair[1] || pair[0] == [0, 0]));
    }
}

/// A router between a bus and a line that carries frames of 1,400 bytes and loses some.
#[test]
fn a_router_cuts_for_a_line_that_takes_nothing_else() {
    let mut lan = Lan::new(3);
    let [left, router, right] = [lan.host(), lan.host(), lan.host()];
    let ends =
        [(left, lan.join(left, 0, &["10.0.0.1/24"])), (router, lan.join(router, 0, &["10.0.0.254/24"]))];
    let line = lan.join(router, 1, &["10.0.1.254/24"]);
    let far = lan.join(right, 1, &["10.0.1.1/24"]);
    offloads(&mut lan, &ends);
    for (host, link) in [(router, line), (right, far)] {
        lan.stacks[host].set_mtu(link, 1400).expect("a link");
    }
    lan.stacks[router].settings_mut().ip_forward = true;
    for (host, link, gateway) in [(left, ends[0].1, "10.0.0.254"), (right, far, "10.0.1.254")] {
        let route = tcpip::Route::default_via(gateway.parse().expect("an address"), Some(link));
        lan.stacks[host].add_route(route, tcpip::RouteUpdate::Replace).expect("a route");
    }
    let (calling, accepted) = connect(&mut lan, left, right, "10.0.1.1:80");
    lan.seen.clear();
    transfer(&mut lan, (left, calling), (right, accepted), 1_000_000);
    assert!(longest(&lan, left) > 4_000, "{}", longest(&lan, left));
    let cut = lan.seen.iter().filter(|(host, frame)| *host == router && frame[0..6] == [2, 0, 0, 0, 2, 1]);
    assert!(cut.clone().count() > 700);
    assert!(cut.clone().all(|(_, frame)| frame.len() <= ETHERNET + 1400 && summed(frame) == Some(true)));
    // Lost ones are sent again one by one.
    lan.loss_percent = 2;
    transfer(&mut lan, (left, calling), (right, accepted), 500_000);
    assert!(lan.stacks[left].tcp_info(calling).expect("TCP").total_retrans > 5);
}

#[test]
fn who_listens_sees_checksums() {
    let mut lan = Lan::flat(4, 2);
    let ends = [(0, only(&lan, 0)), (1, only(&lan, 1))];
    offloads(&mut lan, &ends);
    let (calling, accepted) = connect(&mut lan, 0, 1, "10.0.0.2:80");
    let taps = ends.map(|(host, link)| {
        lan.stacks[host].add_tap(TapConfig { link: Some(link), snaplen: 1 << 18, epoch_real_ns: 0 })
    });
    transfer(&mut lan, (0, calling), (1, accepted), 300_000);
    for (host, tap) in taps.into_iter().enumerate() {
        let file = lan.stacks[host].tapped(tap, usize::MAX).expect("a file");
        let packets = packets(&file);
        assert!(packets.iter().any(|frame| frame.len() > 5000));
        assert!(packets.iter().all(|frame| summed(frame) != Some(false)), "host {host}");
    }
}

/// The enhanced packet blocks of a pcapng file.
fn packets(mut file: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let word =
        |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    while file.len() >= 12 {
        let (block, rest) = file.split_at(word(file, 4) as usize);
        if word(block, 0) == 6 {
            found.push(&block[28..28 + word(block, 20) as usize]);
        }
        file = rest;
    }
    found
}

/// What is said of a frame must fit it.
#[test]
fn what_does_not_fit_is_malformed() {
    let mut lan = Lan::flat(5, 2);
    let link = only(&lan, 1);
    let before = lan.stacks[1].counters().ip_in_hdr_errors;
    let mut ping = vec![0_u8; ETHERNET];
    ping[..6].copy_from_slice(&[2, 0, 0, 0, 1, 1]);
    ping[12] = 8;
    ping.extend([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0x66, 0xdf, 10, 0, 0, 1, 10, 0, 0, 2]);
    ping.extend([8, 0, 0xf7, 0xff, 0, 0, 0, 0]);
    let offload = Offload { unsummed: true, segment_size: NonZeroU16::new(100) };
    lan.stacks[1].frame_in_with(link, &ping, offload);
    assert_eq!(lan.stacks[1].counters().ip_in_hdr_errors, before + 1);
    assert!(lan.stacks[1].next_frame().is_none());
    lan.stacks[1].frame_in(link, &ping);
    assert!(lan.stacks[1].next_frame().is_some(), "an echo request as it should be is answered");
}

/// What crosses a link as one is received as the datagrams that it was cut into, or as one by who asked for that (`UDP_GRO`).
#[test]
fn datagrams_of_one_send() {
    let sizes = |lan: &mut Lan, id: SocketId| {
        let mut found = Vec::new();
        let mut buf = vec![0; 65536];
        while let Ok(got) = lan.stacks[1].recv_from(id, &mut buf, false) {
            found.push((got.len, got.segment_size));
        }
        found
    };
    for addr in ["10.0.0.2:53", "[2001:db8::2]:53"] {
        for offloads in [Offloads::None, Offloads::Tcp, Offloads::TcpAndUdp] {
            let mut lan = Lan::flat(6, 2);
            for host in 0..2 {
                let link = only(&lan, host);
                lan.stacks[host].set_offloads(link, offloads).expect("a link");
            }
            let domain = if addr.starts_with('[') { tcpip::Domain::Inet6 } else { tcpip::Domain::Inet };
            let (sender, receiver) = (lan.stacks[0].udp_socket(domain), lan.stacks[1].udp_socket(domain));
            lan.stacks[1].bind(receiver, at(addr)).expect("a port");
            lan.run(2_000 * MS);
            let send = |lan: &mut Lan| {
                let how = Sending { segment_size: Some(1000), ..Sending::default() };
                let sent = lan.stacks[0].send_message(sender, &pattern(20_500), Some(at(addr)), &how);
                assert_eq!(sent, Ok(20_500));
                lan.run(lan.now_ns + 100 * MS);
            };
            lan.seen.clear();
            send(&mut lan);
            let each = [vec![(1000, None); 20], vec![(500, None)]].concat();
            assert_eq!(sizes(&mut lan, receiver), each, "{addr} {offloads:?}");
            lan.seen.clear();
            lan.stacks[1].set_option(receiver, Opt::UdpGro(true)).expect("an option");
            send(&mut lan);
            let uncut = offloads == Offloads::TcpAndUdp;
            assert_eq!(longest(&lan, 0) > 20_000, uncut);
            let whole = if uncut { vec![(20_500, Some(1000))] } else { each };
            assert_eq!(sizes(&mut lan, receiver), whole, "{addr} {offloads:?}");
        }
    }
}

/// Each of them must fit the path: they are not cut into fragments.
#[test]
fn datagrams_that_do_not_fit() {
    let mut lan = Lan::flat(7, 2);
    let sender = lan.stacks[0].udp_socket(tcpip::Domain::Inet);
    lan.run(2_000 * MS);
    let mut send = |len: usize, size: u16| {
        let how = Sending { segment_size: Some(size), ..Sending::default() };
        lan.stacks[0].send_message(sender, &pattern(len), Some(at("10.0.0.2:53")), &how)
    };
    assert_eq!(send(10_000, 1472), Ok(10_000));
    assert_eq!(send(10_000, 1473), Err(abi::Errno::EMSGSIZE));
    assert_eq!(send(1281, 10), Err(abi::Errno::EINVAL));
}
