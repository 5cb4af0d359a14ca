//! The errors that `IP_RECVERR` and `IPV6_RECVERR` keep for `MSG_ERRQUEUE` (ip(7)).

use std::{collections::VecDeque, net::SocketAddr};

use abi::Errno;

use crate::{Stack, addr, addr::Endpoint, icmp::IcmpError, types::SocketId};

/// So many wait at most; Linux counts them against the receive buffer.
const ERRORS_MAX: usize = 64;

/// Who says that there was an error (`SO_EE_ORIGIN_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `SO_EE_ORIGIN_LOCAL`: this host.
    Local,
    /// `SO_EE_ORIGIN_ICMP`, `SO_EE_ORIGIN_ICMP6`: a message from the network.
    Icmp,
}

/// An error about a datagram that was sent, or about a SYN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedError {
    /// `ee_errno`.
    pub errno: Errno,
    /// `ee_origin`.
    pub origin: Origin,
    /// `ee_info`: the MTU that it was too big for; else 0.
    pub info: u32,
    /// `ee_type`, the ICMP message's.
    pub kind: u8,
    /// `ee_code`.
    pub code: u8,
    /// Who told, with port 0; its family is that of the packet.
    pub offender: SocketAddr,
    /// Where the datagram was sent to, in the form of the socket's family.
    pub to: SocketAddr,
    /// What the message quotes of it: its data, of a SYN the segment.
    pub data: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct ErrorQueue(VecDeque<QueuedError>);

impl ErrorQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, error: QueuedError) {
        if self.0.len() < ERRORS_MAX {
            self.0.push_back(error);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl QueuedError {
    pub(crate) fn new(domain: crate::Domain, why: &IcmpError, to: Endpoint, data: &[u8]) -> Self {
        Self {
            errno: why.errno,
            origin: Origin::Icmp,
            info: why.mtu.unwrap_or(0),
            kind: why.kind,
            code: why.code,
            offender: SocketAddr::new(why.from, 0),
            to: addr::to_program(domain, to),
            data: data.to_vec(),
        }
    }

    /// The datagram was too big to be sent (net/ipv4/datagram.c, ip_local_error).
    pub(crate) fn local(domain: crate::Domain, errno: Errno, mtu: usize, to: Endpoint, data: &[u8]) -> Self {
        let nobody = if to.ip.is_ipv4() { crate::Domain::Inet } else { crate::Domain::Inet6 };
        Self {
            errno,
            origin: Origin::Local,
            info: u32::try_from(mtu).unwrap_or(u32::MAX),
            kind: 0,
            code: 0,
            offender: SocketAddr::new(addr::unspecified(nobody), 0),
            to: addr::to_program(domain, to),
            data: data.to_vec(),
        }
    }
}

impl Stack {
    /// recvmsg(2) with `MSG_ERRQUEUE`. The pending error is the next one's from then on.
    ///
    /// # Errors
    /// `EAGAIN`: none waits.
    pub fn recv_error(&mut self, id: SocketId) -> Result<QueuedError, Errno> {
        let socket = self.sockets.find_mut(id)?;
        let error = socket.errors.0.pop_front().ok_or(Errno::EAGAIN)?;
        socket.error = socket.errors.0.front().map(|next| next.errno);
        self.note(id);
        Ok(error)
    }
}
