//! `rump_info` by hand: the shortest conversation that tells the counters (man/rump_sp.7).

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const HEADER: usize = 24;
const REQ: u16 = 0;
const HANDSHAKE: u16 = 0;
const OPTIONS: u16 = 32;
const CALL: u16 = 33;
const OPTION_CALL_FRAMES: u32 = 1;
const INFO: u32 = 0x1004;
const TOPIC_COUNTERS: u64 = 2;
const ROOM: u64 = 64 << 10;

/// The server's counters as text.
///
/// # Errors
/// If the server cannot be reached or answers something else.
pub(crate) fn counters(socket: &Path) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    banner(&mut stream)?;
    send(&mut stream, 1, HANDSHAKE, 0, b"e2e\0")?;
    receive(&mut stream)?;
    send(&mut stream, 2, OPTIONS, 0, &OPTION_CALL_FRAMES.to_le_bytes())?;
    // The address is one that nobody dereferences: the bytes come back in the reply.
    let args = [TOPIC_COUNTERS, 0x1000, ROOM, 0, 0, 0];
    let mut payload: Vec<u8> = args.iter().flat_map(|arg| arg.to_le_bytes()).collect();
    payload.extend([0; 8]);
    send(&mut stream, 3, CALL, INFO, &payload)?;
    let reply = receive(&mut stream)?;
    let segments = number(&reply, 12)?;
    let bytes = reply.get(24 + 16 * segments..).ok_or(io::ErrorKind::InvalidData)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn banner(stream: &mut UnixStream) -> io::Result<()> {
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte)?;
    }
    Ok(())
}

fn send(stream: &mut UnixStream, number: u64, kind: u16, union: u32, payload: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.extend(((HEADER + payload.len()) as u64).to_le_bytes());
    frame.extend(number.to_le_bytes());
    frame.extend(REQ.to_le_bytes());
    frame.extend(kind.to_le_bytes());
    frame.extend(union.to_le_bytes());
    frame.extend(payload);
    stream.write_all(&frame)
}

fn receive(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let length = u64::from_le_bytes(header[..8].try_into().unwrap_or_default()) as usize;
    let mut payload = vec![0; length.saturating_sub(HEADER)];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}

fn number(bytes: &[u8], at: usize) -> io::Result<usize> {
    let word =
        bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).ok_or(io::ErrorKind::InvalidData)?;
    Ok(u32::from_le_bytes(word) as usize)
}
