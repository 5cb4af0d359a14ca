//! What has been rewritten: which instruction of the program a trampoline or a gate stands for.

use crate::{dispatch_user_unsafe, gates_unsafe};
use core::sync::atomic::{AtomicPtr, Ordering};

/// More objects than any program has that hold true sites.
const OBJECTS: usize = 64;
/// `syscall` is two bytes.
const CALL_SIZE: u64 = 2;

/// Where a trampoline's parts are, from the start of the object's trampolines on, and its site, from the object's base on.
/// It is kept in files ([`crate::prepared_unsafe`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Record {
    pub(crate) start: u32,
    pub(crate) decide: u32,
    pub(crate) native: u32,
    pub(crate) after: u32,
    pub(crate) slow: u32,
    pub(crate) end: u32,
    pub(crate) site_start: u32,
    pub(crate) call: u32,
    pub(crate) resume: u32,
    /// [`INTACT`], [`PLAIN_END`].
    pub(crate) flags: u32,
}

/// The site's `syscall` is still there.
pub(crate) const INTACT: u32 = 1;
/// Nothing behind the `syscall` was moved.
pub(crate) const PLAIN_END: u32 = 2;

/// An object that has been rewritten.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rewritten {
    pub(crate) base: u64,
    /// Where its trampolines are.
    pub(crate) code: u64,
    /// Its first site's gate.
    pub(crate) gate: u32,
    /// In the order of their sites, which is that of their trampolines.
    pub(crate) records: &'static [Record],
}

static ALL: [AtomicPtr<Rewritten>; OBJECTS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; OBJECTS];

/// Makes an object known, before its sites lead to trampolines. `false`: there are too many.
pub(crate) fn add(rewritten: Rewritten) -> bool {
    for (gate, record) in (rewritten.gate..).zip(rewritten.records) {
        gates_unsafe::set_back(gate, rewritten.back(record));
    }
    let new = alloc::boxed::Box::into_raw(alloc::boxed::Box::new(rewritten));
    let null = core::ptr::null_mut();
    ALL.iter().any(|slot| slot.compare_exchange(null, new, Ordering::AcqRel, Ordering::Relaxed).is_ok())
}

fn all() -> impl Iterator<Item = &'static Rewritten> {
    // SAFETY: `add` stores boxes that are never freed.
    ALL.iter().map_while(|slot| unsafe { slot.load(Ordering::Acquire).as_ref() })
}

impl Rewritten {
    /// Where the site goes on behind its gate.
    fn back(&self, record: &Record) -> u64 {
        if record.flags & PLAIN_END != 0 {
            self.base + u64::from(record.resume)
        } else {
            self.code + u64::from(record.after)
        }
    }

    /// Where the call is made once more.
    fn again(&self, record: &Record) -> u64 {
        if record.flags & INTACT != 0 && dispatch_user_unsafe::range()[1] != 0 {
            self.base + u64::from(record.call)
        } else {
            self.code + u64::from(record.decide)
        }
    }

    /// The trampoline at this address.
    fn at(&self, rip: u64) -> Option<&'static Record> {
        let offset = u32::try_from(rip.checked_sub(self.code)?).ok()?;
        let found = self.records.get(self.records.partition_point(|record| record.end <= offset));
        found.filter(|record| record.start <= offset)
    }

    /// Where the program is that is at this address of a trampoline.
    fn program_address(&self, record: &Record, rip: u64) -> u64 {
        let offset = (rip - self.code) as u32;
        match offset {
            _ if offset == record.start => self.base + u64::from(record.site_start),
            // In the middle of what was moved: the handler sees the trampoline.
            _ if offset < record.decide || (record.after..record.slow).contains(&offset) => rip,
            _ => self.base + u64::from(record.call),
        }
    }
}

/// The site whose gate an address is in, and how far inside.
fn behind_gate(rip: u64) -> Option<(&'static Rewritten, &'static Record, u64)> {
    let (gate, offset) = gates_unsafe::find(rip)?;
    all().find_map(|rewritten| {
        let at = gate.checked_sub(rewritten.gate)?;
        Some((rewritten, rewritten.records.get(at as usize)?, offset))
    })
}

/// Where the program is that is at this address of a trampoline or a gate; `None`: it is neither. For those who look,
/// not to be jumped to: see [`executable`].
pub(crate) fn program_address(rip: u64) -> Option<u64> {
    match behind_gate(rip) {
        Some((rewritten, record, 0)) => Some(rewritten.base + u64::from(record.call)),
        Some((rewritten, record, CALL_SIZE)) if record.flags & PLAIN_END != 0 => {
            Some(rewritten.base + u64::from(record.resume))
        }
        Some(_) => Some(rip),
        None => all().find_map(|rewritten| Some(rewritten.program_address(rewritten.at(rip)?, rip))),
    }
}

/// Where a call is made once more that is at this gate.
pub(crate) fn restart_address(gate: u64) -> Option<u64> {
    behind_gate(gate).map(|(rewritten, record, _)| rewritten.again(record))
}

/// What to go on with where [`program_address`] told a signal handler this address: the call's instruction may have
/// been overwritten.
pub(crate) fn executable(rip: u64) -> u64 {
    let here = |rewritten: &'static Rewritten| {
        let offset = u32::try_from(rip.checked_sub(rewritten.base)?).ok()?;
        let at = rewritten.records.partition_point(|record| record.call < offset);
        let record = rewritten.records.get(at).filter(|record| record.call == offset)?;
        Some(rewritten.again(record))
    };
    all().find_map(here).unwrap_or(rip)
}
