//! TCP sockets (tcp(7)).

use crate::Kernel;
use crate::call::Stop;
use crate::file::{ObjectId, OpenFile};
use abi::Errno;
use abi::raw::net::{IPPROTO_TCP, MSG_OOB, MSG_PEEK, MSG_TRUNC, SO_PRIORITY, SOCK_STREAM, SOL_SOCKET};
use tcpip::{Protocol, SocketId};

use super::option::tcp::TCP_INQ;
use super::{Accepted, Common, Control, How, Incoming, Outgoing, Socket, Summary, address, ancillary, inet};

/// linux/socket.h
const MSG_FASTOPEN: u32 = 0x2000_0000;

/// One TCP socket.
pub(crate) struct Tcp {
    common: Common,
    id: SocketId,
}

impl Tcp {
    /// socket(2); its readiness will change with `object`.
    pub(crate) fn new(k: &mut Kernel, family: u32, object: ObjectId) -> Self {
        let id = k.net.stack.tcp_socket(inet::domain(family));
        k.net.enter(id, object);
        Self { common: Common::new(family, SOCK_STREAM, IPPROTO_TCP as u32), id }
    }
}

impl Tcp {
    /// `MSG_OOB`: one byte, out of the order of the others.
    fn receive_urgent(&self, k: &mut Kernel, len: usize, flags: u32) -> Result<Incoming, Stop> {
        let Some(byte) = k.net.stack.recv_urgent(self.id, flags & MSG_PEEK != 0)? else {
            return Ok(Incoming::default());
        };
        let fits = len > 0 && flags & MSG_TRUNC == 0;
        let data = if fits { vec![byte] } else { Vec::new() };
        let truncated = if len > 0 { 0 } else { MSG_TRUNC };
        Ok(Incoming { data, full_len: len.min(1), flags: MSG_OOB | truncated, ..Incoming::default() })
    }
}

impl Socket for Tcp {
    fn common(&self) -> &Common {
        &self.common
    }

    fn bind(&self, k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        inet::bind(k, self.id, &self.common, addr)
    }

    fn listen(&self, k: &mut Kernel, _f: &OpenFile, backlog: u32) -> Result<(), Stop> {
        Ok(k.net.stack.listen(self.id, backlog)?)
    }

    fn accept(&self, k: &mut Kernel, _f: &OpenFile) -> Result<Accepted, Stop> {
        let (id, peer) = k.net.stack.accept(self.id)?;
        let object = k.files.new_object();
        k.net.enter(id, object);
        let peer = address::emit(self.common.family, peer);
        let common = self.common.clone();
        // It is that of each packet (net/core/sock.c, sk_clone_lock).
        common.remember(SOL_SOCKET, SO_PRIORITY, 0);
        Ok(Accepted { socket: Box::new(Self { common, id }), object, peer })
    }

    fn connect(&self, k: &mut Kernel, _f: &OpenFile, addr: &[u8]) -> Result<(), Stop> {
        inet::connect(k, self.id, &self.common, addr)
    }

    fn local(&self, k: &Kernel) -> Result<Vec<u8>, Errno> {
        inet::local(k, self.id, self.common.family)
    }

    fn peer(&self, k: &Kernel) -> Result<Vec<u8>, Errno> {
        inet::peer(k, self.id, self.common.family)
    }

    /// An address is ignored, as Linux does on a connection.
    fn send(&self, k: &mut Kernel, _f: &OpenFile, message: &Outgoing<'_>) -> Result<usize, Stop> {
        // As Linux answers it with net.ipv4.tcp_fastopen=0, whatever the connection's state: programs connect then.
        if message.flags & MSG_FASTOPEN != 0 {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let urgent = message.flags & MSG_OOB != 0;
        let stack = &mut k.net.stack;
        Ok(if urgent { stack.send_urgent(self.id, message.data) } else { stack.send(self.id, message.data) }?)
    }

    fn receive(&self, k: &mut Kernel, _f: &OpenFile, len: usize, flags: u32) -> Result<Incoming, Stop> {
        if flags & MSG_OOB != 0 {
            return self.receive_urgent(k, len, flags);
        }
        // Programs offer far more room than there are bytes: a buffer of one byte finds the end and errors too.
        let mut data = vec![0; len.min(k.net.stack.received(self.id).max(1))];
        let got = k.net.stack.recv(self.id, &mut data, flags & MSG_PEEK != 0)?;
        data.truncate(got);
        if flags & MSG_TRUNC != 0 {
            // tcp(7): the bytes are thrown away.
            data.clear();
        }
        let arrived_ns = k.net.stack.arrived_ns(self.id).filter(|_| got > 0);
        let mut control =
            arrived_ns.map_or_else(Vec::new, |at_ns| ancillary::timestamps(k, &self.common, at_ns));
        if self.common.flag(IPPROTO_TCP as u32, TCP_INQ) {
            let left = i32::try_from(k.net.stack.unread(self.id)).unwrap_or(i32::MAX);
            let data = left.to_ne_bytes().to_vec();
            control.push(Control::Bytes { level: IPPROTO_TCP as u32, kind: TCP_INQ, data });
        }
        Ok(Incoming { data, full_len: got, control, ..Incoming::default() })
    }

    fn receive_error(&self, k: &mut Kernel) -> Option<Result<Incoming, Errno>> {
        Some(inet::receive_error(k, self.id, self.common.family))
    }

    fn shutdown(&self, k: &mut Kernel, _f: &OpenFile, how: How) -> Result<(), Stop> {
        inet::shutdown(k, self.id, how)
    }

    fn poll(&self, k: &Kernel) -> u16 {
        inet::poll_bits(k.net.stack.readiness(self.id))
    }

    fn close(&self, k: &mut Kernel) {
        k.net.close(self.id);
    }

    fn take_error(&self, k: &mut Kernel) -> Option<Errno> {
        k.net.stack.take_error(self.id)
    }

    fn is_listening(&self, k: &Kernel) -> bool {
        k.net.stack.is_listening(self.id)
    }

    fn unread(&self, k: &Kernel) -> Result<usize, Errno> {
        if self.is_listening(k) { Err(Errno::EINVAL) } else { Ok(k.net.stack.unread(self.id)) }
    }

    fn unsent(&self, k: &Kernel) -> Result<usize, Errno> {
        if self.is_listening(k) { Err(Errno::EINVAL) } else { Ok(k.net.stack.unsent(self.id)) }
    }

    fn unqueued(&self, k: &Kernel) -> Result<usize, Errno> {
        if self.is_listening(k) { Err(Errno::EINVAL) } else { Ok(k.net.stack.not_sent(self.id)) }
    }

    fn at_mark(&self, k: &Kernel) -> Result<bool, Errno> {
        Ok(k.net.stack.at_mark(self.id))
    }

    fn inet(&self) -> Option<SocketId> {
        Some(self.id)
    }

    fn summary(&self, k: &Kernel) -> Summary {
        inet::summary(k, self.id, Protocol::Tcp, self.common.family)
    }
}
