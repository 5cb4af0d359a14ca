//! What trampolines refer to: a page in front of those of each object, at a fixed distance from them, so that their code is the same
//! in each process. (Not by way of the thread's block: `%gs` may be the program's.)

use crate::entry_unsafe::enter;
use crate::sites_unsafe::{PAGE, map};
use crate::{gates_unsafe, interest, marks};
use core::mem::offset_of;

/// See the module.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Around {
    /// `intercept_enter`.
    enter: u64,
    /// The first gate ([`crate::gates_unsafe`]).
    gates: u64,
    /// A byte per number ([`crate::interest`]).
    numbers: u64,
    /// A byte per descriptor ([`crate::marks`]).
    marks: u64,
}

impl Around {
    /// Where they are in the page.
    pub(crate) const ENTER: u64 = offset_of!(Self, enter) as u64;
    pub(crate) const GATES: u64 = offset_of!(Self, gates) as u64;
    pub(crate) const NUMBERS: u64 = offset_of!(Self, numbers) as u64;
    pub(crate) const MARKS: u64 = offset_of!(Self, marks) as u64;

    /// Fills the page at this address.
    ///
    /// # Safety
    /// It is mapped, writable, and the caller's.
    pub(crate) unsafe fn fill(at: u64) {
        let around = Self {
            enter: enter(),
            gates: gates_unsafe::base(),
            numbers: interest::TABLE.as_ptr() as u64,
            marks: marks::TABLE.as_ptr() as u64,
        };
        // SAFETY: the caller's promise; a page is aligned.
        unsafe { (at as *mut Self).write(around) };
    }

    /// Maps a page at this address, if it is free, and fills it.
    pub(crate) fn place(at: u64) -> bool {
        let mapped = map(at, PAGE);
        if mapped {
            // SAFETY: just mapped.
            unsafe { Self::fill(at) };
        }
        mapped
    }
}
