//! The start, before the program has run an instruction of its own.

use crate::cache_unsafe::{Directory, Stat};
use crate::hooks::{Answer, Call, Hooks};
use crate::image_unsafe::{Image, Object};
use crate::prepared_unsafe::{Candidate, Pagemap};
use crate::sites_unsafe::{compile, install};
use crate::{
    block_unsafe, cache_unsafe, counts_unsafe, dispatch_user_unsafe, gs_unsafe, interest, slow_unsafe,
    trampoline,
};
use abi::Errno;
use abi::counts::NUMBERS;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use sitelist::{BuildId, SiteList};

/// How calls are caught from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caught {
    /// Instructions rewritten.
    pub rewritten: usize,
    /// Whether the others are trapped.
    pub trapped: bool,
}

/// What compilers make of a look at a call's result: `cmp $-4095, %rax`, `cmp $-4096, %rax` or `%eax`, `test %rax, %rax` or
/// `%eax`.
const CHECKED: [&[u8]; 5] = [
    &[0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff],
    &[0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff],
    &[0x3d, 0x00, 0xf0, 0xff, 0xff],
    &[0x48, 0x85, 0xc0],
    &[0x85, 0xc0],
];

/// Objects that hold true `syscall` instructions; other libraries of a distribution have none.
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
pub unsafe fn start(hooks: Hooks, image: Image) -> Result<Caught, Errno> {
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
    let trapped = dispatch_user_unsafe::start().is_ok();
    // Under ld.so the libraries are yet to come, and are rewritten together with the program.
    // SAFETY: the caller's promise.
    let rewritten = if image.has_linker() { 0 } else { unsafe { rewrite(hooks, image) } };
    if image.has_linker() {
        LATER.store(Box::into_raw(Box::new(image)), Ordering::Release);
    }
    if rewritten == 0 && !trapped { Err(Errno::ENOSYS) } else { Ok(Caught { rewritten, trapped }) }
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
        unsafe { rewrite(slow_unsafe::hooks(), *image) };
    }
    Some(Answer::Done(0))
}

extern "C" fn pending() -> *const AtomicU32 {
    // SAFETY: `start` gave this thread a block before it named this function, and `clone` gives one to each thread.
    unsafe { &raw const (*block_unsafe::current()).pending }
}

/// Rewrites what holds true sites. Answers how many there were.
///
/// # Safety
/// The process has one thread.
unsafe fn rewrite(hooks: &Hooks, image: Image) -> usize {
    if image.variable(b"RUMPHIJACK__NOPATCH") == Some(b"1") {
        return 0;
    }
    let is_wanted = |object: &Object| object.is_program() || rank(object.path.to_bytes()).is_some();
    let mut objects: Vec<Object> = image.objects().filter(is_wanted).collect();
    // Gates are handed out in this order, the same in most programs: so what is kept of an object fits.
    objects.sort_by_key(|object| (!object.is_program(), rank(object.path.to_bytes()), object.base));
    let (directory, pagemap) = (Directory::find(image), Pagemap::open());
    // SAFETY: the caller's promise.
    objects.iter().map(|object| unsafe { rewrite_object(hooks, directory.as_ref(), &pagemap, object) }).sum()
}

/// # Safety
/// As [`rewrite`].
unsafe fn rewrite_object(
    hooks: &Hooks,
    directory: Option<&Directory>,
    pagemap: &Pagemap,
    object: &Object,
) -> usize {
    let (Some(id), Some(file)) = (object.build_id(), Stat::of(object.path)) else { return 0 };
    let mut candidate = directory.and_then(|directory| Candidate::new(directory, id, file));
    // SAFETY: the caller's promise.
    if let Some(count) = candidate.as_mut().and_then(|kept| unsafe { kept.map(object, pagemap) }) {
        return count;
    }
    let made = list(hooks, directory, object, id, file.size).and_then(|list| compile(object, &list));
    let Some(made) = made else { return 0 };
    // SAFETY: the caller's promise.
    let count = unsafe { install(object, &made) };
    // Without a file the next program does the same again.
    let _ = candidate.and_then(|candidate| candidate.write(object, &made));
    count
}

/// Which of the objects that hold true sites this is.
fn rank(path: &[u8]) -> Option<usize> {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    WITH_SITES.iter().chain(SANITIZERS).position(|prefix| name.starts_with(prefix))
}

fn list(
    hooks: &Hooks,
    directory: Option<&Directory>,
    object: &Object,
    id: BuildId,
    size: u64,
) -> Option<SiteList> {
    let fits = |bytes: &[u8]| decode(bytes, id, size);
    let kept = directory.and_then(|directory| fits(&directory.read_list(id)?));
    let list = match kept {
        Some(list) => list,
        None => {
            let bytes = (hooks.sites)(object.path.to_bytes(), id, size)?;
            let list = fits(&bytes)?;
            if let Some(directory) = directory {
                // Without a cache the next program asks again.
                let _ = directory.write_list(id, &bytes);
            }
            list
        }
    };
    Some(if object.is_program() { proven(object, list) } else { list })
}

/// Of the sites in a program those that show by what stands beside them that they are code. A C library's text holds nothing else;
/// a program's may hold data, which was taken for instructions.
fn proven(object: &Object, mut list: SiteList) -> SiteList {
    list.sites.retain(|site| {
        let numbered = trampoline::number(site).is_some_and(|number| number < NUMBERS as u32);
        let behind = object.code(u64::from(site.call) + 2, 6).unwrap_or_default();
        numbered || CHECKED.iter().any(|check| behind.starts_with(check))
    });
    list
}

fn decode(bytes: &[u8], id: BuildId, size: u64) -> Option<SiteList> {
    SiteList::decode(bytes).filter(|list| list.build_id == id && list.file_size == size)
}
