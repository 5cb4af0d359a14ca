//! Cuts a stream into frames.

use crate::frame::{BadLength, Frame, HEADER, Header};
use alloc::vec::Vec;

/// The longest frame, header included.
pub const LENGTH_MAX: u64 = 64 << 20;

/// More memory than this is not kept for the next frame.
const KEPT_MAX: usize = 2 << 20;

/// Cuts a stream into frames, whatever pieces it arrives in. Holds no more than has arrived and room for the next piece.
#[derive(Debug)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Bytes in front that were cut off already.
    done: usize,
    /// Where what has arrived ends.
    end: usize,
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
        Self { bytes: Vec::new(), done: 0, end: 0, longest }
    }

    /// A decoder of the first `len` bytes of `bytes`, the rest of which is room.
    ///
    /// # Panics
    /// `len` is more than there is.
    #[must_use]
    pub fn of(bytes: Vec<u8>, len: usize) -> Self {
        assert!(len <= bytes.len());
        Self { bytes, done: 0, end: len, longest: LENGTH_MAX }
    }

    /// Room for at least `room` bytes to arrive in; [`Decoder::filled`] says how many have.
    pub fn space(&mut self, room: usize) -> &mut [u8] {
        if self.is_empty() && self.bytes.len() > KEPT_MAX {
            *self = Self::new(self.longest);
        }
        if self.done > 0 {
            self.bytes.copy_within(self.done..self.end, 0);
            self.end -= self.done;
            self.done = 0;
        }
        if self.bytes.len() - self.end < room {
            self.bytes.resize(self.end + room, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes have arrived in [`Decoder::space`].
    pub fn filled(&mut self, len: usize) {
        self.end = (self.end + len).min(self.bytes.len());
    }

    /// Takes what has arrived elsewhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.space(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// Its length is impossible: the stream cannot be read any further.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, BadLength> {
        Ok(self.next_view()?.map(Frame::to_owned))
    }

    /// As [`Decoder::next_frame`], without a copy of the payload.
    ///
    /// # Errors
    /// As [`Decoder::next_frame`].
    pub fn next_view(&mut self) -> Result<Option<Frame<&[u8]>>, BadLength> {
        let Some((header, payload)) = self.first()? else { return Ok(None) };
        let start = self.done + HEADER;
        self.done = start + payload;
        Ok(Some(Frame { header, payload: &self.bytes[start..self.done] }))
    }

    /// Bytes that have yet to arrive of the frame that has begun to, as far as that is known. Nothing may be set aside
    /// for all of them: the other side has only announced them.
    #[must_use]
    pub fn missing(&self) -> usize {
        let rest = self.rest();
        let announced = rest.first_chunk().and_then(|len| usize::try_from(u64::from_le_bytes(*len)).ok());
        announced.map_or(0, |len| len.saturating_sub(rest.len()))
    }

    /// Whether [`Decoder::next_frame`] has something to say.
    #[must_use]
    pub fn has_frame(&self) -> bool {
        !matches!(self.first(), Ok(None))
    }

    /// The header of the next frame and the length of its payload, if all of it is there.
    fn first(&self) -> Result<Option<(Header, usize)>, BadLength> {
        let Some((header, rest)) = self.bytes[self.done..self.end].split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let (header, payload) = Header::parse(header)?;
        if payload > self.longest - HEADER as u64 {
            return Err(BadLength(payload.saturating_add(HEADER as u64)));
        }
        let payload = usize::try_from(payload).ok().filter(|payload| *payload <= rest.len());
        Ok(payload.map(|payload| (header, payload)))
    }

    /// Whether nothing is left of what has arrived: the stream stands at the start of a frame.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.done == self.end
    }

    /// Bytes that have arrived and are not cut off yet.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.done..self.end]
    }

    /// The size of its memory.
    #[must_use]
    pub fn room(&self) -> usize {
        self.bytes.len()
    }

    /// The memory, of a decoder that is not needed any more.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
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
