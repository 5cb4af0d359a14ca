//! select(2) on descriptors of the rump kernel, by its ppoll(2).

use crate::process_unsafe::{fail, perform};
use abi::layout::Pollfd;
use abi::{Errno, nr};
use libc::{c_int, c_void};

const POLLIN: u16 = 0x1;
const POLLPRI: u16 = 0x2;
const POLLOUT: u16 = 0x4;
const POLLERR: u16 = 0x8;
const POLLHUP: u16 = 0x10;
const POLLNVAL: u16 = 0x20;

/// What each set asks for, and what counts as an answer (select(2), NOTES).
const SETS: [(u16, u16); 3] =
    [(POLLIN, POLLIN | POLLHUP | POLLERR), (POLLOUT, POLLOUT | POLLERR), (POLLPRI, POLLPRI)];

/// The most descriptors that a set is looked at for: as many as a process of the rump kernel can have.
const FDS_MAX: usize = 1 << 20;
const WORD: usize = u64::BITS as usize;
const SECOND_NS: u64 = 1_000_000_000;

/// A set of descriptors in the program's memory.
struct Set {
    address: u64,
    words: Vec<u64>,
}

impl Set {
    fn read(address: *mut c_void, words: usize) -> Result<Self, Errno> {
        let address = address as u64;
        let mut bytes = vec![0; if address == 0 { 0 } else { words * size_of::<u64>() }];
        host::copy_in(address, &mut bytes)?;
        Ok(Self {
            address,
            words: bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect(),
        })
    }

    fn has(&self, fd: usize) -> bool {
        self.words.get(fd / WORD).is_some_and(|word| word >> (fd % WORD) & 1 != 0)
    }

    /// Puts these descriptors in the place of those that were asked for.
    fn answer(&self, fds: impl Iterator<Item = usize>) -> Result<u64, Errno> {
        let (mut words, mut count) = (vec![0_u64; self.words.len()], 0);
        for fd in fds {
            words[fd / WORD] |= 1 << (fd % WORD);
            count += 1;
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        host::copy_out(self.address, &bytes)?;
        Ok(count)
    }
}

fn select(
    nfds: c_int,
    sets: [*mut c_void; 3],
    timeout_ns: Option<u64>,
    mask: Option<u64>,
) -> Result<u64, Errno> {
    let nfds = usize::try_from(nfds).ok().filter(|nfds| *nfds <= FDS_MAX).ok_or(Errno::EINVAL)?;
    let [readable, writable, urgent] = sets.map(|set| Set::read(set, nfds.div_ceil(WORD)));
    let sets = [readable?, writable?, urgent?];
    let wanted = |fd: usize| {
        let asked = sets.iter().zip(SETS).filter(|(set, _)| set.has(fd));
        asked.fold(0, |events, (_, (asks, _))| events | asks)
    };
    let entry = |fd: usize| Pollfd { fd: i32::try_from(fd).unwrap_or(-1), events: wanted(fd), revents: 0 };
    let mut entries: Vec<Pollfd> = (0..nfds).map(entry).filter(|entry| entry.events != 0).collect();
    let time = timeout_ns.map(|ns| [ns / SECOND_NS, ns % SECOND_NS]);
    let at = time.as_ref().map_or(0, |time| time.as_ptr() as u64);
    perform(nr::PPOLL, [entries.as_mut_ptr() as u64, entries.len() as u64, at, 0, 0, 0], mask)?;
    if entries.iter().any(|entry| entry.revents & POLLNVAL != 0) {
        return Err(Errno::EBADF);
    }
    let mut count = 0;
    for (set, (_, answers)) in sets.iter().zip(SETS) {
        let found =
            entries.iter().filter(|entry| entry.revents & answers != 0).map(|entry| entry.fd as usize);
        count += set.answer(found.filter(|fd| set.has(*fd)))?;
    }
    Ok(count)
}

/// `struct timeval` or `struct timespec` at this address, whose second half counts parts of a second.
fn time(address: *const c_void, parts: u64) -> Result<Option<u64>, Errno> {
    if address.is_null() {
        return Ok(None);
    }
    let mut bytes = [0; 16];
    host::copy_in(address as u64, &mut bytes)?;
    let [seconds, rest] = [0, 1].map(|at| u64::from_ne_bytes(bytes.as_chunks().0[at]));
    let ns =
        seconds.checked_mul(SECOND_NS).and_then(|ns| ns.checked_add(rest.checked_mul(SECOND_NS / parts)?));
    // Negative ones are too large as they stand here.
    ns.filter(|_| rest < parts && seconds <= i64::MAX as u64).map(Some).ok_or(Errno::EINVAL)
}

#[allow(clippy::cast_possible_truncation, reason = "a count of descriptors")]
fn answer(result: Result<u64, Errno>) -> c_int {
    result.map_or_else(fail, u64::cast_signed) as c_int
}

/// As select(2). What is left of the time is put into `timeout`, as Linux does.
///
/// # Safety
/// As select(2).
// SAFETY: nobody else has a name that begins with `rump_sys_`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rump_sys_select(
    nfds: c_int,
    readfds: *mut c_void,
    writefds: *mut c_void,
    exceptfds: *mut c_void,
    timeout: *mut c_void,
) -> c_int {
    const MICROS: u64 = 1_000_000;
    let start = host::monotonic_ns();
    let given = match time(timeout, MICROS) {
        Ok(given) => given,
        Err(errno) => return answer(Err(errno)),
    };
    let result = select(nfds, [readfds, writefds, exceptfds], given, None);
    if let Some(ns) = given {
        let left = ns.saturating_sub(host::monotonic_ns().saturating_sub(start));
        let left = [left / SECOND_NS, left % SECOND_NS / 1000].map(u64::to_ne_bytes);
        let _ = host::copy_out(timeout as u64, left.as_flattened());
    }
    answer(result)
}

/// As pselect(2).
///
/// # Safety
/// As pselect(2).
// SAFETY: nobody else has a name that begins with `rump_sys_`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rump_sys_pselect(
    nfds: c_int,
    readfds: *mut c_void,
    writefds: *mut c_void,
    exceptfds: *mut c_void,
    timeout: *const c_void,
    sigmask: *const c_void,
) -> c_int {
    let given = time(timeout, SECOND_NS);
    let mut mask = [0; 8];
    let known = if sigmask.is_null() { Ok(()) } else { host::copy_in(sigmask as u64, &mut mask) };
    let mask = (!sigmask.is_null()).then_some(u64::from_ne_bytes(mask));
    let sets = [readfds, writefds, exceptfds];
    answer(known.and(given).and_then(|given| select(nfds, sets, given, mask)))
}
