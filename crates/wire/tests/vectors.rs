//! Conversations captured from the original rump_server and its clients (NetBSD 7.99.34): every frame reads as a
//! message, and the message writes the same bytes, the uninitialised ones aside.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use wire::banner::Banner;
use wire::{Decoder, Frame, Message, kind};

/// One line of a capture: `connN {C->S|S->C|S->C BANNER} HEX`, or `... EOF`.
fn lines(text: &str) -> impl Iterator<Item = (&str, Vec<u8>)> {
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).filter_map(|line| {
        let (what, hex) = line.trim().rsplit_once(' ')?;
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        (digits.len() == hex.len() && hex.len() % 2 == 0).then(|| {
            let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
            (what, digits.chunks(2).map(pair).collect())
        })
    })
}

/// What the original leaves uninitialised: padding behind the error of a call's answer.
fn masked(mut frame: Frame) -> Frame {
    if frame.header.class == wire::class::RESP && frame.header.kind == kind::SYSCALL {
        frame.payload[4..8].fill(0);
    }
    frame
}

fn check(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    let mut frames = 0;
    for (what, bytes) in lines(&text) {
        if what.ends_with("BANNER") {
            let banner = Banner::parse(&bytes).unwrap();
            assert_eq!(banner.to_string().as_bytes(), bytes, "{path:?}");
            continue;
        }
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        let frame = decoder.next_frame().unwrap().unwrap_or_else(|| panic!("{path:?}: half a frame: {what}"));
        assert!(decoder.is_empty(), "{path:?}: more than a frame: {what}");
        assert_eq!(frame.emit(), bytes, "{path:?}");
        let message = Message::parse(&frame).unwrap_or_else(|| panic!("{path:?}: no message: {frame:?}"));
        assert_eq!(message.payload(), masked(frame).payload, "{path:?}: {message:?}");
        frames += 1;
    }
    frames
}

#[test]
fn every_captured_frame() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let frames = check(&path);
        assert!(frames >= 3, "{path:?} has {frames} frames");
        files += 1;
    }
    assert_eq!(files, 14);
}
