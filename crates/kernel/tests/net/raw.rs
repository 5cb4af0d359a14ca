//! Raw and packet sockets, and packet filters, by system calls.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};

const PACKET: u64 = 17;
const RAW: u64 = 3;
const SOL_SOCKET: u64 = 1;
const SO_ATTACH_FILTER: u64 = 26;

#[test]
fn an_echo_request_by_hand() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    assert_eq!(s.sys(nr::SOCKET, &[INET, RAW, 0]), Err(Errno::EPROTONOSUPPORT), "which protocol?");
    let fd = s.sys(nr::SOCKET, &[INET, RAW, 1]).expect("a raw socket");
    // Type, code, checksum, identifier, number.
    let request = s.put(&[8, 0, 0xf7, 0xf5, 0, 9, 0, 1]);
    let to = s.put(&v4([127, 0, 0, 1], 0));
    assert_eq!(s.sys(nr::SENDTO, &[fd, request, 8, 0, to, 16]), Ok(8));
    let room = s.put(&[0; 100]);
    // The request itself passes lo first.
    assert_eq!(s.sys(nr::RECVFROM, &[fd, room, 100, 0x40, 0, 0]), Ok(28));
    assert_eq!(s.get(room, 100)[20], 8);
    assert_eq!(s.sys(nr::RECVFROM, &[fd, room, 100, 0x40, 0, 0]), Ok(28));
    assert_eq!(s.get(room, 100)[20], 0);
}

#[test]
fn a_capture_of_lo() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let all = u64::from(3_u16.to_be());
    let fd = s.sys(nr::SOCKET, &[PACKET, RAW, all]).expect("a packet socket");
    // Nothing but what is at least 60 bytes long: ld len; jge #60; ret #-1; ret #0.
    let code: [(u16, u8, u8, u32); 4] =
        [(0x80, 0, 0, 0), (0x35, 0, 1, 60), (6, 0, 0, u32::MAX), (6, 0, 0, 0)];
    let bytes: Vec<u8> = code
        .iter()
        .flat_map(|(c, t, f, k)| [&c.to_ne_bytes()[..], &[*t, *f], &k.to_ne_bytes()].concat())
        .collect();
    let code = s.put(&bytes);
    let program = s.put(&[4_u64.to_ne_bytes(), code.to_ne_bytes()].concat());
    assert_eq!(s.sys(nr::SETSOCKOPT, &[fd, SOL_SOCKET, SO_ATTACH_FILTER, program, 16]), Ok(0));
    let bad = s.put(&[1_u64.to_ne_bytes(), code.to_ne_bytes()].concat());
    assert_eq!(s.sys(nr::SETSOCKOPT, &[fd, SOL_SOCKET, SO_ATTACH_FILTER, bad, 16]), Err(Errno::EINVAL));
    let udp = s.socket(INET, DGRAM);
    s.bind(udp, &v4([127, 0, 0, 1], 900));
    let to = s.put(&v4([127, 0, 0, 1], 900));
    let data = s.put(&[b'x'; 100]);
    for len in [1, 100] {
        assert_eq!(s.sys(nr::SENDTO, &[udp, data, len, 0, to, 16]), Ok(len));
    }
    let (room, from, from_len) = (s.put(&[0; 200]), s.put(&[0; 20]), s.put(&20_u32.to_ne_bytes()));
    assert_eq!(s.sys(nr::RECVFROM, &[fd, room, 200, 0x40, from, from_len]), Ok(142));
    let address = s.get(from, 20);
    // Family, ethertype, index, ARPHRD_LOOPBACK, PACKET_OUTGOING, 6 bytes of address.
    assert_eq!(address[..12], [17, 0, 8, 0, 1, 0, 0, 0, 4, 3, 4, 6]);
    assert_eq!(s.sys(nr::RECVFROM, &[fd, room, 200, 0x40, from, from_len]), Ok(142));
    assert_eq!(s.get(from, 20)[10], 0);
    assert_eq!(s.sys(nr::RECVFROM, &[fd, room, 200, 0x40, from, from_len]), Err(Errno::EAGAIN));
}
