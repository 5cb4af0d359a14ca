//! Disk images: what is on them, and what can be read from them. Seeds are small images of any type.

#![no_main]

use image::{Disk, HostFile, Opening, open, probe};
use libfuzzer_sys::fuzz_target;
use std::io::Write;
use std::sync::Arc;
use vfs::{FileSystem, Ino, Kind};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut place) = tempfile::NamedTempFile::new_in("/dev/shm") else { return };
    if place.write_all(bytes).is_err() {
        return;
    }
    let Ok(file) = HostFile::open(place.path(), true, false) else { return };
    let disk = Disk::new(Arc::new(file), 0, bytes.len() as u64);
    let _ = probe::parts(&disk);
    let how = Opening { kind: b"auto", options: b"", read_only: true };
    if let Ok(opened) = open(disk, how) {
        go_through(&*opened.fs, opened.fs.root(), 0, &mut 0);
    }
});

fn go_through(fs: &dyn FileSystem, dir: Ino, depth: u32, seen: &mut u32) {
    let mut entries = Vec::new();
    let _ = fs.read_dir(dir, 0, &mut |_, ino, kind, name| {
        entries.push((ino, kind, name.to_vec()));
        entries.len() < 100
    });
    for (ino, kind, name) in entries {
        *seen += 1;
        if *seen > 300 {
            return;
        }
        let _ = (fs.lookup(dir, &name), fs.attr(ino), fs.readlink(ino), fs.parent(ino), fs.name_of(ino));
        let _ = (fs.xattrs(ino), fs.read(ino, 0, &mut [0; 5000]));
        if kind == Kind::Directory && depth < 8 {
            go_through(fs, ino, depth + 1, seen);
        }
    }
}
