//! What operations on an ext4 image cost without a server around them: `cargo run --release -p image --example ext4_bench`.

#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use image::{Disk, HostFile, Opening, open};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use vfs::{Kind, NewName, NewNode};

fn main() {
    let count: u32 = std::env::args().nth(1).map_or(5000, |count| count.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("img");
    std::fs::File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let made = Command::new("/sbin/mke2fs").args(["-q", "-F", "-t", "ext4"]).arg(&path).status().unwrap();
    assert!(made.success());
    let file = Arc::new(HostFile::open(&path, false, false).unwrap());
    let size = file.size().unwrap();
    let how = Opening { kind: b"ext4", options: b"", read_only: false };
    let mut fs = open(Disk::new(file, 0, size), how).unwrap().fs;
    let root = fs.root();
    let node = |kind| NewNode { kind, mode: 0o755, uid: 0, gid: 0, rdev: 0, target: Vec::new() };
    let measure = |what: &str, operation: &mut dyn FnMut(u32)| {
        let begun = Instant::now();
        (0..count).for_each(operation);
        let each = begun.elapsed().as_secs_f64() * 1e6 / f64::from(count);
        println!("{what:24} {each:8.1} µs");
    };
    let dirs: Vec<u64> = (0..count.div_ceil(100))
        .map(|n| {
            fs.create(root, NewName::Named(format!("{n}").as_bytes()), &node(Kind::Directory), 1).unwrap()
        })
        .collect();
    let mut inos = Vec::new();
    let name = |n: u32| format!("file{n}").into_bytes();
    let dir = |n: u32| dirs[(n / 100) as usize];
    measure("create", &mut |n| {
        inos.push(fs.create(dir(n), NewName::Named(&name(n)), &node(Kind::Regular), 1).unwrap());
    });
    measure("write 4 KiB", &mut |n| {
        fs.write(inos[n as usize], 0, &[7; 4096], 2).unwrap();
    });
    measure("attr", &mut |n| {
        fs.attr(inos[n as usize]).unwrap();
    });
    measure("lookup", &mut |n| {
        fs.lookup(dir(n), &name(n)).unwrap();
    });
    measure("read 4 KiB", &mut |n| {
        fs.read(inos[n as usize], 0, &mut [0; 4096]).unwrap();
    });
    measure("unlink", &mut |n| fs.unlink(dir(n), &name(n), 3).unwrap());
    let begun = Instant::now();
    fs.unmount().unwrap();
    println!("unmount {:?}", begun.elapsed());
}
