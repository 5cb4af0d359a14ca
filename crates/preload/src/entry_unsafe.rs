//! The first function that ld.so calls, before those of all other libraries.

use crate::begin::begin;
use core::ffi::{c_char, c_int};
use hijack::live::refuse;
use intercept::Image;

#[used]
#[unsafe(link_section = ".init_array")]
static INIT: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = init;

extern "C" fn init(argc: c_int, arguments: *const *const c_char, environment: *const *const c_char) {
    // SAFETY: glibc passes what main gets.
    let Some(image) = (unsafe { Image::new(argc, arguments, environment) }) else {
        refuse(format_args!("the environment cannot be read: /proc is expected where the C library is musl"))
    };
    crate::netbsd_unsafe::look_in(image);
    // Where another copy of this library has loaded the program that ld.so has brought this one into, that one catches its
    // calls, this one among them.
    if !intercept::tell_libraries_are_mapped() {
        begin(image, None);
    }
}
