//! What the tree costs: `cargo run --release -p vfs --example vfs_bench`. Each figure is of this process alone.

#![allow(clippy::unwrap_used, reason = "a program for people")]

use abi::raw::general::{O_CREAT, O_RDWR};
use std::time::Instant;
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Location, Opening, Start, Vfs, Who};

const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };
const FILES: u32 = 100_000;
const GIB: u64 = 1 << 30;

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

fn timed<T>(what: &str, count: u32, run: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let out = run();
    println!("{what:44} {:8.0} ns", begin.elapsed().as_nanos() as f64 / f64::from(count));
    out
}

fn open(vfs: &mut Vfs, start: Start, path: &str) -> Location {
    let how = Opening { flags: O_CREAT | O_RDWR, mode: 0o644, resolve: 0 };
    vfs.open(&ROOT, start, path.as_bytes(), how, 1).unwrap().at
}

fn main() {
    let mut vfs = Vfs::new(Tmpfs::new(4 * GIB, 1), [1; 32], 1).unwrap();
    let start = Start { root: vfs.root(), dir: vfs.root() };
    let names: Vec<String> = (0..FILES).map(|number| format!("/tmp/file{number}")).collect();
    let before = resident();
    let files: Vec<Location> = timed("create in one directory", FILES, || {
        names.iter().map(|name| open(&mut vfs, start, name)).collect()
    });
    println!("{:44} {:8} bytes", "an empty file takes", (resident() - before) / u64::from(FILES));
    timed("look up", FILES, || {
        for name in &names {
            vfs.lookup(&ROOT, start, name.as_bytes(), Follow::Yes).unwrap();
        }
    });
    timed("write 100 bytes to each", FILES, || {
        for at in &files {
            vfs.write(&ROOT, *at, 0, &[7; 100], 1).unwrap();
        }
    });
    println!("{:44} {:8} bytes", "a file of 100 bytes takes", (resident() - before) / u64::from(FILES));
    let tmp = vfs.lookup(&ROOT, start, b"/tmp", Follow::Yes).unwrap();
    timed("list, by entry", FILES, || {
        let mut after = 0;
        // As getdents64(2) does: some hundred at a time.
        loop {
            let mut left = 300;
            let begin = after;
            vfs.read_dir(tmp, begin, &mut |cookie, _, _, _| {
                left -= 1;
                after = cookie;
                left > 0
            })
            .unwrap();
            if after == begin {
                break;
            }
        }
    });
    timed("unlink", FILES, || {
        names.iter().for_each(|name| vfs.unlink(&ROOT, start, name.as_bytes(), 0, 1).unwrap());
    });
    let big = open(&mut vfs, start, "/tmp/big");
    let mut block = vec![7; 64 << 10];
    let blocks = u32::try_from(GIB / block.len() as u64).unwrap();
    let at = |number: u32| u64::from(number) * (64 << 10);
    timed("write 64 KiB, first time", blocks, || {
        for number in 0..blocks {
            vfs.write(&ROOT, big, at(number), &block, 1).unwrap();
        }
    });
    timed("write 64 KiB again", blocks, || {
        for number in 0..blocks {
            vfs.write(&ROOT, big, at(number), &block, 1).unwrap();
        }
    });
    timed("read 64 KiB", blocks, || {
        for number in 0..blocks {
            vfs.read(big, at(number), &mut block, None).unwrap();
        }
    });
}
