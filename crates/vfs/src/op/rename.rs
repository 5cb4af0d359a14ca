//! renameat2(2).

use crate::fs::upwards;
use crate::mount::{Entry, Location, Vfs};
use crate::node::{Attr, Ino, Kind, NewName, NewNode, Time};
use crate::permission::{WRITE, Who};
use crate::walk::{Start, Walked};
use abi::Errno;
use abi::raw::general::{IN_ATTRIB, RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT};

/// A name that is moved, or moved to.
struct End {
    dir: Location,
    /// A slash stands behind the name.
    slash: bool,
    node: Location,
    attr: Attr,
}

/// What renameat2(2) has done.
#[derive(Debug, Clone)]
pub struct Moved {
    /// What was moved.
    pub node: Location,
    /// What it was called.
    pub old: Entry,
    /// What it is called.
    pub new: Entry,
    /// What has the old name now, where names were exchanged.
    pub exchanged: Option<Location>,
}

impl Vfs {
    /// renameat2(2). None: both are names of one file, and stay.
    ///
    /// # Errors
    /// As renameat2(2).
    pub fn rename(
        &mut self,
        who: &Who<'_>,
        from: (Start, &[u8]),
        to: (Start, &[u8]),
        flags: u32,
        now: Time,
    ) -> Result<Option<Moved>, Errno> {
        let exchange = flags & RENAME_EXCHANGE != 0;
        let known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
        if flags & !known != 0 || exchange && flags != RENAME_EXCHANGE {
            return Err(Errno::EINVAL);
        }
        let source = self.walk_to_name(who, from.0, from.1)?;
        let target = self.walk_to_name(who, to.0, to.1)?;
        if source.dir.mount != target.dir.mount {
            return Err(Errno::EXDEV);
        }
        self.writable(source.dir)?;
        let no_replace = flags & RENAME_NOREPLACE != 0;
        let occupied = if no_replace { Errno::EEXIST } else { Errno::EBUSY };
        let old = source.name.as_deref().ok_or(Errno::EBUSY)?;
        let new = target.name.as_deref().ok_or(occupied)?;
        let source_end = self.end(&source, source.node?)?;
        let mut replaced = None;
        match target.occupant()? {
            Some(_) if no_replace => return Err(Errno::EEXIST),
            None if exchange => return Err(Errno::ENOENT),
            None => self.move_to_free_name(who, &source_end, &target)?,
            Some(node) => {
                let target = self.end(&target, node)?;
                if !self.move_over(who, &source_end, &target, exchange)? {
                    return Ok(None);
                }
                replaced = Some((node, target.attr.kind));
            }
        }
        let (one, other) = ((source.dir.ino, old), (target.dir.ino, new));
        if flags & RENAME_WHITEOUT != 0 {
            // First, since it is what can fail.
            let whiteout = self.whiteout(who, source.dir, now)?;
            let fs = self.fs_mut(source.dir)?;
            fs.rename(one, other, now)?;
            fs.link(source.dir.ino, old, whiteout, now)?;
        } else if exchange {
            self.fs_mut(source.dir)?.exchange(one, other, now)?;
        } else {
            self.fs_mut(source.dir)?.rename(one, other, now)?;
        }
        self.tell_renamed(&source_end, (source.dir, old), (target.dir, new), replaced.filter(|_| !exchange));
        if let Some((node, kind)) = replaced.filter(|_| exchange) {
            self.tell_move((target.dir, new), (source.dir, old), kind);
            self.tell_moved(node);
        }
        let (old, new) = ((source.dir, old.to_vec()), (target.dir, new.to_vec()));
        Ok(Some(Moved {
            node: source_end.node,
            old,
            new,
            exchanged: replaced.filter(|_| exchange).map(|(node, _)| node),
        }))
    }

    /// Tells those who watch of a name that has moved, maybe over another.
    fn tell_renamed(
        &mut self,
        source: &End,
        from: (Location, &[u8]),
        to: (Location, &[u8]),
        replaced: Option<(Location, Kind)>,
    ) {
        self.tell_move(from, to, source.attr.kind);
        if let Some((node, kind)) = replaced {
            self.tell_self(node, kind, IN_ATTRIB);
            self.tell_if_gone(node);
        }
        self.tell_moved(source.node);
    }

    /// What overlays take for a removed name: character device 0, 0, which has no name yet.
    fn whiteout(&mut self, who: &Who<'_>, dir: Location, now: Time) -> Result<Ino, Errno> {
        let node = NewNode { kind: Kind::Char, mode: 0, uid: 0, gid: 0, rdev: 0, target: Vec::new() };
        Ok(self.make_node(who, dir, NewName::Unnamed { linkable: true }, node, now)?.ino)
    }

    fn end(&self, walked: &Walked, node: Location) -> Result<End, Errno> {
        Ok(End { dir: walked.dir, slash: walked.slash, node, attr: self.attr(node)? })
    }

    /// Checks a move to where nothing is.
    fn move_to_free_name(&self, who: &Who<'_>, source: &End, target: &Walked) -> Result<(), Errno> {
        if (source.slash || target.slash) && !source.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        self.not_above(source.node, target.dir, Errno::EINVAL)?;
        who.may_remove(&self.attr(source.dir)?, &source.attr)?;
        who.may_change(&self.attr(target.dir)?)?;
        source.movable(who, target.dir)?;
        self.not_mounted(source)
    }

    /// Checks a move over, or an exchange with, what is there. Answers false if both are the same and nothing is to be done.
    fn move_over(&self, who: &Who<'_>, source: &End, target: &End, exchange: bool) -> Result<bool, Errno> {
        // Behind what is no directory there must be no slash.
        let other = if exchange { target } else { source };
        if source.slash && !source.is_directory() || target.slash && !other.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        // A directory cannot go into itself, nor replace one above it.
        self.not_above(source.node, target.dir, Errno::EINVAL)?;
        self.not_above(target.node, source.dir, if exchange { Errno::EINVAL } else { Errno::ENOTEMPTY })?;
        if source.node == target.node {
            return Ok(false);
        }
        who.may_remove(&self.attr(source.dir)?, &source.attr)?;
        who.may_remove(&self.attr(target.dir)?, &target.attr)?;
        match (source.is_directory(), target.is_directory()) {
            _ if exchange => {}
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            _ => {}
        }
        source.movable(who, target.dir)?;
        if exchange {
            target.movable(who, source.dir)?;
        }
        self.not_mounted(source)?;
        self.not_mounted(target)?;
        Ok(true)
    }

    fn not_mounted(&self, end: &End) -> Result<(), Errno> {
        if self.is_mount_point(end.node) { Err(Errno::EBUSY) } else { Ok(()) }
    }

    /// Fails with `errno` if `node` is `dir` or a directory above it.
    fn not_above(&self, node: Location, dir: Location, errno: Errno) -> Result<(), Errno> {
        for above in upwards(self.fs(dir)?, dir.ino) {
            if node.ino == above? && node.mount == dir.mount {
                return Err(errno);
            }
        }
        Ok(())
    }
}

impl End {
    fn is_directory(&self) -> bool {
        self.attr.kind == Kind::Directory
    }

    /// A directory that gets another parent is written to itself: its `..` changes.
    fn movable(&self, who: &Who<'_>, to: Location) -> Result<(), Errno> {
        if self.is_directory() && self.dir != to { who.access(&self.attr, WRITE) } else { Ok(()) }
    }
}
