//! Mount flags (mount(2)): what they are called, and what they say about access times.

use crate::node::{Attr, Kind, Time};
use abi::raw::general::{
    MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_NOSYMFOLLOW, MS_RDONLY, MS_RELATIME,
    MS_STRICTATIME,
};

const DAY_NS: u64 = 86_400_000_000_000;

/// Each flag with its name in /proc/mounts and its bit in `f_flags` of statfs(2).
const FLAGS: &[(u32, &str, i64)] = &[
    (MS_RDONLY, "ro", 1),
    (MS_NOSUID, "nosuid", 2),
    (MS_NODEV, "nodev", 4),
    (MS_NOEXEC, "noexec", 8),
    (MS_NOATIME, "noatime", 0x400),
    (MS_NODIRATIME, "nodiratime", 0x800),
    (MS_RELATIME, "relatime", 0x1000),
    (MS_NOSYMFOLLOW, "nosymfollow", 0x2000),
];
/// `ST_VALID`: the flags are told.
const ST_VALID: i64 = 0x20;
/// Which of them say when access times change.
const ATIME: u32 = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;

/// The flags of one mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountFlags(u32);

impl Default for MountFlags {
    fn default() -> Self {
        Self::new(0)
    }
}

impl MountFlags {
    /// Those among mount(2)'s; access times are kept as with `MS_RELATIME` unless another way is named.
    #[must_use]
    pub fn new(flags: u32) -> Self {
        let known = FLAGS.iter().fold(0, |known, (flag, ..)| known | flag);
        let atime = match flags {
            _ if flags & MS_STRICTATIME != 0 => 0,
            _ if flags & MS_NOATIME != 0 => MS_NOATIME,
            _ => MS_RELATIME,
        };
        Self(flags & known & !ATIME | atime)
    }

    /// Those of `MS_REMOUNT`: access times are kept as before unless a way is named.
    #[must_use]
    pub fn remounted(self, flags: u32) -> Self {
        let named = flags & (ATIME | MS_NODIRATIME) != 0;
        Self::new(if named { flags } else { flags | self.0 & (ATIME | MS_NODIRATIME) | self.strict() })
    }

    /// With these set and those cleared (`MS_*`). Of the ways to keep access times one holds: `MS_STRICTATIME` is none of the others.
    #[must_use]
    pub const fn changed(self, set: u32, clear: u32) -> Self {
        Self(self.0 & !clear & !(set & MS_STRICTATIME) | set & !MS_STRICTATIME)
    }

    const fn strict(self) -> u32 {
        if self.0 & ATIME == 0 { MS_STRICTATIME } else { 0 }
    }

    const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// `MS_RDONLY`: nothing may be changed.
    #[must_use]
    pub const fn is_read_only(self) -> bool {
        self.has(MS_RDONLY)
    }

    /// `MS_NODEV`: devices cannot be opened.
    #[must_use]
    pub const fn has_no_devices(self) -> bool {
        self.has(MS_NODEV)
    }

    /// `MS_NOEXEC`: nothing may be executed.
    #[must_use]
    pub const fn has_no_programs(self) -> bool {
        self.has(MS_NOEXEC)
    }

    /// `MS_NOSYMFOLLOW`: symbolic links are not followed.
    #[must_use]
    pub const fn follows_no_symlinks(self) -> bool {
        self.has(MS_NOSYMFOLLOW)
    }

    /// Whether a read at this time changes the access time (mount(8): noatime, nodiratime, relatime, strictatime).
    pub(crate) fn touches(self, attr: &Attr, now: Time) -> bool {
        let never = self.is_read_only()
            || self.has(MS_NOATIME)
            || attr.kind == Kind::Directory && self.has(MS_NODIRATIME);
        let old =
            attr.atime <= attr.mtime || attr.atime <= attr.ctime || now.saturating_sub(attr.atime) >= DAY_NS;
        !never && (old || !self.has(MS_RELATIME))
    }

    /// `f_flags` of statfs(2).
    #[must_use]
    pub fn statfs_bits(self) -> i64 {
        FLAGS.iter().filter(|(flag, ..)| self.has(*flag)).fold(ST_VALID, |bits, (.., bit)| bits | bit)
    }

    /// As in /proc/mounts: `rw,relatime`.
    #[must_use]
    pub fn text(self) -> String {
        let named =
            FLAGS.iter().filter(|(flag, ..)| *flag != MS_RDONLY && self.has(*flag)).map(|(_, name, _)| *name);
        let first = if self.is_read_only() { "ro" } else { "rw" };
        std::iter::once(first).chain(named).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(MountFlags::default().text(), "rw,relatime");
        assert_eq!(MountFlags::new(MS_RDONLY | MS_NOSUID | MS_NOATIME).text(), "ro,nosuid,noatime");
        assert_eq!(MountFlags::new(MS_STRICTATIME | MS_NOATIME).text(), "rw");
    }

    #[test]
    fn remounting_keeps_how_access_times_are_kept() {
        let strict = MountFlags::new(MS_STRICTATIME | MS_NODEV);
        assert_eq!(strict.remounted(MS_RDONLY).text(), "ro");
        assert_eq!(MountFlags::new(MS_NOATIME).remounted(MS_NOEXEC).text(), "rw,noexec,noatime");
        assert_eq!(MountFlags::new(MS_NOATIME).remounted(MS_STRICTATIME).text(), "rw");
    }
}
