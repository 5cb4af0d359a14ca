//! Objects that were rewritten before: their code and their trampolines in files of the user's cache directory, to be mapped.
//!
//! Writing jumps into libc copies some 70 of its pages, which takes longer than all else at the start of a program, and is
//! memory of each process. What comes of it depends on the object, this library and the table of interests alone, since
//! trampolines lie at a fixed distance from the object and reach everything else by way of a page in front of them. So the first
//! process writes it to a file and later ones map that.
//!
//! What is mapped is run: a file counts only if it and its directory are the process's own user's, or root's, and nobody else may write
//! to them, and if it says that it was made of the very file that is in memory. Where a debugger or somebody else has changed the
//! object in memory, that is kept: the object is rewritten in place.

use crate::around_unsafe::Around;
use crate::cache_unsafe::{Directory, Stat, open, read_part};
use crate::image_unsafe::{Object, own_build_id};
use crate::rewritten_unsafe::{self, Record, Rewritten};
use crate::sites_unsafe::{PAGE, Trampolines, jump, pages, unmap};
use crate::start_unsafe::Done;
use crate::{gates_unsafe, interest};
use abi::raw::general::{
    MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_PRIVATE, O_CLOEXEC, O_NOFOLLOW, O_RDONLY, PROT_EXEC, PROT_READ,
};
use abi::{Errno, nr};
use alloc::vec;
use alloc::vec::Vec;
use core::mem::{MaybeUninit, offset_of};
use core::ops::Range;
use host::Fd;
use sitelist::BuildId;

const MAGIC: [u8; 8] = *b"rumppc03";
/// So many files are kept of an object: for other versions of this library, other values of RUMPHIJACK.
const SLOTS: u64 = 8;
/// A file that others can use is not replaced by one of our own more often than this.
const REPLACE_SECONDS: i64 = 60;

/// What a file must have been made of to be good for this process.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Key {
    magic: [u8; 8],
    library: BuildId,
    first_gate: u32,
    file: Stat,
    interest: [u8; interest::NUMBERS],
}

/// The first bytes of a file. Behind them, at multiples of the page's size: the records, the trampolines, the object's code.
#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    key: Key,
    /// From the object's base down to where the file is mapped; two's complement.
    distance: u64,
    records: u32,
    code_at: u32,
    text_at: u32,
    text_from: u32,
    text_len: u32,
    size: u32,
    /// [`Trampolines::whole`], as 1 or 0.
    whole: u64,
    /// Of all in front of it.
    check: u64,
}

const _: () = assert!(size_of::<Header>() <= PAGE as usize);

/// An object, and where its file is or should be.
pub(crate) struct Candidate<'a> {
    directory: &'a Directory,
    name: Vec<u8>,
    key: Key,
    /// There is a file that is not to be replaced.
    keep: bool,
}

impl<'a> Candidate<'a> {
    /// What an object's file is called, and what has to be in it.
    pub(crate) fn new(directory: &'a Directory, id: BuildId, file: Stat) -> Option<Self> {
        let key = Key {
            magic: MAGIC,
            library: own_build_id()?,
            first_gate: gates_unsafe::next(),
            file,
            interest: interest::bytes(),
        };
        let slot = b'0' + (hash(bytes_of(core::slice::from_ref(&key))) % SLOTS) as u8;
        Some(Self { directory, name: [&id.hex()[..], b".", &[slot], b".code\0"].concat(), key, keep: false })
    }

    /// Maps the object's file. `None`: there is none that fits, or the object is not as it was in its own file.
    ///
    /// # Safety
    /// No other thread runs the object's code.
    pub(crate) unsafe fn map(&mut self, object: &Object<'_>, untouched: &Pagemap) -> Option<Done> {
        let flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
        let file = self.directory.open(&self.name, flags).ok()?;
        let stat = self.directory.trusted(&file)?;
        let header = read_header(&file, &stat)?;
        if header.key != self.key {
            self.keep = stat.age_seconds() < REPLACE_SECONDS;
            return None;
        }
        self.keep = true;
        let text = header.text(object)?;
        if !untouched.holds(object.base + text.start..object.base + text.end) {
            return None;
        }
        // SAFETY: the caller's promise; the file fits.
        unsafe { map_file(&file, &header, object, text) }
    }

    /// Writes the object's file for later processes. `false`: it could not be.
    pub(crate) fn write(&self, object: &Object<'_>, made: &Trampolines) -> Option<()> {
        let sites = pages(&made.records).filter(|_| !self.keep)?;
        // All of the segment: a mapping in the middle of another makes three.
        let pages = object.pages(sites.start, sites.end)?;
        let mut text = vec![0; usize::try_from(pages.end - pages.start).ok()?];
        // From the file: a debugger's breakpoints are in memory.
        read_part(object.path, &mut text, object.file_offset(pages.start, pages.end)?).ok()?;
        for record in &made.records {
            let at = usize::try_from(u64::from(record.site_start) - pages.start).ok()?;
            let bytes = jump(made.at, object.base, record)?;
            let here = text.get_mut(at..at + bytes.len())?;
            // What is in memory is what is in the file, but for what has just been written there.
            if object.code(u64::from(record.site_start), bytes.len()) != Some(&bytes) {
                return None;
            }
            here.copy_from_slice(&bytes);
        }
        let bytes = self.lay_out(object, made, &pages, &text)?;
        self.directory.write(&self.name, &bytes).ok()
    }

    fn lay_out(
        &self,
        object: &Object<'_>,
        made: &Trampolines,
        pages: &Range<u64>,
        text: &[u8],
    ) -> Option<Vec<u8>> {
        let start = made.place.start + PAGE;
        let code_at = usize::try_from(made.at - start).ok()?;
        let text_at = (code_at + made.code.len()).next_multiple_of(PAGE as usize);
        let header = Header {
            key: self.key,
            distance: object.base.wrapping_sub(start),
            records: made.records.len() as u32,
            code_at: u32::try_from(code_at).ok()?,
            text_at: u32::try_from(text_at).ok()?,
            text_from: u32::try_from(pages.start).ok()?,
            text_len: u32::try_from(text.len()).ok()?,
            size: u32::try_from(text_at + text.len()).ok()?,
            whole: made.whole.into(),
            check: 0,
        };
        let header = Header { check: header.sum(), ..header };
        let mut bytes = Vec::with_capacity(text_at + text.len());
        for (part, at) in [
            (bytes_of(core::slice::from_ref(&header)), 0),
            (bytes_of(&made.records), PAGE as usize),
            (made.code.as_slice(), code_at),
            (text, text_at),
        ] {
            bytes.resize(at, 0);
            bytes.extend_from_slice(part);
        }
        Some(bytes)
    }
}

impl Header {
    fn sum(&self) -> u64 {
        let bytes = bytes_of(core::slice::from_ref(self));
        hash(bytes.get(..offset_of!(Self, check)).unwrap_or_default())
    }

    /// The addresses of the object's code in the file, if all that the header says fits together and the object.
    fn text(&self, object: &Object<'_>) -> Option<Range<u64>> {
        let text = u64::from(self.text_from)..u64::from(self.text_from) + u64::from(self.text_len);
        let records_end = PAGE + u64::from(self.records) * size_of::<Record>() as u64;
        let ordered = records_end <= u64::from(self.code_at)
            && self.code_at <= self.text_at
            && u64::from(self.text_at) + u64::from(self.text_len) == u64::from(self.size);
        let whole = [self.code_at, self.text_at, self.text_from, self.text_len];
        let aligned = whole.iter().all(|&at| u64::from(at) % PAGE == 0);
        object.file_offset(text.start, text.end)?;
        (ordered && aligned && self.records > 0).then_some(text)
    }
}

fn read_header(file: &Fd, stat: &Stat) -> Option<Header> {
    let mut header = MaybeUninit::<Header>::uninit();
    let (at, len) = (header.as_mut_ptr() as usize, size_of::<Header>());
    // SAFETY: the kernel writes within the header, which any bytes make.
    let read = unsafe { host::syscall(nr::PREAD64, [file.number() as usize, at, len, 0, 0, 0]) };
    // SAFETY: it has been filled.
    let header = (read == len as isize).then(|| unsafe { header.assume_init() })?;
    (u64::from(header.size) == stat.size && header.check == header.sum()).then_some(header)
}

/// Maps what a file has of an object.
///
/// # Safety
/// The file fits the object, whose code no other thread runs.
unsafe fn map_file(file: &Fd, header: &Header, object: &Object<'_>, text: Range<u64>) -> Option<Done> {
    let count = header.records as usize;
    let place = object.base.wrapping_sub(header.distance);
    let around = place.checked_sub(PAGE).filter(|around| Around::place(*around))?;
    let mapped = map(place, header.text_at.into(), MAP_FIXED_NOREPLACE, file, 0);
    if mapped != Ok(place) {
        // A kernel that does not know the flag (before 4.17) takes the address for a hint.
        let _ = mapped.map(|elsewhere| unmap(elsewhere, header.text_at.into()));
        unmap(around, PAGE);
        return None;
    }
    // SAFETY: mapped above, page-aligned, and as long as the header says, which fits the file's size.
    let records = unsafe { core::slice::from_raw_parts((place + PAGE) as *const Record, count) };
    let gate = gates_unsafe::claim(count)?;
    let code = place + u64::from(header.code_at);
    let rewritten = Rewritten { base: object.base, code, gate, records };
    let known = rewritten_unsafe::add(rewritten, around..place + u64::from(header.text_at), None);
    let at = object.base + text.start;
    let installed = known && map(at, header.text_len.into(), MAP_FIXED, file, header.text_at.into()).is_ok();
    installed.then_some(Done { sites: count, whole: header.whole == 1 })
}

fn map(at: u64, len: u64, flags: u32, file: &Fd, offset: u64) -> Result<u64, Errno> {
    let (prot, flags) = (PROT_READ | PROT_EXEC, MAP_PRIVATE | flags);
    let fd = file.number() as usize;
    let args = [at as usize, len as usize, prot as usize, flags as usize, fd, offset as usize];
    // SAFETY: a free place, or an object's code, which is replaced by the same with jumps in it.
    Errno::from_rax(unsafe { host::syscall(nr::MMAP, args) }).map(|at| at as u64)
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The bytes of things without padding.
fn bytes_of<T: Copy>(things: &[T]) -> &[u8] {
    // SAFETY: any initialised memory is bytes; those that are called here have no padding.
    unsafe { core::slice::from_raw_parts(things.as_ptr().cast(), size_of_val(things)) }
}

/// Which pages are the process's own (Documentation/admin-guide/mm/pagemap.rst).
pub(crate) struct Pagemap(Option<Fd>);

impl Pagemap {
    const FILE: u64 = 1 << 61;
    const SWAPPED: u64 = 1 << 62;
    const PRESENT: u64 = 1 << 63;
    const AT_ONCE: usize = 512;

    pub(crate) fn open() -> Self {
        let flags = O_RDONLY | O_CLOEXEC;
        Self(open(b"/proc/self/pagemap\0", flags).ok())
    }

    /// Whether all pages between these addresses are those of the file that is mapped there.
    fn holds(&self, addresses: Range<u64>) -> bool {
        let Some(file) = &self.0 else { return false };
        let mut entries = [0_u64; Self::AT_ONCE];
        let mut page = addresses.start / PAGE;
        while page < addresses.end / PAGE {
            let count = ((addresses.end / PAGE - page) as usize).min(Self::AT_ONCE);
            let (into, len) = (entries.as_mut_ptr() as usize, count * 8);
            let args = [file.number() as usize, into, len, page as usize * 8, 0, 0];
            // SAFETY: the kernel writes within the entries.
            if unsafe { host::syscall(nr::PREAD64, args) } != len as isize {
                return false;
            }
            let own = |entry: &u64| entry & (Self::PRESENT | Self::SWAPPED) != 0 && entry & Self::FILE == 0;
            if entries.iter().take(count).any(own) {
                return false;
            }
            page += count as u64;
        }
        true
    }
}
