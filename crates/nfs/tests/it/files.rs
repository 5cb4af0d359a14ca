//! What clients do with files.

use crate::client::{ROOT, Words, World};
use vfs::{Follow, Kind};

const EACCES: u32 = 13;
const EEXIST: u32 = 17;
const EROFS: u32 = 30;
const ESTALE: u32 = 70;
const NOT_SYNC: u32 = 10002;

fn world() -> (World, Vec<u8>) {
    let mut world = World::new(&["*(rw)"]);
    let dir = world.mount(b"/srv").unwrap();
    (world, dir)
}

#[test]
fn bytes_come_back_and_commits_have_a_verifier() {
    let (mut world, dir) = world();
    let file = world.create(&dir, b"f", 0o640).unwrap();
    assert_eq!(world.create(&dir, b"f", 0o640), Err(EEXIST));
    let verifier = u64::from_be_bytes([9; 8]);
    assert_eq!(world.write(&file, 3, b"abcdef", 0), Ok((6, 0, verifier)), "unstable");
    assert_eq!(world.write(&file, 9, b"g", 2), Ok((1, 2, verifier)), "FILE_SYNC");
    assert_eq!(world.read(&file, 0, 100), Ok((b"\0\0\0abcdefg".to_vec(), true)));
    assert_eq!(world.read(&file, 3, 4), Ok((b"abcd".to_vec(), false)));
    assert_eq!(world.read(&file, 1 << 40, 4), Ok((Vec::new(), true)));
    assert_eq!(world.write(&file, u64::MAX - 2, b"abc", 0), Err(27), "EFBIG");
    let (status, _) = world.nfs(21, Words::default().bytes(&file).u64(0).u32(0));
    assert_eq!(status, 0);
    let at = world.vfs.lookup(&ROOT, world.start(), b"/srv/f", Follow::No).unwrap();
    let attr = world.vfs.attr(at).unwrap();
    assert_eq!((attr.uid, attr.gid, attr.mode, attr.size), (1000, 100, 0o640, 10));
}

#[test]
fn names_are_made_moved_linked_and_removed() {
    let (mut world, dir) = world();
    assert_eq!(world.nfs(9, Words::default().bytes(&dir).bytes(b"d").mode(0o755)).0, 0, "MKDIR");
    let sub = world.lookup(&dir, b"d").unwrap();
    let args = Words::default().bytes(&sub).bytes(b"l").mode(0o777).bytes(b"../f");
    assert_eq!(world.nfs(10, args).0, 0, "SYMLINK");
    let link = world.lookup(&sub, b"l").unwrap();
    let (status, mut results) = world.nfs(5, Words::default().bytes(&link));
    results.take_attr();
    assert_eq!((status, results.take_bytes()), (0, b"../f".to_vec()), "READLINK");
    let args = Words::default().bytes(&sub).bytes(b"p").u32(7).mode(0o600);
    assert_eq!(world.nfs(11, args).0, 0, "MKNOD of a fifo");
    let args = Words::default().bytes(&sub).bytes(b"c").u32(4).mode(0o600).u32(1).u32(3);
    assert_eq!(world.nfs(11, args).0, 1, "EPERM: a device, by a user");
    let fifo = world.vfs.lookup(&ROOT, world.start(), b"/srv/d/p", Follow::No).unwrap();
    assert_eq!(world.vfs.attr(fifo).unwrap().kind, Kind::Fifo);

    let file = world.create(&dir, b"f", 0o644).unwrap();
    assert_eq!(world.nfs(15, Words::default().bytes(&file).bytes(&sub).bytes(b"hard")).0, 0, "LINK");
    assert_eq!(world.lookup(&sub, b"hard").unwrap(), file, "one inode has one handle");
    let args = Words::default().bytes(&dir).bytes(b"f").bytes(&sub).bytes(b"moved");
    assert_eq!(world.nfs(14, args).0, 0, "RENAME");
    assert_eq!(world.lookup(&dir, b"f"), Err(2));
    let names: Vec<_> = world.list(&sub, 4096).unwrap();
    let plain: Vec<&[u8]> = names.iter().map(|(name, _)| name.as_slice()).collect();
    assert_eq!(plain, [b".".as_slice(), b"..", b"l", b"p", b"hard", b"moved"]);
    assert!(names.iter().all(|(name, handle)| *handle == (name != b"..")));
    assert_eq!(world.nfs(13, Words::default().bytes(&dir).bytes(b"d")).0, 66, "RMDIR: ENOTEMPTY");
    for name in [b"l".as_slice(), b"p", b"hard", b"moved"] {
        assert_eq!(world.nfs(12, Words::default().bytes(&sub).bytes(name)).0, 0, "REMOVE");
    }
    assert_eq!(world.nfs(13, Words::default().bytes(&dir).bytes(b"d")).0, 0, "RMDIR");
    assert_eq!(world.read(&file, 0, 1), Err(ESTALE), "its last name is gone");
    assert_eq!(world.lookup(&sub, b"."), Err(ESTALE));
}

/// A directory of 300 names comes in pieces of a few.
#[test]
fn directories_are_listed_in_pieces() {
    let (mut world, dir) = world();
    let mut made: Vec<Vec<u8>> = (0..300).map(|n| format!("name{n}").into_bytes()).collect();
    for name in &made {
        world.create(&dir, name, 0o600).unwrap();
    }
    for maxcount in [700, 4096, 1 << 20] {
        let mut names: Vec<_> =
            world.list(&dir, maxcount).unwrap().into_iter().map(|(name, _)| name).collect();
        names.drain(..2);
        names.sort();
        made.sort();
        assert!(names == made, "{maxcount}");
    }
    assert_eq!(world.list(&dir, 100), Err(10005), "TOOSMALL");
}

#[test]
fn permissions_are_those_of_the_user() {
    let (mut world, dir) = world();
    let file = world.create(&dir, b"mine", 0o600).unwrap();
    world.write(&file, 0, b"x", 0).unwrap();
    world.user = (1001, 100, vec![]);
    assert_eq!(world.read(&file, 0, 1), Err(EACCES));
    assert_eq!(world.write(&file, 0, b"y", 0), Err(EACCES));
    assert_eq!(world.nfs(12, Words::default().bytes(&dir).bytes(b"mine")).0, 1, "a sticky directory: EPERM");
    let granted = |world: &mut World| {
        let (status, mut results) = world.nfs(4, Words::default().bytes(&file).u32(0x3f));
        results.take_attr();
        (status, results.take_u32())
    };
    assert_eq!(granted(&mut world), (0, 0));
    world.user.0 = 1000;
    assert_eq!(granted(&mut world), (0, 0x0d), "READ, MODIFY, EXTEND");
    world.user = (0, 0, vec![0]);
    assert_eq!(world.read(&file, 0, 1), Err(EACCES), "root is nobody");
    // Its owner has it open already, whatever its mode says now.
    world.user = (1000, 100, vec![]);
    let args = Words::default().bytes(&file).mode(0).u32(0);
    assert_eq!(world.nfs(2, args).0, 0, "SETATTR");
    assert_eq!(world.read(&file, 0, 1), Ok((b"x".to_vec(), true)));
}

#[test]
fn a_guard_is_looked_at() {
    let (mut world, dir) = world();
    let file = world.create(&dir, b"f", 0o600).unwrap();
    let args = Words::default().bytes(&file).mode(0o644).u32(1).u32(1).u32(1);
    assert_eq!(world.nfs(2, args).0, NOT_SYNC);
}

/// EXCLUSIVE CREATE, asked once more by a client that heard no answer, and by another.
#[test]
fn exclusive_means_once() {
    let (mut world, dir) = world();
    let args = |verifier: u64| Words::default().bytes(&dir).bytes(b"lock").u32(2).u64(verifier);
    assert_eq!(world.nfs(8, args(0x1234_5678_9abc_def0)).0, 0);
    assert_eq!(world.nfs(8, args(0x1234_5678_9abc_def0)).0, 0, "the same client");
    assert_eq!(world.nfs(8, args(0x0234_5678_9abc_def0)).0, EEXIST);
}

/// A request that comes again is answered as before, and not carried out again.
#[test]
fn what_was_done_is_not_done_twice() {
    let (mut world, dir) = world();
    world.create(&dir, b"f", 0o600).unwrap();
    let message = world.call(crate::client::NFS, 3, 12, Words::default().bytes(&dir).bytes(b"f"));
    let first = world.send(&message).unwrap();
    let peer = world.peer;
    world.server.remember(peer, &message, &first.0);
    assert_eq!(world.send(&message), Some(first), "not ENOENT");
}

#[test]
fn nothing_is_changed_in_what_is_exported_to_be_read() {
    let mut world = World::new(&["*(ro)"]);
    let dir = world.mount(b"/srv").unwrap();
    assert_eq!(world.create(&dir, b"f", 0o600), Err(EROFS));
    assert_eq!(world.nfs(9, Words::default().bytes(&dir).bytes(b"d").mode(0o755)).0, EROFS);
    assert_eq!(world.nfs(2, Words::default().bytes(&dir).mode(0o777).u32(0)).0, EROFS);
    assert_eq!(world.nfs(12, Words::default().bytes(&dir).bytes(b"f")).0, EROFS);
}
