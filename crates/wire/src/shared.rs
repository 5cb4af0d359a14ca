//! What a [lane](crate::lane) is made of. Its tests (`tests/races`) have a small model in the place of this file.

pub(crate) use crate::copy_unsafe::{get, put};
pub(crate) use core::sync::atomic::{AtomicU64, Ordering, fence};

/// Words in front of the cells: a page.
pub(crate) const HEAD: usize = 512;
/// Words of a cell: 20 KiB, so that 16 KiB of a program's and what is said of them fit. More goes by the socket, which brings 64 KiB sooner.
pub(crate) const CELL: usize = 2560;
/// How many cells there are; each has a bit of a word.
pub(crate) const CELLS_MAX: usize = 32;
