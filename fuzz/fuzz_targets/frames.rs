//! A stream of any bytes, in pieces: frames come out the same however it is cut, and messages write what they read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Decoder, Frame, Message};

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, bool) {
    let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, false),
            }
        }
    }
    (frames, true)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, stream)) = bytes.split_first() else { return };
    let cut = decode(stream.chunks(usize::from(*size).max(1)));
    assert_eq!(cut, decode(std::iter::once(stream)));
    for frame in cut.0 {
        let Some(message) = Message::parse(&frame) else { continue };
        let again = Frame { header: frame.header, payload: message.payload() };
        assert_eq!(Message::parse(&again), Some(message));
    }
});
