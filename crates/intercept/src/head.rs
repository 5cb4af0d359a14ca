//! What the first bytes of an ELF file say of an object that is being mapped (elf(5)). Anybody may have written them.

use crate::image_unsafe::{PF_R, PF_X, PT_LOAD, PT_NOTE, ProgramHeader, build_id_in};
use crate::sites_unsafe::PAGE;
use alloc::vec::Vec;
use core::ops::Range;
use sitelist::BuildId;

/// Linkers put headers and notes into the first page.
pub(crate) const SIZE: usize = 4096;
const EM_X86_64: u16 = 62;
const ELFCLASS64: u8 = 2;
const HEADER: usize = 56;

/// The headers of a file, from its first bytes.
pub(crate) struct Head<'a> {
    bytes: &'a [u8],
    headers: Vec<ProgramHeader>,
}

impl<'a> Head<'a> {
    /// `None`: it is no file of a program or library for this machine, or its headers lie elsewhere.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(b"\x7fELF") || *bytes.get(4)? != ELFCLASS64 || half(bytes, 18)? != EM_X86_64 {
            return None;
        }
        let (at, size, count) = (word(bytes, 32)?, half(bytes, 54)?, half(bytes, 56)?);
        if usize::from(size) != HEADER {
            return None;
        }
        let at = usize::try_from(at).ok()?;
        let table = bytes.get(at..at.checked_add(usize::from(count) * HEADER)?)?;
        let headers = table.as_chunks::<HEADER>().0.iter().filter_map(|header| program_header(header));
        Some(Self { bytes, headers: headers.collect() })
    }

    /// The build-id, if its note is in these bytes.
    pub(crate) fn build_id(&self) -> Option<BuildId> {
        let notes = self.headers.iter().filter(|header| header.kind == PT_NOTE);
        let within = |header: &ProgramHeader| {
            let at = usize::try_from(header.offset).ok()?;
            self.bytes.get(at..at.checked_add(usize::try_from(header.file_size).ok()?)?)
        };
        notes.filter_map(within).find_map(build_id_in)
    }

    /// The segment of code that these bytes of the file, of which there are `file_size`, begin with, as far as they hold it, and
    /// the address that the first of them has in the file's own numbering.
    pub(crate) fn text(&self, mapped: Range<u64>, file_size: u64) -> Option<(ProgramHeader, u64)> {
        let is_code = |header: &&ProgramHeader| {
            header.kind == PT_LOAD
                && header.flags & (PF_R | PF_X) == PF_R | PF_X
                && mapped.contains(&(header.offset & !(PAGE - 1)))
        };
        let mut header = *self.headers.iter().find(is_code)?;
        let end = mapped.end.min(file_size).min(header.offset.checked_add(header.file_size)?);
        header.file_size = end.checked_sub(header.offset)?;
        header.memory_size = header.file_size;
        let address = header.address.checked_sub(header.offset.checked_sub(mapped.start)?)?;
        Some((header, address))
    }
}

fn program_header(bytes: &[u8]) -> Option<ProgramHeader> {
    Some(ProgramHeader {
        kind: word(bytes, 0)? as u32,
        flags: (word(bytes, 0)? >> 32) as u32,
        offset: word(bytes, 8)?,
        address: word(bytes, 16)?,
        physical: word(bytes, 24)?,
        file_size: word(bytes, 32)?,
        memory_size: word(bytes, 40)?,
        align: word(bytes, 48)?,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|word| u64::from_le_bytes(*word))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|half| u16::from_le_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// A file with a segment of code and a note.
    fn file() -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        bytes[..5].copy_from_slice(b"\x7fELF\x02");
        bytes[18] = 62;
        bytes[32] = 64;
        (bytes[54], bytes[56]) = (56, 2);
        let mut header = |at: usize, words: [u64; 7]| {
            for (slot, word) in bytes[at..at + 56].chunks_exact_mut(8).zip(words) {
                slot.copy_from_slice(&word.to_le_bytes());
            }
        };
        header(64, [1 | 5 << 32, 0x1040, 0x2040, 0x2040, 0x800, 0x800, 4096]);
        header(120, [4 | 4 << 32, 0x200, 0x200, 0x200, 24, 24, 4]);
        let note = [4_u32, 8, 3].map(u32::to_le_bytes).concat();
        bytes[0x200..0x20c].copy_from_slice(&note);
        bytes[0x20c..0x218].copy_from_slice(b"GNU\0abcdefgh");
        bytes
    }

    #[test]
    fn code_and_name_are_found() {
        let bytes = file();
        let head = Head::parse(&bytes).unwrap();
        assert_eq!(head.build_id(), BuildId::from_note(b"abcdefgh"));
        let (text, address) = head.text(0x1000..0x3000, 0x4000).unwrap();
        assert_eq!((text.address, text.file_size, address), (0x2040, 0x800, 0x2000));
        // The whole of a short file.
        let (text, address) = head.text(0..0x3000, 0x1100).unwrap();
        assert_eq!((text.file_size, address), (0xc0, 0x1000));
        assert_eq!(head.text(0x2000..0x3000, 0x4000), None, "the segment does not begin there");
        assert_eq!(head.text(0x1000..0x3000, 0x1000), None, "the file has been cut");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600), at in 0_usize..600,
            valid: bool, start: u64, end: u64, size: u64) {
            if valid {
                let mut whole = file();
                let at = at.min(bytes.len());
                whole[..at].iter_mut().zip(&bytes).skip(24).for_each(|(to, from)| *to = *from);
                bytes = whole;
            }
            if let Some(head) = Head::parse(&bytes) {
                let _ = (head.build_id(), head.text(start..end, size));
            }
        }
    }
}
