//! What an image that wants a program loaded tells the loader: the variable `RUMPHIJACK__LOAD`.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::fmt::Write;

/// `PATH_MAX` of linux/limits.h.
const PATH_MAX: usize = 4096;

/// The variable's name, `=` included.
pub const VARIABLE: &[u8] = b"RUMPHIJACK__LOAD=";

/// Another variable, `=` included: the path of a program to run as a hijacked program's execve(2) would. It comes from those
/// that are not hijacked themselves and cannot look into the rump kernel.
pub const RUN_VARIABLE: &[u8] = b"RUMPHIJACK__RUN=";

/// Which program is to be loaded. Its descriptors are read and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order<'a> {
    /// The descriptor of the program.
    pub program: u32,
    /// That of the program which loads it (`PT_INTERP`); `None`: it is linked statically.
    pub interpreter: Option<u32>,
    /// What `/proc/self/exe` is to be; empty: the file that the descriptor is open on.
    pub exe: &'a [u8],
    /// What execve(2) was given (`AT_EXECFN`).
    pub name: &'a [u8],
}

impl<'a> Order<'a> {
    /// The whole variable: `PROGRAM,INTERPRETER,LENGTH OF EXE,EXE NAME`, nothing between the last two.
    #[must_use]
    pub fn variable(&self) -> Vec<u8> {
        let mut text = VARIABLE.to_vec();
        push_number(&mut text, u64::from(self.program));
        text.push(b',');
        if let Some(interpreter) = self.interpreter {
            push_number(&mut text, u64::from(interpreter));
        }
        text.push(b',');
        push_number(&mut text, self.exe.len() as u64);
        text.push(b',');
        text.extend_from_slice(self.exe);
        text.extend_from_slice(self.name);
        text
    }

    /// Reads the variable's value; `None`: it is not what [`Order::variable`] writes.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut fields = value.splitn(4, |&byte| byte == b',');
        let mut next = || fields.next();
        let (program, interpreter, length, rest) = (next()?, next()?, next()?, next()?);
        let interpreter = if interpreter.is_empty() { None } else { Some(number(interpreter)?) };
        let (exe, name) = rest.split_at_checked(number(length)? as usize)?;
        Some(Self { program: number(program)?, interpreter, exe, name })
    }
}

impl Order<'_> {
    /// What `/proc/self/exe` is to be.
    #[must_use]
    pub fn exe(&self) -> &'static CStr {
        let path = if self.exe.is_empty() { self.opened() } else { self.exe.to_vec() };
        let path: &'static [u8] = [path.as_slice(), b"\0"].concat().leak();
        CStr::from_bytes_until_nul(path).unwrap_or_default()
    }

    /// The file that the program's descriptor is open on.
    fn opened(&self) -> Vec<u8> {
        let mut name = String::new();
        let _ = write!(name, "/proc/self/fd/{}\0", self.program);
        let mut path = vec![0; PATH_MAX];
        let link = CStr::from_bytes_until_nul(name.as_bytes()).unwrap_or_default();
        let length = host::read_link(link, &mut path).unwrap_or(0);
        path.truncate(length);
        path
    }

    /// The last part of what execve(2) was given: the process's name (`/proc/PID/comm`).
    #[must_use]
    pub fn process_name(&self) -> Vec<u8> {
        let last = self.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        [last, b"\0"].concat()
    }
}

fn push_number(text: &mut Vec<u8>, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(b'0' + (number % 10) as u8);
}

fn number(digits: &[u8]) -> Option<u32> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn orders_survive_the_exec(program: u32, interpreter: Option<u32>, exe: Vec<u8>, name: Vec<u8>) {
            let order = Order { program, interpreter, exe: &exe, name: &name };
            let text = order.variable();
            prop_assert_eq!(Order::parse(text.strip_prefix(VARIABLE).unwrap()), Some(order));
        }

        #[test]
        fn any_value_is_survived(value: Vec<u8>) {
            let _ = Order::parse(&value);
        }
    }

    #[test]
    fn what_is_missing_is_not_guessed() {
        for value in ["", "3", "3,4,0", "x,,0,a", "3,,9,a", "3,,,a"] {
            assert_eq!(Order::parse(value.as_bytes()), None, "{value}");
        }
    }
}
