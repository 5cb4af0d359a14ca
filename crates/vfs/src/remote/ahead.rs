//! What is read ahead of those who read on and on, while they read.

use crate::node::Ino;
use foldhash::{HashMap, HashMapExt};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Files that are read ahead at once. Each has half a megabyte on its way.
const FILES_MAX: usize = 8;

/// What has come and was not looked at, in its order.
pub(super) type Arrivals = Rc<RefCell<Vec<Arrived>>>;

/// Bytes that were read ahead.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub(super) ino: Ino,
    /// What it was asked for as.
    pub(super) token: u64,
    /// None: it could not be read. Whoever reads there asks himself, and is told why.
    pub(super) bytes: Option<Arc<Vec<u8>>>,
}

/// What was asked for ahead of readers.
pub(super) struct Ahead {
    arrivals: Arrivals,
    asked: HashMap<Ino, (u64, Range<u64>)>,
    last: u64,
}

impl Ahead {
    pub(super) fn new(arrivals: Arrivals) -> Self {
        Self { arrivals, asked: HashMap::new(), last: 0 }
    }

    /// Whether nothing of this file is on its way, and more may be.
    pub(super) fn has_room(&self, ino: Ino) -> bool {
        self.asked.len() < FILES_MAX && !self.asked.contains_key(&ino)
    }

    /// This part of a file is asked for; answers as what.
    pub(super) fn ask(&mut self, ino: Ino, part: Range<u64>) -> u64 {
        self.last += 1;
        self.asked.insert(ino, (self.last, part));
        self.last
    }

    /// Whether a byte is on its way.
    pub(super) fn brings(&self, ino: Ino, offset: u64) -> bool {
        self.asked.get(&ino).is_some_and(|(_, part)| part.contains(&offset))
    }

    /// The file is not any more what it was when it was asked for: what comes does not count.
    pub(super) fn disown(&mut self, ino: Ino) {
        self.asked.remove(&ino);
    }

    pub(super) fn disown_all(&mut self) {
        self.asked.clear();
    }

    /// What has come and counts: inode, place and bytes.
    pub(super) fn take(&mut self) -> Vec<(Ino, u64, Arc<Vec<u8>>)> {
        if self.arrivals.borrow().is_empty() {
            return Vec::new();
        }
        let arrived = self.arrivals.take();
        let counts = |Arrived { ino, token, bytes }| {
            self.asked.get(&ino).filter(|(asked, _)| *asked == token)?;
            let (_, part) = self.asked.remove(&ino)?;
            Some((ino, part.start, bytes?))
        };
        arrived.into_iter().filter_map(counts).collect()
    }
}
