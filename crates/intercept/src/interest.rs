//! The hooks' interest in each number, as a table of bytes that assembly reads.

use crate::hooks::Interest;
use abi::nr;
use core::sync::atomic::{AtomicU8, Ordering};

/// Numbers from here on are always looked at.
pub(crate) const NUMBERS: usize = 512;
/// Never.
pub(crate) const NEVER: u8 = 0;
/// If argument 0 is marked; the next values are those of the other arguments.
pub(crate) const IF_MARKED: u8 = 1;
const ALWAYS: u8 = 7;
/// See [`Interest::IfMarkedOrSocket`].
pub(crate) const IF_MARKED_OR_SOCKET: u8 = 8;
/// Bits 8 to 15 of the commands of sockets.
pub(crate) const SOCKET_COMMANDS: u8 = 0x89;

pub(crate) static TABLE: [AtomicU8; NUMBERS] = [const { AtomicU8::new(ALWAYS) }; NUMBERS];

/// The calls that this crate handles whatever the hooks want.
const OWN: &[u32] = &[
    nr::RT_SIGACTION,
    nr::SIGALTSTACK,
    nr::RT_SIGPROCMASK,
    nr::RT_SIGRETURN,
    nr::RT_SIGSUSPEND,
    nr::RT_SIGTIMEDWAIT,
    nr::SIGNALFD,
    nr::SIGNALFD4,
    nr::PPOLL,
    nr::PSELECT6,
    nr::EPOLL_PWAIT,
    nr::EPOLL_PWAIT2,
    nr::CLONE,
    nr::CLONE3,
    nr::FORK,
    nr::VFORK,
    nr::EXIT,
    nr::PRCTL,
    nr::SECCOMP,
    nr::MMAP,
    nr::MUNMAP,
    nr::MREMAP,
    nr::MPROTECT,
    nr::PKEY_MPROTECT,
    nr::REMAP_FILE_PAGES,
    nr::BRK,
    nr::SHMAT,
    nr::SHMDT,
    nr::PERSONALITY,
    nr::ARCH_PRCTL,
];

/// Fills the table. `all`: every call is to be looked at.
pub(crate) fn fill(of: fn(u32) -> Interest, all: bool) {
    for (number, entry) in (0_u32..).zip(&TABLE) {
        let class = match of(number) {
            _ if all || OWN.contains(&number) => ALWAYS,
            Interest::Never => NEVER,
            Interest::IfMarked(at) if at < 6 => IF_MARKED + at,
            Interest::IfMarkedOrSocket => IF_MARKED_OR_SOCKET,
            Interest::IfMarked(_) | Interest::Always => ALWAYS,
        };
        entry.store(class, Ordering::Relaxed);
    }
}

/// Whether an ioctl(2) command is one of sockets.
pub(crate) fn is_of_sockets(command: u64) -> bool {
    command as u32 >> 8 & 0xff == u32::from(SOCKET_COMMANDS)
}

/// The whole table.
pub(crate) fn bytes() -> [u8; NUMBERS] {
    TABLE.each_ref().map(|entry| entry.load(Ordering::Relaxed))
}

/// The byte of a number.
pub(crate) fn class(number: u32) -> u8 {
    TABLE.get(number as usize).map_or(ALWAYS, |entry| entry.load(Ordering::Relaxed))
}

/// The interest in a number.
pub(crate) fn of(number: u32) -> Interest {
    match class(number) {
        NEVER => Interest::Never,
        ALWAYS => Interest::Always,
        IF_MARKED_OR_SOCKET => Interest::IfMarkedOrSocket,
        class => Interest::IfMarked(class - IF_MARKED),
    }
}
