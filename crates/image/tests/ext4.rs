//! ext2, ext3 and ext4 images, judged by e2fsck(8): after all kinds of changes, and as they are when the server is killed.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::Errno;
use abi::raw::general::{FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE};
use image::{Disk, HostFile, Opening, open};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use vfs::{Acl, FileSystem, Kind, NewName, NewNode, SetAttr};

const MIB: u64 = 1 << 20;
const NOW: u64 = 1_700_000_000_123_456_789;

struct Image {
    directory: tempfile::TempDir,
}

impl Image {
    /// A new file system, by mke2fs(8).
    fn new(size: u64, options: &[&str]) -> Self {
        let image = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::File::create(image.path()).unwrap().set_len(size).unwrap();
        let made =
            Command::new("/sbin/mke2fs").args(["-q", "-F"]).args(options).arg(image.path()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        image
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("img")
    }

    fn open(&self) -> Box<dyn FileSystem> {
        open_image(&self.path(), false).unwrap()
    }

    /// e2fsck(8) finds nothing to mend.
    #[track_caller]
    fn is_clean(&self) {
        let checked = Command::new("/sbin/e2fsck").args(["-f", "-n"]).arg(self.path()).output().unwrap();
        let said = String::from_utf8_lossy(&checked.stdout);
        // That it would do something more compactly is no fault: Linux leaves such trees too.
        assert!(checked.status.success() && !said.replace("Optimize? no", "").contains("? no"), "{said}");
    }
}

fn open_image(path: &Path, read_only: bool) -> Result<Box<dyn FileSystem>, Errno> {
    let file = Arc::new(HostFile::open(path, read_only, false).unwrap());
    let size = file.size().unwrap();
    let how = Opening { kind: b"ext4", options: b"", read_only };
    Ok(open(Disk::new(file, 0, size), how)?.fs)
}

fn node(kind: Kind) -> NewNode {
    NewNode { kind, mode: 0o640, uid: 1000, gid: 100, rdev: 0, target: Vec::new() }
}

fn file(fs: &mut dyn FileSystem, dir: u64, name: &str) -> u64 {
    fs.create(dir, NewName::Named(name.as_bytes()), &node(Kind::Regular), NOW).unwrap()
}

fn directory(fs: &mut dyn FileSystem, dir: u64, name: &str) -> u64 {
    fs.create(dir, NewName::Named(name.as_bytes()), &node(Kind::Directory), NOW).unwrap()
}

fn names(fs: &dyn FileSystem, dir: u64) -> Vec<String> {
    let mut names = Vec::new();
    fs.read_dir(dir, 0, &mut |_, _, _, name| {
        names.push(String::from_utf8_lossy(name).into_owned());
        true
    })
    .unwrap();
    names.sort();
    names
}

/// Directories that grow while files do, so that their blocks lie apart; then half of it goes.
fn fill(fs: &mut dyn FileSystem) {
    let root = fs.root();
    let dirs: Vec<u64> = (0..4).map(|at| directory(fs, root, &format!("d{at}"))).collect();
    for at in 0..600u64 {
        let dir = dirs[(at % 4) as usize];
        let ino = file(fs, dir, &format!("a file with a name that takes room {at}"));
        let bytes = vec![at.to_le_bytes()[0]; (at * 37 % 9000) as usize];
        if !bytes.is_empty() {
            assert_eq!(fs.write(ino, 0, &bytes, NOW), Ok(bytes.len()));
        }
    }
    for at in (0..600u64).step_by(3) {
        let name = format!("a file with a name that takes room {at}");
        fs.unlink(dirs[(at % 4) as usize], name.as_bytes(), NOW).unwrap();
    }
}

#[test]
fn e2fsck_finds_nothing_after_changes() {
    for options in [
        &["-t", "ext4", "-b", "1024"][..],
        &["-t", "ext4", "-b", "4096"],
        &["-t", "ext3", "-b", "4096"],
        &["-t", "ext2", "-b", "4096"],
    ] {
        let image = Image::new(64 * MIB, options);
        let mut fs = image.open();
        fill(&mut *fs);
        fs.unmount().unwrap();
        drop(fs);
        image.is_clean();

        let mut fs = image.open();
        let dir = fs.lookup(fs.root(), b"d1").unwrap();
        assert_eq!(names(&*fs, dir).len(), 100, "{options:?}");
        let ino = fs.lookup(dir, b"a file with a name that takes room 401").unwrap();
        let mut bytes = vec![0; 9000];
        assert_eq!(fs.read(ino, 0, &mut bytes), Ok(401 * 37 % 9000));
        assert!(bytes[..401 * 37 % 9000].iter().all(|byte| *byte == 401u64.to_le_bytes()[0]));
        fs.unmount().unwrap();
    }
}

#[test]
fn attributes_names_and_links_are_kept() {
    let image = Image::new(32 * MIB, &["-t", "ext4"]);
    let mut fs = image.open();
    let root = fs.root();
    let dir = directory(&mut *fs, root, "dir");
    let ino = file(&mut *fs, dir, "file");
    fs.write(ino, 0, b"contents", NOW).unwrap();
    let change = SetAttr {
        mode: Some(0o4711),
        uid: Some(70000),
        gid: Some(80000),
        atime: Some(NOW + 1),
        mtime: Some(NOW - 1),
        ..SetAttr::default()
    };
    fs.set_attr(ino, &change, NOW + 2).unwrap();
    fs.link(root, b"hard", ino, NOW + 3).unwrap();
    for (name, target) in [("short", "dir/file".to_owned()), ("long", "x/".repeat(100))] {
        let link = NewNode { target: target.clone().into(), ..node(Kind::Symlink) };
        let at = fs.create(root, NewName::Named(name.as_bytes()), &link, NOW).unwrap();
        assert_eq!(fs.readlink(at), Ok(target.into_bytes()));
    }
    let null = NewNode { rdev: 1 << 8 | 3, ..node(Kind::Char) };
    fs.create(root, NewName::Named(b"null"), &null, NOW).unwrap();
    fs.create(root, NewName::Named(b"fifo"), &node(Kind::Fifo), NOW).unwrap();
    fs.set_xattr(ino, b"user.short", Some(b"v"), NOW + 3).unwrap();
    fs.set_xattr(ino, b"user.long", Some(&[7; 600]), NOW + 3).unwrap();
    assert_eq!(fs.xattr(ino, b"user.none"), Err(Errno::ENODATA));
    let acl = Acl::parse(&acl_of_user(1234)).unwrap().map(Arc::new);
    fs.set_acl(dir, false, acl.clone(), NOW + 3).unwrap();
    fs.set_acl(dir, true, acl.clone(), NOW + 3).unwrap();
    fs.rename((root, b"hard"), (dir, b"moved"), NOW + 4).unwrap();
    fs.unmount().unwrap();
    drop(fs);
    image.is_clean();

    let fs = image.open();
    let attr = fs.attr(fs.lookup(dir, b"moved").unwrap()).unwrap();
    assert_eq!((attr.mode, attr.uid, attr.gid, attr.nlink, attr.size), (0o4711, 70000, 80000, 2, 8));
    assert_eq!((attr.atime, attr.mtime, attr.ctime, attr.btime), (NOW + 1, NOW - 1, NOW + 4, NOW));
    assert_eq!(fs.attr(fs.lookup(root, b"null").unwrap()).unwrap().rdev, 1 << 8 | 3);
    assert_eq!(fs.attr(dir).unwrap().acl, acl);
    assert_eq!(fs.default_acl(dir).unwrap(), acl);
    assert_eq!(fs.xattr(ino, b"user.long"), Ok(vec![7; 600]));
    assert_eq!((fs.parent(dir), fs.name_of(dir)), (Ok(root), Ok(b"dir".to_vec())));
    assert_eq!(names(&*fs, root), ["dir", "fifo", "long", "lost+found", "null", "short"]);
}

/// user::rw-, user:ID:rwx, group::r--, mask::rwx, other::---
fn acl_of_user(id: u32) -> Vec<u8> {
    let entries =
        [(1u16, 6u16, u32::MAX), (2, 7, id), (4, 4, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)];
    let entries = entries.into_iter().flat_map(|(tag, perm, id)| {
        [&tag.to_le_bytes()[..], &perm.to_le_bytes(), &id.to_le_bytes()].concat()
    });
    2u32.to_le_bytes().into_iter().chain(entries).collect()
}

#[test]
fn holes_and_reserved_blocks() {
    let image = Image::new(64 * MIB, &["-t", "ext4"]);
    let mut fs = image.open();
    let root = fs.root();
    let ino = file(&mut *fs, root, "sparse");
    fs.write(ino, 8 * MIB, b"end", NOW).unwrap();
    let attr = fs.attr(ino).unwrap();
    assert!(attr.size == 8 * MIB + 3 && attr.blocks <= 8, "{attr:?}");
    assert_eq!((fs.seek(ino, 0, true), fs.seek(ino, 0, false)), (Ok(8 * MIB), Ok(0)));
    fs.allocate(ino, FALLOC_FL_KEEP_SIZE, 0, MIB, NOW).unwrap();
    let mut bytes = [1; 10];
    assert_eq!(fs.read(ino, 4096, &mut bytes), Ok(10));
    assert_eq!(bytes, [0; 10], "reserved blocks read as zeros");
    fs.write(ino, 0, &[3; 65536], NOW).unwrap();
    fs.allocate(ino, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 8192, NOW).unwrap();
    assert_eq!(fs.read(ino, 4096, &mut bytes), Ok(10));
    assert_eq!(bytes, [0; 10]);
    fs.set_attr(ino, &SetAttr { size: Some(100), ..SetAttr::default() }, NOW).unwrap();
    fs.set_attr(ino, &SetAttr { size: Some(5000), ..SetAttr::default() }, NOW).unwrap();
    assert_eq!(fs.read(ino, 95, &mut bytes), Ok(10));
    assert_eq!(bytes, [3, 3, 3, 3, 3, 0, 0, 0, 0, 0]);
    fs.unmount().unwrap();
    image.is_clean();
}

/// An open file without a name lives, and is gone when it is closed; a full disk says so.
#[test]
fn open_files_without_names_and_full_disks() {
    let image = Image::new(16 * MIB, &["-t", "ext4", "-m", "0"]);
    let mut fs = image.open();
    let root = fs.root();
    let before = fs.statfs().unwrap();
    let ino = file(&mut *fs, root, "gone");
    fs.write(ino, 0, &[1; 100_000], NOW).unwrap();
    fs.hold(ino, true);
    fs.unlink(root, b"gone", NOW).unwrap();
    assert_eq!(fs.attr(ino).unwrap().nlink, 0);
    assert_eq!(fs.read(ino, 99_000, &mut [0; 10]), Ok(10));
    fs.hold(ino, false);
    assert_eq!(fs.attr(ino), Err(Errno::ESTALE));
    let after = fs.statfs().unwrap();
    assert_eq!((before.f_bfree, before.f_ffree), (after.f_bfree, after.f_ffree));

    let ino = file(&mut *fs, root, "big");
    let mut written = 0;
    let errno = loop {
        match fs.write(ino, written, &[2; 65536], NOW) {
            Ok(more) => written += more as u64,
            Err(errno) => break errno,
        }
    };
    assert_eq!(errno, Errno::ENOSPC);
    assert!(written > 8 * MIB, "{written}");
    // What has its place can be written all the same.
    assert_eq!(fs.write(ino, 4096, &[3; 4096], NOW), Ok(4096));
    fs.unlink(root, b"big", NOW).unwrap();
    let mut made = 0;
    let errno = loop {
        match fs.create(root, NewName::Named(format!("{made}").as_bytes()), &node(Kind::Directory), NOW) {
            Ok(_) => made += 1,
            Err(errno) => break errno,
        }
    };
    assert_eq!(errno, Errno::ENOSPC, "no more inodes");
    assert!(made > 3000, "{made}");
    fs.unmount().unwrap();
    image.is_clean();
}

/// As the server leaves it when it is killed: what was synced is there, and the journal makes the rest whole.
#[test]
fn what_was_synced_outlives_a_kill() {
    let image = Image::new(64 * MIB, &["-t", "ext4", "-b", "1024"]);
    let mut fs = image.open();
    let root = fs.root();
    let kept = file(&mut *fs, root, "kept");
    fs.write(kept, 0, &[9; 300_000], NOW).unwrap();
    fs.sync(Some(kept)).unwrap();
    fill(&mut *fs);
    // Killed: nobody takes it away.
    drop(fs);
    let copy = image.directory.path().join("copy");
    std::fs::copy(image.path(), &copy).unwrap();

    let mut fs = image.open();
    let mut bytes = vec![0; 300_001];
    assert_eq!(fs.read(fs.lookup(root, b"kept").unwrap(), 0, &mut bytes), Ok(300_000));
    assert!(bytes[..300_000].iter().all(|byte| *byte == 9));
    fill_more(&mut *fs);
    fs.unmount().unwrap();
    image.is_clean();

    // e2fsck mends it as well: -p is what a system does at its start.
    let mended = Command::new("/sbin/e2fsck").args(["-f", "-p"]).arg(&copy).output().unwrap();
    assert!(matches!(mended.status.code(), Some(0 | 1)), "{mended:?}");
    let fs = open_image(&copy, false).unwrap();
    assert_eq!(fs.read(fs.lookup(root, b"kept").unwrap(), 0, &mut bytes), Ok(300_000));
}

fn fill_more(fs: &mut dyn FileSystem) {
    let root = fs.root();
    for at in 0..50 {
        let ino = file(fs, root, &format!("more{at}"));
        fs.write(ino, 0, &[1; 5000], NOW).unwrap();
    }
}

#[test]
fn read_only_changes_no_byte() {
    let image = Image::new(16 * MIB, &["-t", "ext4"]);
    let mut fs = image.open();
    let root = fs.root();
    file(&mut *fs, root, "file");
    fs.unmount().unwrap();
    drop(fs);
    let before = std::fs::read(image.path()).unwrap();
    let mut fs = open_image(&image.path(), true).unwrap();
    let ino = fs.lookup(root, b"file").unwrap();
    assert_eq!(fs.write(ino, 0, b"x", NOW), Err(Errno::EROFS));
    assert_eq!(fs.unlink(root, b"file", NOW), Err(Errno::EROFS));
    fs.touch(ino, NOW);
    fs.unmount().unwrap();
    assert!(before == std::fs::read(image.path()).unwrap());
}

/// A removal that was lost when the server was killed leaves the file with its own bytes, not with those of who got its blocks.
#[test]
fn blocks_of_lost_removals_are_nobody_elses() {
    for options in [&["-t", "ext4"][..], &["-t", "ext3"]] {
        let image = Image::new(64 * MIB, options);
        let mut fs = image.open();
        let root = fs.root();
        let synced: Vec<u64> = (0..20).map(|at| file(&mut *fs, root, &format!("synced{at}"))).collect();
        for ino in &synced {
            fs.write(*ino, 0, &[1; 40_960], NOW).unwrap();
        }
        fs.sync(None).unwrap();
        for (at, ino) in synced.iter().enumerate() {
            if at % 2 == 0 {
                fs.unlink(root, format!("synced{at}").as_bytes(), NOW).unwrap();
            } else {
                fs.set_attr(*ino, &SetAttr { size: Some(0), ..SetAttr::default() }, NOW).unwrap();
            }
            let other = file(&mut *fs, root, &format!("other{at}"));
            fs.write(other, 0, &[2; 40_960], NOW).unwrap();
        }
        drop(fs);
        let mut fs = image.open();
        for at in 0..20 {
            let Ok(ino) = fs.lookup(root, format!("synced{at}").as_bytes()) else { continue };
            let mut bytes = vec![1; 40_960];
            fs.read(ino, 0, &mut bytes).unwrap();
            assert!(bytes.iter().all(|byte| *byte == 1), "{options:?}: synced{at}");
        }
        fs.unmount().unwrap();
        image.is_clean();
    }
}

/// Files of many extents, written in any order, backwards too, with holes punched: what was written is read, and all is given back.
#[test]
fn many_extents_in_any_order() {
    let image = Image::new(64 * MIB, &["-t", "ext4", "-b", "1024"]);
    let mut fs = image.open();
    let root = fs.root();
    let free = fs.statfs().unwrap().f_bfree;
    let mut random = 1u64;
    let mut next = move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        random >> 33
    };
    for order in ["backwards", "random", "punched"] {
        let ino = file(&mut *fs, root, order);
        let mut model = vec![0u8; 2048 << 10];
        for step in 0..700u64 {
            let block = if order == "backwards" { 1999 - 2 * (step % 900) } else { next() % 2000 };
            let at = usize::try_from(block).unwrap() << 10;
            if order == "punched" && step % 5 == 0 {
                let mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
                let from = if step % 25 == 0 { 0 } else { at };
                let to = at + (10 << 10);
                fs.allocate(ino, mode, from as u64, (to - from) as u64, NOW).unwrap();
                model[from..to].fill(0);
                continue;
            }
            let bytes = [step.to_le_bytes()[0] | 1; 700];
            assert_eq!(fs.write(ino, at as u64, &bytes, NOW), Ok(700), "{order} {step}");
            model[at..at + 700].copy_from_slice(&bytes);
        }
        let size = usize::try_from(fs.attr(ino).unwrap().size).unwrap();
        let mut read = vec![0; size];
        let mut done = 0;
        while done < size {
            done += fs.read(ino, done as u64, &mut read[done..]).unwrap();
        }
        let wrong = read.iter().zip(&model).position(|(read, model)| read != model);
        assert_eq!((wrong, model[size..].iter().find(|byte| **byte != 0)), (None, None), "{order}");
    }
    let allocated = file(&mut *fs, root, "allocated");
    fs.allocate(allocated, FALLOC_FL_KEEP_SIZE, 5000, 100_000, NOW).unwrap();
    fs.sync(None).unwrap();
    fs.unlink(root, b"allocated", NOW).unwrap();
    for order in ["backwards", "random", "punched"] {
        fs.unlink(root, order.as_bytes(), NOW).unwrap();
        eprintln!("{order} {:?}", fs.sync(None));
    }
    fs.sync(None).unwrap();
    let left = fs.statfs().unwrap().f_bfree;
    fs.unmount().unwrap();
    drop(fs);
    image.is_clean();
    assert_eq!(left, free, "all blocks are given back");
}

/// A file of so many extents that its tree has two levels below the inode is made shorter, step by step.
#[test]
fn files_of_many_extents_are_made_shorter() {
    let image = Image::new(64 * MIB, &["-t", "ext4", "-b", "1024"]);
    let mut fs = image.open();
    let root = fs.root();
    let free = fs.statfs().unwrap().f_bfree;
    for extents in [100, 340, 1000] {
        let ino = file(&mut *fs, root, "f");
        for at in 0..extents {
            assert_eq!(fs.write(ino, at << 11, &[7; 1024], NOW), Ok(1024), "{at}");
        }
        for size in [extents << 10, (extents << 9) + 100, 7000, 1024, 0] {
            let change = SetAttr { size: Some(size), ..SetAttr::default() };
            assert_eq!(fs.set_attr(ino, &change, NOW), Ok(()), "{extents} extents, to {size}");
            assert_eq!(fs.attr(ino).unwrap().size, size);
            let mut read = vec![1; 4096];
            let at = size.saturating_sub(3000);
            let got = fs.read(ino, at, &mut read).unwrap();
            assert_eq!(got as u64, size - at, "what is behind the end is gone");
            let kept = (at..size).map(|at| if at >> 10 & 1 == 0 { 7 } else { 0 });
            assert!(read[..got].iter().copied().eq(kept), "{extents} extents, to {size}");
        }
        fs.unlink(root, b"f", NOW).unwrap();
    }
    fs.sync(None).unwrap();
    let left = fs.statfs().unwrap().f_bfree;
    fs.unmount().unwrap();
    drop(fs);
    image.is_clean();
    assert_eq!(left, free, "all blocks are given back");
}

/// Files without names: what may get a name gets one, and nothing is left of the others, also when the server is killed.
#[test]
fn files_without_names() {
    for options in [&["-t", "ext4"][..], &["-t", "ext2"]] {
        let image = Image::new(16 * MIB, options);
        let mut fs = image.open();
        let root = fs.root();
        let dir = directory(&mut *fs, root, "d");
        let before = (names(&*fs, root), fs.attr(root).unwrap().mtime, fs.attr(dir).unwrap().mtime);
        let (later, free) = (NOW + 5_000_000_000, fs.statfs().unwrap().f_ffree);
        let mut unnamed = |linkable| {
            let ino = fs.create(dir, NewName::Unnamed { linkable }, &node(Kind::Regular), later).unwrap();
            fs.hold(ino, true);
            assert_eq!(fs.write(ino, 0, b"late", later), Ok(4));
            assert_eq!(fs.attr(ino).unwrap().nlink, 0);
            ino
        };
        let [named, dropped, private, lost] = [true, true, false, true].map(&mut unnamed);
        assert_eq!((names(&*fs, root), fs.attr(root).unwrap().mtime, fs.attr(dir).unwrap().mtime), before);
        assert_eq!(fs.link(dir, b"never", private, later), Err(Errno::ENOENT));
        let _ = file(&mut *fs, dir, "taken");
        assert_eq!(fs.link(dir, b"taken", named, later), Err(Errno::EEXIST));
        for (name, nlink) in [(b"one", 1), (b"two", 2)] {
            assert_eq!(fs.link(dir, name, named, later), Ok(()));
            assert_eq!(fs.attr(named).unwrap().nlink, nlink);
        }
        for ino in [named, dropped, private] {
            fs.hold(ino, false);
        }
        assert_eq!((names(&*fs, root), names(&*fs, dir).len()), (before.0.clone(), 3));
        fs.sync(None).unwrap();
        let copy = Image { directory: tempfile::tempdir().unwrap() };
        std::fs::copy(image.path(), copy.path()).unwrap();
        fs.unmount().unwrap();
        image.is_clean();
        let mut fs = copy.open();
        assert_eq!(names(&*fs, root), before.0, "{lost} has gone with the server");
        fs.sync(None).unwrap();
        assert_eq!(fs.statfs().unwrap().f_ffree, free - 2);
        fs.unmount().unwrap();
        copy.is_clean();
    }
}

/// The crate takes set-user-ID away with each write; who calls has decided that already (root's writes leave it).
#[test]
fn writes_leave_set_user_id() {
    let image = Image::new(8 * MIB, &["-t", "ext4", "-b", "1024"]);
    let mut fs = image.open();
    let root = fs.root();
    let program = file(&mut *fs, root, "program");
    fs.set_attr(program, &SetAttr { mode: Some(0o6755), ..SetAttr::default() }, NOW).unwrap();
    fs.write(program, 0, b"program", NOW).unwrap();
    fs.allocate(program, 0, 0, 100, NOW).unwrap();
    // A symbolic link's target has one block.
    let mut link = NewNode { target: vec![b'x'; 1023], ..node(Kind::Symlink) };
    fs.create(root, NewName::Named(b"long"), &link, NOW).unwrap();
    link.target.push(b'x');
    assert_eq!(fs.create(root, NewName::Named(b"longer"), &link, NOW), Err(Errno::ENAMETOOLONG));
    fs.unmount().unwrap();
    drop(fs);
    let mut fs = image.open();
    assert_eq!(fs.attr(program).unwrap().mode, 0o6755);
    fs.unmount().unwrap();
    image.is_clean();
}
