//! What a frame says, as a value that is valid by construction.

use crate::frame::{Frame, Header, class, handshake, kind};
use alloc::vec::Vec;

/// A message of rump_sp 0.4. Those of our extensions are in [`crate::call`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A new process (GUEST) or program (EXEC), with its name, the NUL not included.
    Name {
        /// [`handshake::GUEST`] or [`handshake::EXEC`].
        kind: u32,
        /// The program's name.
        name: Vec<u8>,
    },
    /// The child of a process that asked for it.
    Fork {
        /// What PREFORK was answered with.
        auth: [u8; 16],
        /// The fork did not happen: forget it.
        cancel: bool,
    },
    /// The answer to a handshake: 0, or an error number.
    HandshakeAnswer(i32),
    /// A system call: its arguments in slots of 8 bytes.
    Syscall(Vec<u64>),
    /// The answer to one.
    SyscallAnswer {
        /// The error number, 0 for success.
        error: i32,
        /// The values of success.
        values: [i64; 2],
    },
    /// Bytes or (COPYINSTR) a string are wanted.
    Copyin {
        /// A string, up to its NUL.
        string: bool,
        /// How many bytes, at most for a string.
        len: u64,
        /// From where.
        address: u64,
    },
    /// The answer to that.
    CopyinAnswer(Vec<u8>),
    /// Bytes to be written.
    Copyout {
        /// Where to.
        address: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// So many bytes of anonymous memory are wanted.
    Anonmmap(u64),
    /// The answer to that: their address, 0 if there are none.
    AnonmmapAnswer(u64),
    /// A fork is announced.
    Prefork,
    /// The answer to that.
    PreforkAnswer([u8; 16]),
    /// A signal.
    Raise,
    /// A refusal.
    Error,
}

impl Message {
    /// Reads a frame. None: it is not a message of rump_sp 0.4, or a malformed one. Padding is not looked at.
    #[must_use]
    pub fn parse<B: AsRef<[u8]>>(frame: &Frame<B>) -> Option<Self> {
        let payload = frame.payload.as_ref();
        let Header { class, kind, word, .. } = frame.header;
        Some(match (class, kind) {
            (class::ERROR, _) => Self::Error,
            (class::REQ, kind::HANDSHAKE) if word == handshake::FORK => {
                let (auth, cancel) = payload.split_first_chunk()?;
                Self::Fork { auth: *auth, cancel: cancel.try_into().ok().map(i32::from_le_bytes)? != 0 }
            }
            (class::REQ, kind::HANDSHAKE) if matches!(word, handshake::GUEST | handshake::EXEC) => {
                Self::Name { kind: word, name: payload.split(|byte| *byte == 0).next()?.to_vec() }
            }
            (class::RESP, kind::HANDSHAKE) => {
                Self::HandshakeAnswer(i32::from_le_bytes(payload.try_into().ok()?))
            }
            (class::REQ, kind::SYSCALL) => Self::Syscall(slots(payload)?),
            (class::RESP, kind::SYSCALL) => {
                let error = i32::from_le_bytes(*payload.first_chunk()?);
                let values = [slot(payload, 8)?.cast_signed(), slot(payload, 16)?.cast_signed()];
                Self::SyscallAnswer { error, values }
            }
            (class::REQ, kind::COPYIN | kind::COPYINSTR) => {
                let string = kind == kind::COPYINSTR;
                Self::Copyin { string, len: slot(payload, 0)?, address: slot(payload, 8)? }
            }
            (class::RESP, kind::COPYIN) => Self::CopyinAnswer(payload.to_vec()),
            (class::REQ, kind::COPYOUT | kind::COPYOUTSTR) => {
                let (len, address) = (slot(payload, 0)?, slot(payload, 8)?);
                let bytes = payload.get(16..)?;
                (len == bytes.len() as u64).then(|| Self::Copyout { address, bytes: bytes.to_vec() })?
            }
            (class::REQ, kind::ANONMMAP) => Self::Anonmmap(slot(payload, 0)?),
            (class::RESP, kind::ANONMMAP) => Self::AnonmmapAnswer(slot(payload, 0)?),
            (class::REQ, kind::PREFORK) => Self::Prefork,
            (class::RESP, kind::PREFORK) => Self::PreforkAnswer(payload.try_into().ok()?),
            (class::REQ, kind::RAISE) => Self::Raise,
            _ => return None,
        })
    }

    /// The payload. Padding is zero.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Name { name, .. } => {
                bytes.extend_from_slice(name);
                bytes.push(0);
            }
            Self::Fork { auth, cancel } => {
                bytes.extend_from_slice(auth);
                bytes.extend_from_slice(&i32::from(*cancel).to_le_bytes());
            }
            Self::HandshakeAnswer(error) => bytes.extend_from_slice(&error.to_le_bytes()),
            Self::Syscall(slots) => {
                slots.iter().for_each(|slot| bytes.extend_from_slice(&slot.to_le_bytes()))
            }
            Self::SyscallAnswer { error, values } => {
                bytes.extend_from_slice(&error.to_le_bytes());
                bytes.extend_from_slice(&[0; 4]);
                values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            }
            Self::Copyin { len, address, .. } => {
                bytes.extend_from_slice(&len.to_le_bytes());
                bytes.extend_from_slice(&address.to_le_bytes());
            }
            Self::Copyout { address, bytes: data } => {
                bytes.extend_from_slice(&(data.len() as u64).to_le_bytes());
                bytes.extend_from_slice(&address.to_le_bytes());
                bytes.extend_from_slice(data);
            }
            Self::CopyinAnswer(data) => bytes.extend_from_slice(data),
            Self::Anonmmap(word) | Self::AnonmmapAnswer(word) => bytes.extend_from_slice(&word.to_le_bytes()),
            Self::PreforkAnswer(auth) => bytes.extend_from_slice(auth),
            Self::Prefork | Self::Raise | Self::Error => {}
        }
        bytes
    }
}

fn slot(payload: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*payload.get(at..)?.first_chunk()?))
}

fn slots(payload: &[u8]) -> Option<Vec<u64>> {
    let (slots, rest) = payload.as_chunks::<8>();
    rest.is_empty().then(|| slots.iter().map(|slot| u64::from_le_bytes(*slot)).collect())
}
