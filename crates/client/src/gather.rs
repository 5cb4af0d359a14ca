//! Which memory a call names, by its row, and the bytes that travel with it.

use abi::layout::{Iovec, Mmsghdr, Msghdr};
use abi::table::{self, Arg, Dir, Len, Row};
use alloc::vec::Vec;
use host::{Part, can_read, copy_in, copy_in_string};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Bytes of long buffers beyond this are fetched by the server as it needs them.
const TRAVEL_MAX: usize = 1 << 20;
const PATH_MAX: usize = 4096;
/// Pieces from this length on are not copied: to ask whether their pages can be read costs less.
const LONG: usize = 8192;
/// So many are not; calls with more long pieces are rare.
const LONG_MAX: usize = 2;
/// The head, what is copied in front of each long piece, that piece, and what is copied behind the last.
const PARTS: usize = 2 * LONG_MAX + 2;
/// `UIO_MAXIOV`; longer arrays are refused by the kernel.
const IOV_MAX: u64 = 1024;
/// `struct ifconf` names a further buffer (netdevice(7)).
const SIOCGIFCONF: u64 = 0x8912;
/// `struct rtentry` names its interface by a pointer (linux/route.h).
const SIOCADDRT: u64 = 0x890b;
const SIOCDELRT: u64 = 0x890c;
/// `struct sock_fprog` names its instructions by a pointer (socket(7)).
const SOL_SOCKET: u64 = 1;
const SO_ATTACH_FILTER: u32 = 26;

/// What the server may do to memory while a call is unanswered: address and length of each range.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    inputs: Vec<(u64, u64)>,
    outputs: Vec<(u64, u64)>,
}

impl Memory {
    pub(crate) fn may_read(&self, address: u64, len: u64) -> bool {
        self.inputs.iter().any(|range| holds(*range, address, len))
    }

    pub(crate) fn may_write(&self, address: u64, len: u64) -> bool {
        self.outputs.iter().any(|range| holds(*range, address, len))
    }

    /// The server may read and write this.
    pub(crate) fn give(&mut self, address: u64, len: u64) {
        self.inputs.push((address, len));
        self.outputs.push((address, len));
    }

    /// How many bytes it may write.
    pub(crate) fn len_out(&self) -> u64 {
        self.outputs.iter().fold(0, |sum, (_, len)| sum.saturating_add(*len))
    }
}

fn holds((start, room): (u64, u64), address: u64, len: u64) -> bool {
    let Some(skip) = address.checked_sub(start) else { return false };
    skip.checked_add(len).is_some_and(|end| end <= room)
}

/// A call's memory.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// Address and length of each piece in `bytes`.
    pub(crate) segments: Vec<(u64, u64)>,
    pub(crate) bytes: Bytes,
    pub(crate) memory: Memory,
}

/// The bytes that travel: short pieces are copied, long ones stay where they are until the host takes them.
#[derive(Debug, Default)]
pub(crate) struct Bytes {
    copied: Vec<u8>,
    /// A place in `copied`, and the piece that belongs there.
    long: [(usize, u64, usize); LONG_MAX],
    longs: usize,
    len: usize,
}

impl Bytes {
    /// `head` and the bytes behind it, some parts of which may be empty.
    pub(crate) fn parts<'a>(&'a self, head: &'a [u8]) -> [Part<'a>; PARTS] {
        let mut parts = [Part::Ours(&[]); PARTS];
        parts[0] = Part::Ours(head);
        let mut from = 0;
        for (pair, &(at, address, len)) in parts[1..].chunks_exact_mut(2).zip(&self.long[..self.longs]) {
            pair[0] = Part::Ours(&self.copied[from..at]);
            pair[1] = Part::Program { address, len };
            from = at;
        }
        parts[PARTS - 1] = Part::Ours(&self.copied[from..]);
        parts
    }

    /// Notes a long piece where it is; whether there is room for that.
    fn refer(&mut self, address: u64, len: usize) -> bool {
        let Some(slot) = self.long.get_mut(self.longs).filter(|_| len >= LONG) else { return false };
        *slot = (self.copied.len(), address, len);
        self.longs += 1;
        self.len += len;
        true
    }

    /// Copies a piece; whether all of it can be read.
    fn copy(&mut self, address: u64, len: usize) -> bool {
        let start = self.copied.len();
        self.copied.resize(start + len, 0);
        let readable = copy_in(address, &mut self.copied[start..]).is_ok();
        self.copied.truncate(if readable { start + len } else { start });
        self.len += if readable { len } else { 0 };
        readable
    }

    /// Copies a string with its NUL, or what fits of it; how many bytes that are.
    fn string(&mut self, address: u64) -> usize {
        let start = self.copied.len();
        self.copied.resize(start + PATH_MAX, 0);
        let len = copy_in_string(address, &mut self.copied[start..]).unwrap_or(0);
        self.copied.truncate(start + len);
        self.len += len;
        len
    }
}

/// Gathers what a call names. What cannot be read does not travel: if the kernel wants it, it asks, and learns then
/// that the address is bad, in the order in which it checks things.
pub(crate) fn gather(row: &Row, args: &[u64; 6]) -> Gathered {
    let mut gathered = Gathered::default();
    for (at, arg) in row.args().iter().enumerate() {
        let arg = match arg {
            Arg::Cmd if at == 1 => continue,
            Arg::Cmd => table::command(row.nr, low(args[1])),
            other => *other,
        };
        gathered.argument(arg, args[at], args);
    }
    // What structures name by pointers.
    match (row.nr, args[1], low(args[2])) {
        (abi::nr::IOCTL, SIOCGIFCONF, _) => gathered.ifconf(args[2]),
        (abi::nr::IOCTL, SIOCADDRT | SIOCDELRT, _) => gathered.route_device(args[2]),
        (abi::nr::SETSOCKOPT, SOL_SOCKET, SO_ATTACH_FILTER) => gathered.filter(args[3]),
        _ => {}
    }
    gathered
}

/// The lower half of a register, which is what an `int` argument is.
#[allow(clippy::cast_possible_truncation, reason = "the ABI says that the upper half is to be ignored")]
fn low(register: u64) -> u32 {
    register as u32
}

impl Gathered {
    fn argument(&mut self, arg: Arg, value: u64, args: &[u64; 6]) {
        match arg {
            Arg::Buf(dir, len) => {
                let len = self.length(len, args);
                self.range(dir, value, len);
            }
            _ if value == 0 => {}
            Arg::Path | Arg::Str => self.string(value),
            Arg::Iovec(dir, count) => self.iovecs(dir, value, u64::from(low(args[usize::from(count)]))),
            Arg::Msghdr(dir) => self.message(dir, value),
            Arg::Mmsghdr(dir, count) => {
                for index in 0..u64::from(low(args[usize::from(count)])).min(IOV_MAX) {
                    let size = size_of::<Mmsghdr>() as u64;
                    let Some(at) = value.checked_add(index * size) else { return };
                    self.memory.outputs.push((at, size));
                    self.message(dir, at);
                }
            }
            Arg::Int | Arg::Fd | Arg::DirFd | Arg::Flags | Arg::Mode | Arg::Size => {}
            Arg::Off | Arg::Id | Arg::Addr | Arg::Cmd => {}
        }
    }

    fn length(&self, len: Len, args: &[u64; 6]) -> u64 {
        match len {
            Len::Fixed(bytes) => u64::from(bytes),
            Len::Arg(at) => args[usize::from(at)],
            Len::Times(at, size) => u64::from(low(args[usize::from(at)])) * u64::from(size),
            Len::SockLen(at) => {
                let mut bytes = [0; 4];
                let known = args[usize::from(at)] != 0 && copy_in(args[usize::from(at)], &mut bytes).is_ok();
                if known { u64::from(u32::from_ne_bytes(bytes)) } else { 0 }
            }
        }
    }

    fn range(&mut self, dir: Dir, address: u64, len: u64) {
        if len == 0 {
            return;
        }
        if dir != Dir::Out && address != 0 {
            self.input(address, len);
        }
        // A null pointer too, read(2) into which is EFAULT: the server does not break the protocol by answering with bytes.
        if dir != Dir::In {
            self.memory.outputs.push((address, len));
        }
    }

    fn input(&mut self, address: u64, len: u64) {
        self.memory.inputs.push((address, len));
        let room = TRAVEL_MAX.saturating_sub(self.bytes.len);
        let now = usize::try_from(len).unwrap_or(usize::MAX).min(room);
        let travels = match now {
            0 => false,
            LONG.. if can_read(address, now) => {
                self.bytes.refer(address, now) || self.bytes.copy(address, now)
            }
            _ => self.bytes.copy(address, now),
        };
        if travels {
            self.segments.push((address, now as u64));
        }
    }

    fn string(&mut self, address: u64) {
        self.memory.inputs.push((address, PATH_MAX as u64));
        let len = self.bytes.string(address);
        if len > 0 {
            self.segments.push((address, len as u64));
        }
    }

    fn structure<T: FromBytes + FromZeros + IntoBytes>(&mut self, address: u64) -> Option<T> {
        self.input(address, size_of::<T>() as u64);
        let mut value = T::new_zeroed();
        copy_in(address, value.as_mut_bytes()).ok()?;
        Some(value)
    }

    fn iovecs(&mut self, dir: Dir, address: u64, count: u64) {
        const SIZE: u64 = size_of::<Iovec>() as u64;
        if count > IOV_MAX || address == 0 {
            return;
        }
        // The array first: the kernel cannot do anything without it.
        self.input(address, count * SIZE);
        for index in 0..count {
            let Some(at) = address.checked_add(index * SIZE) else { return };
            let mut iovec = Iovec::new_zeroed();
            if copy_in(at, iovec.as_mut_bytes()).is_err() {
                return;
            }
            self.range(dir, iovec.iov_base, iovec.iov_len);
        }
    }

    fn message(&mut self, dir: Dir, address: u64) {
        let Some(message) = self.structure::<Msghdr>(address) else { return };
        if dir != Dir::In {
            self.memory.outputs.push((address, size_of::<Msghdr>() as u64));
        }
        self.range(dir, message.msg_name, u64::from(message.msg_namelen));
        self.range(dir, message.msg_control, message.msg_controllen);
        self.iovecs(dir, message.msg_iov, message.msg_iovlen);
    }

    fn ifconf(&mut self, address: u64) {
        let mut ifconf = [0_u8; 16];
        if copy_in(address, &mut ifconf).is_err() {
            return;
        }
        self.range(Dir::InOut, address, ifconf.len() as u64);
        let len = u32::from_ne_bytes([ifconf[0], ifconf[1], ifconf[2], ifconf[3]]);
        let [.., b0, b1, b2, b3, b4, b5, b6, b7] = ifconf;
        self.range(Dir::Out, u64::from_ne_bytes([b0, b1, b2, b3, b4, b5, b6, b7]), u64::from(len));
    }

    /// The instructions of a `struct sock_fprog` (socket(7)): their number, and where they are.
    fn filter(&mut self, address: u64) {
        /// `sizeof (struct sock_filter)`.
        const INSTRUCTION: u64 = 8;
        let mut program = [0_u8; 16];
        if copy_in(address, &mut program).is_err() {
            return;
        }
        let [n0, n1, _, _, _, _, _, _, b0, b1, b2, b3, b4, b5, b6, b7] = program;
        let at = u64::from_ne_bytes([b0, b1, b2, b3, b4, b5, b6, b7]);
        self.range(Dir::In, at, u64::from(u16::from_ne_bytes([n0, n1])) * INSTRUCTION);
    }

    /// The name of the interface in a `struct rtentry`. IPv6's requests have a number there, which names nothing that can be read, or
    /// something that does not matter.
    fn route_device(&mut self, address: u64) {
        const DEVICE_AT: u64 = 88;
        let mut pointer = [0_u8; 8];
        if copy_in(address.wrapping_add(DEVICE_AT), &mut pointer).is_ok() && pointer != [0; 8] {
            self.string(u64::from_ne_bytes(pointer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::nr;

    fn of(nr: u32, args: [u64; 6]) -> Gathered {
        table::lookup(nr).map(|row| gather(row, &args)).unwrap_or_default()
    }

    #[test]
    fn write_travels_and_read_does_not() {
        let data = *b"hello";
        let at = data.as_ptr() as u64;
        let write = of(nr::WRITE, [3, at, 5, 0, 0, 0]);
        assert_eq!(
            (write.segments, write.bytes.copied.as_slice()),
            (alloc::vec![(at, 5)], b"hello".as_slice())
        );
        assert!(write.memory.may_read(at + 1, 4) && !write.memory.may_read(at, 6));
        assert!(!write.memory.may_write(at, 1));
        let read = of(nr::READ, [3, at, 5, 0, 0, 0]);
        assert!(read.bytes.len == 0 && read.memory.may_write(at, 5) && !read.memory.may_write(at, 6));
        assert!(!read.memory.may_write(u64::MAX, 2));
    }

    #[test]
    fn a_null_buffer_may_be_written_and_fails_then() {
        let read = of(nr::READ, [3, 0, 5, 0, 0, 0]);
        assert!(read.memory.may_write(0, 5) && !read.memory.may_write(0, 6));
        assert_eq!(host::copy_out(0, b"hello"), Err(abi::Errno::EFAULT));
        let write = of(nr::WRITE, [3, 0, 5, 0, 0, 0]);
        assert!(write.segments.is_empty() && !write.memory.may_write(0, 1));
    }

    #[test]
    fn what_cannot_be_read_does_not_travel() {
        let bad = of(nr::OPENAT, [0, 16, 0, 0, 0, 0]);
        assert!(bad.segments.is_empty() && bad.bytes.len == 0);
        assert!(of(nr::WRITEV, [3, 16, 2, 0, 0, 0]).segments.is_empty());
    }

    #[test]
    fn messages_name_all_their_parts() {
        let (data, name) = (*b"data", [1_u8; 16]);
        let iovec = Iovec { iov_base: data.as_ptr() as u64, iov_len: 4 };
        let message = Msghdr {
            msg_name: name.as_ptr() as u64,
            msg_namelen: 16,
            msg_iov: &raw const iovec as u64,
            msg_iovlen: 1,
            ..Msghdr::default()
        };
        let at = &raw const message as u64;
        let sent = of(nr::SENDMSG, [3, at, 0, 0, 0, 0]);
        assert_eq!(sent.bytes.copied.len(), 56 + 16 + 16 + 4);
        let received = of(nr::RECVMSG, [3, at, 0, 0, 0, 0]);
        assert!(received.memory.may_write(iovec.iov_base, 4) && received.memory.may_write(at, 56));
        assert!(received.memory.may_write(message.msg_name, 16));
    }

    #[test]
    fn long_buffers_travel_in_part() {
        let data = alloc::vec![7_u8; 3 << 20];
        let gathered = of(nr::WRITE, [3, data.as_ptr() as u64, data.len() as u64, 0, 0, 0]);
        assert_eq!(gathered.bytes.len, TRAVEL_MAX);
        assert!(gathered.memory.may_read(data.as_ptr() as u64 + (2 << 20), 1 << 20));
    }
}
