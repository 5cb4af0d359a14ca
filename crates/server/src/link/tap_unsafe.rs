//! `TUNSETIFF` and `TUNSETOFFLOAD`, which rustix does not offer.

use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Opcode, Updater};
use std::os::fd::OwnedFd;

/// linux/if_tun.h: `_IOW('T', 202, int)`. It takes a `struct ifreq`, whatever its number says.
const TUNSETIFF: Opcode = 0x4004_54ca;
const IFF_TAP: u16 = 0x0002;
/// No four bytes of protocol in front of each frame.
const IFF_NO_PI: u16 = 0x1000;
/// A `struct virtio_net_hdr` in front of each frame.
const IFF_VNET_HDR: u16 = 0x4000;

/// `_IOW('T', 208, unsigned int)`. It takes the flags themselves.
const TUNSETOFFLOAD: Opcode = 0x4004_54d0;
/// `TUN_F_CSUM`, `TUN_F_TSO4`, `TUN_F_TSO6`, `TUN_F_TSO_ECN`.
const OFFLOADS: usize = 0x01 | 0x02 | 0x04 | 0x08;

/// `struct ifreq`: the name, then a union of which the flags are the first member.
const IFREQ: usize = 40;
const NAME: usize = 16;

/// Makes a descriptor of /dev/net/tun one of this tap interface, whose name is at most 15 bytes long.
///
/// # Errors
/// As the host says.
pub(crate) fn set_interface(fd: &OwnedFd, name: &str) -> Result<(), Errno> {
    let mut ifreq = [0_u8; IFREQ];
    let name = name.as_bytes();
    ifreq.get_mut(..name.len()).filter(|_| name.len() < NAME).ok_or(Errno::INVAL)?.copy_from_slice(name);
    ifreq[NAME..NAME + 2].copy_from_slice(&(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR).to_ne_bytes());
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, which is as long as the array on 64-bit Linux.
    unsafe { rustix::ioctl::ioctl(fd, Updater::<TUNSETIFF, _>::new(&mut ifreq)) }
}

/// Says that TCP segments are taken uncut and without checksums.
///
/// # Errors
/// As the host says.
pub(crate) fn take_offloads(fd: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: TUNSETOFFLOAD reads no memory: its argument is a number.
    unsafe { rustix::ioctl::ioctl(fd, IntegerSetter::<TUNSETOFFLOAD>::new_usize(OFFLOADS)) }
}
