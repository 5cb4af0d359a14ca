//! The names in a directory.

use crate::node::Ino;
use foldhash::{HashMap, HashMapExt};
use std::collections::BTreeMap;

/// `.` and `..` have the cookies 1 and 2.
const FIRST_COOKIE: u64 = 3;
/// What Linux's tmpfs counts for an entry (`BOGO_DIRENT_SIZE`).
const ENTRY_SIZE: u64 = 20;

/// The names in a directory. A name's cookie, where getdents64(2) goes on, is its own for as long as it stands.
pub(super) struct Directory {
    pub(super) parent: Ino,
    /// Its own name in its parent.
    pub(super) name: Vec<u8>,
    by_name: HashMap<Vec<u8>, (Ino, u64)>,
    by_cookie: BTreeMap<u64, Vec<u8>>,
    next_cookie: u64,
}

impl Directory {
    pub(super) fn new(parent: Ino) -> Self {
        let (by_name, by_cookie) = (HashMap::new(), BTreeMap::new());
        Self { parent, name: Vec::new(), by_name, by_cookie, next_cookie: FIRST_COOKIE }
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Ino> {
        self.by_name.get(name).map(|(ino, _)| *ino)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(super) fn size(&self) -> u64 {
        (self.by_name.len() as u64 + 2) * ENTRY_SIZE
    }

    /// Enters a name that is not there.
    pub(super) fn insert(&mut self, name: &[u8], ino: Ino) {
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        self.by_name.insert(name.to_vec(), (ino, cookie));
        self.by_cookie.insert(cookie, name.to_vec());
    }

    /// Lets a name that is there stand for another inode.
    pub(super) fn replace(&mut self, name: &[u8], ino: Ino) {
        if let Some(entry) = self.by_name.get_mut(name) {
            entry.0 = ino;
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Ino> {
        let (ino, cookie) = self.by_name.remove(name)?;
        self.by_cookie.remove(&cookie);
        Some(ino)
    }

    pub(super) fn read(&self, after: u64, each: &mut dyn FnMut(u64, Ino, &[u8]) -> bool) {
        for (cookie, name) in self.by_cookie.range(after.saturating_add(1)..) {
            let Some((ino, _)) = self.by_name.get(name) else { continue };
            if !each(*cookie, *ino, name) {
                return;
            }
        }
    }
}
