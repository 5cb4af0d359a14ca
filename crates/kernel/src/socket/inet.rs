//! What the sockets of the TCP/IP stack have in common.

use crate::Kernel;
use crate::call::Stop;
use abi::Errno;
use abi::raw::general::{
    POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM,
};
use abi::raw::net::{AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW};
use std::net::{Shutdown, SocketAddr};
use tcpip::{Domain, Protocol, Readiness, SocketId};

use super::{Common, How, Incoming, Summary, address, ancillary};

/// The stack's name for a family.
pub(super) fn domain(family: u32) -> Domain {
    if family == AF_INET6 { Domain::Inet6 } else { Domain::Inet }
}

/// bind(2).
pub(super) fn bind(k: &mut Kernel, id: SocketId, common: &Common, addr: &[u8]) -> Result<(), Stop> {
    let addr = address::for_bind(common.family, addr)?;
    let privileged = (1..k.tunables.ip_unprivileged_port_start).contains(&addr.port());
    if privileged && !k.is_ruled_by_caller() {
        return Err(Errno::EACCES.into());
    }
    Ok(k.net.stack.bind(id, addr)?)
}

/// connect(2).
pub(super) fn connect(k: &mut Kernel, id: SocketId, common: &Common, addr: &[u8]) -> Result<(), Stop> {
    if addr.len() < 2 {
        return Err(Errno::EINVAL.into());
    }
    if address::is_unspec(addr) {
        return Ok(k.net.stack.disconnect(id)?);
    }
    if let Some(result) = k.net.stack.connect_again(id) {
        return Ok(result?);
    }
    if common.kind == SOCK_DGRAM {
        // Before anything can fail (net/ipv4/af_inet.c, inet_dgram_connect).
        k.net.stack.take_port(id)?;
    }
    let only = || k.net.stack.options(id).is_ok_and(|options| options.v6only);
    let addr = match (common.family, common.kind) {
        (AF_INET6, SOCK_DGRAM | SOCK_RAW) if address::family(addr) == Some(AF_INET) && only() => {
            return Err(Errno::EAFNOSUPPORT.into());
        }
        (AF_INET6, SOCK_DGRAM | SOCK_RAW) => address::for_either(addr)?,
        (family, _) => address::for_connect(family, addr)?,
    };
    Ok(k.net.stack.connect(id, addr)?)
}

/// `MSG_ERRQUEUE`.
pub(super) fn receive_error(k: &mut Kernel, id: SocketId, family: u32) -> Result<Incoming, Errno> {
    let error = k.net.stack.recv_error(id)?;
    Ok(Incoming {
        full_len: error.data.len(),
        from: Some(address::emit(family, error.to)),
        control: vec![ancillary::of_error(&error)],
        data: error.data,
        flags: 0,
    })
}

pub(super) fn local(k: &Kernel, id: SocketId, family: u32) -> Result<Vec<u8>, Errno> {
    Ok(address::emit(family, k.net.stack.local_addr(id)?))
}

pub(super) fn peer(k: &Kernel, id: SocketId, family: u32) -> Result<Vec<u8>, Errno> {
    Ok(address::emit(family, k.net.stack.peer_addr(id)?))
}

pub(super) fn shutdown(k: &mut Kernel, id: SocketId, how: How) -> Result<(), Stop> {
    let how = match how {
        How { receive: true, send: true } => Shutdown::Both,
        How { send: true, .. } => Shutdown::Write,
        How { .. } => Shutdown::Read,
    };
    Ok(k.net.stack.shutdown(id, how)?)
}

/// Readiness as poll(2) shows it.
pub(super) fn poll_bits(ready: Readiness) -> u16 {
    let bits = [
        (ready.readable, POLLIN | POLLRDNORM),
        (ready.writable, POLLOUT | POLLWRNORM),
        (ready.hup, POLLHUP),
        (ready.rdhup, POLLRDHUP),
        (ready.err, POLLERR),
        (ready.pri, POLLPRI),
    ];
    let mask = bits.into_iter().filter(|(on, _)| *on).fold(0, |mask, (_, bits)| mask | bits);
    u16::try_from(mask).unwrap_or(u16::MAX)
}

/// The same for datagrams, which there is room for of any priority (net/core/datagram.c, datagram_poll).
pub(super) fn poll_bits_of_datagrams(ready: Readiness) -> u16 {
    poll_bits(ready) | if ready.writable { POLLWRBAND as u16 } else { 0 }
}

/// A line of `rump sockstat`.
pub(super) fn summary(k: &Kernel, id: SocketId, protocol: Protocol, family: u32) -> Summary {
    let none: SocketAddr = if family == AF_INET { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let stack = &k.net.stack;
    let local = stack.local_addr(id).unwrap_or(none);
    let foreign = stack.peer_addr(id);
    let protocol = match (protocol, family) {
        (Protocol::Tcp, AF_INET) => "tcp",
        (Protocol::Tcp, _) => "tcp6",
        (Protocol::Udp, AF_INET) => "udp",
        (Protocol::Udp, _) => "udp6",
        (Protocol::Ping, AF_INET) => "icmp",
        (Protocol::Ping, _) => "icmp6",
        (Protocol::Raw, AF_INET) => "raw",
        (Protocol::Raw, _) => "raw6",
        (Protocol::Packet, _) => "packet",
        (Protocol::UdpLite, AF_INET) => "udplite",
        (Protocol::UdpLite, _) => "udplite6",
    };
    let state = match (stack.is_listening(id), foreign.is_ok()) {
        (true, _) => "LISTEN",
        (false, true) => "ESTAB",
        (false, false) => "UNCONN",
    };
    Summary { protocol, state, local: show(local), foreign: show(foreign.unwrap_or(none)) }
}

/// As ss(8) does: `*` for any port.
fn show(addr: SocketAddr) -> String {
    match addr {
        addr if addr.port() != 0 => addr.to_string(),
        SocketAddr::V4(v4) => format!("{}:*", v4.ip()),
        SocketAddr::V6(v6) => format!("[{}]:*", v6.ip()),
    }
}
