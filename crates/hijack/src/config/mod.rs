//! What the user asked to be hijacked: the environment variable `RUMPHIJACK` (rumphijack(3)).
//!
//! A list of `name=value` tuples split at commas. What it does not name is off; a later tuple of the same name
//! replaces the earlier one. Nothing here reads the environment or writes messages.

mod family;
mod retry;
mod set;
mod vfs;

pub use family::FamilySet;
pub use retry::{Retry, RetryError};
pub use vfs::{Vfs, VfsSet};

use alloc::vec::Vec;
use core::fmt;

/// What holds when `RUMPHIJACK` is unset: networked X clients work out of the box (rumphijack(3)).
pub const DEFAULT: &[u8] = b"path=/rump,socket=all:nolocal";

/// Where descriptors of the rump kernel start unless `fdoff` says otherwise.
pub const FDOFF_DEFAULT: u32 = 128;

/// `fdoff` lies below this, so that a descriptor plus it is still an `int`.
const FDOFF_END: u32 = 1 << 30;

/// `PATH_MAX` of linux/limits.h, with the NUL.
const PATH_MAX: usize = 4096;

/// The parsed `RUMPHIJACK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The prefix that is cut off (`path`).
    pub path: Option<Vec<u8>>,
    /// Prefixes that stay (`blanket`), in the order given.
    pub blankets: Vec<Vec<u8>>,
    /// Protocol families whose sockets are the rump kernel's (`socket`).
    pub families: FamilySet,
    /// File-system calls without a path (`vfs`).
    pub vfs: VfsSet,
    /// Whether /proc/sys is the rump kernel's (`sysctl`).
    pub sysctl: bool,
    /// What is added to descriptors of the rump kernel (`fdoff`).
    pub fdoff: u32,
}

impl Config {
    /// A configuration that hijacks nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            path: None,
            blankets: Vec::new(),
            families: FamilySet::EMPTY,
            vfs: VfsSet::EMPTY,
            sysctl: false,
            fdoff: FDOFF_DEFAULT,
        }
    }

    /// Parses the variable's value; `None` stands for an unset one.
    ///
    /// # Errors
    /// The first tuple that is not understood.
    pub fn parse(value: Option<&[u8]>) -> Result<Self, ConfigError<'_>> {
        let mut config = Self::nothing();
        let value = value.unwrap_or(DEFAULT);
        if value.is_empty() {
            return Ok(config);
        }
        for tuple in value.split(|&byte| byte == b',') {
            // Nothing between two commas is shown with what is around it.
            let shown = if tuple.is_empty() { value } else { tuple };
            config.apply(tuple).map_err(|expected| ConfigError { tuple: shown, expected })?;
        }
        Ok(config)
    }

    /// Whether no call at all goes to a rump kernel, so that no server is needed.
    #[must_use]
    pub fn hijacks_nothing(&self) -> bool {
        let Self { path, blankets, families, vfs, sysctl, fdoff: _ } = self;
        path.is_none() && blankets.is_empty() && families.is_empty() && vfs.is_empty() && !sysctl
    }

    /// Takes over one tuple, or says what was expected in its place.
    fn apply(&mut self, tuple: &[u8]) -> Result<(), &'static str> {
        let (name, value) = match tuple.iter().position(|&byte| byte == b'=') {
            Some(at) => (&tuple[..at], Some(&tuple[at + 1..])),
            None => (tuple, None),
        };
        match (name, value) {
            (b"path", Some(value)) => self.path = Some(path(value)?),
            (b"blanket", Some(value)) => self.blankets = blankets(value)?,
            (b"socket", Some(value)) => self.families = FamilySet::parse(value)?,
            (b"vfs", Some(value)) => self.vfs = VfsSet::parse(value)?,
            (b"sysctl", value) => self.sysctl = sysctl(value)?,
            (b"fdoff", Some(value)) => self.fdoff = fdoff(value)?,
            (b"path" | b"blanket" | b"socket" | b"vfs" | b"fdoff", None) => {
                return Err("expected a value: name=value");
            }
            _ => return Err("expected path=, blanket=, socket=, vfs=, sysctl= or fdoff="),
        }
        Ok(())
    }
}

fn path(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    const EXPECTED: &str =
        "expected path=PREFIX, an absolute path longer than \"/\" that ends in \"/\" only if all of it does";
    let [b'/', .., last] = value else { return Err(EXPECTED) };
    if *last == b'/' && value.iter().any(|&byte| byte != b'/') {
        return Err(EXPECTED);
    }
    if value.len() >= PATH_MAX {
        return Err("expected a prefix shorter than PATH_MAX, 4096 bytes");
    }
    Ok(value.to_vec())
}

fn blankets(value: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    value.split(|&byte| byte == b':').map(blanket).collect()
}

fn blanket(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    match value {
        [b'/', .., last] if *last != b'/' && value.len() < PATH_MAX => Ok(value.to_vec()),
        _ => Err("expected blanket=PREFIX:PREFIX..., each beginning with \"/\" and not ending in one"),
    }
}

fn sysctl(value: Option<&[u8]>) -> Result<bool, &'static str> {
    let Some(value) = value else { return Ok(true) };
    let is_one_of = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()));
    if is_one_of(&["yes", "y", "yep", "tottakai"]) {
        Ok(true)
    } else if is_one_of(&["no", "n"]) {
        Ok(false)
    } else {
        Err("expected sysctl=yes or sysctl=no")
    }
}

fn fdoff(value: &[u8]) -> Result<u32, &'static str> {
    decimal(value)
        .filter(|number| (3..FDOFF_END).contains(number))
        .ok_or("expected fdoff=N, a decimal number from 3 to 1073741823")
}

/// Digits alone: no sign, no space, nothing behind.
pub(crate) fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |number, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// A tuple of `RUMPHIJACK` that is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigError<'a> {
    /// The tuple as the user wrote it.
    pub tuple: &'a [u8],
    /// What would have been right.
    pub expected: &'static str,
}

impl fmt::Display for ConfigError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RUMPHIJACK: \"{}\": {}", self.tuple.escape_ascii(), self.expected)
    }
}

#[cfg(test)]
mod tests;
