//! What this library exports: the names of NetBSD's C library that rumphijack(3) speaks of, in their NetBSD forms
//! (include/rumphijack.h). They make system calls by the C library's syscall(2), like the rest of the program, so that the same rules
//! say whose each is.

use abi::{Errno, nr};
use alloc::boxed::Box;
use core::ffi::{CStr, c_char, c_int, c_long, c_uint, c_void};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use hijack::netbsd::statvfs::Statvfs;
use hijack::netbsd::sysctl::{Name, sysctl as access_node};
use hijack::netbsd::{Calls, handle, mounts};
use hijack::world::{Args, Outcome};
use intercept::Image;

/// mmap(2): memory for getmntinfo(3), which its caller never frees.
const PROT_READ_WRITE: u64 = 3;
const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
/// sys/sysctl.h
const CTL_MAXNAME: c_uint = 12;

/// A function of the C library, which is looked for when it is first needed: most programs call none of ours.
struct Function {
    name: &'static CStr,
    /// 0: not looked for yet.
    address: AtomicUsize,
}

static SYSCALL: Function = Function { name: c"syscall", address: AtomicUsize::new(0) };
static ERRNO_LOCATION: Function = Function { name: c"__errno_location", address: AtomicUsize::new(0) };

/// What the program was started with.
static IMAGE: AtomicPtr<Image> = AtomicPtr::new(core::ptr::null_mut());

/// Remembers where to look for functions of the C library.
pub(crate) fn look_in(image: Image) {
    IMAGE.store(Box::into_raw(Box::new(image)), Ordering::Release);
}

impl Function {
    fn address(&self) -> Option<usize> {
        let known = self.address.load(Ordering::Relaxed);
        if known != 0 {
            return Some(known);
        }
        // SAFETY: null or what `look_in` stored.
        let image = unsafe { IMAGE.load(Ordering::Acquire).as_ref() }?;
        // The C library comes early in the list of objects, before all that the program may open and close meanwhile.
        let found = image.function(self.name)?;
        self.address.store(found, Ordering::Relaxed);
        Some(found)
    }
}

/// The calling thread's errno(3).
fn errno() -> Option<*mut c_int> {
    let address = ERRNO_LOCATION.address()?;
    // SAFETY: a function of this type was found at this address.
    Some(unsafe { core::mem::transmute::<usize, extern "C" fn() -> *mut c_int>(address)() })
}

struct Libc;

impl Calls for Libc {
    fn call(&self, nr: u32, [a, b, c, d, e, f]: Args) -> Outcome {
        type Syscall = extern "C" fn(c_long, u64, u64, u64, u64, u64, u64) -> c_long;
        let (address, errno) = SYSCALL.address().zip(errno()).ok_or(Errno::ENOSYS)?;
        // SAFETY: a function of this type was found at this address; variable arguments are passed as named ones are. `errno` is the
        // calling thread's.
        unsafe {
            let value = core::mem::transmute::<usize, Syscall>(address)(c_long::from(nr), a, b, c, d, e, f);
            if value == -1 { Err(Errno::from_number(*errno)) } else { Ok(value.cast_unsigned()) }
        }
    }
}

/// What a C function answers: the value, or -1 with errno(3).
fn answer(result: Result<usize, Errno>) -> c_int {
    match result {
        Ok(value) => c_int::try_from(value).unwrap_or(c_int::MAX),
        Err(error) => {
            if let Some(errno) = errno() {
                // SAFETY: the calling thread's errno.
                unsafe { *errno = error.number() };
            }
            -1
        }
    }
}

/// The bytes that a program names; a null pointer names none.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> &'a [u8] {
    // SAFETY: the caller's promise.
    if at.is_null() { &[] } else { unsafe { core::slice::from_raw_parts(at.cast(), len) } }
}

/// As `bytes`, to be written.
unsafe fn room<'a>(at: *mut c_void, len: usize) -> &'a mut [u8] {
    // SAFETY: the caller's promise.
    if at.is_null() { &mut [] } else { unsafe { core::slice::from_raw_parts_mut(at.cast(), len) } }
}

/// getvfsstat(2). `size` is in bytes; without a buffer it counts.
///
/// # Safety
/// `buffer` must be null or have room for `size` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getvfsstat(buffer: *mut Statvfs, size: usize, _flags: c_int) -> c_int {
    let room = if buffer.is_null() { 0 } else { size / size_of::<Statvfs>() };
    // SAFETY: the caller's promise; any bytes are a `Statvfs`.
    let out = if room == 0 { &mut [] } else { unsafe { core::slice::from_raw_parts_mut(buffer, room) } };
    let counted = mounts::getvfsstat(&Libc, out);
    answer(counted.map(|count| if buffer.is_null() { count } else { count.min(room) }))
}

/// getmntinfo(3). The array is never freed.
///
/// # Safety
/// `out` must point to a pointer.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getmntinfo(out: *mut *mut Statvfs, _flags: c_int) -> c_int {
    let list = || {
        // A mount may come between counting and reading.
        let room = mounts::getvfsstat(&Libc, &mut [])? + 4;
        let size = (room * size_of::<Statvfs>()) as u64;
        let args = [0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, u64::MAX, 0];
        let array = Libc.call(nr::MMAP, args)? as *mut Statvfs;
        // SAFETY: fresh memory of that size, zeroed; `out` is the caller's promise.
        let slots = unsafe {
            *out = array;
            core::slice::from_raw_parts_mut(array, room)
        };
        mounts::getvfsstat(&Libc, slots).map(|count| count.min(room))
    };
    // getmntinfo(3): 0 is the error.
    answer(list()).max(0)
}

/// getfh(2).
///
/// # Safety
/// `path` must be a string, `size` point to a number, and `out` have room for so many bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getfh(path: *const c_char, out: *mut c_void, size: *mut usize) -> c_int {
    // SAFETY: the caller's promise.
    let result = unsafe {
        handle::getfh(&Libc, path as u64, room(out, *size)).and_then(|len| {
            let fits = !out.is_null() && len <= *size;
            *size = len;
            if fits { Ok(0) } else { Err(Errno::E2BIG) }
        })
    };
    answer(result)
}

/// fhopen(2), with Linux's `O_*` flags.
///
/// # Safety
/// `handle` must have `size` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fhopen(handle: *const c_void, size: usize, flags: c_int) -> c_int {
    // SAFETY: the caller's promise.
    let handle = unsafe { bytes(handle, size) };
    answer(handle::fhopen(&Libc, handle, flags.cast_unsigned()).map(|fd| fd as usize))
}

/// fhstat(2), with Linux's `struct stat`.
///
/// # Safety
/// `handle` must have `size` bytes, `out` room for a `struct stat`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fhstat(handle: *const c_void, size: usize, out: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    let handle = unsafe { bytes(handle, size) };
    answer(handle::fhstat(&Libc, handle, out as u64).map(|()| 0))
}

/// fhstatvfs1(2).
///
/// # Safety
/// `handle` must have `size` bytes, `out` be a structure.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fhstatvfs1(
    handle: *const c_void,
    size: usize,
    out: *mut Statvfs,
    _flags: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    let (handle, out) = unsafe { (bytes(handle, size), &mut *out) };
    answer(handle::fhstatvfs(&Libc, handle, out).map(|()| 0))
}

/// sysctlbyname(3).
///
/// # Safety
/// `name` must be a string; `old` null or have room for `*old_len` bytes; `new` null or have `new_len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sysctlbyname(
    name: *const c_char,
    old: *mut c_void,
    old_len: *mut usize,
    new: *const c_void,
    new_len: usize,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let name = Name::by_name(CStr::from_ptr(name).to_bytes());
        answer(name.and_then(|name| node(&name, (old, old_len), (new, new_len))))
    }
}

/// sysctl(3).
///
/// # Safety
/// `name` must have `name_len` numbers; the others as with [`sysctlbyname`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sysctl(
    name: *const c_int,
    name_len: c_uint,
    old: *mut c_void,
    old_len: *mut usize,
    new: *const c_void,
    new_len: usize,
) -> c_int {
    if name.is_null() || name_len > CTL_MAXNAME {
        return answer(Err(Errno::EINVAL));
    }
    // SAFETY: the caller's promise.
    unsafe {
        let name = Name::by_numbers(core::slice::from_raw_parts(name, name_len as usize));
        answer(name.and_then(|name| node(&name, (old, old_len), (new, new_len))))
    }
}

/// The system call of NetBSD's sysctl(3), which takes the same.
///
/// # Safety
/// As [`sysctl`].
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn __sysctl(
    name: *const c_int,
    name_len: c_uint,
    old: *mut c_void,
    old_len: *mut usize,
    new: *const c_void,
    new_len: usize,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { sysctl(name, name_len, old, old_len, new, new_len) }
}

/// Reads and sets a node; the caller's promises are those of [`sysctlbyname`].
unsafe fn node(
    name: &Name,
    (old, old_len): (*mut c_void, *mut usize),
    (new, new_len): (*const c_void, usize),
) -> Result<usize, Errno> {
    // SAFETY: the caller's promise.
    unsafe {
        let given = if old_len.is_null() { 0 } else { *old_len };
        let out = (!old.is_null()).then(|| room(old, given));
        let new = (!new.is_null()).then(|| bytes(new, new_len));
        let len = access_node(&Libc, name, out, new)?;
        if !old_len.is_null() {
            *old_len = len;
        }
        // sysctl(3): what fits was copied.
        if !old.is_null() && len > given { Err(Errno::ENOMEM) } else { Ok(0) }
    }
}
