//! The error queue of a host's socket (`IP_RECVERR`, ip(7)), which rustix does not offer: what routers and hosts on the way have said.

use rustix::io::Errno;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use tcpip::ToldError;

/// Room for one `struct sock_extended_err` with an address, and for what other control messages there may be.
const CONTROL: usize = 256;
/// As much of the datagram as tells which one it was: an ICMP header.
pub(super) const DATA: usize = 8;

/// An ICMP error about a datagram of ours, and how that began.
pub(super) struct Queued {
    pub(super) told: ToldError,
    /// What was sent, from behind UDP's header, or from the echo message's on.
    pub(super) data: [u8; DATA],
}

/// Lets ICMP errors come to the socket's error queue.
///
/// # Errors
/// As setsockopt(2).
pub(super) fn watch(fd: &OwnedFd, v4: bool) -> Result<(), Errno> {
    let (level, name) =
        if v4 { (libc::IPPROTO_IP, libc::IP_RECVERR) } else { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) };
    let on: libc::c_int = 1;
    // SAFETY: the value is an int that lives until the call is over, and its size is given.
    let result = unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const on).cast(), size_of::<libc::c_int>() as u32)
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// The next error that ICMP has told; those of other origins are passed over. None: there is no more.
pub(super) fn next(fd: &OwnedFd) -> Option<Queued> {
    loop {
        match take(fd) {
            Ok(Some(queued)) => return Some(queued),
            Ok(None) | Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

fn take(fd: &OwnedFd) -> Result<Option<Queued>, Errno> {
    let mut data = [0_u8; DATA];
    let mut control = [MaybeUninit::<u64>::uninit(); CONTROL / 8];
    let mut part = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: DATA };
    // SAFETY: a `struct msghdr` of zeros is one without buffers.
    let mut message: libc::msghdr = unsafe { zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut part, 1);
    (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), CONTROL);
    // SAFETY: the message names one buffer for data and one for control messages, both with their true sizes, which live beyond the call.
    let len =
        unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) };
    if len < 0 {
        return Err(last_error());
    }
    Ok(extended_error(&message).map(|told| Queued { told, data }))
}

/// The error that a message of the host's tells, if ICMP is where it comes from.
fn extended_error(message: &libc::msghdr) -> Option<ToldError> {
    // SAFETY: the host has filled in the control messages and their length.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !next.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR answer places inside the buffer that hold a whole header.
        let header = unsafe { *next };
        let v4 = (header.cmsg_level, header.cmsg_type) == (libc::IPPROTO_IP, libc::IP_RECVERR);
        let v6 = (header.cmsg_level, header.cmsg_type) == (libc::IPPROTO_IPV6, libc::IPV6_RECVERR);
        // SAFETY: CMSG_LEN only computes.
        let whole =
            unsafe { libc::CMSG_LEN((size_of::<libc::sock_extended_err>() + offender_len(v4)) as u32) };
        if (v4 || v6) && header.cmsg_len as u64 >= u64::from(whole) {
            // SAFETY: the message is long enough for the error and the address behind it, as was just seen.
            return unsafe { told(libc::CMSG_DATA(next), v4) };
        }
        // SAFETY: as above: `next` is a header inside the buffer.
        next = unsafe { libc::CMSG_NXTHDR(message, next) };
    }
    None
}

const fn offender_len(v4: bool) -> usize {
    if v4 { size_of::<libc::sockaddr_in>() } else { size_of::<libc::sockaddr_in6>() }
}

/// # Safety
/// At `at` there are a `struct sock_extended_err` and a socket address of the family.
unsafe fn told(at: *const u8, v4: bool) -> Option<ToldError> {
    // SAFETY: the caller's word; plain numbers, at any alignment.
    let error = unsafe { at.cast::<libc::sock_extended_err>().read_unaligned() };
    // SAFETY: the address is right behind (SO_EE_OFFENDER).
    let offender = unsafe { at.add(size_of::<libc::sock_extended_err>()) };
    let (origin, family, from) = if v4 {
        // SAFETY: the caller's word.
        let address = unsafe { offender.cast::<libc::sockaddr_in>().read_unaligned() };
        let ip = Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes());
        (libc::SO_EE_ORIGIN_ICMP, address.sin_family == libc::AF_INET as u16, IpAddr::V4(ip))
    } else {
        // SAFETY: the caller's word.
        let address = unsafe { offender.cast::<libc::sockaddr_in6>().read_unaligned() };
        let ip = Ipv6Addr::from(address.sin6_addr.s6_addr);
        (libc::SO_EE_ORIGIN_ICMP6, address.sin6_family == libc::AF_INET6 as u16, IpAddr::V6(ip))
    };
    let (kind, code, info) = (error.ee_type, error.ee_code, error.ee_info);
    (family && error.ee_origin == origin).then_some(ToldError { from, kind, code, info })
}

fn last_error() -> Errno {
    std::io::Error::last_os_error().raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}
