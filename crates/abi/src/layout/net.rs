//! Addresses, messages and polls.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct iovec`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Iovec {
    /// Where the bytes are.
    pub iov_base: u64,
    /// How many.
    pub iov_len: u64,
}

/// `struct msghdr`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Msghdr {
    /// Address of the peer, or 0.
    pub msg_name: u64,
    /// Its size in bytes.
    pub msg_namelen: u32,
    /// Padding.
    pub pad1: u32,
    /// Address of the iovec array.
    pub msg_iov: u64,
    /// Its elements.
    pub msg_iovlen: u64,
    /// Address of the control messages, or 0.
    pub msg_control: u64,
    /// Their size in bytes.
    pub msg_controllen: u64,
    /// Flags that recvmsg found.
    pub msg_flags: i32,
    /// Padding.
    pub pad2: u32,
}

/// `struct mmsghdr`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Mmsghdr {
    /// The message.
    pub msg_hdr: Msghdr,
    /// Bytes moved.
    pub msg_len: u32,
    /// Padding.
    pub pad: u32,
}

/// `struct cmsghdr`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Cmsghdr {
    /// Size in bytes, this header included.
    pub cmsg_len: u64,
    /// Originating protocol.
    pub cmsg_level: i32,
    /// Its type.
    pub cmsg_type: i32,
}

/// `struct pollfd`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Pollfd {
    /// The descriptor; negative: skipped.
    pub fd: i32,
    /// Asked for.
    pub events: u16,
    /// Found.
    pub revents: u16,
}

/// `struct sockaddr_in`. Port and address in network byte order.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SockaddrIn {
    /// `AF_INET`.
    pub sin_family: u16,
    /// Port.
    pub sin_port: [u8; 2],
    /// Address.
    pub sin_addr: [u8; 4],
    /// Padding.
    pub sin_zero: [u8; 8],
}

/// `struct sockaddr_in6`. Port, flow information and address in network byte order.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SockaddrIn6 {
    /// `AF_INET6`.
    pub sin6_family: u16,
    /// Port.
    pub sin6_port: [u8; 2],
    /// Flow label and traffic class.
    pub sin6_flowinfo: [u8; 4],
    /// Address.
    pub sin6_addr: [u8; 16],
    /// Interface index for link-local addresses.
    pub sin6_scope_id: u32,
}

/// `struct linger`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Linger {
    /// On or off.
    pub l_onoff: i32,
    /// Seconds.
    pub l_linger: i32,
}

/// `struct ucred`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ucred {
    /// Process.
    pub pid: i32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}
