//! What every socket has, whatever its protocol.

use abi::raw::net::{
    AF_INET, AF_NETLINK, AF_PACKET, AF_UNIX, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDPLITE, SO_RCVBUF,
    SO_SNDBUF, SOCK_RAW, SOCK_STREAM, SOL_SOCKET,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use tcpip::Settings;

/// `net.core.wmem_default` and `rmem_default` at first.
pub(crate) const BUFFER: i32 = 212_992;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From the peer to us: `SO_RCVTIMEO`.
    Receive,
    /// From us to the peer: `SO_SNDTIMEO`.
    Send,
}

/// What every socket has: its type, and the options that we only remember.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    /// `AF_*`.
    pub(crate) family: u32,
    /// `SOCK_*`.
    pub(crate) kind: u32,
    /// `IPPROTO_*`, `NETLINK_*`.
    pub(crate) protocol: u32,
    receive_timeout_ns: Cell<Option<u64>>,
    send_timeout_ns: Cell<Option<u64>>,
    /// Options that were set, by level and name.
    values: RefCell<BTreeMap<(u32, u32), i32>>,
}

impl Common {
    pub(crate) fn new(family: u32, kind: u32, protocol: u32) -> Self {
        Self {
            family,
            kind,
            protocol,
            receive_timeout_ns: Cell::new(None),
            send_timeout_ns: Cell::new(None),
            values: RefCell::default(),
        }
    }

    /// What Linux calls its protocol (`struct proto`, /proc/net/protocols).
    pub(crate) fn protocol_name(&self) -> &'static str {
        let v4 = self.family == AF_INET;
        let of = |four, six| if v4 { four } else { six };
        match (self.family, self.kind) {
            (AF_UNIX, SOCK_STREAM) => "UNIX-STREAM",
            (AF_UNIX, _) => "UNIX",
            (AF_NETLINK, _) => "NETLINK",
            (AF_PACKET, _) => "PACKET",
            (_, SOCK_STREAM) => of("TCP", "TCPv6"),
            (_, SOCK_RAW) => of("RAW", "RAWv6"),
            _ if self.protocol == IPPROTO_UDPLITE as u32 => of("UDP-Lite", "UDPLITEv6"),
            _ if self.protocol == IPPROTO_ICMP as u32 || self.protocol == IPPROTO_ICMPV6 => {
                of("PING", "PINGv6")
            }
            _ => of("UDP", "UDPv6"),
        }
    }

    /// How long a call that blocks waits; `None`: without end.
    pub(crate) fn timeout_ns(&self, direction: Direction) -> Option<u64> {
        self.timeout(direction).get()
    }

    pub(crate) fn set_timeout_ns(&self, direction: Direction, limit: Option<u64>) {
        self.timeout(direction).set(limit);
    }

    fn timeout(&self, direction: Direction) -> &Cell<Option<u64>> {
        match direction {
            Direction::Receive => &self.receive_timeout_ns,
            Direction::Send => &self.send_timeout_ns,
        }
    }

    /// An option that was set with [`Common::remember`].
    pub(crate) fn value(&self, level: u32, name: u32) -> Option<i32> {
        self.values.borrow().get(&(level, name)).copied()
    }

    pub(crate) fn remember(&self, level: u32, name: u32, value: i32) {
        self.values.borrow_mut().insert((level, name), value);
    }

    /// A new socket that is not the TCP/IP stack's gets the buffers of `net.core.wmem_default` and `rmem_default`. Kept only where they
    /// were changed: a socket's options take no memory until one is set.
    pub(crate) fn remember_buffers(&self, settings: &Settings) {
        for (name, size) in [(SO_SNDBUF, settings.wmem_default), (SO_RCVBUF, settings.rmem_default)] {
            let size = i32::try_from(size).unwrap_or(i32::MAX);
            if size != BUFFER {
                self.remember(SOL_SOCKET, name, size);
            }
        }
    }

    /// Whether a flag was set.
    pub(crate) fn flag(&self, level: u32, name: u32) -> bool {
        self.value(level, name).is_some_and(|value| value != 0)
    }
}
