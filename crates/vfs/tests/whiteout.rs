//! RENAME_WHITEOUT (renameat2(2)): character device 0, 0 stays where the name was, which nobody can open.

#![allow(clippy::unwrap_used, reason = "a test ends there")]

use abi::Errno;
use abi::raw::general::{RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT, S_IFCHR, S_IFMT};
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Start, Vfs, Who};

const USER: Who<'_> = Who { uid: 1000, gid: 1000, groups: &[], umask: 0o22, prefix: b"" };

fn mode_and_device(vfs: &Vfs, start: Start, path: &str) -> Result<(u32, u64), Errno> {
    let stat = vfs.stat(vfs.lookup(&USER, start, path.as_bytes(), Follow::No)?)?;
    Ok((stat.st_mode, stat.st_rdev))
}

#[test]
fn a_name_that_is_moved_leaves_a_whiteout() {
    let mut vfs = Vfs::new(Tmpfs::new(64 << 20, 1), [1; 32], 1).unwrap();
    let start = Start { root: vfs.root(), dir: vfs.root() };
    vfs.mkdir(&USER, start, b"/tmp/d", 0o755, 1).unwrap();
    let rename = |vfs: &mut Vfs, from: &str, to: &str, flags| {
        vfs.rename(&USER, (start, from.as_bytes()), (start, to.as_bytes()), flags, 1).map(drop)
    };
    assert_eq!(rename(&mut vfs, "/tmp/d", "/tmp/e", RENAME_WHITEOUT | RENAME_EXCHANGE), Err(Errno::EINVAL));
    assert_eq!(rename(&mut vfs, "/tmp/d", "/tmp/e", RENAME_WHITEOUT), Ok(()));
    let (mode, device) = mode_and_device(&vfs, start, "/tmp/d").unwrap();
    assert_eq!((mode & S_IFMT, mode & 0o7777, device), (S_IFCHR, 0, 0));
    assert!(mode_and_device(&vfs, start, "/tmp/e").is_ok());
    let over = rename(&mut vfs, "/tmp/e", "/tmp/d", RENAME_WHITEOUT | RENAME_NOREPLACE);
    assert_eq!(over, Err(Errno::EEXIST), "and nothing is left of the attempt");
    vfs.unlink(&USER, start, b"/tmp/d", 0, 1).unwrap();
    assert_eq!(mode_and_device(&vfs, start, "/tmp/d"), Err(Errno::ENOENT));
}
