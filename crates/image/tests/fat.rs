//! FAT images, as mkfs.vfat(8) and mtools make them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::Errno;
use image::{Disk, HostFile, Opening, open};
use std::process::Command;
use std::sync::Arc;
use vfs::{FileSystem, Kind};

fn run(program: &str, args: &[&str]) {
    let ran = Command::new(program).args(args).output().unwrap();
    assert!(ran.status.success(), "{program}: {ran:?}");
}

#[test]
fn trees_of_all_widths() {
    for (megabytes, bits) in [(2, "12"), (32, "16"), (64, "32")] {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("img");
        let (image, tree) = (path.display().to_string(), place.path().join("A longer directory"));
        std::fs::File::create(&path).unwrap().set_len(megabytes << 20).unwrap();
        run("/sbin/mkfs.vfat", &["-F", bits, &image]);
        std::fs::create_dir_all(tree.join("sub")).unwrap();
        let bytes: Vec<u8> = (0..100_000u32).map(|at| (at / 7).to_le_bytes()[0]).collect();
        std::fs::write(tree.join("sub/a file with a long name.text"), &bytes).unwrap();
        run("mcopy", &["-s", "-i", &image, &tree.display().to_string(), "::"]);
        let before = std::fs::read(&path).unwrap();

        let file = Arc::new(HostFile::open(&path, false, false).unwrap());
        let size = file.size().unwrap();
        let how = Opening { kind: b"auto", options: b"uid=7,gid=8", read_only: false };
        let mut fs: Box<dyn FileSystem> = open(Disk::new(file, 0, size), how).unwrap().fs;
        let root = fs.root();
        let dir = fs.lookup(root, b"A longer directory").unwrap();
        let sub = fs.lookup(dir, b"sub").unwrap();
        let ino = fs.lookup(sub, b"a file with a long name.text").unwrap();
        let attr = fs.attr(ino).unwrap();
        assert_eq!((attr.kind, attr.size, attr.uid, attr.gid), (Kind::Regular, 100_000, 7, 8));
        for (offset, len) in [(0, 100_000), (511, 5000), (99_990, 50)] {
            let mut into = vec![0; len];
            let read = fs.read(ino, offset, &mut into).unwrap();
            let from = usize::try_from(offset).unwrap();
            assert_eq!(&into[..read], &bytes[from..(from + len).min(bytes.len())], "{bits}");
        }
        assert_eq!((fs.parent(sub), fs.name_of(sub)), (Ok(dir), Ok(b"sub".to_vec())));
        assert_eq!(fs.write(ino, 0, b"x", 0), Err(Errno::EROFS));
        fs.unmount().unwrap();
        drop(fs);
        assert!(before == std::fs::read(&path).unwrap(), "nothing was written");
    }
}
