//! Frames of rump_sp(7) as they arrive: bytes in, whole frames out.

/// Bytes of a header.
pub(crate) const HEADER: usize = 24;
/// The longest frame taken from a client, header included.
const FRAME_MAX: u64 = 64 << 20;

/// Message classes.
pub(crate) mod class {
    /// A request.
    pub(crate) const REQ: u16 = 0;
    /// A response.
    pub(crate) const RESP: u16 = 1;
    /// A refusal.
    pub(crate) const ERROR: u16 = 2;
}

/// Message types; from 32 on our own.
pub(crate) mod kind {
    pub(crate) const HANDSHAKE: u16 = 0;
    pub(crate) const SYSCALL: u16 = 1;
    pub(crate) const COPYIN: u16 = 2;
    pub(crate) const COPYINSTR: u16 = 3;
    pub(crate) const COPYOUT: u16 = 4;
    pub(crate) const PREFORK: u16 = 7;
    pub(crate) const RAISE: u16 = 8;
    pub(crate) const OPTIONS: u16 = 32;
    pub(crate) const CALL: u16 = 33;
    pub(crate) const CANCEL: u16 = 34;
}

/// What a handshake is for.
pub(crate) mod handshake {
    pub(crate) const GUEST: u32 = 0;
    pub(crate) const FORK: u32 = 2;
    pub(crate) const EXEC: u32 = 3;
}

/// Codes of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Refusal {
    Auth = 2,
    InvalidPrefork = 3,
    RforkFailed = 4,
    NoMemory = 6,
    Malformed = 7,
}

/// Bits of OPTIONS.
pub(crate) mod option {
    /// CALL frames.
    pub(crate) const CALL: u32 = 1;
    /// Descriptors are passed.
    pub(crate) const FILES: u32 = 2;
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) reqno: u64,
    pub(crate) class: u16,
    pub(crate) kind: u16,
    /// The header's last field: a call number, a handshake's kind, a code, a signal.
    pub(crate) word: u32,
    pub(crate) payload: Vec<u8>,
}

/// A length that no frame can have. What follows it in the stream means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadLength(pub u64);

/// Cuts a stream into frames.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    bytes: Vec<u8>,
    start: usize,
}

impl Decoder {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// Its length is impossible.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, BadLength> {
        let rest = &self.bytes[self.start..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let len = u64::from_le_bytes(word(header, 0));
        if len < HEADER as u64 || len > FRAME_MAX {
            return Err(BadLength(len));
        }
        let payload = usize::try_from(len).map_err(|_| BadLength(len))? - HEADER;
        let Some(payload) = rest.get(..payload) else {
            self.compact();
            return Ok(None);
        };
        let frame = Frame {
            reqno: u64::from_le_bytes(word(header, 8)),
            class: u16::from_le_bytes(word(header, 16)),
            kind: u16::from_le_bytes(word(header, 18)),
            word: u32::from_le_bytes(word(header, 20)),
            payload: payload.to_vec(),
        };
        self.start += HEADER + frame.payload.len();
        Ok(Some(frame))
    }

    /// Whether [`Decoder::next`] has something to say.
    pub(crate) fn has_frame(&self) -> bool {
        let rest = &self.bytes[self.start..];
        rest.first_chunk::<HEADER>().is_some_and(|header| {
            let len = u64::from_le_bytes(word(header, 0));
            !(HEADER as u64..=FRAME_MAX).contains(&len) || rest.len() as u64 >= len
        })
    }

    fn compact(&mut self) {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

fn word<const N: usize>(header: &[u8; HEADER], at: usize) -> [u8; N] {
    let mut word = [0; N];
    word.copy_from_slice(&header[at..at + N]);
    word
}
