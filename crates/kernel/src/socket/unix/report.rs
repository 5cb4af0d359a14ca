//! The AF_UNIX sockets as /proc/net/unix and sock_diag(7) tell of them.

use super::table::{Endpoint, State, Table};
use crate::file::ObjectId;
use crate::socket::inventory::{TCP_CLOSE, TCP_ESTABLISHED, TCP_LISTEN};

/// One socket.
pub(crate) struct UnixSocket {
    /// `st_ino` of fstat(2).
    pub(crate) inode: u64,
    /// `SOCK_*`.
    pub(crate) kind: u32,
    /// `TCP_ESTABLISHED`, `TCP_LISTEN` or `TCP_CLOSE`.
    pub(crate) state: u8,
    /// `sun_path` without the NUL behind a path; an abstract name begins with one.
    pub(crate) name: Vec<u8>,
    /// The inode of the socket that it is connected to; 0: none, or it is gone.
    pub(crate) peer: u64,
    /// Bytes to receive; of a listener, connections that wait for accept(2).
    pub(crate) recv_queue: usize,
    /// Of a listener, its backlog.
    pub(crate) send_queue: usize,
    /// Whose it is.
    pub(crate) uid: u32,
    /// Bit 0: no more is received; bit 1: no more is sent.
    pub(crate) shutdown: u8,
}

impl Table {
    /// All of them; `inode` tells a socket's number.
    pub(crate) fn report(&self, inode: impl Fn(ObjectId) -> u64) -> Vec<UnixSocket> {
        self.iter().map(|end| self.describe(end, &inode)).collect()
    }

    fn describe(&self, end: &Endpoint, inode: &impl Fn(ObjectId) -> u64) -> UnixSocket {
        let (state, recv_queue, send_queue) = match &end.state {
            State::Unconnected => (TCP_CLOSE, end.queued, 0),
            State::Listening { backlog, pending } => (TCP_LISTEN, pending.len(), *backlog),
            State::Connected { .. } => (TCP_ESTABLISHED, end.queued, 0),
        };
        let address = end.address.borrow();
        let path = address.get(2..).unwrap_or_default();
        let name = if path.first() == Some(&0) {
            path
        } else {
            path.split(|byte| *byte == 0).next().unwrap_or_default()
        };
        let peer = end.peer().and_then(|peer| self.get(peer).ok()).map_or(0, |peer| inode(peer.object));
        UnixSocket {
            inode: inode(end.object),
            kind: end.common.kind,
            state,
            name: name.to_vec(),
            peer,
            recv_queue,
            send_queue,
            uid: end.owner.uid,
            shutdown: u8::from(end.no_receive) | u8::from(end.no_send) << 1,
        }
    }
}
