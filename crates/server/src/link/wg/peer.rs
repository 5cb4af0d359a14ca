//! One peer of a tunnel.

use crate::link::wg::{canonical, conf, for_socket};
use boringtun::noise::rate_limiter::RateLimiter;
use boringtun::noise::{Tunn, TunnResult};
use boringtun::x25519::{PublicKey, StaticSecret};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// An index that we give a peer's session: which of 256 sessions, below which peer.
const SESSION_BITS: u32 = 8;
/// Nothing is left of a session so long after its last packet: REJECT_AFTER_TIME * 3 (WireGuard, section 6.1).
const FORGOTTEN_NS: u64 = 541_000_000_000;

pub(super) struct Peer {
    tunn: Tunn,
    public_key: conf::Key,
    keepalive: bool,
    /// Where it was last heard from, or is said to be.
    endpoint: Option<SocketAddr>,
    /// When we last sent to it.
    sent_ns: Option<u64>,
}

/// Which peer a session's index belongs to.
pub(super) fn number(index: u32) -> Option<usize> {
    usize::try_from(index >> SESSION_BITS).ok()
}

impl Peer {
    pub(super) fn new(
        secret: &StaticSecret,
        peer: &conf::Peer,
        endpoint: Option<SocketAddr>,
        number: usize,
        limiter: Arc<RateLimiter>,
    ) -> Self {
        let index = u32::try_from(number).unwrap_or(u32::MAX >> SESSION_BITS);
        Self {
            tunn: Tunn::new(
                secret.clone(),
                PublicKey::from(peer.public_key),
                peer.preshared_key,
                peer.keepalive,
                index,
                Some(limiter),
            ),
            public_key: peer.public_key,
            keepalive: peer.keepalive.is_some(),
            endpoint: endpoint.map(canonical),
            sent_ns: None,
        }
    }

    pub(super) fn has_key(&self, key: &conf::Key) -> bool {
        self.public_key == *key
    }

    pub(super) fn has_session(&self) -> bool {
        self.tunn.time_since_last_handshake().is_some()
    }

    /// Its endpoint's name has this address. What it has sent itself meanwhile tells better.
    pub(super) fn found_at(&mut self, addr: SocketAddr) {
        self.endpoint.get_or_insert(canonical(addr));
    }

    /// Whether time has to pass for it.
    pub(super) fn needs_ticks(&self, now_ns: u64) -> bool {
        (self.keepalive && self.endpoint.is_some())
            || self.has_session()
            || self.sent_ns.is_some_and(|sent_ns| now_ns.saturating_sub(sent_ns) < FORGOTTEN_NS)
    }

    /// Takes a datagram of its. Packets go to `deliver` with their source addresses; what is to be answered is.
    pub(super) fn take(
        &mut self,
        socket: &UdpSocket,
        datagram: &[u8],
        from: SocketAddr,
        space: &mut [u8],
        deliver: &mut dyn FnMut(&[u8], IpAddr),
    ) {
        let mut bytes = datagram;
        // After an answer to the network more may wait for the session that it has made.
        loop {
            match self.tunn.decapsulate(Some(from.ip()), bytes, space) {
                TunnResult::WriteToNetwork(packet) => {
                    // Authentic: where it comes from is where the peer is now (roaming).
                    self.endpoint = Some(canonical(from));
                    let _ = socket.send_to(packet, from);
                    bytes = &[];
                }
                TunnResult::WriteToTunnelV4(packet, source) => {
                    self.endpoint = Some(canonical(from));
                    return deliver(packet, source.into());
                }
                TunnResult::WriteToTunnelV6(packet, source) => {
                    self.endpoint = Some(canonical(from));
                    return deliver(packet, source.into());
                }
                TunnResult::Done | TunnResult::Err(_) => return,
            }
        }
    }

    /// Sends an IP packet, or begins a handshake for it. Answers whether it is on its way or waits for that.
    pub(super) fn send(&mut self, socket: &UdpSocket, packet: &[u8], now_ns: u64, space: &mut [u8]) -> bool {
        let Some(endpoint) = self.endpoint else { return false };
        self.sent_ns = Some(now_ns);
        match self.tunn.encapsulate(packet, space) {
            TunnResult::WriteToNetwork(datagram) => {
                socket.send_to(datagram, for_socket(socket, endpoint)).is_ok()
            }
            TunnResult::Err(_) => false,
            _ => true,
        }
    }

    /// A second has passed. While nobody knows where the peer is, no handshake is begun.
    pub(super) fn tick(&mut self, socket: &UdpSocket, space: &mut [u8]) {
        let Some(endpoint) = self.endpoint else { return };
        if let TunnResult::WriteToNetwork(datagram) = self.tunn.update_timers(space) {
            let _ = socket.send_to(datagram, for_socket(socket, endpoint));
        }
    }
}
