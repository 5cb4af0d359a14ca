//! /proc/sys: what is set has its effect, ranges and permissions hold, and every node can be read.

use crate::machine::{Machine, Rump};
use crate::proc::{open, path, read};
use abi::raw::general::*;
use abi::raw::net::*;
use abi::{Errno, nr};
use kernel::{Credentials, Descriptors, sysctl_docs};

const AT: u64 = 0x10_0000;

fn write(rump: &mut Rump, name: &str, text: &str) -> Result<(), Errno> {
    let fd = open(rump, &format!("/proc/sys/{name}"), O_WRONLY | O_TRUNC)?;
    rump.memory()[8192..8192 + text.len()].copy_from_slice(text.as_bytes());
    let written = rump.sys(nr::WRITE, [fd, AT + 8192, text.len() as u64, 0, 0, 0]);
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(written?, text.len() as u64);
    Ok(())
}

fn get(rump: &mut Rump, name: &str) -> String {
    read(rump, &format!("/proc/sys/{name}")).expect(name)
}

fn socket(rump: &mut Rump, family: u32, kind: u32) -> u64 {
    rump.sys(nr::SOCKET, [family.into(), kind.into(), 0, 0, 0, 0]).expect("a socket")
}

fn option(rump: &mut Rump, fd: u64, level: u32, name: u32) -> i32 {
    rump.memory()[500..504].copy_from_slice(&4u32.to_ne_bytes());
    assert_eq!(rump.sys(nr::GETSOCKOPT, [fd, level.into(), name.into(), AT + 496, AT + 500, 0]), Ok(0));
    i32::from_ne_bytes(rump.memory()[496..500].try_into().expect("four"))
}

fn set_option(rump: &mut Rump, fd: u64, level: u32, name: u32, value: i32) {
    rump.memory()[496..500].copy_from_slice(&value.to_ne_bytes());
    assert_eq!(rump.sys(nr::SETSOCKOPT, [fd, level.into(), name.into(), AT + 496, 4, 0]), Ok(0));
}

fn bind(rump: &mut Rump, fd: u64, port: u16) -> Result<u64, Errno> {
    let addr = [&2u16.to_ne_bytes()[..], &port.to_be_bytes(), &[127, 0, 0, 1], &[0; 8]].concat();
    rump.memory()[512..528].copy_from_slice(&addr);
    rump.sys(nr::BIND, [fd, AT + 512, 16, 0, 0, 0])
}

fn bound_port(rump: &mut Rump, fd: u64) -> u16 {
    rump.memory()[500..504].copy_from_slice(&16u32.to_ne_bytes());
    assert_eq!(rump.sys(nr::GETSOCKNAME, [fd, AT + 512, AT + 500, 0, 0, 0]), Ok(0));
    u16::from_be_bytes(rump.memory()[514..516].try_into().expect("two"))
}

#[test]
fn every_node_can_be_read_and_set_to_what_it_shows() {
    let mut rump = Rump::new();
    for doc in sysctl_docs() {
        let name = doc.name.replace('.', "/");
        let text = get(&mut rump, &name);
        assert!(text.ends_with('\n') && text.len() > 1, "{name}: {text:?}");
        let expected = if doc.writable { Ok(()) } else { Err(Errno::EACCES) };
        assert_eq!(write(&mut rump, &name, &text), expected, "{name}");
        let now = get(&mut rump, &name);
        assert_eq!(now.len(), text.len(), "{name}");
        assert_eq!(now == text, name != "kernel/random/uuid", "{name}");
    }
}

#[test]
fn others_than_root_may_only_read() {
    let mut rump = Rump::with(Descriptors::Strong, 1000);
    assert_eq!(get(&mut rump, "kernel/ostype"), "Linux\n");
    assert_eq!(write(&mut rump, "kernel/hostname", "mine"), Err(Errno::EACCES));
}

#[test]
fn what_is_out_of_range_is_refused() {
    let mut rump = Rump::new();
    for (name, text) in [
        ("net/ipv4/ip_default_ttl", "0"),
        ("net/ipv4/ip_default_ttl", "256"),
        ("net/ipv4/ip_default_ttl", "many"),
        ("net/ipv4/ip_local_port_range", "50000 40000"),
        ("net/ipv4/ip_local_port_range", "80 40000"),
        ("net/ipv4/ip_unprivileged_port_start", "40000"),
        ("net/core/rmem_max", "1"),
        ("kernel/pid_max", "300"),
        ("fs/mount-max", "0"),
        ("net/ipv6/bindv6only", "2"),
    ] {
        let before = get(&mut rump, name);
        assert_eq!(write(&mut rump, name, text), Err(Errno::EINVAL), "{name} {text}");
        assert_eq!(get(&mut rump, name), before);
    }
}

#[test]
fn names_are_lines() {
    let mut rump = Rump::new();
    write(&mut rump, "kernel/hostname", "left.example\nright").expect("set");
    assert_eq!(get(&mut rump, "kernel/hostname"), "left.example\n");
    write(&mut rump, "kernel/hostname", &"x".repeat(100)).expect("set");
    assert_eq!(get(&mut rump, "kernel/hostname").len(), 65);
}

#[test]
fn ports_and_ttl() {
    let mut rump = Rump::new();
    write(&mut rump, "net/ipv4/ip_local_port_range", "2000 2001\n").expect("set");
    write(&mut rump, "net/ipv4/ip_default_ttl", "9").expect("set");
    let mut ports = Vec::new();
    for expected in [Ok(0), Ok(0), Err(Errno::EADDRINUSE)] {
        let fd = socket(&mut rump, AF_INET, SOCK_STREAM);
        assert_eq!(bind(&mut rump, fd, 0), expected);
        assert_eq!(option(&mut rump, fd, IPPROTO_IP as u32, IP_TTL), 9);
        ports.push(bound_port(&mut rump, fd));
    }
    ports.sort_unstable();
    assert_eq!(ports, [0, 2000, 2001]);
    write(&mut rump, "net/ipv4/ip_unprivileged_port_start", "80").expect("set");
    let user = rump.kernel.attach(
        Credentials { uid: 1000, gid: 100, groups: Vec::new(), host_pid: 0 },
        b"user",
        Descriptors::Strong,
    );
    rump.pid = user;
    let fd = socket(&mut rump, AF_INET, SOCK_STREAM);
    assert_eq!(bind(&mut rump, fd, 79), Err(Errno::EACCES));
    assert_eq!(bind(&mut rump, fd, 80), Ok(0));
}

#[test]
fn buffers_of_sockets() {
    let mut rump = Rump::new();
    let before = socket(&mut rump, AF_INET, SOCK_STREAM);
    write(&mut rump, "net/ipv4/tcp_rmem", "4096 30000 60000").expect("set");
    write(&mut rump, "net/ipv4/tcp_wmem", "4096 20000").expect("set");
    write(&mut rump, "net/core/rmem_default", "50000").expect("set");
    write(&mut rump, "net/core/wmem_max", "10000").expect("set");
    let (tcp, udp) = (socket(&mut rump, AF_INET, SOCK_STREAM), socket(&mut rump, AF_INET, SOCK_DGRAM));
    let unix = socket(&mut rump, AF_UNIX, SOCK_STREAM);
    assert_eq!(option(&mut rump, before, SOL_SOCKET, SO_RCVBUF), 131_072);
    assert_eq!(option(&mut rump, tcp, SOL_SOCKET, SO_RCVBUF), 30000);
    assert_eq!(option(&mut rump, tcp, SOL_SOCKET, SO_SNDBUF), 20000);
    assert_eq!(option(&mut rump, udp, SOL_SOCKET, SO_RCVBUF), 50000);
    assert_eq!(option(&mut rump, unix, SOL_SOCKET, SO_RCVBUF), 50000);
    for fd in [tcp, udp, unix] {
        set_option(&mut rump, fd, SOL_SOCKET, SO_SNDBUF, 1 << 20);
        assert_eq!(option(&mut rump, fd, SOL_SOCKET, SO_SNDBUF), 20000);
    }
}

#[test]
fn limits_of_files_processes_and_mounts() {
    let mut rump = Rump::new();
    write(&mut rump, "kernel/pid_max", "301").expect("set");
    for _ in 0..600 {
        let who = Credentials { uid: 0, gid: 0, groups: Vec::new(), host_pid: 0 };
        let pid = rump.kernel.attach(who, b"many", Descriptors::Strong);
        assert!(pid.0 < 301);
        rump.kernel.detach(pid);
    }
    write(&mut rump, "fs/mount-max", "2").expect("set");
    rump.memory()[200..206].copy_from_slice(b"tmpfs\0");
    let on = path(&mut rump, "/tmp");
    assert_eq!(rump.sys(nr::MOUNT, [0, on, AT + 200, 0, 0, 0]), Err(Errno::ENOSPC));
    write(&mut rump, "fs/pipe-max-size", "5000").expect("set");
    assert_eq!(get(&mut rump, "fs/pipe-max-size"), "8192\n");
    write(&mut rump, "fs/file-max", "3").expect("set");
    let who = Credentials { uid: 1000, gid: 100, groups: Vec::new(), host_pid: 0 };
    rump.pid = rump.kernel.attach(who, b"user", Descriptors::Strong);
    assert_eq!(rump.sys(nr::PIPE, [AT, 0, 0, 0, 0, 0]), Ok(0));
    let resize = |rump: &mut Rump, size| rump.sys(nr::FCNTL, [0, F_SETPIPE_SZ.into(), size, 0, 0, 0]);
    assert_eq!(resize(&mut rump, 8192), Ok(8192));
    assert_eq!(resize(&mut rump, 8193), Err(Errno::EPERM));
    assert_eq!(open(&mut rump, "/proc/version", O_RDONLY), Ok(2));
    assert_eq!(open(&mut rump, "/proc/version", O_RDONLY), Err(Errno::ENFILE));
}

#[test]
fn a_second_write_behind_the_first_changes_nothing() {
    let mut rump = Rump::new();
    let fd = open(&mut rump, "/proc/sys/net/ipv4/ip_default_ttl", O_RDWR).expect("a node");
    rump.memory()[8192..8194].copy_from_slice(b"78");
    for _ in 0..2 {
        assert_eq!(rump.sys(nr::WRITE, [fd, AT + 8192, 1, 0, 0, 0]), Ok(1));
    }
    assert_eq!(rump.sys(nr::PWRITE64, [fd, AT + 8193, 1, 1, 0, 0]), Ok(1));
    assert_eq!(get(&mut rump, "net/ipv4/ip_default_ttl"), "7\n");
    assert_eq!(rump.sys(nr::PREAD64, [fd, AT, 64, 0, 0, 0]), Ok(2), "what holds now, by the same descriptor");
    assert_eq!(&rump.memory()[..2], b"7\n");
}

#[test]
fn names_of_the_kernel_are_nodes() {
    let mut rump = Rump::new();
    rump.memory()[500..505].copy_from_slice(b"left\0");
    assert_eq!(rump.sys(nr::SETHOSTNAME, [AT + 500, 4, 0, 0, 0, 0]), Ok(0));
    assert_eq!(rump.sys(nr::SETDOMAINNAME, [AT + 500, 65, 0, 0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(get(&mut rump, "kernel/hostname"), "left\n");
    write(&mut rump, "kernel/domainname", "example").expect("set");
    assert_eq!(rump.sys(nr::UNAME, [AT + 1024, 0, 0, 0, 0, 0]), Ok(0));
    let field = |rump: &mut Rump, at: usize| {
        let bytes = &rump.memory()[1024 + 65 * at..1024 + 65 * (at + 1)];
        String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().expect("a name")).into_owned()
    };
    assert_eq!([0, 1, 4, 5].map(|at| field(&mut rump, at)), ["Linux", "left", "x86_64", "example"]);
    rump.pid = rump.kernel.attach(
        Credentials { uid: 1000, gid: 100, groups: Vec::new(), host_pid: 0 },
        b"user",
        Descriptors::Strong,
    );
    assert_eq!(rump.sys(nr::SETHOSTNAME, [AT + 500, 4, 0, 0, 0, 0]), Err(Errno::EPERM));
}

#[test]
fn sticky_directories_protect() {
    let mut rump = Rump::new();
    let user = |rump: &mut Rump, uid: u32| {
        let who = Credentials { uid, gid: uid, groups: Vec::new(), host_pid: 0 };
        rump.pid = rump.kernel.attach(who, b"user", Descriptors::Strong);
    };
    user(&mut rump, 1000);
    let file = open(&mut rump, "/tmp/file", O_CREAT | O_WRONLY).expect("a file");
    let at = path(&mut rump, "/tmp/file");
    assert_eq!(rump.sys(nr::FCHMOD, [file, 0o666, 0, 0, 0, 0]), Ok(0));
    let link = AT + 2048;
    rump.memory()[2048..2058].copy_from_slice(b"/tmp/link\0");
    assert_eq!(rump.sys(nr::SYMLINK, [at, link, 0, 0, 0, 0]), Ok(0));
    for level in ["0", "1"] {
        user(&mut rump, 0);
        write(&mut rump, "fs/protected_symlinks", level).expect("set");
        write(&mut rump, "fs/protected_regular", level).expect("set");
        write(&mut rump, "fs/protected_hardlinks", level).expect("set");
        user(&mut rump, 2000);
        let refused = level == "1";
        assert_eq!(open(&mut rump, "/tmp/link", O_RDONLY) == Err(Errno::EACCES), refused);
        assert_eq!(open(&mut rump, "/tmp/file", O_CREAT | O_RDONLY) == Err(Errno::EACCES), refused);
        assert!(open(&mut rump, "/tmp/file", O_RDONLY).is_ok());
        assert_eq!(rump.sys(nr::CHMOD, [at, 0o600, 0, 0, 0, 0]), Err(Errno::EPERM));
        user(&mut rump, 1000);
        assert!(open(&mut rump, "/tmp/link", O_RDONLY).is_ok(), "their own");
    }
}
