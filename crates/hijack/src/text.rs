//! Short texts without an allocation.

use core::fmt::Write;

/// The longest that is written here: the fields of `RUMPHIJACK__EXEC`, 6 + 19 + 38 + 4 + 4 + 6 bytes.
const TEXT_MAX: usize = 96;

/// A short text, without an allocation.
#[derive(Debug)]
pub struct Text {
    bytes: [u8; TEXT_MAX],
    length: usize,
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; TEXT_MAX], length: 0 }
    }
}

impl Text {
    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, part: &str) -> core::fmt::Result {
        let room = self.bytes.get_mut(self.length..self.length + part.len()).ok_or(core::fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.length += part.len();
        Ok(())
    }
}
