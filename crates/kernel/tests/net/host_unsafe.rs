//! The host's kernel, for comparison.

use crate::machine::Machine;
use abi::Errno;

/// Runs each call on the host, on memory of its own.
pub struct Host {
    memory: Vec<u8>,
    files: Vec<i32>,
}

impl Host {
    pub fn new() -> Self {
        Self { memory: vec![0; 1 << 22], files: Vec::new() }
    }

    /// Descriptors that calls made, closed at the end.
    fn note(&mut self, nr: u32, args: [u64; 6], value: u64) {
        match nr {
            abi::nr::SOCKET | abi::nr::ACCEPT | abi::nr::ACCEPT4 => {
                self.files.push(i32::try_from(value).expect("a descriptor"));
            }
            abi::nr::CLOSE => self.files.retain(|fd| u64::from(fd.unsigned_abs()) != args[0]),
            _ => {}
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for fd in &self.files {
            // SAFETY: the descriptor was made by a call of this machine and is used nowhere else.
            unsafe { libc::close(*fd) };
        }
    }
}

impl Machine for Host {
    fn sys(&mut self, nr: u32, args: [u64; 6]) -> Result<u64, Errno> {
        let [a, b, c, d, e, f] = args;
        // SAFETY: scripts only make socket calls, and point only into `memory`, which lives as long as the machine
        // and is not borrowed now.
        let value = unsafe { libc::syscall(libc::c_long::from(nr), a, b, c, d, e, f) };
        if value == -1 {
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
            return Err(Errno::from_number(errno));
        }
        let value = u64::try_from(value).expect("not negative");
        self.note(nr, args, value);
        Ok(value)
    }

    fn base(&self) -> u64 {
        self.memory.as_ptr().expose_provenance() as u64
    }

    fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}
