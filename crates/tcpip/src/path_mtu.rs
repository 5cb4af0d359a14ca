//! Path MTU discovery (RFC 1191, RFC 8201): what the packets to a destination may measure.

use std::{collections::HashMap, net::IpAddr};

use crate::{
    Stack,
    link::{IPV6_MIN_MTU, LO_MTU},
    random::Keyed,
    route::{Hints, Way},
    types::LinkId,
};

/// `net.ipv4.route.mtu_expires`, `net.ipv6.route.mtu_expires`.
const EXPIRES_NS: u64 = 600_000_000_000;
/// `net.ipv4.route.min_pmtu`.
const MIN_V4: usize = 552;
/// Destinations that are remembered; the oldest give way.
const PATHS_MAX: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct PathMtu {
    mtu: usize,
    ends_ns: u64,
}

/// Destinations whose packets may be no longer than so much.
#[derive(Debug)]
pub(crate) struct PathMtus(HashMap<IpAddr, PathMtu, Keyed>);

impl PathMtus {
    pub(crate) fn new(hasher: Keyed) -> Self {
        Self(HashMap::with_hasher(hasher))
    }
}

impl Stack {
    /// A router says that `mtu` is what fits. A growing one is not believed (RFC 8201, section 4).
    pub(crate) fn learn_path_mtu(&mut self, dst: IpAddr, mtu: u32) {
        let mtu = usize::try_from(mtu).unwrap_or(usize::MAX);
        let least = if dst.is_ipv4() { MIN_V4 } else { IPV6_MIN_MTU };
        let Ok(way) = self.way(dst, Hints::default()) else { return };
        let mtu = mtu.max(least);
        if mtu >= self.path_mtu(dst, &way) {
            return;
        }
        if self.path_mtus.0.len() >= PATHS_MAX {
            let oldest =
                self.path_mtus.0.iter().min_by_key(|(ip, path)| (path.ends_ns, **ip)).map(|(ip, _)| *ip);
            oldest.map(|ip| self.path_mtus.0.remove(&ip));
        }
        self.path_mtus.0.insert(dst, PathMtu { mtu, ends_ns: self.now_ns + EXPIRES_NS });
        // Connections look again.
        self.routes.note_change();
        self.resend_shorter(dst);
    }

    /// The largest packet to `dst` that arrives in one piece as far as is known.
    pub(crate) fn path_mtu(&self, dst: IpAddr, way: &Way) -> usize {
        let link = self.links.carrier(way.link).mtu;
        let route = way.mtu.unwrap_or(link).min(link);
        self.learned_mtu(way.link, dst).unwrap_or(route).min(route)
    }

    fn learned_mtu(&self, link: LinkId, dst: IpAddr) -> Option<usize> {
        if link == LinkId::LO || self.path_mtus.0.is_empty() {
            return None;
        }
        self.path_mtus.0.get(&dst).filter(|path| path.ends_ns > self.now_ns).map(|path| path.mtu)
    }

    /// What a packet to `dst` that leaves by `link` may measure before it is cut.
    pub(crate) fn output_mtu(&self, link: LinkId, dst: IpAddr) -> usize {
        let mtu = self.links.carrier(link).mtu;
        self.learned_mtu(link, dst).unwrap_or(mtu).min(mtu)
    }

    /// What a datagram that is not to be fragmented may measure: on `lo`, unless its MTU was made smaller, what Linux's carries.
    pub(crate) fn unfragmented_mtu(&self, link: LinkId, dst: IpAddr) -> usize {
        const LINUX_LO_MTU: usize = 65536;
        match self.output_mtu(link, dst) {
            LO_MTU.. if link == LinkId::LO => LINUX_LO_MTU,
            mtu => mtu,
        }
    }

    /// `IP_MTU`, `IPV6_MTU`: the path MTU to a connected socket's peer.
    ///
    /// # Errors
    /// `ENOTCONN`: it has none.
    pub fn mtu_to_peer(&self, id: crate::SocketId) -> Result<usize, abi::Errno> {
        let peer = self.peer_addr(id)?.ip().to_canonical();
        let way = self.way(peer, Hints::default()).map_err(|_| abi::Errno::ENOTCONN)?;
        Ok(self.path_mtu(peer, &way))
    }
}
