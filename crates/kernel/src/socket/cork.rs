//! Datagrams that several sends make: with `MSG_MORE` (send(2)) and `UDP_CORK` (udp(7)) the data waits for more.

use crate::Kernel;
use abi::Errno;
use std::cell::RefCell;
use std::net::SocketAddr;
use tcpip::{Sending, SocketId};

/// What waits in a socket. Address and control messages of the first send are the datagram's (net/ipv4/udp.c, udp_sendmsg).
#[derive(Default)]
pub(super) struct Cork(RefCell<Option<Corked>>);

struct Corked {
    data: Vec<u8>,
    to: Option<SocketAddr>,
    how: Sending,
}

impl Cork {
    /// Sends `data` with what waits, or with `more` lets it wait; answers the length of `data`.
    ///
    /// # Errors
    /// `EDESTADDRREQ`: nowhere to send it to. `EMSGSIZE`: too much. Others: as udp(7). What waited is lost then, unless the socket
    /// is full (`EAGAIN`).
    pub(super) fn send(
        &self,
        k: &mut Kernel,
        id: SocketId,
        data: &[u8],
        (to, how, more): (Option<SocketAddr>, Sending, bool),
    ) -> Result<usize, Errno> {
        let waiting = self.0.take();
        if waiting.is_none() && !more {
            return k.net.stack.send_message(id, data, to, &how);
        }
        if waiting.is_none() && to.is_none() && k.net.stack.peer_addr(id).is_err() {
            return Err(Errno::EDESTADDRREQ);
        }
        let mut corked = waiting.unwrap_or(Corked { data: Vec::new(), to, how });
        let before = corked.data.len();
        if before + data.len() > usize::from(u16::MAX) {
            return Err(Errno::EMSGSIZE);
        }
        corked.data.extend_from_slice(data);
        if !more {
            let sent = corked.send(k, id);
            if sent != Err(Errno::EAGAIN) {
                return sent.map(|_| data.len());
            }
            // The call is made again, or not at all.
            corked.data.truncate(before);
            self.0.replace(Some(corked));
            return Err(Errno::EAGAIN);
        }
        self.0.replace(Some(corked));
        Ok(data.len())
    }

    /// `UDP_CORK` was taken away: what waits is sent. Whether it could be nobody is told (net/ipv4/udp.c, udp_lib_setsockopt).
    pub(super) fn pull(&self, k: &mut Kernel, id: SocketId) {
        if let Some(corked) = self.0.take() {
            let _ = corked.send(k, id);
        }
    }
}

impl Corked {
    fn send(&self, k: &mut Kernel, id: SocketId) -> Result<usize, Errno> {
        k.net.stack.send_message(id, &self.data, self.to, &self.how)
    }
}
