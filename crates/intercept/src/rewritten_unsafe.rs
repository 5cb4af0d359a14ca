//! What has been rewritten: which instruction of the program a trampoline or a gate stands for.

use crate::cache_unsafe::Stat;
use crate::sites_unsafe::{jump, pages, unmap};
use crate::{dispatch_user_unsafe, gates_unsafe};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use sitelist::{BuildId, JUMP_SIZE};

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

/// What tells an object that may be mapped again from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) id: BuildId,
    pub(crate) file: Stat,
}

/// What is kept of an object that was mapped while the program ran, and may be unmapped and mapped again.
#[derive(Debug)]
pub(crate) struct Later {
    pub(crate) file: File,
    /// What was at the sites, in the order of the records.
    pub(crate) originals: Vec<[u8; JUMP_SIZE as usize]>,
}

/// A place for an object. It is never freed, since a signal's handler may look at it at any time, and used again for the same file.
struct Slot {
    base: AtomicU64,
    /// Where its trampolines are, or one of the values below.
    code: AtomicU64,
    /// What is mapped for them.
    place: [AtomicU64; 2],
    gate: u32,
    records: &'static [Record],
    later: Option<Later>,
}

/// The object is mapped no more.
const GONE: u64 = 0;
/// It is about to be rewritten again.
const CLAIMED: u64 = 1;
/// It is being unmapped.
const LEAVING: u64 = 2;

static ALL: [AtomicPtr<Slot>; OBJECTS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; OBJECTS];

/// Makes an object known, before its sites lead to trampolines, which lie in `place`. `false`: there are too many.
pub(crate) fn add(rewritten: Rewritten, place: Range<u64>, later: Option<Later>) -> bool {
    let Rewritten { base, code, gate, records } = rewritten;
    rewritten.aim_gates();
    let place = [AtomicU64::new(place.start), AtomicU64::new(place.end)];
    let slot = Slot { base: AtomicU64::new(base), code: AtomicU64::new(code), place, gate, records, later };
    let new = Box::into_raw(Box::new(slot));
    let null = core::ptr::null_mut();
    let added =
        ALL.iter().any(|slot| slot.compare_exchange(null, new, Ordering::AcqRel, Ordering::Relaxed).is_ok());
    if !added {
        // SAFETY: nobody else has seen it.
        drop(unsafe { Box::from_raw(new) });
    }
    added
}

/// An object that was mapped before, its slot the caller's until it is dropped or [renewed](Claimed::renew).
pub(crate) struct Claimed(&'static Slot);

/// The slot of an object of this file that is mapped no more.
pub(crate) fn claim(file: &File) -> Option<Claimed> {
    let fits = |slot: &&Slot| slot.later.as_ref().is_some_and(|later| later.file == *file);
    slots().filter(fits).find(|slot| slot.change(GONE, CLAIMED)).map(Claimed)
}

impl Claimed {
    /// Its first site's gate.
    pub(crate) fn gate(&self) -> u32 {
        self.0.gate
    }

    /// Makes the object known again. `false`: its trampolines are not what they were.
    pub(crate) fn renew(self, base: u64, code: u64, place: &Range<u64>, records: &[Record]) -> bool {
        let slot = self.0;
        if records != slot.records {
            return false;
        }
        Rewritten { base, code, gate: slot.gate, records: slot.records }.aim_gates();
        slot.base.store(base, Ordering::Relaxed);
        slot.place[0].store(place.start, Ordering::Relaxed);
        slot.place[1].store(place.end, Ordering::Relaxed);
        slot.code.store(code, Ordering::Release);
        true
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        // One that was renewed is in use.
        self.0.change(CLAIMED, GONE);
    }
}

impl Slot {
    fn change(&self, from: u64, to: u64) -> bool {
        self.code.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The object, while it is mapped.
    fn live(&self) -> Option<Rewritten> {
        let code = Some(self.code.load(Ordering::Acquire)).filter(|code| *code > LEAVING)?;
        let base = self.base.load(Ordering::Relaxed);
        Some(Rewritten { base, code, gate: self.gate, records: self.records })
    }
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    // SAFETY: `add` stores boxes that are never freed.
    ALL.iter().map_while(|slot| unsafe { slot.load(Ordering::Acquire).as_ref() })
}

fn all() -> impl Iterator<Item = Rewritten> {
    slots().filter_map(Slot::live)
}

/// The objects that were mapped while the program ran.
fn later() -> impl Iterator<Item = (&'static Slot, &'static Later, Rewritten)> {
    slots().filter_map(|slot| Some((slot, slot.later.as_ref()?, slot.live()?)))
}

/// Whether such an object has sites between these addresses.
pub(crate) fn is_any_within(addresses: Range<u64>) -> bool {
    later().any(|(.., object)| {
        object.sites().is_some_and(|sites| sites.start < addresses.end && addresses.start < sites.end)
    })
}

/// Objects that are being unmapped.
pub(crate) struct Leaving(Vec<(&'static Slot, u64)>);

/// Forgets such objects between these addresses, which are about to be unmapped: as soon as they are, another thread may map
/// and rewrite something there.
pub(crate) fn leave(addresses: &Range<u64>) -> Leaving {
    let whole = |sites: Range<u64>| addresses.start <= sites.start && sites.end <= addresses.end;
    let leaving = later()
        .filter(|(slot, _, object)| object.sites().is_some_and(whole) && slot.change(object.code, LEAVING));
    Leaving(leaving.map(|(slot, _, object)| (slot, object.code)).collect())
}

impl Leaving {
    /// They are unmapped, or they are not and are remembered again.
    pub(crate) fn end(self, unmapped: bool) {
        for (slot, code) in self.0 {
            if unmapped {
                let [start, end] = slot.place.each_ref().map(|end| end.load(Ordering::Relaxed));
                unmap(start, end - start);
            }
            slot.change(LEAVING, if unmapped { GONE } else { code });
        }
    }
}

/// The program may write between these addresses from now on: what it finds in the code of such objects is to be theirs. It may
/// be a loader that is going to relocate it.
pub(crate) fn writable(addresses: Range<u64>) {
    for (_, later, object) in later() {
        for (record, original) in object.records.iter().zip(&later.originals) {
            let at = object.base + u64::from(record.site_start);
            let within = addresses.start <= at && at + u64::from(JUMP_SIZE) <= addresses.end;
            let jump = jump(object.code, object.base, record);
            // SAFETY: mapped, and writable, as the caller says.
            unsafe {
                let site = at as *mut [u8; JUMP_SIZE as usize];
                if within && jump == Some(site.read()) {
                    site.write(*original);
                }
            }
        }
    }
}

impl Rewritten {
    fn aim_gates(&self) {
        for (gate, record) in (self.gate..).zip(self.records) {
            gates_unsafe::set_back(gate, self.back(record));
        }
    }

    /// Where its sites lie, in whole pages.
    fn sites(&self) -> Option<Range<u64>> {
        pages(self.records).map(|pages| self.base + pages.start..self.base + pages.end)
    }

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
fn behind_gate(rip: u64) -> Option<(Rewritten, &'static Record, u64)> {
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
    let here = |rewritten: Rewritten| {
        let offset = u32::try_from(rip.checked_sub(rewritten.base)?).ok()?;
        let at = rewritten.records.partition_point(|record| record.call < offset);
        let record = rewritten.records.get(at).filter(|record| record.call == offset)?;
        Some(rewritten.again(record))
    };
    all().find_map(here).unwrap_or(rip)
}
