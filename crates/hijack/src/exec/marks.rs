//! What one image of a process tells the next one: the variable `RUMPHIJACK__EXEC`.

use crate::text::Text;
use core::fmt::Write;

/// The variable's name, `=` included.
pub(super) const MARKS: &[u8] = b"RUMPHIJACK__EXEC=";

/// What the next image is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// The descriptor of a connection on which an EXEC handshake continues the session.
    pub session: Option<u32>,
    /// The authentication of a FORK handshake that makes a new one.
    pub fork: Option<[u8; 16]>,
    /// The working directory is the rump kernel's.
    pub cwd_in_rump: bool,
    /// Rump descriptors may be among those that were inherited.
    pub descriptors: bool,
    /// The process may hold fcntl(2) locks in the rump kernel.
    pub locks: bool,
}

impl Marks {
    /// The value of the variable: never empty, since it says also that there was an image before, so that this one need not
    /// find out whether there is a server.
    #[must_use]
    pub fn to_text(&self) -> Text {
        let mut text = Text::default();
        // Written into its own memory, which is large enough for all of it.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut Text) -> core::fmt::Result {
        text.write_str("image,")?;
        if let Some(session) = self.session {
            write!(text, "session={session},")?;
        }
        if let Some(fork) = self.fork {
            text.write_str("fork=")?;
            fork.iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
            text.write_str(",")?;
        }
        if self.cwd_in_rump {
            text.write_str("cwd,")?;
        }
        if self.descriptors {
            text.write_str("fds,")?;
        }
        if self.locks {
            text.write_str("locks,")?;
        }
        Ok(())
    }

    /// Reads the value of the variable. What is not understood is left out: the user may have set it.
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        let mut marks = Self::default();
        for field in value.split(|&byte| byte == b',') {
            if let Some(number) = field.strip_prefix(b"session=") {
                marks.session = crate::config::decimal(number);
            } else if let Some(hex) = field.strip_prefix(b"fork=") {
                marks.fork = auth(hex);
            }
            marks.cwd_in_rump |= field == b"cwd";
            marks.descriptors |= field == b"fds";
            marks.locks |= field == b"locks";
        }
        marks
    }
}

fn auth(hex: &[u8]) -> Option<[u8; 16]> {
    let mut auth = [0; 16];
    if hex.len() != 2 * auth.len() {
        return None;
    }
    for (byte, digits) in auth.iter_mut().zip(hex.chunks_exact(2)) {
        let digits = core::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(auth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_survive_the_exec(session: Option<u32>, fork: Option<[u8; 16]>, flags: [bool; 3]) {
            let [cwd_in_rump, descriptors, locks] = flags;
            let marks = Marks { session, fork, cwd_in_rump, descriptors, locks };
            prop_assert_eq!(Marks::parse(marks.to_text().as_bytes()), marks);
        }

        #[test]
        fn any_value_is_survived(value in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Marks::parse(&value);
        }
    }

    #[test]
    fn an_auth_of_the_wrong_length_is_none() {
        assert_eq!(Marks::parse(b"fork=00").fork, None);
        assert_eq!(Marks::parse(b"session=,fork=zz").fork, None);
    }
}
