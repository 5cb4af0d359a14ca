//! Flows of datagrams: those that the guest begins, and those that come to forwarded ports.

use super::super::datagrams::{Flow, Key};
use super::super::network::Destination;
use super::{Gateway, Slot, TURN};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use std::net::SocketAddr;
use tcpip::{InterceptedDatagram, Problem, Protocol};

impl Gateway {
    pub(super) fn take_datagram(&mut self, datagram: InterceptedDatagram) {
        let key = Key::of(&datagram);
        let number = match self.flows.get(&key) {
            Some(&number) => number,
            None => match self.new_flow(key) {
                Ok(number) => number,
                Err(problem) => return self.stack.reject(&datagram, problem),
            },
        };
        let Some(Slot::Flow(flow)) = self.slots.get_mut(number) else { return };
        if let Some((slot, peer)) = flow.forward() {
            flow.used(self.now_ns);
            if let Some(Slot::Listener { fd, .. }) = self.slots.get(slot) {
                // What the host does not take is lost, as datagrams are.
                let _ = rustix::net::sendto(fd, datagram.data(), SendFlags::NOSIGNAL, &peer);
            }
            return;
        }
        let servers = self.names.servers(self.now_ns);
        if flow.send(datagram, servers, &mut self.stack, self.now_ns) {
            // Its old socket is closed, and with it epoll's knowledge of it.
            let _ = self.watch_slot(number);
        }
    }

    fn new_flow(&mut self, key: Key) -> Result<u32, Problem> {
        let flow = match (self.network.destination(key.peer), key.protocol) {
            (Destination::Names, Protocol::Udp) => {
                Flow::to_names(key, self.names.servers(self.now_ns), self.now_ns)
            }
            (Destination::Host(to), _) => Flow::to_host(key, to, self.now_ns),
            _ => return Err(Problem::Port),
        };
        let entered = flow.and_then(|flow| self.enter(flow));
        entered.map_err(|errno| match (errno, key.protocol) {
            (Errno::ACCESS | Errno::PERM, Protocol::Ping) => {
                if !std::mem::replace(&mut self.no_ping, true) {
                    tracing::warn!("the host allows no ping sockets (net.ipv4.ping_group_range, icmp(7))");
                }
                Problem::Prohibited
            }
            (Errno::ACCESS | Errno::PERM, _) => Problem::Prohibited,
            (Errno::NETUNREACH | Errno::AFNOSUPPORT, _) => Problem::Network,
            (errno, _) => {
                self.lacks("a flow of datagrams", errno);
                Problem::Host
            }
        })
    }

    /// Puts a flow into the tables; the one that was used least lately gives way.
    fn enter(&mut self, flow: Flow) -> Result<u32, Errno> {
        if self.flows.len() >= self.flows_max {
            let ends = |number: &u32| match self.slots.get(*number) {
                Some(Slot::Flow(flow)) => flow.ends_ns(),
                _ => 0,
            };
            if let Some(oldest) = self.flows.values().copied().min_by_key(ends) {
                self.remove(oldest);
            }
        }
        let (key, ends_ns) = (flow.key, flow.ends_ns());
        let number = self.insert(Slot::Flow(flow))?;
        self.flows.insert(key, number);
        self.sweep_ns = Some(self.sweep_ns.map_or(ends_ns, |at_ns| at_ns.min(ends_ns)));
        Ok(number)
    }

    /// Datagrams have come to a forwarded port.
    pub(super) fn receive_forwarded(&mut self, number: u32) {
        for _ in 0..TURN {
            let Some(Slot::Listener { fd, target, .. }) = self.slots.get(number) else { return };
            let target = *target;
            match rustix::net::recvfrom(fd, &mut self.space[..], RecvFlags::empty()) {
                Ok((len, _, Some(peer))) => {
                    if let Ok(peer) = SocketAddr::try_from(peer) {
                        self.deliver_forwarded(number, (peer, target), len);
                    }
                }
                Err(Errno::AGAIN) => return,
                // An error of an earlier answer.
                _ => {}
            }
        }
        self.enqueue(number);
    }

    /// Hands the first `len` bytes of the space to the guest.
    fn deliver_forwarded(&mut self, slot: u32, (peer, guest): (SocketAddr, SocketAddr), len: usize) {
        let Some(seen) = self.network.seen(peer, guest.ip()) else { return };
        let key = Key { guest, peer: seen, protocol: Protocol::Udp };
        match self.flows.get(&key).copied() {
            Some(number) => {
                if let Some(Slot::Flow(flow)) = self.slots.get_mut(number) {
                    flow.used(self.now_ns);
                }
            }
            None => {
                if self.enter(Flow::from_forward(key, slot, peer, self.now_ns)).is_err() {
                    return;
                }
            }
        }
        let _ = self.stack.send_datagram(seen, guest, &self.space[..len]);
    }

    /// Ends flows that were not used for long.
    pub(super) fn sweep(&mut self) {
        if self.sweep_ns.is_none_or(|at_ns| at_ns > self.now_ns) {
            return;
        }
        let flows = || {
            self.slots.iter().filter_map(|(number, slot)| match slot {
                Slot::Flow(flow) => Some((number, flow.ends_ns())),
                _ => None,
            })
        };
        let over: Vec<u32> =
            flows().filter(|(_, at_ns)| *at_ns <= self.now_ns).map(|(number, _)| number).collect();
        self.sweep_ns = flows().map(|(_, at_ns)| at_ns).filter(|at_ns| *at_ns > self.now_ns).min();
        for number in over {
            self.remove(number);
        }
    }
}
