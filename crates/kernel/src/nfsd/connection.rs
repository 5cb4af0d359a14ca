//! Clients over TCP.

use super::{CONNECTIONS_MAX, Origin, RUNNING_MAX, Role};
use crate::Kernel;
use crate::file::ObjectId;
use abi::Errno;
use nfs::Peer;
use nfs::record::{Records, mark};
use std::collections::VecDeque;
use tcpip::SocketId;

/// A client whose replies pile up is not read any more.
const UNSENT_MAX: usize = 4 << 20;
/// So much is read at once.
const READ_MAX: usize = 256 << 10;

/// One client.
pub(super) struct Connection {
    socket: SocketId,
    peer: Peer,
    records: Records,
    /// Replies, and how much of the first was sent.
    unsent: VecDeque<Vec<u8>>,
    sent: usize,
    unsent_len: usize,
    /// Requests on their way.
    running: usize,
    /// The client will ask no more.
    ended: bool,
}

impl Connection {
    fn is_busy(&self) -> bool {
        self.running > 0 || !self.unsent.is_empty()
    }

    fn takes_more(&self) -> bool {
        self.running < RUNNING_MAX && self.unsent_len < UNSENT_MAX
    }
}

impl Kernel {
    pub(super) fn accept_nfs(&mut self, listener: SocketId) {
        while let Ok((socket, from)) = self.net.stack.accept(listener) {
            if self.nfsd.connections.len() >= CONNECTIONS_MAX && !self.drop_idle() {
                self.net.close(socket);
                continue;
            }
            let Ok(local) = self.net.stack.local_addr(socket) else {
                self.net.close(socket);
                continue;
            };
            let object = self.files.new_object();
            let peer = Peer {
                address: from.ip(),
                port: from.port(),
                stream: true,
                local: local.ip().to_canonical(),
            };
            let connection = Connection {
                socket,
                peer,
                records: Records::default(),
                unsent: VecDeque::new(),
                sent: 0,
                unsent_len: 0,
                running: 0,
                ended: false,
            };
            self.nfsd.connections.insert(object, connection);
            self.nfsd.sockets.insert(socket, Role::Connection(object));
            self.note_nfs(socket);
        }
    }

    /// Makes room: the oldest connection that nothing is on its way of is closed.
    fn drop_idle(&mut self) -> bool {
        let idle = self.nfsd.connections.iter().find(|(_, connection)| !connection.is_busy());
        let Some(object) = idle.map(|(object, _)| *object) else { return false };
        self.drop_connection(object);
        true
    }

    fn drop_connection(&mut self, object: ObjectId) {
        if let Some(connection) = self.nfsd.connections.remove(&object) {
            self.nfsd.sockets.remove(&connection.socket);
            self.net.close(connection.socket);
        }
    }

    /// Sends what waits, reads what has come, and begins what was asked for.
    pub(super) fn connection(&mut self, object: ObjectId) {
        if self.advance_connection(object).is_err() {
            self.drop_connection(object);
        }
    }

    /// # Errors
    /// It is over.
    fn advance_connection(&mut self, object: ObjectId) -> Result<(), Errno> {
        self.send_replies(object)?;
        loop {
            let Some(connection) = self.nfsd.connections.get_mut(&object) else { return Ok(()) };
            if !connection.takes_more() {
                return Ok(());
            }
            // What is no request ends the connection (RFC 5531 says nothing better).
            if let Some(record) = connection.records.next_record().map_err(|_| Errno::EPROTO)? {
                connection.running += 1;
                let peer = connection.peer;
                self.submit_nfs(Origin::Connection(object), peer, record);
                continue;
            }
            if connection.ended {
                return if connection.is_busy() { Ok(()) } else { Err(Errno::EPIPE) };
            }
            let waiting = self.net.stack.unread(connection.socket).clamp(1, READ_MAX);
            let mut buf = vec![0; waiting];
            match self.net.stack.recv(connection.socket, &mut buf, false) {
                Ok(0) => connection.ended = true,
                Ok(len) => connection.records.push(&buf[..len]),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }

    fn send_replies(&mut self, object: ObjectId) -> Result<(), Errno> {
        let Some(connection) = self.nfsd.connections.get_mut(&object) else { return Ok(()) };
        while let Some(reply) = connection.unsent.front() {
            match self.net.stack.send(connection.socket, &reply[connection.sent..]) {
                Ok(len) => {
                    connection.sent += len;
                    connection.unsent_len -= len;
                    if connection.sent == reply.len() {
                        connection.sent = 0;
                        connection.unsent.pop_front();
                    }
                }
                Err(Errno::EAGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// A request of this client was carried out.
    pub(super) fn connection_answered(&mut self, object: ObjectId, reply: Option<Vec<u8>>) {
        let Some(connection) = self.nfsd.connections.get_mut(&object) else { return };
        connection.running -= 1;
        if let Some(reply) = reply {
            let reply = mark(&reply);
            connection.unsent_len += reply.len();
            connection.unsent.push_back(reply);
        }
        let socket = connection.socket;
        if self.send_replies(object).is_err() {
            return self.drop_connection(object);
        }
        // There may be more to do: requests that waited for this one.
        self.note_nfs(socket);
    }
}
