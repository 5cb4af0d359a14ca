//! The list of mounts, as proc_pid_mounts(5) and listmount(2) tell it.

use crate::mount::{Location, Mount, Vfs};
use crate::mount_flags::MountFlags;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountInfo {
    /// Its number, `stx_mnt_id` of statx(2).
    pub id: u64,
    /// The mount that it is mounted on; the root file system's is 0.
    pub parent: u64,
    /// `st_dev` of what is in it.
    pub dev: u64,
    /// Which directory of the file system it shows.
    pub shows: Vec<u8>,
    /// Where it is mounted.
    pub point: Vec<u8>,
    /// What was mounted.
    pub source: String,
    /// The file system's type.
    pub kind: &'static str,
    /// Its flags.
    pub flags: MountFlags,
    /// Whether the file system is read-only wherever it is mounted.
    pub read_only: bool,
    /// The file system's own options, each behind a comma.
    pub own_options: String,
    /// Its root directory.
    pub root: Location,
}

impl MountInfo {
    /// All options, as in /proc/mounts.
    #[must_use]
    pub fn options(&self) -> String {
        let flags = self.flags.text();
        // Read-only is read-only, whoever says so.
        let flags = if self.read_only { flags.replacen("rw", "ro", 1) } else { flags };
        flags + &self.own_options
    }
}

impl Vfs {
    /// The mounts below this directory (a process's root), oldest first. Those that lie outside of it are left out.
    #[must_use]
    pub fn mount_table(&self, root: Location) -> Vec<MountInfo> {
        let attached = self.mounts.iter().filter(|(_, mount)| !mount.detached);
        attached.filter_map(|(number, mount)| self.mount_info(root, *number, mount)).collect()
    }

    /// How many mounts there are.
    #[must_use]
    pub fn mount_count(&self) -> usize {
        self.mounts.len()
    }

    fn mount_info(&self, root: Location, number: u32, mount: &Mount) -> Option<MountInfo> {
        let at = mount.root;
        let point = match &mount.entries {
            _ if at == root => b"/".to_vec(),
            Some((point, _)) => self.path_of_entry(root, point).ok()?,
            None => self.path_of(root, at).ok()?,
        };
        let shows = match &mount.entries {
            Some((_, (dir, name))) => joined(self.path_in_fs(*dir), name),
            None => self.path_in_fs(at),
        };
        let system = self.systems.get(&at.fs)?;
        Some(MountInfo {
            id: mount_id(at),
            parent: if number == self.bottom { 0 } else { mount_id(mount.covers) },
            dev: self.dev(at),
            shows,
            point,
            source: mount.source.clone(),
            kind: system.fs.name(),
            flags: mount.flags,
            read_only: system.read_only,
            own_options: system.fs.options(),
            root: at,
        })
    }

    /// The path of a directory from the root of its file system.
    fn path_in_fs(&self, dir: Location) -> Vec<u8> {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut ino = dir.ino;
        while let Ok(fs) = self.fs(dir)
            && ino != fs.root()
            && let (Ok(name), Ok(parent)) = (fs.name_of(ino), fs.parent(ino))
        {
            names.push(name);
            ino = parent;
        }
        if names.is_empty() {
            return b"/".to_vec();
        }
        names.iter().rev().flat_map(|name| [b"/".as_slice(), name].concat()).collect()
    }
}

/// The path of a name in the directory with this path.
pub(crate) fn joined(mut dir: Vec<u8>, name: &[u8]) -> Vec<u8> {
    if dir != b"/" {
        dir.push(b'/');
    }
    dir.extend_from_slice(name);
    dir
}

/// The number of an inode's mount, `stx_mnt_id` of statx(2).
#[must_use]
pub fn mount_id(at: Location) -> u64 {
    u64::from(at.mount) + 1
}
