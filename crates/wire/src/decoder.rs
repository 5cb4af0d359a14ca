//! Cuts a stream into frames.

use crate::frame::{BadLength, Frame, HEADER, Header};
use alloc::vec::Vec;

/// The longest frame, header included.
pub const LENGTH_MAX: u64 = 64 << 20;

/// Cuts a stream into frames, whatever pieces it arrives in. Holds no more than has arrived.
#[derive(Debug)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Bytes in front that were cut off already.
    done: usize,
    longest: u64,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(LENGTH_MAX)
    }
}

impl Decoder {
    /// A decoder that refuses frames longer than `longest`.
    #[must_use]
    pub const fn new(longest: u64) -> Self {
        Self { bytes: Vec::new(), done: 0, longest }
    }

    /// Takes what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.done > 0 {
            self.bytes.drain(..self.done);
            self.done = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// Its length is impossible: the stream cannot be read any further.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BadLength> {
        let rest = &self.bytes[self.done..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let (header, payload) = Header::parse(header)?;
        if payload > self.longest - HEADER as u64 {
            return Err(BadLength(payload.saturating_add(HEADER as u64)));
        }
        let Some(payload) = usize::try_from(payload).ok().and_then(|len| rest.get(..len)) else {
            return Ok(None);
        };
        self.done += HEADER + payload.len();
        Ok(Some(Frame { header, payload: payload.to_vec() }))
    }

    /// Whether nothing is left of what has arrived: the stream stands at the start of a frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.done == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{class, kind};
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn impossible_lengths() {
        for len in [0_u64, 23, LENGTH_MAX + 1, 1 << 32, u64::MAX] {
            let mut bytes = Header::default().emit(0);
            bytes[..8].copy_from_slice(&len.to_le_bytes());
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            assert_eq!(decoder.next_frame(), Err(BadLength(len)));
        }
    }

    #[test]
    fn an_announced_length_costs_nothing() {
        let mut decoder = Decoder::default();
        decoder.push(&Header::default().emit(60 << 20));
        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(decoder.bytes.capacity() < 1024);
    }

    fn frames() -> impl Strategy<Value = Vec<Frame>> {
        let one =
            (any::<u64>(), 0..3_u16, any::<u16>(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..200));
        let frame = one.prop_map(|(reqno, class, kind, word, payload)| Frame {
            header: Header { reqno, class, kind, word },
            payload,
        });
        prop::collection::vec(frame, 0..10)
    }

    proptest! {
        #[test]
        fn any_split_of_any_frames(frames in frames(), cuts in prop::collection::vec(1_usize..50, 1..20)) {
            let stream: Vec<u8> = frames.iter().flat_map(Frame::emit).collect();
            let mut decoder = Decoder::default();
            let (mut rest, mut cuts, mut found) = (stream.as_slice(), cuts.iter().cycle(), vec![]);
            while !rest.is_empty() {
                let (piece, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                decoder.push(piece);
                rest = later;
                while let Some(frame) = decoder.next_frame().unwrap() {
                    found.push(frame);
                }
            }
            prop_assert!(decoder.is_empty());
            prop_assert_eq!(found, frames);
        }

        #[test]
        fn any_bytes(bytes: Vec<u8>) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(frame)) = decoder.next_frame() {
                let _ = (frame.refusal(), frame.header.class == class::REQ, frame.header.kind == kind::CALL);
            }
        }
    }
}
