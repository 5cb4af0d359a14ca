//! How `AF_UNIX` sockets are joined and parted.

use super::name;
use super::table::{Endpoint, State, UnixId};
use crate::Kernel;
use crate::call::Stop;
use crate::socket::{How, address};
use abi::Errno;
use abi::layout::Ucred;
use std::collections::VecDeque;
use std::rc::Rc;

/// listen(2). The listener's credentials are what its clients see.
///
/// # Errors
/// `EOPNOTSUPP`: datagrams. `EINVAL`: has no name, or is connected.
pub(super) fn listen(k: &mut Kernel, id: UnixId, backlog: u32) -> Result<(), Errno> {
    let owner = k.caller_credentials();
    let end = k.unix.get_mut(id)?;
    if !end.is_connection_based() {
        return Err(Errno::EOPNOTSUPP);
    }
    if end.bound.is_none() {
        return Err(Errno::EINVAL);
    }
    let limit = usize::try_from(backlog).unwrap_or(usize::MAX);
    match &mut end.state {
        State::Unconnected => end.state = State::Listening { backlog: limit, pending: VecDeque::new() },
        State::Listening { backlog, .. } => *backlog = limit,
        State::Connected { .. } => return Err(Errno::EINVAL),
    }
    end.owner = owner;
    wake_waiters(k, id);
    Ok(())
}

/// accept(2).
///
/// # Errors
/// `EAGAIN`: none waits. `EINVAL`: not listening, or shut down. `EOPNOTSUPP`: datagrams.
pub(super) fn accept(k: &mut Kernel, id: UnixId) -> Result<UnixId, Errno> {
    let end = k.unix.get_mut(id)?;
    if !end.is_connection_based() {
        return Err(Errno::EOPNOTSUPP);
    }
    let shut = end.no_receive;
    let State::Listening { pending, .. } = &mut end.state else { return Err(Errno::EINVAL) };
    let taken = pending.pop_front().ok_or(if shut { Errno::EINVAL } else { Errno::EAGAIN })?;
    wake_waiters(k, id);
    Ok(taken)
}

/// connect(2).
///
/// # Errors
/// As connect(2); `EAGAIN` while the listener's backlog is full.
pub(super) fn connect(k: &mut Kernel, id: UnixId, addr: &[u8]) -> Result<(), Stop> {
    if addr.len() < 2 {
        return Err(Errno::EINVAL.into());
    }
    let own = k.unix.get(id)?;
    let (connection_based, kind) = (own.is_connection_based(), own.common.kind);
    if address::is_unspec(addr) && !connection_based {
        k.unix.get_mut(id)?.state = State::Unconnected;
        return Ok(());
    }
    let to = name::find(k, addr, kind)?;
    if k.unix.get(to)?.common.kind != kind {
        return Err(Errno::EPROTOTYPE.into());
    }
    if connection_based { connect_stream(k, id, to) } else { connect_datagrams(k, id, to) }
}

fn connect_datagrams(k: &mut Kernel, id: UnixId, to: UnixId) -> Result<(), Stop> {
    let peer = k.unix.get(to)?;
    if peer.peer().is_some_and(|other| other != id) {
        return Err(Errno::EPERM.into());
    }
    let state = connected(to, peer, peer.owner);
    k.unix.get_mut(id)?.state = state;
    Ok(())
}

fn connect_stream(k: &mut Kernel, id: UnixId, to: UnixId) -> Result<(), Stop> {
    let caller = k.caller_credentials();
    let own = k.unix.get(id)?;
    let object = own.object;
    let listener = k.unix.get(to)?;
    let State::Listening { backlog, pending } = &listener.state else {
        return Err(Errno::ECONNREFUSED.into());
    };
    if listener.no_receive {
        return Err(Errno::ECONNREFUSED.into());
    }
    if pending.len() > *backlog {
        listener.waiters.borrow_mut().insert(object);
        return Err(Stop::Wait(crate::call::Wait { on: vec![object], until: None, restartable: true }));
    }
    match own.state {
        State::Unconnected => {}
        State::Connected { .. } => return Err(Errno::EISCONN.into()),
        State::Listening { .. } => return Err(Errno::EINVAL.into()),
    }
    let (common, address) = (Rc::new((*listener.common).clone()), Rc::new((*listener.address).clone()));
    let (owner, listening) = (listener.owner, listener.object);
    let born = k.files.new_object();
    let taken = k.unix.insert(Endpoint { address, ..Endpoint::new(common, born, owner) });
    let own = k.unix.get_mut(id)?;
    own.owner = caller;
    join(k, id, taken);
    if let State::Listening { pending, .. } = &mut k.unix.get_mut(to)?.state {
        pending.push_back(taken);
    }
    k.wake(listening);
    k.wake(object);
    Ok(())
}

/// Makes two sockets each other's peers.
pub(super) fn join(k: &mut Kernel, a: UnixId, b: UnixId) {
    for (id, peer) in [(a, b), (b, a)] {
        let state = k.unix.get(peer).map(|end| connected(peer, end, end.owner));
        if let (Ok(end), Ok(state)) = (k.unix.get_mut(id), state) {
            end.state = state;
        }
    }
}

fn connected(peer: UnixId, end: &Endpoint, credentials: Ucred) -> State {
    State::Connected { peer, address: Rc::clone(&end.address), credentials }
}

/// shutdown(2): what one side does not send the other does not receive.
///
/// # Errors
/// None besides a socket that is gone.
pub(super) fn shutdown(k: &mut Kernel, id: UnixId, how: How) -> Result<(), Errno> {
    let end = k.unix.get_mut(id)?;
    end.no_receive |= how.receive;
    end.no_send |= how.send;
    let object = end.object;
    let peer = if end.is_connection_based() { end.peer() } else { None };
    k.wake(object);
    if let Some(peer) = peer.and_then(|peer| k.unix.get_mut(peer).ok()) {
        peer.no_send |= how.receive;
        peer.no_receive |= how.send;
        let object = peer.object;
        k.wake(object);
    }
    Ok(())
}

/// The last close(2).
pub(super) fn close(k: &mut Kernel, id: UnixId) {
    wake_waiters(k, id);
    let Some(end) = k.unix.remove(id) else { return };
    if let Some(name) = &end.bound {
        name::leave(k, name);
    }
    // One that is empty, as an urgent byte that was received, is nothing to be lost.
    let unread = end.queue.len() > 1 || end.queue.front().is_some_and(|first| first.left() > 0);
    if let (true, Some(peer)) = (end.is_connection_based(), end.peer()) {
        hang_up(k, peer, unread);
    }
    for right in end.queue.into_iter().flat_map(|message| message.rights) {
        k.unix.in_flight = k.unix.in_flight.saturating_sub(1);
        k.drop_right(right);
    }
    if let State::Listening { pending, .. } = end.state {
        for taken in pending {
            reset(k, taken);
        }
    }
}

/// A connection that nobody accepted.
fn reset(k: &mut Kernel, id: UnixId) {
    if let Some(peer) = k.unix.get(id).ok().and_then(Endpoint::peer) {
        hang_up(k, peer, true);
    }
    close(k, id);
}

/// The peer of this socket is gone; what it had not read is lost if `lost`.
fn hang_up(k: &mut Kernel, id: UnixId, lost: bool) {
    let Ok(end) = k.unix.get_mut(id) else { return };
    end.no_receive = true;
    end.no_send = true;
    if lost {
        end.error = Some(Errno::ECONNRESET);
    }
    let object = end.object;
    k.wake(object);
}

/// There is room in the queue or the backlog of this socket.
pub(super) fn wake_waiters(k: &mut Kernel, id: UnixId) {
    let waiters = k.unix.get_mut(id).map(|end| std::mem::take(end.waiters.get_mut())).unwrap_or_default();
    for object in waiters {
        k.wake(object);
    }
}
