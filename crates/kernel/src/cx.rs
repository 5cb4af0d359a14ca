//! What a call handler works with.

use crate::Kernel;
use crate::call::{Call, Stop, Wait};
use crate::effect::{NewFile, Pass};
use crate::file::{File, OpenFile};
use crate::process::{Descriptors, Process};
use abi::Errno;
use std::rc::Rc;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// The kernel and the call that runs.
pub(crate) struct Cx<'a> {
    pub(crate) kernel: &'a mut Kernel,
    pub(crate) call: &'a mut Call,
}

impl Cx<'_> {
    /// Argument `at` as a 64-bit number.
    pub(crate) fn arg(&self, at: usize) -> u64 {
        self.call.args[at]
    }

    /// Argument `at` as an `int`: the lower half of the register.
    #[allow(clippy::cast_possible_truncation, reason = "the ABI says that the upper half is to be ignored")]
    pub(crate) fn int(&self, at: usize) -> i32 {
        self.call.args[at] as u32 as i32
    }

    /// Argument `at` as an `unsigned int`.
    #[allow(clippy::cast_possible_truncation, reason = "the ABI says that the upper half is to be ignored")]
    pub(crate) fn uint(&self, at: usize) -> u32 {
        self.call.args[at] as u32
    }

    /// The process that calls.
    ///
    /// # Errors
    /// `ESRCH`: it is gone.
    pub(crate) fn process(&mut self) -> Result<&mut Process, Stop> {
        Ok(self.kernel.processes.get_mut(self.call.pid)?)
    }

    /// The open file of the descriptor in argument `at`.
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn file(&mut self, at: usize) -> Result<Rc<OpenFile>, Stop> {
        let fd = self.uint(at);
        let id = self.process()?.fds.get(fd)?;
        Ok(self.kernel.files.get(id)?)
    }

    /// The string that argument `at` points to, without its NUL.
    ///
    /// # Errors
    /// `EFAULT`, `ENAMETOOLONG`.
    pub(crate) fn string(&self, at: usize) -> Result<Vec<u8>, Stop> {
        Ok(self.call.mem.read_string(self.arg(at))?.to_vec())
    }

    /// The structure at this address of the caller's memory.
    ///
    /// # Errors
    /// `EFAULT`.
    pub(crate) fn get<T: FromBytes>(&self, addr: u64) -> Result<T, Stop> {
        let bytes = self.call.mem.read(addr, size_of::<T>() as u64)?;
        T::read_from_bytes(bytes).map_err(|_| Errno::EFAULT.into())
    }

    /// Writes a structure to this address of the caller's memory, when the call is answered.
    pub(crate) fn put<T: IntoBytes + Immutable>(&mut self, addr: u64, value: &T) {
        self.call.mem.write(addr, value.as_bytes().to_vec());
    }

    /// Turns `EAGAIN` into waiting for the file to change, unless `nonblock`.
    ///
    /// # Errors
    /// What `result` holds, with that exception.
    pub(crate) fn or_wait<T>(
        &self,
        file: &OpenFile,
        nonblock: bool,
        result: Result<T, Stop>,
    ) -> Result<T, Stop> {
        match result {
            Err(Stop::Errno(Errno::EAGAIN)) if !nonblock => {
                Err(Stop::Wait(Wait { on: vec![file.object], until: None, restartable: true }))
            }
            other => other,
        }
    }

    /// Gives the caller a new descriptor for a file that this call made. Its number is the call's value, or is
    /// written to `put_at` of the caller's memory where that is not 0.
    ///
    /// # Errors
    /// `EMFILE`; the file is closed then.
    pub(crate) fn install(
        &mut self,
        file: Box<dyn File>,
        flags: u32,
        cloexec: bool,
        put_at: u64,
    ) -> Result<u64, Stop> {
        let id = self.kernel.files.open(file, flags);
        let inserted = self.process().and_then(|process| Ok(process.fds.insert(id, cloexec, 0)?));
        let kfd = match inserted {
            Ok(kfd) => kfd,
            Err(stop) => {
                self.kernel.close_file(id);
                return Err(stop);
            }
        };
        let kind = self.kernel.files.get(id)?.ops.kind();
        if self.process()?.descriptors == Descriptors::Weak {
            self.call.files.push(NewFile { file: id, kfd, kind, cloexec, put_at, pass: Pass::Born });
        }
        if put_at != 0 {
            self.put(put_at, &kfd);
        }
        Ok(u64::from(kfd))
    }
}
