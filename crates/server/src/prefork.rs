//! Processes that were forked and whose clients have not connected yet.

use kernel::Pid;
use std::collections::HashMap;

/// How long the child of a parent that is gone may take to connect.
const ORPHAN_NS: u64 = 60_000_000_000;

/// More of them for one parent are refused.
const PER_PARENT: usize = 1024;

/// What a child shows to become the process that was forked for it: 128 random bits.
pub type Cookie = [u8; 16];

/// A process that waits for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefork {
    /// The process.
    pub pid: Pid,
    /// Who forked it.
    pub parent: Pid,
    /// Whether its files are host descriptors.
    pub files: bool,
    expires_ns: Option<u64>,
}

/// All of them. Each cookie is good once.
#[derive(Debug, Default)]
pub struct Preforks {
    waiting: HashMap<Cookie, Prefork>,
}

impl Preforks {
    /// Whether this parent may have one more.
    #[must_use]
    pub fn has_room(&self, parent: Pid) -> bool {
        self.waiting.values().filter(|entry| entry.parent == parent).count() < PER_PARENT
    }

    /// Enters a process.
    pub fn enter(&mut self, cookie: Cookie, pid: Pid, parent: Pid, files: bool) {
        self.waiting.insert(cookie, Prefork { pid, parent, files, expires_ns: None });
    }

    /// The process of this cookie, once.
    pub fn take(&mut self, cookie: &Cookie) -> Option<Prefork> {
        self.waiting.remove(cookie)
    }

    /// The parent is gone: its children have a minute.
    pub fn orphan(&mut self, parent: Pid, now_ns: u64) {
        for entry in self.waiting.values_mut().filter(|entry| entry.parent == parent) {
            entry.expires_ns.get_or_insert(now_ns.saturating_add(ORPHAN_NS));
        }
    }

    /// Takes out those whose time has come.
    pub fn take_expired(&mut self, now_ns: u64) -> Vec<Pid> {
        self.waiting
            .extract_if(|_, entry| entry.expires_ns.is_some_and(|expires| expires <= now_ns))
            .map(|(_, entry)| entry.pid)
            .collect()
    }

    /// When [`Preforks::take_expired`] will have something.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.waiting.values().filter_map(|entry| entry.expires_ns).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_once_and_not_for_ever() {
        let mut preforks = Preforks::default();
        preforks.enter([1; 16], Pid(3), Pid(2), true);
        preforks.enter([2; 16], Pid(4), Pid(2), true);
        assert_eq!(preforks.take(&[9; 16]), None);
        assert_eq!(preforks.take(&[1; 16]).map(|entry| entry.pid), Some(Pid(3)));
        assert_eq!(preforks.take(&[1; 16]), None);
        assert_eq!(preforks.next_deadline(), None);
        preforks.orphan(Pid(2), 5);
        assert_eq!(preforks.next_deadline(), Some(5 + ORPHAN_NS));
        assert_eq!(preforks.take_expired(4 + ORPHAN_NS), []);
        assert_eq!(preforks.take_expired(5 + ORPHAN_NS), [Pid(4)]);
    }

    #[test]
    fn a_parent_cannot_fill_the_server() {
        let mut preforks = Preforks::default();
        for n in 0..PER_PARENT as u64 {
            assert!(preforks.has_room(Pid(2)));
            let mut cookie = [0; 16];
            cookie[..8].copy_from_slice(&n.to_le_bytes());
            preforks.enter(cookie, Pid(100), Pid(2), false);
        }
        assert!(!preforks.has_room(Pid(2)));
        assert!(preforks.has_room(Pid(3)));
    }
}
