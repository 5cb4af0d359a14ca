//! Ping sockets (icmp(7)).

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};

const ICMP: u64 = 1;
const ICMPV6: u64 = 58;

/// An echo request with a wrong identifier and no checksum.
fn request(kind: u8) -> Vec<u8> {
    [&[kind, 0, 0, 0, 9, 9, 0, 1][..], b"payload"].concat()
}

/// A reply less the identifier and the checksum, which are another's each time.
fn received(s: &mut Script<'_>, fd: u64) -> Result<(Vec<u8>, Vec<u8>, usize), Errno> {
    let (at, from, len) = (s.put(&[0; 64]), s.put(&[0; 28]), s.put(&28_u32.to_ne_bytes()));
    let got = s.sys(nr::RECVFROM, &[fd, at, 64, DONTWAIT, from, len])?;
    let bytes = s.get(at, usize::try_from(got).expect("a length"));
    let len = s.get_u32(len) as usize;
    let id: Vec<u8> = bytes[4..6].to_vec();
    let name = s.name(nr::GETSOCKNAME, fd).expect("bound");
    assert_eq!(id, name[2..4], "the identifier is the port");
    Ok(([&bytes[..2], &bytes[6..]].concat(), s.get(from, len), len))
}

#[test]
fn echoes_come_back_to_the_socket_that_sent_them() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let cases = [(INET, ICMP, 8, v4([127, 0, 0, 1], 0)), (INET6, ICMPV6, 128, v6_loopback(0))];
    for (family, protocol, kind, to) in cases {
        let fd = s.open("socket", nr::SOCKET, &[family, DGRAM, protocol]);
        let other = s.open("socket", nr::SOCKET, &[family, DGRAM, protocol]);
        s.send_to(other, &request(kind), &to);
        received(&mut s, other).expect("a reply");
        s.send_to(fd, &request(kind), &to);
        let (bytes, from, _) = received(&mut s, fd).expect("a reply");
        let reply = if family == INET { 0 } else { 129 };
        assert_eq!(bytes, [&[reply, 0, 0, 1][..], b"payload"].concat());
        assert_eq!(from[..to.len()], to, "from where it was sent to, port 0");
        assert_eq!(received(&mut s, other), Err(Errno::EAGAIN), "it is not another's");
        s.connect(fd, &to);
        assert_eq!(s.send(fd, &request(kind), 0), Ok(15));
        received(&mut s, fd).expect("a reply");
    }
}

#[test]
fn nothing_but_echo_requests_is_sent() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let fd = s.open("socket", nr::SOCKET, &[INET, DGRAM, ICMP]);
    s.connect(fd, &v4([127, 0, 0, 1], 7));
    for bytes in [&request(0)[..], &request(5), &request(8)[..7], &[8, 1, 0, 0, 0, 0, 0, 0], &[]] {
        assert_eq!(s.send(fd, bytes, 0), Err(Errno::EINVAL), "{bytes:?}");
    }
    assert_eq!(s.sys(nr::SOCKET, &[INET, DGRAM, ICMPV6]), Err(Errno::EPROTONOSUPPORT));
    assert_eq!(s.sys(nr::SOCKET, &[INET6, DGRAM, ICMP]), Err(Errno::EPROTONOSUPPORT));
}

#[test]
fn an_identifier_can_be_chosen_and_is_ones_own() {
    let mut rump = Rump::with(kernel::Descriptors::Strong, 1000);
    let mut s = Script::on(&mut rump);
    let fd = s.open("socket", nr::SOCKET, &[INET, DGRAM, ICMP]);
    let second = s.open("socket", nr::SOCKET, &[INET, DGRAM, ICMP]);
    let name = v4([127, 0, 0, 1], 77);
    let at = s.put(&name);
    assert_eq!(s.sys(nr::BIND, &[fd, at, 16]), Ok(0), "no privilege");
    assert_eq!(s.sys(nr::BIND, &[second, at, 16]), Err(Errno::EADDRINUSE));
    s.send_to(fd, &request(8), &v4([127, 0, 0, 1], 0));
    received(&mut s, fd).expect("a reply");
}
