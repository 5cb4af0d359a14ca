//! An array that grows by pieces and never moves: what a vfork child and its parent's threads use at the same time.

use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// How many items a piece has.
pub(crate) const PIECE: usize = 64;

/// See the module.
pub(crate) struct Pieces<T> {
    items: [T; PIECE],
    next: AtomicPtr<Self>,
}

impl<T: Default> Pieces<T> {
    pub(crate) fn new() -> Self {
        Self { items: core::array::from_fn(|_| T::default()), next: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Item 0.
    pub(crate) fn first(&self) -> &T {
        &self.items[0]
    }

    /// The items in their order, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        core::iter::successors(Some(self), |piece| piece.next()).flat_map(|piece| &piece.items).enumerate()
    }

    /// The item of this number, if the array has grown so far.
    pub(crate) fn get(&self, number: usize) -> Option<&T> {
        let mut piece = self;
        for _ in 0..number / PIECE {
            piece = piece.next()?;
        }
        piece.items.get(number % PIECE)
    }

    /// The item of this number. The array grows until there is one.
    pub(crate) fn reach(&self, number: usize) -> &T {
        let mut piece = self;
        for _ in 0..number / PIECE {
            piece = piece.next().unwrap_or_else(|| piece.grow());
        }
        &piece.items[number % PIECE]
    }

    /// The first item that `claim` takes, with its number. The array grows until there is one.
    pub(crate) fn claim(&self, claim: impl Fn(&T) -> bool) -> (usize, &T) {
        let (mut piece, mut first) = (self, 0);
        loop {
            if let Some(at) = piece.items.iter().position(&claim) {
                return (first + at, &piece.items[at]);
            }
            piece = piece.next().unwrap_or_else(|| piece.grow());
            first += PIECE;
        }
    }

    fn next(&self) -> Option<&Self> {
        // SAFETY: null, or a piece that is not dropped as long as this one is not.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }

    fn grow(&self) -> &Self {
        let new = Box::into_raw(Box::new(Self::new()));
        let added = self.next.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire);
        let next = added.map_or_else(
            |anothers| {
                // SAFETY: made above, and nobody else's.
                drop(unsafe { Box::from_raw(new) });
                anothers
            },
            |_| new,
        );
        // SAFETY: as in `next`.
        unsafe { &*next }
    }
}

impl<T> Drop for Pieces<T> {
    fn drop(&mut self) {
        let next = *self.next.get_mut();
        if !next.is_null() {
            // SAFETY: `grow` made it of a Box, and nobody else drops it.
            drop(unsafe { Box::from_raw(next) });
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use alloc::vec::Vec;
    use core::sync::atomic::AtomicU32;
    use std::thread;

    fn claimed(pieces: &Pieces<AtomicU32>) -> usize {
        let claim =
            |item: &AtomicU32| item.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        pieces.claim(claim).0
    }

    #[test]
    fn it_grows_as_far_as_is_wanted() {
        let pieces = Pieces::<AtomicU32>::new();
        assert!((0..1000).all(|number| claimed(&pieces) == number));
        assert!(pieces.get(1000 + PIECE).is_none());
        pieces.get(500).unwrap().store(0, Ordering::Release);
        assert_eq!((claimed(&pieces), claimed(&pieces)), (500, 1000));
        assert_eq!(pieces.iter().filter(|(_, item)| item.load(Ordering::Relaxed) == 1).count(), 1001);
    }

    #[test]
    fn threads_claim_different_items() {
        const EACH: usize = 500;
        let pieces = Pieces::<AtomicU32>::new();
        let mut numbers: Vec<usize> = thread::scope(|scope| {
            let claim = || (0..EACH).map(|_| claimed(&pieces)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(claim)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        numbers.sort_unstable();
        assert!(numbers.iter().enumerate().all(|(at, number)| at == *number));
    }
}
