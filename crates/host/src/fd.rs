//! An owned host descriptor.

use crate::close;

/// A host descriptor that is closed when dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Fd(u32);

impl Fd {
    /// Takes over a number that nobody else closes.
    #[must_use]
    pub const fn own(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.0
    }

    /// Gives the number away: it is not closed here any more.
    #[must_use]
    pub fn into_number(self) -> u32 {
        let number = self.0;
        core::mem::forget(self);
        number
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        let _ = close(self.0);
    }
}
