//! Memory that requests are read into.

/// Bytes read at a time.
pub(crate) const SIZE: usize = 256 << 10;

/// So many pieces that came back are kept.
const KEPT: usize = 4;

/// Pieces of memory of [`SIZE`] bytes. Sessions keep one while they have a long request that is not served yet; to
/// clear a new one for each took a tenth of the server's time.
#[derive(Default)]
pub(crate) struct Space {
    free: Vec<Vec<u8>>,
}

impl Space {
    /// What the next session reads into.
    pub(crate) fn next(&mut self) -> &mut Vec<u8> {
        if self.free.is_empty() {
            self.free.push(vec![0; SIZE]);
        }
        let last = self.free.len() - 1;
        &mut self.free[last]
    }

    /// The same, to keep for a while.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.next();
        self.free.pop().unwrap_or_default()
    }

    /// Takes a piece back.
    pub(crate) fn give(&mut self, bytes: Vec<u8>) {
        if bytes.len() == SIZE && self.free.len() < KEPT {
            self.free.push(bytes);
        }
    }
}
