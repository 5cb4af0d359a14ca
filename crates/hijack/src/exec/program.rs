//! Running a program that lies in the rump kernel.
//!
//! The host can only run files of its own, and none that somebody holds open for writing (ETXTBSY): the program
//! is copied into a memory file, which is opened again for reading alone.

use super::strings::{self, Item};
use super::{Image, exec_host};
use crate::Hijack;
use crate::dispatch::Told;
use crate::fds::KernelFd;
use crate::world::{Args, Outcome, World};
use abi::raw::general::{AT_EMPTY_PATH, MFD_CLOEXEC, O_CLOEXEC, O_RDONLY};
use abi::{Errno, nr, table};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;

/// access(2)
const X_OK: u64 = 1;

/// What is copied at once.
const PIECE: usize = 64 << 10;

/// linux/binfmts.h, BINPRM_BUF_SIZE: so much of a script's first line counts.
const FIRST_LINE: usize = 256;

/// A file of the rump kernel that the program does not know of. The host descriptor keeps it open.
struct Hidden {
    kernel_fd: KernelFd,
    host_fd: Option<u32>,
}

pub(super) fn exec<W: World>(h: &Hijack<W>, image: &Image, (dir, told): (u64, Told)) -> Outcome {
    let path = told.address();
    ask(h, nr::FACCESSAT2, [dir, path, X_OK, image.flags, 0, 0])?;
    let file = open(h, image, dir, path)?;
    let first_line = head(h, &file);
    let answer = match first_line.as_deref() {
        Ok([b'#', b'!', line @ ..]) => exec_script(h, image, line),
        Ok(_) => copy(h, &file).and_then(|memory| {
            let answer = exec_memory(h, image, memory);
            h.close_quietly(memory);
            answer
        }),
        Err(errno) => Err(*errno),
    };
    if let Some(fd) = file.host_fd {
        h.close_quietly(fd);
    }
    answer
}

fn ask<W: World>(h: &Hijack<W>, number: u32, args: Args) -> Outcome {
    let row = table::lookup(number).ok_or(Errno::ENOSYS)?;
    h.world.rump(row, args, &[])?.result
}

fn open<W: World>(h: &Hijack<W>, image: &Image, dir: u64, path: u64) -> Result<Hidden, Errno> {
    let mut first = [0; 1];
    if image.flags as u32 & AT_EMPTY_PATH != 0 && h.world.read_str(path, &mut first)? == 0 {
        let kernel_fd = u32::try_from(dir).map_err(|_| Errno::EBADF)?;
        return Ok(Hidden { kernel_fd: KernelFd(kernel_fd), host_fd: None });
    }
    let row = table::lookup(nr::OPENAT).ok_or(Errno::ENOSYS)?;
    let reply = h.world.rump(row, [dir, path, (O_RDONLY | O_CLOEXEC).into(), 0, 0, 0], &[])?;
    reply.result?;
    let file = reply.files.first().ok_or(Errno::EIO)?;
    Ok(Hidden { kernel_fd: file.kernel_fd, host_fd: file.host_fd })
}

fn read_at<W: World>(h: &Hijack<W>, file: &Hidden, into: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let args = [file.kernel_fd.0.into(), into.as_mut_ptr() as u64, into.len() as u64, offset, 0, 0];
    usize::try_from(ask(h, nr::PREAD64, args)?).map_err(|_| Errno::EIO)
}

fn head<W: World>(h: &Hijack<W>, file: &Hidden) -> Result<Vec<u8>, Errno> {
    let mut start = vec![0; FIRST_LINE];
    let length = read_at(h, file, &mut start, 0)?;
    start.truncate(length);
    Ok(start)
}

/// The program in a memory file that nobody can write any more.
fn copy<W: World>(h: &Hijack<W>, file: &Hidden) -> Result<u32, Errno> {
    let name = c"rump".as_ptr() as u64;
    let writable = h.world.host(nr::MEMFD_CREATE, [name, MFD_CLOEXEC.into(), 0, 0, 0, 0])? as u32;
    let answer = fill(h, file, writable).and_then(|()| open_again(h, writable));
    h.close_quietly(writable);
    answer
}

fn fill<W: World>(h: &Hijack<W>, file: &Hidden, memory: u32) -> Result<(), Errno> {
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        let got = read_at(h, file, &mut piece, offset)? as u64;
        if got == 0 {
            return Ok(());
        }
        let written =
            h.world.host(nr::PWRITE64, [memory.into(), piece.as_ptr() as u64, got, offset, 0, 0])?;
        offset += written;
    }
}

fn open_again<W: World>(h: &Hijack<W>, memory: u32) -> Result<u32, Errno> {
    let mut path = crate::text::Text::default();
    write!(path, "/proc/self/fd/{memory}\0").map_err(|_| Errno::ENAMETOOLONG)?;
    let address = path.as_bytes().as_ptr() as u64;
    h.world.host(nr::OPEN, [address, (O_RDONLY | O_CLOEXEC).into(), 0, 0, 0, 0]).map(|fd| fd as u32)
}

fn exec_memory<W: World>(h: &Hijack<W>, image: &Image, memory: u32) -> Outcome {
    let path = c"".as_ptr() as u64;
    exec_host(h, &Image { dir: Some(memory.into()), path, flags: AT_EMPTY_PATH.into(), ..*image })
}

/// Runs a script's interpreter, which opens the script by the name that the program knows it by.
fn exec_script<W: World>(h: &Hijack<W>, image: &Image, line: &[u8]) -> Outcome {
    let (interpreter, argument) = parse_line(line).ok_or(Errno::ENOEXEC)?;
    let mut items = vec![Item::Ours(interpreter.to_vec())];
    items.extend(argument.map(|argument| Item::Ours(argument.to_vec())));
    items.push(Item::Theirs(image.path));
    items.extend(strings::addresses(h, image.argv)?.into_iter().skip(1).map(Item::Theirs));
    let argv = strings::lay_out(h, &items)?;
    let mut path = [0; 8];
    h.world.read(argv, &mut path)?;
    drop(items);
    let path = u64::from_ne_bytes(path);
    let image = Image { dir: None, path, argv, flags: 0, depth: image.depth + 1, ..*image };
    let answer = super::exec(h, &image);
    h.scratch.give_back(argv);
    answer
}

/// execve(2), "Interpreter scripts": `interpreter [optional-arg]`, the rest of the line being one argument.
fn parse_line(line: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let line = line.split(|&byte| byte == b'\n').next()?.trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at_checked(end)?;
    let argument = Some(rest.trim_ascii()).filter(|rest| !rest.is_empty());
    Some((interpreter, argument)).filter(|_| !interpreter.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        assert_eq!(parse_line(b"/bin/sh\necho"), Some((b"/bin/sh".as_slice(), None)));
        assert_eq!(
            parse_line(b" /bin/sh  -e -x \n"),
            Some((b"/bin/sh".as_slice(), Some(b"-e -x".as_slice())))
        );
        assert_eq!(parse_line(b" \n/bin/sh"), None);
    }
}
