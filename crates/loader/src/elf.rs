//! ELF programs for x86-64, read as execve(2) reads them (elf(5)). What is read is hostile until checked.

use abi::Errno;
use alloc::vec;
use alloc::vec::Vec;

/// The first bytes of every ELF file.
pub const MAGIC: &[u8] = b"\x7fELF";

/// `Elf64_Ehdr`.
const HEADER_SIZE: usize = 64;
/// `Elf64_Phdr`.
const ENTRY_SIZE: u16 = 56;
/// fs/binfmt_elf.c: larger tables are refused.
const TABLE_MAX: usize = 65536;
/// `PATH_MAX` of linux/limits.h.
const PATH_MAX: u64 = 4096;

const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_PHDR: u32 = 6;
const PT_GNU_STACK: u32 = 0x6474_e551;
/// Executable, writable, readable.
pub(crate) const PF_X: u32 = 1;
pub(crate) const PF_W: u32 = 2;
pub(crate) const PF_R: u32 = 4;

/// x86-64's pages.
pub(crate) const PAGE: u64 = 4096;
/// The end of a program's addresses with four levels of page tables.
const ADDRESSES: u64 = (1 << 47) - PAGE;

/// A program's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// It may lie anywhere (`ET_DYN`).
    pub movable: bool,
    /// Where it begins, relative to where it lies.
    pub entry: u64,
    table_at: u64,
    segments: Vec<Segment>,
}

/// `Elf64_Phdr`, without the physical address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) file_size: u64,
    pub(crate) memory_size: u64,
    align: u64,
}

/// Bytes of the file: fills as much of the slice as there is from this offset on, and answers how much.
pub type ReadAt<'a> = &'a dyn Fn(&mut [u8], u64) -> Result<usize, Errno>;

impl Program {
    /// Reads the headers.
    ///
    /// # Errors
    /// `ENOEXEC`: no program for this machine, or a broken one; the reader's.
    pub fn read(read_at: ReadAt<'_>) -> Result<Self, Errno> {
        let mut header = [0; HEADER_SIZE];
        whole(read_at, &mut header, 0)?;
        let half = |at| field::<2>(&header, at).map(u16::from_le_bytes);
        let word = |at| field::<8>(&header, at).map(u64::from_le_bytes);
        let ours = header.starts_with(MAGIC)
            && header.get(4..6) == Some(&[CLASS_64, LITTLE_ENDIAN])
            && half(18)? == EM_X86_64
            && half(54)? == ENTRY_SIZE;
        let (kind, count) = (half(16)?, usize::from(half(56)?));
        let size = count * usize::from(ENTRY_SIZE);
        if !ours || !matches!(kind, ET_EXEC | ET_DYN) || count == 0 || size > TABLE_MAX {
            return Err(Errno::ENOEXEC);
        }
        let (entry, table_at) = (word(24)?, word(32)?);
        let mut table = vec![0; size];
        whole(read_at, &mut table, table_at)?;
        let segments =
            table.chunks_exact(ENTRY_SIZE.into()).map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { movable: kind == ET_DYN, entry, table_at, segments })
    }

    /// The program that is to load this one; `None`: it is linked statically.
    ///
    /// # Errors
    /// `ENOEXEC`: the name is broken; the reader's.
    pub fn interpreter(&self, read_at: ReadAt<'_>) -> Result<Option<Vec<u8>>, Errno> {
        let Some(named) = self.segments.iter().find(|segment| segment.kind == PT_INTERP) else {
            return Ok(None);
        };
        if !(2..=PATH_MAX).contains(&named.file_size) {
            return Err(Errno::ENOEXEC);
        }
        let mut name = vec![0; named.file_size as usize];
        whole(read_at, &mut name, named.offset)?;
        let end = name.iter().position(|&byte| byte == 0).ok_or(Errno::ENOEXEC)?;
        name.truncate(end);
        Ok(Some(name))
    }

    /// What is to be mapped.
    pub(crate) fn to_map(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|segment| segment.kind == PT_LOAD)
    }

    /// How many headers there are.
    pub(crate) fn count(&self) -> usize {
        self.segments.len()
    }

    /// The addresses from the first mapped page to the end of the last, relative to where it lies.
    ///
    /// # Errors
    /// `ENOEXEC`: nothing is to be mapped, or it cannot be.
    pub(crate) fn span(&self) -> Result<(u64, u64), Errno> {
        let mut span: Option<(u64, u64)> = None;
        for segment in self.to_map() {
            let end = segment.check()?;
            let start = segment.address & !(PAGE - 1);
            span = Some(span.map_or((start, end), |(low, high)| (low.min(start), high.max(end))));
        }
        span.ok_or(Errno::ENOEXEC)
    }

    /// What its address has to be a multiple of.
    pub(crate) fn align(&self) -> u64 {
        let wanted = self.to_map().map(|segment| segment.align).filter(|align| align.is_power_of_two());
        wanted.max().unwrap_or(PAGE).clamp(PAGE, 1 << 30)
    }

    /// Where the program finds its own headers, relative to where it lies (`AT_PHDR`).
    pub(crate) fn headers(&self) -> u64 {
        let named = self.segments.iter().find(|segment| segment.kind == PT_PHDR).map(|own| own.address);
        let within = |segment: &&Segment| {
            segment.offset <= self.table_at && self.table_at - segment.offset < segment.file_size
        };
        let mapped = self.to_map().find(within);
        let found = mapped.map(|segment| (self.table_at - segment.offset).wrapping_add(segment.address));
        found.or(named).unwrap_or(0)
    }

    /// Whether its stack is to be executable: so says a program from before `PT_GNU_STACK`, too.
    pub(crate) fn executable_stack(&self) -> bool {
        let own = self.segments.iter().find(|segment| segment.kind == PT_GNU_STACK);
        own.is_none_or(|own| own.flags & PF_X != 0)
    }
}

impl Segment {
    fn parse(bytes: &[u8]) -> Result<Self, Errno> {
        let long = |at| field::<4>(bytes, at).map(u32::from_le_bytes);
        let word = |at| field::<8>(bytes, at).map(u64::from_le_bytes);
        Ok(Self {
            kind: long(0)?,
            flags: long(4)?,
            offset: word(8)?,
            address: word(16)?,
            file_size: word(32)?,
            memory_size: word(40)?,
            align: word(48)?,
        })
    }

    /// The first page border behind it, if it can be mapped at all.
    fn check(&self) -> Result<u64, Errno> {
        let end = self.address.checked_add(self.memory_size).ok_or(Errno::ENOEXEC)?;
        let within = self.offset.checked_add(self.file_size).is_some() && end <= ADDRESSES;
        let congruent = self.offset % PAGE == self.address % PAGE;
        if within && congruent && self.file_size <= self.memory_size {
            Ok(end.next_multiple_of(PAGE))
        } else {
            Err(Errno::ENOEXEC)
        }
    }
}

fn whole(read_at: ReadAt<'_>, into: &mut [u8], offset: u64) -> Result<(), Errno> {
    if read_at(into, offset)? == into.len() { Ok(()) } else { Err(Errno::ENOEXEC) }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Errno> {
    bytes.get(at..at + N).and_then(|field| field.try_into().ok()).ok_or(Errno::ENOEXEC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reader(bytes: &[u8]) -> impl Fn(&mut [u8], u64) -> Result<usize, Errno> {
        move |into, offset| {
            let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            let length = rest.len().min(into.len());
            into[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        }
    }

    fn program(kind: u16, segments: &[[u64; 6]]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_SIZE];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16..18].copy_from_slice(&kind.to_le_bytes());
        bytes[18..20].copy_from_slice(&EM_X86_64.to_le_bytes());
        bytes[24..32].copy_from_slice(&0x1234_u64.to_le_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&ENTRY_SIZE.to_le_bytes());
        bytes[56..58].copy_from_slice(&(segments.len() as u16).to_le_bytes());
        for [kind, offset, address, file_size, memory_size, align] in segments {
            bytes.extend_from_slice(&(*kind as u32).to_le_bytes());
            bytes.extend_from_slice(&(PF_R | PF_X).to_le_bytes());
            for word in [offset, address, &0, file_size, memory_size, align] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        bytes
    }

    #[test]
    fn a_static_program() {
        let bytes = program(
            ET_EXEC,
            &[[1, 0, 0x40_0000, 0x500, 0x500, 0x1000], [1, 0x800, 0x40_1800, 0x10, 0x9000, 0x20_0000]],
        );
        let found = Program::read(&reader(&bytes)).unwrap();
        assert!(!found.movable && found.executable_stack());
        assert_eq!(
            (found.entry, found.span(), found.align()),
            (0x1234, Ok((0x40_0000, 0x40_b000)), 0x20_0000)
        );
        assert_eq!(found.headers(), 0x40_0040);
        assert_eq!(found.interpreter(&reader(&bytes)), Ok(None));
    }

    #[test]
    fn an_interpreter() {
        let mut bytes = program(ET_DYN, &[[3, 120, 120, 4, 4, 1]]);
        bytes.extend_from_slice(b"/ld\0");
        let found = Program::read(&reader(&bytes)).unwrap();
        assert_eq!(found.interpreter(&reader(&bytes)), Ok(Some(b"/ld".to_vec())));
        assert_eq!(found.span(), Err(Errno::ENOEXEC), "nothing to map");
    }

    #[test]
    fn broken_ones_are_refused() {
        for segment in [
            [1, 0, 0x1000, 0x20, 0x10, 0x1000],
            [1, 1, 0x1000, 0x10, 0x10, 0x1000],
            [1, 0, u64::MAX - 0xfff, 0x10, 0x2000, 0x1000],
            [1, 0, ADDRESSES, 0x10, 0x10, 0x1000],
        ] {
            let bytes = program(ET_DYN, &[segment]);
            assert_eq!(Program::read(&reader(&bytes)).unwrap().span(), Err(Errno::ENOEXEC), "{segment:x?}");
        }
        let bytes = program(ET_DYN, &[[1, 0, 0, 0, 0, 0]]);
        for (at, value) in [(0, 0), (4, 1), (18, 3), (16, 1), (54, 32), (56, 0), (56, 9)] {
            let mut broken = bytes.clone();
            broken[at] = value;
            assert_eq!(Program::read(&reader(&broken)), Err(Errno::ENOEXEC), "byte {at} {value}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(segments in proptest::collection::vec(any::<[u64; 6]>(), 1..5), cut in 0..400_usize) {
            let mut bytes = program(ET_DYN, &segments);
            bytes.truncate(cut.max(64));
            if let Ok(found) = Program::read(&reader(&bytes)) {
                let _ = (found.span(), found.align(), found.headers(), found.interpreter(&reader(&bytes)));
            }
        }
    }
}
