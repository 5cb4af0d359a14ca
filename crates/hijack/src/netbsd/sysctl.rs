//! sysctl(3), sysctlbyname(3): nodes by NetBSD's names and numbers, and by Linux's names. Numbers are `int`, or `quad_t` where that does
//! not hold them; all else is a string with its NUL.

use super::names::NODES;
use super::{Calls, Open};
use abi::Errno;
use abi::raw::general::{O_RDONLY, O_WRONLY};

const PREFIX: &[u8] = b"/proc/sys/";
/// A node's path with its NUL, and a node's text.
const PATH_ROOM: usize = 256;
const TEXT_ROOM: usize = 4096;

/// A node.
pub struct Name {
    path: [u8; PATH_ROOM],
    len: usize,
}

impl Name {
    /// By NetBSD's name, or Linux's.
    ///
    /// # Errors
    /// `ENOENT`: it can be no node's.
    pub fn by_name(name: &[u8]) -> Result<Self, Errno> {
        match NODES.iter().find(|node| node.name == name) {
            Some(node) => Self::at(node.path),
            None => Self::at(name),
        }
    }

    /// By NetBSD's numbers.
    ///
    /// # Errors
    /// `ENOENT`: none that is known here.
    pub fn by_numbers(numbers: &[i32]) -> Result<Self, Errno> {
        let known = NODES.iter().find(|node| !numbers.is_empty() && node.numbers == numbers);
        Self::at(known.ok_or(Errno::ENOENT)?.path)
    }

    fn at(name: &[u8]) -> Result<Self, Errno> {
        let len = PREFIX.len() + name.len();
        let mut path = [0; PATH_ROOM];
        let leaves = name.split(|byte| *byte == b'.').any(|part| part.is_empty());
        if leaves || len >= PATH_ROOM {
            return Err(Errno::ENOENT);
        }
        path[..PREFIX.len()].copy_from_slice(PREFIX);
        for (slot, byte) in path[PREFIX.len()..].iter_mut().zip(name) {
            *slot = if *byte == b'.' { b'/' } else { *byte };
        }
        Ok(Self { path, len: len + 1 })
    }

    fn path(&self) -> &[u8] {
        &self.path[..self.len]
    }
}

/// Reads a node and sets it. Answers how many bytes its value takes; as many as there is room for are put into `old`. With too little room
/// nothing is set.
///
/// # Errors
/// `ENOENT`, `EPERM`: it cannot be set; `EINVAL`: not what it holds. `ENOMEM` is the caller's, who knows the room.
pub fn sysctl<C: Calls>(
    calls: &C,
    name: &Name,
    old: Option<&mut [u8]>,
    new: Option<&[u8]>,
) -> Result<usize, Errno> {
    let mut text = [0; TEXT_ROOM];
    let read = Open::path(calls, name.path(), O_RDONLY)?.read(&mut text)?;
    let shown = text.get(..read).unwrap_or_default().strip_suffix(b"\n").unwrap_or_default();
    let fits = old.as_ref().is_none_or(|old| old.len() >= value_len(shown));
    let len = emit(shown, old.unwrap_or_default());
    if let Some(new) = new.filter(|_| fits) {
        set(calls, name, shown, new)?;
    }
    Ok(len)
}

/// How many bytes the value takes that a text stands for.
fn value_len(text: &[u8]) -> usize {
    emit(text, &mut [])
}

fn words(text: &[u8]) -> impl Iterator<Item = Option<i64>> {
    let words = text.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    words.map(|word| core::str::from_utf8(word).ok()?.parse().ok())
}

fn is_numbers(text: &[u8]) -> bool {
    words(text).next().is_some() && words(text).all(|word| word.is_some())
}

/// Puts the value that a text stands for into `out`, cut to the room there is; answers its whole length.
fn emit(text: &[u8], out: &mut [u8]) -> usize {
    let mut len = 0;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            if let Some(slot) = out.get_mut(len) {
                *slot = *byte;
            }
            len += 1;
        }
    };
    if is_numbers(text) {
        for number in words(text).flatten() {
            match i32::try_from(number) {
                Ok(number) => add(&number.to_ne_bytes()),
                Err(_) => add(&number.to_ne_bytes()),
            }
        }
    } else {
        add(text);
        add(&[0]);
    }
    len
}

/// # Errors
/// `EPERM`: the program may not, or nobody may.
fn set<C: Calls>(calls: &C, name: &Name, shown: &[u8], new: &[u8]) -> Result<(), Errno> {
    let node = Open::path(calls, name.path(), O_WRONLY)
        .map_err(|errno| if errno == Errno::EACCES { Errno::EPERM } else { errno })?;
    if !is_numbers(shown) {
        return node.write(new.split(|byte| *byte == 0).next().unwrap_or_default());
    }
    let mut digits = Digits { text: [0; TEXT_ROOM], len: 0 };
    match new.len() {
        8 if words(shown).count() == 1 => {
            digits.add(i64::from_ne_bytes(new.try_into().map_err(|_| Errno::EINVAL)?))?
        }
        len if len > 0 && len.is_multiple_of(4) => {
            for number in new.as_chunks::<4>().0 {
                digits.add(i32::from_ne_bytes(*number).into())?;
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    node.write(&digits.text[..digits.len])
}

/// Numbers as text, parted by blanks.
struct Digits {
    text: [u8; TEXT_ROOM],
    len: usize,
}

impl Digits {
    fn add(&mut self, number: i64) -> Result<(), Errno> {
        use core::fmt::Write;
        write!(self, "{number} ").map_err(|_| Errno::EINVAL)
    }
}

impl core::fmt::Write for Digits {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let room = self.text.get_mut(self.len..self.len + text.len()).ok_or(core::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_lead_to_paths() {
        let path = |name: Result<Name, Errno>| {
            name.map(|name| alloc::string::String::from_utf8_lossy(name.path()).into_owned())
        };
        assert_eq!(path(Name::by_name(b"kern.hostname")).as_deref(), Ok("/proc/sys/kernel/hostname\0"));
        assert_eq!(path(Name::by_name(b"net.core.rmem_max")).as_deref(), Ok("/proc/sys/net/core/rmem_max\0"));
        assert_eq!(
            path(Name::by_numbers(&[4, 2, 0, 3])).as_deref(),
            Ok("/proc/sys/net/ipv4/ip_default_ttl\0")
        );
        assert_eq!(path(Name::by_numbers(&[])), Err(Errno::ENOENT));
        for name in [b"".as_slice(), b".", b"a..b", &[b'x'; 300]] {
            assert_eq!(path(Name::by_name(name)), Err(Errno::ENOENT));
        }
    }

    #[test]
    fn texts_become_values() {
        let value = |text: &[u8]| {
            let mut out = [0xff; 16];
            let len = emit(text, &mut out);
            out[..len].to_vec()
        };
        assert_eq!(value(b"64"), 64i32.to_ne_bytes());
        assert_eq!(value(b"1\t-2"), [1i32.to_ne_bytes(), (-2i32).to_ne_bytes()].concat());
        assert_eq!(value(b"9223372036854775807"), i64::MAX.to_ne_bytes());
        assert_eq!(value(b"rump"), b"rump\0");
        assert_eq!(value(b""), b"\0");
        assert_eq!(emit(b"rump", &mut [0; 2]), 5, "the whole length where there is little room");
    }
}
