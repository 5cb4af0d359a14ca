//! A file's bytes as pages on the heap.

use super::page::PAGE;
use super::pages::Pages;
use abi::Errno;

/// A file's bytes.
#[derive(Default)]
pub(super) struct Heap {
    pages: Pages,
    len: u64,
}

/// The page of an offset, and the offset in it.
fn split(offset: u64) -> (u64, usize) {
    let page = PAGE as u64;
    (offset / page, usize::try_from(offset % page).unwrap_or(0))
}

impl Heap {
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Bytes that count against the limit.
    pub(super) fn taken(&self) -> u64 {
        (self.pages.len() * PAGE) as u64
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let whole = into.len().min(left);
        let mut done = 0;
        while done < whole {
            let (number, start) = split(offset + done as u64);
            let piece = (PAGE - start).min(whole - done);
            let room = &mut into[done..done + piece];
            match self.pages.get(number) {
                Some(page) => page.read(start, room),
                None => room.fill(0),
            }
            done += piece;
        }
        whole
    }

    /// Writes as much as `free` more bytes allow; the caller has checked that the end is a possible size.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8], free: u64) -> Result<usize, Errno> {
        let (mut done, mut free) = (0, free / PAGE as u64);
        while done < bytes.len() {
            let (number, start) = split(offset + done as u64);
            let piece = (PAGE - start).min(bytes.len() - done);
            let before = self.pages.len();
            let Some(page) = self.pages.get_or_make(number, free > 0) else { break };
            page.write(start, &bytes[done..done + piece]);
            free -= (self.pages.len() - before) as u64;
            done += piece;
        }
        if done == 0 && !bytes.is_empty() {
            return Err(Errno::ENOSPC);
        }
        self.len = self.len.max(offset + done as u64);
        Ok(done)
    }

    pub(super) fn set_len(&mut self, size: u64) {
        // Pages that were reserved behind the end go too (mm/shmem.c, shmem_setattr).
        if size <= self.len {
            self.zero(size, u64::MAX);
        }
        self.len = size;
    }

    /// Reserves the pages of a range.
    ///
    /// # Errors
    /// `ENOSPC`: then nothing has changed.
    pub(super) fn reserve(&mut self, start: u64, end: u64, free: u64) -> Result<(), Errno> {
        let range = split(start).0..end.div_ceil(PAGE as u64);
        let there = self.pages.from(range.start).take_while(|(number, _)| *number < range.end).count() as u64;
        if (range.end - range.start).saturating_sub(there) > free / PAGE as u64 {
            return Err(Errno::ENOSPC);
        }
        for number in range {
            self.pages.get_or_make(number, true);
        }
        Ok(())
    }

    /// Drops the whole pages in a range and zeroes the parts of pages at its ends.
    pub(super) fn zero(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let ((first, from), (last, to)) = (split(start), split(end));
        if first == last {
            self.zero_in(first, from, to);
            return;
        }
        if from > 0 {
            self.zero_in(first, from, PAGE);
        }
        self.zero_in(last, 0, to);
        self.pages.remove(first + u64::from(from > 0), last);
    }

    fn zero_in(&mut self, number: u64, from: usize, to: usize) {
        if let Some(page) = self.pages.get_mut(number) {
            page.zero(from, to);
        }
    }

    /// Where the next data is; none: only holes follow.
    pub(super) fn data(&self, offset: u64) -> Option<u64> {
        let mut pages = self.pages.from(split(offset).0).filter(|(_, page)| page.is_written());
        let at = pages.next()?.0.saturating_mul(PAGE as u64).max(offset);
        (at < self.len).then_some(at)
    }

    /// Where the next hole is: at the latest the end.
    pub(super) fn hole(&self, offset: u64) -> u64 {
        let mut number = split(offset).0;
        for (next, page) in self.pages.from(number) {
            if next != number || !page.is_written() {
                break;
            }
            number += 1;
        }
        number.saturating_mul(PAGE as u64).max(offset).min(self.len)
    }

    /// What was written, piece by piece, with where it stands.
    pub(super) fn pieces(&self, start: u64) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.from(start / PAGE as u64).filter_map(|(number, page)| {
            let at = number.checked_mul(PAGE as u64)?;
            let inside = usize::try_from(self.len.saturating_sub(at)).unwrap_or(PAGE);
            let bytes = page.bytes();
            Some((at, &bytes[..bytes.len().min(inside)]))
        })
    }
}
