//! `rump capture`: what passes the links of a rump kernel, as a file.

use crate::cli::CaptureOptions;
use crate::session::{Error, Session};
use abi::{Errno, private};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Any addresses will do: this program has no memory that a call is about.
const NAME: u64 = 0x1000;
const BUFFER: u64 = 0x2_0000;
/// How much is fetched at once; at least one frame.
const SPACE: u64 = 1 << 20;
const PROMISCUOUS: u64 = 1;
/// An Enhanced Packet Block of pcapng.
const PACKET: u32 = 6;

/// Writes frames until so many have come, or for ever.
pub(crate) fn capture(options: &CaptureOptions) -> Result<String, Error> {
    let mut session = Session::open(&options.server)?;
    let mut output = open(&options.write)?;
    begin(&mut session, options)?;
    let mut left = options.count;
    loop {
        let args = [NAME, 0, 0, BUFFER, SPACE];
        let answer = session.call(private::CAPTURE, &args)?;
        match answer.result {
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(session.refused(errno)),
        }
        let (bytes, packets) = up_to(&answer.out, left);
        let written = output.write_all(bytes).and_then(|()| output.flush());
        match written {
            // Whoever read it has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(String::new()),
            written => {
                written.map_err(|error| Error::Why(format!("{}: {error}", options.write.display())))?
            }
        }
        left = left.map(|left| left - packets);
        if left == Some(0) {
            return Ok(String::new());
        }
    }
}

fn open(path: &Path) -> Result<Box<dyn Write>, Error> {
    if path == Path::new("-") {
        return Ok(Box::new(io::stdout()));
    }
    match File::create(path) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(Error::Why(format!("{}: {error}", path.display()))),
    }
}

fn begin(session: &mut Session, options: &CaptureOptions) -> Result<(), Error> {
    let name = [options.interface.as_bytes(), b"\0"].concat();
    let flags = if options.no_promiscuous { 0 } else { PROMISCUOUS };
    let args = [NAME, u64::from(options.snaplen), flags, BUFFER, 0];
    match session.call_with(private::CAPTURE, &args, NAME, &name)?.result {
        Ok(_) => Ok(()),
        Err(Errno::ENODEV) => Err(Error::Why(format!(
            "no link '{}'; `rump link` lists them, 'any' means all",
            options.interface
        ))),
        Err(errno) => Err(session.refused(errno)),
    }
}

/// As many blocks as hold at most `most` packets, and how many they hold.
fn up_to(blocks: &[u8], most: Option<u64>) -> (&[u8], u64) {
    let (mut at, mut packets) = (0, 0);
    let word = |at: usize| Some(u32::from_le_bytes(*blocks.get(at..)?.first_chunk()?));
    while let (Some(kind), Some(len)) = (word(at), word(at + 4)) {
        if most == Some(packets) {
            break;
        }
        packets += u64::from(kind == PACKET);
        at += (len as usize).max(12);
    }
    (&blocks[..at.min(blocks.len())], packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted() {
        let block = |kind: u32| [kind, 12, 12].map(u32::to_le_bytes).concat();
        let blocks = [block(1), block(PACKET), block(PACKET), block(1)].concat();
        assert_eq!(up_to(&blocks, None), (&blocks[..], 2));
        assert_eq!(up_to(&blocks, Some(1)), (&blocks[..24], 1));
        assert_eq!(up_to(&blocks, Some(9)), (&blocks[..], 2));
        assert_eq!(up_to(&[], Some(9)), (&[][..], 0));
    }
}
