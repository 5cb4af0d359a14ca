//! sendmsg(2) and recvmsg(2) with descriptors (SCM_RIGHTS, unix(7)).

use crate::Fd;
use crate::Wait;
use crate::gadget_unsafe::enter;
use abi::layout::{Cmsghdr, Iovec, Msghdr};
use abi::{Errno, nr};

/// The most descriptors of one message (`SCM_MAX_FD`).
pub const FDS_MAX: usize = 253;

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const HEADER: usize = size_of::<Cmsghdr>();

/// A control message of descriptors, aligned as `struct cmsghdr` is.
#[repr(C)]
struct Control {
    header: Cmsghdr,
    fds: [u32; FDS_MAX + 1],
}

impl Control {
    const fn new() -> Self {
        Self { header: Cmsghdr { cmsg_len: 0, cmsg_level: 0, cmsg_type: 0 }, fds: [0; FDS_MAX + 1] }
    }
}

/// Sends the parts one behind the other, with copies of `fds` (at most [`FDS_MAX`]) on the first byte. Never raises
/// SIGPIPE. Answers how many bytes.
///
/// # Errors
/// The host's; `EAGAIN`: it would wait; `E2BIG` for more than eight parts or too many descriptors.
pub fn send(socket: u32, parts: &[&[u8]], fds: &[u32], wait: Wait) -> Result<usize, Errno> {
    let mut iovecs = [Iovec::default(); 8];
    if parts.len() > iovecs.len() || fds.len() > FDS_MAX {
        return Err(Errno::E2BIG);
    }
    for (iovec, part) in iovecs.iter_mut().zip(parts) {
        *iovec = Iovec { iov_base: part.as_ptr() as u64, iov_len: part.len() as u64 };
    }
    let mut control = Control::new();
    control.fds[..fds.len()].copy_from_slice(fds);
    control.header = Cmsghdr {
        cmsg_len: (HEADER + size_of_val(fds)) as u64,
        cmsg_level: SOL_SOCKET,
        cmsg_type: SCM_RIGHTS,
    };
    let message = Msghdr {
        msg_iov: iovecs.as_ptr() as u64,
        msg_iovlen: parts.len() as u64,
        msg_control: if fds.is_empty() { 0 } else { &raw const control as u64 },
        msg_controllen: if fds.is_empty() {
            0
        } else {
            (HEADER + size_of_val(fds).next_multiple_of(8)) as u64
        },
        ..Msghdr::default()
    };
    use abi::raw::net::{MSG_DONTWAIT, MSG_NOSIGNAL};
    let flags = if wait == Wait::No { MSG_NOSIGNAL | MSG_DONTWAIT } else { MSG_NOSIGNAL };
    let args = [socket as usize, &raw const message as usize, flags as usize, 0, 0, 0];
    // SAFETY: the kernel reads the message, its parts and its control message, which live as long as the call.
    Errno::from_rax(unsafe { enter(wait, nr::SENDMSG, args) })
}

/// What [`receive`] got.
#[derive(Debug)]
pub struct Received {
    /// Bytes; 0: the other side is gone.
    pub len: usize,
    /// Descriptors that came along, close-on-exec.
    pub fds: [Option<Fd>; FDS_MAX],
    /// How many of them.
    pub fd_count: usize,
    /// Some were lost for want of numbers (`MSG_CTRUNC`).
    pub truncated: bool,
}

/// Receives bytes and descriptors.
///
/// # Errors
/// The host's; `EAGAIN`: it would wait; `EINTR`: a signal came first.
pub fn receive(socket: u32, into: &mut [u8], wait: Wait) -> Result<Received, Errno> {
    use abi::raw::net::{MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT};
    let iovec = Iovec { iov_base: into.as_mut_ptr() as u64, iov_len: into.len() as u64 };
    let mut control = Control::new();
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
    let moved = Errno::from_rax(unsafe { enter(wait, nr::RECVMSG, args) })?;
    let mut received = Received {
        len: moved,
        fds: [const { None }; FDS_MAX],
        fd_count: 0,
        truncated: message.msg_flags & MSG_CTRUNC.cast_signed() != 0,
    };
    let rights = control.header.cmsg_level == SOL_SOCKET && control.header.cmsg_type == SCM_RIGHTS;
    if rights && message.msg_controllen >= HEADER as u64 {
        let bytes = usize::try_from(control.header.cmsg_len).unwrap_or(0).saturating_sub(HEADER);
        received.fd_count = (bytes / size_of::<u32>()).min(FDS_MAX);
        for (slot, number) in received.fds.iter_mut().zip(control.fds).take(received.fd_count) {
            *slot = Some(Fd::own(number));
        }
    }
    Ok(received)
}
