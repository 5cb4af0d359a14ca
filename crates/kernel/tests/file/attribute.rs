//! Owners, modes, times, extended attributes, working directories.

use crate::script::{CWD, Script, same};
use abi::nr;
use abi::raw::general::*;

/// What lstat finds of access and modification time.
fn times(s: &mut Script<'_>, name: &str) {
    let (path, at) = (s.path(name), s.put(&[0; 144]));
    s.call(nr::LSTAT, &[path, at]).ok();
    let found = [72, 80, 88, 96].map(|offset| s.get_u64(at + offset));
    s.say("times", found);
}

#[test]
fn times_by_every_call() {
    same(|s| {
        let fd = s.open("t", O_CREAT | O_RDWR, 0o600);
        let (path, link, text) = (s.path("t"), s.path("l"), s.text("t"));
        s.call(nr::SYMLINK, &[text, link]).ok();
        let specs = s.put(&[5_i64, 6, 7, 8].map(i64::to_ne_bytes).concat());
        s.call(nr::UTIMENSAT, &[CWD, path, specs, 0]).ok();
        times(s, "t");
        s.call(nr::UTIMENSAT, &[CWD, link, specs, u64::from(AT_SYMLINK_NOFOLLOW)]).ok();
        times(s, "l");
        let omit = s.put(&[0_i64, (1 << 30) - 2, 99, 1].map(i64::to_ne_bytes).concat());
        s.call(nr::UTIMENSAT, &[fd, 0, omit, 0]).ok();
        times(s, "t");
        let bad = s.put(&[0_i64, 1_000_000_000, 0, 0].map(i64::to_ne_bytes).concat());
        s.call(nr::UTIMENSAT, &[fd, 0, bad, 0]).ok();
        s.call(nr::UTIMENSAT, &[fd, 0, 1, 0]).ok();
        let values = s.put(&[10_i64, 11, 12, 13].map(i64::to_ne_bytes).concat());
        s.call(nr::UTIMES, &[link, values]).ok();
        times(s, "t");
        s.call(nr::UTIME, &[path, values]).ok();
        times(s, "t");
        s.call(nr::FUTIMESAT, &[CWD, path, values]).ok();
        times(s, "t");
        s.call(nr::FUTIMESAT, &[fd, 0, bad]).ok();
        s.close(fd);
    });
}

#[test]
fn extended_attributes() {
    same(|s| {
        let fd = s.open("x", O_CREAT | O_RDWR, 0o600);
        let path = s.path("x");
        let (name, value, room) = (s.text("trusted.a"), s.put(b"value"), s.put(&[b'.'; 64]));
        for flags in [XATTR_REPLACE, XATTR_CREATE, XATTR_CREATE, 0, 77] {
            s.call(nr::SETXATTR, &[path, name, value, 5, u64::from(flags)]).ok();
        }
        for size in [64, 0, 3] {
            s.call(nr::GETXATTR, &[path, name, room, size]).ok();
            s.call(nr::FLISTXATTR, &[fd, room, size]).ok();
        }
        let found = s.get(room, 20);
        s.say("room", String::from_utf8_lossy(&found).into_owned());
        let odd = s.text("odd");
        let long = s.text(&"trusted.x".repeat(40));
        for name in [odd, long] {
            s.call(nr::FSETXATTR, &[fd, name, value, 5, 0]).ok();
            s.call(nr::LGETXATTR, &[path, name, room, 0]).ok();
        }
        s.call(nr::FREMOVEXATTR, &[fd, name]).ok();
        s.call(nr::REMOVEXATTR, &[path, name]).ok();
        s.close(fd);
    });
}

#[test]
fn working_directory() {
    same(|s| {
        let (sub, inner, name) = (s.path("sub"), s.path("sub/inner"), s.text("../inner"));
        s.call(nr::MKDIR, &[sub, 0o700]).ok();
        s.call(nr::MKDIR, &[inner, 0o700]).ok();
        let dir = s.open("sub", O_PATH, 0);
        let at = s.put(&[0; 256]);
        let file = s.open("sub/f", O_CREAT | O_RDWR, 0o777);
        s.shows("sub/f");
        s.call(nr::FCHDIR, &[file]).ok();
        // The tests' own directory is never left: other tests run in this process.
        let found = s.sys(nr::NEWFSTATAT, &[dir, name, at, 0]).map(|_| ());
        s.say("relative", found);
        s.call(nr::GETCWD, &[at, 1]).ok();
        for mode in [0, 4, 7, 8] {
            s.call(nr::ACCESS, &[sub, mode]).ok();
        }
        s.call(nr::FCHOWN, &[file, 5, 6]).ok();
        s.call(nr::FCHMOD, &[file, 0o6755]).ok();
        s.call(nr::CHOWN, &[sub, u64::MAX, 9]).ok();
        s.call(nr::FSTAT, &[file, at]).ok();
        let owner = (s.get_u32(at + 24), s.get_u32(at + 28), s.get_u32(at + 32));
        s.say("owner", owner);
        s.write(file, b"x");
        s.shows("sub/f");
        for fd in [dir, file] {
            s.close(fd);
        }
    });
}
