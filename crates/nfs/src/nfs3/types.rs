//! What the procedures have in common (RFC 1813, section 2).

use crate::xdr::{Garbage, Reader, Writer};
use abi::Errno;
use vfs::{Attr, Kind, SetTime, Time};

const SECOND_NS: u64 = 1_000_000_000;

/// `nfsstat3`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(u32);

macro_rules! statuses {
    ($($name:ident $number:literal $errno:ident;)*) => {
        impl Status {
            $(pub(crate) const $name: Self = Self($number);)*
        }

        impl From<Errno> for Status {
            fn from(errno: Errno) -> Self {
                match errno {
                    $(Errno::$errno => Self::$name,)*
                    Errno::ELOOP | Errno::ENOSYS => Self::NOTSUPP,
                    // RFC 1813 has no word for what something is mounted on.
                    Errno::EBUSY => Self::ACCES,
                    _ => Self::IO,
                }
            }
        }
    };
}

statuses! {
    PERM 1 EPERM;
    NOENT 2 ENOENT;
    IO 5 EIO;
    NXIO 6 ENXIO;
    ACCES 13 EACCES;
    EXIST 17 EEXIST;
    XDEV 18 EXDEV;
    NODEV 19 ENODEV;
    NOTDIR 20 ENOTDIR;
    ISDIR 21 EISDIR;
    INVAL 22 EINVAL;
    FBIG 27 EFBIG;
    NOSPC 28 ENOSPC;
    ROFS 30 EROFS;
    MLINK 31 EMLINK;
    NAMETOOLONG 63 ENAMETOOLONG;
    NOTEMPTY 66 ENOTEMPTY;
    DQUOT 69 EDQUOT;
    STALE 70 ESTALE;
    NOTSUPP 10004 EOPNOTSUPP;
    JUKEBOX 10008 ETXTBSY;
}

impl Status {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const BADHANDLE: Self = Self(10001);
    pub(crate) const NOT_SYNC: Self = Self(10002);
    pub(crate) const TOOSMALL: Self = Self(10005);
    pub(crate) const BADTYPE: Self = Self(10007);

    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// That of a result.
    pub(crate) fn of<T>(result: &Result<T, Self>) -> Self {
        result.as_ref().err().copied().unwrap_or(Self::OK)
    }
}

/// `ftype3`
const fn file_type(kind: Kind) -> u32 {
    match kind {
        Kind::Regular => 1,
        Kind::Directory => 2,
        Kind::Block => 3,
        Kind::Char => 4,
        Kind::Symlink => 5,
        Kind::Socket => 6,
        Kind::Fifo => 7,
    }
}

/// What MKNOD makes.
pub(super) const fn special(file_type: u32) -> Option<Kind> {
    match file_type {
        3 => Some(Kind::Block),
        4 => Some(Kind::Char),
        6 => Some(Kind::Socket),
        7 => Some(Kind::Fifo),
        _ => None,
    }
}

/// `specdata3` from a device number (gnu_dev_major(3)).
fn put_device(results: &mut Writer, rdev: u64) {
    let major = (rdev >> 8) & 0xfff;
    let minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff_ff00);
    results.u32(u32::try_from(major).unwrap_or(0)).u32(u32::try_from(minor).unwrap_or(0));
}

/// A device number from `specdata3` (gnu_dev_makedev(3)).
pub(super) fn device(args: &mut Reader<'_>) -> Result<u64, Garbage> {
    let (major, minor) = (u64::from(args.u32()?), u64::from(args.u32()?));
    Ok((major & 0xfff) << 8 | minor & 0xff | (minor & 0xfff_ff00) << 12)
}

/// `nfstime3`: seconds in 32 bits.
fn put_time(results: &mut Writer, time: Time) {
    let seconds = u32::try_from(time / SECOND_NS).unwrap_or(u32::MAX);
    results.u32(seconds).u32(u32::try_from(time % SECOND_NS).unwrap_or(0));
}

pub(super) fn time(args: &mut Reader<'_>) -> Result<Time, Garbage> {
    let (seconds, ns) = (u64::from(args.u32()?), u64::from(args.u32()?));
    Ok(seconds * SECOND_NS + ns)
}

/// What a time is on the wire, and back.
pub(super) fn on_the_wire(time: Time) -> Time {
    Time::from(u32::try_from(time / SECOND_NS).unwrap_or(u32::MAX)) * SECOND_NS + time % SECOND_NS
}

/// `fattr3`
pub(super) fn put_attr(results: &mut Writer, attr: &Attr, dev: u64) {
    results.u32(file_type(attr.kind)).u32(attr.mode).u32(u32::try_from(attr.nlink).unwrap_or(u32::MAX));
    results.u32(attr.uid).u32(attr.gid).u64(attr.size).u64(attr.blocks.saturating_mul(512));
    put_device(results, attr.rdev);
    results.u64(dev).u64(attr.ino);
    for time in [attr.atime, attr.mtime, attr.ctime] {
        put_time(results, time);
    }
}

/// `pre_op_attr`
pub(super) fn put_before(results: &mut Writer, before: Option<&Attr>) {
    match before {
        Some(attr) => {
            results.bool(true).u64(attr.size);
            put_time(results, attr.mtime);
            put_time(results, attr.ctime);
        }
        None => {
            results.bool(false);
        }
    }
}

/// `sattr3`: what is to be changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) mode: Option<u32>,
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) size: Option<u64>,
    pub(super) atime: SetTime,
    pub(super) mtime: SetTime,
}

impl Change {
    pub(super) fn parse(args: &mut Reader<'_>) -> Result<Self, Garbage> {
        Ok(Self {
            mode: args.optional(Reader::u32)?,
            uid: args.optional(Reader::u32)?,
            gid: args.optional(Reader::u32)?,
            size: args.optional(Reader::u64)?,
            atime: set_time(args)?,
            mtime: set_time(args)?,
        })
    }
}

/// `set_atime`, `set_mtime`
fn set_time(args: &mut Reader<'_>) -> Result<SetTime, Garbage> {
    match args.u32()? {
        0 => Ok(SetTime::Omit),
        1 => Ok(SetTime::Now),
        2 => time(args).map(SetTime::To),
        _ => Err(Garbage),
    }
}
