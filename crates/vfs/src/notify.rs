//! What happens to files, for those who watch them (inotify(7)).
//!
//! Nothing is noted of what nobody watches. An event on something that was found by a name goes to the directory's watchers too,
//! with that name.

use crate::mount::{Entry, Location, Vfs};
use crate::node::{Attr, Kind};
use abi::Errno;
use abi::raw::general::{IN_DELETE_SELF, IN_ISDIR, IN_MOVE_SELF, IN_MOVED_FROM, IN_MOVED_TO, IN_UNMOUNT};
use foldhash::HashMap;
use std::cell::RefCell;

/// What [`Location::key`] answers.
type Key = (u32, u64);

/// Something happened to what is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The inode that is watched, as [`Location::key`] has it.
    pub key: Key,
    /// `IN_*` bits.
    pub mask: u32,
    /// What `IN_MOVED_FROM` and `IN_MOVED_TO` of one rename have in common; else 0.
    pub cookie: u32,
    /// The name in the directory that is watched; empty: it happened to what is watched itself.
    pub name: Vec<u8>,
    /// It happened to something that has no name any more (`IN_EXCL_UNLINK`).
    pub unlinked: bool,
}

/// What is watched, and what has happened there.
#[derive(Default)]
pub(crate) struct Notices {
    watched: HashMap<Key, usize>,
    events: Vec<Event>,
    last_cookie: u32,
    /// What the last walk led to, and by which name.
    found: RefCell<Option<(Location, Entry)>>,
}

impl Notices {
    /// A walk found this.
    pub(crate) fn found(&self, at: Location, entry: impl FnOnce() -> Entry) {
        if !self.watched.is_empty() {
            *self.found.borrow_mut() = Some((at, entry()));
        }
    }
}

impl Vfs {
    /// One more (`watched`) or one less watches an inode.
    pub fn watch(&mut self, key: Key, watched: bool) {
        let count = self.notices.watched.entry(key).or_default();
        *count = if watched { count.saturating_add(1) } else { count.saturating_sub(1) };
        if *count == 0 {
            self.notices.watched.remove(&key);
        }
    }

    /// Whether anything is watched.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        !self.notices.watched.is_empty()
    }

    /// How many events have not been taken yet, for [`Vfs::forget_events_after`].
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.notices.events.len()
    }

    /// What a call has told so far will be told again, since it is to run again from its beginning.
    pub fn forget_events_after(&mut self, count: usize) {
        self.notices.events.truncate(count);
    }

    /// What has happened since this was last called, oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.notices.events)
    }

    /// Tells those who watch an inode, or the directory in which it was found: by `entry`, or by the walk that led to it.
    pub fn tell(&mut self, at: Location, entry: Option<&Entry>, mask: u32) {
        if self.notices.watched.is_empty() {
            return;
        }
        let Ok(attr) = self.attr(at) else { return };
        let found = entry.cloned().or_else(|| self.entry_of(at, &attr));
        let found = found.and_then(|entry| self.entry_now(at, &attr, entry));
        if let Some((dir, name)) = found {
            self.note(dir.key(), mask | is_dir(attr.kind), 0, &name, attr.nlink == 0);
        }
        self.note(at.key(), mask | is_dir(attr.kind), 0, b"", attr.nlink == 0);
    }

    /// Tells those who watch an inode of this kind, which may have gone.
    pub(crate) fn tell_self(&mut self, at: Location, kind: Kind, mask: u32) {
        self.note(at.key(), mask | is_dir(kind), 0, b"", false);
    }

    /// Tells those who watch a directory what has happened to a name in it, of something of this kind.
    pub(crate) fn tell_name(&mut self, dir: Location, name: &[u8], kind: Kind, mask: u32) {
        self.note(dir.key(), mask | is_dir(kind), 0, name, false);
    }

    /// Tells those who watch them that a name has moved.
    pub(crate) fn tell_move(&mut self, from: (Location, &[u8]), to: (Location, &[u8]), kind: Kind) {
        if self.notices.watched.is_empty() {
            return;
        }
        // 0 stands for none.
        self.notices.last_cookie = self.notices.last_cookie.checked_add(1).unwrap_or(1);
        let cookie = self.notices.last_cookie;
        self.note(from.0.key(), IN_MOVED_FROM | is_dir(kind), cookie, from.1, false);
        self.note(to.0.key(), IN_MOVED_TO | is_dir(kind), cookie, to.1, false);
    }

    /// Tells those who watch an inode that its name has moved; `IN_ISDIR` is not said of that (fsnotify_move).
    pub(crate) fn tell_moved(&mut self, at: Location) {
        self.note(at.key(), IN_MOVE_SELF, 0, b"", false);
    }

    /// An inode may have gone: if so, those who watch it are told.
    pub(crate) fn tell_if_gone(&mut self, at: Location) {
        if self.notices.watched.contains_key(&at.key()) && self.attr(at) == Err(Errno::ESTALE) {
            self.note(at.key(), IN_DELETE_SELF, 0, b"", false);
        }
    }

    /// A file system has gone.
    pub(crate) fn tell_unmounted(&mut self, fs: u32) {
        let keys: Vec<Key> = self.notices.watched.keys().copied().filter(|key| key.0 == fs).collect();
        keys.into_iter().for_each(|key| self.note(key, IN_UNMOUNT, 0, b"", false));
    }

    /// By which name an inode was found, or what a directory is called.
    fn entry_of(&self, at: Location, attr: &Attr) -> Option<Entry> {
        if let Some((found, entry)) = &*self.notices.found.borrow()
            && found.key() == at.key()
        {
            return Some(entry.clone());
        }
        let fs = self.fs(at).ok().filter(|fs| attr.kind == Kind::Directory && at.ino != fs.root())?;
        Some((at.with(fs.parent(at.ino).ok()?), fs.name_of(at.ino).ok()?))
    }

    /// The name under which something was found, or the one that it was given since in a directory that is watched.
    fn entry_now(&self, at: Location, attr: &Attr, (dir, name): Entry) -> Option<Entry> {
        let fs = self.fs(dir).ok()?;
        let moved = match fs.lookup(dir.ino, &name) {
            Ok(ino) => ino != at.ino,
            Err(errno) => errno == Errno::ENOENT,
        };
        if attr.nlink == 0 || !moved {
            return Some((dir, name));
        }
        let watched = self.notices.watched.keys().filter(|(system, _)| *system == at.fs);
        watched.copied().find_map(|(_, ino)| {
            let mut now = None;
            let _ = fs.read_dir(ino, 0, &mut |_, entry, _, name| {
                if entry == at.ino {
                    now = Some((at.with(ino), name.to_vec()));
                }
                now.is_none()
            });
            now
        })
    }

    fn note(&mut self, key: Key, mask: u32, cookie: u32, name: &[u8], unlinked: bool) {
        if self.notices.watched.contains_key(&key) {
            self.notices.events.push(Event { key, mask, cookie, name: name.to_vec(), unlinked });
        }
    }
}

const fn is_dir(kind: Kind) -> u32 {
    if matches!(kind, Kind::Directory) { IN_ISDIR } else { 0 }
}
