//! The list of an ELF file's system call instructions, as bytes.
//!
//! The `sites` crate makes such a list with a disassembler, outside of any program; the preloaded library
//! reads it and rewrites the instructions. It may come from a cache that anybody wrote: every entry is checked here, and
//! again against the bytes of the mapped file before anything is changed.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

use alloc::vec::Vec;

const MAGIC: [u8; 8] = *b"rumpsl03";
const HEADER: usize = 8 + 8 + BuildId::SIZE + 4 + 4;
const RECORD: usize = 40;
/// More than any file has: libc has 526.
const SITES_MAX: usize = 1 << 16;
/// `syscall` is this long.
pub const CALL_SIZE: u32 = 2;
/// `jmp rel32` is this long: no span is shorter.
pub const JUMP_SIZE: u8 = 5;
const NO_FIXUP: u8 = 0xff;

/// What names a file's contents: the descriptor of its `NT_GNU_BUILD_ID` note, zero-padded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BuildId(pub [u8; Self::SIZE]);

impl BuildId {
    /// Bytes of a SHA-1, which is what linkers write.
    pub const SIZE: usize = 20;

    /// From a note's descriptor; none if it is empty or longer than 20 bytes.
    #[must_use]
    pub fn from_note(descriptor: &[u8]) -> Option<Self> {
        let mut id = [0; Self::SIZE];
        id.get_mut(..descriptor.len()).filter(|_| !descriptor.is_empty())?.copy_from_slice(descriptor);
        Some(Self(id))
    }

    /// Its 40 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> [u8; 40] {
        let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = digit(byte >> 4);
            pair[1] = digit(byte & 15);
        }
        text
    }
}

/// A 32-bit displacement from `%rip` inside a span, which has to change when its instruction moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixup {
    /// Where in [`Site::code`] it is.
    pub at: u8,
    /// Where in [`Site::code`] the next instruction starts: what it is relative to.
    pub next: u8,
}

/// One `syscall` instruction and the bytes around it that may be replaced by a jump.
///
/// The span never holds a branch or, inside, a branch's target. It ends in front of the `syscall`, which stays
/// as it is (the best kind: `mov $n,%eax` is just long enough), or right behind it, or (forward) starts with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Address of the `syscall` instruction in the file's own numbering (ELF virtual address).
    pub call: u32,
    /// Address of the first byte replaced.
    pub start: u32,
    /// Bytes replaced, at least [`JUMP_SIZE`].
    pub len: u8,
    /// The original bytes from the span's start to the end of the span or of the `syscall`, whichever is later.
    pub code: Vec<u8>,
    /// Displacements in `code`.
    pub fixups: Vec<Fixup>,
}

impl Site {
    /// Bytes of `code` in front of the `syscall`.
    #[must_use]
    pub fn before(&self) -> &[u8] {
        &self.code[..self.call_offset()]
    }

    /// Bytes of `code` behind the `syscall`: those of a forward span.
    #[must_use]
    pub fn after(&self) -> &[u8] {
        &self.code[self.call_offset() + CALL_SIZE as usize..]
    }

    /// Where the program goes on: behind the `syscall`, or behind a forward span.
    #[must_use]
    pub fn resume(&self) -> u32 {
        self.start + u32::try_from(self.code.len()).unwrap_or(0)
    }

    fn call_offset(&self) -> usize {
        (self.call - self.start) as usize
    }

    /// Whether all its numbers fit together.
    fn is_sound(&self) -> bool {
        let len = self.code.len();
        let call = match self.call.checked_sub(self.start) {
            Some(offset) if offset as usize + CALL_SIZE as usize <= len => offset as usize,
            _ => return false,
        };
        let span = usize::from(self.len);
        let ends = span == call || span == call + CALL_SIZE as usize || (call == 0 && span == len);
        self.len >= JUMP_SIZE
            && ends
            && len == span.max(call + CALL_SIZE as usize)
            && self.code.get(call..call + 2) == Some(&[0x0f, 0x05])
            && self.start.checked_add(RECORD as u32).is_some()
            && self.fixups.iter().all(|fixup| {
                let (at, next) = (usize::from(fixup.at), usize::from(fixup.next));
                at + 4 <= next && next <= len && (next <= call || at >= call + CALL_SIZE as usize)
            })
    }
}

/// All sites of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteList {
    /// Which file.
    pub build_id: BuildId,
    /// Its size in bytes.
    pub file_size: u64,
    /// No instruction of the file makes a call but those of the sites.
    pub whole: bool,
    /// In the order of their addresses, not overlapping.
    pub sites: Vec<Site>,
}

impl SiteList {
    /// The list as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.sites.len() * RECORD);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.file_size.to_le_bytes());
        bytes.extend_from_slice(&self.build_id.0);
        bytes.extend_from_slice(&u32::from(self.whole).to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(self.sites.len()).unwrap_or(0).to_le_bytes());
        for site in &self.sites {
            encode_site(site, &mut bytes);
        }
        bytes
    }

    /// Reads what [`SiteList::encode`] wrote; none if anything about it is wrong.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (header, records) = bytes.split_at_checked(HEADER)?;
        let (magic, header) = header.split_at(8);
        let (file_size, header) = header.split_at(8);
        let (build_id, header) = header.split_at(BuildId::SIZE);
        let (whole, count) = header.split_at(4);
        let whole = match u32::from_le_bytes(whole.try_into().ok()?) {
            0 => false,
            1 => true,
            _ => return None,
        };
        let count = u32::from_le_bytes(count.try_into().ok()?) as usize;
        if magic != MAGIC || count > SITES_MAX || records.len() != count * RECORD {
            return None;
        }
        let sites: Vec<Site> = records.chunks_exact(RECORD).map(decode_site).collect::<Option<_>>()?;
        let apart = sites.windows(2).all(|pair| pair[0].resume() <= pair[1].start);
        apart.then_some(Self {
            build_id: BuildId(build_id.try_into().ok()?),
            file_size: u64::from_le_bytes(file_size.try_into().ok()?),
            whole,
            sites,
        })
    }
}

const CODE_AT: usize = 14;
/// The longest `code`.
pub const CODE_MAX: usize = RECORD - CODE_AT;

fn encode_site(site: &Site, bytes: &mut Vec<u8>) {
    let mut record = [0; RECORD];
    record[..4].copy_from_slice(&site.call.to_le_bytes());
    record[4..8].copy_from_slice(&site.start.to_le_bytes());
    record[8] = site.len;
    record[9] = u8::try_from(site.code.len()).unwrap_or(0);
    for slot in 0..2 {
        let fixup = site.fixups.get(slot);
        record[10 + 2 * slot] = fixup.map_or(NO_FIXUP, |fixup| fixup.at);
        record[11 + 2 * slot] = fixup.map_or(NO_FIXUP, |fixup| fixup.next);
    }
    record[CODE_AT..CODE_AT + site.code.len()].copy_from_slice(&site.code);
    bytes.extend_from_slice(&record);
}

fn decode_site(record: &[u8]) -> Option<Site> {
    let word = |at: usize| Some(u32::from_le_bytes(record.get(at..at + 4)?.try_into().ok()?));
    let code = record.get(CODE_AT..CODE_AT + usize::from(record[9]))?.to_vec();
    let fixups = record[10..CODE_AT].chunks_exact(2).filter(|pair| pair[0] != NO_FIXUP);
    let fixups = fixups.map(|pair| Fixup { at: pair[0], next: pair[1] }).collect();
    let site = Site { call: word(0)?, start: word(4)?, len: record[8], code, fixups };
    site.is_sound().then_some(site)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn list() -> SiteList {
        let mov = Site {
            call: 0x1005,
            start: 0x1000,
            len: 5,
            code: vec![0xb8, 1, 0, 0, 0, 0x0f, 0x05],
            fixups: vec![],
        };
        let forward = Site {
            call: 0x2000,
            start: 0x2000,
            len: 9,
            code: vec![0x0f, 0x05, 0x48, 0x8b, 0x05, 1, 2, 3, 4],
            fixups: vec![Fixup { at: 5, next: 9 }],
        };
        SiteList { build_id: BuildId([7; 20]), file_size: 99, whole: true, sites: vec![mov, forward] }
    }

    #[test]
    fn round_trip() {
        let list = list();
        assert_eq!(SiteList::decode(&list.encode()), Some(list.clone()));
        assert_eq!(list.sites[0].resume(), 0x1007);
        assert_eq!(list.sites[1].after().len(), 7);
        assert_eq!(&list.build_id.hex()[..4], b"0707");
    }

    #[test]
    fn overlapping_sites_are_refused() {
        let mut list = list();
        list.sites[1] = list.sites[0].clone();
        assert_eq!(SiteList::decode(&list.encode()), None);
    }

    proptest! {
        #[test]
        fn any_change_is_refused_or_sound(at in 0_usize..120, to: u8) {
            let mut bytes = list().encode();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Some(found) = SiteList::decode(&bytes) {
                for site in &found.sites {
                    prop_assert!(site.is_sound());
                    let _ = (site.before(), site.after(), site.resume());
                }
            }
        }

        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = SiteList::decode(&bytes);
        }
    }
}
