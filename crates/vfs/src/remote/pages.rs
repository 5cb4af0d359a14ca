//! Pages of files that were read or written lately.

use super::ahead::{Ahead, Arrivals};
use crate::node::Ino;
use foldhash::{HashMap, HashMapExt};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;
const PAGE_LEN: usize = PAGE as usize;
/// Pages that are kept at most: 64 MiB.
const PAGES_MAX: usize = 16 << 10;
/// Bytes that a file is read ahead of its reader at most.
const AHEAD_MAX: u64 = 512 << 10;

struct Page {
    /// What it is a part of: of what was read at once nothing is copied.
    whole: Arc<Vec<u8>>,
    at: usize,
    /// It was used since it was last looked at for what can go (the CLOCK algorithm).
    used: bool,
}

impl Page {
    fn bytes(&self) -> &[u8] {
        &self.whole[self.at..self.at + PAGE_LEN]
    }

    /// The bytes, of this page alone: it keeps nothing else in memory.
    fn own(&mut self) -> &mut [u8] {
        if self.whole.len() != PAGE_LEN || Arc::get_mut(&mut self.whole).is_none() {
            *self = Self { whole: Arc::new(self.bytes().to_vec()), at: 0, used: self.used };
        }
        let whole: &mut Vec<u8> = Arc::make_mut(&mut self.whole);
        whole
    }
}

pub(super) struct Pages {
    files: HashMap<Ino, BTreeMap<u64, Page>>,
    count: usize,
    clock: VecDeque<(Ino, u64)>,
    readers: HashMap<Ino, Reader>,
    ahead: Ahead,
}

/// Who reads a file.
#[derive(Default)]
struct Reader {
    /// Where the last read ended.
    last: u64,
    /// How much is asked for ahead of it; 0 unless it began where the one before ended.
    ahead: u64,
    /// Where what was asked for ends.
    fetched: u64,
}

impl Reader {
    /// The part to be asked for next: more each time for one who reads on and on.
    fn next(&mut self, from: u64, size: u64) -> Range<u64> {
        self.ahead = (self.ahead * 2).clamp(16 * PAGE, AHEAD_MAX);
        self.fetched = (from + self.ahead).next_multiple_of(PAGE).min(size.next_multiple_of(PAGE)).max(from);
        from..self.fetched
    }
}

impl Pages {
    pub(super) fn new(arrivals: Arrivals) -> Self {
        Self {
            files: HashMap::new(),
            count: 0,
            clock: VecDeque::new(),
            readers: HashMap::new(),
            ahead: Ahead::new(arrivals),
        }
    }

    /// Nothing is known any more.
    pub(super) fn clear(&mut self) {
        self.files.clear();
        self.clock.clear();
        self.readers.clear();
        self.ahead.disown_all();
        self.count = 0;
    }

    /// Fills `into` from `offset` on if all of it is here.
    pub(super) fn read(&mut self, ino: Ino, offset: u64, into: &mut [u8]) -> bool {
        self.take_arrived();
        let Some(file) = self.files.get_mut(&ino) else { return false };
        let end = offset + into.len() as u64;
        let wanted = offset / PAGE..end.div_ceil(PAGE);
        if wanted.end.saturating_sub(wanted.start) > file.len() as u64 {
            return false;
        }
        for number in wanted {
            let Some(page) = file.get_mut(&number) else { return false };
            page.used = true;
            let start = number * PAGE;
            let (from, to) = (offset.max(start), end.min(start + PAGE));
            let part = &page.bytes()[index(from - start)..index(to - start)];
            into[index(from - offset)..index(to - offset)].copy_from_slice(part);
        }
        let reader = self.readers.entry(ino).or_default();
        reader.ahead = if reader.last == offset { reader.ahead } else { 0 };
        reader.last = end;
        true
    }

    /// What to ask for while a reader still has something to read: as what, and which part of the file.
    pub(super) fn ahead(&mut self, ino: Ino, size: u64) -> Option<(u64, Range<u64>)> {
        let reader = self.readers.get_mut(&ino)?;
        let (left, more) = (reader.fetched.saturating_sub(reader.last), size.saturating_sub(reader.fetched));
        if reader.ahead == 0 || left >= reader.ahead || more == 0 || !self.ahead.has_room(ino) {
            return None;
        }
        let part = reader.next(reader.fetched, size);
        Some((self.ahead.ask(ino, part.clone()), part))
    }

    /// Whether a byte that is not here is on its way.
    pub(super) fn is_coming(&self, ino: Ino, offset: u64) -> bool {
        self.ahead.brings(ino, offset)
    }

    fn take_arrived(&mut self) {
        for (ino, offset, bytes) in self.ahead.take() {
            self.put(ino, offset, bytes);
        }
    }

    /// What comes of this file is older than what will be known of it now.
    fn outdate(&mut self, ino: Ino) {
        self.take_arrived();
        self.ahead.disown(ino);
    }

    /// What to ask for when these bytes are wanted: whole pages, and more behind them for one who reads on and on.
    pub(super) fn wanted(&mut self, ino: Ino, offset: u64, len: usize, size: u64) -> (u64, usize) {
        if self.readers.len() > PAGES_MAX {
            self.readers.clear();
        }
        let reader = self.readers.entry(ino).or_default();
        let end = offset + len as u64;
        let goes_on = std::mem::replace(&mut reader.last, end) == offset;
        let start = offset / PAGE * PAGE;
        if goes_on {
            reader.next(end, size);
        } else {
            reader.ahead = 0;
            reader.fetched = end.next_multiple_of(PAGE).min(size.next_multiple_of(PAGE)).max(end);
        }
        (start, index(reader.fetched - start))
    }

    /// Keeps what was read: from the beginning of a page to the end of one, or to the end of the file.
    pub(super) fn put(&mut self, ino: Ino, offset: u64, bytes: Arc<Vec<u8>>) {
        let whole = bytes.len() / PAGE_LEN;
        let number = offset / PAGE;
        if whole * PAGE_LEN < bytes.len() {
            self.insert(ino, number + whole as u64, &bytes[whole * PAGE_LEN..]);
        }
        for (number, at) in (number..).zip(0..whole) {
            let page = Page { whole: Arc::clone(&bytes), at: at * PAGE_LEN, used: false };
            self.enter(ino, number, page);
        }
    }

    /// The file is changed like this; `size` is what it was before.
    pub(super) fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8], size: u64) {
        self.outdate(ino);
        let end = offset + bytes.len() as u64;
        for number in offset / PAGE..end.div_ceil(PAGE) {
            let start = number * PAGE;
            let (from, to) = (offset.max(start), end.min(start + PAGE));
            let part = &bytes[index(from - offset)..index(to - offset)];
            match self.files.get_mut(&ino).and_then(|file| file.get_mut(&number)) {
                Some(page) => page.own()[index(from - start)..index(to - start)].copy_from_slice(part),
                // What stands before in the page is not known, unless nothing does.
                None if from == start && to >= size.min(start + PAGE) => self.insert(ino, number, part),
                None => {}
            }
        }
    }

    /// The file has this size now.
    pub(super) fn truncate(&mut self, ino: Ino, size: u64) {
        self.outdate(ino);
        let Some(file) = self.files.get_mut(&ino) else { return };
        let gone = file.split_off(&size.div_ceil(PAGE));
        self.count = self.count.saturating_sub(gone.len());
        if let Some(page) = file.get_mut(&(size / PAGE)) {
            page.own()[index(size % PAGE)..].fill(0);
        }
    }

    pub(super) fn forget(&mut self, ino: Ino) {
        self.outdate(ino);
        if let Some(file) = self.files.remove(&ino) {
            self.count = self.count.saturating_sub(file.len());
        }
        self.readers.remove(&ino);
    }

    fn insert(&mut self, ino: Ino, number: u64, part: &[u8]) {
        let mut bytes = Vec::with_capacity(PAGE_LEN);
        bytes.extend_from_slice(part);
        bytes.resize(PAGE_LEN, 0);
        self.enter(ino, number, Page { whole: Arc::new(bytes), at: 0, used: false });
    }

    fn enter(&mut self, ino: Ino, number: u64, page: Page) {
        if self.files.entry(ino).or_default().insert(number, page).is_none() {
            self.count += 1;
            self.clock.push_back((ino, number));
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        while self.count > PAGES_MAX || self.clock.len() > 2 * PAGES_MAX {
            let Some((ino, number)) = self.clock.pop_front() else { return };
            let Some(file) = self.files.get_mut(&ino) else { continue };
            match file.get_mut(&number) {
                Some(page) if page.used => {
                    page.used = false;
                    // The rest of what it was read with may go.
                    page.own();
                    self.clock.push_back((ino, number));
                }
                Some(_) => {
                    file.remove(&number);
                    self.count -= 1;
                    if file.is_empty() {
                        self.files.remove(&ino);
                    }
                }
                None => {}
            }
        }
    }
}

/// Differences within a file that are no longer than what is in memory.
fn index(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
