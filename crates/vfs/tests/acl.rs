//! Access control lists: whom they let in, what chmod does to them, what new files inherit.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

use abi::Errno;
use abi::raw::general::{O_CREAT, O_RDONLY, O_WRONLY};
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Location, Opening, Start, Vfs, Who};

const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0o077, prefix: b"" };
const ALICE: Who<'_> = Who { uid: 1000, gid: 1000, groups: &[], umask: 0o077, prefix: b"" };
const BOB: Who<'_> = Who { uid: 1001, gid: 1001, groups: &[50], umask: 0o077, prefix: b"" };
const CAROL: Who<'_> = Who { uid: 1002, gid: 1002, groups: &[], umask: 0o077, prefix: b"" };
const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";

/// Of an entry that names nobody.
const NOBODY: u32 = u32::MAX;

/// Tags of linux/posix_acl.h: owner 1, user 2, group 4, named group 8, mask 16, other 32.
fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let entry = |(tag, perm, id): &(u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &perm.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    [2u32.to_le_bytes().to_vec(), entries.iter().flat_map(entry).collect()].concat()
}

/// Bob may read and write, group 50 may read, everybody else nothing.
fn bobs() -> Vec<u8> {
    list(&[(1, 6, NOBODY), (2, 6, 1001), (4, 0, NOBODY), (8, 4, 50), (16, 6, NOBODY), (32, 0, NOBODY)])
}

fn tree() -> (Vfs, Start) {
    let mut vfs = Vfs::new(Tmpfs::new(1 << 20, 1), [1; 32], 1).unwrap();
    let start = Start { root: vfs.root(), dir: vfs.root() };
    vfs.mkdir(&Who { umask: 0, ..ROOT }, start, b"/d", 0o777, 1).unwrap();
    (vfs, start)
}

fn open(vfs: &mut Vfs, who: &Who<'_>, start: Start, path: &[u8], flags: u32) -> Result<Location, Errno> {
    vfs.open(who, start, path, Opening { flags, mode: 0o666, resolve: 0 }, 1).map(|opened| opened.at)
}

fn mode(vfs: &Vfs, at: Location) -> u32 {
    vfs.attr(at).unwrap().mode
}

#[test]
fn those_named_come_in() {
    let (mut vfs, start) = tree();
    let at = open(&mut vfs, &ALICE, start, b"/d/f", O_CREAT | O_WRONLY).unwrap();
    assert_eq!(vfs.set_xattr(&BOB, at, ACCESS, &bobs(), 0, 1), Err(Errno::EPERM), "the owner's to set");
    assert_eq!(open(&mut vfs, &BOB, start, b"/d/f", O_RDONLY), Err(Errno::EACCES));
    vfs.set_xattr(&ALICE, at, ACCESS, &bobs(), 0, 1).unwrap();
    assert_eq!(mode(&vfs, at), 0o660, "the mask shows as the group's bits");
    assert!(open(&mut vfs, &BOB, start, b"/d/f", O_WRONLY).is_ok());
    let fifty = Who { groups: &[50], ..CAROL };
    assert!(open(&mut vfs, &fifty, start, b"/d/f", O_RDONLY).is_ok());
    assert_eq!(open(&mut vfs, &fifty, start, b"/d/f", O_WRONLY), Err(Errno::EACCES));
    assert_eq!(open(&mut vfs, &CAROL, start, b"/d/f", O_RDONLY), Err(Errno::EACCES));
    assert_eq!(vfs.xattrs(&CAROL, at).unwrap(), b"system.posix_acl_access\0");
    vfs.chmod(&ALICE, at, 0o640, 1).unwrap();
    assert_eq!(open(&mut vfs, &BOB, start, b"/d/f", O_WRONLY), Err(Errno::EACCES), "the mask is smaller now");
    assert!(open(&mut vfs, &BOB, start, b"/d/f", O_RDONLY).is_ok());
    vfs.remove_xattr(&ALICE, at, ACCESS, 1).unwrap();
    assert_eq!(vfs.xattr(&ALICE, at, ACCESS), Err(Errno::ENODATA));
    assert_eq!(open(&mut vfs, &BOB, start, b"/d/f", O_RDONLY), Err(Errno::EACCES));
}

#[test]
fn new_files_get_what_the_directory_says_and_no_umask() {
    let (mut vfs, start) = tree();
    let dir = vfs.lookup(&ROOT, start, b"/d", Follow::Yes).unwrap();
    let plain = open(&mut vfs, &ALICE, start, b"/d/plain", O_CREAT | O_WRONLY).unwrap();
    assert_eq!(mode(&vfs, plain), 0o600);
    assert_eq!(vfs.set_xattr(&ROOT, plain, DEFAULT, &bobs(), 0, 1), Err(Errno::EACCES), "directories alone");
    vfs.set_xattr(&ROOT, dir, DEFAULT, &bobs(), 0, 1).unwrap();
    assert_eq!(mode(&vfs, dir), 0o777, "the directory itself is as before");
    let file = open(&mut vfs, &ALICE, start, b"/d/f", O_CREAT | O_WRONLY).unwrap();
    assert_eq!(mode(&vfs, file), 0o660, "rw-rw-rw- without what the list denies");
    assert!(open(&mut vfs, &BOB, start, b"/d/f", O_WRONLY).is_ok());
    assert_eq!(open(&mut vfs, &CAROL, start, b"/d/f", O_RDONLY), Err(Errno::EACCES));
    vfs.mkdir(&ALICE, start, b"/d/sub", 0o700, 1).unwrap();
    let sub = vfs.lookup(&ALICE, start, b"/d/sub", Follow::Yes).unwrap();
    assert_eq!(vfs.xattr(&ALICE, sub, DEFAULT).unwrap(), bobs(), "a directory hands it on");
    assert_eq!(vfs.access(&BOB, sub, 4), Err(Errno::EACCES), "the mode was asked for without the group");
}

#[test]
fn lists_count_against_the_limit() {
    let (mut vfs, start) = tree();
    let at = open(&mut vfs, &ALICE, start, b"/d/f", O_CREAT | O_WRONLY).unwrap();
    let free = |vfs: &Vfs| vfs.statfs(at).unwrap().f_bfree;
    let before = free(&vfs);
    let named = (0..4000u32).map(|id| (2, 7, id));
    let long: Vec<_> =
        [(1, 7, 0)].into_iter().chain(named).chain([(4, 7, 0), (16, 7, 0), (32, 7, 0)]).collect();
    vfs.set_xattr(&ALICE, at, ACCESS, &list(&long), 0, 1).unwrap();
    assert!(free(&vfs) < before);
    vfs.remove_xattr(&ALICE, at, ACCESS, 1).unwrap();
    assert_eq!(free(&vfs), before);
}
