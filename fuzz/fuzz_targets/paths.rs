//! Paths of a program: whatever they are made of, walks end and nothing but an error comes of it.

#![no_main]

use abi::raw::general::{O_CREAT, O_RDWR};
use libfuzzer_sys::fuzz_target;
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Opening, Start, Vfs, Who};

const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };

fuzz_target!(|paths: Vec<Vec<u8>>| {
    let Ok(mut vfs) = Vfs::new(Tmpfs::new(1 << 20, 1), [1; 32], 1) else { return };
    let start = Start { root: vfs.root(), dir: vfs.root() };
    let how = Opening { flags: O_CREAT | O_RDWR, mode: 0o644, resolve: 0 };
    for pair in paths.windows(2) {
        let [one, other] = pair else { continue };
        let _ = vfs.mkdir(&ROOT, start, one, 0o755, 1);
        let _ = vfs.symlink(&ROOT, other, start, one, 1);
        let _ = vfs.open(&ROOT, start, other, how, 1);
        let _ = vfs.lookup(&ROOT, start, other, Follow::Yes);
        let _ = vfs.unlink(&ROOT, start, one, 0, 1);
    }
});
