//! The list of mounts, as proc_pid_mounts(5) and listmount(2) tell it.

use crate::mount::{Location, Mount, Vfs};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// Its number, `stx_mnt_id` of statx(2).
    pub id: u64,
    /// The mount that it is mounted on; the root file system's is 0.
    pub parent: u64,
    /// `st_dev` of what is in it.
    pub dev: u64,
    /// Where it is mounted.
    pub point: Vec<u8>,
    /// What was mounted.
    pub source: String,
    /// The file system's type.
    pub kind: &'static str,
    /// Its root directory.
    pub root: Location,
}

impl Vfs {
    /// The mounts below this directory (a process's root), oldest first. Those that lie outside of it are left out.
    #[must_use]
    pub fn mount_table(&self, root: Location) -> Vec<MountInfo> {
        self.mounts.iter().filter_map(|(number, mount)| self.mount_info(root, *number, mount)).collect()
    }

    /// How many mounts there are.
    #[must_use]
    pub fn mount_count(&self) -> usize {
        self.mounts.len()
    }

    fn mount_info(&self, root: Location, number: u32, mount: &Mount) -> Option<MountInfo> {
        let at = Location { mount: number, ino: mount.fs.root() };
        let point = if at == root { b"/".to_vec() } else { self.path_of(root, at).ok()? };
        let parent = if mount.covers.mount == number { 0 } else { mount_id(mount.covers) };
        Some(MountInfo {
            id: mount_id(at),
            parent,
            dev: self.dev(at),
            point,
            source: mount.source.clone(),
            kind: mount.fs.name(),
            root: at,
        })
    }
}

/// The number of an inode's mount, `stx_mnt_id` of statx(2).
pub(crate) fn mount_id(at: Location) -> u64 {
    u64::from(at.mount) + 1
}
