//! Mounts: crossing them both ways, what is busy, and that nothing of a mount outlives it.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

use abi::Errno;
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Location, MountFlags, Start, Vfs, Who};

const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };

fn tree() -> (Vfs, Start) {
    let vfs = Vfs::new(Tmpfs::new(64 << 20, 1), [1; 32], 1).unwrap();
    let start = Start { root: vfs.root(), dir: vfs.root() };
    (vfs, start)
}

fn at(vfs: &Vfs, start: Start, path: &str) -> Result<Location, Errno> {
    vfs.lookup(&ROOT, start, path.as_bytes(), Follow::Yes)
}

fn mount(vfs: &mut Vfs, start: Start, path: &str) -> Location {
    let on = at(vfs, start, path).unwrap();
    vfs.mount(Box::new(Tmpfs::new(1 << 20, 1)), on, "none", MountFlags::default()).unwrap()
}

#[test]
fn crossed_both_ways() {
    let (mut vfs, start) = tree();
    vfs.mkdir(&ROOT, start, b"/var/m", 0o755, 1).unwrap();
    let root = mount(&mut vfs, start, "/var/m");
    assert_eq!(at(&vfs, start, "/var/m"), Ok(root));
    assert_eq!(at(&vfs, start, "/var/m/.."), at(&vfs, start, "/var"));
    vfs.mkdir(&ROOT, start, b"/var/m/d", 0o755, 1).unwrap();
    let inside = at(&vfs, start, "/var/m/d").unwrap();
    assert_eq!(vfs.path_of(start.root, inside).unwrap(), b"/var/m/d");
    assert_eq!(vfs.path_of(root, inside).unwrap(), b"/d", "as a chroot there sees it");
    assert_eq!(vfs.path_of(inside, start.root), Err(Errno::ENOENT), "outside the root");
    assert_ne!(vfs.stat(root).unwrap().st_dev, vfs.stat(start.root).unwrap().st_dev);
    assert!(vfs.mounts().contains("none\t/var/m\ttmpfs\trw,relatime,size=1024k\n"));
    let (from, to) = ((start, b"/var/m/d".as_slice()), (start, b"/var/d".as_slice()));
    assert_eq!(vfs.rename(&ROOT, from, to, 0, 1).map(drop), Err(Errno::EXDEV));
}

#[test]
fn stacked() {
    let (mut vfs, start) = tree();
    let first = mount(&mut vfs, start, "/tmp");
    let second = mount(&mut vfs, start, "/tmp");
    assert_eq!(at(&vfs, start, "/tmp"), Ok(second));
    assert_eq!(at(&vfs, start, "/tmp/.."), Ok(start.root));
    assert_eq!(vfs.umount(first), Err(Errno::EBUSY));
    assert_eq!(vfs.umount(second), Ok(()));
    assert_eq!(at(&vfs, start, "/tmp"), Ok(first));
}

#[test]
fn busy() {
    let (mut vfs, start) = tree();
    let root = mount(&mut vfs, start, "/tmp");
    let remove = |vfs: &mut Vfs| vfs.unlink(&ROOT, start, b"/tmp", abi::raw::general::AT_REMOVEDIR, 1);
    assert_eq!(remove(&mut vfs), Err(Errno::EBUSY));
    vfs.mkdir(&ROOT, start, b"/tmp/d", 0o755, 1).unwrap();
    let dir = at(&vfs, start, "/tmp/d").unwrap();
    vfs.hold(dir, true);
    assert_eq!(vfs.umount(root), Err(Errno::EBUSY));
    assert_eq!(vfs.umount(dir), Err(Errno::EINVAL));
    assert_eq!(vfs.umount(start.root), Err(Errno::EBUSY));
    vfs.hold(dir, false);
    assert_eq!(vfs.umount(root), Ok(()));
    assert_eq!(vfs.attr(dir), Err(Errno::ESTALE));
    assert_eq!(remove(&mut vfs), Ok(()));
}
