//! Images that were tampered with: whatever their bytes say, operations end.
//!
//! A panic in a file system is an error too: its worker outlives it (`server/src/disks/worker.rs`). What must not happen is that
//! it never ends, or takes all memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use image::{Disk, HostFile};
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// Small images with something in them, made once.
fn images() -> &'static Vec<Vec<u8>> {
    static IMAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    IMAGES.get_or_init(|| {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        std::fs::create_dir_all(tree.join("dir/below")).unwrap();
        for at in 0..30 {
            std::fs::write(tree.join(format!("dir/file {at}")), vec![at; usize::from(at) * 300]).unwrap();
        }
        let path = |name: &str| place.path().join(name).display().to_string();
        let tree = tree.display().to_string();
        for (name, len) in [("ext4", 1 << 21), ("fat", 1 << 20)] {
            std::fs::File::create(path(name)).unwrap().set_len(len).unwrap();
        }
        run("/sbin/mke2fs", &["-q", "-F", "-t", "ext4", "-b", "1024", "-d", &tree, &path("ext4")]);
        run("/sbin/mkfs.vfat", &[&path("fat")]);
        run("mcopy", &["-s", "-i", &path("fat"), &format!("{tree}/dir"), "::"]);
        run("mksquashfs", &[&tree, &path("squashfs"), "-quiet", "-no-progress"]);
        let iso = ["-as", "mkisofs", "-quiet", "-R", "-J", "-o", &path("iso9660"), &tree];
        run("xorriso", &iso);
        ["ext4", "fat", "squashfs", "iso9660"].iter().map(|name| std::fs::read(path(name)).unwrap()).collect()
    })
}

fn run(program: &str, args: &[&str]) {
    let ran = Command::new(program).args(args).output().unwrap();
    assert!(ran.status.success(), "{program}: {ran:?}");
}

fn use_image(path: &Path) {
    let Ok(file) = HostFile::open(path, false, false) else { return };
    let size = file.size().unwrap();
    support::use_disk(Disk::new(Arc::new(file), 0, size));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes_end_in_answers(
        which in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..40),
    ) {
        let mut bytes = images()[which].clone();
        for (at, byte, early) in changes {
            // Most of what an image says of itself is at its beginning.
            let len = if early { bytes.len().min(64 << 10) } else { bytes.len() };
            let at = at.index(len);
            bytes[at] = byte;
        }
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("img");
        std::fs::write(&path, bytes).unwrap();
        let (done, outcome) = channel::<()>();
        std::thread::spawn(move || {
            use_image(&path);
            drop(done);
        });
        // Ended, by a panic or without.
        prop_assert_eq!(outcome.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected));
    }
}
