//! The file in which hijacked processes count how their calls were caught (`RUMPHIJACK__TRAPS`): words of eight bytes.

/// How many traps there were, and where the last one was.
pub const HEAD: usize = 2;

/// Calls are told apart up to this number; the last stands for all from there on.
pub const NUMBERS: usize = 512;

/// For each number: caught by rewriting, caught by the trap.
pub const CALLS: usize = 2 * NUMBERS;

/// The whole file.
pub const BYTES: usize = (HEAD + CALLS) * 8;
