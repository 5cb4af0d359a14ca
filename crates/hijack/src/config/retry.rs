//! What happens when the connection to the kernel is lost: `RUMPHIJACK_RETRYCONNECT`.

use super::decimal;
use core::fmt;
use core::num::NonZeroU32;

/// How a lost connection is treated (rumphijack(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retry {
    /// Every later call fails with `ENOTCONN`.
    #[default]
    Never,
    /// Until it works.
    Inftime,
    /// One attempt.
    Once,
    /// The program ends with status 1.
    Die,
    /// For so many seconds.
    Seconds(NonZeroU32),
}

impl Retry {
    /// Parses the variable's value; `None` stands for an unset one.
    ///
    /// # Errors
    /// The value, if it is none of those that rumphijack(3) lists.
    pub fn parse(value: Option<&[u8]>) -> Result<Self, RetryError<'_>> {
        let Some(value) = value else { return Ok(Self::Never) };
        match value {
            b"inftime" => Ok(Self::Inftime),
            b"once" => Ok(Self::Once),
            b"die" => Ok(Self::Die),
            _ => decimal(value)
                .map(|seconds| NonZeroU32::new(seconds).map_or(Self::Never, Self::Seconds))
                .ok_or(RetryError { value }),
        }
    }
}

/// A value of `RUMPHIJACK_RETRYCONNECT` that is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryError<'a> {
    /// The value as the user wrote it.
    pub value: &'a [u8],
}

impl fmt::Display for RetryError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RUMPHIJACK_RETRYCONNECT: \"{}\": expected inftime, once, die, or a number of seconds",
            self.value.escape_ascii()
        )
    }
}
