//! The header that every frame begins with.

use abi::Errno;
use alloc::vec::Vec;

/// Bytes of a header.
pub const HEADER: usize = 24;

/// Classes of frames.
pub mod class {
    /// A request.
    pub const REQ: u16 = 0;
    /// The answer to one.
    pub const RESP: u16 = 1;
    /// A refusal; the header's word is its code.
    pub const ERROR: u16 = 2;
}

/// Types of frames.
pub mod kind {
    /// Who the client is; the header's word says which kind of handshake.
    pub const HANDSHAKE: u16 = 0;
    /// A system call; its number is the header's word.
    pub const SYSCALL: u16 = 1;
    /// The server wants bytes of the client's memory.
    pub const COPYIN: u16 = 2;
    /// The server wants a string of the client's memory.
    pub const COPYINSTR: u16 = 3;
    /// Bytes for the client's memory.
    pub const COPYOUT: u16 = 4;
    /// The same; no known server sends it.
    pub const COPYOUTSTR: u16 = 5;
    /// The server wants anonymous memory in the client.
    pub const ANONMMAP: u16 = 6;
    /// The client is about to fork.
    pub const PREFORK: u16 = 7;
    /// The client gets a signal; its number is the header's word.
    pub const RAISE: u16 = 8;
    /// Ours: what the client wants to use of our extensions.
    pub const OPTIONS: u16 = 32;
    /// Ours: a system call with the memory that it names.
    pub const CALL: u16 = 33;
    /// Ours: end a call early.
    pub const CANCEL: u16 = 34;
    /// Ours, to a relay: a file's readiness.
    pub const READY: u16 = 35;
    /// Ours, to a relay: a file is closed.
    pub const CLOSED: u16 = 36;
    /// Ours, from a relay: the last host descriptor of a file was closed.
    pub const GONE: u16 = 37;
    /// Ours: there is a request in the [lane](crate::lane) that nobody watches.
    pub const KNOCK: u16 = 38;
}

/// Kinds of handshakes.
pub mod handshake {
    /// A new process.
    pub const GUEST: u32 = 0;
    /// Never implemented by anybody.
    pub const AUTH: u32 = 1;
    /// The child of a process that asked for it with PREFORK.
    pub const FORK: u32 = 2;
    /// The process runs another program.
    pub const EXEC: u32 = 3;
}

/// Codes of refusals.
pub mod error {
    use abi::Errno;

    /// Send it again.
    pub const TRYAGAIN: u32 = 1;
    /// Not before a handshake, or not such a one.
    pub const AUTH: u32 = 2;
    /// No such fork was announced.
    pub const INVALID_PREFORK: u32 = 3;
    /// The server could not make the process.
    pub const RFORK_FAILED: u32 = 4;
    /// The process is running another program just now.
    pub const INEXEC: u32 = 5;
    /// No memory.
    pub const NOMEM: u32 = 6;
    /// The frame makes no sense.
    pub const MALFORMED: u32 = 7;

    /// The error that a program sees for a refusal.
    #[must_use]
    pub fn to_errno(code: u32) -> Errno {
        match code {
            TRYAGAIN => Errno::EAGAIN,
            AUTH => Errno::EPERM,
            INVALID_PREFORK => Errno::ESRCH,
            INEXEC => Errno::EBUSY,
            NOMEM => Errno::ENOMEM,
            MALFORMED => Errno::EINVAL,
            _ => Errno::EIO,
        }
    }
}

/// Bits of OPTIONS.
pub mod option {
    /// CALL frames are used.
    pub const CALL: u32 = 1;
    /// Descriptors are passed.
    pub const FILES: u32 = 2;
    /// The prefix under which the program sees the rump kernel's paths follows.
    pub const PREFIX: u32 = 4;
    /// A relay holds the client's host descriptors: its token stands in front of the prefix.
    pub const RELAY: u32 = 8;
    /// This is the relay itself.
    pub const CONTROL: u32 = 16;
    /// Files that are one process's alone need no host descriptor.
    pub const LONE: u32 = 32;
}

/// A header. The length of the frame is not part of it: it follows from the payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// Repeated by the answer.
    pub reqno: u64,
    /// See [`class`].
    pub class: u16,
    /// See [`kind`].
    pub kind: u16,
    /// A call's number, a handshake's kind, a refusal's code, a signal: as class and kind say.
    pub word: u32,
}

/// A length that no frame can have. What follows it in the stream means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLength(pub u64);

impl Header {
    /// A request.
    #[must_use]
    pub const fn request(reqno: u64, kind: u16, word: u32) -> Self {
        Self { reqno, class: class::REQ, kind, word }
    }

    /// The header of a frame with `payload` bytes behind it.
    #[must_use]
    pub fn emit(&self, payload: usize) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&((HEADER + payload) as u64).to_le_bytes());
        bytes[8..16].copy_from_slice(&self.reqno.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.class.to_le_bytes());
        bytes[18..20].copy_from_slice(&self.kind.to_le_bytes());
        bytes[20..].copy_from_slice(&self.word.to_le_bytes());
        bytes
    }

    /// A header and the number of bytes behind it.
    ///
    /// # Errors
    /// The length is less than a header's.
    pub fn parse(bytes: &[u8; HEADER]) -> Result<(Self, u64), BadLength> {
        let [l0, l1, l2, l3, l4, l5, l6, l7, r0, r1, r2, r3, r4, r5, r6, r7, c0, c1, k0, k1, w0, w1, w2, w3] =
            *bytes;
        let len = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
        let payload = len.checked_sub(HEADER as u64).ok_or(BadLength(len))?;
        let header = Self {
            reqno: u64::from_le_bytes([r0, r1, r2, r3, r4, r5, r6, r7]),
            class: u16::from_le_bytes([c0, c1]),
            kind: u16::from_le_bytes([k0, k1]),
            word: u32::from_le_bytes([w0, w1, w2, w3]),
        };
        Ok((header, payload))
    }
}

/// A whole frame, with its payload or a view of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<B = Vec<u8>> {
    /// Its header.
    pub header: Header,
    /// What follows.
    pub payload: B,
}

impl<B: AsRef<[u8]>> Frame<B> {
    /// The error that a program sees, if this is a refusal.
    #[must_use]
    pub fn refusal(&self) -> Option<Errno> {
        (self.header.class == class::ERROR).then(|| error::to_errno(self.header.word))
    }

    /// All its bytes.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let payload = self.payload.as_ref();
        let mut bytes = self.header.emit(payload.len()).to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }
}

impl Frame<&[u8]> {
    /// The frame with a payload of its own.
    #[must_use]
    pub fn to_owned(self) -> Frame {
        Frame { header: self.header, payload: self.payload.to_vec() }
    }
}
