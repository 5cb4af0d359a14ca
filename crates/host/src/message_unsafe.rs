//! sendmsg(2) and recvmsg(2) with descriptors (SCM_RIGHTS, unix(7)).

use crate::Fd;
use crate::Wait;
use crate::gadget_unsafe::enter;
use abi::layout::{Cmsghdr, Iovec, Msghdr};
use abi::{Errno, nr};
use core::mem::MaybeUninit;

/// The most descriptors of one message (`SCM_MAX_FD`).
pub const FDS_MAX: usize = 253;

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const HEADER: usize = size_of::<Cmsghdr>();

/// A control message of descriptors, aligned as `struct cmsghdr` is.
#[repr(C)]
struct Control {
    header: Cmsghdr,
    fds: [MaybeUninit<u32>; FDS_MAX + 1],
}

impl Control {
    fn new(fds: &[u32]) -> Self {
        let header = Cmsghdr {
            cmsg_len: (HEADER + size_of_val(fds)) as u64,
            cmsg_level: SOL_SOCKET,
            cmsg_type: SCM_RIGHTS,
        };
        let mut control = Self { header, fds: [MaybeUninit::uninit(); FDS_MAX + 1] };
        for (slot, fd) in control.fds.iter_mut().zip(fds) {
            slot.write(*fd);
        }
        control
    }
}

/// A piece of what is sent.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// Bytes of ours.
    Ours(&'a [u8]),
    /// Bytes of the program, which may change or go away at any time.
    Program {
        /// Where they are.
        address: u64,
        /// How many.
        len: usize,
    },
}

impl Part<'_> {
    /// Its bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Ours(bytes) => bytes.len(),
            Self::Program { len, .. } => *len,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is left behind the first `sent` bytes.
    #[must_use]
    pub fn after(self, sent: usize) -> Self {
        let sent = sent.min(self.len());
        match self {
            Self::Ours(bytes) => Self::Ours(&bytes[sent..]),
            Self::Program { address, len } => {
                Self::Program { address: address + sent as u64, len: len - sent }
            }
        }
    }

    fn iovec(&self) -> Iovec {
        let iov_base = match self {
            Self::Ours(bytes) => bytes.as_ptr() as u64,
            Self::Program { address, .. } => *address,
        };
        Iovec { iov_base, iov_len: self.len() as u64 }
    }
}

/// The most parts of one [`send`].
pub const PARTS_MAX: usize = 8;

/// Sends the parts one behind the other, with copies of `fds` (at most [`FDS_MAX`]) on the first byte. Never raises
/// SIGPIPE. Answers how many bytes.
///
/// # Errors
/// The host's; `EAGAIN`: it would wait; `EFAULT`: the next bytes are the program's and cannot be read; `E2BIG` for more
/// than [`PARTS_MAX`] parts or too many descriptors.
pub fn send(socket: u32, parts: &[Part<'_>], fds: &[u32], wait: Wait) -> Result<usize, Errno> {
    use abi::raw::net::{MSG_DONTWAIT, MSG_NOSIGNAL};
    let flags = if wait == Wait::No { MSG_NOSIGNAL | MSG_DONTWAIT } else { MSG_NOSIGNAL } as usize;
    let mut iovecs = [Iovec::default(); PARTS_MAX];
    if parts.len() > iovecs.len() || fds.len() > FDS_MAX {
        return Err(Errno::E2BIG);
    }
    for (iovec, part) in iovecs.iter_mut().zip(parts) {
        *iovec = part.iovec();
    }
    if let ([_], []) = (parts, fds) {
        let args = [socket as usize, iovecs[0].iov_base as usize, iovecs[0].iov_len as usize, flags, 0, 0];
        // SAFETY: the kernel reads the part.
        return Errno::from_rax(unsafe { enter(wait, nr::SENDTO, args) });
    }
    let control = (!fds.is_empty()).then(|| Control::new(fds));
    let message = Msghdr {
        msg_iov: iovecs.as_ptr() as u64,
        msg_iovlen: parts.len() as u64,
        msg_control: control.as_ref().map_or(0, |control| &raw const *control as u64),
        msg_controllen: control.as_ref().map_or(0, |control| control.header.cmsg_len.next_multiple_of(8)),
        ..Msghdr::default()
    };
    let args = [socket as usize, &raw const message as usize, flags, 0, 0, 0];
    // SAFETY: the kernel reads the message, its parts and its control message, which live as long as the call.
    Errno::from_rax(unsafe { enter(wait, nr::SENDMSG, args) })
}

/// What [`receive`] got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes; 0: the other side is gone.
    pub len: usize,
    /// Some descriptors were lost for want of numbers (`MSG_CTRUNC`).
    pub truncated: bool,
}

/// Receives bytes, and descriptors, which become close-on-exec, one by one into `keep`.
///
/// # Errors
/// The host's; `EAGAIN`: it would wait; `EINTR`: a signal came first.
pub fn receive(
    socket: u32,
    into: &mut [u8],
    wait: Wait,
    mut keep: impl FnMut(Fd),
) -> Result<Received, Errno> {
    use abi::raw::net::{MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT};
    let iovec = Iovec { iov_base: into.as_mut_ptr() as u64, iov_len: into.len() as u64 };
    let mut control = Control::new(&[]);
    let mut message = Msghdr {
        msg_iov: &raw const iovec as u64,
        msg_iovlen: 1,
        msg_control: &raw mut control as u64,
        msg_controllen: size_of::<Control>() as u64,
        ..Msghdr::default()
    };
    let flags = if wait == Wait::No { MSG_CMSG_CLOEXEC | MSG_DONTWAIT } else { MSG_CMSG_CLOEXEC };
    let args = [socket as usize, &raw mut message as usize, flags as usize, 0, 0, 0];
    // SAFETY: the kernel writes the message, its one part and its control message, which live as long as the call.
    let len = Errno::from_rax(unsafe { enter(wait, nr::RECVMSG, args) })?;
    let rights = control.header.cmsg_level == SOL_SOCKET && control.header.cmsg_type == SCM_RIGHTS;
    if rights && message.msg_controllen >= HEADER as u64 {
        let bytes = usize::try_from(control.header.cmsg_len).unwrap_or(0).saturating_sub(HEADER);
        for number in control.fds.iter().take(bytes / size_of::<u32>()) {
            // SAFETY: the kernel wrote as many as the control message's length says.
            keep(Fd::own(unsafe { number.assume_init() }));
        }
    }
    Ok(Received { len, truncated: message.msg_flags & MSG_CTRUNC.cast_signed() != 0 })
}
