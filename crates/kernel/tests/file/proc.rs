//! /proc: what it says is so, it may be listed, and nothing in it can be changed.

use crate::machine::{Machine, Rump};
use abi::raw::general::*;
use abi::{Errno, nr};
use kernel::{Credentials, Descriptors};

const AT: u64 = 0x10_0000;
const ROOM: u64 = AT + 0x1_0000;

pub(crate) fn path(rump: &mut Rump, path: &str) -> u64 {
    let bytes = [path.as_bytes(), &[0]].concat();
    rump.memory()[64..64 + bytes.len()].copy_from_slice(&bytes);
    AT + 64
}

pub(crate) fn open(rump: &mut Rump, name: &str, flags: u32) -> Result<u64, Errno> {
    let name = path(rump, name);
    rump.sys(nr::OPEN, [name, flags.into(), 0, 0, 0, 0])
}

pub(crate) fn read(rump: &mut Rump, name: &str) -> Result<String, Errno> {
    let fd = open(rump, name, O_RDONLY)?;
    let read = rump.sys(nr::READ, [fd, ROOM, 0x1_0000, 0, 0, 0]);
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    let len = usize::try_from(read?).expect("a length");
    Ok(String::from_utf8_lossy(&rump.memory()[0x1_0000..0x1_0000 + len]).into_owned())
}

fn readlink(rump: &mut Rump, name: &str) -> Result<String, Errno> {
    let name = path(rump, name);
    let len = usize::try_from(rump.sys(nr::READLINK, [name, ROOM, 4096, 0, 0, 0])?).expect("a length");
    Ok(String::from_utf8_lossy(&rump.memory()[0x1_0000..0x1_0000 + len]).into_owned())
}

#[test]
fn the_kernel_tells_of_itself() {
    let mut rump = Rump::new();
    assert!(read(&mut rump, "/proc/version").expect("text").starts_with("Linux version "));
    assert_eq!(read(&mut rump, "/proc/uptime").as_deref(), Ok("0.00 0.00\n"));
    rump.now.mono_ns += 61_500_000_000;
    rump.kernel.advance(rump.now);
    assert_eq!(read(&mut rump, "/proc/uptime").as_deref(), Ok("61.50 0.00\n"));
    assert!(read(&mut rump, "/proc/stat").expect("text").contains("btime 1700000000\nprocesses 1\n"));
    assert!(read(&mut rump, "/proc/filesystems").expect("text").contains("nodev\ttmpfs\n"));
    let meminfo = read(&mut rump, "/proc/meminfo").expect("text");
    assert!(meminfo.starts_with("MemTotal:        1048576 kB\n"), "{meminfo}");
}

#[test]
fn a_process_is_seen_while_it_lives() {
    let mut rump = Rump::new();
    let me = rump.pid.0;
    assert_eq!(readlink(&mut rump, "/proc/self"), Ok(me.to_string()));
    assert_eq!(read(&mut rump, "/proc/self/comm").as_deref(), Ok("test\n"));
    assert_eq!(read(&mut rump, "/proc/self/cmdline").as_deref(), Ok("test\0"));
    let who = Credentials { uid: 1000, gid: 100, groups: vec![4, 20], host_pid: 0 };
    let other = rump.kernel.attach(who, b"other", Descriptors::Strong);
    let status = read(&mut rump, &format!("/proc/{}/status", other.0)).expect("text");
    assert!(status.contains("Name:\tother\nUmask:\t0022\nState:\tS (sleeping)\n"), "{status}");
    assert!(status.contains("\nUid:\t1000\t1000\t1000\t1000\n") && status.contains("Groups:\t4 20 \n"));
    let stat = read(&mut rump, "/proc/self/stat").expect("text");
    assert!(stat.starts_with(&format!("{me} (test) R 1 ")), "{stat}");
    assert_eq!(stat.split_whitespace().count(), 52);
    rump.kernel.detach(other);
    assert_eq!(read(&mut rump, &format!("/proc/{}/status", other.0)), Err(Errno::ENOENT));
}

#[test]
fn mounts_are_told_with_their_names_escaped() {
    let mut rump = Rump::new();
    let dir = path(&mut rump, "/tmp/a b");
    assert_eq!(rump.sys(nr::MKDIR, [dir, 0o755, 0, 0, 0, 0]), Ok(0));
    rump.memory()[200..206].copy_from_slice(b"tmpfs\0");
    assert_eq!(rump.sys(nr::MOUNT, [0, dir, AT + 200, 0, 0, 0]), Ok(0));
    let mounts = read(&mut rump, "/etc/mtab").expect("text");
    assert_eq!(
        mounts,
        "rootfs / tmpfs rw,relatime,size=1048576k 0 0\nproc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n\
         sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0\n\
         none /tmp/a\\040b tmpfs rw,relatime 0 0\n"
    );
    let info = read(&mut rump, "/proc/self/mountinfo").expect("text");
    assert_eq!(
        info,
        "1 0 0:1 / / rw,relatime - tmpfs rootfs rw,size=1048576k\n\
         2 1 0:2 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n\
         3 1 0:3 / /sys rw,nosuid,nodev,noexec,relatime - sysfs sysfs rw\n\
         4 1 0:4 / /tmp/a\\040b rw,relatime - tmpfs none rw\n"
    );
    let dir = path(&mut rump, "/tmp/a b");
    assert_eq!(rump.sys(nr::CHROOT, [dir, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(read(&mut rump, "/etc/mtab"), Err(Errno::ENOENT), "there is no /proc in it");
}

#[test]
fn nothing_in_it_can_be_changed() {
    let mut rump = Rump::new();
    let refused = [
        (nr::MKDIR, "/proc/new", Errno::ENOENT),
        (nr::UNLINK, "/proc/version", Errno::EPERM),
        (nr::RMDIR, "/proc/self/", Errno::ENOTDIR),
        (nr::CHMOD, "/proc/version", Errno::EPERM),
    ];
    for (call, name, errno) in refused {
        let at = path(&mut rump, name);
        assert_eq!(rump.sys(call, [at, 0o700, 0, 0, 0, 0]), Err(errno), "{name}");
    }
    let fd = open(&mut rump, "/proc/version", O_WRONLY | O_TRUNC).expect("root may");
    assert_eq!(rump.sys(nr::WRITE, [fd, AT, 1, 0, 0, 0]), Err(Errno::EIO));
    assert_eq!(open(&mut rump, "/proc/new", O_WRONLY | O_CREAT), Err(Errno::ENOENT));
    let on = path(&mut rump, "/proc");
    assert_eq!(rump.sys(nr::UMOUNT2, [on, 0, 0, 0, 0, 0]), Err(Errno::EBUSY), "a file of it is open");
}

#[test]
fn descriptors_and_places_are_links_to_what_they_are() {
    let mut rump = Rump::new();
    let dir = path(&mut rump, "/tmp/d");
    assert_eq!(rump.sys(nr::MKDIR, [dir, 0o755, 0, 0, 0, 0]), Ok(0));
    assert_eq!(rump.sys(nr::CHDIR, [dir, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(readlink(&mut rump, "/proc/self/cwd").as_deref(), Ok("/tmp/d"));
    assert_eq!(readlink(&mut rump, "/proc/self/root").as_deref(), Ok("/"));
    let fd = open(&mut rump, "f", O_CREAT | O_RDWR).expect("a file");
    assert_eq!((fd, rump.sys(nr::WRITE, [fd, AT + 64, 1, 0, 0, 0])), (0, Ok(1)));
    assert_eq!(rump.sys(nr::SOCKET, [1, 1, 0, 0, 0, 0]), Ok(1));
    assert_eq!(readlink(&mut rump, "/proc/self/fd/0").as_deref(), Ok("/tmp/d/f"));
    assert!(readlink(&mut rump, "/dev/fd/1").expect("a link").starts_with("socket:["));
    assert_eq!(readlink(&mut rump, "/proc/self/fd/7"), Err(Errno::ENOENT));
    assert_eq!(read(&mut rump, "/proc/self/cwd/f").as_deref(), Ok("f"), "through the directory");
    let gone = path(&mut rump, "f");
    assert_eq!(rump.sys(nr::UNLINK, [gone, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(readlink(&mut rump, "/dev/stdin").as_deref(), Ok("fd/0"));
    assert_eq!(readlink(&mut rump, "/proc/self/fd/0").as_deref(), Ok("/tmp/d/f (deleted)"));
    assert_eq!(read(&mut rump, "/dev/stdin").as_deref(), Ok("f"), "the file, though it has no name any more");
    let other = Credentials { uid: 1000, gid: 100, groups: Vec::new(), host_pid: 0 };
    let root = rump.pid.0;
    rump.pid = rump.kernel.attach(other, b"other", Descriptors::Strong);
    assert_eq!(readlink(&mut rump, &format!("/proc/{root}/cwd")), Err(Errno::EACCES));
    assert_eq!(readlink(&mut rump, &format!("/proc/{root}/fd/0")), Err(Errno::EACCES));
}
