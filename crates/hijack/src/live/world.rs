//! [`World`] for a program.

use super::{Live, NONE, host_unsafe};
use crate::Hijack;
use crate::fds::{Entry, KernelFd, Kind};
use crate::world::{Args, NewFile, Outcome, Reply, World};
use abi::Errno;
use abi::table::Row;
use client::Session;
use core::sync::atomic::Ordering;

impl World for Live {
    fn host(&self, nr: u32, args: Args) -> Outcome {
        host_unsafe::call(nr, args)
    }

    fn host_waiting(&self, nr: u32, args: Args) -> Outcome {
        match host_unsafe::call_waiting(nr, args) {
            Err(Errno::EINTR) => Err(Errno::from_number(crate::world::ERESTARTSYS)),
            outcome => outcome,
        }
    }

    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Errno> {
        host::copy_in(address, into)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        host::copy_out(address, bytes)
    }

    fn read_str(&self, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
        let length = host::copy_in_string(address, into)?;
        let ends = length > 0 && into.get(length - 1) == Some(&0);
        Ok(if ends { length - 1 } else { length })
    }

    fn is_connected(&self) -> bool {
        self.session().is_connected()
    }

    fn connect_early(&self) {
        let session = self.session();
        if session.is_connected() || session.open_now().is_ok() {
            self.used.store(true, Ordering::Relaxed);
            self.introduce();
        }
    }

    fn generation(&self) -> u32 {
        self.session().generation()
    }

    fn rump(&self, row: &'static Row, args: Args, passed: &[u32]) -> Result<Reply, Errno> {
        self.used.store(true, Ordering::Relaxed);
        let place = match (self.place.get)() {
            0 => 0,
            slot => self.place_number(slot).unwrap_or(0),
        };
        let reply = self.session().call_from(place, row, args, passed)?;
        let files = reply.files.into_iter().map(|file| NewFile {
            host_fd: file.host.map(host::Fd::into_number),
            kernel_fd: KernelFd(file.descriptor),
            kind: Kind::from_number(file.kind),
            cloexec: file.cloexec,
            put_at: file.put_at,
            lone: file.lone,
            cookie: file.cookie,
        });
        Ok(Reply { result: reply.result, files: files.collect(), drain: reply.drain, fill: reply.fill })
    }

    fn move_own(&self, fd: u32) -> Result<(), Errno> {
        self.used.store(true, Ordering::Relaxed);
        self.session().move_own(fd)
    }

    fn move_own_above(&self, least: u32) -> Result<(), Errno> {
        self.used.store(true, Ordering::Relaxed);
        self.session.move_own_above(least)
    }

    fn session_fd(&self) -> Option<u32> {
        self.session().handover()
    }

    fn own_in_child(&self) -> Option<u32> {
        self.children.get(self.task()).and_then(Session::own_descriptor)
    }

    fn fork_auth(&self) -> Option<[u8; 16]> {
        let session = self.session();
        session.fork_auth().or_else(|| if session.is_known() { session.prefork().ok() } else { None })
    }

    fn place(&self) -> usize {
        (self.place.get)()
    }

    fn set_place(&self, slot: usize) -> usize {
        (self.place.set)(slot)
    }

    fn place_number(&self, slot: usize) -> Option<u16> {
        let word = self.place.numbers.get(slot)?.load(Ordering::Relaxed);
        let is_current = word >> 32 == u64::from(self.generation());
        Some(word as u16).filter(|number| is_current && *number != 0)
    }

    fn set_place_number(&self, slot: usize, number: u64) {
        let word = u64::from(self.generation()) << 32 | number;
        self.place.numbers.reach(slot).store(word, Ordering::Relaxed);
    }

    fn task(&self) -> usize {
        (self.task)()
    }
}

impl Hijack<Live> {
    /// Brings the table up to date with the number of the process's own connection. A vfork child's is in a
    /// table of its own.
    pub(super) fn note_own(&self) {
        if let Some(own) = self.world.own_in_child() {
            // Looked at from now on, in the parent's table too: there it is found to be the host's when it is used.
            if self.fds.get(own) == Entry::Host {
                self.fds.set(own, Entry::Unknown);
            }
        }
        if self.world.in_vfork_child() {
            return;
        }
        let now = self.world.session.own_descriptor().unwrap_or(NONE);
        let before = self.world.own.swap(now, Ordering::AcqRel);
        if before == now {
            return;
        }
        if before != NONE && self.fds.get(before) == Entry::Own {
            self.fds.set(before, Entry::Host);
        }
        if now != NONE {
            self.fds.set(now, Entry::Own);
        }
    }
}
