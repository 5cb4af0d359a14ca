//! `type=wg`: a WireGuard tunnel over a UDP socket of the host, described by a file of wg-quick(8). IP packets, no Ethernet.

mod conf;
mod names;
mod peer;
mod table;

use crate::link::backend::{Backend, Deliver, Sent};
use crate::link::kinds::{Kind, Opened, Opening, Plan};
use crate::spec::Fields;
use boringtun::noise::handshake::parse_handshake_anon;
use boringtun::noise::rate_limiter::RateLimiter;
use boringtun::noise::{Packet, Tunn, TunnResult};
use boringtun::x25519::{PublicKey, StaticSecret};
use conf::Conf;
use names::Names;
use peer::Peer;
use rustix::event::epoll::EventFlags;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use table::Table;
use tcpip::Offload;

/// The row of the table.
pub(crate) const KIND: Kind = Kind {
    name: "wg",
    about: "a WireGuard tunnel; addresses, MTU and routes come from the file, too",
    ethernet: false,
    keys: &[("conf", "FILE", "the tunnel, as wg-quick(8) has it")],
    parse,
};

const SOCKET: u32 = 0;
const NAMES: u32 = 1;
/// wg-quick(8)'s, without the path's MTU: 1500 less the headers over IPv6.
const MTU: usize = 1420;
/// The largest UDP datagram, and more than boringtun adds to the largest packet.
const SPACE: usize = 65536 + 256;
/// boringtun counts time in seconds.
const TICK_NS: u64 = 1_000_000_000;
/// Handshakes a second, beyond which cookies are asked for (as in boringtun's own device).
const HANDSHAKES: u64 = 100;

#[derive(Debug)]
struct WgPlan {
    path: PathBuf,
}

fn parse(fields: &mut Fields) -> Result<Box<dyn Plan>, String> {
    Ok(Box::new(WgPlan { path: fields.required_path("conf")? }))
}

impl Plan for WgPlan {
    fn open(&self, opening: Opening) -> Result<Opened, String> {
        let path = opening.directory.join(&self.path);
        let conf = read(&path)?;
        let socket = bind(conf.listen_port.unwrap_or(0))
            .map_err(|error| format!("{}: UDP socket: {error}", path.display()))?;
        let failed = |errno| format!("{}: {errno}", path.display());
        opening.watch.add(&socket, SOCKET, EventFlags::IN).map_err(failed)?;
        let secret = StaticSecret::from(conf.private_key);
        let public = PublicKey::from(&secret);
        let limiter = Arc::new(RateLimiter::new(&public, HANDSHAKES));
        let mut peers = Vec::new();
        let mut table = Table::default();
        let mut unknown = Vec::new();
        for (number, peer) in conf.peers.iter().enumerate() {
            let endpoint = peer.endpoint.as_ref().and_then(|text| text.parse().ok());
            unknown.extend(
                peer.endpoint.iter().filter(|_| endpoint.is_none()).map(|text| (number, text.clone())),
            );
            peers.push(Peer::new(&secret, peer, endpoint, number, limiter.clone()));
            peer.allowed.iter().for_each(|(ip, len)| table.insert(*ip, *len, number));
        }
        let names = Names::look_up(unknown, names::by_host).map_err(failed)?;
        opening.watch.add(&names, NAMES, EventFlags::IN).map_err(failed)?;
        let routes = conf.peers.iter().flat_map(|peer| peer.allowed.iter().copied()).collect();
        let wg = Wg {
            socket,
            names,
            secret,
            public,
            limiter,
            peers,
            table,
            now_ns: crate::clock::mono_ns(),
            next_tick_ns: Some(0),
            space: vec![0; SPACE],
            datagram: vec![0; SPACE],
        };
        let mtu = Some(conf.mtu.unwrap_or(MTU));
        Ok(Opened {
            addrs: conf.addresses,
            routes,
            mtu,
            name_servers: conf.dns,
            domains: conf.domains,
            ..Opened::plain(wg)
        })
    }
}

fn read(path: &Path) -> Result<Conf, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    conf::parse(&text).map_err(|wrong| match wrong.line {
        0 => format!("{}: {}", path.display(), wrong.why),
        line => format!("{}:{line}: {}", path.display(), wrong.why),
    })
}

/// Both families on one socket, where the host has IPv6.
fn bind(port: u16) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

struct Wg {
    socket: UdpSocket,
    /// Where peers are whose endpoints have names.
    names: Names,
    secret: StaticSecret,
    public: PublicKey,
    limiter: Arc<RateLimiter>,
    peers: Vec<Peer>,
    /// Which peer an address is behind.
    table: Table,
    now_ns: u64,
    next_tick_ns: Option<u64>,
    /// What boringtun writes to.
    space: Vec<u8>,
    datagram: Vec<u8>,
}

impl Wg {
    /// Takes one datagram.
    fn take(&mut self, len: usize, from: SocketAddr, deliver: &mut dyn FnMut(&[u8])) {
        let Self { socket, secret, public, limiter, peers, table, space, datagram, .. } = self;
        let datagram = &datagram[..len];
        // Its first MAC proves that it was meant for us; before that no key is used for it.
        let packet = match limiter.verify_packet(Some(from.ip()), datagram, space) {
            Ok(packet) => packet,
            Err(TunnResult::WriteToNetwork(cookie)) => {
                let _ = socket.send_to(cookie, from);
                return;
            }
            Err(_) => return,
        };
        let number = match &packet {
            Packet::HandshakeInit(init) => {
                let Ok(half) = parse_handshake_anon(secret, public, init) else { return };
                peers.iter().position(|peer| peer.has_key(&half.peer_static_public))
            }
            Packet::HandshakeResponse(response) => peer::number(response.receiver_idx),
            Packet::PacketCookieReply(reply) => peer::number(reply.receiver_idx),
            Packet::PacketData(data) => peer::number(data.receiver_idx),
        };
        let Some((number, peer)) = number.and_then(|number| Some((number, peers.get_mut(number)?))) else {
            return;
        };
        peer.take(socket, datagram, from, space, &mut |packet, source| {
            // Cryptokey routing: what a peer sends has an address that is behind it.
            if table.find(source) == Some(number) {
                deliver(packet);
            }
        });
    }

    fn tick(&mut self) {
        self.limiter.reset_count();
        for peer in &mut self.peers {
            peer.tick(&self.socket, &mut self.space);
        }
        let now_ns = self.now_ns;
        let busy = self.peers.iter().any(|peer| peer.needs_ticks(now_ns));
        self.next_tick_ns = busy.then(|| now_ns.saturating_add(TICK_NS));
    }

    /// Sees to it that time passes for the peers from now on.
    fn stir(&mut self) {
        if self.next_tick_ns.is_none() {
            self.tick();
            self.next_tick_ns = Some(self.now_ns.saturating_add(TICK_NS));
        }
    }
}

impl Backend for Wg {
    fn event(&mut self, number: u32, _flags: EventFlags) {
        if number == NAMES {
            for (peer, addr) in self.names.take_found() {
                self.peers[peer].found_at(addr);
            }
            // Who is to be kept alive is greeted.
            self.next_tick_ns = Some(self.now_ns);
        }
    }

    fn receive(&mut self, most: usize, deliver: &mut Deliver<'_>) -> bool {
        for _ in 0..most {
            match self.socket.recv_from(&mut self.datagram) {
                Ok((len, from)) => {
                    self.stir();
                    self.take(len, from, &mut |frame| deliver(frame, Offload::NONE));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                // An ICMP error of an earlier datagram, for instance.
                Err(_) => {}
            }
        }
        true
    }

    fn send(&mut self, frame: &[u8], _: Offload) -> Sent {
        let Some(number) = Tunn::dst_address(frame).and_then(|ip| self.table.find(ip)) else {
            return Sent::Dropped;
        };
        self.stir();
        match self.peers[number].send(&self.socket, frame, self.now_ns, &mut self.space) {
            true => Sent::Done,
            false => Sent::Dropped,
        }
    }

    fn advance(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        if self.next_tick_ns.is_some_and(|at_ns| at_ns <= now_ns) {
            self.tick();
        }
    }

    fn next_deadline(&self) -> Option<u64> {
        self.next_tick_ns
    }

    fn remark(&self) -> String {
        let up = self.peers.iter().filter(|peer| peer.has_session()).count();
        let port = self.socket.local_addr().map_or(0, |addr| addr.port());
        let missing = match self.names.missing() {
            0 => String::new(),
            count => format!(", {count} not found yet"),
        };
        format!("UDP port {port}, {up} of {} peers{missing}", self.peers.len())
    }
}

/// An address as a socket of both families shows it, in its own family.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// The form in which `socket` takes an address.
fn for_socket(socket: &UdpSocket, addr: SocketAddr) -> SocketAddr {
    match (addr.ip(), socket.local_addr()) {
        (IpAddr::V4(ip), Ok(own)) if own.is_ipv6() => {
            SocketAddr::new(ip.to_ipv6_mapped().into(), addr.port())
        }
        _ => addr,
    }
}
