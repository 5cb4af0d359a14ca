//! The path of a directory (getcwd(2)), and where a link leads.

use crate::mount::{Location, Vfs};
use abi::Errno;

impl Vfs {
    /// The path of a directory, from the root.
    ///
    /// # Errors
    /// `ENOENT`: it was removed, or lies outside the root.
    pub fn path_of(&self, root: Location, dir: Location) -> Result<Vec<u8>, Errno> {
        let mut names = Vec::new();
        let mut at = dir;
        while at != root {
            let named = self.below_mount(at).unwrap_or(at);
            let fs = self.fs(named)?;
            if named.ino == fs.root() {
                // The top of the whole tree: `dir` is not below `root`.
                return Err(Errno::ENOENT);
            }
            names.push(fs.name_of(named.ino)?);
            at = named.with(fs.parent(named.ino)?);
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if path.is_empty() {
            path.push(b'/');
        }
        Ok(path)
    }

    /// readlink(2).
    ///
    /// # Errors
    /// `EINVAL`: no symbolic link.
    pub fn readlink(&self, at: Location) -> Result<Vec<u8>, Errno> {
        self.fs(at)?.readlink(at.ino)
    }
}
