//! Changes of mounts: taken away, moved, mounted anew with other flags (mount(2), umount(2)).

use crate::mount::{Location, Mount, Vfs};
use crate::mount_flags::MountFlags;
use crate::remote::WAITS;
use abi::Errno;
use abi::raw::general::MS_RDONLY;

impl Vfs {
    /// Takes a mount away (umount(2)).
    ///
    /// # Errors
    /// `EINVAL`: not the root of a mount; `EBUSY`: the root file system, or something in it is open or mounted on. `EIO` and what else
    /// the file system says of its last changes: it is gone all the same.
    pub fn umount(&mut self, root: Location) -> Result<(), Errno> {
        let mount = self.at_root(root)?;
        // A mount holds the directory that it covers, so those below are seen too.
        if root.mount == self.bottom || mount.holders > 0 {
            return Err(Errno::EBUSY);
        }
        let last = self.systems.get(&root.fs).is_some_and(|system| system.mounts == 1);
        let outcome = if last { self.fs_mut(root)?.unmount() } else { Ok(()) };
        if outcome == Err(WAITS) {
            return outcome;
        }
        // A disk that fails keeps nobody from taking it out.
        self.uncover(root.mount);
        self.drop_mount(root.mount);
        outcome
    }

    /// Takes a mount away that was not used since this was last asked of it (`MNT_EXPIRE`).
    ///
    /// # Errors
    /// `EAGAIN`: it was; `EINVAL`, `EBUSY`, as [`Vfs::umount`].
    pub fn expire(&mut self, root: Location) -> Result<(), Errno> {
        let mount = self.at_root(root)?;
        if root.mount == self.bottom || mount.holders > 0 {
            return Err(Errno::EBUSY);
        }
        // The way here was a use, too.
        let used = mount.used.get();
        if mount.expiring.is_some_and(|expiring| expiring.wrapping_add(1) == used) {
            return self.umount(root);
        }
        if let Some(mount) = self.mounts.get_mut(&root.mount) {
            mount.expiring = Some(used);
        }
        Err(Errno::EAGAIN)
    }

    /// Takes a mount and all in it out of the tree (`MNT_DETACH`). What is open lives on.
    ///
    /// # Errors
    /// `EINVAL`: not the root of a mount; `EBUSY`: the root file system.
    pub fn detach(&mut self, root: Location) -> Result<(), Errno> {
        self.at_root(root)?;
        if root.mount == self.bottom {
            return Err(Errno::EBUSY);
        }
        // Those on top of others first: each holds the directory that it covers.
        for number in self.mounts_below(root.mount).into_iter().rev() {
            self.take_out(number);
        }
        Ok(())
    }

    /// Takes a mount out of the tree; it goes when nobody uses it.
    pub(crate) fn take_out(&mut self, number: u32) {
        self.uncover(number);
        let idle = self.mounts.get_mut(&number).is_some_and(|mount| {
            mount.detached = true;
            mount.holders == 0
        });
        if idle {
            self.drop_mount(number);
        }
    }

    /// Gives a file system other options (`FSCONFIG_CMD_RECONFIGURE`), and says whether it is read-only. That no file is open for
    /// writing where it becomes that is the caller's check.
    ///
    /// # Errors
    /// `EINVAL`: an option that the file system does not know.
    pub fn reconfigure(
        &mut self,
        at: Location,
        options: &[u8],
        read_only: Option<bool>,
    ) -> Result<(), Errno> {
        let system = self.systems.get_mut(&at.fs).ok_or(Errno::EINVAL)?;
        let read_only = read_only.unwrap_or(system.read_only);
        system.fs.remount(options, read_only)?;
        system.read_only = read_only;
        Ok(())
    }

    /// Changes flags of the mount whose root this is, and of those in it if `recursive` (mount_setattr(2)): of all, or of none
    /// if `check` refuses one.
    ///
    /// # Errors
    /// `EINVAL`: not the root of a mount. What `check` answers.
    pub fn set_mount_flags(
        &mut self,
        root: Location,
        recursive: bool,
        change: impl Fn(MountFlags) -> MountFlags,
        check: impl Fn(Location, MountFlags) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        if self.mounts.get(&root.mount).is_none_or(|mount| mount.root != root) {
            return Err(Errno::EINVAL);
        }
        let numbers = if recursive { self.mounts_below(root.mount) } else { vec![root.mount] };
        for mount in numbers.iter().filter_map(|number| self.mounts.get(number)) {
            check(mount.root, change(mount.flags))?;
        }
        for number in numbers {
            if let Some(mount) = self.mounts.get_mut(&number) {
                mount.flags = change(mount.flags);
            }
        }
        Ok(())
    }

    /// Moves a mount (`MS_MOVE`).
    ///
    /// # Errors
    /// `EINVAL`: not the root of a mount, or the root file system, or not onto a directory. `ELOOP`: into itself. `ENOENT`.
    pub fn move_mount(&mut self, root: Location, on: Location) -> Result<(), Errno> {
        self.at_root(root)?;
        if root.mount == self.bottom {
            return Err(Errno::EINVAL);
        }
        // Only a file could go over a file, and none is mounted here.
        let covers = self
            .mountable(on)
            .map_err(|errno| if errno == Errno::ENOTDIR { Errno::EINVAL } else { errno })?;
        if self.mounts_below(root.mount).contains(&covers.mount) {
            return Err(Errno::ELOOP);
        }
        self.uncover(root.mount);
        self.cover(covers, root.mount);
        if let Some(mount) = self.mounts.get_mut(&root.mount) {
            mount.covers = covers;
        }
        Ok(())
    }

    /// Gives a mount other flags (`MS_REMOUNT`), and unless `only_mount` (`MS_BIND` along) its file system other options. That no file
    /// is open for writing where it becomes read-only is the caller's check.
    ///
    /// # Errors
    /// `EINVAL`: not the root of a mount, or an option that the file system does not know.
    pub fn remount(
        &mut self,
        root: Location,
        flags: u32,
        options: &[u8],
        only_mount: bool,
    ) -> Result<(), Errno> {
        self.at_root(root)?;
        if !only_mount && let Some(system) = self.systems.get_mut(&root.fs) {
            system.fs.remount(options, flags & MS_RDONLY != 0)?;
            system.read_only = flags & MS_RDONLY != 0;
        }
        if let Some(mount) = self.mounts.get_mut(&root.mount) {
            mount.flags = mount.flags.remounted(flags);
        }
        Ok(())
    }

    /// Whether this is the root of a mount.
    #[must_use]
    pub fn is_mount_root(&self, at: Location) -> bool {
        self.at_root(at).is_ok()
    }

    /// The mount whose root this is.
    pub(crate) fn at_root(&self, root: Location) -> Result<&Mount, Errno> {
        self.mounts
            .get(&root.mount)
            .filter(|mount| mount.root == root && !mount.detached)
            .ok_or(Errno::EINVAL)
    }

    /// This mount and those in it, each behind the one that it is in.
    pub(crate) fn mounts_below(&self, top: u32) -> Vec<u32> {
        let mut found = vec![top];
        let mut at = 0;
        while let Some(above) = found.get(at).copied() {
            let inside = self.mounts.iter().filter(|(number, mount)| {
                !mount.detached && mount.covers.mount == above && **number != above
            });
            found.extend(inside.map(|(number, _)| *number));
            at += 1;
        }
        found
    }

    /// Takes a mount out of the tree.
    pub(crate) fn uncover(&mut self, number: u32) {
        let Some(covers) = self.mounts.get(&number).map(|mount| mount.covers) else { return };
        self.on_top.remove(&covers);
        self.hold(covers, false);
    }

    /// Forgets a mount that nobody uses, and its file system with the last.
    pub(crate) fn drop_mount(&mut self, number: u32) {
        let Some(mount) = self.mounts.remove(&number) else { return };
        let Some(system) = self.systems.get_mut(&mount.root.fs) else { return };
        system.mounts = system.mounts.saturating_sub(1);
        system.fs.hold(mount.root.ino, false);
        if system.mounts == 0 {
            let places = system.fs.places();
            self.systems.remove(&mount.root.fs);
            self.tell_unmounted(mount.root.fs);
            places.into_iter().for_each(|place| self.hold(place, false));
        }
    }
}
