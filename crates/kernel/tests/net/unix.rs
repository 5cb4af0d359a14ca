//! `AF_UNIX` sockets.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};
use kernel::{Descriptors, Pass};

#[test]
fn a_stream_pair() {
    same(|s| {
        let (a, b) = s.pair(STREAM);
        s.polled("fresh", a);
        s.recv(b, 1, 0).ok();
        s.send(a, b"hello ", 0).ok();
        s.send(a, b"world", 0).ok();
        s.polled("full", b);
        s.recv(b, 20, PEEK).ok();
        s.recv(b, 8, 0).ok();
        s.recv(b, 20, TRUNC).ok();
        s.call("", nr::SHUTDOWN, &[a, 1]).ok();
        s.polled("a", a);
        s.polled("b", b);
        s.recv(b, 1, 0).ok();
        s.send(a, b"x", NOSIGNAL).ok();
        s.send(b, b"back", 0).ok();
        s.close(b);
        s.polled("a", a);
        s.recv(a, 10, 0).ok();
        s.recv(a, 10, 0).ok();
        s.send(a, b"x", NOSIGNAL).ok();
    });
}

#[test]
fn unread_bytes_reset_it() {
    same(|s| {
        let (a, b) = s.pair(STREAM);
        s.send(a, b"unread", 0).ok();
        s.close(b);
        s.polled("a", a);
        s.recv(a, 1, 0).ok();
        s.recv(a, 1, 0).ok();
        s.polled("a", a);
    });
}

#[test]
fn datagrams_and_packets_keep_their_borders() {
    same(|s| {
        for kind in [DGRAM, SEQPACKET] {
            let (a, b) = s.pair(kind);
            s.polled("fresh", a);
            s.send(a, b"one", 0).ok();
            s.send(a, b"", 0).ok();
            s.send(a, b"three", 0).ok();
            s.recv(b, 2, PEEK).ok();
            s.recv(b, 2, TRUNC).ok();
            s.recv(b, 10, 0).ok();
            s.recv(b, 10, 0).ok();
            s.recv(b, 10, 0).ok();
            s.send(a, &vec![1; 300_000], 0).ok();
            s.close(b);
            s.polled("a", a);
            s.send(a, b"x", NOSIGNAL).ok();
            s.send(a, b"x", NOSIGNAL).ok();
            s.recv(a, 10, 0).ok();
        }
    });
}

fn unique(s: &mut Script<'_>) -> Vec<u8> {
    // The host has one abstract name space for all tests.
    let base = s.machine.base();
    abstract_name(&format!("rump-test-{}-{base:x}", std::process::id()))
}

#[test]
fn listening_and_connecting() {
    same(|s| {
        let addr = unique(s);
        let fd = s.socket(UNIX, STREAM | NONBLOCK);
        s.polled("fresh", fd);
        s.call("unbound", nr::LISTEN, &[fd, 1]).ok();
        s.call("not listening", nr::ACCEPT, &[fd, 0, 0]).ok();
        let client = s.socket(UNIX, STREAM | NONBLOCK);
        s.connect(client, &addr);
        s.bind(fd, &addr);
        s.bind(fd, &addr);
        s.connect(client, &addr);
        s.call("", nr::LISTEN, &[fd, 0]).ok();
        s.polled("listener", fd);
        let wrong = s.socket(UNIX, DGRAM);
        s.connect(wrong, &addr);
        s.connect(client, &addr);
        s.connect(client, &addr);
        s.polled("listener", fd);
        s.send(client, b"early", 0).ok();
        let second = s.socket(UNIX, STREAM | NONBLOCK);
        s.connect(second, &addr);
        let server = s.open("accept", nr::ACCEPT, &[fd, 0, 0]);
        s.connect(second, &addr);
        s.recv(server, 10, 0).ok();
        let names = (s.name(nr::GETSOCKNAME, client), s.name(nr::GETPEERNAME, server));
        s.say("no name", names);
        let equal = (s.name(nr::GETPEERNAME, client), s.name(nr::GETSOCKNAME, server))
            == (Ok(addr.clone()), Ok(addr.clone()));
        s.say("the listener's", equal);
        let again = s.socket(UNIX, STREAM);
        s.bind(again, &addr);
        s.close(fd);
        s.polled("never accepted", second);
        s.recv(second, 1, 0).ok();
        s.bind(again, &addr);
        s.connect(client, &addr[..1]);
        s.bind(again, &[1; 111]);
    });
}

#[test]
fn named_datagrams() {
    same(|s| {
        let addr = unique(s);
        let fd = s.socket(UNIX, DGRAM | NONBLOCK);
        s.bind(fd, &addr);
        let client = s.socket(UNIX, DGRAM | NONBLOCK);
        s.send(client, b"nowhere", 0).ok();
        s.send_to(client, b"unnamed", &addr);
        let (at, room) = (s.put(&[0; 32]), s.put(&[0; 110]));
        let len = s.put(&110_u32.to_ne_bytes());
        s.call("", nr::RECVFROM, &[fd, at, 32, 0, room, len]).ok();
        let len = s.get_u32(len);
        s.say("no address", len);
        s.bind(client, &1_u16.to_ne_bytes());
        let own = s.name(nr::GETSOCKNAME, client).map(|name| name.len());
        s.say("autobind", own);
        s.connect(client, &addr);
        for _ in 0..13 {
            s.send(client, b"many", DONTWAIT).ok();
        }
        s.polled("client", client);
        s.recv(fd, 10, 0).ok();
        s.polled("client", client);
        s.connect(client, &[0, 0]);
        s.send(client, b"x", 0).ok();
        s.close(fd);
        s.send_to(client, b"gone", &addr);
    });
}

/// A `struct msghdr` with one buffer and control messages.
fn msghdr(s: &mut Script<'_>, data: u64, len: u64, control: u64, controllen: u64) -> u64 {
    let iov = s.put(&[data.to_ne_bytes(), len.to_ne_bytes()].concat());
    let words = [0, 0, iov, 1, control, controllen, 0];
    s.put(&words.map(u64::to_ne_bytes).concat())
}

fn rights(s: &mut Script<'_>, fds: &[u64]) -> (u64, u64) {
    let numbers: Vec<u8> =
        fds.iter().flat_map(|fd| u32::try_from(*fd).expect("a descriptor").to_ne_bytes()).collect();
    let len = 16 + numbers.len() as u64;
    let bytes = [&len.to_ne_bytes()[..], &1_u32.to_ne_bytes(), &1_u32.to_ne_bytes(), &numbers].concat();
    (s.put(&bytes), len.next_multiple_of(8))
}

#[test]
fn descriptors_pass() {
    same(|s| {
        let (a, b) = s.pair(STREAM);
        let (c, d) = s.pair(STREAM);
        let data = s.put(b"take it");
        let (control, len) = rights(s, &[c]);
        let message = msghdr(s, data, 7, control, len);
        s.call("", nr::SENDMSG, &[a, message, 0]).ok();
        s.close(c);
        s.send(d, b"through", 0).ok();
        let (room, control) = (s.put(&[0; 16]), s.put(&[0; 64]));
        let message = msghdr(s, room, 16, control, 64);
        s.call("", nr::RECVMSG, &[b, message, 0]).ok();
        let (header, controllen, flags) =
            (s.get(control, 16), s.get_u32(message + 40), s.get_u32(message + 48));
        s.say("header", (header, controllen, flags));
        let fd = u64::from(s.get_u32(control + 16));
        s.recv(fd, 10, 0).ok();
        // Looked at, they stay.
        let (control, len) = rights(s, &[a, b]);
        let message = msghdr(s, data, 7, control, len);
        s.call("", nr::SENDMSG, &[a, message, 0]).ok();
        for flags in [PEEK, PEEK, 0] {
            let control = s.put(&[0; 64]);
            let message = msghdr(s, room, 16, control, 64);
            s.call("", nr::RECVMSG, &[b, message, flags]).ok();
            let (header, controllen) = (s.get(control, 16), s.get_u32(message + 40));
            s.say("looked at", (header, controllen));
            for at in [16, 20] {
                let fd = s.get_u32(control + at).into();
                s.close(fd);
            }
        }
        // No room for two.
        let (control, len) = rights(s, &[a, b]);
        let message = msghdr(s, data, 7, control, len);
        s.call("", nr::SENDMSG, &[a, message, 0]).ok();
        let control = s.put(&[0; 64]);
        let message = msghdr(s, room, 16, control, 20);
        s.call("", nr::RECVMSG, &[b, message, 0]).ok();
        let (header, controllen, flags) =
            (s.get(control, 16), s.get_u32(message + 40), s.get_u32(message + 48));
        s.say("cut", (header, controllen, flags));
        let (control, len) = rights(s, &[999]);
        let message = msghdr(s, data, 7, control, len);
        s.call("bad", nr::SENDMSG, &[a, message, 0]).ok();
        let control = s.put(&[&3_u64.to_ne_bytes()[..], &[0; 8]].concat());
        let message = msghdr(s, data, 7, control, 16);
        s.call("malformed", nr::SENDMSG, &[a, message, 0]).ok();
    });
}

#[test]
fn host_descriptors_pass_as_the_server_names_them() {
    let mut rump = Rump::with(Descriptors::Weak, 0);
    let pid = rump.pid;
    let mut s = Script::on(&mut rump);
    let (a, b) = s.pair(STREAM);
    let data = s.put(b"x");
    let (control, len) = rights(&mut s, &[77, 78]);
    let message = msghdr(&mut s, data, 1, control, len);
    let (room, found) = (s.put(&[0; 4]), s.put(&[0; 64]));
    let receive = msghdr(&mut s, room, 4, found, 64);
    let id = rump.start_with(pid, nr::SENDMSG, [a, message, 0, 0, 0, 0], vec![500, 501]);
    assert_eq!(rump.answer(id), Some(Ok(1)));
    assert!(rump.effects.is_empty(), "they stay with the server while they are on their way");
    let id = rump.start(pid, nr::RECVMSG, [b, receive, 0x4000_0000, 0, 0, 0]);
    let reply = rump.reply(id).expect("a message is there");
    let got: Vec<_> = reply.files.iter().map(|file| (file.pass, file.put_at, file.cloexec)).collect();
    assert_eq!(got, [(Pass::Passed(500), found + 16, true), (Pass::Passed(501), found + 20, true)]);
    // A look gives copies out; read(2) has no room for them and lets them go.
    let id = rump.start_with(pid, nr::SENDMSG, [a, message, 0, 0, 0, 0], vec![510, 511]);
    assert_eq!(rump.answer(id), Some(Ok(1)));
    let id = rump.start(pid, nr::RECVMSG, [b, receive, 2, 0, 0, 0]);
    let shown: Vec<_> =
        rump.reply(id).expect("a message is there").files.iter().map(|file| file.pass).collect();
    assert_eq!(shown, [Pass::Shown(510), Pass::Shown(511)]);
    assert!(rump.effects.is_empty(), "they stay on their way");
    assert_eq!(rump.sys_of(pid, nr::READ, [b, room, 4, 0, 0, 0]), Ok(1));
    let dropped = format!("{:?}", std::mem::take(&mut rump.effects));
    assert!(dropped.contains("DropPassed(510)") && dropped.contains("DropPassed(511)"), "{dropped}");
    // A message that nobody takes gives them back.
    let id = rump.start_with(pid, nr::SENDMSG, [a, message, 0, 0, 0, 0], vec![502, 503]);
    assert_eq!(rump.answer(id), Some(Ok(1)));
    let (a, b) = (u32::try_from(a).expect("small"), u32::try_from(b).expect("small"));
    let files: Vec<_> = rump.files(pid, &[a, b]);
    for file in files {
        rump.kernel.file_gone(file);
    }
    rump.pump();
    let dropped = format!("{:?}", rump.effects);
    assert!(dropped.contains("DropPassed(502)") && dropped.contains("DropPassed(503)"), "{dropped}");
    // Neither does a call that failed.
    let id = rump.start_with(pid, nr::SENDMSG, [99, message, 0, 0, 0, 0], vec![504]);
    assert_eq!(rump.answer(id), Some(Err(Errno::EBADF)));
    assert!(format!("{:?}", rump.effects).contains("DropPassed(504)"));
}

#[test]
fn credentials_are_the_kernels() {
    let mut rump = Rump::with(Descriptors::Weak, 1000);
    let mut s = Script::on(&mut rump);
    let (a, b) = s.pair(STREAM);
    let own = [4711_u32, 1000, 1000].map(u32::to_ne_bytes).concat();
    assert_eq!(s.option(a, 1, 17, 12), Ok(own.clone()), "SO_PEERCRED: the process number is the host's");
    s.set(b, 1, 16, &1_u32.to_ne_bytes());
    s.send(a, b"x", 0).ok();
    let (room, control) = (s.put(&[0; 4]), s.put(&[0; 64]));
    let message = msghdr(&mut s, room, 4, control, 64);
    assert_eq!(s.sys(nr::RECVMSG, &[b, message, 0]), Ok(1));
    assert_eq!(s.get(control + 16, 12), own, "SO_PASSCRED");
    let forged = [28_u64.to_ne_bytes().to_vec(), [1_u32, 2, 1, 0, 0].map(u32::to_ne_bytes).concat()].concat();
    let control = s.put(&forged);
    let message = msghdr(&mut s, room, 1, control, 32);
    assert_eq!(s.sys(nr::SENDMSG, &[a, message, 0]), Err(Errno::EPERM), "another's credentials");
}

#[test]
fn a_socket_inside_itself_is_no_deep_recursion() {
    let mut rump = Rump::new();
    let mut s = Script::on(&mut rump);
    let data = s.put(b"x");
    let mut inner = s.pair(STREAM);
    for _ in 0..2000 {
        let outer = s.pair(STREAM);
        let (control, len) = rights(&mut s, &[inner.0, inner.1]);
        let message = msghdr(&mut s, data, 1, control, len);
        assert_eq!(s.sys(nr::SENDMSG, &[outer.0, message, 0]), Ok(1));
        s.close(inner.0);
        s.close(inner.1);
        inner = outer;
    }
    s.close(inner.0);
    s.close(inner.1);
    let mut s = Script::on(&mut rump);
    let (a, _) = s.pair(STREAM);
    assert!(a < 10, "all descriptors are free again");
}
