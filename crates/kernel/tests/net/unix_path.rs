//! `AF_UNIX` sockets with a name in the file tree.

use crate::machine::Rump;
use crate::script::*;
use abi::{Errno, nr};
use kernel::Descriptors;

/// A `struct sockaddr_un` with this path, without a NUL.
fn addr(path: &str) -> Vec<u8> {
    [&1_u16.to_ne_bytes()[..], path.as_bytes()].concat()
}

fn with_nul(path: &str) -> Vec<u8> {
    [&addr(path)[..], &[0]].concat()
}

/// Runs `script` on both machines with a directory of its own, which has the same name on both and is empty at the end.
fn same_in(script: fn(&mut Script<'_>, &str)) {
    same(|s| {
        let dir = format!("/tmp/rump-unix-{}-{:?}", std::process::id(), std::thread::current().id());
        on_path(s, nr::MKDIR, &dir, &[0o755]);
        script(s, &dir);
        on_path(s, nr::RMDIR, &dir, &[]);
        s.log.iter_mut().for_each(|line| *line = line.replace(&dir, "DIR"));
    });
}

fn on_path(s: &mut Script<'_>, nr: u32, path: &str, rest: &[u64]) {
    let at = s.put(&[path.as_bytes(), &[0]].concat());
    s.call("", nr, &[&[at], rest].concat()).ok();
}

fn mode(s: &mut Script<'_>, path: &str) {
    let (at, room) = (s.put(&[path.as_bytes(), &[0]].concat()), s.put(&[0; 144]));
    s.call("", nr::STAT, &[at, room]).ok();
    let mode = s.get_u32(room + 24);
    s.say("mode", format!("{mode:o}"));
}

/// Which address, less the part that differs between runs.
fn says_name(s: &mut Script<'_>, what: &str, nr: u32, fd: u64, dir: &str) {
    let name = s
        .name(nr, fd)
        .map(|name| (name.len() - dir.len(), String::from_utf8_lossy(&name).replace(dir, "DIR")));
    s.say(what, name);
}

#[test]
fn a_stream_by_its_path() {
    same_in(|s, dir| {
        let path = format!("{dir}/s");
        s.sys(nr::UMASK, &[0o027]).ok();
        let fd = s.socket(UNIX, STREAM | NONBLOCK);
        s.bind(fd, &addr(&path));
        s.sys(nr::UMASK, &[0o022]).ok();
        mode(s, &path);
        says_name(s, "bound without its NUL", nr::GETSOCKNAME, fd, dir);
        let client = s.socket(UNIX, STREAM | NONBLOCK);
        s.connect(client, &with_nul(&path));
        s.call("", nr::LISTEN, &[fd, 3]).ok();
        s.connect(client, &[&with_nul(&path)[..], b"behind the NUL"].concat());
        says_name(s, "peer", nr::GETPEERNAME, client, dir);
        let (room, len) = (s.put(&[9; 110]), s.put(&110_u32.to_ne_bytes()));
        let server = s.open("accept", nr::ACCEPT, &[fd, room, len]);
        let (unnamed, len) = (s.get(room, 2), s.get_u32(len));
        s.say("nobody", (unnamed, len));
        says_name(s, "accepted", nr::GETSOCKNAME, server, dir);
        s.send(client, b"hello", 0).ok();
        s.recv(server, 10, 0).ok();
        let other = s.socket(UNIX, STREAM);
        s.bind(other, &with_nul(&path));
        s.bind(fd, &with_nul(&path));
        s.bind(fd, &with_nul(&format!("{path}2")));
        s.bind(fd, &with_nul(&format!("{dir}/none/x")));
        let wrong = s.socket(UNIX, DGRAM);
        s.connect(wrong, &addr(&path));
        s.close(fd);
        mode(s, &path);
        s.connect(other, &addr(&path));
        on_path(s, nr::UNLINK, &path, &[]);
        s.connect(other, &addr(&path));
    });
}

#[test]
fn the_inode_is_the_name() {
    same_in(|s, dir| {
        let (path, moved, link) = (format!("{dir}/s"), format!("{dir}/moved"), format!("{dir}/link"));
        let fd = s.socket(UNIX, STREAM);
        s.bind(fd, &with_nul(&path));
        s.call("", nr::LISTEN, &[fd, 8]).ok();
        let to = s.put(&with_nul(&moved)[2..]);
        on_path(s, nr::RENAME, &path, &[to]);
        let to = s.put(&with_nul(&link)[2..]);
        on_path(s, nr::SYMLINK, &moved, &[to]);
        for name in [&path, &moved, &link] {
            let client = s.socket(UNIX, STREAM | NONBLOCK);
            s.connect(client, &with_nul(name));
            says_name(s, "as it was bound", nr::GETPEERNAME, client, dir);
        }
        let again = s.socket(UNIX, STREAM);
        s.bind(again, &with_nul(&link));
        s.bind(again, &with_nul(&path));
        on_path(s, nr::UNLINK, &moved, &[]);
        let client = s.socket(UNIX, STREAM | NONBLOCK);
        s.connect(client, &with_nul(&moved));
        s.polled("its name is gone, it stays", fd);
        for name in [&path, &link] {
            on_path(s, nr::UNLINK, name, &[]);
        }
    });
}

#[test]
fn datagrams_to_paths() {
    same_in(|s, dir| {
        let (path, own) = (format!("{dir}/s"), format!("{dir}/own"));
        let (fd, client) = (s.socket(UNIX, DGRAM | NONBLOCK), s.socket(UNIX, DGRAM | NONBLOCK));
        s.send_to(client, b"nobody", &with_nul(&path));
        s.bind(fd, &with_nul(&path));
        s.bind(client, &with_nul(&own));
        s.send_to(client, b"hello", &with_nul(&path));
        let (at, room, len) = (s.put(&[0; 32]), s.put(&[0; 110]), s.put(&110_u32.to_ne_bytes()));
        s.call("", nr::RECVFROM, &[fd, at, 32, 0, room, len]).ok();
        let len = s.get_u32(len) as usize;
        let from = String::from_utf8_lossy(&s.get(room, len)).replace(dir, "DIR");
        s.say("from", (len - dir.len(), from));
        on_path(s, nr::MKDIR, &format!("{dir}/d"), &[0o755]);
        s.send_to(client, b"a directory", &with_nul(&format!("{dir}/d")));
        s.send_to(client, b"below a socket", &with_nul(&format!("{path}/x")));
        let stream = s.socket(UNIX, STREAM);
        s.connect(stream, &with_nul(&path));
        s.close(fd);
        s.send_to(client, b"left behind", &with_nul(&path));
        on_path(s, nr::RMDIR, &format!("{dir}/d"), &[]);
        on_path(s, nr::UNLINK, &path, &[]);
        on_path(s, nr::UNLINK, &own, &[]);
    });
}

#[test]
fn lengths_and_relative_paths() {
    same_in(|s, dir| {
        on_path(s, nr::CHDIR, dir, &[]);
        let fd = s.socket(UNIX, STREAM);
        s.bind(fd, &with_nul("relative"));
        let name = s.name(nr::GETSOCKNAME, fd).map(|name| String::from_utf8_lossy(&name).into_owned());
        s.say("relative", name);
        let long = "l".repeat(108);
        let longest = s.socket(UNIX, STREAM);
        s.bind(longest, &addr(&long));
        let name = s.name(nr::GETSOCKNAME, longest).map(|name| name.len());
        s.say("108 bytes and a NUL", name);
        s.bind(longest, &with_nul(&long));
        for path in ["relative", &long] {
            on_path(s, nr::UNLINK, &format!("{dir}/{path}"), &[]);
        }
        on_path(s, nr::CHDIR, "/", &[]);
    });
}

#[test]
fn permissions_count() {
    let mut rump = Rump::new();
    let other = rump.kernel.attach(
        kernel::Credentials { uid: 1000, gid: 1000, groups: Vec::new(), host_pid: 1 },
        b"other",
        Descriptors::Strong,
    );
    let root = rump.pid;
    let mut s = Script::on(&mut rump);
    let fd = s.socket(UNIX, STREAM);
    s.sys(nr::UMASK, &[0o022]).ok();
    s.bind(fd, &with_nul("/s"));
    assert_eq!(s.sys(nr::LISTEN, &[fd, 1]), Ok(0));
    let (name, new) = (s.put(&with_nul("/s")), s.put(&with_nul("/new")));
    let (name, new) = ([name, 5], [new, 7]);
    let client = rump.sys_of(other, nr::SOCKET, [UNIX, STREAM, 0, 0, 0, 0]).expect("a socket");
    let connect = [client, name[0], name[1], 0, 0, 0];
    assert_eq!(rump.sys_of(other, nr::CONNECT, connect), Err(Errno::EACCES), "no write permission");
    assert_eq!(rump.sys_of(other, nr::BIND, [client, new[0], new[1], 0, 0, 0]), Err(Errno::EACCES));
    assert_eq!(rump.sys_of(root, nr::CHMOD, [name[0] + 2, 0o777, 0, 0, 0, 0]), Ok(0));
    assert_eq!(rump.sys_of(other, nr::CONNECT, connect), Ok(0));
}

#[test]
fn a_programs_prefix_stays_in_names() {
    let mut rump = Rump::new();
    rump.kernel.set_path_prefix(rump.pid, b"/rump").expect("a process");
    let plain = rump.kernel.attach(
        kernel::Credentials { uid: 0, gid: 0, groups: Vec::new(), host_pid: 1 },
        b"plain",
        Descriptors::Strong,
    );
    let mut s = Script::on(&mut rump);
    let fd = s.socket(UNIX, DGRAM);
    s.bind(fd, &with_nul("/rump/tmp/s"));
    assert_eq!(s.name(nr::GETSOCKNAME, fd), Ok(with_nul("/rump/tmp/s")), "as the program wrote it");
    let (path, room) = (s.put(b"/tmp/s\0"), s.put(&[0; 144]));
    assert_eq!(s.sys(nr::STAT, &[path, room]), Ok(0), "without its prefix in the tree");
    let to = s.put(&with_nul("/tmp/s"));
    let client = rump.sys_of(plain, nr::SOCKET, [UNIX, DGRAM, 0, 0, 0, 0]).expect("a socket");
    assert_eq!(rump.sys_of(plain, nr::CONNECT, [client, to, 9, 0, 0, 0]), Ok(0), "another's is its own");
    let mut s = Script::on(&mut rump);
    let bare = s.socket(UNIX, DGRAM);
    s.connect(bare, &with_nul("/tmp/s"));
    assert_eq!(
        s.name(nr::GETPEERNAME, bare),
        Ok(with_nul("/rump/tmp/s")),
        "without the prefix it is found too"
    );
    assert_eq!(rump.kernel.set_path_prefix(plain, &[b'/'; 5000]), Err(Errno::ENAMETOOLONG));
}
