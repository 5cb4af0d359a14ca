//! Lines on standard error, without libc and without an allocation.

use core::fmt::{self, Write};

/// A line of at most this many bytes goes out in one write(2), so that lines of several processes do not mix
/// (pipe(7), PIPE_BUF).
const ROOM: usize = 4096;

struct Line {
    bytes: [u8; ROOM],
    length: usize,
}

impl Write for Line {
    /// What does not fit is cut off.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        let length = text.len().min(free.len());
        if let (Some(to), Some(from)) = (free.get_mut(..length), text.as_bytes().get(..length)) {
            to.copy_from_slice(from);
            self.length += length;
        }
        Ok(())
    }
}

/// Writes one line to standard error.
pub fn say(what: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; ROOM], length: 0 };
    // Cut off rather than refused.
    let _ = line.write_fmt(what);
    line.length = line.length.min(ROOM - 1);
    let _ = line.write_str("\n");
    let _ = host::write(2, line.bytes.get(..line.length).unwrap_or_default());
}

/// Ends the program before its main runs: exit status 1, one line on standard error.
pub fn refuse(why: fmt::Arguments<'_>) -> ! {
    say(format_args!("librumphijack: {why}"));
    host::exit_group(1)
}
