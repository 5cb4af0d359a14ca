//! Datagrams with control messages (ip(7), ipv6(7)), and UDP-Lite.

use crate::script::*;
use abi::nr;

const IP: u32 = 0;
const IPV6: u32 = 41;
const UDPLITE: u64 = 136;

fn one(level: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let len = 16 + data.len() as u64;
    let mut bytes = [&len.to_ne_bytes()[..], &level.to_ne_bytes(), &kind.to_ne_bytes(), data].concat();
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn int(value: i32) -> [u8; 4] {
    value.to_ne_bytes()
}

fn msghdr(s: &mut Script<'_>, to: &[u8], data: &[u8], control: &[u8]) -> u64 {
    let (name, text, control_at) = (s.put(to), s.put(data), s.put(control));
    let iov = s.put(&[text.to_ne_bytes(), (data.len() as u64).to_ne_bytes()].concat());
    s.put(
        &[name, to.len() as u64, iov, 1, control_at, control.len() as u64, 0].map(u64::to_ne_bytes).concat(),
    )
}

/// Sends a datagram with these control messages, and shows with which it arrives.
fn arrives(s: &mut Script<'_>, what: &str, (from, to): (u64, u64), name: &[u8], control: &[u8]) {
    let message = msghdr(s, name, b"x", control);
    let sent = s.call(what, nr::SENDMSG, &[from, message, 0]);
    if sent.is_err() {
        return;
    }
    let message = msghdr(s, &[0; 28], &[0; 8], &[0; 120]);
    s.call(what, nr::RECVMSG, &[to, message, DONTWAIT]).ok();
    let control_at = u64::from_ne_bytes(s.get(message + 32, 8).try_into().expect("eight bytes"));
    let len = s.get_u32(message + 40) as usize;
    let control = s.get(control_at, len);
    s.say("control", control);
}

#[test]
fn ttl_tos_and_source() {
    same(|s| {
        let to = s.socket(INET, DGRAM);
        s.bind(to, &v4([127, 0, 0, 1], 0));
        let name = s.name(nr::GETSOCKNAME, to).expect("bound");
        for option in [8, 12, 13] {
            s.set(to, 0, option, &int(1));
        }
        let from = s.socket(INET, DGRAM);
        let pair = (from, to);
        arrives(s, "none", pair, &name, &[]);
        arrives(s, "ttl", pair, &name, &one(IP, 2, &int(7)));
        arrives(s, "tos", pair, &name, &one(IP, 1, &[0x10]));
        arrives(s, "tos as an int", pair, &name, &one(IP, 1, &int(0x20)));
        arrives(s, "both", pair, &name, &[one(IP, 2, &int(9)), one(IP, 1, &int(4))].concat());
        for bad in [&int(0)[..], &int(256), &int(-1), &[1]] {
            arrives(s, "bad ttl", pair, &name, &one(IP, 2, bad));
        }
        arrives(s, "bad tos", pair, &name, &one(IP, 1, &int(256)));
        let source = |ip: [u8; 4]| one(IP, 8, &[&int(0)[..], &ip, &[0; 4]].concat());
        arrives(s, "source", pair, &name, &source([127, 0, 0, 1]));
        arrives(s, "no address of ours", pair, &name, &source([192, 0, 2, 1]));
        arrives(s, "unknown", pair, &name, &one(IP, 77, &int(1)));
        arrives(s, "another level", pair, &name, &one(IPV6, 52, &int(999)));
    });
}

#[test]
fn hop_limit_and_traffic_class() {
    same(|s| {
        let to = s.socket(INET6, DGRAM);
        s.bind(to, &v6_loopback(0));
        let name = s.name(nr::GETSOCKNAME, to).expect("bound");
        for option in [49, 51, 66] {
            s.set(to, 41, option, &int(1));
        }
        let from = s.socket(INET6, DGRAM);
        let pair = (from, to);
        arrives(s, "none", pair, &name, &[]);
        arrives(s, "hops", pair, &name, &one(IPV6, 52, &int(7)));
        arrives(s, "class", pair, &name, &one(IPV6, 67, &int(0x24)));
        arrives(s, "the socket's", pair, &name, &one(IPV6, 52, &int(-1)));
        for bad in [&int(256)[..], &int(-2), &[1, 0, 0], &[1, 0, 0, 0, 0]] {
            arrives(s, "bad hops", pair, &name, &one(IPV6, 52, bad));
            arrives(s, "bad class", pair, &name, &one(IPV6, 67, bad));
        }
        let loopback: Vec<u8> = v6_loopback(0)[8..24].to_vec();
        arrives(s, "source", pair, &name, &one(IPV6, 50, &[&loopback[..], &int(0)].concat()));
        arrives(s, "short source", pair, &name, &one(IPV6, 50, &loopback));
    });
}

#[test]
fn udp_lite_is_a_protocol_of_its_own() {
    same(|s| {
        for (family, addr) in [(INET, v4([127, 0, 0, 1], 0)), (INET6, v6_loopback(0))] {
            let to = s.open("socket", nr::SOCKET, &[family, DGRAM, UDPLITE]);
            s.bind(to, &addr);
            let name = s.name(nr::GETSOCKNAME, to).expect("bound");
            // UDP's ports are others.
            let udp = s.socket(family, DGRAM);
            s.bind(udp, &name);
            let from = s.open("socket", nr::SOCKET, &[family, DGRAM, UDPLITE]);
            s.send_to(from, b"lite", &name);
            s.recv(to, 10, 0).ok();
            s.recv(udp, 10, 0).ok();
            s.connect(from, &name);
            s.shows(from, UDPLITE, 10, 4);
            s.set(from, UDPLITE, 10, &int(3));
            s.shows(from, UDPLITE, 10, 4);
            s.send(from, b"little covered", 0).ok();
            s.recv(to, 20, 0).ok();
            s.set(to, UDPLITE, 11, &int(20));
            s.shows(to, UDPLITE, 11, 4);
            s.send(from, b"too little covered", 0).ok();
            s.recv(to, 20, 0).ok();
            s.set(from, UDPLITE, 10, &int(20));
            s.send(from, b"enough of it is covered", 0).ok();
            s.recv(to, 30, 0).ok();
            s.set(udp, UDPLITE, 10, &int(20));
            s.close(to);
            s.send(from, b"nobody", 0).ok();
            s.send(from, b"refused", 0).ok();
        }
        s.open("stream", nr::SOCKET, &[INET, STREAM, UDPLITE]);
    });
}

/// Reads the error queue and shows what is there.
fn error_queue(s: &mut Script<'_>, fd: u64) {
    const ERRQUEUE: u64 = 0x2000;
    let message = msghdr(s, &[0; 28], &[0; 8], &[0; 120]);
    if s.call("error queue", nr::RECVMSG, &[fd, message, ERRQUEUE]).is_err() {
        return;
    }
    let pointer =
        |s: &mut Script<'_>, at: u64| u64::from_ne_bytes(s.get(at, 8).try_into().expect("eight bytes"));
    let (name_at, iov, control_at) =
        (pointer(s, message), pointer(s, message + 16), pointer(s, message + 32));
    let data_at = pointer(s, iov);
    let data = s.get(data_at, 8);
    let (namelen, len, flags) = (s.get_u32(message + 8), s.get_u32(message + 40), s.get_u32(message + 48));
    let control = s.get(control_at, len as usize);
    // The port is another each time.
    let name = s.get(name_at, namelen as usize);
    s.say("queued", (data, namelen, &name[4..], flags, control));
}

#[test]
fn errors_queue_for_those_who_ask() {
    same(|s| {
        for (family, addr, level, name) in
            [(INET, v4([127, 0, 0, 1], 0), 0, 11), (INET6, v6_loopback(0), 41, 25)]
        {
            // A port where nobody is.
            let gone = s.socket(family, DGRAM);
            s.bind(gone, &addr);
            let nobody = s.name(nr::GETSOCKNAME, gone).expect("bound");
            s.close(gone);
            let fd = s.socket(family, DGRAM);
            s.bind(fd, &addr);
            error_queue(s, fd);
            s.send_to(fd, b"not asked for", &nobody);
            s.polled("not asked for", fd);
            s.set(fd, level, name, &int(1));
            s.send_to(fd, b"one", &nobody);
            s.polled("one", fd);
            s.send_to(fd, b"fails", &nobody);
            s.send_to(fd, b"two is longer", &nobody);
            s.shows(fd, 1, 4, 4);
            s.polled("two", fd);
            error_queue(s, fd);
            s.polled("one is left", fd);
            s.recv(fd, 10, 0).ok();
            error_queue(s, fd);
            s.polled("none", fd);
            error_queue(s, fd);
            s.send_to(fd, b"three", &nobody);
            s.set(fd, level, name, &int(0));
            error_queue(s, fd);
        }
    });
}
