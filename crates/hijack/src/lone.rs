//! Lone files: those that this process alone has, at one number, and whose readiness never changes. No host descriptor of their own
//! stands for them (a pair of sockets costs four times as much as the rest of open(2) and close(2)) but a copy of one that all share,
//! the stand-in. Whatever would make a second copy (dup(2), fork(2), exec, `SCM_RIGHTS`) has the file shared before: the rump kernel
//! makes the host descriptor then, and from there on the host's table is the truth as for all others.

use crate::Hijack;
use crate::dispatch::row_of;
use crate::elsewhere;
use crate::fds::{Entry, RumpFd};
use crate::world::{NewFile, World};
use abi::raw::general::MFD_CLOEXEC;
use abi::{Errno, nr, private};
use core::sync::atomic::{AtomicU32, Ordering};

/// No descriptor.
const NONE: u32 = u32::MAX;

/// Numbers below this are what programs put standard files and the like at.
const OUT_OF_THE_WAY: u64 = 32;

/// The stand-in: a file of memory, which is always ready, as poll(2) says of lone files too.
pub(crate) struct StandIn(AtomicU32);

impl StandIn {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(NONE))
    }
}

impl<W: World> Hijack<W> {
    /// Gives the program a lone file, at a number from `least` on if there is one.
    ///
    /// # Errors
    /// `EMFILE`; the file is closed then.
    pub(crate) fn stand_in_for(&self, file: &NewFile, least: u64) -> Result<u32, Errno> {
        let copy = |least: u64| self.stand_in().and_then(|own| self.copy_above(own, least, file.cloexec));
        // EINVAL: RLIMIT_NOFILE lies below it. EMFILE: nothing free above.
        let number = copy(least).or_else(|_| copy(0)).inspect_err(|_| {
            let _ = self.close_lone(file.kernel_fd.0);
        })?;
        self.note(number, file.cookie);
        Ok(number)
    }

    /// The stand-in, made with the first lone file.
    fn stand_in(&self) -> Result<u32, Errno> {
        let known = self.stand_in.0.load(Ordering::Acquire);
        if known != NONE {
            return Ok(known);
        }
        let name = elsewhere::STAND_IN.as_ptr() as u64;
        let made = self.world.host(nr::MEMFD_CREATE, [name, MFD_CLOEXEC.into(), 0, 0, 0, 0])?;
        let made = self.out_of_the_way(made as u32);
        match self.stand_in.0.compare_exchange(NONE, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                self.learn(made, Entry::Own);
                self.begin_notes(made);
                Ok(made)
            }
            Err(others) => {
                self.close_quietly(made);
                Ok(others)
            }
        }
    }

    /// Moves a descriptor to a number where programs have none of their own as a rule: they expect the lowest ones to be free.
    pub(crate) fn out_of_the_way(&self, fd: u32) -> u32 {
        let above = |least: u64| self.copy_above(fd, least, true).ok();
        let Some(moved) = [512, 128, OUT_OF_THE_WAY].into_iter().find_map(above) else { return fd };
        self.close_quietly(fd);
        moved
    }

    /// In the child of a fork, which has none of its parent's lone files: its own get another stand-in.
    pub(crate) fn leave_stand_in(&self) {
        let own = self.stand_in.0.swap(NONE, Ordering::AcqRel);
        if own != NONE {
            self.close_quietly(own);
            self.learn(own, Entry::Host);
        }
        self.end_notes();
    }

    /// Leaves the number of a descriptor of the library's own to the program. Those that stand for lone files stay.
    ///
    /// # Errors
    /// `EMFILE`: no other number is free for it.
    pub(crate) fn move_own(&self, fd: u32) -> Result<(), Errno> {
        if self.world.in_vfork_child() {
            return self.world.move_own(fd);
        }
        if self.end_direct_at(fd) {
            return Ok(());
        }
        if self.stand_in.0.load(Ordering::Acquire) != fd {
            return self.world.move_own(fd);
        }
        // Without another number the next lone file has another made.
        let above = |least| self.copy_above(fd, least, true).ok();
        let moved = above(OUT_OF_THE_WAY).or_else(|| above(0)).unwrap_or(NONE);
        if moved != NONE {
            self.learn(moved, Entry::Own);
        }
        self.stand_in.0.store(moved, Ordering::Release);
        self.learn(fd, Entry::Unknown);
        Ok(())
    }

    /// Before `RLIMIT_NOFILE` becomes `limit`: it counts numbers, not descriptors, and those that are open stay (getrlimit(2)). So the
    /// library's own leave all that it allows to the program.
    pub(crate) fn move_own_above(&self, limit: u32) {
        // A process's table is as long as its highest number is high, and fork(2) copies it.
        const FAR: u32 = 4096;
        if limit > FAR || self.world.in_vfork_child() {
            return;
        }
        self.end_direct_of_all();
        // The connection is made now; later there might be no other number for it.
        self.world.connect_early();
        // Where the limit was no higher before, there is nowhere to go.
        let _ = self.world.move_own_above(limit);
        let own = self.stand_in.0.load(Ordering::Acquire);
        if own < limit
            && let Ok(moved) = self.copy_above(own, limit.into(), true)
        {
            self.learn(moved, Entry::Own);
            self.stand_in.0.store(moved, Ordering::Release);
            self.learn(own, Entry::Host);
            self.close_quietly(own);
        }
    }

    /// Closes the file that a number stood for, if that was a lone one, once the number is the host's again.
    pub(crate) fn leave(&self, before: Entry) {
        let Entry::Rump(rump) = before else { return };
        self.drop_direct(rump);
        if rump.lone && rump.generation == self.world.generation() {
            // Natively close(2) of a file tells of failed writes at most, and what was written is the kernel's already.
            let _ = self.close_lone(rump.kernel_fd.0);
        }
    }

    fn close_lone(&self, kernel_fd: u32) -> Result<(), Errno> {
        self.world.rump(row_of(nr::CLOSE)?, [kernel_fd.into(), 0, 0, 0, 0, 0], &[]).map(drop)
    }

    /// Before a second copy of a descriptor is made: a lone file is given a host descriptor of its own. Others are as they are.
    ///
    /// # Errors
    /// `EMFILE`: no number is free for the moment of the exchange. `EBADF`: it was closed meanwhile.
    pub(crate) fn share(&self, fd: u32) -> Result<(), Errno> {
        let Entry::Rump(rump) = self.entry(fd) else { return Ok(()) };
        self.end_direct(rump);
        // One of an earlier session is no file any more.
        if !rump.lone || rump.generation != self.world.generation() {
            return Ok(());
        }
        // Room for what comes: without it the file would be lost on its way.
        self.has_room(fd)?;
        // Closed or shared by another thread meanwhile.
        if !self.fds.hold(fd, rump) {
            return if self.entry(fd) == Entry::Host { Err(Errno::EBADF) } else { Ok(()) };
        }
        // Until `set`, no other thread closes it: its descriptor in the rump kernel stays this file's.
        let done = self.host_descriptor_of(rump).and_then(|arrived| self.put_in_place(fd, arrived));
        self.fds.set(fd, Entry::Rump(RumpFd { lone: done.is_err(), ..rump }));
        done
    }

    /// Has a host descriptor made for a lone file; answers the number at which it arrived, close-on-exec.
    pub(crate) fn host_descriptor_of(&self, rump: RumpFd) -> Result<u32, Errno> {
        let reply =
            self.world.rump(row_of(private::SHARE)?, [rump.kernel_fd.0.into(), 0, 0, 0, 0, 0], &[])?;
        reply.result?;
        reply.host_fd().ok_or(Errno::EMFILE)
    }

    /// As [`Hijack::share`], for all lone files: the process is about to be copied or replaced. One that cannot be shared stays this
    /// process's.
    pub(crate) fn share_all(&self) {
        if !self.fds.any_lone() || self.world.in_vfork_child() {
            return;
        }
        for (fd, _) in self.fds.known(0, u32::MAX).filter(|(_, entry)| entry.is_lone()) {
            let _ = self.share(fd);
        }
    }
}
