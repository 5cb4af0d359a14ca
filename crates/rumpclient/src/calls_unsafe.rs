//! The `rump_sys_*` functions.

use crate::process_unsafe::{fail, perform};
use abi::{Errno, nr};

// C types by their names on x86-64. What stands for `...` is taken as a register: the kernel looks at as much of it as its
// type has.
#[allow(non_camel_case_types, reason = "C's names")]
mod c {
    pub(super) type int = i32;
    pub(super) type uint = u32;
    pub(super) type ulong = u64;
    pub(super) type ptr = u64;
    pub(super) type etc = u64;
    pub(super) type size_t = u64;
    pub(super) type ssize_t = i64;
    pub(super) type off_t = i64;
    pub(super) type nfds_t = u64;
    pub(super) type socklen_t = u32;
    pub(super) type mode_t = u32;
    pub(super) type uid_t = u32;
    pub(super) type gid_t = u32;
    pub(super) type pid_t = i32;
    pub(super) type dev_t = u64;
    pub(super) type void = ();
}

/// A C type as it stands in a register.
trait Register {
    fn register(self) -> u64;
}

impl Register for i32 {
    fn register(self) -> u64 {
        i64::from(self).cast_unsigned()
    }
}

impl Register for u32 {
    fn register(self) -> u64 {
        u64::from(self)
    }
}

impl Register for i64 {
    fn register(self) -> u64 {
        self.cast_unsigned()
    }
}

impl Register for u64 {
    fn register(self) -> u64 {
        self
    }
}

/// What a C function answers: the call's value, or -1 and errno.
trait Answer {
    fn of(result: Result<u64, Errno>) -> Self;
}

impl Answer for i64 {
    fn of(result: Result<u64, Errno>) -> Self {
        result.map_or_else(fail, u64::cast_signed)
    }
}

impl Answer for i32 {
    #[allow(clippy::cast_possible_truncation, reason = "the call's value is an int")]
    fn of(result: Result<u64, Errno>) -> Self {
        i64::of(result) as Self
    }
}

impl Answer for u32 {
    fn of(result: Result<u64, Errno>) -> Self {
        i32::of(result).cast_unsigned()
    }
}

impl Answer for () {
    fn of(result: Result<u64, Errno>) {
        let _ = result;
    }
}

macro_rules! export {
    ($($name:ident $nr:ident $result:ident($($kind:ident $($ctype:literal)? $arg:ident),*);)*) => {$(
        #[doc = concat!("The rump kernel's ", stringify!($nr), ".")]
        // SAFETY: nobody else has a name that begins with `rump_sys_`.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($arg: c::$kind),*) -> c::$result {
            Answer::of(call(nr::$nr, &[$(c::$kind::register($arg)),*]))
        }
    )*};
}

abi::prototypes!(export);

fn call(nr: u32, args: &[u64]) -> Result<u64, Errno> {
    let mut registers = [0; 6];
    registers.iter_mut().zip(args).for_each(|(register, arg)| *register = *arg);
    match nr {
        // The position takes two registers, the second of which is not looked at.
        nr::PREADV2 | nr::PWRITEV2 => registers.swap(4, 5),
        nr::PPOLL if registers[3] != 0 => {
            let mut mask = [0; 8];
            host::copy_in(registers[3], &mut mask)?;
            registers[3] = 0;
            return perform(nr, registers, Some(u64::from_ne_bytes(mask)));
        }
        _ => {}
    }
    perform(nr, registers, None)
}
