//! The host's kernel, for comparison: each machine works in a new directory of its own.

use crate::machine::Machine;
use abi::Errno;
use std::os::unix::ffi::OsStrExt;

/// Runs each call on the host, on memory of its own. Paths in scripts begin with the directory.
pub struct Host {
    memory: Vec<u8>,
    dir: tempfile::TempDir,
}

impl Host {
    pub fn new() -> Self {
        // A tmpfs, as ours is one: other file systems differ in sizes of directories and holes.
        let dir = tempfile::tempdir_in("/dev/shm").expect("a directory");
        Self { memory: vec![0; 1 << 22], dir }
    }

    pub fn dir(&self) -> Vec<u8> {
        self.dir.path().as_os_str().as_bytes().to_vec()
    }
}

impl Machine for Host {
    fn sys(&mut self, nr: u32, args: [u64; 6]) -> Result<u64, Errno> {
        let [a, b, c, d, e, f] = args;
        // SAFETY: scripts only make file calls below their own directory, and point only into `memory`, which lives as
        // long as the machine and is not borrowed now.
        let value = unsafe { libc::syscall(libc::c_long::from(nr), a, b, c, d, e, f) };
        if value == -1 {
            let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
            return Err(Errno::from_number(errno));
        }
        Ok(u64::try_from(value).expect("not negative"))
    }

    fn base(&self) -> u64 {
        self.memory.as_ptr().expose_provenance() as u64
    }

    fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}
