//! CALL and CANCEL: our extension that carries a call's memory with the request and the reply.

use alloc::vec::Vec;

/// A piece of the caller's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Where it is.
    pub address: u64,
    /// What is there, or is to be.
    pub bytes: &'a [u8],
}

/// The word of a CALL's header: the call's number, and where its paths start (`rump_place`; 0: where its process's do).
#[must_use]
pub const fn word(number: u32, place: u16) -> u32 {
    number | (place as u32) << PLACE_SHIFT
}

/// Takes a [`word`] apart.
#[must_use]
pub const fn number_and_place(word: u32) -> (u32, u16) {
    (word & NUMBER, (word >> PLACE_SHIFT) as u16)
}

const PLACE_SHIFT: u32 = 16;
const NUMBER: u32 = 0xffff;

/// A file that the caller has got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct File {
    /// The `SO_COOKIE` of its host descriptor; of a lone file what `rump_find` knows it by.
    pub cookie: u64,
    /// Where the program wants its number; 0: it is the call's result.
    pub put_at: u64,
    /// Its descriptor in the rump kernel.
    pub descriptor: u32,
    /// What it is (`kernel::FileKind`).
    pub kind: u32,
    /// Close-on-exec was asked for.
    pub cloexec: bool,
    /// A host descriptor travels with it.
    pub passed: bool,
    /// No host descriptor stands for it: close(2) closes it.
    pub lone: bool,
}

const FILE: usize = 32;
const REQUEST_FIXED: usize = 6 * 8 + 4 + 4;
const REPLY_FIXED: usize = 8 + 4 * 4;
const CLOEXEC: u32 = 1;
const PASSED: u32 = 2;
const LONE: u32 = 4;

/// The answer to a CALL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The value, or an error number below zero.
    pub result: i64,
    /// Tokens to take off the descriptor that the call used.
    pub drain: u32,
    /// Whether to make that descriptor unwritable.
    pub fill: bool,
    /// Files that the caller has got.
    pub files: Vec<File>,
    /// Bytes for the caller's memory.
    pub segments: Vec<Segment<'a>>,
}

/// The part of a CALL's payload in front of the segments' bytes, which follow one behind the other.
#[must_use]
pub fn emit_request(args: [u64; 6], passed: u32, segments: &[(u64, u64)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(REQUEST_FIXED + segments.len() * 16);
    args.iter().for_each(|arg| bytes.extend_from_slice(&arg.to_le_bytes()));
    bytes.extend_from_slice(&u32::try_from(segments.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&passed.to_le_bytes());
    for (address, len) in segments {
        bytes.extend_from_slice(&address.to_le_bytes());
        bytes.extend_from_slice(&len.to_le_bytes());
    }
    bytes
}

/// A CALL's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The argument registers.
    pub args: [u64; 6],
    /// How many descriptors were passed along.
    pub passed: u32,
    /// What the call reads of the caller's memory.
    pub segments: Vec<Segment<'a>>,
}

impl<'a> Request<'a> {
    /// Reads a payload; none if it is malformed or has more segments than `most`.
    #[must_use]
    pub fn parse(payload: &'a [u8], most: usize) -> Option<Self> {
        let mut reader = Reader(payload);
        let mut args = [0; 6];
        for arg in &mut args {
            *arg = reader.u64()?;
        }
        let count = reader.u32()?;
        let passed = reader.u32()?;
        Some(Self { args, passed, segments: reader.segments(count, most)? })
    }
}

impl<'a> Reply<'a> {
    /// Reads a payload; none if it is malformed.
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        let result = reader.u64()?.cast_signed();
        let (files, segments) = (reader.u32()?, reader.u32()?);
        let (drain, fill) = (reader.u32()?, reader.u32()? != 0);
        if files as usize > payload.len() / FILE {
            return None;
        }
        let files = (0..files).map(|_| reader.file()).collect::<Option<_>>()?;
        Some(Self { result, drain, fill, files, segments: reader.segments(segments, usize::MAX)? })
    }

    /// The payload.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.emit_head(&mut bytes);
        self.segments.iter().for_each(|segment| bytes.extend_from_slice(segment.bytes));
        bytes
    }

    /// The length of the payload.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        let segments = self.segments.iter().map(|segment| 16 + segment.bytes.len());
        REPLY_FIXED + self.files.len() * FILE + segments.sum::<usize>()
    }

    /// Appends the payload up to the segments' bytes, which follow one behind the other.
    pub fn emit_head(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.result.to_le_bytes());
        for count in [self.files.len(), self.segments.len()] {
            bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        bytes.extend_from_slice(&self.drain.to_le_bytes());
        bytes.extend_from_slice(&u32::from(self.fill).to_le_bytes());
        self.files.iter().for_each(|file| emit_file(file, bytes));
        for segment in &self.segments {
            bytes.extend_from_slice(&segment.address.to_le_bytes());
            bytes.extend_from_slice(&(segment.bytes.len() as u64).to_le_bytes());
        }
    }
}

fn emit_file(file: &File, bytes: &mut Vec<u8>) {
    let flags = [(file.cloexec, CLOEXEC), (file.passed, PASSED), (file.lone, LONE)];
    let flags = flags.iter().filter(|(set, _)| *set).fold(0, |flags, (_, bit)| flags | bit);
    bytes.extend_from_slice(&file.cookie.to_le_bytes());
    bytes.extend_from_slice(&file.put_at.to_le_bytes());
    for word in [file.descriptor, file.kind, flags, 0] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u64(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    fn u32(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*word))
    }

    fn file(&mut self) -> Option<File> {
        let (cookie, put_at) = (self.u64()?, self.u64()?);
        let (descriptor, kind, flags, _) = (self.u32()?, self.u32()?, self.u32()?, self.u32()?);
        let (cloexec, passed, lone) = (flags & CLOEXEC != 0, flags & PASSED != 0, flags & LONE != 0);
        Some(File { cookie, put_at, descriptor, kind, cloexec, passed, lone })
    }

    /// The table of segments and their bytes, which must be all that is left.
    fn segments(mut self, count: u32, most: usize) -> Option<Vec<Segment<'a>>> {
        let count = count as usize;
        if count > most || count > self.0.len() / 16 {
            return None;
        }
        let table: Vec<(u64, u64)> =
            (0..count).map(|_| Some((self.u64()?, self.u64()?))).collect::<Option<_>>()?;
        let mut segments = Vec::with_capacity(count);
        for (address, len) in table {
            let (bytes, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
            segments.push(Segment { address, bytes });
            self.0 = rest;
        }
        self.0.is_empty().then_some(segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn request_round_trip() {
        let mut bytes = emit_request([1, 2, 3, 4, 5, 6], 2, &[(100, 3), (200, 0)]);
        bytes.extend_from_slice(b"abc");
        let request = Request::parse(&bytes, 8).unwrap();
        assert_eq!((request.args, request.passed), ([1, 2, 3, 4, 5, 6], 2));
        assert_eq!(request.segments[0], Segment { address: 100, bytes: b"abc" });
        assert_eq!(Request::parse(&bytes, 1), None, "too many segments");
        bytes.push(0);
        assert_eq!(Request::parse(&bytes, 8), None, "bytes that no segment names");
    }

    proptest! {
        #[test]
        fn reply_round_trip(result: i64, drain: u32, fill: bool, cookie: u64, kind: u32, cloexec: bool, data: Vec<u8>) {
            let file = File { cookie, put_at: 8, descriptor: 3, kind, cloexec, passed: true, lone: false };
            let segments = vec![Segment { address: 64, bytes: &data }, Segment { address: 1, bytes: b"" }];
            let reply = Reply { result, drain, fill, files: vec![file; 3], segments };
            let bytes = reply.emit();
            prop_assert_eq!(Reply::parse(&bytes), Some(reply));
        }

        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let _ = (Reply::parse(&bytes), Request::parse(&bytes, 100));
        }
    }
}
