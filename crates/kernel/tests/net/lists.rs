//! /proc/net and sock_diag(7): every socket is there, in the state that it is in.

use crate::machine::{Machine, Rump};
use abi::nr;
use abi::raw::net::*;

const AT: u64 = 0x10_0000;
const ROOM: u64 = AT + 0x1_0000;

fn socket(rump: &mut Rump, family: u32, kind: u32, protocol: u32) -> u64 {
    rump.sys(nr::SOCKET, [family.into(), kind.into(), protocol.into(), 0, 0, 0]).expect("a socket")
}

fn bind(rump: &mut Rump, fd: u64, addr: &[u8]) {
    rump.memory()[512..512 + addr.len()].copy_from_slice(addr);
    assert_eq!(rump.sys(nr::BIND, [fd, AT + 512, addr.len() as u64, 0, 0, 0]), Ok(0));
}

fn inet(port: u16) -> Vec<u8> {
    [&2u16.to_ne_bytes()[..], &port.to_be_bytes(), &[127, 0, 0, 1], &[0; 8]].concat()
}

fn read(rump: &mut Rump, name: &str) -> String {
    let path = [name.as_bytes(), &[0]].concat();
    rump.memory()[64..64 + path.len()].copy_from_slice(&path);
    let fd = rump.sys(nr::OPEN, [AT + 64, 0, 0, 0, 0, 0]).expect(name);
    let len = rump.sys(nr::READ, [fd, ROOM, 0x1_0000, 0, 0, 0]).expect("text");
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    let len = usize::try_from(len).expect("a length");
    String::from_utf8_lossy(&rump.memory()[0x1_0000..0x1_0000 + len]).into_owned()
}

/// A listener on port 80, a connection to it, a UDP socket on port 53, a listener by an abstract name.
fn some_sockets(rump: &mut Rump) {
    let listener = socket(rump, AF_INET, SOCK_STREAM, 0);
    bind(rump, listener, &inet(80));
    assert_eq!(rump.sys(nr::LISTEN, [listener, 5, 0, 0, 0, 0]), Ok(0));
    let client = socket(rump, AF_INET, SOCK_STREAM, 0);
    rump.memory()[512..528].copy_from_slice(&inet(80));
    assert_eq!(rump.sys(nr::CONNECT, [client, AT + 512, 16, 0, 0, 0]), Ok(0));
    let udp = socket(rump, AF_INET, SOCK_DGRAM, 0);
    bind(rump, udp, &inet(53));
    let unix = socket(rump, AF_UNIX, SOCK_STREAM, 0);
    bind(rump, unix, b"\x01\x00\0name");
    assert_eq!(rump.sys(nr::LISTEN, [unix, 5, 0, 0, 0, 0]), Ok(0));
}

#[test]
fn proc_net_lists_sockets() {
    let mut rump = Rump::new();
    some_sockets(&mut rump);
    let tcp = read(&mut rump, "/proc/net/tcp");
    let lines: Vec<&str> = tcp.lines().collect();
    assert_eq!(lines.len(), 4, "{tcp}");
    assert!(lines.iter().all(|line| line.len() == 149), "padded as on Linux");
    assert!(tcp.contains(": 0100007F:0050 00000000:0000 0A 00000000:00000001 "), "{tcp}");
    assert_eq!(tcp.matches(" 01 ").count(), 2, "both ends of the connection: {tcp}");
    let udp = read(&mut rump, "/proc/net/udp");
    assert!(udp.contains(": 0100007F:0035 00000000:0000 07 00000000:00000000 "), "{udp}");
    let unix = read(&mut rump, "/proc/self/net/unix");
    assert!(unix.contains(": 00000002 00000000 00010000 0001 01 ") && unix.ends_with(" @name\n"), "{unix}");
    assert!(
        read(&mut rump, "/proc/net/sockstat")
            .starts_with("sockets: used 4\nTCP: inuse 2 orphan 0 tw 0 alloc 2")
    );
    let snmp = read(&mut rump, "/proc/net/snmp");
    for pair in snmp.lines().collect::<Vec<_>>().chunks(2) {
        assert_eq!(pair[0].split(' ').count(), pair[1].split(' ').count(), "a value for each name: {pair:?}");
    }
    assert!(snmp.contains("\nTcp: 4 200 120000 -1 1 1 0 0 2 "), "{snmp}");
    let dev = read(&mut rump, "/proc/net/dev");
    let lo = dev.lines().find_map(|line| line.strip_prefix("    lo: ")).expect("lo");
    let counts: Vec<u64> = lo.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    assert_eq!(counts.len(), 16);
    assert!(counts[0] > 0 && counts[..2] == counts[8..10], "what is sent on lo comes in: {lo}");
    assert_eq!(
        read(&mut rump, "/proc/net/if_inet6"),
        "00000000000000000000000000000001 01 80 10 80       lo\n"
    );
    assert!(
        read(&mut rump, "/proc/net/tcp6").lines().count() == 1
            && read(&mut rump, "/proc/net/arp").ends_with("Device\n")
    );
    assert_eq!(read(&mut rump, "/proc/net/route").lines().count(), 1, "lo has none");
}

/// The messages that answer a request: kind and body of each.
fn ask(rump: &mut Rump, flags: u16, body: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let fd = socket(rump, AF_NETLINK, SOCK_RAW, 4);
    let len = u32::try_from(16 + body.len()).expect("short");
    let head = [&len.to_ne_bytes()[..], &20u16.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8]].concat();
    let request = [&head[..], body].concat();
    rump.memory()[4096..4096 + request.len()].copy_from_slice(&request);
    assert_eq!(
        rump.sys(nr::SENDTO, [fd, AT + 4096, request.len() as u64, 0, 0, 0]),
        Ok(request.len() as u64)
    );
    let mut messages = Vec::new();
    while let Ok(len) = rump.sys(nr::RECVFROM, [fd, ROOM, 8192, MSG_DONTWAIT.into(), 0, 0]) {
        let len = usize::try_from(len).expect("a length");
        let mut data = &rump.memory()[0x1_0000..0x1_0000 + len];
        while data.len() >= 16 {
            let len = u32::from_ne_bytes(data[..4].try_into().expect("four")) as usize;
            messages.push((u16::from_ne_bytes([data[4], data[5]]), data[16..len].to_vec()));
            data = &data[len.next_multiple_of(4).min(data.len())..];
        }
    }
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    messages
}

fn inet_request(protocol: u32, states: u32) -> Vec<u8> {
    let protocol = u8::try_from(protocol).expect("small");
    [&[2, protocol, 0, 0][..], &states.to_ne_bytes(), &[0; 48]].concat()
}

const REQUEST: u16 = 1;
const DUMP: u16 = 0x301;
const DONE: u16 = 3;
const ERROR: u16 = 2;

#[test]
fn sock_diag_lists_tcp_by_state() {
    let mut rump = Rump::new();
    some_sockets(&mut rump);
    let all = ask(&mut rump, DUMP, &inet_request(IPPROTO_TCP as u32, 0xfff));
    assert_eq!(all.len(), 4);
    assert_eq!(all[3].0, DONE);
    let listening = ask(&mut rump, DUMP, &inet_request(IPPROTO_TCP as u32, 1 << 10));
    let (kind, body) = &listening[0];
    // INET_DIAG_SHUTDOWN (8) comes unasked.
    assert_eq!((*kind, &body[72..], listening.len()), (20, &[5, 0, 8, 0, 0, 0, 0, 0][..], 2));
    assert_eq!((&body[..2], &body[4..6], &body[8..12]), (&[2, 10][..], &[0, 80][..], &[127, 0, 0, 1][..]));
    assert_ne!(body[68..72], [0; 4], "an inode");
    // The same socket, asked for by its ends.
    let one = [&[2, 6, 0, 0, 0, 0, 0, 0][..], &body[4..40], &[0; 12]].concat();
    assert_eq!(ask(&mut rump, REQUEST, &one)[0], (20, body.clone()));
    // The second extension is `struct tcp_info`, whose first byte is the state.
    let asked = [&[2, 6, 2, 0][..], &one[4..]].concat();
    let (_, told) = &ask(&mut rump, REQUEST, &asked)[0];
    assert_eq!((&told[80..84], told[84]), (&[244, 0, 2, 0][..], 10));
    let nobody = [&one[..8], &[9; 48]].concat();
    assert_eq!(ask(&mut rump, REQUEST, &nobody)[0].0, ERROR);
}

#[test]
fn sock_diag_lists_unix() {
    let mut rump = Rump::new();
    some_sockets(&mut rump);
    let body = |show: u32| {
        [&[1u8, 0, 0, 0][..], &u32::MAX.to_ne_bytes(), &[0; 4], &show.to_ne_bytes(), &[0; 8]].concat()
    };
    let all = ask(&mut rump, DUMP, &body(1 | 4 | 0x10));
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].1[..4], [1, 1, 10, 0]);
    let name = [&9u16.to_ne_bytes()[..], &0u16.to_ne_bytes(), b"\0name"].concat();
    assert!(all[0].1.windows(name.len()).any(|window| window == name));
}

#[test]
fn malformed_questions_are_refused() {
    let mut rump = Rump::new();
    for body in [&[2u8, 6][..], &[1; 8], &[77; 80], &[]] {
        assert_eq!(ask(&mut rump, DUMP, body)[0].0, ERROR, "{body:?}");
    }
}

/// Raw sockets have their protocols in the ports' place (net/ipv4/raw.c); UDP-Lite's are listed apart from UDP's.
#[test]
fn raw_and_udplite_sockets_are_listed() {
    let mut rump = Rump::new();
    socket(&mut rump, AF_INET, SOCK_RAW, 148);
    socket(&mut rump, AF_INET6, SOCK_RAW, 58);
    let lite = socket(&mut rump, AF_INET, SOCK_DGRAM, 136);
    bind(&mut rump, lite, &inet(77));
    let raw = read(&mut rump, "/proc/net/raw");
    assert!(raw.contains(": 00000000:0094 00000000:0000 07 "), "{raw}");
    let raw6 = read(&mut rump, "/proc/net/raw6");
    assert!(raw6.contains(":003A 0"), "{raw6}");
    let udplite = read(&mut rump, "/proc/net/udplite");
    assert!(udplite.contains(": 0100007F:004D 00000000:0000 07 "), "{udplite}");
    assert_eq!(read(&mut rump, "/proc/net/udp").lines().count(), 1);
    let used = read(&mut rump, "/proc/net/sockstat");
    assert!(used.contains("UDPLITE: inuse 1\nRAW: inuse 1\n"), "{used}");
}
