//! Calls of our own, which only our library and tools make. They share the table's shape and the wire.

use crate::table::{Arg, Dir, Entry, Len, Part, Route, Row, Support, rows, text, text_len};

/// What is in the sixth argument of the socket(2) calls of the library and the relay, which the host ignores: a filter that refuses a
/// program's sockets can tell them from it, in every image.
pub const OWN_SOCKET: u64 = 0x7275_6d70_0000_0001;

/// The most that one read(2) of a client moves; a shorter transfer than asked for is allowed, and who wants all of a regular file goes on.
pub const READ_MAX: u64 = 1 << 20;

/// The number of the first private call; the others follow.
pub const FIRST: u32 = 0x1000;

macro_rules! private {
    ($($(#[$doc:meta])* $name:ident $text:literal $args:expr;)*) => {
        private!(@number 0; $($(#[$doc])* $name;)*);
        const ENTRIES: &[Entry] = &[$(Entry {
            nr: $name,
            name: $text,
            args: $args,
            route: Route::Special,
            support: Support::Full,
            note: "",
        },)*];
        pub(crate) static ROWS: [Row; ENTRIES.len()] = rows(ENTRIES);
        pub(crate) static NAMES: [u8; text_len(ENTRIES, Part::Name)] = text(ENTRIES, Part::Name);
    };
    (@number $nr:expr; $(#[$doc:meta])* $name:ident; $($rest:tt)*) => {
        $(#[$doc])* pub const $name: u32 = FIRST + $nr;
        private!(@number $nr + 1; $($rest)*);
    };
    (@number $nr:expr;) => {};
}

private! {
    /// `rump_watch(fd, what)`: from now on drive this file's host descriptor so that the host's poll sees its
    /// readiness; of urgent data it is told only if `what` is 1. Idempotent. Answers what is so and cannot be shown: `POLLHUP` of a socket
    /// that may still connect.
    WATCH "rump_watch" &[Arg::Fd, Arg::Flags];
    /// `rump_identify(cookie)`: which of the kernel's files has the host descriptor with this `SO_COOKIE`?
    /// Answers its descriptor in this process (entered if new) or `ENOENT`: then it is a host socket.
    IDENTIFY "rump_identify" &[Arg::Int];
    /// `rump_mapfd(fd, prot)`: a host memory file with the contents of this regular file, to be mapped.
    /// `ENODEV` where the file system has none to give.
    MAPFD "rump_mapfd" &[Arg::Fd, Arg::Int];
    /// `rump_sites(path, build_id, size, buf, len)`: where the system calls of this object file are, as the
    /// `sites` crate encodes it. `ENOENT` if the server cannot read that file.
    SITES "rump_sites" &[
        Arg::Path, Arg::Buf(Dir::In, Len::Fixed(20)), Arg::Int, Arg::Buf(Dir::Out, Len::Arg(4)), Arg::Size,
    ];
    /// `rump_info(topic, buf, len)`: a table as text, one row a line, fields parted by tabs.
    /// Answers its whole length. Topics: [`Info`].
    INFO "rump_info" &[Arg::Int, Arg::Buf(Dir::Out, Len::Arg(2)), Arg::Size];
    /// `rump_trace(buf, len)`: waits for finished calls of other processes; one line each.
    TRACE "rump_trace" &[Arg::Buf(Dir::Out, Len::Arg(1)), Arg::Size];
    /// `rump_halt()`: ends the server once this is answered. `EPERM` unless root in the rump kernel.
    HALT "rump_halt" &[];
    /// `rump_mounts(prefix, len, list, flags)`: opens the list of mounts as a program sees it whose paths of this kernel begin with
    /// `prefix`. `list` is 0 for the form of proc_pid_mounts(5), 1 for that of proc_pid_mountinfo(5); `flags` are open(2)'s.
    MOUNTS "rump_mounts" &[Arg::Buf(Dir::In, Len::Arg(1)), Arg::Size, Arg::Int, Arg::Flags];
    /// `rump_statmount(req, buf, bufsize, prefix, len)`: statmount(2) as a program sees it whose paths of this kernel begin with
    /// `prefix`.
    STATMOUNT "rump_statmount" &[
        Arg::Buf(Dir::In, Len::Fixed(24)), Arg::Buf(Dir::Out, Len::Arg(2)), Arg::Size, Arg::Buf(Dir::In, Len::Arg(4)), Arg::Size,
    ];
    /// `rump_link(op, text, len, buf, size)`: lists, makes, removes or changes links to the outside ([`LinkOp`]). Answers the
    /// length of what there is to tell, or an error, and then `buf` says why. `EPERM` unless root in the rump kernel.
    LINK "rump_link" &[
        Arg::Int, Arg::Buf(Dir::In, Len::Arg(2)), Arg::Size, Arg::Buf(Dir::Out, Len::Arg(4)), Arg::Size,
    ];
    /// `rump_capture(link, snaplen, flags, buf, size)`: what passes a link (or "any"), as a file of pcapng with at most `snaplen`
    /// bytes of each frame. With a `size` of 0 it begins; later calls wait for whole blocks of the file, and look at `buf` and `size`
    /// alone. Flag 1: frames for others, too (`IFF_PROMISC`). `EPERM` unless root in the rump kernel.
    CAPTURE "rump_capture" &[Arg::Str, Arg::Int, Arg::Flags, Arg::Buf(Dir::Out, Len::Arg(4)), Arg::Size];
    /// `rump_credentials(how)`: the process is somebody else from now on. 0: whoever made the socket that comes along, one of a pair
    /// made after setuid(2) and its kin. Where no descriptor can be made: 1, and then 2, by the socket and no lane: whoever sent the latter
    /// (`SO_PASSCRED`), if all its user ids are one, and all its group ids. `EPERM`: it is another process's.
    CREDENTIALS "rump_credentials" &[Arg::Int];
    /// `rump_text(fd)`: the process is about to run the program in this file, which from then on cannot be opened for writing;
    /// -1: it is not, after all. `ETXTBSY`: it is open for writing.
    TEXT "rump_text" &[Arg::Fd];
    /// `rump_inotify(flags)`: inotify_init1(2).
    INOTIFY "rump_inotify" &[Arg::Flags];
    /// `rump_netlink(type, protocol, groups)`: a netlink(7) socket in the place of one that was lost with its kernel. Its first reading
    /// call says that messages were lost (`ENOBUFS`).
    NETLINK "rump_netlink" &[Arg::Flags, Arg::Int, Arg::Int];
    /// `rump_lane()`: memory for calls of this process (rump_sp(7), "Lanes"), as a file that comes along. `EOPNOTSUPP` where no
    /// descriptors can be passed.
    LANE "rump_lane" &[];
    /// `rump_nfs(op, text, len, buf, size)`: lists, makes or removes exports of the NFS server ([`NfsOp`]). Answers the length of
    /// what there is to tell, or an error, and then `buf` says why. `EPERM` unless root in the rump kernel.
    NFS "rump_nfs" &[
        Arg::Int, Arg::Buf(Dir::In, Len::Arg(2)), Arg::Size, Arg::Buf(Dir::Out, Len::Arg(4)), Arg::Size,
    ];
    /// `rump_share(fd)`: a host descriptor for this file, which had none (rump_sp(7), "Lone files"): from now on the file lives as
    /// long as that. `EALREADY`: it has one.
    SHARE "rump_share" &[Arg::Fd];
    /// `rump_fsize(limit, pid)`: a process's `RLIMIT_FSIZE` (getrlimit(2)), which is the host's to set: the caller's own, or of the host's
    /// process `pid` if that is not 0. `ESRCH`: the rump kernel does not know it. `EPERM`: it is another user's.
    FSIZE "rump_fsize" &[Arg::Size, Arg::Int];
    /// `rump_find(number, what)`: an open file that a program knows another process's descriptor of. `what` 0: `number` is the inode of
    /// its host descriptor, 1: it is the cookie of a lone file. Answers the number of a process that has it (in the upper 32 bits)
    /// and its descriptor there: the name is `/proc/PID/fd/N`. `ENOENT`: there is none, or it is another user's.
    FIND "rump_find" &[Arg::Int, Arg::Int];
    /// `rump_take(cookie)`: a host descriptor for another process's lone file, which the caller has as well from then on. `ENOENT` as
    /// `rump_find`.
    TAKE "rump_take" &[Arg::Int];
    /// `rump_place(op, number)`: root and working directory of a thread's own (unshare(2), `CLONE_FS`), for the calls that name their
    /// number ([`PlaceOp`]).
    PLACE "rump_place" &[Arg::Int, Arg::Int];
    /// `rump_msync(inode)`: msync(2) of mappings of the memory file with this inode.
    MSYNC "rump_msync" &[Arg::Int];
    /// `rump_direct(fd)`: the memory file of this regular file, to be read there, and the position (rump_sp(7), "Direct reads").
    /// `EOPNOTSUPP`: its reads are to be calls. `EINPROGRESS`: not yet, ask again behind the next read. `EBUSY`: behind some more.
    DIRECT "rump_direct" &[Arg::Fd];
}

/// Whether the first argument of this call is the cookie or the inode of a host descriptor, so that who made that has to say which
/// file it is: `rump_identify`, and `rump_find` of no lone file. `what` is the second one.
#[must_use]
pub const fn names_a_host_descriptor(number: u32, what: u64) -> bool {
    number == IDENTIFY || number == FIND && what == 0
}

/// What `rump_link` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum LinkOp {
    /// Interfaces, one row a line: name, type, state, MTU, Ethernet address, addresses, packets in, bytes in, packets out,
    /// bytes out, missed, not sent, lost by faults, faults, remark.
    List = 0,
    /// Makes one. The text: where relative paths start, NUL, a netspec.
    Add = 1,
    /// Removes one. The text: its name.
    Del = 2,
    /// Changes one. The text: its name, NUL, `up`, `down`, `partition` and faults, parted by commas.
    Set = 3,
}

impl LinkOp {
    /// The operation with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::List, Self::Add, Self::Del, Self::Set].into_iter().find(|op| *op as u64 == number)
    }
}

/// What `rump_place` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum PlaceOp {
    /// Answers a new number, from 1 on, for what this call's place is now. `EAGAIN`: there are too many.
    New = 0,
    /// No call has this number any more.
    Free = 1,
    /// What has this number is the process's own, and the other way round: one of its threads is about to run another program.
    Swap = 2,
}

impl PlaceOp {
    /// The operation with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::New, Self::Free, Self::Swap].into_iter().find(|op| *op as u64 == number)
    }
}

/// What `rump_nfs` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum NfsOp {
    /// What is exported, one row a line: directory, client, options.
    List = 0,
    /// Exports a directory. The text, parted by NULs: options that hold unless a client's say otherwise, the directory, and clients as
    /// exports(5) writes them.
    Export = 1,
    /// Exports a directory no more. The text: it.
    Unexport = 2,
}

impl NfsOp {
    /// The operation with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::List, Self::Export, Self::Unexport].into_iter().find(|op| *op as u64 == number)
    }
}

/// What `rump_info` can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Info {
    /// Processes: pid, ppid, uid, descriptors, calls, name.
    Processes = 0,
    /// Sockets: uid, name, pid, descriptor, protocol, state, local address, foreign address.
    Sockets = 1,
    /// Counters: name, value. `calls` and `call.NAME` count the calls served.
    Counters = 2,
    /// Mounts: source, directory, type, options.
    Mounts = 3,
}

impl Info {
    /// The topic with this number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        [Self::Processes, Self::Sockets, Self::Counters, Self::Mounts]
            .into_iter()
            .find(|topic| *topic as u64 == number)
    }
}
