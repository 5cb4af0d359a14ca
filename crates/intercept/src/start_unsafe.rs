//! The start, before the program has run an instruction of its own.

use crate::hooks::{Answer, Call, Hooks};
use crate::image_unsafe::{Image, Object};
use crate::sites_unsafe::{Module, rewrite};
use crate::{
    block_unsafe, cache_unsafe, counts_unsafe, dispatch_user_unsafe, interest, slow_unsafe, trampoline,
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
    block_unsafe::activate()?;
    // SAFETY: the flag is in the thread's block.
    unsafe { host::gadget_unsafe::set_pending(pending) };
    // Under ld.so the libraries are yet to come, and are rewritten together with the program.
    let modules = if image.has_linker() { Vec::new() } else { modules(hooks, image) };
    let trapped = dispatch_user_unsafe::start().is_ok();
    // SAFETY: the caller's promise.
    let rewritten = unsafe { rewrite(&modules) };
    if image.has_linker() {
        LATER.store(Box::into_raw(Box::new(image)), Ordering::Release);
    }
    if rewritten == 0 && !trapped { Err(Errno::ENOSYS) } else { Ok(Caught { rewritten, trapped }) }
}

fn count_in(path: &[u8]) -> Result<(), Errno> {
    let size = cache_unsafe::size_of_file(path).ok_or(Errno::ENOENT)?;
    counts_unsafe::share(&cache_unsafe::open_counters(path)?, size)
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
        unsafe { rewrite(&modules(slow_unsafe::hooks(), *image)) };
    }
    Some(Answer::Done(0))
}

extern "C" fn pending() -> *const AtomicU32 {
    // SAFETY: `start` gave this thread a block before it named this function, and `clone` gives one to each thread.
    unsafe { &raw const (*block_unsafe::current()).pending }
}

fn modules(hooks: &Hooks, image: Image) -> Vec<Module> {
    if image.variable(b"RUMPHIJACK__NOPATCH") == Some(b"1") {
        return Vec::new();
    }
    let directory = cache_unsafe::directory(image);
    let objects =
        image.objects().into_iter().filter(|object| object.is_program() || is_wanted(object.path.to_bytes()));
    let mut modules: Vec<Module> =
        objects.filter_map(|object| module(hooks, directory.as_deref(), &object)).collect();
    modules.sort_by_key(|module| module.base);
    modules
}

fn is_wanted(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    WITH_SITES.iter().chain(SANITIZERS).any(|prefix| name.starts_with(prefix))
}

fn module(hooks: &Hooks, directory: Option<&[u8]>, object: &Object) -> Option<Module> {
    let id = object.build_id()?;
    let size = cache_unsafe::file_size(object.path)?;
    let fits = |bytes: &[u8]| decode(bytes, id, size);
    let kept = directory.and_then(|directory| fits(&cache_unsafe::read(directory, id)?));
    let list = match kept {
        Some(list) => list,
        None => {
            let bytes = (hooks.sites)(object.path.to_bytes(), id, size)?;
            let list = fits(&bytes)?;
            if let Some(directory) = directory {
                // Without a cache the next program asks again.
                let _ = cache_unsafe::write(directory, id, &bytes);
            }
            list
        }
    };
    let list = if object.is_program() { proven(object.base, list) } else { list };
    Some(Module { base: object.base, list })
}

/// Of the sites in a program those that show by what stands beside them that they are code. A C library's text holds nothing else;
/// a program's may hold data, which was taken for instructions.
fn proven(base: u64, mut list: SiteList) -> SiteList {
    list.sites.retain(|site| {
        let numbered = trampoline::number(site).is_some_and(|number| number < NUMBERS as u32);
        let mut behind = [0; 6];
        let read = host::copy_in(base + u64::from(site.call) + 2, &mut behind).is_ok();
        numbered || read && CHECKED.iter().any(|check| behind.starts_with(check))
    });
    list
}

fn decode(bytes: &[u8], id: BuildId, size: u64) -> Option<SiteList> {
    SiteList::decode(bytes).filter(|list| list.build_id == id && list.file_size == size)
}
