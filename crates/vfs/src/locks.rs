//! File locks: flock(2), and fcntl(2)'s of a process or an open file. Nothing waits here: what cannot be had is `EAGAIN`.

use abi::Errno;
use foldhash::{HashMap, HashSet, HashSetExt};

/// What names an inode ([`crate::Location::key`]).
pub type Key = (u32, u64);

/// Separate ranges that one owner may lock of one inode: each lock looks at all of them.
const OWN_MAX: usize = 4096;

/// Whose lock it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A process (F_SETLK).
    Process(u32),
    /// An open file (F_OFD_SETLK).
    File(u64),
}

/// A range of bytes, locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// Last byte; `u64::MAX`: to the end, however far that moves.
    pub last: u64,
    /// Nobody else may lock it at all.
    pub exclusive: bool,
    /// Whose it is.
    pub owner: Owner,
}

impl Range {
    fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.last && other.start <= self.last
    }

    fn conflicts(&self, other: &Self) -> bool {
        self.owner != other.owner && self.overlaps(other) && (self.exclusive || other.exclusive)
    }
}

#[derive(Debug, Default)]
struct Inode {
    ranges: Vec<Range>,
    /// flock(2): open file and whether it is exclusive.
    whole: Vec<(u64, bool)>,
}

/// All locks, by the inode's key.
#[derive(Debug, Default)]
pub struct Locks {
    inodes: HashMap<Key, Inode>,
}

impl Locks {
    /// The lock that stands against this one (F_GETLK).
    #[must_use]
    pub fn against(&self, key: Key, wanted: &Range) -> Option<Range> {
        let ranges = &self.inodes.get(&key)?.ranges;
        ranges.iter().filter(|range| range.conflicts(wanted)).min_by_key(|range| range.start).copied()
    }

    /// Whether waiting for this lock would never end: whoever holds what stands against it waits, by way of others perhaps, for a
    /// lock of the same owner (fcntl(2), `EDEADLK`). `waits` tells what an owner waits for at present.
    #[must_use]
    pub fn deadlocks(&self, key: Key, wanted: &Range, waits: &dyn Fn(Owner) -> Vec<(Key, Range)>) -> bool {
        let (mut seen, mut todo) = (HashSet::new(), vec![(key, *wanted)]);
        while let Some((key, range)) = todo.pop() {
            let held = self.inodes.get(&key).map_or(&[][..], |inode| &inode.ranges);
            for blocker in held.iter().filter(|held| held.conflicts(&range)).map(|held| held.owner) {
                if blocker == wanted.owner {
                    return true;
                }
                if seen.insert(blocker) {
                    todo.extend(waits(blocker));
                }
            }
        }
        false
    }

    /// Locks a range; parts that the owner holds already change to this kind.
    ///
    /// # Errors
    /// `EAGAIN`: another owner's lock stands against it; `ENOLCK`: the owner has too many there.
    pub fn lock(&mut self, key: Key, wanted: Range) -> Result<(), Errno> {
        if self.against(key, &wanted).is_some() {
            return Err(Errno::EAGAIN);
        }
        self.limit(key, wanted.owner)?;
        let inode = self.inodes.entry(key).or_default();
        cut(&mut inode.ranges, &wanted);
        inode.ranges.push(wanted);
        merge(&mut inode.ranges, wanted.owner);
        Ok(())
    }

    /// Unlocks a range of its owner's. Answers whether anything changed.
    ///
    /// # Errors
    /// `ENOLCK`: one range would become two, and the owner has too many there.
    pub fn unlock(&mut self, key: Key, range: &Range) -> Result<bool, Errno> {
        let Some(inode) = self.inodes.get(&key) else { return Ok(false) };
        let own = |held: &&Range| held.owner == range.owner;
        let splits = |held: &Range| held.start < range.start && held.last > range.last;
        let changed = inode.ranges.iter().filter(own).any(|held| held.overlaps(range));
        if inode.ranges.iter().filter(own).any(splits) {
            self.limit(key, range.owner)?;
        }
        if let Some(inode) = self.inodes.get_mut(&key) {
            cut(&mut inode.ranges, range);
        }
        self.tidy(key);
        Ok(changed)
    }

    /// Unlocks all ranges of an owner (a process that closes any descriptor of the file, fcntl(2)). Answers whether there were any.
    pub fn unlock_all(&mut self, key: Key, owner: Owner) -> bool {
        self.unlock(key, &Range { start: 0, last: u64::MAX, exclusive: false, owner }).unwrap_or(false)
    }

    fn limit(&self, key: Key, owner: Owner) -> Result<(), Errno> {
        let ranges = self.inodes.get(&key).map_or(&[][..], |inode| &inode.ranges);
        let held = ranges.iter().filter(|held| held.owner == owner).count();
        if held >= OWN_MAX { Err(Errno::ENOLCK) } else { Ok(()) }
    }

    /// flock(2) on an open file.
    ///
    /// # Errors
    /// `EAGAIN`: another open file holds it.
    pub fn flock(&mut self, key: Key, file: u64, exclusive: bool) -> Result<(), Errno> {
        let inode = self.inodes.entry(key).or_default();
        let held = |(other, its): &(u64, bool)| *other != file && (exclusive || *its);
        if inode.whole.iter().any(held) {
            self.tidy(key);
            return Err(Errno::EAGAIN);
        }
        inode.whole.retain(|(other, _)| *other != file);
        inode.whole.push((file, exclusive));
        Ok(())
    }

    /// Gives up flock(2)'s lock of an open file. Answers whether there was one.
    pub fn unflock(&mut self, key: Key, file: u64) -> bool {
        let Some(inode) = self.inodes.get_mut(&key) else { return false };
        let before = inode.whole.len();
        inode.whole.retain(|(other, _)| *other != file);
        let changed = inode.whole.len() != before;
        self.tidy(key);
        changed
    }

    fn tidy(&mut self, key: Key) {
        if self.inodes.get(&key).is_some_and(|inode| inode.ranges.is_empty() && inode.whole.is_empty()) {
            self.inodes.remove(&key);
        }
    }
}

/// Takes `hole` out of its owner's ranges.
fn cut(ranges: &mut Vec<Range>, hole: &Range) {
    let mut left = Vec::with_capacity(ranges.len() + 1);
    for range in ranges.drain(..) {
        if range.owner != hole.owner || !range.overlaps(hole) {
            left.push(range);
            continue;
        }
        if let Some(last) = hole.start.checked_sub(1).filter(|last| range.start <= *last) {
            left.push(Range { last, ..range });
        }
        if let Some(start) = hole.last.checked_add(1).filter(|start| *start <= range.last) {
            left.push(Range { start, ..range });
        }
    }
    *ranges = left;
}

/// Joins neighbouring ranges of one owner and kind.
fn merge(ranges: &mut Vec<Range>, owner: Owner) {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges.drain(..) {
        let before = joined.iter_mut().rev().find(|before| before.owner == range.owner);
        match before {
            Some(before)
                if range.owner == owner
                    && before.exclusive == range.exclusive
                    && before.last.checked_add(1) == Some(range.start) =>
            {
                before.last = range.last;
            }
            _ => joined.push(range),
        }
    }
    *ranges = joined;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: Key = (0, 7);

    fn range(start: u64, last: u64, exclusive: bool, owner: u32) -> Range {
        Range { start, last, exclusive, owner: Owner::Process(owner) }
    }

    #[test]
    fn split_and_convert() {
        let mut locks = Locks::default();
        locks.lock(KEY, range(0, 99, true, 1)).unwrap();
        assert_eq!(locks.unlock(KEY, &range(40, 59, false, 1)), Ok(true));
        assert_eq!(locks.lock(KEY, range(40, 59, true, 2)), Ok(()));
        assert_eq!(locks.against(KEY, &range(0, 50, false, 2)).map(|found| found.last), Some(39));
        assert_eq!(locks.lock(KEY, range(0, 39, false, 1)), Ok(()), "one's own is converted");
        assert_eq!(locks.lock(KEY, range(0, 10, false, 3)), Ok(()));
        assert_eq!(locks.lock(KEY, range(0, u64::MAX, true, 3)), Err(Errno::EAGAIN));
    }

    #[test]
    fn deadlock() {
        let mut locks = Locks::default();
        let other = (0, 8);
        locks.lock(KEY, range(0, 9, true, 1)).unwrap();
        locks.lock(other, range(0, 9, true, 2)).unwrap();
        locks.lock(other, range(10, 19, false, 3)).unwrap();
        // 2 waits for 1's, and 3 for 2's.
        let waits = |owner| match owner {
            Owner::Process(2) => vec![(KEY, range(5, 5, true, 2))],
            Owner::Process(3) => vec![(other, range(0, 0, true, 3)), (other, range(0, 0, true, 3))],
            _ => Vec::new(),
        };
        assert!(locks.deadlocks(other, &range(0, 9, true, 1), &waits));
        assert!(locks.deadlocks(other, &range(15, 15, true, 1), &waits), "by way of 3 and 2");
        assert!(!locks.deadlocks(other, &range(15, 15, false, 1), &waits), "3 has only a shared one");
        assert!(!locks.deadlocks(KEY, &range(0, 9, true, 4), &waits), "1 waits for nothing");
    }

    #[test]
    fn limit() {
        let mut locks = Locks::default();
        let byte = |at| range(2 * at, 2 * at, true, 1);
        for at in 0..OWN_MAX as u64 {
            locks.lock(KEY, byte(at)).unwrap();
        }
        assert_eq!(locks.lock(KEY, byte(OWN_MAX as u64)), Err(Errno::ENOLCK));
        assert_eq!(locks.lock(KEY, range(1 << 20, 1 << 21, true, 2)), Ok(()), "others may");
        assert_eq!(locks.unlock(KEY, &range(0, 0, false, 2)), Ok(false));
        assert_eq!(locks.unlock(KEY, &byte(0)), Ok(true));
        assert_eq!(locks.lock(KEY, byte(0)), Ok(()));
    }

    #[test]
    fn flock_is_of_the_open_file() {
        let mut locks = Locks::default();
        assert_eq!(locks.flock(KEY, 1, false), Ok(()));
        assert_eq!(locks.flock(KEY, 2, false), Ok(()));
        assert_eq!(locks.flock(KEY, 1, true), Err(Errno::EAGAIN));
        assert!(locks.unflock(KEY, 2));
        assert_eq!(locks.flock(KEY, 1, true), Ok(()));
        assert!(locks.unflock(KEY, 1) && !locks.unflock(KEY, 1));
        assert!(locks.inodes.is_empty());
    }

    proptest! {
        /// Against a model of one lock per byte.
        #[test]
        fn model(steps in prop::collection::vec((0_u64..12, 0_u64..6, 0..3_u32, any::<bool>(), any::<bool>()), 1..60)) {
            let mut locks = Locks::default();
            let mut model: Vec<Vec<(u32, bool)>> = vec![Vec::new(); 20];
            for (start, len, owner, exclusive, unlock) in steps {
                let (last, wanted) = (start + len, range(start, start + len, exclusive, owner));
                let bytes = usize::try_from(start).unwrap()..=usize::try_from(last).unwrap();
                let free = model[bytes.clone()].iter().flatten()
                    .all(|(other, its)| *other == owner || !(exclusive || *its));
                if unlock {
                    prop_assert!(locks.unlock(KEY, &wanted).is_ok());
                } else {
                    prop_assert_eq!(locks.lock(KEY, wanted).is_ok(), free);
                }
                if unlock || free {
                    for byte in &mut model[bytes] {
                        byte.retain(|(other, _)| *other != owner);
                        if !unlock {
                            byte.push((owner, exclusive));
                        }
                    }
                }
            }
        }
    }
}
