//! Rewriting: trampolines are made for all sites of a list, then each site is made to jump to its own.

use crate::entry_unsafe::enter;
use crate::trampoline::{Surroundings, Trampoline, build, displacement};
use crate::{dispatch_user_unsafe, interest, marks};
use abi::raw::general::{PROT_EXEC, PROT_READ, PROT_WRITE};
use abi::{Errno, nr};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use sitelist::{JUMP_SIZE, Site, SiteList};

const PAGE: u64 = 4096;
const ARENA_SIZE: usize = 256 * 1024;
const MOST: usize = ARENA_SIZE / 32;

/// Room for trampolines. In this object's image: it is within reach of the C library, and one range holds all code of
/// ours that may make calls.
#[repr(C, align(4096))]
struct Arena(UnsafeCell<[u8; ARENA_SIZE]>);

// SAFETY: written only by `rewrite`, while the process has one thread.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; ARENA_SIZE]));

/// Where a trampoline's parts are, and which instruction of the program it stands for.
struct Record {
    start: u64,
    decide: u64,
    native: u64,
    slow: u64,
    end: u64,
    site_start: u64,
    call: u64,
    resume: u64,
    /// The site's `syscall` is still there.
    intact: bool,
    /// Nothing behind the `syscall` was moved.
    plain_end: bool,
}

/// In the order of their addresses, and of their sites'.
static RECORDS: AtomicPtr<Record> = AtomicPtr::new(core::ptr::null_mut());
static RECORD_COUNT: AtomicUsize = AtomicUsize::new(0);

/// An object file in memory whose sites are known.
pub(crate) struct Module {
    pub(crate) base: u64,
    pub(crate) list: SiteList,
}

/// Rewrites all sites of these objects, which are in the order of their addresses, that are what their list says. Answers
/// how many. To be called once with any object.
///
/// # Safety
/// The process has one thread, and the objects stay mapped.
pub(crate) unsafe fn rewrite(modules: &[Module]) -> usize {
    if modules.is_empty() {
        return 0;
    }
    let total: usize = modules.iter().map(|module| module.list.sites.len()).sum();
    let mut records = Vec::with_capacity(total.min(MOST));
    let mut code = Vec::with_capacity(total * 64);
    let start = ARENA.0.get() as u64;
    let around = Surroundings {
        enter: enter(),
        numbers: interest::TABLE.as_ptr() as u64,
        marks: marks::TABLE.as_ptr() as u64,
    };
    for module in modules {
        for site in &module.list.sites {
            let at = start + code.len() as u64;
            // SAFETY: the object is mapped.
            if !unsafe { is_there(module.base, site) } || displacement(at, module.base).is_none() {
                continue;
            }
            let Some(trampoline) = build(site, module.base, at, &around, interest::class) else { continue };
            if code.len() + trampoline.code.len() > ARENA_SIZE || records.len() == MOST {
                break;
            }
            records.push(record(module.base, site, at, &trampoline));
            code.extend_from_slice(&trampoline.code);
        }
    }
    // SAFETY: the arena is ours; the caller's promise.
    unsafe {
        core::ptr::copy_nonoverlapping(code.as_ptr(), start as *mut u8, code.len());
        if protect(start, start + ARENA_SIZE as u64, PROT_READ | PROT_EXEC).is_err() {
            return 0;
        }
        publish(records);
        modules.iter().map(|module| redirect(module)).sum()
    }
}

fn record(base: u64, site: &Site, at: u64, trampoline: &Trampoline) -> Record {
    let within = |offset: usize| at + offset as u64;
    Record {
        start: at,
        decide: within(trampoline.decide),
        native: within(trampoline.native),
        slow: within(trampoline.slow),
        end: within(trampoline.code.len()),
        site_start: base + u64::from(site.start),
        call: base + u64::from(site.call),
        resume: base + u64::from(site.resume()),
        intact: u32::from(site.len) <= site.call - site.start,
        plain_end: site.after().is_empty(),
    }
}

/// Whether the bytes in memory are those of the list.
///
/// # Safety
/// The object must be mapped.
unsafe fn is_there(base: u64, site: &Site) -> bool {
    let mut bytes = [0_u8; sitelist::CODE_MAX];
    let Some(bytes) = bytes.get_mut(..site.code.len()) else { return false };
    // The list may be another's: an address of it may be anything.
    host::copy_in(base + u64::from(site.start), bytes).is_ok() && *bytes == *site.code
}

fn publish(records: Vec<Record>) {
    let records = records.leak();
    RECORD_COUNT.store(records.len(), Ordering::Release);
    RECORDS.store(records.as_mut_ptr(), Ordering::Release);
}

fn records() -> &'static [Record] {
    let records = RECORDS.load(Ordering::Acquire);
    if records.is_null() {
        return &[];
    }
    // SAFETY: `publish` stored a slice that is never freed.
    unsafe { core::slice::from_raw_parts(records, RECORD_COUNT.load(Ordering::Acquire)) }
}

/// Makes the sites of an object jump.
///
/// # Safety
/// As [`rewrite`].
unsafe fn redirect(module: &Module) -> usize {
    let in_module = |record: &&Record| {
        let sites = &module.list.sites;
        let address = |site: Option<&Site>| site.map_or(0, |site| module.base + u64::from(site.start));
        (address(sites.first())..=address(sites.last())).contains(&record.site_start)
    };
    let mine = || records().iter().filter(in_module);
    let (Some(first), Some(last)) = (mine().next(), mine().next_back()) else { return 0 };
    let (from, to) = (first.site_start, last.resume);
    // Not writable and executable at once: some hosts forbid it, and nobody executes the object now.
    if protect(from, to, PROT_READ | PROT_WRITE).is_err() {
        return 0;
    }
    let mut count = 0;
    for record in mine() {
        let Some(jump) = displacement(record.site_start + u64::from(JUMP_SIZE), record.start) else {
            continue;
        };
        let mut bytes = [0xe9; JUMP_SIZE as usize];
        bytes[1..].copy_from_slice(&jump.to_le_bytes());
        // SAFETY: the span is at least this long, its bytes are what the list says, and its page is writable.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), record.site_start as *mut u8, bytes.len()) };
        count += 1;
    }
    // If this fails the program cannot run at all; the next instruction of libc says so.
    let _ = protect(from, to, PROT_READ | PROT_EXEC);
    count
}

fn protect(from: u64, to: u64, protection: u32) -> Result<(), Errno> {
    let start = from & !(PAGE - 1);
    let len = to.next_multiple_of(PAGE) - start;
    // SAFETY: the pages are this crate's arena or the text of an object that it rewrites.
    Errno::from_rax(unsafe {
        host::syscall(nr::MPROTECT, [start as usize, len as usize, protection as usize, 0, 0, 0])
    })
    .map(drop)
}

impl Record {
    /// Where the call is made once more.
    fn again(&self) -> u64 {
        if self.intact && dispatch_user_unsafe::range()[1] != 0 { self.call } else { self.decide }
    }
}

/// The trampoline at this address.
fn at(rip: u64) -> Option<&'static Record> {
    let records = records();
    records.get(records.partition_point(|record| record.end <= rip)).filter(|record| record.start <= rip)
}

/// Where the program is that is at this address of a trampoline; `None`: it is no trampoline's. For those who look,
/// not to be jumped to: see [`executable`].
pub(crate) fn program_address(rip: u64) -> Option<u64> {
    let record = at(rip)?;
    Some(match rip {
        _ if rip == record.start => record.site_start,
        // In the middle of what was moved: the handler sees the trampoline.
        _ if rip < record.decide => rip,
        _ if rip <= record.native || rip >= record.slow => record.call,
        _ if record.plain_end => record.resume,
        _ => rip,
    })
}

/// Where a call is made once more that is at this address of a trampoline.
pub(crate) fn restart_address(rip: u64) -> Option<u64> {
    at(rip).map(Record::again)
}

/// What to go on with where [`program_address`] told a signal handler this address: the call's instruction may have
/// been overwritten.
pub(crate) fn executable(rip: u64) -> u64 {
    let records = records();
    let found = records.get(records.partition_point(|record| record.call < rip));
    found.filter(|record| record.call == rip).map_or(rip, Record::again)
}
