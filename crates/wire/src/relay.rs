//! What a relay and a server say to each other: a relay holds the host descriptors of a server that is reached over
//! TCP, where none can be passed.

use alloc::format;
use alloc::vec::Vec;

/// Names a relay: 128 random bits, which all connections that it makes show.
pub type Token = [u8; 16];

/// READY: the readiness of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// The file, by the server's number.
    pub file: u64,
    /// Counts up: what comes on one connection may be older than what came on another.
    pub sequence: u64,
    /// `POLL*` bits.
    pub mask: u16,
    /// Something happened, even if the bits are the same.
    pub edge: bool,
    /// The call whose number this frame repeats has used the file; its answer follows.
    pub touched: bool,
}

const EDGE: u32 = 1;
const TOUCHED: u32 = 2;

impl Ready {
    /// The payload.
    #[must_use]
    pub fn emit(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.file.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..20].copy_from_slice(&u32::from(self.mask).to_le_bytes());
        let flags = if self.edge { EDGE } else { 0 } | if self.touched { TOUCHED } else { 0 };
        bytes[20..].copy_from_slice(&flags.to_le_bytes());
        bytes
    }

    /// Reads a payload; none if it is malformed.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (file, rest) = payload.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (mask, rest) = rest.split_first_chunk()?;
        let flags = u32::from_le_bytes(rest.try_into().ok()?);
        Some(Self {
            file: u64::from_le_bytes(*file),
            sequence: u64::from_le_bytes(*sequence),
            mask: u16::try_from(u32::from_le_bytes(*mask)).ok()?,
            edge: flags & EDGE != 0,
            touched: flags & TOUCHED != 0,
        })
    }
}

/// CLOSED and GONE: a file, by the server's number.
#[must_use]
pub fn parse_file(payload: &[u8]) -> Option<u64> {
    payload.try_into().ok().map(u64::from_le_bytes)
}

/// The directory of a user's relays, which is that user's alone.
#[must_use]
pub fn directory(uid: u32) -> Vec<u8> {
    format!("/tmp/rumphijack-{uid}").into_bytes()
}

/// Where a user's relay to this server listens.
#[must_use]
pub fn socket([a, b, c, d]: [u8; 4], port: u16, uid: u32) -> Vec<u8> {
    [directory(uid), format!("/{a}.{b}.{c}.{d}-{port}").into_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ready_there_and_back(file: u64, sequence: u64, mask: u16, edge: bool, touched: bool) {
            let ready = Ready { file, sequence, mask, edge, touched };
            prop_assert_eq!(Ready::parse(&ready.emit()), Some(ready));
        }

        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            if let Some(ready) = Ready::parse(&bytes) {
                prop_assert_eq!(ready.emit()[..20].to_vec(), bytes[..20].to_vec());
            }
        }
    }
}
