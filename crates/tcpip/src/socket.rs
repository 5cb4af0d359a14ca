//! What a program holds: one socket of either protocol.

use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, Ipv4Addr},
};

use abi::Errno;

use crate::{
    addr::{self, Endpoint},
    bpf::Program,
    error_queue::ErrorQueue,
    ip_options::IpOptions,
    multicast::Membership,
    option::Options,
    packet_socket::PacketSocket,
    ports::{Claim, Cover},
    slab::Key,
    types::{Domain, Protocol, Readiness, SocketId},
    udp::Udp,
    udp_header::Variant,
};

/// One socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) domain: Domain,
    pub(crate) options: Options,
    pub(crate) binding: Option<Binding>,
    /// The port of the last connection, which getsockname(2) shows as long as there is no other (`inet_sport`).
    pub(crate) last_port: u16,
    /// `SO_ATTACH_FILTER`.
    pub(crate) filter: Option<Box<Program>>,
    pub(crate) groups: Vec<Membership>,
    /// `IP_OPTIONS`.
    pub(crate) ip_options: Option<Box<IpOptions>>,
    /// `SO_ERROR`.
    pub(crate) error: Option<Errno>,
    /// For `MSG_ERRQUEUE`.
    pub(crate) errors: ErrorQueue,
    /// shutdown(2) with `SHUT_RD` was called.
    pub(crate) read_shut: bool,
    /// shutdown(2) with `SHUT_WR` was called.
    pub(crate) write_shut: bool,
    pub(crate) kind: Kind,
    /// What [`crate::Stack::next_change`] last stood for.
    pub(crate) told: Readiness,
    /// It is in the queue of changes.
    pub(crate) change_queued: bool,
}

/// The protocol's part of a socket.
#[derive(Debug)]
pub(crate) enum Kind {
    Tcp(Tcp),
    Udp(Udp),
    Packet(Box<PacketSocket>),
}

/// A TCP socket is one of these.
#[derive(Debug)]
pub(crate) enum Tcp {
    /// Not connected.
    Closed,
    Listening(Listener),
    /// Connecting, connected, or disconnected by the peer.
    Connection(Key),
}

/// A listening socket (RFC 9293, LISTEN).
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) backlog: usize,
    /// Connections that wait for accept(2).
    pub(crate) queue: VecDeque<Key>,
    /// Connections in SYN-RECEIVED.
    pub(crate) half_open: HashSet<Key>,
}

impl Listener {
    /// Linux lets one more in than the backlog says (`sk_acceptq_is_full`).
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() > self.backlog
    }
}

/// Where a socket is bound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding {
    pub(crate) port: u16,
    /// The address given to bind(2), if it was not the family's unspecified one. ::ffff:0.0.0.0 is 0.0.0.0.
    pub(crate) ip: Option<IpAddr>,
    /// bind(2) has named the port (`SOCK_BINDPORT_LOCK`).
    pub(crate) locked: bool,
}

impl Binding {
    /// It has lost its port where nobody had asked for that one.
    pub(crate) fn has_port(&self) -> bool {
        self.port != 0
    }

    /// The source address it prescribes.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        self.ip.filter(|ip| !ip.is_unspecified())
    }
}

impl Socket {
    pub(crate) fn new(domain: Domain, options: Options, kind: Kind) -> Self {
        Self {
            domain,
            options,
            binding: None,
            last_port: 0,
            filter: None,
            groups: Vec::new(),
            ip_options: None,
            error: None,
            errors: ErrorQueue::default(),
            read_shut: false,
            write_shut: false,
            kind,
            told: Readiness::default(),
            change_queued: false,
        }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match &self.kind {
            Kind::Tcp(_) => Protocol::Tcp,
            Kind::Udp(udp) => match udp.variant {
                Variant::Udp => Protocol::Udp,
                Variant::Lite => Protocol::UdpLite,
                Variant::Ping => Protocol::Ping,
                Variant::Raw(_) => Protocol::Raw,
            },
            Kind::Packet(_) => Protocol::Packet,
        }
    }

    /// What it claims of a port when bound to `ip`, `None` being the unspecified address.
    pub(crate) fn claim(&self, ip: Option<IpAddr>) -> Claim {
        let cover = match (ip, self.domain) {
            (Some(IpAddr::V4(ip)), _) if ip.is_unspecified() => Cover::V4,
            (Some(ip), _) => Cover::One(ip),
            (None, Domain::Inet) => Cover::V4,
            (None, Domain::Inet6) if self.options.v6only => Cover::V6,
            (None, Domain::Inet6) => Cover::Both,
        };
        Claim { cover, reuse_addr: self.options.reuse_addr, reuse_port: self.options.reuse_port }
    }

    /// The address and port that bind(2) gave it.
    pub(crate) fn bound_end(&self) -> Option<Endpoint> {
        let ip =
            self.binding.and_then(|binding| binding.ip).unwrap_or_else(|| addr::unspecified(self.domain));
        let port = self.binding.filter(Binding::has_port).map_or(self.last_port, |binding| binding.port);
        (self.binding.is_some() || port != 0).then_some(Endpoint { ip, port })
    }

    /// Whether its family and options let it speak to `ip` (`IPV6_V6ONLY`).
    pub(crate) fn speaks(&self, ip: IpAddr) -> bool {
        match self.domain {
            Domain::Inet => ip.is_ipv4(),
            Domain::Inet6 => ip.is_ipv6() || !self.options.v6only,
        }
    }

    /// The address that it reaches by the unspecified one: this host's of the family that it is bound to (net/ipv6/datagram.c,
    /// __ip6_datagram_connect).
    pub(crate) fn this_host(&self, ip: IpAddr) -> IpAddr {
        let bound = self.binding.and_then(|binding| binding.ip);
        let v4 = bound.or(self.source()).is_some_and(|bound| bound.is_ipv4());
        match ip {
            IpAddr::V6(v6) if v6.is_unspecified() && v4 => Ipv4Addr::LOCALHOST.into(),
            ip => addr::this_host(ip),
        }
    }

    /// The source address that bind(2) or, of datagrams, connect(2) prescribes.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        let connected = match &self.kind {
            Kind::Udp(udp) => udp.source,
            _ => None,
        };
        self.binding.and_then(|binding| binding.source()).or(connected)
    }

    /// The pending error, cleared.
    ///
    /// # Errors
    /// That error.
    pub(crate) fn check_error(&mut self) -> Result<(), Errno> {
        self.error.take().map_or(Ok(()), Err)
    }

    /// The connection behind it.
    pub(crate) fn connection(&self) -> Option<Key> {
        match self.kind {
            Kind::Tcp(Tcp::Connection(key)) => Some(key),
            _ => None,
        }
    }

    pub(crate) fn listener(&self) -> Option<&Listener> {
        match &self.kind {
            Kind::Tcp(Tcp::Listening(listener)) => Some(listener),
            _ => None,
        }
    }

    pub(crate) fn listener_mut(&mut self) -> Option<&mut Listener> {
        match &mut self.kind {
            Kind::Tcp(Tcp::Listening(listener)) => Some(listener),
            _ => None,
        }
    }
}

impl Readiness {
    /// Whether something is ready in `self` that is not in `before`.
    pub(crate) fn rises_from(self, before: Self) -> bool {
        let news = |now: bool, was: bool| now && !was;
        news(self.readable, before.readable)
            || news(self.writable, before.writable)
            || news(self.hup, before.hup)
            || news(self.rdhup, before.rdhup)
            || news(self.err, before.err)
            || news(self.pri, before.pri)
    }
}

/// Sockets by id.
pub(crate) type Sockets = crate::slab::Slab<Socket>;

impl Sockets {
    /// # Errors
    /// `EBADF`: it was closed.
    pub(crate) fn find(&self, id: SocketId) -> Result<&Socket, Errno> {
        self.get(id.0).ok_or(Errno::EBADF)
    }

    /// # Errors
    /// `EBADF`: it was closed.
    pub(crate) fn find_mut(&mut self, id: SocketId) -> Result<&mut Socket, Errno> {
        self.get_mut(id.0).ok_or(Errno::EBADF)
    }
}
