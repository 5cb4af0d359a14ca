//! A directory of the host as a file system: what is done is done there, and nothing outside can be reached.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::Errno;
use image::{Opening, open_directory};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use vfs::{FileSystem, Kind, NewName, NewNode, SetAttr};

const NOW: u64 = 1_700_000_000_000_000_000;

fn open(path: &Path, read_only: bool) -> Box<dyn FileSystem> {
    let how = Opening { kind: b"dir", options: b"", read_only };
    open_directory(path.as_os_str().as_bytes(), how).unwrap().fs
}

fn node(kind: Kind) -> NewNode {
    NewNode { kind, mode: 0o640, uid: 0, gid: 0, rdev: 0, target: b"target".to_vec() }
}

#[test]
fn changes_are_the_hosts() {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("sub")).unwrap();
    std::fs::write(place.path().join("sub/old"), "old").unwrap();
    let mut fs = open(place.path(), false);
    let sub = fs.lookup(fs.root(), b"sub").unwrap();
    let ino = fs.create(sub, NewName::Named(b"new"), &node(Kind::Regular), NOW).unwrap();
    assert_eq!(fs.write(ino, 3, b"bytes", NOW), Ok(5));
    fs.set_attr(ino, &SetAttr { mode: Some(0o600), mtime: Some(NOW), ..SetAttr::default() }, NOW).unwrap();
    let metadata = std::fs::metadata(place.path().join("sub/new")).unwrap();
    assert_eq!(
        (metadata.permissions().mode() & 0o7777, metadata.mtime(), metadata.len()),
        (0o600, 1_700_000_000, 8)
    );
    fs.rename((sub, b"new"), (fs.root(), b"moved"), NOW).unwrap();
    assert_eq!(std::fs::read(place.path().join("moved")).unwrap(), b"\0\0\0bytes");
    let link = fs.create(sub, NewName::Named(b"link"), &node(Kind::Symlink), NOW).unwrap();
    assert_eq!(fs.readlink(link), Ok(b"target".to_vec()));
    assert_eq!((fs.parent(sub), fs.name_of(sub)), (Ok(fs.root()), Ok(b"sub".to_vec())));
    let mut names = Vec::new();
    fs.read_dir(sub, 0, &mut |_, _, kind, name| {
        names.push((String::from_utf8_lossy(name).into_owned(), kind));
        true
    })
    .unwrap();
    names.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(names, [("link".to_owned(), Kind::Symlink), ("old".to_owned(), Kind::Regular)]);
    // Open, then without a name.
    let old = fs.lookup(sub, b"old").unwrap();
    fs.hold(old, true);
    fs.unlink(sub, b"old", NOW).unwrap();
    assert_eq!(fs.read(old, 0, &mut [0; 9]), Ok(3));
    assert_eq!(fs.attr(old).unwrap().nlink, 0);
    fs.hold(old, false);
    assert_eq!(fs.attr(old), Err(Errno::ESTALE));
    assert_eq!(fs.rmdir(fs.root(), b"sub", NOW), Err(Errno::ENOTEMPTY));

    let mut fs = open(place.path(), true);
    let moved = fs.lookup(fs.root(), b"moved").unwrap();
    assert_eq!(fs.write(moved, 0, b"x", NOW), Err(Errno::EROFS));
    assert_eq!(fs.unlink(fs.root(), b"moved", NOW), Err(Errno::EROFS));
}

/// Links lead where the rump kernel's tree says, and are never followed here; not when the host changes things either.
#[test]
fn nothing_outside_is_reached() {
    let place = tempfile::tempdir().unwrap();
    let (inside, outside) = (place.path().join("inside"), place.path().join("outside"));
    std::fs::create_dir_all(inside.join("dir")).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    std::fs::write(inside.join("dir/secret"), "public").unwrap();
    symlink(&outside, inside.join("way")).unwrap();
    let mut fs = open(&inside, false);
    let root = fs.root();
    let way = fs.lookup(root, b"way").unwrap();
    assert_eq!(fs.attr(way).unwrap().kind, Kind::Symlink);
    assert!(fs.lookup(way, b"secret").is_err());
    assert_eq!(fs.read(way, 0, &mut [0; 9]), Err(Errno::EINVAL));
    for name in [&b".."[..], b"../outside/secret", b"way/secret"] {
        let read = fs.lookup(root, name).and_then(|ino| fs.read(ino, 0, &mut [0; 9]));
        assert!(read.is_err(), "{}", String::from_utf8_lossy(name));
    }
    let dir = fs.lookup(root, b"dir").unwrap();
    let secret = fs.lookup(dir, b"secret").unwrap();
    // The directory is exchanged for a link behind our back.
    std::fs::rename(inside.join("dir"), inside.join("was")).unwrap();
    symlink(&outside, inside.join("dir")).unwrap();
    assert!(fs.read(secret, 0, &mut [0; 9]).is_err());
    assert!(fs.lookup(dir, b"secret").is_err());
    assert!(fs.create(dir, NewName::Named(b"made"), &node(Kind::Regular), NOW).is_err());
    assert!(!outside.join("made").exists());
}
