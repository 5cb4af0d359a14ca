//! Mapping the segments of a program.

use crate::elf::{PAGE, PF_R, PF_W, PF_X, Program, Segment};
use abi::raw::general::{
    MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE, PROT_EXEC, PROT_NONE,
    PROT_READ, PROT_WRITE,
};
use abi::{Errno, nr};
use host::Fd;

/// Bytes of an open file; answers how many there were.
pub(crate) fn read_at(file: &Fd, into: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let args = [file.number() as usize, into.as_mut_ptr() as usize, into.len(), offset as usize, 0, 0];
    // SAFETY: the kernel writes within the slice.
    Errno::from_rax(unsafe { host::syscall(nr::PREAD64, args) })
}

/// Maps all segments. Answers what is to be added to the addresses in the file.
pub(crate) fn map(file: &Fd, program: &Program) -> Result<u64, Errno> {
    let (low, high) = program.span()?;
    if program.movable {
        return map_at(file, program, place(high - low, program.align())?.wrapping_sub(low));
    }
    // Taken as a whole first, so that no segment lands on something that is there.
    reserve(low, high - low, MAP_FIXED_NOREPLACE)?;
    map_at(file, program, 0)
}

/// Maps all segments into memory that was reserved.
fn map_at(file: &Fd, program: &Program, base: u64) -> Result<u64, Errno> {
    for segment in program.to_map() {
        map_segment(file, segment, base)?;
    }
    Ok(base)
}

fn reserve(at: u64, length: u64, flags: u32) -> Result<u64, Errno> {
    mmap(at, length, PROT_NONE, flags | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, None)
}

/// Room for this many bytes at a multiple of `align`.
fn place(length: u64, align: u64) -> Result<u64, Errno> {
    let found = reserve(0, length + align - PAGE, 0)?;
    let aligned = found.next_multiple_of(align);
    munmap(found, aligned - found);
    munmap(aligned + length, align - PAGE - (aligned - found));
    Ok(aligned)
}

fn map_segment(file: &Fd, segment: &Segment, base: u64) -> Result<(), Errno> {
    let protection = protection(segment.flags);
    let start = base.wrapping_add(segment.address);
    let page = start & !(PAGE - 1);
    let file_end = start + segment.file_size;
    let end = (start + segment.memory_size).next_multiple_of(PAGE);
    let mut zero_from = page;
    if segment.file_size > 0 {
        let offset = segment.offset - (start - page);
        mmap(page, file_end - page, protection, MAP_PRIVATE | MAP_FIXED, Some((file, offset)))?;
        zero_from = file_end.next_multiple_of(PAGE);
        if segment.memory_size > segment.file_size && segment.flags & PF_W != 0 {
            // SAFETY: the rest of the last page that was just mapped, writable.
            unsafe { core::ptr::write_bytes(file_end as *mut u8, 0, (zero_from - file_end) as usize) };
        }
    }
    if zero_from < end {
        mmap(zero_from, end - zero_from, protection, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, None)?;
    }
    Ok(())
}

fn protection(flags: u32) -> u32 {
    let pairs = [(PF_R, PROT_READ), (PF_W, PROT_WRITE), (PF_X, PROT_EXEC)];
    pairs.iter().filter(|(flag, _)| flags & flag != 0).fold(PROT_NONE, |all, (_, one)| all | one)
}

/// Callers map fixed addresses only within what they have reserved.
fn mmap(at: u64, length: u64, prot: u32, flags: u32, from: Option<(&Fd, u64)>) -> Result<u64, Errno> {
    let (fd, offset) = from.map_or((usize::MAX, 0), |(file, offset)| (file.number() as usize, offset));
    let args = [at as usize, length as usize, prot as usize, flags as usize, fd, offset as usize];
    // SAFETY: new memory, or such as `reserve` has taken.
    Errno::from_rax(unsafe { host::syscall(nr::MMAP, args) }).map(|at| at as u64)
}

fn munmap(at: u64, length: u64) {
    if length > 0 {
        // SAFETY: the caller has just mapped it and uses none of it.
        unsafe { host::syscall(nr::MUNMAP, [at as usize, length as usize, 0, 0, 0, 0]) };
    }
}
