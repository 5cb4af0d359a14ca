//! The user whose kernel this is.
//!
//! Whoever starts a rump kernel rules it: mounts, sets sysctls, binds ports below 1024, halts it. To be root in it for that
//! would be too much: git and ssh refuse files that belong to somebody else, and what a program may not do to its files
//! natively it could do here. So the owner keeps the user id, and the tree that it starts with is the owner's.

use crate::Kernel;
use crate::call::Stop;
use crate::cx::Cx;
use crate::file::{FileId, OpenFile};
use crate::process::Pid;
use abi::Errno;
use vfs::{Follow, Start, Who};

/// What the owner may change of the tree that a kernel starts with. /dev and /tmp are as they are everywhere.
const PLACES: &[&[u8]] = &[b"/", b"/etc", b"/etc/hosts", b"/etc/resolv.conf", b"/run", b"/var"];

impl Kernel {
    /// This user rules the kernel from now on, besides root.
    ///
    /// # Errors
    /// The file tree's.
    pub fn belongs_to(&mut self, uid: u32, gid: u32) -> Result<(), Errno> {
        self.owner = Some(uid);
        self.processes.view.owner.set((uid, gid));
        let root = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };
        let start = Start { root: self.fs.vfs.root(), dir: self.fs.vfs.root() };
        for place in PLACES {
            let at = self.fs.vfs.lookup(&root, start, place, Follow::Yes)?;
            self.fs.vfs.chown(&root, at, Some(uid), Some(gid), self.now.real_ns)?;
        }
        Ok(())
    }

    /// Whether this user rules the kernel.
    #[must_use]
    pub fn is_ruled_by(&self, uid: u32) -> bool {
        uid == 0 || self.owner == Some(uid)
    }

    /// Whether whoever's call runs does.
    pub(crate) fn is_ruled_by_caller(&self) -> bool {
        self.is_ruled_by(self.caller_credentials().uid)
    }
}

impl Cx<'_> {
    /// That the caller rules the kernel.
    ///
    /// # Errors
    /// `EPERM`.
    pub(crate) fn check_rules(&mut self) -> Result<(), Stop> {
        let uid = self.process()?.who.uid;
        if self.kernel.is_ruled_by(uid) { Ok(()) } else { Err(Errno::EPERM.into()) }
    }

    /// F_SETOWN of fcntl(2).
    pub(crate) fn set_owner(&self, file: &OpenFile, owner: i32) {
        file.owner.set(owner);
        file.owner_uid.set(self.kernel.caller_credentials().uid);
    }

    /// A process that has this open file and may be looked into by the caller (proc_pid_fd(5): one of its own user, root any), and the
    /// file's number there.
    pub(crate) fn holder(&self, file: FileId) -> Option<(Pid, u32)> {
        let uid = self.kernel.caller_credentials().uid;
        let mut open_to = self.kernel.processes.iter().filter(|process| uid == 0 || uid == process.who.uid);
        open_to.find_map(|process| Some((process.pid, process.fds.find(file)?)))
    }
}
