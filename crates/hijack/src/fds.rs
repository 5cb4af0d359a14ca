//! What the program's descriptors are. The host's table is the truth; this is a cache of it.
//!
//! One word per number, read and written without locks. What is not known is asked for when it is used
//! (see `owner`). The interceptor's bitmap, which its trampolines test, is kept in step: a set bit means
//! "ask this table".

use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// A descriptor as the rump kernel numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelFd(pub u32);

/// What a file of the rump kernel is (the `kind` of a reply's file entry, man/rump_sp.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Always ready; epoll_ctl(2) refuses it.
    Regular,
    /// As `Regular`; fchdir(2) accepts it.
    Directory,
    /// A device.
    Device,
    /// A pipe or fifo.
    Pipe,
    /// A socket.
    Socket,
    /// Opened with O_PATH.
    Path,
    /// A packet socket: a program that takes frames out of its ring makes no call, so its readiness is asked for before each wait.
    Packet,
    /// A netlink socket: it is made again in the next kernel.
    Netlink,
    /// A kind that this library does not know, or was not told.
    Other,
}

impl Kind {
    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Regular,
            2 => Self::Directory,
            3 => Self::Device,
            4 => Self::Pipe,
            5 => Self::Socket,
            6 => Self::Path,
            8 => Self::Packet,
            9 => Self::Netlink,
            _ => Self::Other,
        }
    }

    /// Whether it is a socket.
    #[must_use]
    pub const fn is_socket(self) -> bool {
        matches!(self, Self::Socket | Self::Packet | Self::Netlink)
    }

    const fn to_number(self) -> u64 {
        match self {
            Self::Other => 0,
            Self::Regular => 1,
            Self::Directory => 2,
            Self::Device => 3,
            Self::Pipe => 4,
            Self::Socket => 5,
            Self::Path => 6,
            Self::Packet => 8,
            Self::Netlink => 9,
        }
    }
}

/// A rump kernel's file behind a number of the program's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RumpFd {
    /// Its descriptor there.
    pub kernel_fd: KernelFd,
    /// What it is.
    pub kind: Kind,
    /// The session that it belongs to; in a later one it means nothing. 24 bits.
    pub generation: u32,
    /// Whether the server already drives its readiness.
    pub watched: bool,
    /// Whether it is a lone file (see `lone`). Then it is never watched.
    pub lone: bool,
}

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The host's, or free.
    Host,
    /// To be probed before it is used.
    Unknown,
    /// The rump kernel's.
    Rump(RumpFd),
    /// The library's own; the program is told `EBADF`.
    Own,
}

const STATE_HOST: u64 = 0;
const STATE_UNKNOWN: u64 = 1;
const STATE_RUMP: u64 = 2;
const STATE_OWN: u64 = 3;
const STATE_MASK: u64 = 3;
const WATCHED: u64 = 1 << 2;
const LONE: u64 = 1 << 3;
/// A lone file whose descriptor is being exchanged.
const EXCHANGED: u64 = STATE_RUMP | WATCHED | LONE;
const KIND_SHIFT: u32 = 4;
const KIND_MASK: u64 = 0xf;
const GENERATION_SHIFT: u32 = 8;
const GENERATION_MASK: u64 = 0xff_ffff;
const KERNEL_FD_SHIFT: u32 = 32;

impl Entry {
    /// Whether it is a lone file (see `lone`).
    #[must_use]
    pub const fn is_lone(&self) -> bool {
        matches!(self, Self::Rump(rump) if rump.lone)
    }

    const fn pack(self) -> u64 {
        match self {
            Self::Host => STATE_HOST,
            Self::Unknown => STATE_UNKNOWN,
            Self::Own => STATE_OWN,
            Self::Rump(rump) => {
                let watched = if rump.watched && !rump.lone { WATCHED } else { 0 };
                let lone = if rump.lone { LONE } else { 0 };
                let generation = (rump.generation as u64 & GENERATION_MASK) << GENERATION_SHIFT;
                let kernel_fd = (rump.kernel_fd.0 as u64) << KERNEL_FD_SHIFT;
                STATE_RUMP | watched | lone | rump.kind.to_number() << KIND_SHIFT | generation | kernel_fd
            }
        }
    }

    fn unpack(word: u64) -> Self {
        match word & STATE_MASK {
            STATE_HOST => Self::Host,
            STATE_UNKNOWN => Self::Unknown,
            STATE_OWN => Self::Own,
            _ => Self::Rump(RumpFd {
                kernel_fd: KernelFd((word >> KERNEL_FD_SHIFT) as u32),
                kind: Kind::from_number((word >> KIND_SHIFT & KIND_MASK) as u32),
                generation: (word >> GENERATION_SHIFT & GENERATION_MASK) as u32,
                watched: word & WATCHED != 0,
                lone: word & LONE != 0,
            }),
        }
    }
}

/// So many numbers are in the table of a program: `fs.nr_open` of a stock Linux.
pub const TABLE_SIZE: usize = 1 << 20;

/// Numbers from here on are not asked for where all are: no program that uses so many shares them so.
const DOUBTED_MAX: u32 = 1 << 16;

/// Numbers that one bit of [`Fds::used`] stands for: a page of the table.
const BLOCK: usize = 512;

/// The table. Numbers beyond its end are always [`Entry::Unknown`].
pub struct Fds {
    words: &'static [AtomicU64],
    /// Which blocks ever held something else than [`Entry::Host`]: the others are not looked through, which
    /// would have the host provide 8 MiB of zeros.
    used: [AtomicU64; TABLE_SIZE / BLOCK / 64],
    /// See [`Fds::any_rump`].
    rump: AtomicBool,
    /// Whether a number ever was a lone file's.
    lone: AtomicBool,
    /// See [`Fds::doubt`].
    doubted: AtomicBool,
    mark: fn(u32, bool),
}

impl Fds {
    /// A table over zeroed words, in which every number is the host's. `mark` writes the interceptor's bit of
    /// a number.
    #[must_use]
    pub const fn new(words: &'static [AtomicU64], mark: fn(u32, bool)) -> Self {
        Self {
            words,
            used: [const { AtomicU64::new(0) }; TABLE_SIZE / BLOCK / 64],
            rump: AtomicBool::new(false),
            lone: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            mark,
        }
    }

    /// What this number is.
    #[must_use]
    pub fn get(&self, fd: u32) -> Entry {
        self.words.get(fd as usize).map_or(Entry::Unknown, |word| Entry::unpack(settled(word)))
    }

    /// From now on this number is that.
    pub fn set(&self, fd: u32, entry: Entry) {
        let entry = self.known_as(entry);
        self.change(fd, entry, |word| Some(word.swap(entry.pack(), Ordering::AcqRel)));
    }

    /// From now on this number is that. Answers what it was until then: of two who take a lone file away here one gets it.
    pub fn exchange(&self, fd: u32, entry: Entry) -> Entry {
        let entry = self.known_as(entry);
        self.change(fd, entry, |word| {
            loop {
                let before = settled(word);
                let done = word.compare_exchange(before, entry.pack(), Ordering::AcqRel, Ordering::Relaxed);
                if done.is_ok() {
                    return Some(before);
                }
            }
        })
        .map_or(Entry::Unknown, Entry::unpack)
    }

    /// From now on this number is that, unless it is something else than `before` by now.
    pub fn set_if(&self, fd: u32, before: Entry, entry: Entry) {
        let entry = self.known_as(entry);
        self.change(fd, entry, |word| {
            word.compare_exchange(before.pack(), entry.pack(), Ordering::AcqRel, Ordering::Relaxed).ok()
        });
    }

    /// What is kept of a number's becoming this (see [`Fds::doubt`]).
    fn known_as(&self, entry: Entry) -> Entry {
        if self.is_doubted() && entry != Entry::Own && !entry.is_lone() { Entry::Unknown } else { entry }
    }

    /// Makes a change, and brings the bitmap to it.
    fn change(&self, fd: u32, entry: Entry, make: impl Fn(&AtomicU64) -> Option<u64>) -> Option<u64> {
        let word = self.words.get(fd as usize)?;
        // The bit is set before and cleared after the word says so: in between the table is asked needlessly,
        // never passed over.
        if entry != Entry::Host {
            self.use_block(fd as usize / BLOCK);
            self.rump.fetch_or(entry != Entry::Own, Ordering::Relaxed);
            self.lone.fetch_or(entry.is_lone(), Ordering::Relaxed);
            (self.mark)(fd, true);
        }
        let before = make(word);
        if entry == Entry::Host && before.is_some() {
            (self.mark)(fd, false);
        }
        before
    }

    /// Takes hold of this lone file's number while its descriptor is exchanged, until [`Fds::set`]: others who come for it wait.
    /// `false`: it is something else by now.
    #[must_use]
    pub fn hold(&self, fd: u32, rump: RumpFd) -> bool {
        let held = Entry::Rump(rump).pack();
        self.words.get(fd as usize).is_some_and(|word| {
            word.compare_exchange(held, EXCHANGED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })
    }

    /// In the child of a fork, which has none of its parent's lone files: their numbers are looked at anew.
    pub fn forget_lone(&self) {
        if !self.any_lone() {
            return;
        }
        for word in self.words_between(0, u32::MAX).filter_map(|at| self.words.get(at)) {
            let now = word.load(Ordering::Relaxed);
            if now & STATE_MASK == STATE_RUMP && now & LONE != 0 {
                word.store(STATE_UNKNOWN, Ordering::Relaxed);
            }
        }
        self.lone.store(false, Ordering::Relaxed);
    }

    /// From now on nothing is known of any number below `limit`: the host's table is changed by processes that do not share this one
    /// (clone(2) with `CLONE_FILES` alone), or threads have one each (unshare(2)).
    pub fn doubt(&self, limit: u32) {
        self.doubted.store(true, Ordering::Release);
        for fd in 0..limit.min(DOUBTED_MAX) {
            self.set(fd, self.get(fd));
        }
    }

    /// Whether each number has to be asked for each time.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// Has a number of the host's looked at that is in this table as well, until something else is at it.
    pub fn mark(&self, fd: u32) {
        (self.mark)(fd, true);
    }

    /// Notes that the server drives the readiness of `rump`, unless the number has become something else.
    pub fn set_watched(&self, fd: u32, rump: RumpFd) {
        let Some(word) = self.words.get(fd as usize) else { return };
        let before = Entry::Rump(rump).pack();
        let after = Entry::Rump(RumpFd { watched: true, ..rump }).pack();
        // Lost against a close or dup2 of another thread: then there is nothing to note.
        let _ = word.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The numbers from `first` to `last` of which something else than [`Entry::Host`] is known.
    pub fn known(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, Entry)> + '_ {
        self.words_between(first, last).filter_map(|at| {
            let fd = u32::try_from(at).ok()?;
            Some((fd, self.get(fd))).filter(|(_, entry)| *entry != Entry::Host)
        })
    }

    fn words_between(&self, first: u32, last: u32) -> impl Iterator<Item = usize> + '_ {
        let end = self.words.len().min((last as usize).saturating_add(1));
        let start = (first as usize).min(end);
        let blocks = (start / BLOCK..end.div_ceil(BLOCK)).filter(|&block| self.is_used(block));
        blocks.flat_map(move |block| start.max(block * BLOCK)..end.min((block + 1) * BLOCK))
    }

    /// Whether a number ever was a lone file's.
    #[must_use]
    pub fn any_lone(&self) -> bool {
        self.lone.load(Ordering::Relaxed)
    }

    /// Whether a number ever was, or may have been, the rump kernel's.
    #[must_use]
    pub fn any_rump(&self) -> bool {
        self.rump.load(Ordering::Relaxed)
    }

    fn use_block(&self, block: usize) {
        if let Some(bits) = self.used.get(block / 64) {
            bits.fetch_or(1 << (block % 64), Ordering::Release);
        }
    }

    fn is_used(&self, block: usize) -> bool {
        self.used.get(block / 64).is_some_and(|bits| bits.load(Ordering::Acquire) >> (block % 64) & 1 != 0)
    }
}

/// What is waited on while a descriptor is being exchanged.
static PAUSE: AtomicU32 = AtomicU32::new(0);
const PAUSE_NS: u64 = 20_000;

/// What a word says, once its descriptor is not being exchanged.
fn settled(word: &AtomicU64) -> u64 {
    loop {
        match word.load(Ordering::Acquire) {
            // Nobody wakes us. Not a loop without a pause: it would keep a holder of a lower real-time priority from its core.
            EXCHANGED => drop(host::futex_wait(&PAUSE, 0, Some(PAUSE_NS), host::Wait::Yes)),
            settled => return settled,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::cell::RefCell;
    use proptest::prelude::*;

    std::thread_local! {
        static MARKS: RefCell<Vec<(u32, bool)>> = const { RefCell::new(Vec::new()) };
    }

    fn table(size: usize) -> Fds {
        let words: Vec<AtomicU64> = (0..size).map(|_| AtomicU64::new(0)).collect();
        MARKS.with(|marks| marks.borrow_mut().clear());
        Fds::new(Box::leak(words.into_boxed_slice()), |fd, set| {
            MARKS.with(|marks| marks.borrow_mut().push((fd, set)))
        })
    }

    fn rump(kernel_fd: u32) -> RumpFd {
        RumpFd {
            kernel_fd: KernelFd(kernel_fd),
            kind: Kind::Socket,
            generation: 1,
            watched: false,
            lone: false,
        }
    }

    #[test]
    fn what_others_change_is_asked_for_each_time() {
        let fds = table(100);
        fds.set(3, Entry::Own);
        fds.set(5, Entry::Rump(rump(0)));
        fds.doubt(64);
        fds.set(6, Entry::Rump(rump(0)));
        fds.set(7, Entry::Host);
        assert_eq!([3, 5, 6, 7, 63].map(|fd| fds.get(fd) == Entry::Unknown), [false, true, true, true, true]);
        assert_eq!((fds.get(3), fds.get(64)), (Entry::Own, Entry::Host));
    }

    #[test]
    fn a_fresh_number_is_the_hosts_and_one_beyond_the_end_unknown() {
        let fds = table(8);
        assert_eq!(fds.get(7), Entry::Host);
        assert_eq!(fds.get(8), Entry::Unknown);
        assert_eq!(fds.get(u32::MAX), Entry::Unknown);
        fds.set(u32::MAX, Entry::Own);
    }

    #[test]
    fn the_bitmap_follows() {
        let fds = table(8);
        fds.set(5, Entry::Rump(rump(0)));
        fds.set(5, Entry::Host);
        fds.set(6, Entry::Unknown);
        MARKS.with(|marks| assert_eq!(*marks.borrow(), [(5, true), (5, false), (6, true)]));
    }

    #[test]
    fn watching_loses_against_a_change() {
        let fds = table(8);
        fds.set(5, Entry::Rump(rump(0)));
        fds.set_watched(5, rump(0));
        assert_eq!(fds.get(5), Entry::Rump(RumpFd { watched: true, ..rump(0) }));
        fds.set(5, Entry::Rump(rump(1)));
        fds.set_watched(5, rump(0));
        assert_eq!(fds.get(5), Entry::Rump(rump(1)));
    }

    #[test]
    fn a_lone_file_is_taken_away_once() {
        let fds = table(8);
        let lone = RumpFd { lone: true, ..rump(3) };
        fds.set(5, Entry::Rump(lone));
        assert!(fds.any_lone() && !fds.hold(5, rump(3)) && fds.hold(5, lone));
        assert!(!fds.hold(5, lone), "it is held");
        std::thread::scope(|scope| {
            let closed = scope.spawn(|| fds.exchange(5, Entry::Host));
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert!(!closed.is_finished(), "who closes it waits");
            fds.set(5, Entry::Rump(rump(3)));
            assert_eq!(closed.join().expect("no panic"), Entry::Rump(rump(3)));
        });
        assert_eq!(fds.exchange(5, Entry::Host), Entry::Host);
    }

    #[test]
    fn what_has_changed_meanwhile_stays() {
        let fds = table(8);
        fds.set(5, Entry::Rump(rump(1)));
        fds.set_if(5, Entry::Host, Entry::Unknown);
        assert_eq!(fds.get(5), Entry::Rump(rump(1)));
        fds.set_if(5, Entry::Rump(rump(1)), Entry::Unknown);
        assert_eq!(fds.get(5), Entry::Unknown);
    }

    #[test]
    fn a_child_has_no_lone_files() {
        let fds = table(8);
        let lone = RumpFd { lone: true, ..rump(3) };
        fds.set(4, Entry::Rump(rump(1)));
        for fd in [5, 6] {
            fds.set(fd, Entry::Rump(lone));
        }
        // Another thread of the parent's was sharing it.
        assert!(fds.hold(6, lone));
        fds.forget_lone();
        assert_eq!([4, 5, 6].map(|fd| fds.get(fd)), [Entry::Rump(rump(1)), Entry::Unknown, Entry::Unknown]);
        assert!(!fds.any_lone());
    }

    #[test]
    fn known_numbers_of_a_range() {
        let fds = table(8);
        fds.set(2, Entry::Own);
        fds.set(5, Entry::Unknown);
        assert_eq!(fds.known(0, u32::MAX).collect::<Vec<_>>(), [(2, Entry::Own), (5, Entry::Unknown)]);
        assert_eq!(fds.known(3, 4).count(), 0);
        assert_eq!(fds.known(9, 3).count(), 0);
        let fds = table(4 * BLOCK);
        fds.set(3 * BLOCK as u32, Entry::Own);
        fds.set(1, Entry::Unknown);
        assert_eq!(fds.known(0, u32::MAX).count(), 2);
        assert_eq!(fds.known(2, 3 * BLOCK as u32).count(), 1);
        assert_eq!(fds.known(0, 3 * BLOCK as u32 - 1).count(), 1);
    }

    proptest! {
        #[test]
        fn entries_survive_packing(kernel_fd: u32, kind in 0u32..10, generation in 0u32..1 << 24, watched: bool, lone: bool) {
            let watched = watched && !lone;
            let rump = RumpFd { kernel_fd: KernelFd(kernel_fd), kind: Kind::from_number(kind), generation, watched, lone };
            prop_assert_eq!(Entry::unpack(Entry::Rump(rump).pack()), Entry::Rump(rump));
        }
    }
}
