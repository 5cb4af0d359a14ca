//! The stack as a value: what the kernel calls.
//!
//! * `calls` what programs do with sockets;
//! * `inquiries` what sockets are asked and told besides.

use std::collections::{HashMap, VecDeque};

use crate::{
    Config, Counters, LinkId, Offload, Outgoing, Settings, SocketId,
    addr::Flow,
    autoconf::Autoconf,
    event::Events,
    frame::{Frame, Frames},
    icmp::RateLimit,
    link::{Link, Links},
    neighbour::Neighbours,
    path_mtu::PathMtus,
    ports::Ports,
    random::{Keyed, Random},
    reassembly::Reassembly,
    route::{Routes, Rules},
    slab::{Key, Slab},
    socket::Sockets,
    tap::Taps,
    tcp::{
        connection::Connections,
        time_wait::{FlowEntry, TimeWaits},
    },
    timers::Timers,
    transparent::Interceptions,
    types::{Medium, Protocol},
    udp_header::Variant,
    upkeep::Upkeep,
};

mod calls;
mod inquiries;

/// One TCP/IP stack. See the crate's documentation.
#[derive(Debug)]
pub struct Stack {
    pub(crate) now_ns: u64,
    pub(crate) random: Random,
    pub(crate) hasher: Keyed,
    pub(crate) links: Links,
    pub(crate) routes: Routes,
    pub(crate) rules: Rules,
    /// `SO_MARK` of what is being sent.
    pub(crate) mark: u32,
    /// How far the clock on the wall is ahead of ours.
    pub(crate) real_ahead_ns: u64,
    pub(crate) neighbours: Neighbours,
    pub(crate) upkeep: Upkeep,
    pub(crate) events: Events,
    pub(crate) autoconf: Autoconf,
    pub(crate) reassembly: Reassembly,
    pub(crate) path_mtus: PathMtus,
    pub(crate) icmp_limit: RateLimit,
    /// Identification of the next packet that is cut.
    pub(crate) fragment_id: u32,
    pub(crate) sockets: Sockets,
    pub(crate) connections: Connections,
    /// TCP flows by their ends.
    pub(crate) flows: HashMap<Flow, FlowEntry, Keyed>,
    pub(crate) time_waits: TimeWaits,
    /// Connected UDP sockets by their ends.
    pub(crate) udp_flows: HashMap<(Variant, Flow), SocketId, Keyed>,
    pub(crate) tcp_ports: Ports,
    pub(crate) udp_ports: Ports,
    pub(crate) udplite_ports: Ports,
    /// Identifiers of echo requests.
    pub(crate) ping_ports: Ports,
    /// Raw sockets by their protocol.
    pub(crate) raw_ports: Ports,
    pub(crate) packet_sockets: Vec<SocketId>,
    /// What was sent to groups that this host listens to, and where.
    pub(crate) looped: VecDeque<(LinkId, Vec<u8>)>,
    pub(crate) timers: Timers,
    pub(crate) frames: Frames,
    /// Packets on `lo`.
    pub(crate) lo: VecDeque<Frame>,
    /// Frames for other links.
    pub(crate) outgoing: VecDeque<(LinkId, Outgoing)>,
    /// Connections that may have something to send.
    pub(crate) output_queue: VecDeque<Key>,
    pub(crate) changes: VecDeque<SocketId>,
    /// Sockets to which urgent data was announced.
    pub(crate) urgent: VecDeque<SocketId>,
    pub(crate) counters: Counters,
    pub(crate) settings: Settings,
    pub(crate) taps: Taps,
    pub(crate) interceptions: Interceptions,
}

impl Stack {
    /// A stack with `lo` up, at time 0.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let mut random = Random::new(config.seed);
        let hasher = Keyed(random.next());
        let fragment_id = u32::try_from(random.next() >> 32).unwrap_or(1);
        Self {
            now_ns: 0,
            random,
            hasher,
            links: Links::new(),
            routes: Routes::default(),
            rules: Rules::default(),
            mark: 0,
            real_ahead_ns: 0,
            neighbours: Neighbours::new(hasher),
            upkeep: Upkeep::default(),
            events: Events::default(),
            autoconf: Autoconf::default(),
            reassembly: Reassembly::new(hasher),
            path_mtus: PathMtus::new(hasher),
            icmp_limit: RateLimit::default(),
            fragment_id,
            sockets: Slab::new(),
            connections: Slab::new(),
            flows: HashMap::with_hasher(hasher),
            time_waits: TimeWaits::default(),
            udp_flows: HashMap::with_hasher(hasher),
            tcp_ports: Ports::new(Protocol::Tcp, hasher),
            udp_ports: Ports::new(Protocol::Udp, hasher),
            udplite_ports: Ports::new(Protocol::UdpLite, hasher),
            ping_ports: Ports::new(Protocol::Ping, hasher),
            raw_ports: Ports::new(Protocol::Raw, hasher),
            packet_sockets: Vec::new(),
            looped: VecDeque::new(),
            timers: Timers::default(),
            frames: Frames::default(),
            lo: VecDeque::new(),
            outgoing: VecDeque::new(),
            output_queue: VecDeque::new(),
            changes: VecDeque::new(),
            urgent: VecDeque::new(),
            counters: Counters::default(),
            settings: Settings::default(),
            taps: Taps::default(),
            interceptions: Interceptions::new(hasher),
        }
    }

    /// Sets the time, in nanoseconds of a clock that never goes back, and does what has become due.
    pub fn advance(&mut self, now_ns: u64) {
        self.now_ns = self.now_ns.max(now_ns);
        while let Some((at_ns, key)) = self.timers.pop(self.now_ns) {
            self.fire(at_ns, key);
        }
        self.expire_time_waits();
        self.serve_neighbours();
        self.keep_up();
        self.expire_fragments();
        self.configure();
        self.pump();
    }

    /// When [`Stack::advance`] must be called at the latest. May be early, never late; `None`: nothing is due
    /// until a call or a frame comes in.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let due = [
            self.timers.next(),
            self.time_waits.next(),
            self.neighbours.next(),
            self.upkeep.next(),
            self.reassembly.next(),
            self.autoconf.next(),
        ];
        due.into_iter().flatten().min()
    }

    /// What sysctl(8) has set.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What sysctl(8) may set; sockets and connections made from now on obey.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Takes a frame that arrived on `link`: an IP packet or an Ethernet frame, as the link's medium is. Any bytes will do; what is
    /// malformed is counted and dropped, and so is what comes from a link that is down or was removed.
    pub fn frame_in(&mut self, link: LinkId, frame: &[u8]) {
        self.frame_in_with(link, frame, Offload::NONE);
    }

    /// As [`Stack::frame_in`], with what its sender has left to be done for it. What does not fit the frame is malformed.
    pub fn frame_in_with(&mut self, link: LinkId, frame: &[u8], offload: Offload) {
        let Some(found) = self.links.get_mut(link).filter(|found| found.up) else {
            self.counters.ip_in_addr_errors += 1;
            return;
        };
        found.counters.rx_packets += 1;
        found.counters.rx_bytes += frame.len() as u64;
        let medium = found.medium;
        if matches!(medium, Medium::Ethernet { .. }) && frame.first().is_some_and(|byte| byte & 1 == 1) {
            found.counters.multicast += 1;
        }
        self.show_frame(link, frame, offload, false);
        match medium {
            Medium::Ip => self.ip_input(link, frame, offload),
            Medium::Ethernet { mac } => self.ethernet_input(link, mac, frame, offload),
        }
        self.pump();
    }

    /// The next frame to send, and where. What it is, is said by the link's medium.
    pub fn next_frame(&mut self) -> Option<(LinkId, Vec<u8>)> {
        let (link, frame) = self.outgoing.pop_front()?;
        if frame.offload == Offload::NONE {
            return Some((link, frame.bytes));
        }
        let header_len = self.links.get(link).map_or(0, Link::header_len);
        let pieces = frame.offload.finish(header_len, frame.bytes);
        pieces.into_iter().rev().for_each(|piece| self.outgoing.push_front((link, piece.into())));
        self.next_frame()
    }

    /// As [`Stack::next_frame`], for links that do what is left to be done.
    pub fn next_frame_with(&mut self) -> Option<(LinkId, Outgoing)> {
        self.outgoing.pop_front()
    }

    /// Whether [`Stack::next_frame`] has one.
    #[must_use]
    pub fn has_frames(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// A socket whose readiness changed, or that received more, since it was last named here.
    pub fn next_change(&mut self) -> Option<SocketId> {
        while let Some(id) = self.changes.pop_front() {
            if let Some(socket) = self.sockets.get_mut(id.0) {
                socket.change_queued = false;
                return Some(id);
            }
        }
        None
    }
}
