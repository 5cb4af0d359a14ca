//! Hang-ups in epoll sets that the host descriptor of a rump file cannot show: those of sockets that have never connected. What a host
//! descriptor has shown of a hang-up it cannot take back, and such a socket may yet connect.
//!
//! So what epoll_ctl(2) is told of one is kept here, as long as it is hung up so, and the numbers of their sets are marked: epoll_wait(2)
//! asks the rump kernel of them first.

use crate::Hijack;
use crate::dispatch::row_of;
use crate::fds::RumpFd;
use crate::pieces_unsafe::Pieces;
use crate::world::World;
use abi::layout::Pollfd;
use abi::raw::general::{EPOLLET, EPOLLONESHOT, POLLERR, POLLHUP, POLLRDHUP};
use abi::{Errno, nr};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

const FREE: u32 = 0;
const BEING_WRITTEN: u32 = 1;
const USED: u32 = 2;

/// A socket in an epoll set.
#[derive(Default)]
struct Slot {
    state: AtomicU32,
    set: AtomicU32,
    fd: AtomicU32,
    kernel_fd: AtomicU32,
    events: AtomicU32,
    data: AtomicU64,
    /// Its hang-up was told since it was last entered or changed.
    told: AtomicBool,
}

/// All of them.
pub(crate) struct Unseen {
    slots: Pieces<Slot>,
    any: AtomicBool,
}

/// What there is to tell of one.
pub(crate) struct HungUp<'a> {
    slot: &'a Slot,
    /// `struct epoll_event`: what it is to say besides, and the program's own word.
    pub(crate) events: u32,
    pub(crate) data: u64,
}

impl Unseen {
    pub(crate) fn new() -> Self {
        Self { slots: Pieces::new(), any: AtomicBool::new(false) }
    }

    fn used(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().map(|(_, slot)| slot).filter(|slot| slot.state.load(Ordering::Acquire) == USED)
    }

    fn enter(&self, set: u32, fd: u32, rump: RumpFd, event: (u32, u64)) {
        self.any.store(true, Ordering::Relaxed);
        let free = |slot: &Slot| {
            slot.state.compare_exchange(FREE, BEING_WRITTEN, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let (_, slot) = self.slots.claim(free);
        slot.set.store(set, Ordering::Relaxed);
        slot.fd.store(fd, Ordering::Relaxed);
        slot.kernel_fd.store(rump.kernel_fd.0, Ordering::Relaxed);
        slot.events.store(event.0, Ordering::Relaxed);
        slot.data.store(event.1, Ordering::Relaxed);
        slot.told.store(false, Ordering::Relaxed);
        slot.state.store(USED, Ordering::Release);
    }

    fn forget_where(&self, is_meant: impl Fn(u32, u32) -> bool) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        for slot in self.used() {
            if is_meant(slot.set.load(Ordering::Relaxed), slot.fd.load(Ordering::Relaxed)) {
                slot.state.store(FREE, Ordering::Release);
            }
        }
    }
}

impl<W: World> Hijack<W> {
    /// A socket was entered into a set, or what it is there for was changed: `event` is what the program said, if it may be hung up
    /// unseen.
    pub(crate) fn watch_unseen(&self, set: u32, fd: u32, event: Option<(RumpFd, u32, u64)>) {
        self.unseen.forget_where(|known_set, known| (known_set, known) == (set, fd));
        if let Some((rump, events, data)) = event {
            self.unseen.enter(set, fd, rump, (events, data));
            self.fds.mark(set);
        }
    }

    /// Numbers are closed: those of sockets and those of sets.
    pub(crate) fn forget_unseen(&self, first: u32, last: u32) {
        if !self.world.in_vfork_child() {
            let closed = first..=last;
            self.unseen.forget_where(|set, fd| closed.contains(&set) || closed.contains(&fd));
        }
    }

    /// The sockets of a set that are hung up, which its waits have to tell now.
    pub(crate) fn hung_up_unseen(&self, set: u32) -> Vec<HungUp<'_>> {
        let slots: Vec<&Slot> =
            self.unseen.used().filter(|slot| slot.set.load(Ordering::Relaxed) == set).collect();
        let pollfd = |slot: &&Slot| Pollfd {
            fd: slot.kernel_fd.load(Ordering::Relaxed).cast_signed(),
            events: slot.events.load(Ordering::Relaxed) as u16 | POLLRDHUP as u16,
            revents: 0,
        };
        let mut asked: Vec<Pollfd> = slots.iter().map(pollfd).collect();
        let args = [asked.as_mut_ptr() as u64, asked.len() as u64, 0, 0, 0, 0];
        if asked.is_empty() || row_of(nr::POLL).and_then(|row| self.rump(row, args)).is_err() {
            return Vec::new();
        }
        slots.into_iter().zip(asked).filter_map(|(slot, found)| slot.hung_up(found.revents.into())).collect()
    }

    /// A hang-up is told, in an event of the host's or in one of its own: one that is to be told once is not told again.
    pub(crate) fn tell_hung_up(&self, set: u64, found: &HungUp<'_>, shown_by_host: bool) {
        found.slot.told.store(true, Ordering::Relaxed);
        let events = found.slot.events.load(Ordering::Relaxed);
        if events & EPOLLONESHOT != 0 && !shown_by_host {
            // Nothing else is told either until the program asks again.
            let event = packed(events & (EPOLLONESHOT | EPOLLET), found.data);
            let fd = found.slot.fd.load(Ordering::Relaxed);
            let _ = self.world.host(nr::EPOLL_CTL, [set, MOD, fd.into(), event.as_ptr() as u64, 0, 0]);
        }
    }
}

/// `EPOLL_CTL_MOD`.
const MOD: u64 = 3;

/// `struct epoll_event`, which is packed on x86-64.
pub(crate) fn packed(events: u32, data: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    let (low, high) = bytes.split_at_mut(4);
    low.copy_from_slice(&events.to_ne_bytes());
    high.copy_from_slice(&data.to_ne_bytes());
    bytes
}

/// Its two fields.
pub(crate) fn unpacked(bytes: &[u8; 12]) -> Result<(u32, u64), Errno> {
    let (events, data) = bytes.split_first_chunk().ok_or(Errno::EFAULT)?;
    let data = data.first_chunk().ok_or(Errno::EFAULT)?;
    Ok((u32::from_ne_bytes(*events), u64::from_ne_bytes(*data)))
}

impl Slot {
    /// What there is to tell if the rump kernel says this of it; what it can no longer be the host shows.
    fn hung_up(&self, now: u32) -> Option<HungUp<'_>> {
        if now & POLLHUP == 0 || now & POLLRDHUP != 0 {
            self.state.store(FREE, Ordering::Release);
            return None;
        }
        let events = self.events.load(Ordering::Relaxed);
        let is_over = events & (EPOLLET | EPOLLONESHOT) != 0 && self.told.load(Ordering::Relaxed);
        let told = now & (events | POLLHUP | POLLERR);
        (!is_over).then(|| HungUp { slot: self, events: told, data: self.data.load(Ordering::Relaxed) })
    }
}
