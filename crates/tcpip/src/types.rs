//! What goes in and out of a [`Stack`](crate::Stack) besides bytes.

use std::net::{IpAddr, SocketAddr};

use crate::slab::Key;

/// How a stack is set up.
#[derive(Debug, Clone, Copy, Default)]
pub struct Config {
    /// Initial sequence numbers, ephemeral ports and hash keys come from it. The same seed, calls and frames
    /// give the same results; a live kernel takes it from a random source.
    pub seed: u64,
}

/// Address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Domain {
    /// `AF_INET`.
    Inet,
    /// `AF_INET6`. Speaks IPv4 too, with v4-mapped addresses, unless `IPV6_V6ONLY` is set (ipv6(7)).
    Inet6,
}

/// Transport protocol of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `IPPROTO_TCP`.
    Tcp,
    /// `IPPROTO_UDP`.
    Udp,
    /// `IPPROTO_UDPLITE` (RFC 3828).
    UdpLite,
    /// `IPPROTO_ICMP`, `IPPROTO_ICMPV6` with `SOCK_DGRAM` (icmp(7), "ping socket").
    Ping,
}

/// A socket. Never used again for another one in the life of its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub(crate) Key);

/// A network interface, by its index (netdevice(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(crate) u32);

impl LinkId {
    /// `lo`: 127.0.0.0/8 and ::1, delivered inside the stack.
    pub const LO: Self = Self(1);

    /// The interface index that `IP_PKTINFO` and if_nametoindex(3) speak of.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// A point-to-point link that carries IP packets without a link header.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Interface name.
    pub name: String,
    /// Our addresses on it and the lengths of their prefixes, which are routed to it.
    pub addrs: Vec<(IpAddr, u8)>,
    /// Largest IP packet in bytes.
    pub mtu: usize,
    /// Whether what no other route covers goes out here.
    pub default_route: bool,
}

/// What poll(2) would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// `POLLIN | POLLRDNORM`.
    pub readable: bool,
    /// `POLLOUT | POLLWRNORM`.
    pub writable: bool,
    /// `POLLHUP`.
    pub hup: bool,
    /// `POLLRDHUP`.
    pub rdhup: bool,
    /// `POLLERR`.
    pub err: bool,
    /// `POLLPRI`.
    pub pri: bool,
}

/// What control messages ask for one datagram that is sent; the socket's options hold for what they do not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sending {
    /// `IP_TTL`, `IPV6_HOPLIMIT`.
    pub ttl: Option<u8>,
    /// `IP_TOS`, `IPV6_TCLASS`.
    pub tos: Option<u8>,
    /// The source address of `IP_PKTINFO`, `IPV6_PKTINFO`, in the form of the socket's family.
    pub source: Option<IpAddr>,
}

/// A datagram that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Bytes put into the caller's buffer.
    pub len: usize,
    /// Bytes the datagram had: more than `len` if it was cut (`MSG_TRUNC`).
    pub full_len: usize,
    /// Who sent it, in the form of the socket's family.
    pub from: SocketAddr,
    /// Where it was sent to (`IP_PKTINFO`, `IPV6_PKTINFO`), in the form of the socket's family.
    pub to: IpAddr,
    /// Where it came in.
    pub link: LinkId,
    /// `IP_RECVTTL`, `IPV6_RECVHOPLIMIT`.
    pub ttl: u8,
    /// `IP_RECVTOS`, `IPV6_RECVTCLASS`.
    pub tos: u8,
}
