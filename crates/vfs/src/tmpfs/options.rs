//! Mount options of tmpfs(5).

use super::quota::{Limits, Quota};
use super::{ROOT, Tmpfs};
use crate::fs::FileSystem;
use crate::node::{SetAttr, Time};
use abi::Errno;

/// What a tmpfs holds unless `size=` says otherwise, and what percentages are of.
const SIZE: u64 = 1 << 30;
const PAGE: u64 = 4096;
/// Of the root directory.
const MODE: u32 = 0o1777;

/// The options that a list names.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Options {
    size: Option<u64>,
    inodes: Option<u64>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
    users: Limits,
    groups: Limits,
}

/// What was said, and so is shown in the list of mounts (mm/shmem.c, `shmem_show_options`).
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Shown {
    size: bool,
    inodes: bool,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

impl Shown {
    /// The size alone.
    pub(super) const fn size() -> Self {
        Self { size: true, inodes: false, mode: None, uid: None, gid: None }
    }

    fn of(options: &Options) -> Self {
        Self {
            size: options.size.is_some(),
            inodes: options.inodes.is_some(),
            mode: options.mode.filter(|mode| *mode != MODE),
            uid: options.uid.filter(|uid| *uid != 0),
            gid: options.gid.filter(|gid| *gid != 0),
        }
    }
}

impl Options {
    /// # Errors
    /// `EINVAL`: an unknown option, or a value that is none.
    fn parse(list: &[u8]) -> Result<Self, Errno> {
        let mut options = Self::default();
        for option in list.split(|byte| *byte == b',').filter(|option| !option.is_empty()) {
            let text = std::str::from_utf8(option).map_err(|_| Errno::EINVAL)?;
            let Some((name, value)) = text.split_once('=') else {
                options.switch(text)?;
                continue;
            };
            if let Some((kind, limit)) = name.split_once("quota_") {
                options.limit(kind, limit, value)?;
                continue;
            }
            match name {
                "size" => options.size = Some(size(value)?),
                "nr_blocks" => options.size = Some(number(value)?.checked_mul(PAGE).ok_or(Errno::EINVAL)?),
                "nr_inodes" => options.inodes = Some(number(value)?),
                "mode" => {
                    options.mode = Some(u32::from_str_radix(value, 8).map_err(|_| Errno::EINVAL)? & 0o7777)
                }
                "uid" => options.uid = Some(value.parse().map_err(|_| Errno::EINVAL)?),
                "gid" => options.gid = Some(value.parse().map_err(|_| Errno::EINVAL)?),
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }

    /// `quota`, `usrquota`, `grpquota`.
    fn switch(&mut self, name: &str) -> Result<(), Errno> {
        let (users, groups) = match name {
            "quota" => (true, true),
            "usrquota" => (true, false),
            "grpquota" => (false, true),
            _ => return Err(Errno::EINVAL),
        };
        self.users.on |= users;
        self.groups.on |= groups;
        Ok(())
    }

    /// `usrquota_block_hardlimit=` and its like; they switch on what they limit.
    fn limit(&mut self, kind: &str, limit: &str, value: &str) -> Result<(), Errno> {
        let limits = match kind {
            "usr" => &mut self.users,
            "grp" => &mut self.groups,
            _ => return Err(Errno::EINVAL),
        };
        match limit {
            "block_hardlimit" => limits.space = Some(number(value)?),
            "inode_hardlimit" => limits.inodes = Some(number(value)?),
            _ => return Err(Errno::EINVAL),
        }
        limits.on = true;
        Ok(())
    }
}

/// A number, or a part of [`SIZE`] in percent.
fn size(value: &str) -> Result<u64, Errno> {
    match value.strip_suffix('%') {
        Some(percent) => Ok(SIZE / 100 * number(percent)?.min(100)),
        // Whole pages, as on Linux; 0: no limit but the one of all.
        None => number(value)?.checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL),
    }
}

/// A number, perhaps with k, m or g behind it.
fn number(value: &str) -> Result<u64, Errno> {
    let shift = match value.as_bytes().last() {
        Some(b'k' | b'K') => 10,
        Some(b'm' | b'M') => 20,
        Some(b'g' | b'G') => 30,
        _ => 0,
    };
    let digits = if shift == 0 { value } else { &value[..value.len() - 1] };
    let number: u64 = digits.parse().map_err(|_| Errno::EINVAL)?;
    number.checked_mul(1 << shift).ok_or(Errno::EINVAL)
}

impl Tmpfs {
    /// Whether a list says nothing that is no option of a tmpfs.
    #[must_use]
    pub fn knows(options: &[u8]) -> bool {
        Options::parse(options).is_ok()
    }

    /// A new one as mount(2) makes it: everybody may write to its root unless `mode=` says otherwise, and it is `owner`'s unless `uid=` and
    /// `gid=` do.
    ///
    /// # Errors
    /// `EINVAL`: an unknown option, or a value that is none.
    pub fn mounted(options: &[u8], owner: (u32, u32), now: Time) -> Result<Self, Errno> {
        let options = Options::parse(options)?;
        let size = options.size.filter(|size| *size > 0).unwrap_or(SIZE);
        let mut tmpfs = Self::new(size, now);
        if let Some(inodes) = options.inodes.filter(|inodes| *inodes > 0) {
            tmpfs = tmpfs.with_inodes(inodes);
        }
        let root = SetAttr {
            mode: Some(options.mode.unwrap_or(MODE)),
            uid: Some(options.uid.unwrap_or(owner.0)),
            gid: Some(options.gid.unwrap_or(owner.1)),
            ..SetAttr::default()
        };
        tmpfs.set_attr(ROOT, &root, now)?;
        // The root directory is nobody's to pay for.
        tmpfs.quota = Quota::new(options.users, options.groups);
        tmpfs.shown = Shown::of(&options);
        Ok(tmpfs)
    }

    /// Changes the limits; mode and owner are those of the first mount (mm/shmem.c, `shmem_reconfigure`).
    pub(super) fn change_limits(&mut self, options: &[u8]) -> Result<(), Errno> {
        let options = Options::parse(options)?;
        if options.users.on || options.groups.on {
            return Err(Errno::EINVAL);
        }
        let limit = options.size.filter(|size| *size > 0).unwrap_or(self.limit);
        let inodes = options.inodes.filter(|inodes| *inodes > 0).unwrap_or(self.inodes_max);
        let taken = self.inodes.len() as u64 + self.links;
        if limit < self.used || inodes < taken {
            return Err(Errno::EINVAL);
        }
        (self.limit, self.inodes_max) = (limit, inodes);
        self.shown.size |= options.size.is_some();
        self.shown.inodes |= options.inodes.is_some();
        Ok(())
    }

    /// As /proc/mounts shows them.
    pub(super) fn shown_options(&self) -> String {
        let shown = self.shown;
        let option = |name: &str, value: Option<String>| {
            value.map_or(String::new(), |value| format!(",{name}={value}"))
        };
        let (users, groups) = self.quota.limits();
        [
            option("size", shown.size.then(|| format!("{}k", self.limit / 1024))),
            option("nr_inodes", shown.inodes.then(|| self.inodes_max.to_string())),
            option("mode", shown.mode.map(|mode| format!("{mode:o}"))),
            option("uid", shown.uid.map(|uid| uid.to_string())),
            option("gid", shown.gid.map(|gid| gid.to_string())),
            shown_limits("usr", users),
            shown_limits("grp", groups),
        ]
        .concat()
    }
}

fn shown_limits(kind: &str, limits: Limits) -> String {
    if !limits.on {
        return String::new();
    }
    let limit = |name: &str, value: Option<u64>| {
        value.map_or(String::new(), |value| format!(",{kind}quota_{name}_hardlimit={value}"))
    };
    format!(",{kind}quota") + &limit("block", limits.space) + &limit("inode", limits.inodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let parsed = Options::parse(b"size=8m,nr_inodes=2k,mode=0750,uid=7").unwrap();
        assert_eq!((parsed.size, parsed.inodes, parsed.mode), (Some(8 << 20), Some(2048), Some(0o750)));
        assert_eq!(Options::parse(b"size=50%").unwrap().size, Some(SIZE / 100 * 50));
        assert_eq!(Options::parse(b"size=5000").unwrap().size, Some(8192));
        for wrong in [
            b"size".as_slice(),
            b"size=",
            b"size=x",
            b"size=m",
            b"mode=9",
            b"huge=always",
            b"usrquota_x=1",
            b"prjquota",
            b"\xff=1",
            b"size=99999999999g",
        ] {
            assert_eq!(Options::parse(wrong), Err(Errno::EINVAL));
        }
    }
}
