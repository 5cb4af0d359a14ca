//! Connections: those that the guest wants, and those that come to forwarded ports.

use super::super::network::Destination;
use super::super::tcp::{self, Connection};
use super::{AGAIN_NS, Gateway, Slot, TURN};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use tcpip::{Domain, InterceptedSyn, Opt, Refusal, SocketId};

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
        let peer =
            rustix::net::getpeername(&host).ok().flatten().and_then(|peer| SocketAddr::try_from(peer).ok());
        let seen = peer.and_then(|peer| self.network.seen(peer, target.ip()));
        // The guest sees who comes, unless it has just seen the same port of theirs.
        let gateway = SocketAddr::new(side.gateway, 0);
        let begun = seen.into_iter().chain([gateway]).find_map(|from| self.connect(from, target));
        let Some(id) = begun else { return };
        let connection = Connection::to_guest(host, id);
        if self.connections >= self.connections_max {
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

    /// A socket that connects to the guest.
    fn connect(&mut self, from: SocketAddr, to: SocketAddr) -> Option<SocketId> {
        let domain = if to.is_ipv4() { Domain::Inet } else { Domain::Inet6 };
        let id = self.stack.tcp_socket(domain);
        tcp::prepare_guest(&mut self.stack, id);
        let _ = self.stack.set_option(id, Opt::ReuseAddr(true));
        let bound = self.stack.bind_in_the_name_of(id, from);
        let begun = bound.and_then(|()| self.stack.connect(id, to));
        if begun == Err(abi::Errno::EINPROGRESS) {
            return Some(id);
        }
        self.stack.close(id);
        None
    }
}
