//! Mounts that are not in the tree yet: made by fsmount(2) or copied by open_tree(2), and held by a descriptor until move_mount(2) puts
//! them somewhere, or the descriptor is closed.

use crate::fs::FileSystem;
use crate::mount::{Location, Point, Vfs};
use crate::mount_flags::MountFlags;
use abi::Errno;

impl Vfs {
    /// A mount of a file system that is nowhere. It lives while its root is held ([`Vfs::hold`]).
    ///
    /// # Errors
    /// `ENOMEM`: no more mount numbers.
    pub fn mount_nowhere(
        &mut self,
        fs: Box<dyn FileSystem>,
        source: &str,
        flags: MountFlags,
    ) -> Result<Location, Errno> {
        let root = self.new_system(fs, flags)?;
        self.enter_mount(root, root, source, flags);
        self.set_detached(root, true);
        Ok(root)
    }

    /// A copy of what is shown at a place, with what is mounted below it if `recursive`. It lives while its root is held.
    ///
    /// # Errors
    /// `ENOENT`: it was removed. `ENOMEM`.
    pub fn copy_nowhere(&mut self, source: &Point, recursive: bool) -> Result<Location, Errno> {
        if self.attr(source.at)?.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        let below = if recursive { self.mounts_in(source.at) } else { Vec::new() };
        let (name, flags) = self.shown_as(source.at)?;
        let root = Location { mount: self.next_mount()?, ..source.at };
        self.enter_mount(root, root, &name, flags);
        if let Some(mount) = self.mounts.get_mut(&root.mount) {
            // Where it is going to be shown is filled in when it is.
            mount.entries = source.entry.clone().map(|entry| (entry.clone(), entry));
        }
        self.copy_below(source.at.mount, root.mount, below)?;
        self.set_detached(root, true);
        Ok(root)
    }

    /// Puts a mount that is nowhere into the tree (move_mount(2)).
    ///
    /// # Errors
    /// `EINVAL`: it is none, or one is a directory and the other is not. `ENOENT`: one was removed. `ELOOP`: into itself.
    pub fn attach(&mut self, root: Location, on: &Point) -> Result<(), Errno> {
        if !self.is_nowhere(root) {
            return Err(Errno::EINVAL);
        }
        let covers = self.covered(on.at);
        self.same_kind(root, covers).map_err(|errno| match errno {
            Errno::ENOTDIR => Errno::EINVAL,
            errno => errno,
        })?;
        if self.mounts_below(root.mount).contains(&covers.mount) {
            return Err(Errno::ELOOP);
        }
        self.cover(covers, root.mount);
        if let Some(mount) = self.mounts.get_mut(&root.mount) {
            mount.covers = covers;
            let entries = mount.entries.take().filter(|_| on.entry.is_some());
            mount.entries = entries.and_then(|(_, source)| Some((on.entry.clone()?, source)));
        }
        self.set_detached(root, false);
        Ok(())
    }

    /// Whether it is the root of a mount that is not in the tree.
    #[must_use]
    pub fn is_nowhere(&self, root: Location) -> bool {
        self.mounts.get(&root.mount).is_some_and(|mount| mount.root == root && mount.detached)
    }

    /// Nobody has the descriptor of a mount any more: if it is still nowhere, what is mounted in it goes, and it with its last user.
    pub fn dissolve(&mut self, root: Location) {
        if !self.is_nowhere(root) {
            return;
        }
        let inside: Vec<u32> = self.mounts_below(root.mount).into_iter().skip(1).collect();
        for number in inside.into_iter().rev() {
            self.take_out(number);
        }
    }

    fn set_detached(&mut self, root: Location, detached: bool) {
        if let Some(mount) = self.mounts.get_mut(&root.mount) {
            mount.detached = detached;
        }
    }
}
