//! Objects that are mapped while the program runs (dlopen(3)): their calls are rewritten before anybody can make one, between
//! the return of mmap(2) and the program's next instruction.
//!
//! So the call is made by an instruction of this library's that comes back to it ([`watch`], [`mapped`]). A signal between the two
//! finds the program behind its own call, and the object stays as it is: its calls are trapped. So are those of whatever else is
//! made code and cannot be rewritten: from then on the process needs the trap.

use crate::block_unsafe::{Block, task};
use crate::cache_unsafe::{Directory, Stat, read_at};
use crate::entry_unsafe::{map_made, map_native};
use crate::head::{self, Head};
use crate::hooks::Call;
use crate::image_unsafe::Object;
use crate::rewritten_unsafe::{self, File};
use crate::sites_unsafe::{compile, install};
use crate::slow_unsafe::hooks;
use crate::start_unsafe::{Done, list};
use crate::{dispatch_user_unsafe, gates_unsafe, scan_unsafe};
use abi::raw::general::{MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_TYPE, PROT_EXEC, PROT_READ, PROT_WRITE};
use abi::{Errno, nr};
use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicPtr, Ordering};

/// `syscall` is two bytes.
const CALL_SIZE: u64 = 2;
/// linux/shm.h
const SHM_EXEC: u32 = 0o100_000;
/// linux/personality.h
const READ_IMPLIES_EXEC: u32 = 0x0040_0000;
/// linux/limits.h
const PATH_MAX: usize = 4096;

/// Where lists of sites are kept, if anywhere.
struct Kept(Option<Vec<u8>>);

/// Null: nothing is rewritten.
static KEPT: AtomicPtr<Kept> = AtomicPtr::new(core::ptr::null_mut());

/// From now on what is mapped is rewritten.
pub(crate) fn start(directory: Option<&Directory>) {
    let kept = Kept(directory.map(|directory| directory.path().to_vec()));
    KEPT.store(Box::into_raw(Box::new(kept)), Ordering::Release);
}

fn kept() -> Option<&'static Kept> {
    // SAFETY: only `start` stores here, boxes that are never freed.
    unsafe { KEPT.load(Ordering::Acquire).as_ref() }
}

/// Whether a call maps code of a file, or may map over such a mapping: it has to be looked at behind it, too.
fn concerns(call: &Call) -> bool {
    let [at, len, prot, flags, ..] = call.args;
    let (prot, flags) = (prot as u32, flags as u32);
    is_object(prot, flags)
        || flags & MAP_FIXED != 0 && rewritten_unsafe::is_any_within(at..at.saturating_add(len))
}

/// Whether a mapping may be of an object's code, as ld.so makes it: nobody can write to it.
fn is_object(prot: u32, flags: u32) -> bool {
    prot & (PROT_EXEC | PROT_READ | PROT_WRITE) == PROT_EXEC | PROT_READ
        && flags & MAP_TYPE == MAP_PRIVATE
        && flags & MAP_ANONYMOUS == 0
}

/// Whether a call is to make code of memory.
fn makes_code(call: &Call) -> bool {
    match call.nr {
        nr::MMAP | nr::MPROTECT | nr::PKEY_MPROTECT => call.args[2] as u32 & PROT_EXEC != 0,
        nr::SHMAT => call.args[2] as u32 & SHM_EXEC != 0,
        // All bits only ask.
        nr::PERSONALITY => call.args[0] as u32 & READ_IMPLIES_EXEC != 0 && call.args[0] as u32 != u32::MAX,
        _ => false,
    }
}

/// Has a call of the program's that the host is to carry out come back here, if it is mmap(2) of code.
pub(crate) fn watch(block: *mut Block, call: &Call) {
    if call.nr == nr::MMAP && kept().is_some() && task() == 0 && concerns(call) {
        // SAFETY: the block is the calling thread's.
        unsafe {
            (*block).map_target = (*block).frame.target;
            (*block).frame.target = map_native();
        }
    } else {
        carried_out(call);
    }
}

/// To be told of calls that are not watched, at the latest before the program goes on.
pub(crate) fn carried_out(call: &Call) {
    if makes_code(call) {
        let _ = dispatch_user_unsafe::need();
    }
}

/// The other half, behind the call, whose value is in the frame.
pub(crate) fn mapped(block: *mut Block) -> bool {
    // SAFETY: the block is the calling thread's.
    let frame = unsafe { &mut (*block).frame };
    if frame.target != map_made() {
        return false;
    }
    // SAFETY: as above; `watch` has stored it.
    frame.target = unsafe { (*block).map_target } + CALL_SIZE;
    if let Ok(at) = Errno::from_rax(frame.rax as isize) {
        let [_, len, prot, flags, fd, offset] = frame.args;
        let (at, prot, flags) = (at as u64, prot as u32, flags as u32);
        if flags & MAP_FIXED != 0 {
            // Something else has been there since the host's kernel returned.
            rewritten_unsafe::leave(&(at..at.saturating_add(len))).end(true);
        }
        let rewritten = is_object(prot, flags).then(|| rewrite(at, len, fd as u32, offset)).flatten();
        if prot & PROT_EXEC != 0 && !rewritten.is_some_and(|done| done.whole) {
            let _ = dispatch_user_unsafe::need();
        }
    }
    true
}

/// Rewrites what has just been mapped here, if it is an object's code. `None`: it is left as it is.
fn rewrite(at: u64, len: u64, fd: u32, offset: u64) -> Option<Done> {
    let file = Stat::of_open(fd)?;
    let mut bytes = vec![0; head::SIZE];
    read_at(fd, &mut bytes, 0).ok()?;
    let head = Head::parse(&bytes)?;
    let (text, address) = head.text(offset..offset.checked_add(len)?, file.size)?;
    let path = path(fd)?;
    let object = Object { base: at.wrapping_sub(address), dynamic: 0, path: &path, headers: &[text] };
    if scan_unsafe::holds_call(&object) == Some(false) {
        return Some(Done::NONE);
    }
    let id = head.build_id()?;
    let directory = kept()?.0.as_deref().and_then(Directory::again);
    let list = list(hooks(), directory.as_ref(), &object, id, file.size)?;
    if list.sites.is_empty() {
        return Some(Done { sites: 0, whole: list.whole });
    }
    let file = File { id, file };
    let known = rewritten_unsafe::claim(&file);
    let gate = match &known {
        Some(known) => known.gate(),
        None => gates_unsafe::claim(list.sites.len())?,
    };
    let made = compile(&object, &list, gate)?;
    // SAFETY: the program does not know yet that it is there.
    Some(unsafe { install(&object, &made, Some((file, &list, known))) })
}

/// What /proc calls the file of a descriptor.
fn path(fd: u32) -> Option<CString> {
    let link = CString::new(format!("/proc/self/fd/{fd}")).ok()?;
    let mut path = vec![0; PATH_MAX];
    let len = host::read_link(&link, &mut path).ok()?;
    path.truncate(len);
    CString::new(path).ok().filter(|path| path.as_bytes().starts_with(b"/"))
}
