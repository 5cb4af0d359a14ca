//! What a call handler works with.

use crate::Kernel;
use crate::call::{Call, Stop, Wait};
use crate::effect::{Effect, NewFile, Pass};
use crate::file::{File, FileKind, ObjectId, OpenFile};
use crate::process::{Descriptors, Process};
use crate::socket::{Direction, Socket};
use abi::Errno;
use std::rc::Rc;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// signal(7).
const SIGPIPE: u8 = 13;

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
    /// `EBADF`; also for one that was opened with O_PATH.
    pub(crate) fn file(&mut self, at: usize) -> Result<Rc<OpenFile>, Stop> {
        let file = self.any_file(at)?;
        if file.ops.kind() == FileKind::Path { Err(Errno::EBADF.into()) } else { Ok(file) }
    }

    /// As [`Cx::file`], for the calls that take O_PATH's descriptors too (open(2) lists them).
    ///
    /// # Errors
    /// `EBADF`.
    pub(crate) fn any_file(&mut self, at: usize) -> Result<Rc<OpenFile>, Stop> {
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

    /// The `count` structures at this address of the caller's memory, fetched as one.
    ///
    /// # Errors
    /// `EFAULT`; `ENOMEM`: more than is fetched at once.
    pub(crate) fn get_array<T: FromBytes>(&self, addr: u64, count: u64) -> Result<Vec<T>, Stop> {
        let size = size_of::<T>();
        let len = count.checked_mul(size as u64).ok_or(Errno::EFAULT)?;
        let bytes = self.call.mem.read(addr, len)?;
        Ok(bytes.chunks_exact(size).filter_map(|one| T::read_from_bytes(one).ok()).collect())
    }

    /// Writes a structure to this address of the caller's memory, when the call is answered.
    pub(crate) fn put<T: IntoBytes + Immutable>(&mut self, addr: u64, value: &T) {
        self.call.mem.write(addr, value.as_bytes().to_vec());
    }

    /// Turns `EAGAIN` into waiting for the file to change, unless `nonblock`, for as long as its time-out for
    /// this direction (SO_RCVTIMEO, SO_SNDTIMEO) says.
    ///
    /// # Errors
    /// What `result` holds, with that exception. A `Wait` in it becomes `EAGAIN` if `nonblock`.
    pub(crate) fn or_wait<T>(
        &mut self,
        file: &OpenFile,
        direction: Direction,
        nonblock: bool,
        result: Result<T, Stop>,
    ) -> Result<T, Stop> {
        let on = match result {
            Err(Stop::Errno(Errno::EAGAIN)) => vec![file.object],
            Err(Stop::Wait(wait)) => wait.on,
            other => return other,
        };
        if nonblock {
            return Err(Errno::EAGAIN.into());
        }
        let limit_ns = file.ops.socket().and_then(|socket| socket.common().timeout_ns(direction));
        let Some(limit_ns) = limit_ns else {
            return Err(Stop::Wait(Wait { on, until: None, restartable: true }));
        };
        // signal(7): socket calls with a time-out are never restarted.
        Err(Stop::Wait(Wait { on, until: Some(self.deadline(limit_ns)?), restartable: false }))
    }

    /// When the call's waiting ends: `limit_ns` after its first run.
    ///
    /// # Errors
    /// `EAGAIN`: that time is over.
    pub(crate) fn deadline(&mut self, limit_ns: u64) -> Result<u64, Stop> {
        let now = self.kernel.now.mono_ns;
        let until = *self.call.deadline.get_or_insert(now.saturating_add(limit_ns));
        if now >= until { Err(Errno::EAGAIN.into()) } else { Ok(until) }
    }

    /// What a transfer that failed after `done` bytes answers: those bytes, else the error, and for `EPIPE` the
    /// signal that goes with it.
    ///
    /// # Errors
    /// `errno` if nothing was moved.
    pub(crate) fn sent_until(&mut self, file: &OpenFile, done: u64, errno: Errno) -> Result<u64, Stop> {
        if done > 0 {
            return Ok(done);
        }
        // Datagrams only fail (net/unix/af_unix.c, unix_dgram_sendmsg).
        let datagrams = file.ops.socket().is_some_and(Socket::keeps_boundaries);
        // A hijacked program's library sends it to the thread that made the call.
        let has_library = self.process()?.descriptors == Descriptors::Weak;
        if errno == Errno::EPIPE && !datagrams && !has_library {
            self.raise(SIGPIPE);
        }
        Err(errno.into())
    }

    /// Sends the calling process a signal.
    pub(crate) fn raise(&mut self, signo: u8) {
        let pid = self.call.pid;
        self.kernel.effects.push_back(Effect::Raise { pid, signo });
    }

    /// Gives the caller a new descriptor for a file that this call made. Its number is the call's value, or is
    /// written to `put_at` of the caller's memory where that is not 0.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`; the file is closed then.
    pub(crate) fn install(
        &mut self,
        file: Box<dyn File>,
        flags: u32,
        cloexec: bool,
        put_at: u64,
    ) -> Result<u64, Stop> {
        let object = self.kernel.files.new_object();
        self.install_on(file, flags, cloexec, put_at, object)
    }

    /// As [`Cx::install`], for a file whose readiness changes with `object`.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`; the file is closed then.
    pub(crate) fn install_on(
        &mut self,
        file: Box<dyn File>,
        flags: u32,
        cloexec: bool,
        put_at: u64,
        object: ObjectId,
    ) -> Result<u64, Stop> {
        if self.kernel.files.len() >= self.kernel.tunables.file_max && !self.kernel.is_ruled_by_caller() {
            file.close(self.kernel);
            return Err(Errno::ENFILE.into());
        }
        let id = self.kernel.files.open_on(file, flags, object);
        let inserted = self.process().and_then(|process| Ok(process.fds.insert(id, cloexec, 0)?));
        let kfd = match inserted {
            Ok(kfd) => kfd,
            Err(stop) => {
                self.kernel.close_file(id);
                return Err(stop);
            }
        };
        let kind = self.kernel.files.get(id)?.ops.kind();
        let process = self.process()?;
        if process.descriptors == Descriptors::Weak {
            let lone = process.takes_lone && kind.is_ever_ready() && put_at == 0;
            process.fds.set_lone(kfd, lone)?;
            let pass = if lone { Pass::Lone } else { Pass::Born };
            self.call.files.push(NewFile { file: id, kfd, kind, cloexec, put_at, pass });
        }
        if put_at != 0 {
            self.put(put_at, &kfd);
        }
        Ok(u64::from(kfd))
    }
}
