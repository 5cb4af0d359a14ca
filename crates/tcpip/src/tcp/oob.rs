//! Urgent data, as the kernel asks for it.

use abi::Errno;

use crate::{
    Stack,
    socket::{Kind, Socket},
    types::SocketId,
};

impl Stack {
    /// send(2) with `MSG_OOB`: the last byte is urgent.
    ///
    /// # Errors
    /// As [`Stack::send`]. `EOPNOTSUPP`: not TCP.
    pub fn send_urgent(&mut self, id: SocketId, data: &[u8]) -> Result<usize, Errno> {
        match self.sockets.find(id)?.kind {
            Kind::Tcp(_) => self.tcp_send_urgent(id, data),
            Kind::Udp(_) | Kind::Packet(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    /// recv(2) with `MSG_OOB`: the urgent byte, none at the end of the stream. It never waits.
    ///
    /// # Errors
    /// `EINVAL`: there is none, it was read, or it comes with the others (`SO_OOBINLINE`). `EAGAIN`: it was announced and has
    /// not come.
    pub fn recv_urgent(&mut self, id: SocketId, peek: bool) -> Result<Option<u8>, Errno> {
        self.tcp_recv_urgent(id, peek)
    }

    /// `SIOCATMARK`: whether what is read next is, or follows, the urgent byte.
    #[must_use]
    pub fn at_mark(&self, id: SocketId) -> bool {
        let connection = self.sockets.get(id.0).and_then(Socket::connection);
        connection.and_then(|key| self.connections.get(key)).is_some_and(|c| c.engine.at_mark())
    }

    /// Bytes that were received and not read, those beyond urgent data among them.
    #[must_use]
    pub fn received(&self, id: SocketId) -> usize {
        let connection = self.sockets.get(id.0).and_then(Socket::connection);
        connection.and_then(|key| self.connections.get(key)).map_or(0, |c| c.engine.recv_queue())
    }

    /// When the newest bytes came that a connection has received, on the stack's clock (`SO_TIMESTAMP`). Those that are read first may
    /// have come earlier.
    #[must_use]
    pub fn arrived_ns(&self, id: SocketId) -> Option<u64> {
        let connection = self.sockets.get(id.0).and_then(Socket::connection)?;
        self.connections.get(connection).map(|c| c.arrived_ns)
    }

    /// A socket whose owner gets SIGURG: urgent data was announced to it.
    pub fn next_urgent(&mut self) -> Option<SocketId> {
        self.urgent.pop_front()
    }
}
