//! Mounts that show again what is mounted elsewhere (`MS_BIND`), and the exchange of the root (pivot_root(2)).

use crate::mount::{Location, Mount, Point, Vfs};
use crate::mount_flags::MountFlags;
use crate::node::{Attr, Kind};
use abi::Errno;
use foldhash::HashMap;

impl Vfs {
    /// Shows a directory or a file at a second place, with what is mounted below it if `recursive` (`MS_REC`).
    ///
    /// # Errors
    /// `ENOTDIR`: one is a directory and the other is not. `ENOENT`: one was removed. `ENOMEM`: no more mount numbers.
    pub fn bind(&mut self, source: &Point, on: &Point, recursive: bool) -> Result<Location, Errno> {
        let covers = self.covered(on.at);
        let shown = self.same_kind(source.at, covers)?;
        // What lies below is found before the new mount is among it.
        let below = if recursive { self.mounts_in(source.at) } else { Vec::new() };
        let entries = on.entry.clone().zip(source.entry.clone()).filter(|_| shown.kind != Kind::Directory);
        let root = self.bind_one(source.at, covers)?;
        if let Some(mount) = self.mounts.get_mut(&root.mount) {
            mount.entries = entries;
        }
        self.copy_below(source.at.mount, root.mount, below)?;
        Ok(root)
    }

    /// What a mount shows, if it can cover this: both are directories, or neither is.
    ///
    /// # Errors
    /// `ENOTDIR`, `ENOENT`.
    pub(crate) fn same_kind(&self, shown: Location, covers: Location) -> Result<Attr, Errno> {
        let (shown, covered) = (self.attr(shown)?, self.attr(covers)?);
        if (shown.kind == Kind::Directory) != (covered.kind == Kind::Directory) {
            return Err(Errno::ENOTDIR);
        }
        if shown.nlink == 0 || covered.nlink == 0 { Err(Errno::ENOENT) } else { Ok(shown) }
    }

    /// Copies mounts that are in one mount to the same places of another that shows the same.
    pub(crate) fn copy_below(&mut self, from: u32, to: u32, below: Vec<u32>) -> Result<(), Errno> {
        let mut copies = HashMap::from_iter([(from, to)]);
        for number in below {
            let Some(Mount { root: shown, covers, entries, .. }) = self.mounts.get(&number) else { continue };
            let (shown, covers, entries) = (*shown, *covers, entries.clone());
            let Some(into) = copies.get(&covers.mount).copied() else { continue };
            let copy = self.bind_one(shown, Location { mount: into, ..covers })?;
            if let Some(mount) = self.mounts.get_mut(&copy.mount) {
                mount.entries =
                    entries.map(|((dir, name), of)| ((Location { mount: into, ..dir }, name), of));
            }
            copies.insert(number, copy.mount);
        }
        Ok(())
    }

    /// What a mount that shows this place is called, and its flags.
    pub(crate) fn shown_as(&self, at: Location) -> Result<(String, MountFlags), Errno> {
        self.mounts.get(&at.mount).map(|mount| (mount.source.clone(), mount.flags)).ok_or(Errno::EINVAL)
    }

    fn bind_one(&mut self, source: Location, covers: Location) -> Result<Location, Errno> {
        let (name, flags) = self.shown_as(source)?;
        let mount = self.next_mount()?;
        let root = Location { mount, ..source };
        self.cover(covers, mount);
        self.enter_mount(root, covers, &name, flags);
        Ok(root)
    }

    /// The mounts in this directory and below, each behind the one that it is in.
    pub(crate) fn mounts_in(&self, dir: Location) -> Vec<u32> {
        let inside = |number: &u32| {
            let mount = self.mounts.get(number).filter(|mount| mount.root != dir)?;
            let covers = mount.entries.as_ref().map_or(mount.covers, |((dir, _), _)| *dir);
            self.path_of(dir, covers).ok()
        };
        self.mounts_below(dir.mount).into_iter().filter(|number| inside(number).is_some()).collect()
    }

    /// Makes the mount at `new` the root in place of that at `root`, which goes to `put_old` (pivot_root(2)). Who has the old root or
    /// works in it is to be moved by the caller.
    ///
    /// # Errors
    /// `EINVAL`: one of both is not the root of a mount, or `put_old` is not below `new`. `EBUSY`: they are the same mount.
    /// `ENOTDIR`: `put_old` is no directory.
    pub fn pivot_root(&mut self, root: Location, new: Location, put_old: Location) -> Result<(), Errno> {
        let below = self.at_root(root)?.covers;
        self.at_root(new)?;
        let covers = self.mountable(put_old)?;
        if new.mount == root.mount || covers.mount == root.mount {
            return Err(Errno::EBUSY);
        }
        self.path_of(new, put_old).map_err(|_| Errno::EINVAL)?;
        // A mount in the old root's own place would take the new root along.
        self.path_of(root, new).map_err(|_| Errno::EINVAL)?;
        self.uncover(new.mount);
        let was_bottom = root.mount == self.bottom;
        if was_bottom {
            self.bottom = new.mount;
        } else {
            self.uncover(root.mount);
            self.cover(below, new.mount);
        }
        self.cover(covers, root.mount);
        for (mount, covers) in [(new, if was_bottom { new } else { below }), (root, covers)] {
            if let Some(mount) = self.mounts.get_mut(&mount.mount) {
                mount.covers = covers;
            }
        }
        Ok(())
    }
}
