//! Programs that run: their files cannot be opened for writing (`ETXTBSY`, open(2)).

use crate::mount::{Location, Vfs};
use abi::Errno;

impl Vfs {
    /// One more (`runs`) or one less process runs the program in this file.
    pub fn run(&mut self, at: Location, runs: bool) {
        let count = self.running.entry(at.key()).or_default();
        *count = if runs { count.saturating_add(1) } else { count.saturating_sub(1) };
        if *count == 0 {
            self.running.remove(&at.key());
        }
    }

    /// # Errors
    /// `ETXTBSY`: it runs.
    pub(crate) fn not_running(&self, at: Location) -> Result<(), Errno> {
        if self.running.contains_key(&at.key()) { Err(Errno::ETXTBSY) } else { Ok(()) }
    }
}
