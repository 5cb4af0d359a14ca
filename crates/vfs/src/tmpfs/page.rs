//! A page of a file on the heap.

/// Bytes of a page.
pub(super) const PAGE: usize = 4096;

/// A page's bytes up to the last that was written; those behind are 0. So a file of 100 bytes takes 100 bytes of memory, though a
/// page is what counts against the limit. Without any it was only reserved (fallocate(2)).
#[derive(Default)]
pub(super) struct Page(Vec<u8>);

impl Page {
    /// Whether something was ever written to it: else lseek(2) takes it for a hole, as on Linux's tmpfs.
    pub(super) fn is_written(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Fills `into` from `start` on. Both lie inside the page.
    pub(super) fn read(&self, start: usize, into: &mut [u8]) {
        let there = self.0.get(start..).unwrap_or_default();
        let (copied, zeroed) = into.split_at_mut(there.len().min(into.len()));
        copied.copy_from_slice(&there[..copied.len()]);
        zeroed.fill(0);
    }

    /// Writes from `start` on. All lies inside the page.
    pub(super) fn write(&mut self, start: usize, bytes: &[u8]) {
        let end = start + bytes.len();
        if end > self.0.capacity() {
            let room = end.max((2 * self.0.capacity()).min(PAGE));
            self.0.reserve_exact(room - self.0.len());
        }
        if self.0.len() < start {
            self.0.resize(start, 0);
        }
        let (over, behind) = bytes.split_at((self.0.len() - start).min(bytes.len()));
        self.0[start..start + over.len()].copy_from_slice(over);
        self.0.extend_from_slice(behind);
    }

    pub(super) fn zero(&mut self, from: usize, to: usize) {
        let to = to.min(self.0.len());
        if from < to {
            self.0[from..to].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn as_4096_bytes(steps in prop::collection::vec((0..PAGE, 0..PAGE, any::<u8>(), any::<bool>()), 0..20)) {
            let (mut page, mut model) = (Page::default(), [0_u8; PAGE]);
            for (one, other, byte, write) in steps {
                let (from, to) = (one.min(other), one.max(other));
                if write {
                    page.write(from, &vec![byte; to - from]);
                    model[from..to].fill(byte);
                } else {
                    page.zero(from, to);
                    model[from..to].fill(0);
                }
                let mut found = vec![1; to - from];
                page.read(from, &mut found);
                prop_assert_eq!(&found[..], &model[from..to]);
            }
            let mut whole = [1; PAGE];
            page.read(0, &mut whole);
            prop_assert_eq!(whole, model);
            prop_assert!(page.0.capacity() <= PAGE);
        }
    }
}
