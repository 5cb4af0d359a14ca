//! Deadlines of connections.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::slab::Key;

/// Deadlines, earliest first. A connection has at most one live entry: moving a deadline away, which every
/// ACK does, costs nothing; the entry comes up early then and is asked again.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(u64, Key)>>,
}

impl Timers {
    /// Sees to it that `key` comes up at `at_ns` or earlier. `armed` is the connection's entry.
    pub(crate) fn arm(&mut self, key: Key, at_ns: u64, armed: &mut Option<u64>) {
        if armed.is_none_or(|entry| entry > at_ns) {
            *armed = Some(at_ns);
            self.heap.push(Reverse((at_ns, key)));
        }
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.heap.peek().map(|&Reverse((at_ns, _))| at_ns)
    }

    /// An entry that has come up: whose, and when it was for.
    pub(crate) fn pop(&mut self, now_ns: u64) -> Option<(u64, Key)> {
        let &Reverse((at_ns, key)) = self.heap.peek()?;
        if at_ns > now_ns {
            return None;
        }
        self.heap.pop();
        Some((at_ns, key))
    }
}
