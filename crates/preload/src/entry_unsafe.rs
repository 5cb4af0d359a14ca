//! The first function that ld.so calls, before those of all other libraries.

use core::ffi::{c_char, c_int};
use hijack::live;
use intercept::{Answer, Fork, Hooks, Image, Interest, marks};

#[used]
#[unsafe(link_section = ".init_array")]
static INIT: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = init;

/// glibc passes what main gets.
extern "C" fn init(_: c_int, _: *const *const c_char, environment: *const *const c_char) {
    // SAFETY: ld.so passes the process's own environment, unmoved.
    let image = unsafe { Image::new(environment) };
    let hooks =
        match live::start(image.environment(), live::Outside { mark: marks::set, task: intercept::task }) {
            Some(hijack) => live::hooks(hijack),
            None if image.variable(b"RUMPHIJACK__CATCH") == Some(b"all") => PASS,
            None => return,
        };
    // SAFETY: no other library's code has run, so there is one thread, and %gs is not in use.
    if unsafe { intercept::start(hooks, image) }.is_err() {
        let _ = host::write(
            2,
            b"librumphijack: system calls cannot be caught here: Linux 5.11 or newer is expected\n",
        );
        host::exit_group(1);
    }
}

/// Catches everything and leaves it to the host: is it the interception that a program does not like?
const PASS: Hooks = Hooks {
    interest: |_| Interest::Always,
    dispatch: |_| Answer::Host,
    before_fork: |_| Ok(0),
    after_fork: |_: Fork, _, _| {},
    in_child: |_| {},
    sites: |_, _, _| None,
};
