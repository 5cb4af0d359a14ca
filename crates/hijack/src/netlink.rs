//! Netlink sockets of a kernel that was lost, which programs keep open for as long as they run: links and addresses are watched by them.
//!
//! Natively none is ever hung up. So the first call on one after the kernel was started anew makes another in its place, which says
//! that messages were lost (`ENOBUFS`, netlink(7)): programs then ask for all again. Those are remembered that a program has waited
//! for together with descriptors of the host: the others hang nowhere.

use crate::Hijack;
use crate::dispatch::watch;
use crate::fds::{Entry, Kind, RumpFd};
use crate::world::{Reply, World};
use abi::raw::general::{F_GETFL, O_NONBLOCK};
use abi::raw::net::SOL_SOCKET;
use abi::{nr, private, table};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// asm-generic/socket.h
const SO_TYPE: u64 = 3;
const SO_PROTOCOL: u64 = 38;
/// `nl_groups` in `struct sockaddr_nl`.
const GROUPS_AT: usize = 8;
/// The type and its flags are this wide, the protocol has the bits above.
const KIND_BITS: u32 = 24;

/// So many are remembered; the oldest is forgotten for another.
const SLOTS: usize = 16;

struct Slot {
    /// The cookie of the socket's host descriptor (`SO_COOKIE`), which no other has; 0: free.
    cookie: AtomicU64,
    what: AtomicU64,
}

/// What is known of netlink sockets.
pub(crate) struct Netlinks {
    slots: [Slot; SLOTS],
    next: AtomicUsize,
}

/// How a socket was made and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    /// Its type, and `SOCK_NONBLOCK`.
    kind: u32,
    protocol: u32,
    groups: u32,
}

impl Made {
    fn pack(self) -> u64 {
        u64::from(self.groups) << 32 | u64::from(self.protocol) << KIND_BITS | u64::from(self.kind)
    }

    fn unpack(word: u64) -> Self {
        let low = word as u32;
        Self { kind: low & ((1 << KIND_BITS) - 1), protocol: low >> KIND_BITS, groups: (word >> 32) as u32 }
    }
}

impl Netlinks {
    pub(crate) const fn new() -> Self {
        let slots = [const { Slot { cookie: AtomicU64::new(0), what: AtomicU64::new(0) } }; SLOTS];
        Self { slots, next: AtomicUsize::new(0) }
    }

    fn remember(&self, cookie: u64, made: Made) {
        let known = self.slots.iter().find(|slot| slot.cookie.load(Ordering::Acquire) == cookie);
        let next = || self.slots.get(self.next.fetch_add(1, Ordering::Relaxed) % SLOTS);
        let Some(slot) = known.or_else(next) else { return };
        slot.cookie.store(0, Ordering::Release);
        slot.what.store(made.pack(), Ordering::Release);
        slot.cookie.store(cookie, Ordering::Release);
    }

    fn find(&self, cookie: u64) -> Option<Made> {
        let is_it = |slot: &&Slot| slot.cookie.load(Ordering::Acquire) == cookie;
        let slot = self.slots.iter().find(is_it)?;
        let made = Made::unpack(slot.what.load(Ordering::Acquire));
        // Another thread may have taken the slot meanwhile.
        is_it(&slot).then_some(made)
    }
}

impl<W: World> Hijack<W> {
    /// Takes note of a netlink socket that the host's poll is to see.
    pub(crate) fn remember_netlink(&self, fd: u32, rump: RumpFd) {
        if let (Kind::Netlink, Some(cookie)) = (rump.kind, self.cookie(fd))
            && let Some(made) = self.ask(rump)
        {
            self.netlinks.remember(cookie, made);
        }
    }

    fn ask(&self, rump: RumpFd) -> Option<Made> {
        let mut address = [0; 12];
        self.ask_for(nr::GETSOCKNAME, rump, [0, 0], &mut address)?;
        let [.., a, b, c, d] = address;
        const { assert!(GROUPS_AT + 4 == 12) };
        let option = |option| {
            let mut value = [0; 4];
            self.ask_for(nr::GETSOCKOPT, rump, [SOL_SOCKET.into(), option], &mut value)?;
            Some(u32::from_ne_bytes(value))
        };
        let row = table::lookup(nr::FCNTL)?;
        let flags = self.world.rump(row, [rump.kernel_fd.0.into(), F_GETFL.into(), 0, 0, 0, 0], &[]);
        let nonblock = flags.ok()?.result.ok()? as u32 & O_NONBLOCK;
        let (kind, protocol) = (option(SO_TYPE)?, option(SO_PROTOCOL)?);
        Some(Made { kind: kind | nonblock, protocol, groups: u32::from_ne_bytes([a, b, c, d]) })
    }

    /// getsockname(2), or getsockopt(2) of an option.
    fn ask_for(&self, call: u32, rump: RumpFd, [level, option]: [u64; 2], into: &mut [u8]) -> Option<()> {
        let mut length = u32::try_from(into.len()).ok()?;
        let (value, length) = (into.as_mut_ptr() as u64, (&raw mut length) as u64);
        let fd = rump.kernel_fd.0.into();
        let args = match call {
            nr::GETSOCKNAME => [fd, value, length, 0, 0, 0],
            _ => [fd, level, option, value, length, 0],
        };
        self.world.rump(table::lookup(call)?, args, &[]).ok()?.result.ok().map(drop)
    }

    /// Makes another socket in the place of one whose kernel is gone, if it was remembered.
    pub(crate) fn netlink_again(&self, fd: u32, cookie: u64) -> Option<RumpFd> {
        let made = self.netlinks.find(cookie)?;
        let args = [made.kind.into(), made.protocol.into(), made.groups.into(), 0, 0, 0];
        let reply = self.world.rump(table::lookup(private::NETLINK)?, args, &[]).ok()?;
        let rump = self.put_at(fd, &reply)?;
        if let Some(cookie) = self.cookie(fd) {
            self.netlinks.remember(cookie, made);
        }
        // It has something to tell at once.
        let _ = watch(self, fd, rump, false);
        Some(rump)
    }

    /// Puts the file of a reply in the place of what is at this number.
    fn put_at(&self, fd: u32, reply: &Reply) -> Option<RumpFd> {
        let file = reply.files.first()?;
        self.put_in_place(fd, file.host_fd?).ok()?;
        let generation = self.world.generation();
        let rump =
            RumpFd { kernel_fd: file.kernel_fd, kind: file.kind, generation, watched: false, lone: false };
        self.learn(fd, Entry::Rump(rump));
        Some(rump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let known = Netlinks::new();
        let made = |n| Made { kind: 3 | O_NONBLOCK, protocol: 4, groups: n };
        (1..=20_u32).for_each(|n| known.remember(n.into(), made(n)));
        assert_eq!(known.find(20), Some(made(20)));
        assert_eq!(known.find(5), Some(made(5)));
        assert_eq!(known.find(4), None);
        known.remember(20, made(u32::MAX));
        assert_eq!(known.find(20), Some(made(u32::MAX)));
        assert_eq!(known.find(19), Some(made(19)), "no slot was taken for it");
    }
}
