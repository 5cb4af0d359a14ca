//! TCP over the loopback interface.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};

#[test]
fn a_connection_from_birth_to_death() {
    same(|s| {
        let (listener, name) = s.listener();
        s.polled("listener", listener);
        s.call("nobody yet", nr::ACCEPT, &[listener, 0, 0]).ok();
        let client = s.socket(INET, STREAM | NONBLOCK);
        s.polled("fresh", client);
        s.connect(client, &name);
        s.polled("listener", listener);
        s.polled("client", client);
        s.connect(client, &name);
        s.connect(client, &name);
        let server = s.open("accept4", nr::ACCEPT4, &[listener, 0, 0, NONBLOCK]);
        s.polled("server", server);
        s.recv(server, 10, 0).ok();
        s.send(client, b"hello", 0).ok();
        s.polled("server", server);
        s.recv(server, 3, PEEK).ok();
        s.recv(server, 3, 0).ok();
        s.recv(server, 10, TRUNC).ok();
        s.call("", nr::SHUTDOWN, &[client, 1]).ok();
        s.send(client, b"x", NOSIGNAL).ok();
        s.polled("client", client);
        s.polled("server", server);
        s.recv(server, 10, 0).ok();
        s.send(server, b"bye", 0).ok();
        s.recv(client, 10, 0).ok();
        s.close(server);
        s.polled("client", client);
        s.recv(client, 10, 0).ok();
        s.close(client);
        s.call("closed", nr::SHUTDOWN, &[client, 1]).ok();
    });
}

#[test]
fn nobody_listens() {
    same(|s| {
        let (listener, name) = s.listener();
        s.close(listener);
        let client = s.socket(INET, STREAM);
        s.connect(client, &name);
        s.send(client, b"x", NOSIGNAL).ok();
        s.recv(client, 1, 0).ok();
        s.polled("refused", client);
        s.shows(client, 1, 4, 4);
        let peer = s.name(nr::GETPEERNAME, client);
        s.say("peer", peer);
    });
}

#[test]
fn unread_bytes_reset_the_connection() {
    same(|s| {
        let (client, server) = s.tcp_pair();
        s.send(client, b"unread", 0).ok();
        s.close(server);
        s.polled("client", client);
        s.send(client, b"x", NOSIGNAL).ok();
        s.send(client, b"x", NOSIGNAL).ok();
        s.recv(client, 1, 0).ok();
        s.polled("client", client);
    });
}

#[test]
fn deferred_connections_are_accepted_with_their_first_bytes() {
    same(|s| {
        let (listener, name) = s.listener();
        for seconds in [0, 1, 2, 5, 100, 1000, -1_i32] {
            s.set(listener, 6, 9, &seconds.to_ne_bytes());
            s.shows(listener, 6, 9, 4);
        }
        s.set(listener, 6, 9, &5_i32.to_ne_bytes());
        let silent = s.socket(INET, STREAM);
        s.connect(silent, &name);
        let client = s.socket(INET, STREAM);
        s.connect(client, &name);
        s.polled("nothing sent", listener);
        s.call("", nr::ACCEPT, &[listener, 0, 0]).ok();
        s.send(client, b"first", 0).ok();
        s.polled("sent", listener);
        let server = s.open("accept", nr::ACCEPT, &[listener, 0, 0]);
        s.recv(server, 10, 0).ok();
        s.polled("the silent one", listener);
        // A FIN is enough.
        s.call("", nr::SHUTDOWN, &[silent, 1]).ok();
        s.polled("shut", listener);
    });
}

#[test]
fn a_deferred_connection_is_accepted_after_its_time() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let (listener, name) = s.listener();
    s.set(listener, 6, 9, &5_i32.to_ne_bytes());
    let silent = s.socket(INET, STREAM);
    s.connect(silent, &name);
    rump.pass(6_900_000_000);
    let accept = [listener, 0, 0, 0, 0, 0];
    assert_eq!(rump.sys_of(rump.pid, nr::ACCEPT, accept), Err(Errno::EAGAIN));
    rump.pass(200_000_000);
    assert!(rump.sys_of(rump.pid, nr::ACCEPT, accept).is_ok(), "after 7 s");
}

#[test]
fn so_sndbuf_of_an_open_connection_counts() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let (a, b) = s.tcp_pair();
    for (fd, name) in [(a, 7), (b, 8)] {
        s.set(fd, 1, name, &4096_u32.to_ne_bytes());
    }
    let data = vec![1; 1 << 18];
    let mut sent = 0;
    while let Ok(more) = s.send(a, &data, DONTWAIT) {
        sent += more;
    }
    assert!((4096..1 << 16).contains(&sent), "{sent} bytes fit");
}

#[test]
fn wrong_arguments() {
    same(|s| {
        let fd = s.socket(INET, STREAM | NONBLOCK);
        let any = v4([127, 0, 0, 1], 0);
        s.bind(fd, &any[..15]);
        s.bind(fd, &[&7_u16.to_ne_bytes()[..], &any[2..]].concat());
        s.bind(fd, &v4([1, 2, 3, 4], 0));
        s.bind(fd, &[0; 200]);
        s.connect(fd, &any[..1]);
        s.connect(fd, &any[..8]);
        s.connect(fd, &v6_loopback(1));
        s.call("", nr::ACCEPT, &[fd, 0, 0]).ok();
        s.call("", nr::SHUTDOWN, &[fd, 1]).ok();
        s.call("", nr::SHUTDOWN, &[fd, 3]).ok();
        s.bind(fd, &any);
        s.bind(fd, &any);
        s.call("no such fd", nr::LISTEN, &[999, 1]).ok();
        let len = s.put(&(-1_i32).to_ne_bytes());
        let room = s.put(&[0; 16]);
        s.call("negative length", nr::GETSOCKNAME, &[fd, room, len]).ok();
        for (family, kind, protocol) in [
            (2, 1, 17),
            (2, 2, 6),
            (2, 9, 0),
            (2, 99, 0),
            (99, 1, 0),
            (0, 1, 0),
            (1, 1, 7),
            (1, 4, 0),
            (2, 1 | 0x10, 0),
        ] {
            s.open(&format!("socket {family} {kind} {protocol}"), nr::SOCKET, &[family, kind, protocol]);
        }
        let at = s.put(&[0; 8]);
        s.call("", nr::SOCKETPAIR, &[INET, STREAM, 0, at]).ok();
        s.call("", nr::ACCEPT4, &[fd, 0, 0, 1]).ok();
    });
}

#[test]
fn names_of_both_ends() {
    same(|s| {
        let (client, server) = s.tcp_pair();
        let mut names = Vec::new();
        for (fd, nr) in [
            (client, nr::GETSOCKNAME),
            (server, nr::GETPEERNAME),
            (client, nr::GETPEERNAME),
            (server, nr::GETSOCKNAME),
        ] {
            names.push(s.name(nr, fd).unwrap_or_default());
        }
        let equal = names[0] == names[1] && names[2] == names[3];
        s.say("they agree", equal);
        s.say("family and address", (&names[0][..2], &names[0][4..8], names[0].len()));
        let (addr, len) = (s.put(&[9; 16]), s.put(&3_u32.to_ne_bytes()));
        s.call("little room", nr::GETSOCKNAME, &[client, addr, len]).ok();
        let (bytes, len) = (s.get(addr, 16)[3..].to_vec(), s.get_u32(len));
        s.say("untouched", bytes);
        s.say("whole length", len);
    });
}

#[test]
fn ipv6_and_mapped_addresses() {
    same(|s| {
        let fd = s.socket(INET6, STREAM | NONBLOCK);
        let mut any = v6_loopback(0);
        any[8..24].fill(0);
        s.bind(fd, &any);
        s.call("", nr::LISTEN, &[fd, 8]).ok();
        let name = s.name(nr::GETSOCKNAME, fd).unwrap_or_default();
        let port = u16::from_be_bytes([name[2], name[3]]);
        for addr in [v4([127, 0, 0, 1], port), v6_loopback(port)] {
            let client = s.socket(if addr.len() == 16 { INET } else { INET6 }, STREAM);
            s.connect(client, &addr);
            let (room, len) = (s.put(&[0; 28]), s.put(&28_u32.to_ne_bytes()));
            s.open("accept", nr::ACCEPT, &[fd, room, len]);
            let (peer, len) = (s.get(room, 28), s.get_u32(len));
            s.say("from", (&peer[..2], &peer[8..24], len));
        }
    });
}

#[test]
fn a_blocking_connection_moves_bulk() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let (client, server) = Script::on(&mut rump).tcp_pair();
    let data: Vec<u8> = (0..1_000_000_u32).map(|at| u8::try_from(at % 251).expect("small")).collect();
    let (from, to) = {
        let mut s = Script::on(&mut rump);
        (s.put(&data), s.put(&vec![0; data.len()]))
    };
    let len = data.len() as u64;
    let send = rump.start(pid, nr::SENDTO, [client, from, len, 0, 0, 0]);
    assert_eq!(rump.answer(send), None, "the buffers hold less than 1 MB");
    const WAITALL: u64 = 0x100;
    let recv = rump.start(pid, nr::RECVFROM, [server, to, len, WAITALL, 0, 0]);
    rump.pass(1_000_000_000);
    assert_eq!(rump.answer(send), Some(Ok(len)), "goes on until all is sent");
    assert_eq!(rump.answer(recv), Some(Ok(len)), "goes on until all is there");
    let mut s = Script::on(&mut rump);
    assert!(s.get(to, data.len()) == data);
}

#[test]
fn time_outs_and_interruptions() {
    let mut rump = Rump::new();
    let pid = rump.pid;
    let (client, server, room) = {
        let mut s = Script::on(&mut rump);
        let (client, server) = s.tcp_pair();
        (client, server, s.put(&[0; 16]))
    };
    let recv = [server, room, 16, 0, 0, 0];
    let id = rump.start(pid, nr::RECVFROM, recv);
    rump.cancel(id);
    assert_eq!(rump.answer(id), Some(Err(Errno::ERESTARTSYS)), "recv restarts");
    let mut s = Script::on(&mut rump);
    let half_second = [0_i64.to_ne_bytes(), 500_000_i64.to_ne_bytes()].concat();
    s.set(server, 1, 20, &half_second);
    assert_eq!(s.option(server, 1, 20, 16), Ok(half_second));
    let id = rump.start(pid, nr::RECVFROM, recv);
    rump.cancel(id);
    assert_eq!(rump.answer(id), Some(Err(Errno::EINTR)), "with SO_RCVTIMEO it does not (signal(7))");
    let id = rump.start(pid, nr::RECVFROM, recv);
    rump.pass(499_000_000);
    assert_eq!(rump.answer(id), None);
    rump.pass(1_000_000);
    assert_eq!(rump.answer(id), Some(Err(Errno::EAGAIN)));
    let id = rump.start(pid, nr::RECVFROM, recv);
    Script::on(&mut rump).send(client, b"now", 0).ok();
    assert_eq!(rump.answer(id), Some(Ok(3)));
}

#[test]
fn sigpipe_unless_it_is_not_wanted() {
    let mut rump = Rump::new();
    let (a, _) = {
        let mut s = Script::on(&mut rump);
        let (a, b) = s.tcp_pair();
        s.call("", nr::SHUTDOWN, &[a, 1]).ok();
        (a, b)
    };
    let mut s = Script::on(&mut rump);
    assert_eq!(s.send(a, b"x", NOSIGNAL), Err(Errno::EPIPE));
    let at = s.put(b"x");
    assert!(rump.signals().is_empty());
    let mut s = Script::on(&mut rump);
    assert_eq!(s.sys(nr::WRITE, &[a, at, 1]), Err(Errno::EPIPE));
    assert_eq!(rump.signals(), [13]);
    let mut s = Script::on(&mut rump);
    assert_eq!(s.send(a, b"x", 0), Err(Errno::EPIPE));
    assert_eq!(rump.signals(), [13]);
}

#[test]
fn privileged_ports_are_roots() {
    let mut rump = Rump::with(kernel::Descriptors::Strong, 1000);
    let mut s = Script::on(&mut rump);
    let fd = s.socket(INET, STREAM);
    let addr = s.put(&v4([127, 0, 0, 1], 80));
    assert_eq!(s.sys(nr::BIND, &[fd, addr, 16]), Err(Errno::EACCES));
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let fd = s.socket(INET, STREAM);
    let addr = s.put(&v4([127, 0, 0, 1], 80));
    assert_eq!(s.sys(nr::BIND, &[fd, addr, 16]), Ok(0));
}

/// As Linux answers with `net.ipv4.tcp_fastopen` 0.
#[test]
fn no_fast_open() {
    const MSG_FASTOPEN: u64 = 0x2000_0000;
    const TCP_FASTOPEN: u64 = 23;
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let (_, name) = s.listener();
    let fresh = s.socket(INET, STREAM);
    let (data, to) = (s.put(b"x"), s.put(&name));
    let args = [fresh, data, 1, MSG_FASTOPEN, to, name.len() as u64];
    assert_eq!(s.sys(nr::SENDTO, &args), Err(Errno::EOPNOTSUPP));
    let (connected, _) = s.tcp_pair();
    let args = [connected, data, 1, MSG_FASTOPEN, 0, 0];
    assert_eq!(s.sys(nr::SENDTO, &args), Err(Errno::EOPNOTSUPP));
    let most = s.put(&5_i32.to_ne_bytes());
    assert_eq!(s.sys(nr::SETSOCKOPT, &[fresh, 6, TCP_FASTOPEN, most, 4]), Ok(0));
    assert_eq!(s.sys(nr::SETSOCKOPT, &[connected, 6, TCP_FASTOPEN, most, 4]), Err(Errno::EINVAL));
}
