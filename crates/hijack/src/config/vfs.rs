//! File-system calls that no path routes (`vfs=`).

use super::set;

/// One group of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Vfs {
    /// The list of mounts.
    Getvfsstat = 1,
    /// File handles: open_by_handle_at(2).
    Fhcalls = 2,
    /// The in-kernel NFS server: nfsservctl(2), /proc/fs/nfsd.
    Nfssvc = 4,
}

/// A set of such groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VfsSet(u64);

impl VfsSet {
    /// No group.
    pub const EMPTY: Self = Self(0);

    const ALL: u64 = Vfs::Getvfsstat as u64 | Vfs::Fhcalls as u64 | Vfs::Nfssvc as u64;

    /// Parses the list of groups.
    pub(super) fn parse(value: &[u8]) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected vfs=NAME:NAME..., each \"all\" (first only), getvfsstat, fhcalls, nfssvc, or \"no\" and \
             one of these";
        let bits_of = |name: &[u8]| match name {
            b"getvfsstat" => Some(Vfs::Getvfsstat as u64),
            b"fhcalls" => Some(Vfs::Fhcalls as u64),
            b"nfssvc" => Some(Vfs::Nfssvc as u64),
            _ => None,
        };
        set::parse(value, Self::ALL, bits_of, EXPECTED).map(Self)
    }

    /// Whether this group is the rump kernel's.
    #[must_use]
    pub const fn contains(self, group: Vfs) -> bool {
        self.0 & group as u64 != 0
    }

    /// Whether no group is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
