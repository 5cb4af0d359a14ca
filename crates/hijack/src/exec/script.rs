//! Interpreter scripts (execve(2)).

use super::strings::{self, Item};
use super::{Image, file};
use crate::Hijack;
use crate::dispatch::AT_FDCWD;
use crate::text::Text;
use crate::world::World;
use abi::raw::general::{F_GETFD, FD_CLOEXEC};
use abi::{Errno, nr};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// linux/binfmts.h, BINPRM_BUF_SIZE: so much of a script's first line counts.
pub(super) const FIRST_LINE: usize = 256;

/// The first line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) interpreter: Vec<u8>,
    /// The rest of the line is one argument.
    argument: Option<Vec<u8>>,
}

impl Line {
    /// From the first bytes of a file; `None`: it is no script, or names no interpreter.
    pub(super) fn parse(head: &[u8]) -> Option<Self> {
        let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?.trim_ascii();
        let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
        let (interpreter, rest) = line.split_at_checked(end)?;
        let argument = Some(rest.trim_ascii()).filter(|rest| !rest.is_empty());
        let line = Self { interpreter: interpreter.to_vec(), argument: argument.map(<[u8]>::to_vec) };
        Some(line).filter(|line| !line.interpreter.is_empty())
    }

    /// The image of the interpreter of the script `image`, in memory of [`super::scratch`].
    ///
    /// # Errors
    /// `ENOENT`: the interpreter could not open the script, whose descriptor is closed on exec.
    pub(super) fn image<W: World>(&self, h: &Hijack<W>, image: &Image) -> Result<Image, Errno> {
        let mut items = vec![Item::Ours(self.interpreter.clone())];
        items.extend(self.argument.iter().map(|argument| Item::Ours(argument.clone())));
        items.push(name(h, image)?);
        items.extend(strings::addresses(h, image.argv)?.into_iter().skip(1).map(Item::Theirs));
        let argv = strings::lay_out(h, &items)?;
        let mut path = [0; 8];
        h.world.read(argv, &mut path)?;
        Ok(Image { dir: None, path: u64::from_ne_bytes(path), argv, flags: 0, ..*image })
    }
}

/// The name by which an interpreter can open the script.
fn name<W: World>(h: &Hijack<W>, image: &Image) -> Result<Item, Errno> {
    let Some(dir) = below_descriptor(h, image)? else { return Ok(Item::Theirs(image.path)) };
    let flags = h.world.host(nr::FCNTL, [dir, F_GETFD.into(), 0, 0, 0, 0])?;
    if flags & u64::from(FD_CLOEXEC) != 0 {
        return Err(Errno::ENOENT);
    }
    known_as(h, image).map(Item::Ours)
}

/// The descriptor that the path starts from, if it is one.
fn below_descriptor<W: World>(h: &Hijack<W>, image: &Image) -> Result<Option<u64>, Errno> {
    let mut first = [0; 1];
    h.world.read_str(image.path, &mut first)?;
    Ok(image.dir.filter(|&dir| dir as u32 != AT_FDCWD && first != *b"/"))
}

/// What the kernel takes for the file's name (execveat(2), NOTES).
pub(super) fn known_as<W: World>(h: &Hijack<W>, image: &Image) -> Result<Vec<u8>, Errno> {
    let path = strings::string(h, image.path)?;
    let Some(dir) = below_descriptor(h, image)? else { return Ok(path) };
    let mut name = Text::default();
    write!(name, "/dev/fd/{}", dir as u32).map_err(|_| Errno::ENAMETOOLONG)?;
    let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
    Ok([name.as_bytes(), separator, &path].concat())
}

/// The first bytes of a file, as far as they decide how it is run.
pub(super) fn head<W: World>(h: &Hijack<W>, file: &file::File) -> Result<Vec<u8>, Errno> {
    let mut start = vec![0; FIRST_LINE];
    let length = file.read_at(h, &mut start, 0)?;
    start.truncate(length);
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        let line = |interpreter: &[u8], argument: Option<&[u8]>| {
            Some(Line { interpreter: interpreter.to_vec(), argument: argument.map(<[u8]>::to_vec) })
        };
        assert_eq!(Line::parse(b"#!/bin/sh\necho"), line(b"/bin/sh", None));
        assert_eq!(Line::parse(b"#! /bin/sh  -e -x \n"), line(b"/bin/sh", Some(b"-e -x")));
        assert_eq!(Line::parse(b"#! \n/bin/sh"), None);
        assert_eq!(Line::parse(b"echo"), None);
    }
}
