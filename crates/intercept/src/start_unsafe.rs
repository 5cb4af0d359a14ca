//! The start, before the program has run an instruction of its own.

use crate::cache_unsafe::{Directory, Stat};
use crate::entry_unsafe::image_start;
use crate::hooks::{Answer, Call, Hooks};
use crate::image_unsafe::{Image, Object, own_build_id};
use crate::prepared_unsafe::{Candidate, Pagemap};
use crate::sites_unsafe::{compile, install};
use crate::{
    block_unsafe, cache_unsafe, counts_unsafe, dispatch_user_unsafe, gates_unsafe, gs_unsafe, interest,
    later_unsafe, scan_unsafe, slow_unsafe,
};
use abi::Errno;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use sitelist::{BuildId, SiteList};

/// What has become of an object's calls, or of several objects'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    /// Instructions rewritten.
    pub(crate) sites: usize,
    /// Whether there is no other that makes a call.
    pub(crate) whole: bool,
}

impl Done {
    /// What is left as it is.
    pub(crate) const LEFT: Self = Self { sites: 0, whole: false };
    /// What makes no call.
    pub(crate) const NONE: Self = Self { sites: 0, whole: true };

    fn and(self, other: Self) -> Self {
        Self { sites: self.sites + other.sites, whole: self.whole && other.whole }
    }
}

/// linux/limits.h
const PATH_MAX: usize = 4096;

/// Objects with fewer sites are rewritten in each process.
const PREPARED_MIN: usize = 32;

/// Objects that always hold true `syscall` instructions; others are looked through.
const WITH_SITES: &[&[u8]] = &[b"libc.", b"libc-", b"ld-", b"libpthread", b"liburing.", b"libgomp."];
const SANITIZERS: &[&[u8]] = &[b"libasan.", b"libtsan.", b"libubsan.", b"liblsan."];

/// Catches the program's calls from now on. `RUMPHIJACK__NOPATCH=1` in the environment leaves the program's code
/// as it is: all calls are trapped. `RUMPHIJACK__TRAPS=FILE` counts calls in a file that is there ([`abi::counts`]).
///
/// # Errors
/// The host's: there is no memory, or the calls cannot be caught in any way (`ENOSYS`).
///
/// # Safety
/// The process has one thread, and `%gs` is nobody's.
pub unsafe fn start(hooks: Hooks, image: Image) -> Result<(), Errno> {
    if let Some(path) = image.variable(b"RUMPHIJACK__TRAPS") {
        // A process that has become another user's cannot open it, and runs all the same.
        let _ = count_in(path);
    }
    interest::fill(hooks.interest, counts_unsafe::each_call());
    let hooks: &'static Hooks = Box::leak(Box::new(hooks));
    slow_unsafe::set_hooks(hooks);
    gs_unsafe::start(image.hwcap2());
    block_unsafe::activate()?;
    // SAFETY: the flag is in the thread's block.
    unsafe { host::gadget_unsafe::set_pending(pending) };
    dispatch_user_unsafe::prepare()?;
    // Under ld.so the libraries are yet to come, and are rewritten together with the program.
    // SAFETY: the caller's promise.
    let done = if image.has_linker() { Done::LEFT } else { unsafe { rewrite(hooks, image) } };
    let trapped = !done.whole && dispatch_user_unsafe::need();
    if image.has_linker() {
        LATER.store(Box::into_raw(Box::new(image)), Ordering::Release);
    }
    if done.sites == 0 && !trapped { Err(Errno::ENOSYS) } else { Ok(()) }
}

/// Has calls trapped that are not rewritten, though there may be none. Answers whether they are.
#[must_use]
pub fn trap() -> bool {
    dispatch_user_unsafe::need()
}

fn count_in(path: &[u8]) -> Result<(), Errno> {
    let (file, size) = cache_unsafe::open_counters(path)?;
    counts_unsafe::share(&file, size)
}

/// An image whose libraries are not mapped yet: ld.so begins under this library.
static LATER: AtomicPtr<Image> = AtomicPtr::new(core::ptr::null_mut());

/// The call by which a copy of this library that ld.so has brought into a program tells another copy, which has loaded
/// that program, that the libraries are mapped. No kernel has it.
const MAPPED: u32 = 0x7fff_fd00;

/// Tells it; `false`: there is no other copy, this one is to catch the program's calls.
#[must_use]
pub fn tell_libraries_are_mapped() -> bool {
    // SAFETY: the host's kernel answers ENOSYS.
    unsafe { host::syscall(MAPPED, [0; 6]) == 0 }
}

/// Answers [`tell_libraries_are_mapped`]: rewrites what there is to rewrite, once. `None`: another call.
pub(crate) fn libraries_are_mapped(call: &Call) -> Option<Answer> {
    if call.nr != MAPPED {
        return None;
    }
    let image = LATER.swap(core::ptr::null_mut(), Ordering::AcqRel);
    if !image.is_null() {
        // SAFETY: `start` stored a box, taken once. ld.so calls the library's first function before any other, so
        // there is one thread.
        let _ = unsafe { rewrite(slow_unsafe::hooks(), *image) };
    }
    Some(Answer::Done(0))
}

extern "C" fn pending() -> *const AtomicU32 {
    // SAFETY: `start` gave this thread a block before it named this function, and `clone` gives one to each thread.
    unsafe { &raw const (*block_unsafe::current()).pending }
}

/// Rewrites what holds true sites.
///
/// # Safety
/// The process has one thread.
unsafe fn rewrite(hooks: &Hooks, image: Image) -> Done {
    if image.variable(b"RUMPHIJACK__NOPATCH") == Some(b"1") {
        return Done::LEFT;
    }
    let mut whole = image.tells_all();
    let mut objects: Vec<(Option<usize>, Object<'_>)> = image
        .objects()
        .filter(|object| object.base != image_start() && object.path.to_bytes().contains(&b'/'))
        .inspect(|object| whole &= object.runs_its_file())
        .map(|object| (rank(object.path.to_bytes()), object))
        .filter(|(rank, object)| rank.is_some() || scan_unsafe::holds_call(object) != Some(false))
        .collect();
    // Gates are handed out in this order, the same in most programs: so what is kept of an object fits.
    objects.sort_by_key(|(rank, object)| (rank.is_none(), *rank, rank.map(|_| object.base)));
    let (directory, pagemap) = (Directory::find(image), Pagemap::open());
    let done = objects
        .iter()
        // SAFETY: the caller's promise.
        .map(|(rank, object)| unsafe {
            rewrite_object(hooks, directory.as_ref(), &pagemap, object, rank.is_some())
        })
        .fold(Done { sites: 0, whole }, Done::and);
    later_unsafe::start(directory.as_ref());
    done
}

/// # Safety
/// As [`rewrite`].
unsafe fn rewrite_object(
    hooks: &Hooks,
    directory: Option<&Directory>,
    pagemap: &Pagemap,
    object: &Object<'_>,
    has_calls: bool,
) -> Done {
    let Some(id) = object.build_id().filter(|id| Some(*id) != own_build_id()) else { return Done::LEFT };
    let Some(file) = Stat::of(object.path) else { return Done::LEFT };
    // What most objects turn out to have none of is asked before their files are looked for.
    let known = if has_calls { None } else { list(hooks, directory, object, id, file.size) };
    match &known {
        None if !has_calls => return Done::LEFT,
        Some(list) if list.sites.is_empty() => return Done { sites: 0, whole: list.whole },
        _ => {}
    }
    // A few pages are copied in less time than a file is opened.
    let kept = directory.filter(|_| known.as_ref().is_none_or(|list| list.sites.len() >= PREPARED_MIN));
    let mut candidate = kept.and_then(|directory| Candidate::new(directory, id, file));
    // SAFETY: the caller's promise.
    if let Some(done) = candidate.as_mut().and_then(|kept| unsafe { kept.map(object, pagemap) }) {
        return done;
    }
    let list = known.or_else(|| list(hooks, directory, object, id, file.size));
    let made = list.and_then(|list| compile(object, &list, gates_unsafe::claim(list.sites.len())?));
    let Some(made) = made else { return Done::LEFT };
    // SAFETY: the caller's promise; what was mapped at the start stays.
    let done = unsafe { install(object, &made, None) };
    // Without a file the next program does the same again.
    let _ = candidate.and_then(|candidate| candidate.write(object, &made));
    done
}

/// Which of the objects that hold true sites this is.
fn rank(path: &[u8]) -> Option<usize> {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    WITH_SITES.iter().chain(SANITIZERS).position(|prefix| name.starts_with(prefix))
}

/// The sites of an object's file: those that were kept, else what the hook knows.
pub(crate) fn list(
    hooks: &Hooks,
    directory: Option<&Directory>,
    object: &Object<'_>,
    id: BuildId,
    size: u64,
) -> Option<SiteList> {
    let fits = |bytes: &[u8]| decode(bytes, id, size);
    let kept = directory.and_then(|directory| fits(&directory.read_list(id)?));
    if kept.is_some() {
        return kept;
    }
    let mut target = [0; PATH_MAX];
    // What the server would take for itself.
    let path = match object.path.to_bytes() {
        b"/proc/self/exe" => {
            let len = host::read_link(object.path, &mut target).ok()?;
            target.get(..len)?
        }
        path => path,
    };
    let bytes = (hooks.sites)(path, id, size)?;
    let list = fits(&bytes)?;
    if let Some(directory) = directory {
        // Without a cache the next program asks again.
        let _ = directory.write_list(id, &bytes);
    }
    Some(list)
}

fn decode(bytes: &[u8], id: BuildId, size: u64) -> Option<SiteList> {
    SiteList::decode(bytes).filter(|list| list.build_id == id && list.file_size == size)
}
