//! Connections: those that the guest wants, and those that come to forwarded ports.

use super::super::network::Destination;
use super::super::tcp::{self, Connection};
use super::{AGAIN_NS, Gateway, Slot, TURN};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use tcpip::{Domain, InterceptedSyn, Refusal};

impl Gateway {
    /// The guest wants a connection.
    pub(super) fn open(&mut self, syn: InterceptedSyn) {
        let to = match self.network.destination(syn.to) {
            Destination::Host(to) => to,
            Destination::Names => self.names.servers(self.now_ns)[0],
            Destination::Nobody => return self.stack.refuse_intercepted(&syn, Refusal::Reset),
        };
        let room = self.connections < self.connections_max;
        let begun = if room { Connection::to_host(syn, to) } else { Err(Refusal::Silence) };
        let entered = begun
            .and_then(|connection| self.insert(Slot::Connection(connection)).map_err(|_| Refusal::Silence));
        match entered {
            Ok(_) => self.connections += 1,
            Err(refusal) => {
                if refusal == Refusal::Silence {
                    self.lacks("a connection", Errno::MFILE);
                }
                self.stack.refuse_intercepted(&syn, refusal);
            }
        }
    }

    /// The guest wants it no longer.
    pub(super) fn give_up(&mut self, syn: InterceptedSyn) {
        let asks = |slot: &Slot| matches!(slot, Slot::Connection(c) if c.asking() == Some(syn));
        let found = self.slots.iter().find(|(_, slot)| asks(slot)).map(|(number, _)| number);
        if let Some(number) = found {
            self.remove(number);
        }
    }

    /// Somebody has come to a forwarded port.
    pub(super) fn accept(&mut self, number: u32) {
        for _ in 0..TURN {
            let Some(Slot::Listener { fd, target, .. }) = self.slots.get(number) else { return };
            let target = *target;
            match rustix::net::accept_with(fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(host) => self.join(host, target),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(Errno::AGAIN) => return,
                Err(errno) => {
                    // Descriptors may come back without any event.
                    self.later_ns = Some(self.now_ns.saturating_add(AGAIN_NS));
                    return self.lacks("a forwarded port", errno);
                }
            }
        }
        self.enqueue(number);
    }

    /// Connects to the guest for somebody who has come.
    fn join(&mut self, host: OwnedFd, target: SocketAddr) {
        let Some(side) = self.network.side(target.ip()) else { return };
        let domain = if target.is_ipv4() { Domain::Inet } else { Domain::Inet6 };
        let id = self.stack.tcp_socket(domain);
        tcp::prepare_guest(&mut self.stack, id);
        let bound = self.stack.bind(id, SocketAddr::new(side.gateway, 0));
        let begun = bound.and_then(|()| self.stack.connect(id, target));
        let connection = Connection::to_guest(host, id);
        let going = begun == Err(abi::Errno::EINPROGRESS) && self.connections < self.connections_max;
        if !going {
            return connection.reset(&mut self.stack);
        }
        match self.insert(Slot::Connection(connection)) {
            Ok(number) => {
                self.connections += 1;
                self.by_socket.insert(id, number);
                self.enqueue(number);
            }
            Err(errno) => {
                self.stack.close(id);
                self.lacks("a connection", errno);
            }
        }
    }
}
