//! `struct statvfs` of NetBSD 9 (statvfs(5)): one mount.

use abi::layout::Statfs;
use zerocopy::{FromZeros, Immutable, IntoBytes, KnownLayout};

const TYPE_LEN: usize = 32;
const NAME_LEN: usize = 1024;

/// The structure.
#[derive(Debug, Clone, FromZeros, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[allow(missing_docs, reason = "statvfs(5) explains each field")]
pub struct Statvfs {
    pub f_flag: u64,
    pub f_bsize: u64,
    pub f_frsize: u64,
    pub f_iosize: u64,
    pub f_blocks: u64,
    pub f_bfree: u64,
    pub f_bavail: u64,
    pub f_bresvd: u64,
    pub f_files: u64,
    pub f_ffree: u64,
    pub f_favail: u64,
    pub f_fresvd: u64,
    pub f_syncreads: u64,
    pub f_syncwrites: u64,
    pub f_asyncreads: u64,
    pub f_asyncwrites: u64,
    pub f_fsidx: [i32; 2],
    pub f_fsid: u64,
    pub f_namemax: u64,
    pub f_owner: u32,
    pub f_spare: [u32; 4],
    pub f_fstypename: [u8; TYPE_LEN],
    pub f_mntonname: [u8; NAME_LEN],
    pub f_mntfromname: [u8; NAME_LEN],
    pub pad: [u8; 4],
}

/// `ST_` flags of Linux's statfs(2) and `MNT_` flags of NetBSD's mount(2): read-only, nosuid, nodev, noexec, noatime.
const FLAGS: &[(i64, u64)] = &[(1, 1), (2, 8), (4, 0x10), (8, 4), (0x400, 0x400_0000)];

impl Statvfs {
    /// Fills in what Linux's statfs(2) has told.
    pub(super) fn figures(&mut self, statfs: &Statfs) {
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        self.f_flag = FLAGS.iter().filter(|(st, _)| statfs.f_flags & st != 0).map(|(_, mnt)| mnt).sum();
        (self.f_bsize, self.f_frsize, self.f_iosize) =
            (number(statfs.f_bsize), number(statfs.f_frsize), number(statfs.f_bsize));
        (self.f_blocks, self.f_bfree, self.f_bavail) = (statfs.f_blocks, statfs.f_bfree, statfs.f_bavail);
        self.f_bresvd = statfs.f_bfree.saturating_sub(statfs.f_bavail);
        (self.f_files, self.f_ffree, self.f_favail) = (statfs.f_files, statfs.f_ffree, statfs.f_ffree);
        self.f_fsidx = statfs.f_fsid;
        let [low, high] = statfs.f_fsid.map(|half| u64::from(half.cast_unsigned()));
        self.f_fsid = high << 32 | low;
        self.f_namemax = number(statfs.f_namelen);
    }

    /// Fills in a line of proc_pid_mounts(5).
    pub(super) fn names(&mut self, source: &[u8], point: &[u8], kind: &[u8]) {
        unescape(source, &mut self.f_mntfromname);
        unescape(point, &mut self.f_mntonname);
        unescape(kind, &mut self.f_fstypename);
    }
}

/// Puts a name in place without what getmntent(3) escapes it with, cut to leave room for a NUL.
fn unescape(name: &[u8], into: &mut [u8]) {
    let room = into.len().saturating_sub(1);
    let mut rest = name;
    for slot in into.iter_mut().take(room) {
        let digit =
            |at: usize| rest.get(at).filter(|byte| (b'0'..=b'7').contains(*byte)).map(|byte| byte - b'0');
        let (byte, len) = match (rest.first(), digit(1), digit(2), digit(3)) {
            (None, ..) => break,
            (Some(b'\\'), Some(a @ 0..=3), Some(b), Some(c)) => (a << 6 | b << 3 | c, 4),
            (Some(byte), ..) => (*byte, 1),
        };
        *slot = byte;
        rest = rest.get(len..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_that_of_the_header() {
        assert_eq!(core::mem::size_of::<Statvfs>(), 2256);
        assert_eq!(core::mem::offset_of!(Statvfs, f_fstypename), 172);
    }

    #[test]
    fn names_are_unescaped_and_cut() {
        let mut name = [0; 8];
        unescape(b"a\\040b\\", &mut name);
        assert_eq!(&name, b"a b\\\0\0\0\0");
        unescape(b"0123456789", &mut name);
        assert_eq!(&name, b"0123456\0");
    }
}
