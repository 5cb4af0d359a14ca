//! shutdown(2), close(2), connect(2) with `AF_UNSPEC`.

use std::net::Shutdown;

use abi::Errno;

use crate::{
    Stack,
    slab::Key,
    socket::{Kind, Tcp},
    tcp::{connection::Owner, engine::State},
    types::SocketId,
};

impl Stack {
    pub(crate) fn tcp_shutdown(&mut self, id: SocketId, how: Shutdown) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        let key = match socket.kind {
            Kind::Tcp(Tcp::Listening(_)) => {
                // A writing side it has not: Linux takes that for nothing to do.
                return if read { self.tcp_disconnect(id) } else { Ok(()) };
            }
            Kind::Tcp(Tcp::Connection(key)) => Some(key),
            _ => None,
        };
        let open = key.filter(|key| self.connections.get(*key).is_some_and(|connection| !connection.over));
        let Some((key, connection)) = open.and_then(|key| Some((key, self.connections.get_mut(key)?))) else {
            // It is shut all the same (net/ipv4/af_inet.c, inet_shutdown).
            socket.read_shut |= read;
            socket.write_shut |= write;
            self.note(id);
            return Err(Errno::ENOTCONN);
        };
        if read && connection.engine.state() == State::SynSent {
            return self.tcp_disconnect(id);
        }
        socket.read_shut |= read;
        if write && !socket.write_shut {
            socket.write_shut = true;
            connection.engine.finish();
            self.queue_output(key);
        }
        self.pump();
        self.note(id);
        Ok(())
    }

    /// The program has closed the socket, which is gone already.
    pub(crate) fn tcp_close(&mut self, id: SocketId, tcp: Tcp, linger: Option<u32>) {
        match tcp {
            Tcp::Closed => {}
            Tcp::Listening(listener) => {
                for key in listener.queue.into_iter().chain(listener.half_open) {
                    self.reset_and_forget(key);
                }
            }
            Tcp::Connection(key) => self.close_connection(id, key, linger),
        }
        self.pump();
    }

    fn close_connection(&mut self, _id: SocketId, key: Key, linger: Option<u32>) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.owner = Owner::Orphan;
        connection.clock.heard_ns = connection.clock.heard_ns.max(self.now_ns);
        if connection.over {
            self.connections.remove(key);
        } else if connection.engine.state() == State::SynSent {
            // Nobody knows of it yet.
            self.end(key, None);
        } else if linger == Some(0) || connection.engine.recv_queue() > 0 {
            // RFC 2525, section 2.17: bytes that were not read are lost, and the peer has to know.
            self.reset_and_forget(key);
        } else {
            connection.engine.finish();
            self.queue_output(key);
        }
    }

    fn reset_and_forget(&mut self, key: Key) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.owner = Owner::Orphan;
        if connection.over {
            self.connections.remove(key);
        } else {
            self.abort(key);
        }
    }

    /// `tcp_disconnect`: the socket is as good as new; it keeps its port if bind(2) gave it one.
    pub(crate) fn tcp_disconnect(&mut self, id: SocketId) -> Result<(), Errno> {
        let socket = self.sockets.find_mut(id)?;
        let Kind::Tcp(tcp) = &mut socket.kind else { return Err(Errno::EOPNOTSUPP) };
        let tcp = std::mem::replace(tcp, Tcp::Closed);
        (socket.read_shut, socket.write_shut) = (false, false);
        let connection = match tcp {
            Tcp::Connection(key) => self.connections.get(key),
            _ => None,
        };
        let lost = connection.is_some_and(|connection| !connection.over);
        let port = connection.map(|connection| connection.flow.local.port);
        socket.last_port = port.or(socket.binding.map(|binding| binding.port)).unwrap_or(socket.last_port);
        socket.error = lost.then_some(Errno::ECONNRESET);
        if let (Tcp::Listening(_), Some(binding)) = (&tcp, socket.binding) {
            self.tcp_ports.set_listening(id, binding.port, false);
        }
        self.tcp_close(id, tcp, Some(0));
        self.give_port_back(id)?;
        self.note(id);
        Ok(())
    }
}
