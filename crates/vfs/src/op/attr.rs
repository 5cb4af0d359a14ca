//! Attributes: owner, mode, times, size.

use crate::mount::{Location, Vfs};
use crate::mount_table::mount_id;
use crate::node::{Kind, SetAttr, SetTime, Time};
use crate::permission::{EXECUTE, WRITE, Who};
use abi::Errno;
use abi::layout::{Stat, Statfs, Statx, StatxTimestamp, Timespec};
use abi::raw::general::{
    IN_ACCESS, IN_ATTRIB, IN_MODIFY, STATX_ATTR_MOUNT_ROOT, STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID,
    STATX_MNT_ID_UNIQUE,
};

const S_ISGID: u32 = 0o2000;
const SECOND_NS: u64 = 1_000_000_000;
const BLOCK: u32 = 4096;

impl Vfs {
    /// chmod(2).
    ///
    /// # Errors
    /// `EPERM`: neither owner nor root; `EOPNOTSUPP`: a symbolic link.
    pub fn chmod(&mut self, who: &Who<'_>, at: Location, mode: u32, now: Time) -> Result<(), Errno> {
        self.writable(at)?;
        let attr = self.attr(at)?;
        if attr.kind == Kind::Symlink {
            return Err(Errno::EOPNOTSUPP);
        }
        if !who.owns(&attr) {
            return Err(Errno::EPERM);
        }
        let mut mode = mode & 0o7777;
        if !who.is_root() && !who.is_in(attr.gid) {
            mode &= !S_ISGID;
        }
        self.fs_mut(at)?.set_attr(at.ino, &SetAttr { mode: Some(mode), ..SetAttr::default() }, now)?;
        self.acl_follows_mode(at, mode, now)?;
        self.tell(at, None, IN_ATTRIB);
        Ok(())
    }

    /// chown(2); none: stays.
    ///
    /// # Errors
    /// `EPERM`.
    pub fn chown(
        &mut self,
        who: &Who<'_>,
        at: Location,
        uid: Option<u32>,
        gid: Option<u32>,
        now: Time,
    ) -> Result<(), Errno> {
        self.writable(at)?;
        let attr = self.attr(at)?;
        if !who.is_root() {
            let owner = who.uid == attr.uid;
            let uid_stays = uid.is_none_or(|uid| owner && uid == attr.uid);
            let gid_mine = gid.is_none_or(|gid| owner && (who.is_in(gid) || gid == attr.gid));
            if !uid_stays || !gid_mine {
                return Err(Errno::EPERM);
            }
        }
        let mode = who.mode_after_chown(&attr);
        if mode.is_some() && !who.owns(&attr) {
            // Nobody is to be changed, but set-user-ID would go all the same.
            return Err(Errno::EPERM);
        }
        self.fs_mut(at)?.set_attr(at.ino, &SetAttr { uid, gid, mode, ..SetAttr::default() }, now)?;
        self.tell(at, None, IN_ATTRIB);
        Ok(())
    }

    /// utimensat(2). `null`: the caller gave no times, so that write permission is enough.
    ///
    /// # Errors
    /// `EPERM`, `EACCES`.
    pub fn utimens(
        &mut self,
        who: &Who<'_>,
        at: Location,
        atime: SetTime,
        mtime: SetTime,
        now: Time,
    ) -> Result<(), Errno> {
        if (atime, mtime) == (SetTime::Omit, SetTime::Omit) {
            return Ok(());
        }
        self.writable(at)?;
        let attr = self.attr(at)?;
        if !who.owns(&attr) {
            match (atime, mtime) {
                (SetTime::Now, SetTime::Now) => who.access(&attr, WRITE)?,
                _ => return Err(Errno::EPERM),
            }
        }
        let time = |set| match set {
            SetTime::Omit => None,
            SetTime::Now => Some(now),
            SetTime::To(time) => Some(time),
        };
        let change = SetAttr { atime: time(atime), mtime: time(mtime), ..SetAttr::default() };
        self.fs_mut(at)?.set_attr(at.ino, &change, now)?;
        // One of the two alone passes for a use of the file (fs/notify, fsnotify_change).
        let mask = match (change.atime, change.mtime) {
            (Some(_), None) => IN_ACCESS,
            (None, Some(_)) => IN_MODIFY,
            _ => IN_ATTRIB,
        };
        self.tell(at, None, mask);
        Ok(())
    }

    /// truncate(2) by path: write permission is checked.
    ///
    /// # Errors
    /// `EISDIR`, `EINVAL`, `EACCES`, `EFBIG`; `ETXTBSY`: it is a program that runs.
    pub fn truncate(&mut self, who: &Who<'_>, at: Location, size: u64, now: Time) -> Result<(), Errno> {
        let attr = self.attr(at)?;
        match attr.kind {
            Kind::Directory => return Err(Errno::EISDIR),
            Kind::Regular => {
                self.writable(at)?;
                who.access(&attr, WRITE)?;
                self.not_running(at)?;
            }
            _ => return Err(Errno::EINVAL),
        }
        self.set_size(who, at, size, now)
    }

    /// ftruncate(2): the descriptor is the permission. `who` is asked only whether set-user-ID and set-group-ID survive.
    ///
    /// # Errors
    /// `EFBIG`.
    pub fn set_size(&mut self, who: &Who<'_>, at: Location, size: u64, now: Time) -> Result<(), Errno> {
        if size > self.size_max(at)? {
            return Err(Errno::EFBIG);
        }
        let mode = who.mode_after_write(&self.attr(at)?);
        self.fs_mut(at)?.set_attr(at.ino, &SetAttr { size: Some(size), mode, ..SetAttr::default() }, now)?;
        self.tell(at, None, IN_MODIFY);
        Ok(())
    }

    /// access(2): `mode` is a set of `R_OK`, `W_OK`, `X_OK`.
    ///
    /// # Errors
    /// `EACCES`, `EINVAL`, `EROFS`.
    pub fn access(&self, who: &Who<'_>, at: Location, mode: u32) -> Result<(), Errno> {
        if mode & !7 != 0 {
            return Err(Errno::EINVAL);
        }
        let attr = self.attr(at)?;
        let kept = matches!(attr.kind, Kind::Regular | Kind::Directory | Kind::Symlink);
        if kept && mode & WRITE != 0 {
            self.writable(at)?;
        }
        if attr.kind == Kind::Regular && mode & EXECUTE != 0 && self.flags(at).has_no_programs() {
            return Err(Errno::EACCES);
        }
        who.access(&attr, mode)
    }

    /// stat(2).
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn stat(&self, at: Location) -> Result<Stat, Errno> {
        let attr = self.fs(at)?.settled(at.ino)?;
        Ok(Stat {
            st_dev: self.dev(at),
            st_ino: attr.ino,
            st_nlink: attr.nlink,
            st_mode: attr.mode | attr.kind.bits(),
            st_uid: attr.uid,
            st_gid: attr.gid,
            st_rdev: attr.rdev,
            st_size: attr.size.cast_signed(),
            st_blksize: i64::from(BLOCK),
            st_blocks: attr.blocks.cast_signed(),
            st_atim: timespec(attr.atime),
            st_mtim: timespec(attr.mtime),
            st_ctim: timespec(attr.ctime),
            ..Stat::default()
        })
    }

    /// statx(2): all that is known.
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn statx(&self, at: Location) -> Result<Statx, Errno> {
        let stat = self.stat(at)?;
        let attr = self.attr(at)?;
        Ok(Statx {
            stx_btime: statx_time(attr.btime),
            stx_mask: STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID | STATX_MNT_ID_UNIQUE,
            stx_mnt_id: mount_id(at),
            stx_attributes: if self.is_mount_root(at) { STATX_ATTR_MOUNT_ROOT.into() } else { 0 },
            stx_attributes_mask: STATX_ATTR_MOUNT_ROOT.into(),
            ..statx_of(&stat)
        })
    }

    /// statfs(2).
    ///
    /// # Errors
    /// `ESTALE`.
    pub fn statfs(&self, at: Location) -> Result<Statfs, Errno> {
        let mut statfs = self.fs(at)?.statfs()?;
        statfs.f_flags = self.flags(at).statfs_bits();
        statfs.f_fsid = [i32::try_from(self.dev(at)).unwrap_or(0), 0];
        Ok(statfs)
    }
}

/// What stat(2) knows, in statx(2)'s form.
#[must_use]
pub fn statx_of(stat: &Stat) -> Statx {
    let time = |time: Timespec| StatxTimestamp {
        tv_sec: time.tv_sec,
        tv_nsec: u32::try_from(time.tv_nsec).unwrap_or(0),
        pad: 0,
    };
    Statx {
        stx_mask: STATX_BASIC_STATS,
        stx_blksize: u32::try_from(stat.st_blksize).unwrap_or(BLOCK),
        stx_nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        stx_uid: stat.st_uid,
        stx_gid: stat.st_gid,
        stx_mode: u16::try_from(stat.st_mode).unwrap_or(0),
        stx_ino: stat.st_ino,
        stx_size: stat.st_size.cast_unsigned(),
        stx_blocks: stat.st_blocks.cast_unsigned(),
        stx_atime: time(stat.st_atim),
        stx_ctime: time(stat.st_ctim),
        stx_mtime: time(stat.st_mtim),
        stx_rdev_major: major(stat.st_rdev),
        stx_rdev_minor: minor(stat.st_rdev),
        stx_dev_major: major(stat.st_dev),
        stx_dev_minor: minor(stat.st_dev),
        ..Statx::default()
    }
}

/// gnu_dev_major(3).
fn major(dev: u64) -> u32 {
    u32::try_from((dev >> 8) & 0xfff).unwrap_or(0)
}

/// gnu_dev_minor(3).
fn minor(dev: u64) -> u32 {
    u32::try_from((dev & 0xff) | ((dev >> 12) & 0xfff_ff00)).unwrap_or(0)
}

fn timespec(time: Time) -> Timespec {
    Timespec { tv_sec: (time / SECOND_NS).cast_signed(), tv_nsec: (time % SECOND_NS).cast_signed() }
}

fn statx_time(time: Time) -> StatxTimestamp {
    let time = timespec(time);
    StatxTimestamp { tv_sec: time.tv_sec, tv_nsec: u32::try_from(time.tv_nsec).unwrap_or(0), pad: 0 }
}
