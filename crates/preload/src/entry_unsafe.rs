//! The first function that ld.so calls, before those of all other libraries.

use core::ffi::{c_char, c_int};
use hijack::live;
use intercept::{Answer, Fork, Hooks, Image, Interest, marks};

#[used]
#[unsafe(link_section = ".init_array")]
static INIT: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = init;

extern "C" fn init(argc: c_int, arguments: *const *const c_char, environment: *const *const c_char) {
    // SAFETY: glibc passes what main gets.
    let Some(image) = (unsafe { Image::new(argc, arguments, environment) }) else {
        refuse(
            b"librumphijack: the environment cannot be read: /proc is expected where the C library is musl\n",
        )
    };
    crate::netbsd_unsafe::find(image);
    let hooks =
        match live::start(image.environment(), live::Outside { mark: marks::set, task: intercept::task }) {
            Some(hijack) => live::hooks(hijack),
            None if image.variable(b"RUMPHIJACK__CATCH") == Some(b"all") => PASS,
            None => return,
        };
    // SAFETY: no other library's code has run, so there is one thread, and %gs is not in use.
    if unsafe { intercept::start(hooks, image) }.is_err() {
        refuse(b"librumphijack: system calls cannot be caught here: Linux 5.11 or newer is expected\n");
    }
}

fn refuse(why: &[u8]) -> ! {
    let _ = host::write(2, why);
    host::exit_group(1)
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
