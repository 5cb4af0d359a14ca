//! Flows of datagrams: UDP, and echo requests by ping sockets (icmp(7)), which need no privileges.

use super::error_queue_unsafe::{self, Queued};
use super::forward::socket;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketType, ipproto, sockopt};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use tcpip::{InterceptedDatagram, Problem, Protocol, Stack};

/// Datagrams taken from one socket before others have their turn.
const TURN: usize = 64;
/// How long a flow lives without a datagram (RFC 4787, REQ-5: not below two minutes; a question's port may close earlier).
const IDLE_NS: u64 = 180_000_000_000;
const IDLE_NAMES_NS: u64 = 20_000_000_000;
const IDLE_PING_NS: u64 = 20_000_000_000;
/// Where an echo message has its identifier.
const IDENTIFIER: std::ops::Range<usize> = 4..6;

/// Which flow a datagram belongs to, as the guest sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) guest: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) protocol: Protocol,
}

impl Key {
    pub(super) fn of(datagram: &InterceptedDatagram) -> Self {
        Self { guest: datagram.from, peer: datagram.to, protocol: datagram.protocol }
    }
}

/// One flow.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) key: Key,
    way: Way,
    used_ns: u64,
    /// What the guest sent last, for errors to quote.
    last: Option<InterceptedDatagram>,
}

#[derive(Debug)]
enum Way {
    /// A connected socket of its own.
    Own { host: OwnedFd, marks: Marks },
    /// Likewise; the peers are the host's name servers, one after the other.
    Names { host: OwnedFd, server: usize, answered: bool },
    /// It came to a forwarded port, whose slot this is, from there.
    Forward { slot: u32, peer: SocketAddr },
}

/// What the host's socket puts on its packets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Marks {
    ttl: u8,
    tos: u8,
    dont_fragment: bool,
}

impl Flow {
    /// A flow to a host.
    ///
    /// # Errors
    /// As socket(2), connect(2); `EACCES`, `EPERM`: the host allows no ping sockets to this user.
    pub(super) fn to_host(key: Key, to: SocketAddr, now_ns: u64) -> Result<Self, Errno> {
        let protocol = match (key.protocol, to) {
            (Protocol::Ping, SocketAddr::V4(_)) => Some(ipproto::ICMP),
            (Protocol::Ping, SocketAddr::V6(_)) => Some(ipproto::ICMPV6),
            _ => None,
        };
        let host = socket(to.ip(), SocketType::DGRAM, protocol)?;
        // What cannot be told in detail is told by recv(2).
        let _ = error_queue_unsafe::watch(&host, to.is_ipv4());
        rustix::net::connect(&host, &to)?;
        let way = Way::Own { host, marks: Marks::default() };
        Ok(Self { key, way, used_ns: now_ns, last: None })
    }

    /// A flow of questions.
    ///
    /// # Errors
    /// As socket(2), connect(2).
    pub(super) fn to_names(key: Key, servers: &[SocketAddr], now_ns: u64) -> Result<Self, Errno> {
        let host = connected_to(servers, 0)?;
        Ok(Self { key, way: Way::Names { host, server: 0, answered: true }, used_ns: now_ns, last: None })
    }

    /// A flow that came to a forwarded port.
    pub(super) fn from_forward(key: Key, slot: u32, peer: SocketAddr, now_ns: u64) -> Self {
        Self { key, way: Way::Forward { slot, peer }, used_ns: now_ns, last: None }
    }

    /// Its own socket.
    pub(super) fn host(&self) -> Option<&OwnedFd> {
        match &self.way {
            Way::Own { host, .. } | Way::Names { host, .. } => Some(host),
            Way::Forward { .. } => None,
        }
    }

    /// The forwarded port that it came to, and who.
    pub(super) fn forward(&self) -> Option<(u32, SocketAddr)> {
        match self.way {
            Way::Forward { slot, peer } => Some((slot, peer)),
            _ => None,
        }
    }

    pub(super) fn used(&mut self, now_ns: u64) {
        self.used_ns = now_ns;
    }

    /// When it ends unless it is used again.
    pub(super) fn ends_ns(&self) -> u64 {
        self.used_ns.saturating_add(match (&self.way, self.key.protocol) {
            (Way::Names { .. }, _) => IDLE_NAMES_NS,
            (_, Protocol::Ping) => IDLE_PING_NS,
            _ => IDLE_NS,
        })
    }

    /// Sends what came from the guest by its own socket. Answers whether that socket is a new one.
    pub(super) fn send(
        &mut self,
        datagram: InterceptedDatagram,
        servers: &[SocketAddr],
        stack: &mut Stack,
        now_ns: u64,
    ) -> bool {
        self.used_ns = now_ns;
        let mut renewed = false;
        match &mut self.way {
            Way::Forward { .. } => {}
            Way::Own { host, marks } => {
                mark(host, marks, &datagram);
                let bytes = match datagram.protocol {
                    Protocol::Ping => datagram.message(),
                    _ => datagram.data(),
                };
                if let Err(errno) = send_twice(host, bytes)
                    && let Some(problem) = problem(errno, host)
                {
                    stack.reject(&datagram, problem);
                }
            }
            Way::Names { host, server, answered } => {
                // Asked again: the server before has not answered.
                if !*answered && servers.len() > 1 {
                    *server += 1;
                    if let Ok(next) = connected_to(servers, *server) {
                        (*host, renewed) = (next, true);
                    }
                }
                *answered = false;
                if send_twice(host, datagram.data()).is_err() {
                    stack.reject(&datagram, Problem::Port);
                }
            }
        }
        self.last = Some(datagram.head());
        renewed
    }

    /// Takes what came to its socket. Whether there is more.
    pub(super) fn receive(&mut self, stack: &mut Stack, space: &mut [u8], now_ns: u64) -> bool {
        self.pass_errors_on(stack);
        for _ in 0..TURN {
            let (Way::Own { host, .. } | Way::Names { host, .. }) = &self.way else { return false };
            match rustix::net::recv(host, &mut *space, RecvFlags::empty()) {
                Ok((len, _)) => {
                    self.used_ns = now_ns;
                    if let Way::Names { answered, .. } = &mut self.way {
                        *answered = true;
                    }
                    self.deliver(stack, &mut space[..len]);
                }
                Err(Errno::AGAIN) => return false,
                Err(Errno::INTR) => {}
                // The queue has it in detail.
                Err(_) if self.pass_errors_on(stack) => {}
                Err(errno) => {
                    if let (Some(problem), Some(last)) = (problem(errno, host), &self.last) {
                        stack.reject(last, problem);
                    }
                }
            }
        }
        true
    }

    /// Passes on what routers and hosts on the way have told; whether there was something.
    fn pass_errors_on(&self, stack: &mut Stack) -> bool {
        let (Way::Own { host, .. }, Some(last)) = (&self.way, &self.last) else { return false };
        let mut any = false;
        while let Some(Queued { mut told, data }) = error_queue_unsafe::next(host) {
            if told.from.is_loopback() {
                // The gateway's addresses stand for it.
                told.from = self.key.peer.ip();
            }
            let sequence = (self.key.protocol == Protocol::Ping).then_some([data[6], data[7]]);
            stack.pass_on(last, &told, sequence);
            any = true;
        }
        any
    }

    fn deliver(&self, stack: &mut Stack, bytes: &mut [u8]) {
        let Key { guest, peer, protocol } = self.key;
        if protocol != Protocol::Ping {
            // Too long, or the guest has no way: it is lost, as datagrams are.
            let _ = stack.send_datagram(peer, guest, bytes);
        } else if let Some(identifier) = bytes.get_mut(IDENTIFIER) {
            // The host's socket has put its own there.
            identifier.copy_from_slice(&guest.port().to_be_bytes());
            stack.send_echo_reply(peer.ip(), guest.ip(), bytes);
        }
    }
}

fn connected_to(servers: &[SocketAddr], number: usize) -> Result<OwnedFd, Errno> {
    let to = servers.get(number % servers.len().max(1)).ok_or(Errno::DESTADDRREQ)?;
    let host = socket(to.ip(), SocketType::DGRAM, None)?;
    rustix::net::connect(&host, to)?;
    Ok(host)
}

/// An error of an earlier datagram is told by send(2) first, and says nothing of this one.
fn send_twice(host: &OwnedFd, bytes: &[u8]) -> Result<(), Errno> {
    let send = || rustix::net::send(host, bytes, SendFlags::NOSIGNAL).map(drop);
    match send() {
        Err(Errno::CONNREFUSED | Errno::HOSTUNREACH | Errno::NETUNREACH) => send(),
        sent => sent,
    }
}

/// Lets the host's packets look as the guest's did, one hop further on.
fn mark(host: &OwnedFd, marks: &mut Marks, datagram: &InterceptedDatagram) {
    let v4 = datagram.to.is_ipv4();
    let dont_fragment = datagram.dont_fragment;
    let wanted = Marks { ttl: datagram.ttl.saturating_sub(1).max(1), tos: datagram.tos, dont_fragment };
    // What the host does not allow stays as it is.
    if wanted.ttl != marks.ttl {
        let _ = match v4 {
            true => sockopt::set_ip_ttl(host, wanted.ttl.into()),
            false => sockopt::set_ipv6_unicast_hops(host, Some(wanted.ttl)),
        };
    }
    if wanted.tos != marks.tos {
        let _ = match v4 {
            true => sockopt::set_ip_tos(host, wanted.tos),
            false => sockopt::set_ipv6_tclass(host, wanted.tos.into()),
        };
    }
    if wanted.dont_fragment != marks.dont_fragment {
        use sockopt::{Ipv4PathMtuDiscovery as V4, Ipv6PathMtuDiscovery as V6};
        let _ = match (v4, dont_fragment) {
            (true, true) => sockopt::set_ip_mtu_discover(host, V4::DO),
            (true, false) => sockopt::set_ip_mtu_discover(host, V4::DONT),
            (false, true) => sockopt::set_ipv6_mtu_discover(host, V6::DO),
            (false, false) => sockopt::set_ipv6_mtu_discover(host, V6::DONT),
        };
    }
    *marks = wanted;
}

/// What an error of a connected socket means for who sent.
fn problem(errno: Errno, host: &OwnedFd) -> Option<Problem> {
    match errno {
        Errno::CONNREFUSED => Some(Problem::Port),
        Errno::HOSTUNREACH | Errno::HOSTDOWN => Some(Problem::Host),
        Errno::NETUNREACH => Some(Problem::Network),
        Errno::ACCESS | Errno::PERM => Some(Problem::Prohibited),
        Errno::MSGSIZE => {
            let mtu = sockopt::ip_mtu(host).or_else(|_| sockopt::ipv6_mtu(host)).ok()?;
            Some(Problem::TooBig(usize::try_from(mtu).ok()?))
        }
        _ => None,
    }
}
