//! The caller's memory, as far as the kernel knows it.
//!
//! The bytes that the table names travel with the request. Whatever else a handler reads is fetched from the
//! client: the call is parked on [`Stop::Copyin`] and runs again when the bytes have come. Writes are collected
//! and leave with the reply.

use crate::call::{Copyin, Stop};
use abi::Errno;
use std::cell::Cell;
use std::collections::BTreeMap;

/// The longest string that a call may pass (`PATH_MAX`, its NUL included).
const STRING_MAX: u64 = 4096;

/// The largest piece fetched at once, so that a client cannot make the kernel hold more for one call.
pub(crate) const COPYIN_MAX: u64 = 1 << 20;

/// What is known of a caller's memory, and what is to be written there.
#[derive(Debug, Default)]
pub struct UserMem {
    /// By address: what was fetched from an address is found there first.
    known: BTreeMap<u64, Vec<u8>>,
    /// The last piece that was fetched of a long buffer: the next one takes its place, so that a call holds little
    /// however much it moves.
    piece: (u64, Vec<u8>),
    /// Where the piece that is being fetched begins.
    piece_wanted: Cell<Option<u64>>,
    bad: Vec<u64>,
    out: Vec<(u64, Vec<u8>)>,
}

impl UserMem {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These bytes are at this address.
    pub fn add(&mut self, addr: u64, bytes: Vec<u8>) {
        if self.piece_wanted.take() == Some(addr) {
            self.piece = (addr, bytes);
        } else if self.known.get(&addr).is_none_or(|old| old.len() < bytes.len()) {
            self.known.insert(addr, bytes);
        }
    }

    pub(crate) fn mark_bad(&mut self, addr: u64) {
        self.bad.push(addr);
    }

    pub(crate) fn take_out(&mut self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.out)
    }

    /// `len` bytes at `addr`.
    ///
    /// # Errors
    /// `EFAULT` for a bad address; otherwise a stop until the bytes are here. `len` above [`COPYIN_MAX`] that
    /// did not travel with the request is `ENOMEM`: callers go through long buffers in pieces.
    pub(crate) fn read(&self, addr: u64, len: u64) -> Result<&[u8], Stop> {
        if len == 0 {
            return Ok(&[]);
        }
        // Any entry that has them all: what was fetched once is found for ever, whatever overlaps it.
        if let Some(bytes) = self.holding(addr).find_map(|rest| rest.get(..usize::try_from(len).ok()?)) {
            return Ok(bytes);
        }
        self.fetch(Copyin { addr, len, string: false })
    }

    /// The known bytes from `addr` on, at most `len`, at least one; fetched if there are none.
    ///
    /// # Errors
    /// As [`UserMem::read`].
    pub(crate) fn read_some(&self, addr: u64, len: u64) -> Result<&[u8], Stop> {
        if len == 0 {
            return Ok(&[]);
        }
        if let Some(rest) = self.holding(addr).max_by_key(|rest| rest.len()) {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            return Ok(&rest[..rest.len().min(len)]);
        }
        self.piece_wanted.set(Some(addr));
        self.fetch(Copyin { addr, len: len.min(COPYIN_MAX), string: false })
    }

    /// The string at `addr`, without its NUL.
    ///
    /// # Errors
    /// `EFAULT`, `ENAMETOOLONG` without a NUL in the first 4,096 bytes, or a stop until it is here.
    pub(crate) fn read_string(&self, addr: u64) -> Result<&[u8], Stop> {
        let mut too_long = false;
        for rest in self.holding(addr) {
            let window = &rest[..rest.len().min(STRING_MAX as usize)];
            if let Some(end) = window.iter().position(|&byte| byte == 0) {
                return Ok(&window[..end]);
            }
            too_long |= window.len() as u64 == STRING_MAX;
        }
        if too_long {
            return Err(Errno::ENAMETOOLONG.into());
        }
        self.fetch(Copyin { addr, len: STRING_MAX, string: true })
    }

    /// Writes bytes to the caller's memory when the call is answered. The client checks the address.
    pub(crate) fn write(&mut self, addr: u64, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.out.push((addr, bytes));
        }
    }

    /// What is known from `addr` on: at least one byte each.
    fn holding(&self, addr: u64) -> impl Iterator<Item = &[u8]> {
        let known = self.known.range(..=addr).rev();
        known.chain([(&self.piece.0, &self.piece.1)]).filter_map(move |(start, bytes)| {
            let skip = usize::try_from(addr.checked_sub(*start)?).ok()?;
            (skip < bytes.len()).then(|| &bytes[skip..])
        })
    }

    fn fetch(&self, want: Copyin) -> Result<&[u8], Stop> {
        if want.addr == 0 || self.bad.contains(&want.addr) || want.addr.checked_add(want.len).is_none() {
            return Err(Errno::EFAULT.into());
        }
        if want.len > COPYIN_MAX {
            return Err(Errno::ENOMEM.into());
        }
        Err(Stop::Copyin(want))
    }
}
