//! How an engine is made.

use smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    socket::tcp,
    wire::{HardwareAddress, IpAddress, IpCidr},
};

use super::{Allowed, Engine, instant, timestamps};
use crate::{
    Settings,
    addr::Endpoint,
    frame::{Carrier, Frames, Port},
    option::Options,
};

/// How a connection is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) carrier: Carrier,
    /// What `TCP_MAXSEG` leaves of any MTU.
    pub(super) ceiling: usize,
    /// The most its buffers may hold.
    pub(super) most: Sizes,
    /// Makes the initial sequence number.
    pub(super) seed: u64,
    /// Congestion may be marked.
    pub(super) ecn: Allowed,
    /// Our SYN offers timestamps.
    pub(super) timestamps: bool,
    /// What their clock begins with: the same for all connections between two hosts, so that a later one is known as such.
    pub(super) clock: u32,
}

/// Sizes of the buffers in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) rx: usize,
    pub(super) tx: usize,
}

/// A buffer to begin with: a request and its answer.
pub(super) const SMALL: usize = 4096;
/// What a connection's buffers grow to when the program has not said: enough for 1 GB/s and more on `lo` with a
/// wake-up of the other side per window.
const AUTOTUNED: usize = 256 * 1024;
/// The most that SO_RCVBUF, tcp_rmem and the like get: 5 Gbit/s over 100 ms.
const BUFFER_MAX: usize = 64 << 20;
/// On other links; `tcp_wmem` says 3 MiB: 600 Mbit/s over 40 ms.
const AUTOTUNED_FAR: usize = 4 << 20;
impl Setup {
    /// The setup that a socket's options ask for.
    pub(crate) fn new(
        carrier: Carrier,
        options: &Options,
        settings: &Settings,
        (seed, pair): (u64, u64),
    ) -> Self {
        let headers = 40;
        let ceiling = match options.maxseg {
            0 => usize::MAX,
            maxseg => usize::from(maxseg) + headers,
        };
        let mtu = carrier.mtu.min(ceiling);
        Self {
            carrier: Carrier { mtu, ..carrier },
            ceiling,
            most: Sizes::most(carrier, options, settings),
            seed,
            // On lo nobody marks anything.
            ecn: Allowed {
                asks: settings.tcp_ecn == 1 && !carrier.loopback,
                accepts: settings.tcp_ecn >= 1 && !carrier.loopback,
            },
            // On lo nothing is old.
            timestamps: settings.tcp_timestamps && !carrier.loopback,
            clock: (pair >> 32) as u32,
        }
    }
}

impl Sizes {
    /// The most that the buffers of a connection with these options may hold.
    fn most(carrier: Carrier, options: &Options, settings: &Settings) -> Self {
        let autotuned = if carrier.loopback { AUTOTUNED } else { AUTOTUNED_FAR };
        // Half of what SO_RCVBUF shows is for Linux's bookkeeping (socket(7)).
        let half = |size: u32| usize::try_from(size / 2).map_or(autotuned, |size| size.min(BUFFER_MAX));
        let size = |set: Option<u32>, [least, _, most]: [u32; 3]| match set {
            Some(size) => half(size),
            None => autotuned.min(usize::try_from(most / 4 * 3).unwrap_or(autotuned)).max(half(least)),
        };
        Self {
            rx: size(options.rcvbuf_set.then_some(options.rcvbuf), settings.tcp_rmem),
            tx: size(options.sndbuf_set.then_some(options.sndbuf), settings.tcp_wmem),
        }
    }
}

impl Engine {
    /// `SO_SNDBUF` and `SO_RCVBUF` of a connection that is open. Room that the peer was told of is not taken back.
    pub(crate) fn set_most(&mut self, options: &Options, settings: &Settings) {
        let most = Sizes::most(self.carrier, options, settings);
        self.most = Sizes { rx: most.rx.max(self.recv_capacity()), tx: most.tx };
    }
}

/// smoltcp's parts of an engine.
pub(super) struct Build {
    pub(super) interface: Interface,
    pub(super) sockets: SocketSet<'static>,
    pub(super) handle: SocketHandle,
}

/// smoltcp's side of a host with one address.
pub(super) fn interface(carrier: Carrier, seed: u64, local: Endpoint, now_ns: u64) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let mut port = Port { carrier, rx: None, tx: &mut Frames::default() };
    let mut interface = Interface::new(config, &mut port, instant(now_ns));
    let ip = IpAddress::from(local.ip);
    let host_prefix = if local.ip.is_ipv4() { 32 } else { 128 };
    interface.update_ip_addrs(|addrs| {
        // Cannot be full: it has room for two and this is the first.
        let _ = addrs.push(IpCidr::new(ip, host_prefix));
    });
    interface
}

pub(super) fn build(
    carrier: Carrier,
    sizes: Sizes,
    seed: u64,
    local: Endpoint,
    (now_ns, stamped): (u64, bool),
) -> Build {
    let interface = interface(carrier, seed, local, now_ns);
    let mut socket = tcp::Socket::new(
        tcp::SocketBuffer::new(vec![0; sizes.rx]),
        tcp::SocketBuffer::new(vec![0; sizes.tx]),
    );
    if stamped {
        socket.set_tsval_generator(Some(timestamps::placeholder));
    }
    // Nothing is lost or delayed on lo: holding bytes back there only waits for the peer's delayed ACK.
    if carrier.loopback {
        socket.set_congestion_control(tcp::CongestionControl::None);
        socket.set_nagle_enabled(false);
    } else {
        socket.set_congestion_control(tcp::CongestionControl::Cubic);
    }
    let mut sockets = SocketSet::new(Vec::with_capacity(1));
    let handle = sockets.add(socket);
    Build { interface, sockets, handle }
}
