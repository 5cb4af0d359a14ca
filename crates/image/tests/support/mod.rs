//! What is done to images that may be anything: by tests here, and by fuzzing (`fuzz/fuzz_targets/images.rs`).

use image::{Disk, Opening, open};
use vfs::{FileSystem, Ino, Kind, NewName, NewNode};

/// Looks what there is, opens it, goes through all of it, and changes something.
pub(crate) fn use_disk(disk: Disk) {
    let _ = image::probe::parts(&disk);
    let Ok(opened) = open(disk, Opening { kind: b"auto", options: b"", read_only: false }) else { return };
    let mut fs = opened.fs;
    let _ = fs.statfs();
    let mut seen = 0;
    go_through(&*fs, fs.root(), 0, &mut seen);
    change(&mut *fs);
    let _ = fs.sync(None);
    let _ = fs.unmount();
}

fn change(fs: &mut dyn FileSystem) {
    let node = NewNode { kind: Kind::Regular, mode: 0o644, uid: 0, gid: 0, rdev: 0, target: Vec::new() };
    let root = fs.root();
    if let Ok(ino) = fs.create(root, NewName::Named(b"new"), &node, 1) {
        let _ = fs.write(ino, 5000, &[1; 5000], 1);
        let _ = fs.set_xattr(ino, b"user.x", Some(b"y"), 1);
    }
    let _ = fs.unlink(root, b"new", 1);
    let _ = fs.rename((root, b"dir"), (root, b"moved"), 1);
}

fn go_through(fs: &dyn FileSystem, dir: Ino, depth: usize, seen: &mut usize) {
    let mut entries = Vec::new();
    let _ = fs.read_dir(dir, 0, &mut |_, ino, kind, name| {
        entries.push((ino, kind, name.to_vec()));
        entries.len() < 500
    });
    for (ino, kind, name) in entries {
        *seen += 1;
        if *seen > 2000 {
            return;
        }
        let _ = (
            fs.parent(ino),
            fs.name_of(ino),
            fs.lookup(dir, &name),
            fs.attr(ino),
            fs.readlink(ino),
            fs.xattrs(ino),
            fs.read(ino, 0, &mut [0; 9000]),
            fs.seek(ino, 0, false),
        );
        if kind == Kind::Directory && depth < 8 {
            go_through(fs, ino, depth + 1, seen);
        }
    }
}
