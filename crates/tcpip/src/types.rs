//! What goes in and out of a [`Stack`](crate::Stack) besides bytes.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use abi::Errno;

use crate::{ip_options::IpOptions, slab::Key};

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
    /// `SOCK_RAW`.
    Raw,
    /// `AF_PACKET`.
    Packet,
}

/// A socket. Never used again for another one in the life of its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub(crate) Key);

/// A network interface, by its index (netdevice(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(crate) u32);

impl LinkId {
    /// The link with this index, whether there is one or not.
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }

    /// `lo`: 127.0.0.0/8 and ::1, delivered inside the stack.
    pub const LO: Self = Self(1);

    /// The interface index that `IP_PKTINFO` and if_nametoindex(3) speak of.
    #[must_use]
    pub const fn index(self) -> u32 {
        self.0
    }
}

/// An Ethernet address (IEEE 802, EUI-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// To every station.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// Whether one station can have it (`is_valid_ether_addr`): neither a group's nor all zeros.
    #[must_use]
    pub const fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = Errno;

    /// Six hexadecimal numbers with colons between them. `EINVAL`: anything else.
    fn from_str(text: &str) -> Result<Self, Errno> {
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| is_byte(part)).ok_or(Errno::EINVAL)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| Errno::EINVAL)?;
        }
        if parts.next().is_some() { Err(Errno::EINVAL) } else { Ok(Self(bytes)) }
    }
}

/// One or two hexadecimal digits; from_str_radix takes a sign too.
fn is_byte(part: &str) -> bool {
    (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a link's frames are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// IP packets between two ends, without a header of the link.
    Ip,
    /// Ethernet II frames without their check sequence. Neighbours are found by ARP (RFC 826) and neighbour discovery (RFC 4861).
    Ethernet {
        /// The interface's own address.
        mac: Mac,
    },
}

/// A link to be made.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Interface name, as `dev_valid_name` wants it.
    pub name: String,
    /// What its frames are.
    pub medium: Medium,
    /// Our addresses on it and the lengths of their prefixes, which are routed to it.
    pub addrs: Vec<(IpAddr, u8)>,
    /// Largest IP packet in bytes, 68 to 65535. Below 1280 the link does not speak IPv6.
    pub mtu: usize,
    /// Whether it is brought up at once.
    pub up: bool,
}

impl LinkConfig {
    /// A point-to-point link that is up, without addresses, with an MTU of 1500.
    #[must_use]
    pub fn ip(name: &str) -> Self {
        Self { name: name.to_owned(), medium: Medium::Ip, addrs: Vec::new(), mtu: 1500, up: true }
    }

    /// An Ethernet interface that is up, without addresses of its own choice, with an MTU of 1500.
    #[must_use]
    pub fn ethernet(name: &str, mac: Mac) -> Self {
        Self { medium: Medium::Ethernet { mac }, ..Self::ip(name) }
    }
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
    /// The interface of `IP_PKTINFO`, `IPV6_PKTINFO`.
    pub link: Option<LinkId>,
    /// `IPV6_DONTFRAG`.
    pub dontfrag: Option<bool>,
    /// `IP_RETOPTS`: instead of the socket's `IP_OPTIONS`.
    pub options: Option<IpOptions>,
    /// `SO_MARK`.
    pub mark: Option<u32>,
    /// `MSG_OOB`, which is refused if it goes by IPv4.
    pub urgent: bool,
    /// `UDP_SEGMENT`: bytes of each datagram that the data is cut into; 0: it is one.
    pub segment_size: Option<u16>,
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
    /// When it came in, on the stack's clock (`SO_TIMESTAMP`).
    pub at_ns: u64,
    /// Of its IPv4 header (`IP_RECVOPTS`).
    pub options: IpOptions,
    /// It is several datagrams of so many bytes, of which the last may be shorter (`UDP_GRO`).
    pub segment_size: Option<u16>,
}
