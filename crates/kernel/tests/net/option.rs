//! Socket options against the host's.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};

const SOCKET: u64 = 1;
const IP: u64 = 0;
const TCP: u64 = 6;
const IPV6: u64 = 41;

/// Reads, sets and reads again, with too short and odd values.
fn exercise(s: &mut Script<'_>, fd: u64, level: u64, name: u64) {
    s.shows(fd, level, name, 4);
    for value in [1_i32, 0, 5, -1, 100_000, i32::MIN] {
        s.set(fd, level, name, &value.to_ne_bytes());
        s.shows(fd, level, name, 4);
    }
    s.set(fd, level, name, &[1, 0]);
    s.set(fd, level, name, &[]);
    s.shows(fd, level, name, 2);
    s.shows(fd, level, name, 0);
}

#[test]
fn of_every_socket() {
    same(|s| {
        for (family, kind) in [(INET, STREAM), (INET, DGRAM), (UNIX, STREAM), (UNIX, DGRAM)] {
            let fd = s.socket(family, kind);
            // SO_DEBUG, TYPE, ERROR, DONTROUTE, KEEPALIVE, OOBINLINE, TIMESTAMP, TIMESTAMPNS, ACCEPTCONN, PROTOCOL,
            // DOMAIN, and one that does not exist.
            for name in [1, 3, 4, 5, 9, 10, 29, 35, 30, 38, 39, 999] {
                exercise(s, fd, SOCKET, name);
            }
        }
        let fd = s.socket(INET, STREAM);
        for name in [2, 6, 15, 19] {
            exercise(s, fd, SOCKET, name);
        }
    });
}

#[test]
fn of_tcp() {
    same(|s| {
        let fd = s.socket(INET, STREAM);
        // NODELAY, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, USER_TIMEOUT, NOTSENT_LOWAT, REPAIR as not root would be.
        for name in [1, 4, 5, 6, 7, 25, 999] {
            exercise(s, fd, TCP, name);
        }
        s.shows(fd, TCP, 2, 4);
        s.shows(fd, TCP, 8, 4);
        s.shows(fd, TCP, 9, 4);
        s.shows(fd, TCP, 12, 4);
        s.shows(fd, TCP, 18, 4);
        for value in [10, 88, 1460, 32_768] {
            s.set(fd, TCP, 2, &i32::to_ne_bytes(value));
            s.shows(fd, TCP, 2, 4);
        }
        s.set(fd, TCP, 13, b"cubic\0");
        s.set(fd, TCP, 13, b"nonsense");
        s.set(fd, TCP, 31, b"tls-but-not-that");
        let udp = s.socket(INET, DGRAM);
        s.shows(udp, TCP, 1, 4);
        let unix = s.socket(UNIX, STREAM);
        s.shows(unix, TCP, 1, 4);
        s.set(unix, TCP, 1, &[1, 0, 0, 0]);
    });
}

#[test]
fn of_ip() {
    same(|s| {
        for (family, kind) in [(INET, STREAM), (INET, DGRAM), (INET6, DGRAM)] {
            let fd = s.socket(family, kind);
            // TOS, TTL, RECVOPTS, RETOPTS, PKTINFO, MTU_DISCOVER, RECVERR, RECVTTL, RECVTOS, FREEBIND, MINTTL,
            // BIND_ADDRESS_NO_PORT
            for name in [1, 2, 6, 7, 8, 10, 11, 12, 13, 14, 15, 21, 24, 999] {
                exercise(s, fd, IP, name);
            }
            s.set(fd, IP, 2, &[7]);
            s.shows(fd, IP, 2, 1);
            s.shows(fd, IP, 4, 4);
        }
    });
}

#[test]
fn of_ipv6() {
    same(|s| {
        for kind in [STREAM, DGRAM] {
            let fd = s.socket(INET6, kind);
            // V6ONLY, UNICAST_HOPS, TCLASS, MTU_DISCOVER, RECVERR, RECVPKTINFO, RECVHOPLIMIT, RECVTCLASS, DONTFRAG,
            // AUTOFLOWLABEL, MINHOPCOUNT, FREEBIND
            for name in [26, 16, 67, 23, 25, 49, 51, 66, 62, 70, 73, 78, 999] {
                exercise(s, fd, IPV6, name);
            }
        }
        let v4 = s.socket(INET, STREAM);
        s.shows(v4, IPV6, 26, 4);
    });
}

#[test]
fn structures() {
    same(|s| {
        let fd = s.socket(INET, STREAM);
        s.shows(fd, SOCKET, 13, 8);
        s.set(fd, SOCKET, 13, &[1_i32.to_ne_bytes(), 5_i32.to_ne_bytes()].concat());
        s.shows(fd, SOCKET, 13, 8);
        s.shows(fd, SOCKET, 13, 5);
        s.set(fd, SOCKET, 13, &[0; 7]);
        for (sec, usec) in [(1_i64, 500_000_i64), (0, 0), (0, 1_000_000), (0, -1), (-5, 0)] {
            s.set(fd, SOCKET, 20, &[sec.to_ne_bytes(), usec.to_ne_bytes()].concat());
            s.shows(fd, SOCKET, 20, 16);
        }
        s.set(fd, SOCKET, 21, &[0; 15]);
        s.shows(fd, SOCKET, 17, 12);
        s.shows(fd, SOCKET, 25, 16);
        s.set(fd, SOCKET, 25, b"no-such-if");
        s.set(fd, SOCKET, 25, b"lo");
        s.shows(fd, SOCKET, 25, 16);
        s.set(fd, SOCKET, 25, b"");
        let (unix, _) = s.pair(STREAM);
        // More depends on the host's net.core.wmem_max.
        for size in [1_i32, 10_000, 100_000] {
            s.set(unix, SOCKET, 7, &size.to_ne_bytes());
            s.shows(unix, SOCKET, 7, 4);
            s.set(unix, SOCKET, 8, &size.to_ne_bytes());
            s.shows(unix, SOCKET, 8, 4);
        }
        let negative = s.put(&(-1_i32).to_ne_bytes());
        let room = s.put(&[0; 4]);
        s.call("negative length", nr::GETSOCKOPT, &[fd, SOCKET, 2, room, negative]).ok();
        s.call("negative length", nr::SETSOCKOPT, &[fd, SOCKET, 2, room, u64::MAX]).ok();
        s.call("no pointer", nr::SETSOCKOPT, &[fd, SOCKET, 2, 0, 4]).ok();
    });
}

#[test]
fn some_are_roots() {
    let mut rump = Rump::with(kernel::Descriptors::Strong, 1000);
    let mut s = Script::on(&mut rump);
    let fd = s.socket(INET, STREAM);
    let value = s.put(&7_i32.to_ne_bytes());
    for (level, name) in
        [(SOCKET, 36), (SOCKET, 32), (SOCKET, 33), (SOCKET, 46), (SOCKET, 12), (IP, 19), (IPV6, 75)]
    {
        let fd = if level == IPV6 { s.socket(INET6, STREAM) } else { fd };
        let answer = s.sys(nr::SETSOCKOPT, &[fd, level, name, value, 4]);
        assert_eq!(answer, Err(Errno::EPERM), "{level}/{name}");
    }
}

#[test]
fn accepted_sockets_inherit() {
    same(|s| {
        let (listener, name) = s.listener();
        s.set(listener, TCP, 1, &1_i32.to_ne_bytes());
        s.set(listener, SOCKET, 9, &1_i32.to_ne_bytes());
        s.set(listener, TCP, 4, &77_i32.to_ne_bytes());
        s.set(listener, SOCKET, 20, &[3_i64.to_ne_bytes(), [0; 8]].concat());
        s.shows(listener, SOCKET, 30, 4);
        let client = s.socket(INET, STREAM);
        s.connect(client, &name);
        let server = s.open("accept", nr::ACCEPT, &[listener, 0, 0]);
        for (level, name, room) in
            [(TCP, 1, 4), (SOCKET, 9, 4), (TCP, 4, 4), (SOCKET, 20, 16), (SOCKET, 30, 4)]
        {
            s.shows(server, level, name, room);
        }
        let state = s.option(server, TCP, 11, 1);
        s.say("tcpi_state", state);
    });
}
