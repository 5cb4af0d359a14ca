//! open(2).

use crate::mount::{Location, Vfs};
use crate::node::{Ino, Kind, NewName, NewNode, Time};
use crate::permission::{READ, WRITE, Who};
use crate::walk::{Follow, Last, Start, Walked};
use abi::Errno;
use abi::raw::general::{
    IN_CREATE, O_ACCMODE, O_CREAT, O_DIRECTORY, O_EXCL, O_NOATIME, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR,
    O_TRUNC, O_WRONLY, RESOLVE_BENEATH, RESOLVE_IN_ROOT,
};

/// `O_TMPFILE` without its `O_DIRECTORY`.
const TMPFILE: u32 = abi::raw::general::O_TMPFILE & !O_DIRECTORY;
const S_ISGID: u32 = 0o2000;

/// How something is opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening {
    /// `O_*` flags.
    pub flags: u32,
    /// Permission bits of a new file, before the umask.
    pub mode: u32,
    /// `RESOLVE_*` flags (openat2(2)).
    pub resolve: u64,
}

impl Opening {
    /// What is left of the flags when each that has no meaning here is gone.
    ///
    /// # Errors
    /// `EINVAL`: flags that contradict each other (open(2), openat2(2)).
    fn checked(self) -> Result<Self, Errno> {
        if self.resolve & u64::from(RESOLVE_BENEATH | RESOLVE_IN_ROOT)
            == u64::from(RESOLVE_BENEATH | RESOLVE_IN_ROOT)
        {
            return Err(Errno::EINVAL);
        }
        if self.flags & O_PATH != 0 {
            return Ok(Self { flags: self.flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW), ..self });
        }
        // Since Linux 6.4 always; before, it could make a regular file.
        let makes_directory = self.flags & (O_CREAT | O_DIRECTORY) == O_CREAT | O_DIRECTORY;
        let unnamed = self.flags & TMPFILE != 0;
        let unnamed_wrong = self.flags & O_DIRECTORY == 0 || self.flags & O_ACCMODE == O_RDONLY;
        if makes_directory || unnamed && unnamed_wrong { Err(Errno::EINVAL) } else { Ok(self) }
    }
}

/// Something opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The inode.
    pub at: Location,
    /// What it is.
    pub kind: Kind,
    /// Device number, if it is a device.
    pub rdev: u64,
    /// The directory in which it was found, and its name there, if it was found by one.
    pub name: Option<(Location, Vec<u8>)>,
}

impl Vfs {
    /// Opens, and makes it where O_CREAT or O_TMPFILE say so.
    ///
    /// # Errors
    /// As open(2).
    pub fn open(
        &mut self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        how: Opening,
        now: Time,
    ) -> Result<Opened, Errno> {
        let how = how.checked()?;
        let flags = how.flags;
        if flags & TMPFILE != 0 {
            return self.open_unnamed(who, start, path, how, now);
        }
        let create = flags & O_CREAT != 0;
        let exclusive = create && flags & O_EXCL != 0;
        let follow = if flags & O_NOFOLLOW != 0 || exclusive { Follow::No } else { Follow::Yes };
        let last = if create { Last::OrNew(follow) } else { follow.into() };
        let walked = self.walk(who, start, path, last, how.resolve)?;
        match walked.occupant()? {
            Some(_) if exclusive => Err(Errno::EEXIST),
            Some(at) => {
                if create {
                    self.may_take_for_new(who, walked.dir, &self.attr(at)?)?;
                }
                let name = walked.name.map(|name| (walked.dir, name));
                Ok(Opened { name, ..self.open_existing(who, at, how, now)? })
            }
            None if create => self.open_new(who, &walked, how, now),
            None => Err(Errno::ENOENT),
        }
    }

    /// What the kernel knows this file by, if it makes the bytes up when the file is opened (proc(5)): the type of the file system, and a
    /// number there.
    #[must_use]
    pub fn made_up(&self, at: Location) -> Option<(&'static str, Ino)> {
        self.fs(at).ok()?.made_up(at.ino)
    }

    /// Opens an inode that was found without a path (open_by_handle_at(2)).
    ///
    /// # Errors
    /// As open(2).
    pub fn open_at(&mut self, who: &Who<'_>, at: Location, how: Opening, now: Time) -> Result<Opened, Errno> {
        self.open_existing(who, at, how.checked()?, now)
    }

    fn open_existing(
        &mut self,
        who: &Who<'_>,
        at: Location,
        how: Opening,
        now: Time,
    ) -> Result<Opened, Errno> {
        let attr = self.attr(at)?;
        let opened = Opened { at, kind: attr.kind, rdev: attr.rdev, name: None };
        let flags = how.flags;
        if flags & O_DIRECTORY != 0 && attr.kind != Kind::Directory {
            // O_PATH|O_NOFOLLOW|O_DIRECTORY of a link too (open(2)).
            return Err(Errno::ENOTDIR);
        }
        if flags & O_PATH != 0 {
            return Ok(opened);
        }
        let wanted = wanted(flags);
        match attr.kind {
            // A walk that follows links ends there where they lead to a socket (proc_pid_fd(5)).
            Kind::Symlink if flags & O_NOFOLLOW == 0 && self.leads_outside(at).is_some() => {
                return Err(Errno::ENXIO);
            }
            Kind::Symlink => return Err(Errno::ELOOP),
            Kind::Char | Kind::Block if self.flags(at).has_no_devices() => return Err(Errno::EACCES),
            Kind::Regular if wanted & WRITE != 0 => self.writable(at)?,
            _ => {}
        }
        match attr.kind {
            Kind::Directory if wanted & WRITE != 0 || flags & O_CREAT != 0 => return Err(Errno::EISDIR),
            Kind::Socket => {
                who.access(&attr, wanted)?;
                return Err(Errno::ENXIO);
            }
            _ => who.access(&attr, wanted)?,
        }
        if flags & O_NOATIME != 0 && !who.owns(&attr) {
            return Err(Errno::EPERM);
        }
        if attr.kind == Kind::Regular && wanted & WRITE != 0 {
            self.not_running(at)?;
            if flags & O_TRUNC == 0 {
                self.fs_mut(at)?.will_write(at.ino, now)?;
            }
        }
        if flags & O_TRUNC != 0 && attr.kind == Kind::Regular {
            self.set_size(who, at, 0, now)?;
        }
        Ok(opened)
    }

    fn open_new(&mut self, who: &Who<'_>, walked: &Walked, how: Opening, now: Time) -> Result<Opened, Errno> {
        let name = walked.name.as_deref().ok_or(Errno::EISDIR)?;
        let at = self.make(who, walked.dir, NewName::Named(name), Kind::Regular, how.mode, now)?;
        Ok(Opened { at, kind: Kind::Regular, rdev: 0, name: Some((walked.dir, name.to_vec())) })
    }

    fn open_unnamed(
        &mut self,
        who: &Who<'_>,
        start: Start,
        path: &[u8],
        how: Opening,
        now: Time,
    ) -> Result<Opened, Errno> {
        let dir = self.walk(who, start, path, Last::Followed, how.resolve)?.node?;
        if self.attr(dir)?.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let name = NewName::Unnamed { linkable: how.flags & O_EXCL == 0 };
        let at = self.make(who, dir, name, Kind::Regular, how.mode, now)?;
        // What links in /proc and inotify(7) call it (fs/dcache.c, d_mark_tmpfile).
        let name = format!("#{}", at.ino).into_bytes();
        Ok(Opened { at, kind: Kind::Regular, rdev: 0, name: Some((dir, name)) })
    }

    /// Makes an inode of this kind in a directory, with the group that a setgid directory hands on (inode(7)).
    pub(super) fn make(
        &mut self,
        who: &Who<'_>,
        dir: Location,
        name: NewName<'_>,
        kind: Kind,
        mode: u32,
        now: Time,
    ) -> Result<Location, Errno> {
        self.make_node(
            who,
            dir,
            name,
            NewNode { kind, mode, uid: 0, gid: 0, rdev: 0, target: Vec::new() },
            now,
        )
    }

    /// As [`Vfs::make`], of what `node` says; its owner is filled in.
    pub(super) fn make_node(
        &mut self,
        who: &Who<'_>,
        dir: Location,
        name: NewName<'_>,
        mut node: NewNode,
        now: Time,
    ) -> Result<Location, Errno> {
        self.writable(dir)?;
        let parent = self.attr(dir)?;
        who.may_change(&parent)?;
        // A working directory that was removed (mkdir(2), ENOENT).
        if parent.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        let inherits = parent.mode & S_ISGID != 0;
        node.uid = who.uid;
        node.gid = if inherits { parent.gid } else { who.gid };
        if inherits && node.kind == Kind::Directory {
            node.mode |= S_ISGID;
        } else if node.kind != Kind::Directory
            && node.mode & S_ISGID != 0
            && !who.is_root()
            && !who.is_in(node.gid)
        {
            node.mode &= !S_ISGID;
        }
        let default = self.inherit(who, dir, &mut node)?;
        let ino = self.fs_mut(dir)?.create(dir.ino, name, &node, now)?;
        if let NewName::Named(name) = name {
            self.tell_name(dir, name, node.kind, IN_CREATE);
        }
        if let Some(default) = default {
            self.apply_inherited(dir.with(ino), &node, default, now)?;
        }
        Ok(dir.with(ino))
    }
}

/// The permissions that an access mode needs.
fn wanted(flags: u32) -> u32 {
    let access = match flags & O_ACCMODE {
        O_RDONLY => READ,
        O_WRONLY => WRITE,
        O_RDWR => READ | WRITE,
        // 3: "for ioctl only", checked as both.
        _ => READ | WRITE,
    };
    if flags & O_TRUNC != 0 { access | WRITE } else { access }
}
