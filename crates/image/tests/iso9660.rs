//! ISO 9660 images, as xorriso(1) makes them, against the tree that they were made of and against the host's loop mount.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use abi::Errno;
use image::{Disk, HostFile, Opening, open};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use vfs::{FileSystem, Ino, Kind};

const FAR_BELOW: &str = "one/two/three/four/five/six/seven/eight/nine/ten";

fn run(program: &str, args: &[&str]) {
    let ran = Command::new(program).args(args).output().unwrap();
    assert!(ran.status.success(), "{program} {args:?}: {ran:?}");
}

/// A tree of all that Rock Ridge can keep, and images of it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let tree = place.tree();
        std::fs::create_dir_all(tree.join(FAR_BELOW)).unwrap();
        std::fs::create_dir(tree.join("many")).unwrap();
        for number in 0..200 {
            std::fs::write(tree.join(format!("many/a rather long name, number {number}.text")), "many")
                .unwrap();
        }
        std::fs::write(tree.join(FAR_BELOW).join("deep"), "far below").unwrap();
        std::fs::write(tree.join("large"), large()).unwrap();
        std::fs::write(tree.join("empty"), "").unwrap();
        std::fs::write(tree.join("tool"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(tree.join("tool"), std::fs::Permissions::from_mode(0o4751)).unwrap();
        std::fs::hard_link(tree.join("large"), tree.join("many/large again")).unwrap();
        symlink("../one/two/./three/four", tree.join("link")).unwrap();
        symlink("/an/absolute/target", tree.join("many/absolute")).unwrap();
        symlink(["longish"; 60].join("/"), tree.join("many/long link")).unwrap();
        run("mkfifo", &[&tree.join("many/fifo").display().to_string()]);
        place
    }

    fn tree(&self) -> PathBuf {
        self.0.path().join("tree")
    }

    fn image(&self, args: &[&str]) -> PathBuf {
        let image = self.0.path().join("img");
        let (path, tree) = (image.display().to_string(), self.tree().display().to_string());
        let how = ["-as", "mkisofs", "-quiet", "-V", "A VOLUME", "-o", &path];
        run("xorriso", &[&how, args, &[tree.as_str()]].concat());
        image
    }
}

fn large() -> Vec<u8> {
    (0..200_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}

fn mounted(image: &Path, options: &[u8]) -> Result<Box<dyn FileSystem>, Errno> {
    let file = Arc::new(HostFile::open(image, true, false).unwrap());
    let size = file.size().unwrap();
    let disk = Disk::new(file, 0, size);
    assert_eq!(image::probe::kind(&disk), Some("iso9660"));
    Ok(open(disk, Opening { kind: b"auto", options, read_only: true })?.fs)
}

/// What there is to be seen of one file.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    mode: u32,
    owner: (u32, u32),
    size: u64,
    mtime: u64,
    bytes: Vec<u8>,
}

type Tree = BTreeMap<Vec<u8>, Seen>;

fn ours(fs: &dyn FileSystem, dir: Ino, path: &[u8], seen: &mut Tree) {
    let mut entries = Vec::new();
    let mut after = 0;
    // One at a time: every cookie has to lead on.
    while let Some((cookie, entry)) = next(fs, dir, after) {
        after = cookie;
        entries.push(entry);
    }
    for (ino, kind, name) in entries {
        assert_eq!(fs.lookup(dir, &name), Ok(ino), "{}", String::from_utf8_lossy(&name));
        let attr = fs.attr(ino).unwrap();
        assert_eq!(attr.kind, kind);
        let path = [path, b"/", &name].concat();
        let bytes = match kind {
            Kind::Regular => {
                let mut bytes = vec![1; 300_000];
                let mut len = 0;
                while len < bytes.len() {
                    match fs.read(ino, len as u64, &mut bytes[len..]).unwrap() {
                        0 => break,
                        read => len += read,
                    }
                }
                bytes.truncate(len);
                bytes
            }
            Kind::Symlink => fs.readlink(ino).unwrap(),
            Kind::Directory => {
                assert_eq!((fs.parent(ino), fs.name_of(ino)), (Ok(dir), Ok(name)));
                ours(fs, ino, &path, seen);
                Vec::new()
            }
            _ => Vec::new(),
        };
        let size = if kind == Kind::Directory { 0 } else { attr.size };
        let mode = attr.mode | attr.kind.bits();
        let mtime = attr.mtime / 1_000_000_000;
        seen.insert(path, Seen { mode, owner: (attr.uid, attr.gid), size, mtime, bytes });
    }
}

type Entry = (Ino, Kind, Vec<u8>);

fn next(fs: &dyn FileSystem, dir: Ino, after: u64) -> Option<(u64, Entry)> {
    let mut found = None;
    fs.read_dir(dir, after, &mut |cookie, ino, kind, name| {
        found = Some((cookie, (ino, kind, name.to_vec())));
        false
    })
    .unwrap();
    found
}

fn all_of(fs: &dyn FileSystem) -> Tree {
    let mut seen = Tree::new();
    ours(fs, fs.root(), b"", &mut seen);
    seen
}

fn theirs(top: &Path, dir: &Path, seen: &mut Tree) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let known = path.symlink_metadata().unwrap();
        let bytes = match known.file_type() {
            kind if kind.is_symlink() => std::fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(),
            kind if kind.is_file() => std::fs::read(&path).unwrap(),
            _ => Vec::new(),
        };
        let size = if known.is_dir() { 0 } else { known.len() };
        let owner = (known.uid(), known.gid());
        let mtime = known.mtime().cast_unsigned();
        let name = [b"/", path.strip_prefix(top).unwrap().as_os_str().as_bytes()].concat();
        seen.insert(name, Seen { mode: known.mode(), owner, size, mtime, bytes });
        if known.is_dir() {
            theirs(top, &path, seen);
        }
    }
}

#[test]
fn rock_ridge_keeps_the_whole_tree() {
    let place = Place::new();
    let image = place.image(&["-R", "-J", "-joliet-long"]);
    let fs = mounted(&image, b"").unwrap();
    let mut source = Tree::new();
    theirs(&place.tree(), &place.tree(), &mut source);
    let mut seen = all_of(&*fs);
    // -R is for others to read: root's, and what anybody may becomes what all may.
    for (path, file) in &mut seen {
        let original = &source[path];
        assert_eq!(file.mode & 0o170_000, original.mode & 0o170_000);
        (file.mode, file.owner) = (original.mode, original.owner);
    }
    for (path, file) in &source {
        assert!(seen.get(path) == Some(file), "{}", String::from_utf8_lossy(path));
    }
    assert_eq!(seen.len(), source.len());
    let large = fs.lookup(fs.root(), b"large").unwrap();
    let many = fs.lookup(fs.root(), b"many").unwrap();
    assert_eq!(fs.lookup(many, b"large again"), Ok(large), "hard links are one inode");
    assert_eq!(fs.attr(large).unwrap().nlink, 2);
    assert_eq!(fs.lookup(fs.root(), b"LARGE"), Err(Errno::ENOENT));
    assert_eq!(fs.statfs().unwrap().f_type, 0x9660);
    let mut fs = fs;
    assert_eq!(fs.unlink(many, b"large again", 0), Err(Errno::EROFS));
}

#[test]
fn owners_and_modes_are_those_that_were_packed() {
    let place = Place::new();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let fs = mounted(&place.image(&["-R"]), b"uid=7,gid=8,mode=0640,dmode=0750").unwrap();
    let attr = fs.attr(fs.lookup(fs.root(), b"tool").unwrap()).unwrap();
    assert_eq!((attr.uid, attr.gid, attr.mode), (7, 8, 0o640));
    assert_eq!(fs.attr(fs.root()).unwrap().mode, 0o750);
    let image = place.0.path().join("native");
    let (path, tree) = (image.display().to_string(), place.tree().display().to_string());
    run("xorriso", &["-outdev", &path, "-map", &tree, "/", "-commit"]);
    let attr = |name: &[u8]| {
        let fs = mounted(&image, b"").unwrap();
        fs.attr(fs.lookup(fs.root(), name).unwrap()).unwrap()
    };
    let tool = attr(b"tool");
    assert_eq!((tool.mode, tool.uid, tool.gid), (0o4751, uid, gid));
    assert!(matches!(mounted(&image, b"nonsense"), Err(Errno::EINVAL)));
}

#[test]
fn joliet_and_plain_names() {
    let place = Place::new();
    let long = b"/many/a rather long name, number 7.text".as_slice();
    let fs = mounted(&place.image(&["-J", "-joliet-long"]), b"").unwrap();
    let joliet = all_of(&*fs);
    assert_eq!(joliet[long].bytes, b"many");
    assert_eq!(joliet[b"/large".as_slice()].bytes, large());
    let both = place.image(&["-R", "-J", "-joliet-long"]);
    let without = all_of(&*mounted(&both, b"norock").unwrap());
    assert!(without.contains_key(long) && without[long].mode & 0o777 == 0o555, "{:?}", without[long]);
    let fs = mounted(&both, b"norock,nojoliet").unwrap();
    let plain = all_of(&*fs);
    assert!(!plain.contains_key(long) && plain.contains_key(b"/large".as_slice()), "{:?}", plain.keys());
    assert_eq!(fs.lookup(fs.root(), b"LARGE"), fs.lookup(fs.root(), b"large"));
}

/// Only root can mount: what Linux sees.
#[test]
fn as_the_host_mounts_it() {
    if !rustix::process::geteuid().is_root() || !Path::new("/dev/loop0").exists() {
        return;
    }
    let place = Place::new();
    let dir = place.0.path().join("mnt");
    std::fs::create_dir(&dir).unwrap();
    for (how, options) in [(["-R", "-J"], ""), (["-J", "-joliet-long"], ""), (["-R", "-J"], "norock")] {
        let image = place.image(&how);
        let (path, on) = (image.display().to_string(), dir.display().to_string());
        let loop_options = format!("loop,ro,{options}");
        let mounted_there =
            Command::new("mount").args(["-t", "iso9660", "-o", &loop_options, &path, &on]).status();
        if !mounted_there.unwrap().success() {
            return;
        }
        let mut host = Tree::new();
        theirs(&dir, &dir, &mut host);
        run("umount", &[&on]);
        let seen = all_of(&*mounted(&image, options.as_bytes()).unwrap());
        for (path, file) in &host {
            assert!(seen.get(path) == Some(file), "{how:?} {options} {}", String::from_utf8_lossy(path));
        }
        assert_eq!(seen.len(), host.len());
    }
}

/// A file of several extents has a record for each (ECMA-119, 9.1.6): made of the records of two files that lie behind each other.
#[test]
fn files_of_several_extents() {
    let place = tempfile::tempdir().unwrap();
    let tree = place.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    std::fs::write(tree.join("A"), large()).unwrap();
    std::fs::write(tree.join("B"), "the end").unwrap();
    let image = place.path().join("img");
    let (path, tree) = (image.display().to_string(), tree.display().to_string());
    run("xorriso", &["-as", "mkisofs", "-quiet", "-iso-level", "3", "-o", &path, &tree]);
    let mut bytes = std::fs::read(&image).unwrap();
    let record =
        |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).position(|window| window == name).unwrap();
    let (first, second) = (record(&bytes, b"\x04A.;1"), record(&bytes, b"\x04B.;1"));
    // The flags stand seven bytes before the name's length.
    bytes[first - 7] |= 0x80;
    bytes[second + 1] = b'A';
    std::fs::write(&image, bytes).unwrap();
    let fs = mounted(&image, b"norock").unwrap();
    let seen = all_of(&*fs);
    let whole = [large(), b"the end".to_vec()].concat();
    let (name, file) = seen.iter().next().unwrap();
    assert_eq!((seen.len(), file.size), (1, whole.len() as u64), "{name:?}");
    assert!(file.bytes == whole);
}
