//! Descriptors that the rump kernel hands out, and what its replies say about those that a call used.

use crate::Hijack;
use crate::fds::{Entry, KernelFd, RumpFd};
use crate::world::{Args, NewFile, Outcome, Reply, World};
use abi::layout::Pollfd;
use abi::raw::general::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_SETFD, FASYNC, FD_CLOEXEC, O_CLOEXEC, POLLNVAL,
};
use abi::raw::net::{MSG_DONTWAIT, MSG_NOSIGNAL};
use abi::table::Row;
use abi::{Errno, nr};

/// What A holds while the file is not writable (ARCHITECTURE.md, "Readiness").
static FILLER: [u8; 1024] = [0; 1024];

/// How many numbers belong to standard input, output and error.
const STANDARD: u32 = 3;

/// The descriptor in the reply's entry of a host descriptor that another process has passed.
const UNTOLD: KernelFd = KernelFd(u32::MAX);

impl<W: World> Hijack<W> {
    /// Carries out a call in the rump kernel that uses no descriptor of the program's.
    pub(crate) fn rump(&self, row: &'static Row, args: Args) -> Outcome {
        self.tell_umask()?;
        self.tell_file_size()?;
        let reply = self.world.rump(row, args, &[])?;
        self.signal_file_size(&reply.result);
        self.take_files(&reply)
    }

    /// As [`Hijack::rump`], for a call on this descriptor.
    pub(crate) fn rump_on(&self, row: &'static Row, args: Args, used: (u32, RumpFd)) -> Outcome {
        self.tell_file_size()?;
        let reply = self.world.rump(row, args, &[]).inspect_err(|errno| self.slow_down(used.0, *errno))?;
        self.take_hints(&reply, used);
        self.signal_file_size(&reply.result);
        self.signal_broken_pipe(row, &args, used.1, &reply.result);
        self.take_files(&reply)
    }

    /// Gives the program the files that it has got by a call; answers the call's value.
    pub(crate) fn take_files(&self, reply: &Reply) -> Outcome {
        let mut value = reply.result?;
        for (taken, file) in reply.files.iter().enumerate() {
            match self.take_file(file) {
                Ok(number) if file.put_at == 0 => value = number.into(),
                Ok(_) => {}
                Err(errno) => {
                    reply.files[taken + 1..]
                        .iter()
                        .filter_map(|file| file.host_fd)
                        .for_each(|fd| self.close_quietly(fd));
                    return Err(errno);
                }
            }
        }
        Ok(value)
    }

    fn take_file(&self, file: &NewFile) -> Result<u32, Errno> {
        let mut rump = RumpFd {
            kernel_fd: file.kernel_fd,
            kind: file.kind,
            generation: self.world.generation(),
            watched: false,
            lone: file.lone,
        };
        let number = match file.host_fd {
            Some(arrived) => self.settle(arrived, file),
            None if !file.lone => return Err(Errno::EIO),
            // The table, which is its parent's or is not believed, has no place for what it is.
            None if self.world.in_vfork_child() || self.fds.is_doubted() => {
                rump.lone = false;
                self.settle(self.host_descriptor_of(rump)?, file)
            }
            None if self.lacks_standard() => self.stand_in_for(file, 0)?,
            None => self.stand_in_for(file, self.wanted(file))?,
        };
        let entry = Entry::Rump(rump);
        // One that came out of a socket may be anything.
        self.learn(number, if file.kernel_fd == UNTOLD { Entry::Unknown } else { entry });
        if file.put_at != 0 {
            self.world.write(file.put_at, &number.to_ne_bytes()).inspect_err(|_| self.forget(number))?;
        }
        Ok(number)
    }

    /// The number at which the program expects a descriptor.
    fn wanted(&self, file: &NewFile) -> u64 {
        u64::from(file.kernel_fd.0) + u64::from(self.config.fdoff)
    }

    /// Whether standard input, output or error is closed: open(2) takes the lowest free number (POSIX), and programs close a standard
    /// descriptor to have a file in its place.
    fn lacks_standard(&self) -> bool {
        let mut fds = [0, 1, 2].map(|fd| Pollfd { fd, events: 0, revents: 0 });
        let _ = self.world.host(nr::POLL, [fds.as_mut_ptr() as u64, fds.len() as u64, 0, 0, 0, 0]);
        fds.iter().any(|entry| entry.revents as u32 & POLLNVAL != 0)
    }

    /// Moves a descriptor that has arrived to where the program expects it: in the place of a standard descriptor that is closed, else
    /// at D + fdoff, else at the next free number.
    fn settle(&self, arrived: u32, file: &NewFile) -> u32 {
        let wanted = self.wanted(file);
        // It arrived at the lowest free number.
        if arrived < STANDARD || u64::from(arrived) >= wanted {
            return self.keep(arrived, file);
        }
        match self.copy_above(arrived, wanted, file.cloexec) {
            Ok(number) => {
                self.close_quietly(arrived);
                number
            }
            // EINVAL: RLIMIT_NOFILE lies below it. EMFILE: nothing free above.
            Err(_) => self.keep(arrived, file),
        }
    }

    /// Another number for a host descriptor: the lowest that is free from `least` on.
    ///
    /// # Errors
    /// `EINVAL`: RLIMIT_NOFILE lies below it. `EMFILE`: nothing is free above. `EBADF`.
    pub(crate) fn copy_above(&self, fd: u32, least: u64, cloexec: bool) -> Result<u32, Errno> {
        let command = if cloexec { F_DUPFD_CLOEXEC } else { F_DUPFD };
        self.world.host(nr::FCNTL, [fd.into(), command.into(), least, 0, 0, 0]).map(|number| number as u32)
    }

    /// Whether a number is free beside this descriptor's. What comes from the rump kernel without one would be lost on its way.
    ///
    /// # Errors
    /// `EMFILE`: none is. `EBADF`.
    pub(crate) fn has_room(&self, fd: u32) -> Result<(), Errno> {
        self.copy_above(fd, 0, true).map(|room| self.close_quietly(room))
    }

    /// Puts a descriptor that has arrived in the place of what is at this number, which stays close-on-exec if it is.
    ///
    /// # Errors
    /// As dup3(2); what has arrived is closed in any case.
    pub(crate) fn put_in_place(&self, fd: u32, arrived: u32) -> Result<(), Errno> {
        let flags = self.world.host(nr::FCNTL, [fd.into(), F_GETFD.into(), 0, 0, 0, 0]).unwrap_or(0);
        let cloexec = if flags as u32 & FD_CLOEXEC != 0 { O_CLOEXEC } else { 0 };
        let put = self.world.host(nr::DUP3, [arrived.into(), fd.into(), cloexec.into(), 0, 0, 0]);
        self.close_quietly(arrived);
        put.map(drop)
    }

    /// Leaves a descriptor, which arrived close-on-exec, where it is.
    fn keep(&self, arrived: u32, file: &NewFile) -> u32 {
        if !file.cloexec {
            let _ = self.world.host(nr::FCNTL, [arrived.into(), F_SETFD.into(), 0, 0, 0, 0]);
        }
        arrived
    }

    /// Takes tokens off the descriptor, or makes it unwritable, as the reply says.
    pub(crate) fn take_hints(&self, reply: &Reply, (fd, rump): (u32, RumpFd)) {
        if reply.drain == 0 && !reply.fill {
            return;
        }
        // Meanwhile another thread may have put something else at this number: its bytes are not ours to take.
        let is_still = matches!(self.fds.get(fd), Entry::Rump(now) if now.kernel_fd == rump.kernel_fd);
        if !is_still && !self.world.in_vfork_child() && !self.fds.is_doubted() {
            return;
        }
        let flags = u64::from(MSG_DONTWAIT | MSG_NOSIGNAL);
        let mut left = u64::from(reply.drain);
        while left > 0 {
            let mut tokens = [0u8; 64];
            let size = left.min(64);
            match self.world.host(nr::RECVFROM, [fd.into(), tokens.as_mut_ptr() as u64, size, flags, 0, 0]) {
                Ok(taken @ 1..) => left = left.saturating_sub(taken),
                _ => break,
            }
        }
        if reply.fill {
            let size = FILLER.len() as u64;
            let fill = || self.world.host(nr::SENDTO, [fd.into(), FILLER.as_ptr() as u64, size, flags, 0, 0]);
            // Room is told of by SIGIO to those alone who were sent away for want of it (sock_alloc_send_pskb).
            while fill().is_ok() && self.is_async(fd) {}
        }
    }

    /// Whether the host sends signals for this descriptor.
    fn is_async(&self, fd: u32) -> bool {
        let flags = self.world.host(nr::FCNTL, [fd.into(), F_GETFL.into(), 0, 0, 0, 0]);
        flags.is_ok_and(|flags| flags as u32 & FASYNC != 0)
    }

    /// Notes what a number is. In a vfork child the table is the parent's and the number is the child's alone:
    /// both have to ask from now on.
    pub(crate) fn learn(&self, fd: u32, entry: Entry) {
        if !self.world.in_vfork_child() {
            self.fds.set(fd, entry);
            return;
        }
        match (self.fds.get(fd), entry) {
            (Entry::Own, _) | (Entry::Host, Entry::Host) => {}
            // Another thread of the parent's opened it meanwhile: here it is another number, and there it is known.
            (Entry::Rump(rump), _) if rump.lone => {}
            (before, _) => self.fds.set_if(fd, before, Entry::Unknown),
        }
    }

    /// As [`Hijack::learn`]; answers what the number was until then, for [`Hijack::leave`].
    pub(crate) fn relearn(&self, fd: u32, entry: Entry) -> Entry {
        if !self.world.in_vfork_child() {
            return self.fds.exchange(fd, entry);
        }
        self.learn(fd, entry);
        Entry::Unknown
    }

    /// Closes a number that the program has not seen.
    fn forget(&self, fd: u32) {
        self.learn(fd, Entry::Host);
        self.close_quietly(fd);
    }

    pub(crate) fn close_quietly(&self, fd: u32) {
        let _ = self.world.host(nr::CLOSE, [fd.into(), 0, 0, 0, 0, 0]);
    }
}
