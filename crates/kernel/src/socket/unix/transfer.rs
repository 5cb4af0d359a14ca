//! How bytes and descriptors go through `AF_UNIX` sockets.

use super::connection::wake_waiters;
use super::name;
use super::table::{Endpoint, Mark, Message, OVERHEAD, State, UnixId};
use crate::Kernel;
use crate::call::Stop;
use crate::socket::{Control, Incoming, Outgoing, Right};
use abi::Errno;
use abi::layout::Ucred;
use abi::raw::net::{
    MSG_DONTWAIT, MSG_OOB, MSG_PEEK, SCM_CREDENTIALS, SO_PASSCRED, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM,
    SOL_SOCKET,
};
use std::rc::Rc;
use zerocopy::IntoBytes;

/// More descriptors than this are not on their way at once (`ETOOMANYREFS`; Linux counts against RLIMIT_NOFILE).
const IN_FLIGHT_MAX: usize = 16_384;

/// send(2).
///
/// # Errors
/// As send(2).
pub(super) fn send(k: &mut Kernel, id: UnixId, message: &Outgoing<'_>) -> Result<usize, Stop> {
    if k.unix.in_flight + message.control.rights.len() > IN_FLIGHT_MAX {
        return Err(Errno::ETOOMANYREFS.into());
    }
    let end = k.unix.get(id)?;
    // An address of no bytes is none (net/socket.c, move_addr_to_kernel).
    let message = &Outgoing { to: message.to.filter(|to| !to.is_empty()), ..*message };
    match end.common.kind {
        SOCK_STREAM => send_stream(k, id, message),
        // It ignores an address (net/unix/af_unix.c, unix_seqpacket_sendmsg).
        SOCK_SEQPACKET if end.peer().is_none() => Err(Errno::ENOTCONN.into()),
        SOCK_SEQPACKET => send_datagram(k, id, &Outgoing { to: None, ..*message }),
        _ => send_datagram(k, id, message),
    }
}

fn send_stream(k: &mut Kernel, id: UnixId, message: &Outgoing<'_>) -> Result<usize, Stop> {
    let end = k.unix.get(id)?;
    let urgent = message.flags & MSG_OOB != 0;
    let to = match (end.peer(), message.to) {
        _ if urgent && message.data.is_empty() => return Err(Errno::EOPNOTSUPP.into()),
        (Some(_), Some(_)) => return Err(Errno::EISCONN.into()),
        (None, Some(_)) => return Err(Errno::EOPNOTSUPP.into()),
        (peer, None) => peer.ok_or(Errno::ENOTCONN)?,
    };
    if end.no_send {
        return Err(Errno::EPIPE.into());
    }
    if message.data.is_empty() {
        return Ok(0);
    }
    let receiver = k.unix.get(to).ok().filter(|receiver| !receiver.no_receive).ok_or(Errno::EPIPE)?;
    let room = end.sndbuf().saturating_sub(receiver.queued);
    if room == 0 {
        return Err(Errno::EAGAIN.into());
    }
    // The urgent one is the last, which goes by itself.
    let len = (message.data.len() - usize::from(urgent && message.data.len() > 1)).min(room);
    if urgent && len == message.data.len() {
        push_urgent(k, id, to, message)?;
    } else {
        push(k, id, to, &message.data[..len], (message, Mark::None))?;
    }
    Ok(len)
}

fn push_urgent(k: &mut Kernel, id: UnixId, to: UnixId, message: &Outgoing<'_>) -> Result<(), Errno> {
    let receiver = k.unix.get_mut(to)?;
    let object = receiver.object;
    receiver.announce_urgent();
    push(k, id, to, message.data, (message, Mark::Urgent))?;
    k.report_urgent(object);
    Ok(())
}

fn send_datagram(k: &mut Kernel, id: UnixId, message: &Outgoing<'_>) -> Result<usize, Stop> {
    if message.flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if let Some(addr) = message.to {
        name::validate(addr)?;
    }
    let end = k.unix.get_mut(id)?;
    let (object, sndbuf, kind) = (end.object, end.sndbuf(), end.common.kind);
    // Linux keeps 32 bytes of the buffer for itself (unix_dgram_sendmsg).
    if message.data.len() > sndbuf.saturating_sub(32) {
        return Err(Errno::EMSGSIZE.into());
    }
    // Looked at when memory is got (sock_alloc_send_pskb), before it is known who is to have it.
    if let Some(errno) = end.error.take() {
        return Err(errno.into());
    }
    if end.no_send {
        return Err(Errno::EPIPE.into());
    }
    let to = match message.to {
        Some(addr) => name::find(k, addr, kind)?,
        None => end.peer().ok_or(Errno::ENOTCONN)?,
    };
    let Ok(receiver) = k.unix.get(to) else { return Err(gone(k, id, kind).into()) };
    if receiver.common.kind != kind {
        return Err(Errno::EPROTOTYPE.into());
    }
    if receiver.peer().is_some_and(|peer| peer != id) {
        return Err(Errno::EPERM.into());
    }
    if receiver.no_receive {
        return Err(Errno::EPIPE.into());
    }
    if k.unix.is_full(id, to) {
        receiver.waiters.borrow_mut().insert(object);
        return Err(Errno::EAGAIN.into());
    }
    push(k, id, to, message.data, (message, Mark::None))?;
    Ok(message.data.len())
}

/// The peer was closed: a datagram socket forgets it.
fn gone(k: &mut Kernel, id: UnixId, kind: u32) -> Errno {
    if kind == SOCK_SEQPACKET {
        return Errno::EPIPE;
    }
    if let Ok(end) = k.unix.get_mut(id) {
        end.state = State::Unconnected;
    }
    Errno::ECONNREFUSED
}

fn push(
    k: &mut Kernel,
    from: UnixId,
    to: UnixId,
    data: &[u8],
    (message, mark): (&Outgoing<'_>, Mark),
) -> Result<(), Errno> {
    let credentials = message.control.credentials.unwrap_or_else(|| k.caller_credentials());
    let sender = k.unix.get(from)?;
    let (address, stream) = (Rc::clone(&sender.address), sender.common.kind == SOCK_STREAM);
    let rights = message.control.rights.clone();
    for right in &rights {
        k.keep_right(*right);
    }
    k.unix.in_flight += rights.len();
    let receiver = k.unix.get_mut(to)?;
    let object = receiver.object;
    match receiver.queue.back_mut() {
        Some(last) if stream && mark == Mark::None && joins(last, &rights, credentials) => {
            last.data.extend_from_slice(data);
            receiver.queued += data.len();
        }
        _ => {
            receiver.queued += data.len() + OVERHEAD;
            let data = data.to_vec();
            receiver.queue.push_back(Message { data, at: 0, from: address, credentials, rights, mark });
        }
    }
    k.wake(object);
    Ok(())
}

/// Whether more bytes of a stream can be added to its last piece.
fn joins(last: &Message, rights: &[Right], by: Ucred) -> bool {
    let own = last.credentials;
    last.mark == Mark::None
        && rights.is_empty()
        && last.rights.is_empty()
        && (own.pid, own.uid, own.gid) == (by.pid, by.uid, by.gid)
}

/// recv(2).
///
/// # Errors
/// As recv(2).
pub(super) fn receive(k: &mut Kernel, id: UnixId, len: usize, flags: u32) -> Result<Incoming, Stop> {
    let end = k.unix.get_mut(id)?;
    match (end.common.kind, &end.state) {
        (SOCK_STREAM, State::Connected { .. }) | (SOCK_SEQPACKET, State::Connected { .. }) => {}
        (SOCK_STREAM, _) => return Err(Errno::EINVAL.into()),
        (SOCK_SEQPACKET, _) => return Err(Errno::ENOTCONN.into()),
        _ => {}
    }
    let (peek, stream) = (flags & MSG_PEEK != 0, end.common.kind == SOCK_STREAM);
    if flags & MSG_OOB != 0 {
        return if stream { receive_urgent(end, len, peek) } else { Err(Errno::EOPNOTSUPP.into()) };
    }
    if !stream && let Some(errno) = end.error.take() {
        // Of messages it comes first (net/core/datagram.c, __skb_try_recv_datagram).
        return Err(errno.into());
    }
    let before = writable_peer(k, id);
    let end = k.unix.get_mut(id)?;
    let taken = if stream { take_stream(end, len, peek) } else { take_datagram(end, len, peek) };
    let Some(taken) = taken else {
        if !peek {
            // An urgent byte may have been passed over.
            tell_senders(k, id, before);
        }
        return nothing(k.unix.get_mut(id)?, flags);
    };
    if !peek {
        k.unix.in_flight = k.unix.in_flight.saturating_sub(taken.rights.len());
        tell_senders(k, id, before);
    }
    Ok(finish(k, id, taken, peek))
}

/// What is received where there is nothing.
fn nothing(end: &mut Endpoint, flags: u32) -> Result<Incoming, Stop> {
    if let Some(errno) = end.error.take() {
        return Err(errno.into());
    }
    // Of datagrams only who would wait is told that none is to come (unix_dgram_recvmsg).
    let told = end.common.kind != SOCK_DGRAM || flags & MSG_DONTWAIT == 0;
    if end.no_receive && told { Ok(Incoming::default()) } else { Err(Errno::EAGAIN.into()) }
}

/// `MSG_OOB` (net/unix/af_unix.c, unix_stream_recv_urg).
fn receive_urgent(end: &mut Endpoint, len: usize, peek: bool) -> Result<Incoming, Stop> {
    let byte = end.take_urgent(peek).ok_or(Errno::EINVAL)?;
    if len == 0 {
        return Err(Errno::EFAULT.into());
    }
    Ok(Incoming { data: vec![byte], full_len: 1, flags: MSG_OOB, ..Incoming::default() })
}

/// What was taken out of a queue.
struct Taken {
    data: Vec<u8>,
    full_len: usize,
    from: Option<Vec<u8>>,
    credentials: Ucred,
    rights: Vec<Right>,
}

/// One datagram.
fn take_datagram(end: &mut Endpoint, len: usize, peek: bool) -> Option<Taken> {
    if peek {
        let message = end.queue.front()?;
        let data = message.data[..message.data.len().min(len)].to_vec();
        let (full_len, from) = (message.data.len(), message.visible_address());
        let (credentials, rights) = (message.credentials, message.rights.clone());
        return Some(Taken { data, full_len, from, credentials, rights });
    }
    let mut message = end.queue.pop_front()?;
    let full_len = message.data.len();
    end.queued = end.queued.saturating_sub(full_len + OVERHEAD);
    let from = message.visible_address();
    message.data.truncate(len);
    Some(Taken {
        data: message.data,
        full_len,
        from,
        credentials: message.credentials,
        rights: message.rights,
    })
}

/// As many bytes as there are: up to the end of a piece that brings descriptors, to that of one sender where
/// the receiver wants to know who it is, and to an urgent byte. `None`: nothing can be read.
fn take_stream(end: &mut Endpoint, len: usize, peek: bool) -> Option<Taken> {
    let mut taken =
        Taken { data: Vec::new(), full_len: 0, from: None, credentials: end.owner, rights: Vec::new() };
    let separate = end.common.flag(SOL_SOCKET, SO_PASSCRED);
    let mut at = end.next_piece(0, false, peek)?;
    while taken.data.len() < len {
        let Some(message) = end.queue.get_mut(at) else { break };
        let by = message.credentials;
        if taken.data.is_empty() {
            taken.credentials = by;
            taken.from = message.visible_address();
        } else if separate && by.pid != taken.credentials.pid {
            break;
        }
        let count = message.left().min(len - taken.data.len());
        taken.data.extend_from_slice(&message.data[message.at..message.at + count]);
        let brings = !message.rights.is_empty();
        if peek {
            taken.rights.clone_from(&message.rights);
        } else {
            message.at += count;
            taken.rights = std::mem::take(&mut message.rights);
            let done = message.left() == 0;
            end.queued = end.queued.saturating_sub(count);
            if done {
                end.queued = end.queued.saturating_sub(OVERHEAD);
                end.queue.pop_front();
            } else {
                trim(message);
            }
        }
        let any = !taken.data.is_empty();
        let over = brings || taken.data.len() == len;
        let next = if over { None } else { end.next_piece(at + usize::from(peek), any, peek) };
        let Some(next) = next else { break };
        at = next;
    }
    taken.full_len = taken.data.len();
    (len == 0 || taken.full_len > 0).then_some(taken)
}

/// Gives back the memory of bytes that were received, once it is worth the move.
fn trim(message: &mut Message) {
    const WORTH: usize = 1 << 16;
    if message.at > WORTH && message.at * 2 > message.data.len() {
        message.data.drain(..message.at);
        message.at = 0;
    }
}

fn finish(k: &Kernel, id: UnixId, taken: Taken, peek: bool) -> Incoming {
    let wants = k.unix.get(id).is_ok_and(|end| end.common.flag(SOL_SOCKET, SO_PASSCRED));
    let mut control = Vec::new();
    if wants {
        let data = taken.credentials.as_bytes().to_vec();
        control.push(Control::Bytes { level: SOL_SOCKET, kind: SCM_CREDENTIALS, data });
    }
    if !taken.rights.is_empty() {
        control.push(Control::Rights { rights: taken.rights, shown: peek });
    }
    Incoming { data: taken.data, full_len: taken.full_len, from: taken.from, control, flags: 0 }
}

/// Whether the peer that sends to this socket could send, before something was received.
fn writable_peer(k: &Kernel, id: UnixId) -> bool {
    let peer = k.unix.get(id).ok().and_then(Endpoint::peer);
    peer.is_none_or(|peer| k.unix.is_writable(peer))
}

/// There is more room than `before`: those who wait for it go on.
fn tell_senders(k: &mut Kernel, id: UnixId, before: bool) {
    let peer = k.unix.get(id).ok().and_then(Endpoint::peer);
    if let Some(peer) = peer
        && !before
        && k.unix.is_writable(peer)
        && let Ok(end) = k.unix.get(peer)
    {
        let object = end.object;
        k.wake(object);
    }
    wake_waiters(k, id);
}
