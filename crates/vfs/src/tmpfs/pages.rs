//! Which pages a file on the heap has.

use super::page::Page;
use std::collections::BTreeMap;

/// Pages that are found together. A tree of single pages was a quarter of the time of a random read in a file of 256 MiB.
const TOGETHER: u64 = 64;

/// Pages by their number; one that is missing is a hole.
#[derive(Default)]
pub(super) struct Pages {
    /// Of each piece of the file that has any: its pages up to the last.
    pieces: BTreeMap<u64, Vec<Option<Page>>>,
    count: usize,
}

/// The piece of a page, and its place there.
fn place(number: u64) -> (u64, usize) {
    (number / TOGETHER, usize::try_from(number % TOGETHER).unwrap_or(0))
}

impl Pages {
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    pub(super) fn get(&self, number: u64) -> Option<&Page> {
        let (piece, at) = place(number);
        self.pieces.get(&piece)?.get(at)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Page> {
        let (piece, at) = place(number);
        self.pieces.get_mut(&piece)?.get_mut(at)?.as_mut()
    }

    /// The page, made if it is missing and `may_make`.
    pub(super) fn get_or_make(&mut self, number: u64, may_make: bool) -> Option<&mut Page> {
        let (piece, at) = place(number);
        if !may_make {
            return self.get_mut(number);
        }
        let piece = self.pieces.entry(piece).or_default();
        if piece.len() <= at {
            // No more than the pages of a short file take.
            piece.reserve_exact((at + 1).next_power_of_two() - piece.len());
            piece.resize_with(at + 1, || None);
        }
        let page = &mut piece[at];
        self.count += usize::from(page.is_none());
        Some(page.get_or_insert_default())
    }

    /// Makes all pages from this number on holes, up to `end`.
    pub(super) fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let mut whole = Vec::new();
        for (number, piece) in self.pieces.range_mut(place(start).0..=place(end - 1).0) {
            let first = number * TOGETHER;
            let within =
                |at: u64| usize::try_from(at.saturating_sub(first)).unwrap_or(usize::MAX).min(piece.len());
            let (from, to) = (within(start), within(end));
            self.count -= piece[from..to].iter_mut().filter_map(Option::take).count();
            if to == piece.len() {
                piece.truncate(from);
            }
            if piece.is_empty() {
                whole.push(*number);
            }
        }
        whole.iter().for_each(|number| drop(self.pieces.remove(number)));
    }

    /// The pages from a number on, with their numbers.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = (u64, &Page)> {
        let (first, at) = place(number);
        self.pieces.range(first..).flat_map(move |(piece, pages)| {
            let skip = if *piece == first { at } else { 0 };
            let numbered = (piece * TOGETHER..).zip(pages).skip(skip);
            numbered.filter_map(|(number, page)| Some((number, page.as_ref()?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn as_a_set(steps in prop::collection::vec((0..400_u64, 0..400_u64, any::<bool>()), 0..60)) {
            let (mut pages, mut model) = (Pages::default(), BTreeSet::new());
            for (one, other, make) in steps {
                if make {
                    pages.get_or_make(one, true);
                    prop_assert_eq!(pages.get_or_make(other, false).is_some(), model.contains(&other) || one == other);
                    model.insert(one);
                } else {
                    pages.remove(one, other);
                    model.retain(|number| !(one..other).contains(number));
                }
                prop_assert_eq!(pages.len(), model.len());
                prop_assert_eq!(pages.get(other).is_some(), model.contains(&other));
                let found: Vec<u64> = pages.from(one).map(|(number, _)| number).collect();
                prop_assert_eq!(found, model.range(one..).copied().collect::<Vec<_>>());
            }
            pages.remove(0, u64::MAX);
            prop_assert!(pages.pieces.is_empty());
        }
    }
}
