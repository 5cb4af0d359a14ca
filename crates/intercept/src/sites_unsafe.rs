//! Rewriting: trampolines are made for all sites of a list, then each site is made to jump to its own.

use crate::around_unsafe::Around;
use crate::image_unsafe::Object;
use crate::interest;
use crate::rewritten_unsafe::{self, Claimed, File, INTACT, Later, PLAIN_END, Record, Rewritten};
use crate::start_unsafe::Done;
use crate::trampoline::{Trampoline, build, displacement};
use abi::raw::general::{MAP_ANONYMOUS, MAP_FIXED_NOREPLACE, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE};
use abi::{Errno, nr};
use alloc::vec::Vec;
use core::ops::Range;
use sitelist::{JUMP_SIZE, Site, SiteList};

pub(crate) const PAGE: u64 = 4096;
/// A jump reaches so far (`jmp rel32`).
const REACH: u64 = 1 << 31;
/// Trampolines lie so far below their object, where nothing else does when a program starts.
const BELOW: u64 = 1 << 30;
/// Otherwise they lie above it, at one of the places that are so far apart.
const STEP: u64 = 64 << 20;
/// No trampoline is longer.
const LONGEST: u64 = 192;

/// The trampolines of an object.
pub(crate) struct Trampolines {
    /// Where they are to lie, and what else is kept of them in front ([`room`]).
    pub(crate) place: Range<u64>,
    /// From where in `place`.
    pub(crate) at: u64,
    pub(crate) gate: u32,
    pub(crate) code: Vec<u8>,
    pub(crate) records: Vec<Record>,
    /// No other instruction of the object makes a call.
    pub(crate) whole: bool,
}

/// Bytes in front of so many trampolines, which are the page of the [`Around`], one for what a file has in front, and their records.
pub(crate) fn room(sites: usize) -> u64 {
    2 * PAGE + ((sites * size_of::<Record>()) as u64).next_multiple_of(PAGE)
}

/// Makes the trampolines for those sites of an object that are what the list says, at a place that is free. `gate`: the first of as
/// many gates.
pub(crate) fn compile(object: &Object<'_>, list: &SiteList, gate: u32) -> Option<Trampolines> {
    let room = room(list.sites.len());
    let size = room + (list.sites.len() as u64 * LONGEST).next_multiple_of(PAGE);
    let place = reserve(object, size)?;
    let mut made = Trampolines {
        at: place.start + room,
        place,
        gate,
        code: Vec::with_capacity(list.sites.len() * 96),
        records: Vec::with_capacity(list.sites.len()),
        whole: false,
    };
    for site in &list.sites {
        if object.code(u64::from(site.start), site.code.len()) != Some(site.code.as_slice()) {
            continue;
        }
        let at = made.at + made.code.len() as u64;
        let gate = made.gate + made.records.len() as u32;
        if let Some(trampoline) = build(site, object.base, (at, made.place.start), gate, interest::class) {
            made.records.push(record(site, made.code.len() as u32, &trampoline));
            made.code.extend_from_slice(&trampoline.code);
        }
    }
    made.whole = list.whole && made.records.len() == list.sites.len();
    Some(made)
}

fn record(site: &Site, at: u32, trampoline: &Trampoline) -> Record {
    let within = |offset: usize| at + offset as u32;
    let intact = u32::from(site.len) <= site.call - site.start;
    let plain_end = site.after().is_empty();
    Record {
        start: at,
        decide: within(trampoline.decide),
        native: within(trampoline.native),
        after: within(trampoline.after),
        slow: within(trampoline.slow),
        end: within(trampoline.code.len()),
        site_start: site.start,
        call: site.call,
        resume: site.resume(),
        flags: if intact { INTACT } else { 0 } | if plain_end { PLAIN_END } else { 0 },
    }
}

/// Takes a free place within reach of all of an object.
fn reserve(object: &Object<'_>, size: u64) -> Option<Range<u64>> {
    let Range { start, end } = object.span();
    let below = start.checked_sub(BELOW).filter(|at| *at > PAGE);
    let last = (start + REACH).saturating_sub(size + STEP) & !(STEP - 1);
    let above = core::iter::successors(Some(last), |at| at.checked_sub(STEP)).take_while(|at| *at >= end);
    below.into_iter().chain(above).find(|at| map(*at, size)).map(|at| at..at + size)
}

/// Maps memory at this address, if it is free.
pub(crate) fn map(at: u64, size: u64) -> bool {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    let args = [at as usize, size as usize, (PROT_READ | PROT_WRITE) as usize, flags as usize, usize::MAX, 0];
    // SAFETY: a new mapping. A kernel that does not know the flag (before 4.17) takes the address for a hint.
    match Errno::from_rax(unsafe { host::syscall(nr::MMAP, args) }) {
        Ok(found) if found as u64 == at => true,
        Ok(found) => {
            unmap(found as u64, size);
            false
        }
        Err(_) => false,
    }
}

/// Gives a place back.
pub(crate) fn unmap(at: u64, size: u64) {
    // SAFETY: the caller has mapped it and nothing refers to it.
    unsafe { host::syscall(nr::MUNMAP, [at as usize, size as usize, 0, 0, 0, 0]) };
}

/// An object that may be unmapped while the program runs: its file, its sites, and its place where it has been mapped before.
pub(crate) type Passing<'a> = (File, &'a SiteList, Option<Claimed>);

/// Makes the sites of an object lead to its trampolines.
///
/// # Safety
/// No other thread runs the object's code, and if it does not stay mapped this is told.
pub(crate) unsafe fn install(object: &Object<'_>, made: &Trampolines, passing: Option<Passing<'_>>) -> Done {
    let end = made.at + (made.code.len() as u64).next_multiple_of(PAGE);
    // SAFETY: the place was reserved for this, and is large enough.
    unsafe { core::ptr::copy_nonoverlapping(made.code.as_ptr(), made.at as *mut u8, made.code.len()) };
    // SAFETY: its first page is for this.
    unsafe { Around::fill(made.place.start) };
    let behind = made.place.start + PAGE;
    unmap(behind, made.at - behind);
    unmap(end, made.place.end - end);
    let place = made.place.start..end;
    if made.records.is_empty()
        || protect(made.at, end, PROT_READ | PROT_EXEC).is_err()
        || !make_known(object, made, &place, passing)
    {
        unmap(made.place.start, PAGE);
        unmap(made.at, end - made.at);
        return Done::LEFT;
    }
    // SAFETY: the caller's promise.
    let sites = unsafe { redirect(object, made) };
    Done { sites, whole: made.whole && sites == made.records.len() }
}

fn make_known(
    object: &Object<'_>,
    made: &Trampolines,
    place: &Range<u64>,
    passing: Option<Passing<'_>>,
) -> bool {
    let (base, code) = (object.base, made.at);
    let later = match passing {
        Some((.., Some(claimed))) => return claimed.renew(base, code, place, &made.records),
        Some((file, list, None)) => Some(Later { file, originals: originals(made, list) }),
        None => None,
    };
    let records = made.records.clone().leak();
    rewritten_unsafe::add(Rewritten { base, code, gate: made.gate, records }, place.clone(), later)
}

/// What was at the sites that have trampolines.
fn originals(made: &Trampolines, list: &SiteList) -> Vec<[u8; JUMP_SIZE as usize]> {
    let of = |record: &Record| {
        let site = list.sites.iter().find(|site| site.call == record.call);
        site.and_then(|site| site.code.first_chunk().copied()).unwrap_or_default()
    };
    made.records.iter().map(of).collect()
}

/// The bytes of the jump that takes a site's place, for trampolines at `code`.
pub(crate) fn jump(code: u64, base: u64, record: &Record) -> Option<[u8; JUMP_SIZE as usize]> {
    let behind = base + u64::from(record.site_start) + u64::from(JUMP_SIZE);
    let mut bytes = [0xe9; JUMP_SIZE as usize];
    bytes[1..].copy_from_slice(&displacement(behind, code + u64::from(record.start))?.to_le_bytes());
    Some(bytes)
}

/// Where an object's sites lie, in whole pages, from its base on.
pub(crate) fn pages(records: &[Record]) -> Option<Range<u64>> {
    let (first, last) = (records.first()?, records.last()?);
    Some(u64::from(first.site_start) & !(PAGE - 1)..u64::from(last.resume).next_multiple_of(PAGE))
}

/// Makes the sites of an object jump. Answers how many do.
///
/// # Safety
/// As [`install`].
unsafe fn redirect(object: &Object<'_>, made: &Trampolines) -> usize {
    let Some(pages) = pages(&made.records) else { return 0 };
    let (from, to) = (object.base + pages.start, object.base + pages.end);
    // Not writable and executable at once: some hosts forbid it, and nobody executes the object now.
    if protect(from, to, PROT_READ | PROT_WRITE).is_err() {
        return 0;
    }
    let mut count = 0;
    for record in &made.records {
        let Some(bytes) = jump(made.at, object.base, record) else { continue };
        let at = object.base + u64::from(record.site_start);
        // SAFETY: the span is at least this long, its bytes are what the list says, and its page is writable.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len()) };
        count += 1;
    }
    // If this fails the program cannot run at all; the next instruction of libc says so.
    let _ = protect(from, to, PROT_READ | PROT_EXEC);
    count
}

fn protect(from: u64, to: u64, protection: u32) -> Result<(), Errno> {
    // SAFETY: the pages are trampolines, or the text of an object that is being rewritten.
    Errno::from_rax(unsafe {
        host::syscall(nr::MPROTECT, [from as usize, (to - from) as usize, protection as usize, 0, 0, 0])
    })
    .map(drop)
}
