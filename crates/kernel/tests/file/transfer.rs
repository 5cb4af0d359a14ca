//! Vectors, copies between files, bad memory.

use crate::script::{Script, same};
use abi::nr;
use abi::raw::general::*;

fn vector(s: &mut Script<'_>, parts: &[(u64, u64)]) -> u64 {
    let bytes: Vec<u8> =
        parts.iter().flat_map(|(at, len)| [at.to_ne_bytes(), len.to_ne_bytes()].concat()).collect();
    s.put(&bytes)
}

#[test]
fn vectors() {
    same(|s| {
        let fd = s.open("v", O_CREAT | O_RDWR, 0o600);
        let (one, two) = (s.put(b"first,"), s.put(b"second"));
        let parts = vector(s, &[(one, 6), (two, 0), (two, 6)]);
        s.call(nr::WRITEV, &[fd, parts, 3]).ok();
        s.call(nr::PWRITEV, &[fd, parts, 3, 20, 0]).ok();
        s.call(nr::PWRITEV2, &[fd, parts, 1, u64::MAX, 0, 0]).ok();
        s.call(nr::PWRITEV2, &[fd, parts, 1, 0, 0, 1 << 20]).ok();
        s.call(nr::PWRITEV2, &[fd, parts, 1, 0, 0, 0x10]).ok();
        s.shows("v");
        s.call(nr::WRITEV, &[fd, parts, 1025]).ok();
        s.call(nr::WRITEV, &[fd, parts, u64::MAX]).ok();
        let negative = vector(s, &[(one, 6), (two, u64::MAX)]);
        s.call(nr::WRITEV, &[fd, negative, 2]).ok();
        s.call(nr::WRITEV, &[fd, 8, 2]).ok();
        s.call(nr::PREADV, &[fd, parts, 3, u64::MAX, 0]).ok();
        let room = s.put(&[b'.'; 32]);
        let parts = vector(s, &[(room, 3), (room + 8, 5)]);
        s.call(nr::PREADV, &[fd, parts, 2, 1, 0]).ok();
        s.call(nr::PREADV2, &[fd, parts, 2, 1, 0, 0]).ok();
        let found = s.get(room, 16);
        s.say("read", String::from_utf8_lossy(&found).into_owned());
        s.call(nr::LSEEK, &[fd, 0, 1]).ok();
        s.close(fd);
    });
}

#[test]
fn copies() {
    same(|s| {
        let (from, to) = (s.open("from", O_CREAT | O_RDWR, 0o600), s.open("to", O_CREAT | O_RDWR, 0o600));
        s.write(from, b"0123456789");
        let offset = s.put(&4_u64.to_ne_bytes());
        s.call(nr::SENDFILE, &[to, from, offset, 100]).ok();
        let moved = s.get_u64(offset);
        s.say("offset", moved);
        s.call(nr::SENDFILE, &[to, from, 0, 100]).ok();
        s.call(nr::LSEEK, &[from, 0, 0]).ok();
        s.call(nr::SENDFILE, &[to, from, 0, 3]).ok();
        s.call(nr::LSEEK, &[from, 0, 1]).ok();
        s.shows("to");
        let (source, target) = (s.put(&2_u64.to_ne_bytes()), s.put(&50_u64.to_ne_bytes()));
        s.call(nr::COPY_FILE_RANGE, &[from, source, to, target, 5, 0]).ok();
        let offsets = (s.get_u64(source), s.get_u64(target));
        s.say("offsets", offsets);
        s.call(nr::COPY_FILE_RANGE, &[from, 0, from, 0, 5, 0]).ok();
        s.call(nr::COPY_FILE_RANGE, &[from, 0, to, 0, 5, 1]).ok();
        s.shows("to");
        for fd in [from, to] {
            s.close(fd);
        }
    });
}

#[test]
fn memory_that_is_not_there() {
    same(|s| {
        let fd = s.open("m", O_CREAT | O_RDWR, 0o600);
        let end = s.machine.base() + s.machine.memory().len() as u64;
        s.call(nr::WRITE, &[fd, 8, 10]).ok();
        s.call(nr::OPEN, &[8, 0, 0]).ok();
        s.call(nr::STAT, &[8, end]).ok();
        let (good, path) = (s.put(b"good"), s.path("none"));
        let parts = vector(s, &[(good, 4), (8, 4)]);
        s.call(nr::WRITEV, &[fd, parts, 2]).ok();
        s.call(nr::UTIMENSAT, &[fd, 0, 8, 0]).ok();
        s.call(nr::SYMLINK, &[8, path]).ok();
        s.shows("m");
        s.close(fd);
    });
}
