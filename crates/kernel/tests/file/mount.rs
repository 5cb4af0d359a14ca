//! mount(2) and umount2(2): flags and options have their effect, mounts can be shown twice, moved and detached.

use crate::machine::{Machine, Rump};
use crate::proc::{open, path, read};
use abi::layout::{Stat, Statfs};
use abi::raw::general::*;
use abi::{Errno, nr};
use kernel::Descriptors;
use zerocopy::FromBytes;

pub(crate) const AT: u64 = 0x10_0000;
pub(crate) const ROOM: u64 = AT + 0x1_0000;

pub(crate) fn put(rump: &mut Rump, at: usize, text: &str) -> u64 {
    let bytes = [text.as_bytes(), &[0]].concat();
    rump.memory()[at..at + bytes.len()].copy_from_slice(&bytes);
    AT + at as u64
}

pub(crate) fn mount(
    rump: &mut Rump,
    source: &str,
    on: &str,
    kind: &str,
    flags: u32,
    options: &str,
) -> Result<u64, Errno> {
    let args = [
        put(rump, 1000, source),
        put(rump, 1300, on),
        put(rump, 1600, kind),
        flags.into(),
        put(rump, 1900, options),
        0,
    ];
    rump.sys(nr::MOUNT, args)
}

pub(crate) fn umount(rump: &mut Rump, on: &str, flags: u32) -> Result<u64, Errno> {
    let on = path(rump, on);
    rump.sys(nr::UMOUNT2, [on, flags.into(), 0, 0, 0, 0])
}

pub(crate) fn call(rump: &mut Rump, nr: u32, name: &str, arg: u64) -> Result<u64, Errno> {
    let name = path(rump, name);
    rump.sys(nr, [name, arg, 0, 0, 0, 0])
}

pub(crate) fn two(rump: &mut Rump, nr: u32, one: &str, other: &str) -> Result<u64, Errno> {
    let args = [put(rump, 1000, one), put(rump, 1300, other), 0, 0, 0, 0];
    rump.sys(nr, args)
}

pub(crate) fn stat(rump: &mut Rump, name: &str) -> Stat {
    let name = path(rump, name);
    assert_eq!(rump.sys(nr::STAT, [name, ROOM, 0, 0, 0, 0]), Ok(0));
    Stat::read_from_prefix(&rump.memory()[0x1_0000..]).expect("a stat").0
}

pub(crate) fn line(rump: &mut Rump, list: &str, point: &str) -> String {
    let text = read(rump, list).expect("a list");
    let line = text.lines().find(|line| line.split(' ').any(|word| word == point));
    line.unwrap_or_default().to_owned()
}

/// A rump kernel with a tmpfs on /tmp/m and a file in it.
pub(crate) fn with_tmpfs(flags: u32, options: &str) -> Rump {
    let mut rump = Rump::new();
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m", 0o755), Ok(0));
    assert_eq!(mount(&mut rump, "mine", "/tmp/m", "tmpfs", flags & !MS_RDONLY, options), Ok(0));
    let fd = open(&mut rump, "/tmp/m/f", O_CREAT | O_WRONLY).expect("a file");
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    if flags & MS_RDONLY != 0 {
        assert_eq!(mount(&mut rump, "", "/tmp/m", "", flags | MS_REMOUNT, ""), Ok(0));
    }
    rump
}

#[test]
fn nothing_changes_where_it_is_read_only() {
    let mut rump = with_tmpfs(MS_RDONLY, "");
    let rofs = Err(Errno::EROFS);
    for (nr, name, arg) in [
        (nr::MKDIR, "/tmp/m/d", 0o700),
        (nr::RMDIR, "/tmp/m/none", 0),
        (nr::UNLINK, "/tmp/m/f", 0),
        (nr::CHMOD, "/tmp/m/f", 0o600),
        (nr::CHOWN, "/tmp/m/f", 1),
        (nr::TRUNCATE, "/tmp/m/f", 1),
        (nr::UTIMES, "/tmp/m/f", 0),
        (nr::ACCESS, "/tmp/m/f", 2),
        (nr::MKNOD, "/tmp/m/p", u64::from(S_IFIFO | 0o600)),
    ] {
        assert_eq!(call(&mut rump, nr, name, arg), rofs, "{name} {nr}");
    }
    for (nr, one, other) in [
        (nr::RENAME, "/tmp/m/f", "/tmp/m/g"),
        (nr::LINK, "/tmp/m/f", "/tmp/m/g"),
        (nr::SYMLINK, "x", "/tmp/m/g"),
    ] {
        assert_eq!(two(&mut rump, nr, one, other), rofs);
    }
    for flags in [O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC] {
        assert_eq!(open(&mut rump, "/tmp/m/f", flags), rofs);
    }
    assert_eq!(open(&mut rump, "/tmp/m/new", O_CREAT), rofs);
    assert_eq!(
        call(&mut rump, nr::MKDIR, "/tmp/m/f", 0o700),
        Err(Errno::EEXIST),
        "what is there is seen first"
    );
    assert!(open(&mut rump, "/tmp/m/f", O_RDONLY | O_CREAT).is_ok());
    assert_eq!(line(&mut rump, "/proc/mounts", "/tmp/m"), "mine /tmp/m tmpfs ro,relatime 0 0");
    assert_eq!(mount(&mut rump, "", "/tmp/m", "", MS_REMOUNT, "size=8m"), Ok(0));
    assert_eq!(call(&mut rump, nr::UNLINK, "/tmp/m/f", 0), Ok(0));
    assert_eq!(line(&mut rump, "/proc/mounts", "/tmp/m"), "mine /tmp/m tmpfs rw,relatime,size=8192k 0 0");
}

#[test]
fn what_is_written_to_does_not_become_read_only() {
    let mut rump = with_tmpfs(0, "");
    let fd = open(&mut rump, "/tmp/m/f", O_WRONLY).expect("a file");
    assert_eq!(mount(&mut rump, "", "/tmp/m", "", MS_REMOUNT | MS_RDONLY, ""), Err(Errno::EBUSY));
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(mount(&mut rump, "", "/tmp/m", "", MS_REMOUNT | MS_RDONLY, ""), Ok(0));
    assert_eq!(mount(&mut rump, "", "/tmp", "", MS_REMOUNT, ""), Err(Errno::EINVAL), "no mount's root");
}

#[test]
fn options_of_tmpfs() {
    let mut rump = with_tmpfs(MS_NODEV | MS_NOSUID, "size=64k,nr_inodes=4,mode=750,uid=7,gid=8");
    let root = stat(&mut rump, "/tmp/m");
    assert_eq!((root.st_mode & 0o7777, root.st_uid, root.st_gid), (0o750, 7, 8));
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/a", 0o700), Ok(0));
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/b", 0o700), Ok(0));
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/c", 0o700), Err(Errno::ENOSPC));
    let fd = open(&mut rump, "/tmp/m/f", O_WRONLY).expect("a file");
    assert_eq!(rump.sys(nr::WRITE, [fd, AT, 1 << 17, 0, 0, 0]), Ok(1 << 16));
    assert_eq!(rump.sys(nr::WRITE, [fd, AT, 1, 0, 0, 0]), Err(Errno::ENOSPC));
    assert_eq!(
        mount(&mut rump, "", "/tmp/m", "", MS_REMOUNT, "size=32k"),
        Err(Errno::EINVAL),
        "more is taken"
    );
    assert_eq!(mount(&mut rump, "", "/tmp/m", "", MS_REMOUNT, "size=128k"), Ok(0));
    assert_eq!(rump.sys(nr::WRITE, [fd, AT, 1, 0, 0, 0]), Ok(1));
    assert_eq!(mount(&mut rump, "x", "/tmp/m", "tmpfs", 0, "colour=red"), Err(Errno::EINVAL));
    let at = path(&mut rump, "/tmp/m");
    assert_eq!(rump.sys(nr::STATFS, [at, ROOM, 0, 0, 0, 0]), Ok(0));
    let statfs = Statfs::read_from_prefix(&rump.memory()[0x1_0000..]).expect("a statfs").0;
    assert_eq!(
        (statfs.f_blocks, statfs.f_files, statfs.f_flags),
        (32, 4, 0x1020),
        "remounted without its flags"
    );
}

#[test]
fn flags_of_mounts() {
    let mut rump = with_tmpfs(MS_NODEV | MS_NOEXEC | MS_NOSYMFOLLOW, "");
    let device = path(&mut rump, "/tmp/m/null");
    assert_eq!(rump.sys(nr::MKNOD, [device, u64::from(S_IFCHR | 0o666), 0x103, 0, 0, 0]), Ok(0));
    assert_eq!(open(&mut rump, "/tmp/m/null", O_RDONLY), Err(Errno::EACCES));
    assert_eq!(call(&mut rump, nr::CHMOD, "/tmp/m/f", 0o755), Ok(0));
    assert_eq!(call(&mut rump, nr::ACCESS, "/tmp/m/f", 1), Err(Errno::EACCES));
    assert_eq!(two(&mut rump, nr::SYMLINK, "f", "/tmp/m/link"), Ok(0));
    assert_eq!(open(&mut rump, "/tmp/m/link", O_RDONLY), Err(Errno::ELOOP));
    assert!(line(&mut rump, "/proc/mounts", "/tmp/m").contains(" rw,nodev,noexec,relatime,nosymfollow "));
}

#[test]
fn access_times_are_kept_as_the_mount_says() {
    // Flags; whether a read soon after the write changes it, a second one, one after a day.
    for (flags, expected) in [
        (0, [true, false, true]),
        (MS_NOATIME, [false, false, false]),
        (MS_STRICTATIME, [true, true, true]),
        (MS_RDONLY, [false, false, false]),
    ] {
        let mut rump = with_tmpfs(flags, "");
        let mut changes = Vec::new();
        for wait_s in [1, 1, 86_400] {
            let before = stat(&mut rump, "/tmp/m/f").st_atim.tv_sec;
            rump.now.real_ns += wait_s * 1_000_000_000;
            rump.kernel.advance(rump.now);
            let _ = read(&mut rump, "/tmp/m/f").expect("read");
            changes.push(stat(&mut rump, "/tmp/m/f").st_atim.tv_sec != before);
        }
        assert_eq!(changes, expected, "flags {flags:#x}");
    }
}

#[test]
fn a_directory_shown_twice_is_one() {
    let mut rump = with_tmpfs(0, "");
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/d", 0o755), Ok(0));
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/b", 0o755), Ok(0));
    assert_eq!(mount(&mut rump, "/tmp/m/d", "/tmp/b", "", MS_BIND, ""), Ok(0));
    let fd = open(&mut rump, "/tmp/b/new", O_CREAT | O_WRONLY).expect("a file");
    let (one, other) = (stat(&mut rump, "/tmp/m/d/new"), stat(&mut rump, "/tmp/b/new"));
    assert_eq!((one.st_dev, one.st_ino), (other.st_dev, other.st_ino));
    assert_eq!(two(&mut rump, nr::LINK, "/tmp/b/new", "/tmp/m/d/x"), Err(Errno::EXDEV), "another mount");
    assert_eq!(call(&mut rump, nr::CHDIR, "/tmp/b", 0), Ok(0));
    assert_eq!(rump.sys(nr::GETCWD, [ROOM, 100, 0, 0, 0, 0]), Ok(7));
    assert_eq!(&rump.memory()[0x1_0000..0x1_0007], b"/tmp/b\0");
    assert!(
        line(&mut rump, "/proc/self/mountinfo", "/tmp/b")
            .contains(" 0:4 /d /tmp/b rw,relatime - tmpfs mine rw")
    );
    assert_eq!(mount(&mut rump, "", "/tmp/b", "", MS_REMOUNT | MS_BIND | MS_RDONLY, ""), Err(Errno::EBUSY));
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(mount(&mut rump, "", "/tmp/b", "", MS_REMOUNT | MS_BIND | MS_RDONLY, ""), Ok(0));
    assert_eq!(call(&mut rump, nr::UNLINK, "/tmp/b/new", 0), Err(Errno::EROFS));
    assert_eq!(call(&mut rump, nr::UNLINK, "/tmp/m/d/new", 0), Ok(0), "by the other mount it may");
    assert_eq!(umount(&mut rump, "/tmp/m", 0), Ok(0), "the file system lives on by the other");
    assert_eq!(umount(&mut rump, "/tmp/b", 0), Err(Errno::EBUSY), "a working directory");
    assert_eq!(call(&mut rump, nr::CHDIR, "/", 0), Ok(0));
    assert_eq!(umount(&mut rump, "/tmp/b", 0), Ok(0));
}

#[test]
fn locks_know_no_mounts() {
    let mut rump = with_tmpfs(0, "");
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/b", 0o755), Ok(0));
    assert_eq!(mount(&mut rump, "/tmp/m", "/tmp/b", "", MS_BIND, ""), Ok(0));
    let one = open(&mut rump, "/tmp/m/f", O_RDONLY).expect("a file");
    let other = open(&mut rump, "/tmp/b/f", O_RDONLY).expect("the same");
    let lock = u64::from(LOCK_EX | LOCK_NB);
    assert_eq!(rump.sys(nr::FLOCK, [one, lock, 0, 0, 0, 0]), Ok(0));
    assert_eq!(rump.sys(nr::FLOCK, [other, lock, 0, 0, 0, 0]), Err(Errno::EAGAIN));
}

#[test]
fn mounts_move() {
    let mut rump = with_tmpfs(0, "");
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/to", 0o755), Ok(0));
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/in", 0o755), Ok(0));
    assert_eq!(mount(&mut rump, "/tmp/m", "/tmp/m/in", "", MS_MOVE, ""), Err(Errno::ELOOP));
    assert_eq!(mount(&mut rump, "/tmp/m/in", "/tmp/to", "", MS_MOVE, ""), Err(Errno::EINVAL));
    assert_eq!(mount(&mut rump, "/", "/tmp/to", "", MS_MOVE, ""), Err(Errno::EINVAL));
    assert_eq!(mount(&mut rump, "/tmp/m", "/tmp/to", "", MS_MOVE, ""), Ok(0));
    assert!(read(&mut rump, "/tmp/to/f").is_ok());
    assert_eq!(read(&mut rump, "/tmp/m/f"), Err(Errno::ENOENT));
    assert_eq!(call(&mut rump, nr::RMDIR, "/tmp/m", 0), Ok(0), "nothing is mounted there any more");
    assert_eq!(mount(&mut rump, "", "/tmp/to", "", MS_PRIVATE, ""), Ok(0));
    assert_eq!(mount(&mut rump, "", "/tmp/to", "", MS_SHARED, ""), Err(Errno::EINVAL));
}

#[test]
fn what_is_in_use_can_be_detached() {
    let mut rump = with_tmpfs(0, "");
    assert_eq!(call(&mut rump, nr::MKDIR, "/tmp/m/d", 0o755), Ok(0));
    assert_eq!(mount(&mut rump, "inner", "/tmp/m/d", "tmpfs", 0, ""), Ok(0));
    let fd = open(&mut rump, "/tmp/m/f", O_RDWR).expect("a file");
    assert_eq!(umount(&mut rump, "/tmp/m", 0), Err(Errno::EBUSY));
    assert_eq!(umount(&mut rump, "/tmp/m", MNT_DETACH), Ok(0));
    assert_eq!(read(&mut rump, "/tmp/m/f"), Err(Errno::ENOENT));
    assert_eq!(read(&mut rump, "/proc/mounts").expect("a list").lines().count(), 3);
    assert_eq!(rump.sys(nr::WRITE, [fd, AT, 4, 0, 0, 0]), Ok(4), "what is open lives on");
    assert_eq!(rump.sys(nr::CLOSE, [fd, 0, 0, 0, 0, 0]), Ok(0));
    assert_eq!(umount(&mut rump, "/", MNT_DETACH), Err(Errno::EBUSY));
}

#[test]
fn only_root_mounts() {
    let mut rump = Rump::with(Descriptors::Strong, 1000);
    for flags in [0, MS_BIND, MS_MOVE, MS_REMOUNT, MS_PRIVATE] {
        assert_eq!(mount(&mut rump, "/tmp", "/tmp", "tmpfs", flags, ""), Err(Errno::EPERM));
    }
}
