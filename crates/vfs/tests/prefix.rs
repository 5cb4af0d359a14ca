//! Links whose makers see the tree under a prefix.
#![allow(clippy::unwrap_used, reason = "a test")]

use abi::Errno;
use vfs::tmpfs::Tmpfs;
use vfs::{Follow, Start, Vfs, Who};

const ROOT: Who<'_> = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"/rump" };

#[test]
fn a_links_target_is_followed_without_it() {
    let mut vfs = Vfs::new(Tmpfs::new(64 << 20, 1), [1; 32], 1).unwrap();
    let start = Start { root: vfs.root(), dir: vfs.root() };
    vfs.mkdir(&ROOT, start, b"/d", 0o755, 1).unwrap();
    vfs.mkdir(&ROOT, start, b"/d/below", 0o755, 1).unwrap();
    for (target, name) in [
        (b"/rump/d".as_slice(), b"/to".as_slice()),
        (b"/rump", b"/top"),
        (b"/d", b"/plain"),
        (b"/rumpx", b"/not"),
    ] {
        vfs.symlink(&ROOT, target, start, name, 1).unwrap();
    }
    let find = |vfs: &Vfs, who: &Who<'_>, path: &[u8]| vfs.lookup(who, start, path, Follow::Yes);
    let below = find(&vfs, &ROOT, b"/d/below").unwrap();
    for path in [b"/to/below".as_slice(), b"/top/d/below", b"/plain/below", b"/top/to/below"] {
        assert_eq!(find(&vfs, &ROOT, path), Ok(below));
    }
    assert_eq!(find(&vfs, &ROOT, b"/not"), Err(Errno::ENOENT));
    assert_eq!(find(&vfs, &Who { prefix: b"", ..ROOT }, b"/to"), Err(Errno::ENOENT));
    // A directory of that name is meant where there is one.
    vfs.mkdir(&ROOT, start, b"/rump", 0o755, 1).unwrap();
    assert_eq!(find(&vfs, &ROOT, b"/to"), Err(Errno::ENOENT));
}
