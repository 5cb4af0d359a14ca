//! How much each user and each group may take of a tmpfs (tmpfs(5): `usrquota`, `grpquota` and their hard limits). Root's files count and
//! are not limited.

use abi::Errno;
use foldhash::{HashMap, HashMapExt};

/// Of users or of groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// They are counted and kept to.
    pub(super) on: bool,
    /// Bytes.
    pub(super) space: Option<u64>,
    pub(super) inodes: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Used {
    space: u64,
    inodes: u64,
}

/// One kind: limits, and what everybody has taken.
#[derive(Debug, Default)]
struct Count {
    limits: Limits,
    used: HashMap<u32, Used>,
}

impl Count {
    fn used(&self, id: u32) -> Used {
        self.used.get(&id).copied().unwrap_or_default()
    }

    /// What this id may still take.
    fn room(&self, id: u32) -> Used {
        let left = |limit: Option<u64>, used: u64| match limit {
            Some(limit) if self.limits.on && id != 0 => limit.saturating_sub(used),
            _ => u64::MAX,
        };
        let used = self.used(id);
        Used { space: left(self.limits.space, used.space), inodes: left(self.limits.inodes, used.inodes) }
    }

    fn change(&mut self, id: u32, space: (u64, u64), inodes: (u64, u64)) {
        if self.limits.on {
            let used = self.used.entry(id).or_default();
            used.space = used.space.saturating_add(space.1).saturating_sub(space.0);
            used.inodes = used.inodes.saturating_add(inodes.1).saturating_sub(inodes.0);
            if (used.space, used.inodes) == (0, 0) {
                self.used.remove(&id);
            }
        }
    }
}

/// Both kinds.
#[derive(Debug, Default)]
pub(super) struct Quota {
    users: Count,
    groups: Count,
}

/// User and group of an inode.
pub(super) type Owner = (u32, u32);

impl Quota {
    pub(super) fn new(users: Limits, groups: Limits) -> Self {
        let count = |limits| Count { limits, used: HashMap::new() };
        Self { users: count(users), groups: count(groups) }
    }

    pub(super) const fn limits(&self) -> (Limits, Limits) {
        (self.users.limits, self.groups.limits)
    }

    /// Bytes that an owner may still take.
    pub(super) fn room(&self, (uid, gid): Owner) -> u64 {
        self.users.room(uid).space.min(self.groups.room(gid).space)
    }

    /// # Errors
    /// `EDQUOT`: no inode more.
    pub(super) fn one_more(&self, (uid, gid): Owner) -> Result<(), Errno> {
        let room = self.users.room(uid).inodes.min(self.groups.room(gid).inodes);
        if room == 0 { Err(Errno::EDQUOT) } else { Ok(()) }
    }

    /// An inode of this owner takes other bytes than before.
    pub(super) fn charge(&mut self, (uid, gid): Owner, space: (u64, u64)) {
        self.users.change(uid, space, (0, 0));
        self.groups.change(gid, space, (0, 0));
    }

    /// An inode with so many bytes came, or went.
    pub(super) fn count(&mut self, (uid, gid): Owner, space: u64, comes: bool) {
        let (space, inodes) = if comes { ((0, space), (0, 1)) } else { ((space, 0), (1, 0)) };
        self.users.change(uid, space, inodes);
        self.groups.change(gid, space, inodes);
    }

    /// An inode is to be somebody else's (chown(2)).
    ///
    /// # Errors
    /// `EDQUOT`: that one has no room for it.
    pub(super) fn transfer(&mut self, from: Owner, to: Owner, space: u64) -> Result<(), Errno> {
        let fits = |count: &Count, from: u32, to: u32| {
            let room = count.room(to);
            from == to || room.space >= space && room.inodes > 0
        };
        if !fits(&self.users, from.0, to.0) || !fits(&self.groups, from.1, to.1) {
            return Err(Errno::EDQUOT);
        }
        self.count(from, space, false);
        self.count(to, space, true);
        Ok(())
    }
}
