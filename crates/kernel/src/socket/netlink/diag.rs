//! sock_diag(7): lists of sockets, which ss(8) asks for.

use super::route::gathered;
use super::wire::{Request, attribute};
use crate::Kernel;
use crate::socket::inventory::InetSocket;
use crate::socket::option::tcp;
use crate::socket::unix::UnixSocket;
use abi::Errno;
use abi::raw::net::{AF_INET, AF_INET6, AF_UNIX, IPPROTO_RAW, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};
use std::net::{IpAddr, SocketAddr};
use tcpip::{Domain, Protocol};

// linux/sock_diag.h, linux/inet_diag.h, linux/unix_diag.h
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_CONG: u16 = 4;
const INET_DIAG_TOS: u16 = 5;
const INET_DIAG_SKMEMINFO: u16 = 7;
const INET_DIAG_SHUTDOWN: u16 = 8;
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_MARK: u16 = 15;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_RQLEN: u16 = 4;
const UNIX_DIAG_SHUTDOWN: u16 = 6;
const UNIX_DIAG_UID: u16 = 7;
const UDIAG_SHOW_NAME: u32 = 1;
const UDIAG_SHOW_PEER: u32 = 4;
const UDIAG_SHOW_RQLEN: u32 = 0x10;
const UDIAG_SHOW_UID: u32 = 0x40;

/// The datagrams that answer a request. A filter in it is not run: it may leave sockets out, and ss(8) does so itself.
pub(super) fn answer(k: &Kernel, request: Request<'_>, port: u32) -> Vec<Vec<u8>> {
    if request.kind != SOCK_DIAG_BY_FAMILY {
        return vec![request.error(port, Errno::EINVAL)];
    }
    let family = u32::from(request.byte(0));
    let messages = match family {
        AF_INET | AF_INET6 => inet(k, request, family, port),
        AF_UNIX => unix(k, request, port),
        // No handler for the family (net/core/sock_diag.c).
        _ => Err(Errno::ENOENT),
    };
    match messages {
        Err(errno) => vec![request.error(port, errno)],
        Ok(messages) if request.is_dump() => {
            let mut answers = gathered(messages);
            answers.push(request.done(port));
            answers
        }
        // One socket was asked for.
        Ok(messages) => {
            vec![messages.into_iter().next().unwrap_or_else(|| request.error(port, Errno::ENOENT))]
        }
    }
}

/// `struct inet_diag_req_v2`: family, protocol, extensions, padding, states, then the socket that is meant.
fn inet(k: &Kernel, request: Request<'_>, family: u32, port: u32) -> Result<Vec<Vec<u8>>, Errno> {
    const LEN: usize = 56;
    const ID_AT: usize = 8;
    if request.body.len() < LEN {
        return Err(Errno::EINVAL);
    }
    let protocol = match u32::from(request.byte(1)) {
        proto if proto == IPPROTO_TCP as u32 => Protocol::Tcp,
        proto if proto == IPPROTO_UDP as u32 => Protocol::Udp,
        proto if proto == IPPROTO_UDPLITE as u32 => Protocol::UdpLite,
        // Of all protocols; the ports are the protocols' numbers (net/ipv4/raw_diag.c).
        proto if proto == IPPROTO_RAW as u32 => Protocol::Raw,
        _ => return Err(Errno::ENOENT),
    };
    let domain = if family == AF_INET { Domain::Inet } else { Domain::Inet6 };
    let meant = |socket: &InetSocket| {
        if request.is_dump() {
            request.number(4) & 1 << socket.state != 0
        } else {
            request.body.get(ID_AT..ID_AT + 36) == identity(&socket.info.local, &socket.info.remote).get(..36)
        }
    };
    let sockets = k.inet_sockets(protocol, domain);
    let message = |socket: &InetSocket| {
        let mut body = inet_message(request.byte(0), socket);
        extend(k, socket, request.byte(2), &mut body);
        request.reply(SOCK_DIAG_BY_FAMILY, port, &body)
    };
    Ok(sockets.iter().filter(|socket| meant(socket)).map(message).collect())
}

/// `struct inet_diag_msg`.
fn inet_message(family: u8, socket: &InetSocket) -> Vec<u8> {
    let mut bytes = vec![family, socket.state, 0, 0];
    bytes.extend(identity(&socket.info.local, &socket.info.remote));
    let [low, high] = halves(socket.inode);
    let [recv, send] = [socket.info.recv_queue, socket.info.send_queue].map(narrow);
    // Interface, cookie, then expiry, queues, user and inode.
    for number in [0, low, high, 0, recv, send, socket.uid, low] {
        bytes.extend_from_slice(&number.to_ne_bytes());
    }
    bytes
}

/// What a socket is besides, as far as `wanted` asks for it: a bit for each attribute, the lowest for the first
/// (net/ipv4/inet_diag.c, inet_sk_diag_fill).
fn extend(k: &Kernel, socket: &InetSocket, wanted: u8, bytes: &mut Vec<u8>) {
    let asked = |kind: u16| wanted & 1 << (kind - 1) != 0;
    attribute(bytes, INET_DIAG_SHUTDOWN, &[shut(socket.info.state)]);
    let Some(id) = socket.info.id else { return };
    let stack = &k.net.stack;
    let Ok(options) = stack.options(id) else { return };
    if socket.info.domain == Domain::Inet6 {
        attribute(bytes, INET_DIAG_SKV6ONLY, &[u8::from(options.v6only)]);
    }
    if asked(INET_DIAG_TOS) {
        attribute(bytes, INET_DIAG_TOS, &[options.tos]);
    }
    if options.mark != 0 {
        attribute(bytes, INET_DIAG_MARK, &options.mark.to_ne_bytes());
    }
    if asked(INET_DIAG_SKMEMINFO) {
        let [recv, send] = [socket.info.recv_queue, socket.info.send_queue].map(narrow);
        // SK_MEMINFO_*; the last five are what only Linux counts.
        let numbers = [recv, options.rcvbuf, send, options.sndbuf, 0, 0, 0, 0, 0];
        attribute(bytes, INET_DIAG_SKMEMINFO, &numbers.map(u32::to_ne_bytes).concat());
    }
    if let Ok(info) = stack.tcp_info(id) {
        if asked(INET_DIAG_CONG) {
            attribute(bytes, INET_DIAG_CONG, &[tcp::CONGESTION, &[0]].concat());
        }
        if asked(INET_DIAG_INFO) {
            attribute(bytes, INET_DIAG_INFO, &tcp::info_bytes(&info));
        }
    }
}

/// `sk_shutdown`: 1 nothing comes any more, 2 nothing goes.
fn shut(state: &str) -> u8 {
    match state {
        "CLOSE-WAIT" => 1,
        "FIN-WAIT-1" | "FIN-WAIT-2" => 2,
        "LAST-ACK" | "CLOSING" | "TIME-WAIT" => 3,
        _ => 0,
    }
}

/// Ports and addresses of `struct inet_diag_sockid`, in network order.
fn identity(local: &SocketAddr, remote: &SocketAddr) -> Vec<u8> {
    let mut bytes = [local.port().to_be_bytes(), remote.port().to_be_bytes()].concat();
    for end in [local, remote] {
        let mut words = [0; 16];
        match end.ip() {
            IpAddr::V4(ip) => words[..4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => words = ip.octets(),
        }
        bytes.extend(words);
    }
    bytes
}

/// `struct unix_diag_req`: family, protocol, padding, states, inode, what to show, cookie.
fn unix(k: &Kernel, request: Request<'_>, port: u32) -> Result<Vec<Vec<u8>>, Errno> {
    const LEN: usize = 24;
    if request.body.len() < LEN {
        return Err(Errno::EINVAL);
    }
    let (states, inode, show) = (request.number(4), request.number(8), request.number(12));
    let meant = |socket: &UnixSocket| {
        if request.is_dump() { states & 1 << socket.state != 0 } else { halves(socket.inode)[0] == inode }
    };
    let message = |socket: &UnixSocket| request.reply(SOCK_DIAG_BY_FAMILY, port, &unix_message(socket, show));
    Ok(k.unix_sockets().iter().filter(|socket| meant(socket)).map(message).collect())
}

/// `struct unix_diag_msg` and its attributes.
fn unix_message(socket: &UnixSocket, show: u32) -> Vec<u8> {
    let [low, high] = halves(socket.inode);
    let byte = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
    let mut bytes = vec![byte(AF_UNIX), byte(socket.kind), socket.state, 0];
    for number in [low, low, high] {
        bytes.extend_from_slice(&number.to_ne_bytes());
    }
    if show & UDIAG_SHOW_NAME != 0 && !socket.name.is_empty() {
        attribute(&mut bytes, UNIX_DIAG_NAME, &socket.name);
    }
    if show & UDIAG_SHOW_PEER != 0 && socket.peer != 0 {
        attribute(&mut bytes, UNIX_DIAG_PEER, &halves(socket.peer)[0].to_ne_bytes());
    }
    if show & UDIAG_SHOW_RQLEN != 0 {
        let queues = [socket.recv_queue, socket.send_queue].map(|queue| narrow(queue).to_ne_bytes());
        attribute(&mut bytes, UNIX_DIAG_RQLEN, &queues.concat());
    }
    attribute(&mut bytes, UNIX_DIAG_SHUTDOWN, &[socket.shutdown]);
    // Programs expect it behind (net/unix/diag.c, sk_diag_fill).
    if show & UDIAG_SHOW_UID != 0 {
        attribute(&mut bytes, UNIX_DIAG_UID, &socket.uid.to_ne_bytes());
    }
    bytes
}

/// The lower and the upper half.
fn halves(number: u64) -> [u32; 2] {
    [number & 0xffff_ffff, number >> 32].map(|half| u32::try_from(half).unwrap_or(u32::MAX))
}

fn narrow(queue: usize) -> u32 {
    u32::try_from(queue).unwrap_or(u32::MAX)
}
