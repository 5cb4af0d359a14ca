//! The gateway: a stack of its own that takes what the rump kernel sends to the outside, and the sockets of the host that carry it on.

mod connections;
mod flows;

use super::datagrams::{Flow, Key};
use super::forward::Forward;
use super::names::HostNames;
use super::network::{Network, gateway_mac};
use super::slots::Slots;
use super::tcp::{Connection, Next};
use crate::link::backend::{Backend, Deliver, Sent, Watch};
use foldhash::HashMap;
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use tcpip::{
    Config, DhcpOffer, Intercepted, LinkConfig, LinkId, Offload, Offloads, Outgoing, SocketId, Stack,
};

/// Connections and flows that there may be at a time. Each has a descriptor, and of those they take a quarter and an eighth at most.
const CONNECTIONS_MAX: usize = 4096;
const FLOWS_MAX: usize = 1024;
/// Slots that are served before the kernel and others have their turn, and what one forwarded port is asked for.
const TURN: usize = 64;
/// Without descriptors, it is tried again after that.
const AGAIN_NS: u64 = 100_000_000;
/// The largest datagram, and a piece of a stream.
const SPACE: usize = 65536;
/// Events are told once, when they come: what they told is remembered until it is used up.
const EDGES: EventFlags =
    EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::ET);

enum Slot {
    Connection(Connection),
    Flow(Flow),
    Listener { forward: Forward, fd: OwnedFd, target: SocketAddr },
}

pub(super) struct Gateway {
    network: Network,
    stack: Stack,
    link: LinkId,
    watch: Watch,
    slots: Slots<Slot>,
    /// Slots that have something to do, each once.
    queue: VecDeque<u32>,
    queued: Vec<bool>,
    by_socket: HashMap<SocketId, u32>,
    flows: HashMap<Key, u32>,
    connections: usize,
    connections_max: usize,
    flows_max: usize,
    names: HostNames,
    now_ns: u64,
    /// When the next flow may have ended.
    sweep_ns: Option<u64>,
    /// When forwarded ports are to be looked at again.
    later_ns: Option<u64>,
    space: Vec<u8>,
    /// The host does not let this user have ping sockets.
    no_ping: bool,
    /// Flows and connections for which there were no descriptors.
    lacking: u64,
}

impl Gateway {
    /// The gateway of a network, and the ports that are forwarded into it.
    ///
    /// # Errors
    /// What cannot be done, as one line.
    pub(super) fn new(
        network: Network,
        names: HostNames,
        forwards: &[Forward],
        (mtu, seed): (usize, u64),
        watch: Watch,
    ) -> Result<Self, String> {
        let mut stack = Stack::new(Config { seed });
        let now_ns = crate::clock::mono_ns();
        stack.advance(now_ns);
        let addrs = network.sides().flat_map(|side| [(side.gateway, side.len), (side.names, side.len)]);
        let mac = gateway_mac(&network.v4);
        let config = LinkConfig { addrs: addrs.collect(), mtu, ..LinkConfig::ethernet("guest", mac) };
        let link = stack.add_link(config).map_err(|errno| errno.to_string())?;
        stack.set_transparent(link, true).map_err(|errno| errno.to_string())?;
        stack.set_offloads(link, Offloads::Tcp).map_err(|errno| errno.to_string())?;
        if let (IpAddr::V4(server), IpAddr::V4(guest), IpAddr::V4(name_server)) =
            (network.v4.gateway, network.v4.guest, network.v4.names)
        {
            let offer = DhcpOffer { server, guest, prefix_len: network.v4.len, name_server };
            stack.offer_by_dhcp(link, offer).map_err(|errno| errno.to_string())?;
        }
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let descriptors = descriptors.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let mut gateway = Self {
            network,
            stack,
            link,
            watch,
            slots: Slots::new(),
            queue: VecDeque::new(),
            queued: Vec::new(),
            by_socket: HashMap::default(),
            flows: HashMap::default(),
            connections: 0,
            connections_max: (descriptors / 4).min(CONNECTIONS_MAX),
            flows_max: (descriptors / 8).clamp(1, FLOWS_MAX),
            names,
            now_ns,
            sweep_ns: None,
            later_ns: None,
            space: vec![0; SPACE],
            no_ping: false,
            lacking: 0,
        };
        for forward in forwards {
            let target = forward.target(&network).ok_or("hostfwd: the guest has no IPv6 (ipv6=yes)")?;
            let fd = forward.open()?;
            gateway.insert(Slot::Listener { forward: *forward, fd, target }).map_err(|e| e.to_string())?;
        }
        Ok(gateway)
    }

    /// Puts something in a slot and watches its descriptor.
    fn insert(&mut self, slot: Slot) -> Result<u32, Errno> {
        let number = self.slots.insert(slot).ok_or(Errno::MFILE)?;
        let watched = self.watch_slot(number);
        if watched.is_err() {
            self.slots.remove(number);
        }
        watched.map(|()| number)
    }

    fn watch_slot(&self, number: u32) -> Result<(), Errno> {
        let fd = match self.slots.get(number) {
            Some(Slot::Connection(connection)) => connection.host.as_fd(),
            Some(Slot::Listener { fd, .. }) => fd.as_fd(),
            Some(Slot::Flow(flow)) => match flow.host() {
                Some(host) => host.as_fd(),
                None => return Ok(()),
            },
            None => return Ok(()),
        };
        self.watch.add(fd, number, EDGES)
    }

    fn enqueue(&mut self, number: u32) {
        let at = number as usize;
        if self.queued.len() <= at {
            self.queued.resize(at + 1, false);
        }
        if !std::mem::replace(&mut self.queued[at], true) {
            self.queue.push_back(number);
        }
    }

    /// Does what there is to do; what is left is in the queue.
    fn work(&mut self) {
        self.take_intercepted();
        for _ in 0..self.queue.len().min(TURN) {
            let Some(number) = self.queue.pop_front() else { break };
            self.queued[number as usize] = false;
            self.serve(number);
        }
        self.take_changes();
    }

    fn take_changes(&mut self) {
        while let Some(id) = self.stack.next_change() {
            if let Some(&number) = self.by_socket.get(&id) {
                self.enqueue(number);
            }
        }
    }

    fn take_intercepted(&mut self) {
        while let Some(intercepted) = self.stack.next_intercepted() {
            match intercepted {
                Intercepted::Syn(syn) => self.open(syn),
                Intercepted::Gone(syn) => self.give_up(syn),
                Intercepted::Datagram(datagram) => self.take_datagram(datagram),
            }
        }
    }

    fn serve(&mut self, number: u32) {
        match self.slots.get_mut(number) {
            Some(Slot::Connection(connection)) => match connection.pump(&mut self.stack, &mut self.space) {
                Next::Waits => {}
                Next::More => self.enqueue(number),
                Next::Joined(id) => {
                    self.by_socket.insert(id, number);
                    self.enqueue(number);
                }
                Next::Over => self.remove(number),
            },
            Some(Slot::Flow(flow)) => {
                let more = flow.receive(&mut self.stack, &mut self.space, self.now_ns);
                if more {
                    self.enqueue(number);
                }
            }
            Some(Slot::Listener { forward: Forward { udp: true, .. }, .. }) => self.receive_forwarded(number),
            Some(Slot::Listener { .. }) => self.accept(number),
            None => {}
        }
    }

    fn remove(&mut self, number: u32) {
        match self.slots.remove(number) {
            Some(Slot::Connection(connection)) => {
                self.connections -= 1;
                if let Some(id) = connection.socket() {
                    self.by_socket.remove(&id);
                }
            }
            Some(Slot::Flow(flow)) => {
                self.flows.remove(&flow.key);
            }
            _ => {}
        }
    }

    fn lacks(&mut self, what: &str, why: Errno) {
        if self.lacking == 0 {
            tracing::warn!("{what}: {why}");
        }
        self.lacking += 1;
    }
}

impl Backend for Gateway {
    fn event(&mut self, number: u32, _flags: EventFlags) {
        if let Some(Slot::Connection(connection)) = self.slots.get_mut(number) {
            connection.event();
        }
        self.enqueue(number);
    }

    fn receive(&mut self, most: usize, deliver: &mut Deliver<'_>) -> bool {
        self.work();
        for _ in 0..most {
            let Some((_, Outgoing { bytes, offload })) = self.stack.next_frame_with() else { break };
            deliver(&bytes, offload);
        }
        self.has_input()
    }

    fn send(&mut self, frame: &[u8], offload: Offload) -> Sent {
        self.stack.frame_in_with(self.link, frame, offload);
        Sent::Done
    }

    fn takes_offloads(&self) -> Offloads {
        Offloads::Tcp
    }

    fn flush(&mut self) {
        self.work();
    }

    fn advance(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.stack.advance(now_ns);
        self.sweep();
        if self.later_ns.take_if(|at_ns| *at_ns <= now_ns).is_some() {
            let listens = |slot: &Slot| matches!(slot, Slot::Listener { .. });
            let ports: Vec<u32> =
                self.slots.iter().filter(|(_, slot)| listens(slot)).map(|(number, _)| number).collect();
            ports.into_iter().for_each(|number| self.enqueue(number));
        }
        self.take_changes();
    }

    fn next_deadline(&self) -> Option<u64> {
        [self.stack.next_deadline(), self.sweep_ns, self.later_ns].into_iter().flatten().min()
    }

    fn has_input(&self) -> bool {
        self.stack.has_frames() || !self.queue.is_empty()
    }

    fn remark(&self) -> String {
        let mut text = format!("{} connections, {} flows", self.connections, self.flows.len());
        if self.no_ping {
            text.push_str(", the host allows no ping sockets");
        }
        if self.lacking > 0 {
            text.push_str(&format!(", {} refused for lack of descriptors", self.lacking));
        }
        text
    }
}
