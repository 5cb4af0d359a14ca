//! One row per system call: how it is routed, which bytes its arguments name, and how well it is served.
//!
//! From these rows come the host-or-rump decision of the preloaded library, the bytes that travel with a
//! request and a reply, the server's dispatch, the lines of `rump trace` and `docs/SYSCALLS.md`.

mod entry;
mod rows;

use crate::{Errno, private};
use entry::Span;
pub(crate) use entry::{Entry, Part, rows, text, text_len};
use rows::ENTRIES;

static ROWS: [Row; ENTRIES.len()] = rows(ENTRIES);
static NAMES: [u8; text_len(ENTRIES, Part::Name)] = text(ENTRIES, Part::Name);
static NOTES: [u8; text_len(ENTRIES, Part::Note)] = text(ENTRIES, Part::Note);

/// One system call. It holds no pointers: in a library that is loaded anywhere each would be a relocation, at every start of a
/// program.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its number in `%eax`.
    pub nr: u32,
    /// What decides which kernel serves it.
    pub route: Route,
    /// How well the rump kernel serves it.
    pub support: Support,
    args: [Arg; 6],
    args_len: u8,
    name: Span,
    note: Span,
}

impl Row {
    /// A row without a name, of a call of that number with these arguments, six at most. What it says of the route does not count.
    #[must_use]
    pub const fn unnamed(nr: u32, args: &[Arg]) -> Self {
        entry::unnamed(nr, args)
    }

    /// Its name in section 2 of the manual.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let names: &[u8] = if self.nr < private::FIRST { &NAMES } else { &private::NAMES };
        self.name.of(names)
    }

    /// What a reader of docs/SYSCALLS.md should know. May be empty.
    #[must_use]
    pub fn note(&self) -> &'static str {
        if self.nr < private::FIRST { self.note.of(&NOTES) } else { "private" }
    }

    /// Its arguments in register order. Empty for calls that never leave the host.
    #[must_use]
    pub fn args(&self) -> &[Arg] {
        self.args.get(..usize::from(self.args_len)).unwrap_or_default()
    }
}

/// What decides which kernel serves a call. The numbers are argument positions from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The kernel that owns this descriptor.
    ByFd(u8),
    /// The path: absolute by its prefix, relative by the working directory.
    ByPath(u8),
    /// As `ByPath`, a relative path by its directory descriptor; `AT_EMPTY_PATH` makes it `ByFd(dir)`.
    At {
        /// The directory descriptor.
        dir: u8,
        /// The path.
        path: u8,
    },
    /// Two paths, each with its directory descriptor where it has one. In different kernels: `EXDEV`.
    TwoPaths {
        /// The existing name.
        first: (Option<u8>, u8),
        /// The new name.
        second: (Option<u8>, u8),
    },
    /// The protocol family.
    ByFamily(u8),
    /// Code of its own in the `hijack` crate, under this call's name.
    Special,
    /// Always the host.
    Host,
    /// Answered with this error in a hijacked process, whatever its arguments.
    Refused(Errno),
}

/// How well the rump kernel serves a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// As its manual page says.
    Full,
    /// With the gaps that the note names.
    Partial,
    /// Routed to the rump kernel, which answers `ENOSYS`.
    Missing,
    /// Never sent to a rump kernel.
    HostOnly,
    /// Answered with an error on purpose.
    Refused,
}

/// What one argument is. A pointer argument says which bytes it names and which way they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// A plain number.
    Int,
    /// A descriptor.
    Fd,
    /// A directory descriptor or `AT_FDCWD`.
    DirFd,
    /// A set of flag bits.
    Flags,
    /// A file mode.
    Mode,
    /// A number of bytes.
    Size,
    /// A file position.
    Off,
    /// A user or group id.
    Id,
    /// An address that the rump kernel never looks at.
    Addr,
    /// A NUL-terminated path, at most `PATH_MAX` bytes with its NUL.
    Path,
    /// Another NUL-terminated string of at most `PATH_MAX` bytes with its NUL. May be null.
    Str,
    /// So many bytes. A null pointer names none.
    Buf(Dir, Len),
    /// An array of `struct iovec` whose element count is in the named argument, and what it points to.
    Iovec(Dir, u8),
    /// A `struct msghdr` and what it points to. `In` for sending, `Out` for receiving.
    Msghdr(Dir),
    /// An array of `struct mmsghdr` whose element count is in the named argument.
    Mmsghdr(Dir, u8),
    /// Part of a call whose second argument is a command; [`command`] says what this one is then.
    Cmd,
}

/// Which way bytes go, seen from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// From the program to the kernel.
    In,
    /// From the kernel to the program.
    Out,
    /// Both.
    InOut,
}

/// How many bytes a pointer argument names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Len {
    /// This many.
    Fixed(u32),
    /// As many as the named argument says.
    Arg(u8),
    /// The named argument times this element size.
    Times(u8, u32),
    /// As many as the 32-bit number says that the named argument points to (`socklen_t *`).
    SockLen(u8),
}

/// The row of a system call number, Linux's or one of our [private] ones.
#[must_use]
pub fn lookup(nr: u32) -> Option<&'static Row> {
    if nr >= private::FIRST {
        return private::ROWS.get((nr - private::FIRST) as usize);
    }
    // Numbers 335 to 423 do not exist; after the gap a row stands 89 places before its number.
    let at = |place: usize| ROWS.get(place).filter(|row| row.nr == nr);
    at(nr as usize).or_else(|| at((nr as usize).checked_sub(89)?))
}

/// The row of a call by its name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Row> {
    all().find(|row| row.name() == name)
}

/// Every Linux row, in the order of numbers.
pub fn all() -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
}

/// What the argument of `fcntl`, `ioctl` or `fsconfig` is that depends on the command, by the call's number and its command.
///
/// Unknown ioctl commands are taken at their encoded word (`_IOC` direction and size, asm-generic/ioctl.h);
/// the old ones without it are listed. Unknown fcntl commands take a plain number.
#[must_use]
pub fn command(nr: u32, cmd: u32) -> Arg {
    match nr {
        crate::nr::FCNTL => fcntl(cmd),
        crate::nr::IOCTL => ioctl(cmd),
        crate::nr::FSCONFIG if cmd == FSCONFIG_SET_STRING => Arg::Str,
        _ => Arg::Int,
    }
}

/// `enum fsconfig_command` (linux/mount.h)
const FSCONFIG_SET_STRING: u32 = 1;

fn fcntl(cmd: u32) -> Arg {
    use crate::raw::general::*;
    const FLOCK_SIZE: Len = Len::Fixed(32);
    match cmd {
        F_GETLK | F_OFD_GETLK => Arg::Buf(Dir::InOut, FLOCK_SIZE),
        F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW => Arg::Buf(Dir::In, FLOCK_SIZE),
        F_SETOWN_EX => Arg::Buf(Dir::In, Len::Fixed(8)),
        F_GETOWN_EX => Arg::Buf(Dir::Out, Len::Fixed(8)),
        _ => Arg::Int,
    }
}

/// linux/sockios.h.
pub const SIOCOUTQNSD: u32 = 0x894b;

fn ioctl(cmd: u32) -> Arg {
    use crate::raw::ioctl::*;
    match cmd {
        TCGETS => Arg::Buf(Dir::Out, Len::Fixed(36)),
        TCSETS | TCSETSW | TCSETSF => Arg::Buf(Dir::In, Len::Fixed(36)),
        TIOCGWINSZ => Arg::Buf(Dir::Out, Len::Fixed(8)),
        TIOCSWINSZ => Arg::Buf(Dir::In, Len::Fixed(8)),
        FIGETBSZ | FIONREAD | TIOCOUTQ | SIOCOUTQNSD | SIOCATMARK | FIOGETOWN | SIOCGPGRP | TIOCGPGRP => {
            Arg::Buf(Dir::Out, Len::Fixed(4))
        }
        FIONBIO | FIOASYNC | FIOSETOWN | SIOCSPGRP | TIOCSPGRP => Arg::Buf(Dir::In, Len::Fixed(4)),
        // linux/fs.h: BLKROGET, BLKSSZGET, BLKIOMIN, BLKIOOPT, BLKALIGNOFF, BLKPBSZGET; BLKGETSIZE.
        0x125e | 0x1268 | 0x1278..=0x127b => Arg::Buf(Dir::Out, Len::Fixed(4)),
        0x1260 => Arg::Buf(Dir::Out, Len::Fixed(8)),
        // struct rtentry names its interface by a pointer, which clients follow; IPv6's struct in6_rtmsg is shorter.
        SIOCADDRT | SIOCDELRT => Arg::Buf(Dir::In, Len::Fixed(120)),
        // struct arpreq
        SIOCDARP | SIOCGARP | SIOCSARP => Arg::Buf(Dir::InOut, Len::Fixed(68)),
        // struct ifreq, 40 bytes; struct ifconf (0x8912) names a further buffer that COPYOUT reaches.
        0x8910..=0x8970 => Arg::Buf(Dir::InOut, Len::Fixed(40)),
        _ => encoded(cmd),
    }
}

fn encoded(cmd: u32) -> Arg {
    let size = Len::Fixed((cmd >> 16) & 0x3fff);
    match cmd >> 30 {
        1 => Arg::Buf(Dir::In, size),
        2 => Arg::Buf(Dir::Out, size),
        3 => Arg::Buf(Dir::InOut, size),
        _ => Arg::Int,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_found() {
        let numbers: alloc_free::Numbers = all().map(|row| row.nr).collect();
        assert!(numbers.sorted, "rows must be in the order of their numbers, each once");
        for row in all() {
            assert_eq!(lookup(row.nr).map(|found| found.name()), Some(row.name()));
        }
    }

    #[test]
    fn argument_positions_exist() {
        for row in all() {
            let highest = match row.route {
                Route::ByFd(at) | Route::ByPath(at) | Route::ByFamily(at) => at,
                Route::At { dir, path } => dir.max(path),
                Route::TwoPaths { first, second } => first.1.max(second.1),
                Route::Special | Route::Host | Route::Refused(_) => continue,
            };
            assert!((highest as usize) < row.args().len(), "{}: route names argument {highest}", row.name());
        }
    }

    mod alloc_free {
        pub(super) struct Numbers {
            pub(super) sorted: bool,
        }
        impl FromIterator<u32> for Numbers {
            fn from_iter<I: IntoIterator<Item = u32>>(iter: I) -> Self {
                let mut last = None;
                let mut sorted = true;
                for nr in iter {
                    sorted &= last.is_none_or(|before| before < nr);
                    last = Some(nr);
                }
                Self { sorted }
            }
        }
    }
}
