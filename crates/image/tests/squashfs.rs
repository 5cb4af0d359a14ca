//! squashfs images, as mksquashfs(1) makes them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::Errno;
use image::{Disk, HostFile, Opening, open};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::Arc;
use vfs::{FileSystem, Kind};

fn image(compression: &str) -> (tempfile::TempDir, Box<dyn FileSystem>) {
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    std::fs::create_dir_all(tree.join("dir/below")).unwrap();
    // Blocks that are compressed, one that is not, a hole, and an end in a fragment.
    let bytes = contents();
    std::fs::write(tree.join("dir/large"), bytes).unwrap();
    std::fs::write(tree.join("small"), "small").unwrap();
    std::fs::set_permissions(tree.join("small"), std::fs::Permissions::from_mode(0o4751)).unwrap();
    symlink("dir/large", tree.join("link")).unwrap();
    let path = place.path().join("img");
    let made = Command::new("mksquashfs")
        .args([&tree, &path])
        .args(["-quiet", "-no-progress", "-comp", compression, "-b", "16384", "-force-uid", "1234"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let file = Arc::new(HostFile::open(&path, true, false).unwrap());
    let size = file.size().unwrap();
    let how = Opening { kind: b"auto", options: b"", read_only: true };
    let fs = open(Disk::new(file, 0, size), how).unwrap().fs;
    (place, fs)
}

fn contents() -> Vec<u8> {
    let noise = (0..20_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]);
    let text = (0..60_000u32).map(|at| (at / 100).to_le_bytes()[0]);
    noise.chain(std::iter::repeat_n(0, 40_000)).chain(text).collect()
}

#[test]
fn trees_of_all_compressions() {
    for compression in ["gzip", "xz", "zstd", "lz4"] {
        let (_place, mut fs) = image(compression);
        let root = fs.root();
        let dir = fs.lookup(root, b"dir").unwrap();
        let large = fs.lookup(dir, b"large").unwrap();
        let whole = contents();
        assert_eq!(fs.attr(large).unwrap().size, whole.len() as u64);
        for (offset, len) in
            [(0, whole.len()), (1, 5), (16_384, 16_384), (19_990, 40_020), (119_000, 2_000), (200_000, 1)]
        {
            let mut into = vec![1; len];
            let read = fs.read(large, offset, &mut into).unwrap();
            let from = usize::try_from(offset).unwrap().min(whole.len());
            assert_eq!(
                &into[..read],
                &whole[from..(from + len).min(whole.len())],
                "{compression} {offset} {len}"
            );
        }
        let small = fs.attr(fs.lookup(root, b"small").unwrap()).unwrap();
        assert_eq!((small.mode, small.uid, small.nlink, small.kind), (0o4751, 1234, 1, Kind::Regular));
        assert_eq!(fs.readlink(fs.lookup(root, b"link").unwrap()), Ok(b"dir/large".to_vec()));
        assert_eq!((fs.attr(root).unwrap().nlink, fs.attr(dir).unwrap().nlink), (3, 3));
        assert_eq!((fs.parent(dir), fs.name_of(dir)), (Ok(root), Ok(b"dir".to_vec())));
        let mut names = Vec::new();
        fs.read_dir(root, 0, &mut |_, _, _, name| {
            names.push(String::from_utf8_lossy(name).into_owned());
            true
        })
        .unwrap();
        assert_eq!(names, ["dir", "link", "small"]);
        assert_eq!(fs.unlink(root, b"small", 0), Err(Errno::EROFS));
        assert_eq!(fs.lookup(root, b"none"), Err(Errno::ENOENT));
    }
}
