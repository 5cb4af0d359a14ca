//! `AF_UNIX` sockets (unix(7)): streams, datagrams and sequenced packets inside this kernel.

mod connection;
mod name;
mod path;
mod report;
mod table;
mod transfer;
mod urgent;

pub(crate) use report::UnixSocket;
pub(crate) use table::Table;

use crate::Kernel;
use crate::call::Stop;
use crate::file::{ObjectId, OpenFile};
use abi::Errno;
use abi::layout::Ucred;
use abi::raw::general::{
    POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM,
};
use abi::raw::net::{AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM};
use std::rc::Rc;
use table::{Endpoint, State, UnixId};

use super::{Accepted, Common, How, Incoming, Outgoing, Socket, Summary};

/// One `AF_UNIX` socket; what it is lives in the kernel's [`Table`].
pub(crate) struct Unix {
    common: Rc<Common>,
    id: UnixId,
}

impl Unix {
    /// socket(2); its readiness will change with `object`.
    pub(crate) fn new(k: &mut Kernel, kind: u32, object: ObjectId) -> Self {
        let owner = k.caller_credentials();
        Self::enter(k, Rc::new(Common::new(AF_UNIX, kind, 0)), object, owner)
    }

    /// socketpair(2).
    pub(crate) fn pair(k: &mut Kernel, kind: u32, objects: [ObjectId; 2]) -> [Self; 2] {
        let pair = objects.map(|object| Self::new(k, kind, object));
        connection::join(k, pair[0].id, pair[1].id);
        pair
    }

    fn enter(k: &mut Kernel, common: Rc<Common>, object: ObjectId, owner: Ucred) -> Self {
        common.remember_buffers(k.net.stack.settings());
        let id = k.unix.insert(Endpoint::new(Rc::clone(&common), object, owner));
        Self { common, id }
    }
}

impl Socket for Unix {
    fn common(&self) -> &Common {
        &self.common
    }

    fn bind(&self, k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        name::bind(k, self.id, addr)
    }

    fn listen(&self, k: &mut Kernel, _f: &OpenFile, backlog: u32) -> Result<(), Stop> {
        Ok(connection::listen(k, self.id, backlog)?)
    }

    fn accept(&self, k: &mut Kernel, _f: &OpenFile) -> Result<Accepted, Stop> {
        let id = connection::accept(k, self.id)?;
        let end = k.unix.get(id)?;
        let (object, common) = (end.object, Rc::clone(&end.common));
        let peer = end.peer_address().unwrap_or_default();
        Ok(Accepted { socket: Box::new(Self { common, id }), object, peer })
    }

    fn connect(&self, k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        connection::connect(k, self.id, addr)
    }

    fn local(&self, k: &Kernel) -> Result<Vec<u8>, Errno> {
        Ok(k.unix.get(self.id)?.address.borrow().clone())
    }

    fn peer(&self, k: &Kernel) -> Result<Vec<u8>, Errno> {
        k.unix.get(self.id)?.peer_address().ok_or(Errno::ENOTCONN)
    }

    fn send(&self, k: &mut Kernel, _f: &OpenFile, message: &Outgoing<'_>) -> Result<usize, Stop> {
        transfer::send(k, self.id, message)
    }

    fn receive(&self, k: &mut Kernel, f: &OpenFile, len: usize, flags: u32) -> Result<Incoming, Stop> {
        let flags = if f.nonblock() { flags | MSG_DONTWAIT } else { flags };
        transfer::receive(k, self.id, len, flags)
    }

    fn shutdown(&self, k: &mut Kernel, _f: &OpenFile, how: How) -> Result<(), Stop> {
        Ok(connection::shutdown(k, self.id, how)?)
    }

    fn poll(&self, k: &Kernel) -> u16 {
        let Ok(end) = k.unix.get(self.id) else { return POLLHUP as u16 };
        let stream = end.is_connection_based();
        let readable = !end.queue.is_empty() || end.no_receive || end.has_pending();
        let unconnected = stream && matches!(end.state, State::Unconnected);
        let bits = [
            (readable, POLLIN | POLLRDNORM),
            (k.unix.is_writable(self.id), POLLOUT | POLLWRNORM | POLLWRBAND),
            (end.no_receive, POLLRDHUP),
            ((end.no_receive && end.no_send) || unconnected, POLLHUP),
            (end.error.is_some(), POLLERR),
            (end.has_urgent(), POLLPRI),
        ];
        let mask = bits.into_iter().filter(|(on, _)| *on).fold(0, |mask, (_, bits)| mask | bits);
        u16::try_from(mask).unwrap_or(u16::MAX)
    }

    fn close(&self, k: &mut Kernel) {
        connection::close(k, self.id);
    }

    fn take_error(&self, k: &mut Kernel) -> Option<Errno> {
        k.unix.get_mut(self.id).ok()?.error.take()
    }

    fn is_listening(&self, k: &Kernel) -> bool {
        k.unix.get(self.id).is_ok_and(|end| matches!(end.state, State::Listening { .. }))
    }

    fn peer_credentials(&self, k: &Kernel) -> Ucred {
        match k.unix.get(self.id).map(|end| &end.state) {
            Ok(State::Connected { credentials, .. }) => *credentials,
            _ => Ucred { pid: 0, uid: u32::MAX, gid: u32::MAX },
        }
    }

    fn unread(&self, k: &Kernel) -> Result<usize, Errno> {
        let end = k.unix.get(self.id)?;
        match end.state {
            State::Listening { .. } => Err(Errno::EINVAL),
            _ if end.common.kind == SOCK_DGRAM => Ok(end.queue.front().map_or(0, |message| message.left())),
            _ => Ok(end.queue.iter().map(|message| message.left()).sum()),
        }
    }

    fn unsent(&self, k: &Kernel) -> Result<usize, Errno> {
        let end = k.unix.get(self.id)?;
        match end.state {
            State::Listening { .. } => Err(Errno::EINVAL),
            State::Connected { peer, .. } => Ok(k.unix.get(peer).map_or(0, |peer| peer.queued)),
            State::Unconnected => Ok(0),
        }
    }

    fn at_mark(&self, k: &Kernel) -> Result<bool, Errno> {
        if self.common.kind != SOCK_STREAM {
            return Err(Errno::EOPNOTSUPP);
        }
        Ok(k.unix.get(self.id)?.at_mark())
    }

    fn keeps_boundaries(&self) -> bool {
        self.common.kind != SOCK_STREAM
    }

    fn summary(&self, k: &Kernel) -> Summary {
        let protocol = match self.common.kind {
            SOCK_STREAM => "u_str",
            SOCK_SEQPACKET => "u_seq",
            _ => "u_dgr",
        };
        let Ok(end) = k.unix.get(self.id) else {
            return Summary { protocol, state: "UNCONN", local: String::new(), foreign: String::new() };
        };
        let state = match end.state {
            State::Unconnected => "UNCONN",
            State::Listening { .. } => "LISTEN",
            State::Connected { .. } => "ESTAB",
        };
        let foreign = end.peer_address().unwrap_or_default();
        Summary { protocol, state, local: name::show(&end.address.borrow()), foreign: name::show(&foreign) }
    }
}
