//! Opening, reading, writing, naming, listing.

use crate::script::{CWD, same};
use abi::nr;
use abi::raw::general::*;

#[test]
fn write_read_seek_append() {
    same(|s| {
        let fd = s.open("a", O_CREAT | O_RDWR | O_EXCL, 0o640);
        s.open("a", O_CREAT | O_RDWR | O_EXCL, 0o640);
        s.write(fd, b"hello, world");
        s.read(fd, 4);
        for (offset, whence) in
            [(0_i64, 0), (-3, 2), (2, 1), (-100, 1), (5, 9), (0, 4), (0, 3), (99, 3), (-1, 3)]
        {
            s.call(nr::LSEEK, &[fd, offset.cast_unsigned(), whence]).ok();
        }
        s.call(nr::LSEEK, &[fd, 7, 0]).ok();
        s.read(fd, 100);
        s.read(fd, 100);
        let at = s.put(&[b'x'; 20]);
        s.call(nr::PREAD64, &[fd, at, 5, 3]).ok();
        s.call(nr::PREAD64, &[fd, at, 5, u64::MAX]).ok();
        s.call(nr::PWRITE64, &[fd, at, 2, 20]).ok();
        s.call(nr::PREAD64, &[fd, at, 0, 0]).ok();
        s.shows("a");
        let appending = s.open("a", O_WRONLY | O_APPEND, 0);
        s.write(appending, b"END");
        s.call(nr::PWRITE64, &[appending, at, 2, 0]).ok();
        s.call(nr::LSEEK, &[appending, 0, 1]).ok();
        s.read(appending, 3);
        s.shows("a");
        let reading = s.open("a", O_RDONLY, 0);
        s.write(reading, b"no");
        s.call(nr::FTRUNCATE, &[reading, 0]).ok();
        s.call(nr::FTRUNCATE, &[fd, 3]).ok();
        s.call(nr::FTRUNCATE, &[fd, u64::MAX]).ok();
        s.call(nr::FALLOCATE, &[fd, 0, 0, 9000]).ok();
        s.call(nr::FALLOCATE, &[fd, 0, 0, 0]).ok();
        s.shows("a");
        for fd in [fd, appending, reading] {
            s.call(nr::FCNTL, &[fd, u64::from(F_GETFL), 0]).ok();
            s.close(fd);
        }
        let fd = s.open("a", O_TRUNC | O_WRONLY, 0);
        s.shows("a");
        s.close(fd);
        s.close(fd);
    });
}

#[test]
fn names() {
    same(|s| {
        let (d, f, l, h) = (s.path("d"), s.path("d/f"), s.path("l"), s.path("d/h"));
        s.call(nr::MKDIR, &[d, 0o777]).ok();
        s.call(nr::MKDIR, &[d, 0o777]).ok();
        s.call(nr::MKNOD, &[f, u64::from(S_IFREG | 0o666), 0]).ok();
        let text = s.text("d/f");
        s.call(nr::SYMLINK, &[text, l]).ok();
        s.call(nr::LINK, &[f, h]).ok();
        s.call(nr::LINK, &[d, h]).ok();
        for name in ["d", "d/f", "l", "d/h", "none", "d/f/x", "l/x", "d/"] {
            s.shows(name);
        }
        let room = s.put(&[b'.'; 16]);
        s.call(nr::READLINK, &[l, room, 2]).ok();
        s.call(nr::READLINK, &[l, room, 16]).ok();
        s.call(nr::READLINK, &[l, room, 0]).ok();
        s.call(nr::READLINK, &[d, room, 16]).ok();
        let found = s.get(room, 16);
        s.say("leads to", found);
        s.call(nr::RMDIR, &[d]).ok();
        s.call(nr::UNLINK, &[d]).ok();
        s.call(nr::RENAME, &[h, l]).ok();
        s.call(nr::RENAMEAT2, &[CWD, f, CWD, l, 1]).ok();
        s.call(nr::RENAMEAT2, &[CWD, f, CWD, l, 2]).ok();
        s.call(nr::RENAMEAT2, &[CWD, f, CWD, l, 99]).ok();
        s.call(nr::CHMOD, &[l, 0o4711]).ok();
        s.call(nr::TRUNCATE, &[l, 77]).ok();
        s.call(nr::TRUNCATE, &[d, 77]).ok();
        s.shows("l");
        s.call(nr::UNLINK, &[l]).ok();
        s.call(nr::UNLINK, &[f]).ok();
        s.call(nr::UNLINKAT, &[CWD, d, u64::from(AT_REMOVEDIR)]).ok();
        s.call(nr::UNLINKAT, &[CWD, d, 1]).ok();
        s.shows("d");
    });
}

#[test]
fn by_directory_descriptor() {
    same(|s| {
        let (d, f, empty) = (s.path("d"), s.text("f"), s.text(""));
        s.call(nr::MKDIR, &[d, 0o700]).ok();
        let dir = s.open("d", O_RDONLY | O_DIRECTORY, 0);
        let fd = s.sys(nr::OPENAT, &[dir, f, u64::from(O_CREAT | O_RDWR), 0o600]).expect("openat");
        s.write(fd, b"123");
        s.shows("d/f");
        let at = s.put(&[0; 256]);
        for (dir, path, flags) in
            [(dir, f, 0), (fd, empty, AT_EMPTY_PATH), (fd, empty, 0), (fd, f, 0), (77, f, 0), (dir, f, 1)]
        {
            s.call(nr::NEWFSTATAT, &[dir, path, at, u64::from(flags)]).ok();
        }
        s.call(nr::STATX, &[dir, f, 0, 0x7ff, at]).ok();
        let size = s.get_u64(at + 40);
        s.say("stx_size", size);
        s.call(nr::FACCESSAT, &[dir, f, 4]).ok();
        s.call(nr::FACCESSAT2, &[dir, f, 4, 0x200]).ok();
        s.call(nr::FCHMODAT, &[dir, f, 0o444]).ok();
        s.call(nr::FSTAT, &[fd, at]).ok();
        let place = s.open("d/f", O_PATH, 0);
        s.read(place, 1);
        s.call(nr::FSTAT, &[place, at]).ok();
        s.call(nr::FCHMOD, &[place, 0o600]).ok();
        s.call(nr::FCNTL, &[place, u64::from(F_GETFL), 0]).ok();
        s.call(nr::LSEEK, &[place, 0, 0]).ok();
        s.read(dir, 1);
        s.write(dir, b"x");
        for fd in [fd, dir, place] {
            s.close(fd);
        }
    });
}

#[test]
fn listing() {
    same(|s| {
        for name in ["one", "two", "a longer name than the others"] {
            let fd = s.open(name, O_CREAT | O_WRONLY, 0o600);
            s.close(fd);
        }
        let dir = s.open("", O_RDONLY | O_DIRECTORY, 0);
        let at = s.put(&[0; 4096]);
        s.call(nr::GETDENTS64, &[dir, at, 8]).ok();
        let mut names = Vec::new();
        while let Ok(len @ 1..) = s.sys(nr::GETDENTS64, &[dir, at, 64]) {
            let bytes = s.get(at, usize::try_from(len).expect("a length"));
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let length = usize::from(u16::from_ne_bytes([rest[16], rest[17]]));
                let name = rest[19..length].split(|byte| *byte == 0).next().unwrap_or_default();
                names.push((rest[18], String::from_utf8_lossy(name).into_owned()));
                rest = &rest[length..];
            }
        }
        names.sort();
        s.say("names", names);
        s.close(dir);
    });
}
