//! FAT images, as mkfs.vfat(8) and mtools make them and see them, and as fsck.vfat(8) judges them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::Errno;
use image::{Disk, HostFile, Opening, open};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use vfs::{FileSystem, Ino, Kind, NewName, NewNode, SetAttr};

const NOW: u64 = 1_700_000_000_000_000_000;

fn run(program: &str, args: &[&str]) -> String {
    let ran = Command::new(program).args(args).output().unwrap();
    assert!(ran.status.success(), "{program} {args:?}: {ran:?}");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

struct Place(tempfile::TempDir);

impl Place {
    /// An empty volume.
    fn new(megabytes: u64, bits: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::File::create(place.image()).unwrap().set_len(megabytes << 20).unwrap();
        run("/sbin/mkfs.vfat", &["-F", bits, &place.path()]);
        place
    }

    fn image(&self) -> PathBuf {
        self.0.path().join("img")
    }

    fn path(&self) -> String {
        self.image().display().to_string()
    }

    fn open(&self, read_only: bool, options: &[u8]) -> Result<Box<dyn FileSystem>, Errno> {
        let file = Arc::new(HostFile::open(&self.image(), false, false).unwrap());
        let size = file.size().unwrap();
        let opened = open(Disk::new(file, 0, size), Opening { kind: b"auto", options, read_only })?;
        assert!(!opened.exact);
        Ok(opened.fs)
    }

    fn judge(&self) {
        let said = run("/sbin/fsck.vfat", &["-n", &self.path()]);
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}

fn node(kind: Kind) -> NewNode {
    NewNode { kind, mode: 0o644, uid: 0, gid: 0, rdev: 0, target: Vec::new() }
}

fn make(fs: &mut dyn FileSystem, dir: Ino, name: &[u8], kind: Kind) -> Result<Ino, Errno> {
    fs.create(dir, NewName::Named(name), &node(kind), NOW)
}

fn names(fs: &dyn FileSystem, dir: Ino) -> Vec<String> {
    let mut names = Vec::new();
    fs.read_dir(dir, 0, &mut |_, _, _, name| {
        names.push(String::from_utf8_lossy(name).into_owned());
        true
    })
    .unwrap();
    names
}

fn contents(fs: &dyn FileSystem, ino: Ino) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(fs.attr(ino).unwrap().size).unwrap()];
    let read = fs.read(ino, 0, &mut bytes).unwrap();
    assert_eq!(read, bytes.len());
    bytes
}

#[test]
fn trees_of_all_widths_are_read() {
    for (megabytes, bits) in [(2, "12"), (32, "16"), (64, "32")] {
        let place = Place::new(megabytes, bits);
        let tree = place.0.path().join("A longer directory");
        std::fs::create_dir_all(tree.join("sub")).unwrap();
        let bytes: Vec<u8> = (0..100_000u32).map(|at| (at / 7).to_le_bytes()[0]).collect();
        std::fs::write(tree.join("sub/a file with a long name.text"), &bytes).unwrap();
        run("mcopy", &["-s", "-i", &place.path(), &tree.display().to_string(), "::"]);
        let before = std::fs::read(place.image()).unwrap();

        let mut fs = place.open(true, b"uid=7,gid=8").unwrap();
        let root = fs.root();
        let dir = fs.lookup(root, b"A longer directory").unwrap();
        let sub = fs.lookup(dir, b"sub").unwrap();
        let ino = fs.lookup(sub, b"a file with a long name.text").unwrap();
        assert_eq!(fs.lookup(sub, b"A FILE with a long NAME.text"), Ok(ino), "as FAT compares names");
        assert_eq!(fs.lookup(sub, b"AFILEW~1.TEX"), Ok(ino), "by its short name");
        assert_eq!(fs.lookup(sub, b"a: no name of FAT's"), Err(Errno::ENOENT));
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
        assert!(before == std::fs::read(place.image()).unwrap(), "nothing was written");
    }
}

#[test]
fn what_is_written_others_read() {
    for (megabytes, bits) in [(2, "12"), (32, "16"), (64, "32")] {
        let place = Place::new(megabytes, bits);
        let mut fs = place.open(false, b"").unwrap();
        let root = fs.root();
        let dir = make(&mut *fs, root, b"A longer directory", Kind::Directory).unwrap();
        let ino = make(&mut *fs, dir, "Grüße an alle.text".as_bytes(), Kind::Regular).unwrap();
        let bytes: Vec<u8> = (0..50_000u32).map(|at| (at / 7).to_le_bytes()[0]).collect();
        assert_eq!(fs.write(ino, 10_000, &bytes, NOW), Ok(bytes.len()));
        let size = SetAttr { size: Some(40_000), ..SetAttr::default() };
        fs.set_attr(ino, &size, NOW).unwrap();
        let times =
            SetAttr { mtime: Some(1_600_000_000_123_456_789), atime: Some(NOW), ..SetAttr::default() };
        fs.set_attr(ino, &times, NOW).unwrap();
        let attr = fs.attr(ino).unwrap();
        assert_eq!(attr.mtime, 1_600_000_000_000_000_000, "FAT's unit are two seconds");
        assert_eq!(attr.btime, NOW);
        fs.rename((dir, "Grüße an alle.text".as_bytes()), (root, b"moved"), NOW).unwrap();
        assert_eq!(fs.lookup(root, b"moved"), Ok(ino), "it stays the same inode");
        fs.unmount().unwrap();
        drop(fs);
        place.judge();
        let copy = place.0.path().join("copy");
        run("mcopy", &["-i", &place.path(), "::moved", &copy.display().to_string()]);
        let mut expected = vec![0; 10_000];
        expected.extend(&bytes[..30_000]);
        assert!(std::fs::read(copy).unwrap() == expected, "{bits}");
    }
}

#[test]
fn what_fat_cannot_keep_is_refused_as_on_linux() {
    let place = Place::new(32, "16");
    let mut fs = place.open(false, b"uid=7,gid=8,fmask=0133").unwrap();
    let root = fs.root();
    for kind in [Kind::Symlink, Kind::Fifo, Kind::Socket, Kind::Char] {
        assert_eq!(make(&mut *fs, root, b"other", kind), Err(Errno::EPERM));
    }
    let ino = make(&mut *fs, root, b"file", Kind::Regular).unwrap();
    assert_eq!(fs.link(root, b"again", ino, NOW), Err(Errno::EPERM));
    for name in ["a:b", "a*b", "a?b", "a<b", "a>b", "a|b", "a\"b", "a\\b", "a\u{1}b", "blank "] {
        let made = make(&mut *fs, root, name.as_bytes(), Kind::Regular);
        assert_eq!(made, Err(Errno::EINVAL), "{name:?}");
    }
    assert_eq!(make(&mut *fs, root, &[b'x'; 256], Kind::Regular), Err(Errno::ENAMETOOLONG));
    assert_eq!(make(&mut *fs, root, b"no utf-8 \xff", Kind::Regular), Err(Errno::EINVAL));
    assert_eq!(make(&mut *fs, root, b"FILE", Kind::Regular), Err(Errno::EEXIST));
    assert_eq!(fs.lookup(root, b"file.."), Ok(ino), "dots at the end count for nothing");
    assert_eq!(fs.attr(ino).unwrap().mode, 0o644);
    let change = |mode| SetAttr { mode: Some(mode), ..SetAttr::default() };
    for (mode, makes) in [(0o444, 0o444), (0o600, 0o444), (0o644, 0o644)] {
        fs.set_attr(ino, &change(mode), NOW).unwrap();
        assert_eq!(fs.attr(ino).unwrap().mode, makes);
    }
    assert_eq!(fs.set_attr(ino, &change(0o4755), NOW), Err(Errno::EPERM));
    let owner = SetAttr { uid: Some(9), ..SetAttr::default() };
    assert_eq!(fs.set_attr(ino, &owner, NOW), Err(Errno::EPERM));
    assert_eq!(fs.write(ino, u64::from(u32::MAX), b"x", NOW), Err(Errno::EFBIG));
    assert_eq!(fs.xattr(ino, b"user.a"), Err(Errno::EOPNOTSUPP));
    let free = fs.statfs().unwrap();
    let wanted = usize::try_from(free.f_bfree * free.f_bsize.cast_unsigned()).unwrap() + 1;
    assert_eq!(fs.write(ino, 0, &vec![1; wanted], NOW), Err(Errno::ENOSPC));
    fs.unmount().unwrap();
    drop(fs);
    place.judge();
    assert!(matches!(place.open(false, b"nonsense"), Err(Errno::EINVAL)));
}

#[test]
fn files_without_names_live_while_they_are_held() {
    let place = Place::new(32, "16");
    let mut fs = place.open(false, b"").unwrap();
    let root = fs.root();
    let mut held = Vec::new();
    for name in [b"removed".as_slice(), b"replaced"] {
        let ino = make(&mut *fs, root, name, Kind::Regular).unwrap();
        fs.write(ino, 0, name, NOW).unwrap();
        fs.hold(ino, true);
        held.push((ino, name));
    }
    let dir = make(&mut *fs, root, b"directory", Kind::Directory).unwrap();
    fs.hold(dir, true);
    fs.rmdir(root, b"directory", NOW).unwrap();
    fs.unlink(root, b"removed", NOW).unwrap();
    let other = make(&mut *fs, root, b"other", Kind::Regular).unwrap();
    fs.rename((root, b"other"), (root, b"replaced"), NOW).unwrap();
    let again = make(&mut *fs, root, b"removed", Kind::Regular).unwrap();
    assert_eq!(names(&*fs, root), ["removed", "replaced"], "and no others");
    assert_eq!(fs.lookup(root, b"replaced"), Ok(other));
    for (ino, bytes) in &held {
        assert_ne!(*ino, again);
        fs.write(*ino, bytes.len() as u64, b" and written", NOW).unwrap();
        assert_eq!(contents(&*fs, *ino), [*bytes, b" and written"].concat());
        assert_eq!((fs.attr(*ino).unwrap().nlink, fs.find(*ino)), (0, Err(Errno::ESTALE)));
    }
    assert_eq!((fs.attr(dir).unwrap().nlink, names(&*fs, dir).len()), (0, 0));
    assert_eq!(make(&mut *fs, dir, b"in it", Kind::Regular), Err(Errno::ENOENT));
    assert_eq!(fs.parent(dir), Err(Errno::ENOENT));
    fs.hold(held[0].0, false);
    fs.hold(dir, false);
    assert_eq!(fs.attr(held[0].0), Err(Errno::ESTALE));
    // The other is still held when it is taken away.
    fs.unmount().unwrap();
    drop(fs);
    place.judge();
    let listed = run("mdir", &["-b", "-a", "-i", &place.path(), "::"]);
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["::/removed", "::/replaced"]);
}

#[test]
fn what_was_synced_outlives_a_kill() {
    let place = Place::new(64, "32");
    let copy = place.0.path().join("killed");
    let mut fs = place.open(false, b"").unwrap();
    let root = fs.root();
    let ino = make(&mut *fs, root, b"synced", Kind::Regular).unwrap();
    fs.write(ino, 0, &[7; 70_000], NOW).unwrap();
    fs.sync(Some(ino)).unwrap();
    for number in 0..40 {
        let ino =
            make(&mut *fs, root, format!("another one, number {number}").as_bytes(), Kind::Regular).unwrap();
        fs.write(ino, 0, &vec![1; number * 1000], NOW).unwrap();
        // As the disk is when the server is killed here.
        std::fs::copy(place.image(), &copy).unwrap();
        let path = copy.display().to_string();
        let repaired = Command::new("/sbin/fsck.vfat").args(["-a", &path]).output().unwrap();
        assert!(repaired.status.code().is_some_and(|code| code <= 1), "{repaired:?}");
        let back = place.0.path().join("back");
        run("mcopy", &["-o", "-i", &path, "::synced", &back.display().to_string()]);
        assert!(std::fs::read(back).unwrap() == [7; 70_000]);
        if number % 3 == 0 {
            fs.unlink(root, format!("another one, number {number}").as_bytes(), NOW).unwrap();
        }
    }
}

/// One of a few names, some of which are one to FAT.
const NAMES: [&str; 5] = ["a", "A", "a longer name", "A LONGER NAME", "b.txt"];

#[derive(Debug, Clone)]
enum Step {
    Write { name: usize, offset: usize, len: usize },
    Truncate { name: usize, size: usize },
    Unlink { name: usize },
    Rename { from: usize, to: usize },
    Sync,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES.len();
    prop_oneof![
        (name(), 0usize..9000, 0usize..9000).prop_map(|(name, offset, len)| Step::Write {
            name,
            offset,
            len
        }),
        (name(), 0usize..20_000).prop_map(|(name, size)| Step::Truncate { name, size }),
        name().prop_map(|name| Step::Unlink { name }),
        (name(), name()).prop_map(|(from, to)| Step::Rename { from, to }),
        Just(Step::Sync),
    ]
}

/// What FAT takes two names for.
fn key(name: usize) -> String {
    NAMES[name].to_lowercase()
}

fn take(fs: &mut dyn FileSystem, model: &mut BTreeMap<String, Vec<u8>>, step: &Step, mark: u8) {
    let root = fs.root();
    let at = |name: usize| NAMES[name].as_bytes();
    match *step {
        Step::Write { name, offset, len } => {
            let ino = match fs.lookup(root, at(name)) {
                Ok(ino) => ino,
                Err(_) => make(fs, root, at(name), Kind::Regular).unwrap(),
            };
            let bytes = vec![mark; len];
            assert_eq!(fs.write(ino, offset as u64, &bytes, NOW), Ok(len));
            let file = model.entry(key(name)).or_default();
            if len > 0 {
                file.resize(file.len().max(offset + len), 0);
                file[offset..offset + len].copy_from_slice(&bytes);
            }
        }
        Step::Truncate { name, size } => {
            let change = SetAttr { size: Some(size as u64), ..SetAttr::default() };
            let done = fs.lookup(root, at(name)).and_then(|ino| fs.set_attr(ino, &change, NOW));
            match model.get_mut(&key(name)) {
                Some(file) => file.resize(size, 0),
                None => assert_eq!(done, Err(Errno::ENOENT)),
            }
        }
        Step::Unlink { name } => {
            assert_eq!(fs.unlink(root, at(name), NOW).is_ok(), model.remove(&key(name)).is_some());
        }
        Step::Rename { from, to } => {
            let done = fs.rename((root, at(from)), (root, at(to)), NOW);
            match model.remove(&key(from)) {
                Some(file) => {
                    done.unwrap();
                    model.insert(key(to), file);
                }
                None => assert_eq!(done, Err(Errno::ENOENT)),
            }
        }
        Step::Sync => fs.sync(None).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn as_a_model_has_it(bits in prop::sample::select(vec![(2, "12"), (16, "16")]), steps in prop::collection::vec(step(), 1..60)) {
        let place = Place::new(bits.0, bits.1);
        let mut fs = place.open(false, b"").unwrap();
        let mut model = BTreeMap::new();
        for (step, mark) in steps.iter().zip((1..=255u8).cycle()) {
            take(&mut *fs, &mut model, step, mark);
        }
        let root = fs.root();
        prop_assert_eq!(names(&*fs, root).len(), model.len());
        for (name, bytes) in &model {
            let ino = fs.lookup(root, name.as_bytes()).unwrap();
            prop_assert!(&contents(&*fs, ino) == bytes, "{}", name);
        }
        fs.unmount().unwrap();
        place.judge();
    }
}
