//! Who has which port, and who may have it too (socket(7): `SO_REUSEADDR`, `SO_REUSEPORT`; Linux's
//! `inet_csk_bind_conflict` and `udp_lib_get_port`).

use std::{collections::HashMap, net::IpAddr};

use crate::{
    random::Keyed,
    types::{Protocol, SocketId},
};

/// The addresses that a bound socket stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cover {
    /// 0.0.0.0.
    V4,
    /// `[::]` with `IPV6_V6ONLY`.
    V6,
    /// `[::]`, which takes IPv4 as well.
    Both,
    /// One address.
    One(IpAddr),
}

impl Cover {
    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::One(ip), cover) | (cover, Self::One(ip)) => cover.matches(ip),
            (Self::V4, Self::V6) | (Self::V6, Self::V4) => false,
            _ => true,
        }
    }

    fn matches(self, ip: IpAddr) -> bool {
        match self {
            Self::V4 => ip.is_ipv4(),
            Self::V6 => ip.is_ipv6(),
            Self::Both => true,
            Self::One(one) => one == ip,
        }
    }

    /// How closely it fits when it matches: the closest gets the packet.
    fn rank(self) -> u8 {
        match self {
            Self::Both => 0,
            Self::V4 | Self::V6 => 1,
            Self::One(_) => 2,
        }
    }
}

/// What a socket wants of a port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) cover: Cover,
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
}

/// The ports of one protocol.
#[derive(Debug)]
pub(crate) struct Ports {
    protocol: Protocol,
    ports: HashMap<u16, Port, Keyed>,
}

#[derive(Debug, Default)]
struct Port {
    bound: Vec<Bound>,
    /// Connections and TIME-WAITs, which outlive the sockets that were bound, counted by local address.
    flows: Vec<FlowHold>,
}

#[derive(Debug)]
struct Bound {
    socket: SocketId,
    claim: Claim,
    listening: bool,
}

#[derive(Debug)]
struct FlowHold {
    ip: IpAddr,
    sharing: u32,
    exclusive: u32,
}

impl Ports {
    pub(crate) fn new(protocol: Protocol, hasher: Keyed) -> Self {
        Self { protocol, ports: HashMap::with_hasher(hasher) }
    }

    /// Whether `claim` conflicts with nobody but `socket` itself.
    pub(crate) fn is_free(&self, port: u16, claim: &Claim, socket: SocketId) -> bool {
        let Some(port) = self.ports.get(&port) else { return true };
        let others = port.bound.iter().filter(|b| b.socket != socket);
        let sharing = claim.reuse_addr || claim.reuse_port;
        others.clone().all(|b| !b.claim.cover.overlaps(claim.cover) || self.may_share(b, claim))
            && port.flows.iter().all(|f| {
                let taken = f.exclusive > 0 || (f.sharing > 0 && !sharing);
                !(taken && claim.cover.matches(f.ip))
            })
    }

    /// A TCP listener shares its port with `SO_REUSEPORT` only.
    fn may_share(&self, other: &Bound, claim: &Claim) -> bool {
        let listener = self.protocol == Protocol::Tcp && other.listening;
        (claim.reuse_addr && other.claim.reuse_addr && !listener)
            || (claim.reuse_port && other.claim.reuse_port)
    }

    /// A free ephemeral port, looked for from a random one on (RFC 6056, algorithm 1). TCP shares none whatever the options say
    /// (net/ipv4/inet_connection_sock.c, inet_csk_find_open_port).
    pub(crate) fn free_ephemeral(
        &self,
        range: (u16, u16),
        random: u64,
        claim: &Claim,
        socket: SocketId,
    ) -> Option<u16> {
        let claim = match self.protocol {
            Protocol::Tcp => Claim { reuse_addr: false, reuse_port: false, ..*claim },
            _ => *claim,
        };
        ephemeral(range, random).find(|&port| self.is_free(port, &claim, socket))
    }

    pub(crate) fn bind(&mut self, socket: SocketId, port: u16, claim: Claim) {
        self.ports.entry(port).or_default().bound.push(Bound { socket, claim, listening: false });
    }

    pub(crate) fn unbind(&mut self, socket: SocketId, port: u16) {
        self.change(port, |p| p.bound.retain(|b| b.socket != socket));
    }

    pub(crate) fn set_listening(&mut self, socket: SocketId, port: u16, listening: bool) {
        self.change_bound(socket, port, |b| b.listening = listening);
    }

    /// Linux looks at the options as they are when somebody else binds.
    pub(crate) fn set_claim(&mut self, socket: SocketId, port: u16, claim: Claim) {
        self.change_bound(socket, port, |b| b.claim = claim);
    }

    fn change_bound(&mut self, socket: SocketId, port: u16, change: impl FnOnce(&mut Bound)) {
        let port = self.ports.get_mut(&port);
        if let Some(bound) = port.and_then(|p| p.bound.iter_mut().find(|b| b.socket == socket)) {
            change(bound);
        }
    }

    /// Notes a connection from `ip`.
    pub(crate) fn hold(&mut self, port: u16, ip: IpAddr, sharing: bool) {
        let port = self.ports.entry(port).or_default();
        let index = port.flows.iter().position(|f| f.ip == ip).unwrap_or_else(|| {
            port.flows.push(FlowHold { ip, sharing: 0, exclusive: 0 });
            port.flows.len() - 1
        });
        if let Some(hold) = port.flows.get_mut(index) {
            *hold.count(sharing) += 1;
        }
    }

    /// Undoes [`Ports::hold`].
    pub(crate) fn release(&mut self, port: u16, ip: IpAddr, sharing: bool) {
        self.change(port, |p| {
            if let Some(hold) = p.flows.iter_mut().find(|f| f.ip == ip) {
                let count = hold.count(sharing);
                *count = count.saturating_sub(1);
            }
            p.flows.retain(|f| f.sharing + f.exclusive > 0);
        });
    }

    fn change(&mut self, port: u16, change: impl FnOnce(&mut Port)) {
        if let Some(entry) = self.ports.get_mut(&port) {
            change(entry);
            if entry.bound.is_empty() && entry.flows.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// All that are bound to a port.
    pub(crate) fn bound_to(&self, port: u16) -> Vec<SocketId> {
        self.ports.get(&port).map_or_else(Vec::new, |p| p.bound.iter().map(|b| b.socket).collect())
    }

    /// All that are bound to a port on an address that `ip` is, or on no address.
    pub(crate) fn bound_for(&self, port: u16, ip: IpAddr) -> Vec<SocketId> {
        let bound = self.ports.get(&port).map_or(&[][..], |p| &p.bound);
        bound.iter().filter(|b| b.claim.cover.matches(ip)).map(|b| b.socket).collect()
    }

    /// Whether a socket was bound to it by bind(2): connect(2) does not pick such a port.
    pub(crate) fn is_bound(&self, port: u16) -> bool {
        self.ports.get(&port).is_some_and(|p| !p.bound.is_empty())
    }

    /// Who gets what comes for `ip`: for TCP a listener. Equals (`SO_REUSEPORT`) share by the hash of the flow.
    /// `eligible` may rule sockets out.
    pub(crate) fn receiver(
        &self,
        port: u16,
        ip: IpAddr,
        flow_hash: u64,
        eligible: impl Fn(SocketId) -> bool,
    ) -> Option<SocketId> {
        let bound = &self.ports.get(&port)?.bound;
        let tcp = self.protocol == Protocol::Tcp;
        let fits = |b: &&Bound| (b.listening || !tcp) && b.claim.cover.matches(ip) && eligible(b.socket);
        let best = bound.iter().filter(&fits).map(|b| b.claim.cover.rank()).max()?;
        let equals = || bound.iter().filter(&fits).filter(|b| b.claim.cover.rank() == best);
        let group = u64::try_from(equals().filter(|b| b.claim.reuse_port).count()).ok()?;
        match flow_hash.checked_rem(group).and_then(|n| usize::try_from(n).ok()) {
            Some(nth) => equals().filter(|b| b.claim.reuse_port).nth(nth),
            // Without SO_REUSEPORT the one bound last is asked first.
            None => equals().next_back(),
        }
        .map(|b| b.socket)
    }
}

impl FlowHold {
    fn count(&mut self, sharing: bool) -> &mut u32 {
        if sharing { &mut self.sharing } else { &mut self.exclusive }
    }
}

/// Every port of the range once, from a random one on.
pub(crate) fn ephemeral((first, last): (u16, u16), random: u64) -> impl Iterator<Item = u16> {
    let count = u32::from(last.saturating_sub(first)) + 1;
    let start = u32::try_from(random % u64::from(count)).unwrap_or(0);
    // Both are below 65,536, so the port fits.
    (0..count).filter_map(move |n| u16::try_from(u32::from(first) + (start + n) % count).ok())
}
