//! How often each call was served.

use abi::private;
use abi::table;

/// Linux's numbers are below this.
const LINUX: usize = 512;
/// Room for private calls, from [`private::FIRST`] on.
const PRIVATE: usize = 32;
/// Where calls of any other number are counted: clients choose numbers, and must not choose how much is kept.
const OTHER: usize = LINUX + PRIVATE;

/// One counter for each call, found without a search.
#[derive(Debug)]
pub(crate) struct Counters([u64; OTHER + 1]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; OTHER + 1])
    }
}

impl Counters {
    pub(crate) fn count(&mut self, nr: u32) {
        self.0[slot(nr)] += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The calls that were served, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counted = self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        counted.map(|(slot, count)| (name(slot), *count))
    }
}

fn slot(nr: u32) -> usize {
    let nr = nr as usize;
    let first = private::FIRST as usize;
    match nr {
        _ if nr < LINUX => nr,
        _ if (first..first + PRIVATE).contains(&nr) => nr - first + LINUX,
        _ => OTHER,
    }
}

fn name(slot: usize) -> &'static str {
    let nr = if slot < LINUX { slot } else { slot - LINUX + private::FIRST as usize };
    let row = u32::try_from(nr).ok().and_then(table::lookup);
    row.map_or("unknown", |row| row.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_numbers_have_names_and_others_share_one_place() {
        let mut counters = Counters::default();
        for nr in [abi::nr::READ, private::HALT, 511, 600, private::FIRST + 999, u32::MAX] {
            counters.count(nr);
        }
        let found: Vec<_> = counters.iter().collect();
        assert_eq!(found, [("read", 1), ("unknown", 1), ("rump_halt", 1), ("unknown", 3)]);
        assert_eq!(counters.total(), 6);
    }
}
