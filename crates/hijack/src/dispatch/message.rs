//! sendmsg(2) and recvmsg(2) and their plural forms: descriptors that travel in control messages (unix(7),
//! `SCM_RIGHTS`).
//!
//! Over a host socket a rump descriptor goes as it is, a host descriptor; whoever receives one asks what it is, and must be
//! a process of the same rump kernel.
//! Over a rump socket the host descriptors travel along with the request, and come back with the reply.

use super::receiver::SOCKADDR_MAX;
use super::{Answer, Call, Verdict, row_of, with};
use crate::Hijack;
use crate::fds::{Entry, RumpFd};
use crate::owner::Owner;
use crate::world::World;
use abi::layout::{Cmsghdr, Mmsghdr, Msghdr};
use abi::raw::general::F_GETFD;
use abi::raw::net::{SCM_RIGHTS, SOL_SOCKET};
use abi::{Errno, nr};
use alloc::vec;
use alloc::vec::Vec;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Control messages longer than this are refused by the host too (net.core.optmem_max is 128 KiB at most).
const CONTROL_MAX: u64 = 128 << 10;

/// `SCM_MAX_FD` (unix(7)).
const RIGHTS_MAX: usize = 253;

/// sendmmsg(2): "vlen is capped to UIO_MAXIOV (1024)".
const MESSAGES_MAX: u64 = 1024;

pub(super) fn sendmsg<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    match h.owner(call.args[0])? {
        Owner::Host => over_host(h, call, core::iter::once(call.args[1])),
        Owner::Rump(rump) => {
            let rights = rights_of(h, &header(h, call.args[1])?)?;
            send(h, call, rump, &rights)
        }
    }
}

/// The messages whose descriptors do not fit into one request are left over: the call may send fewer than it was asked to.
pub(super) fn sendmmsg<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let Owner::Rump(rump) = h.owner(call.args[0])? else { return over_host(h, call, headers(call)) };
    let (mut rights, mut count) = (Vec::new(), 0);
    for at in headers(call) {
        match header(h, at).and_then(|header| rights_of(h, &header)) {
            Ok(more) if rights.len() + more.len() <= RIGHTS_MAX => rights.extend(more),
            Err(errno) if count == 0 => return Err(errno),
            _ => break,
        }
        count += 1;
    }
    let asked = call.args[2].min(MESSAGES_MAX);
    let args = if count < asked { with(call.args, 2, count) } else { call.args };
    send(h, &Call { args, ..*call }, rump, &rights)
}

pub(super) fn recvmsg<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    receive(h, call, |_| Some(call.args[1]).into_iter())
}

pub(super) fn recvmmsg<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    receive(h, call, |received| headers(call).take(usize::try_from(received).unwrap_or(0)))
}

/// The messages with these headers over a host socket. What is wrong with them the host tells.
fn over_host<W: World>(h: &Hijack<W>, call: &Call, headers: impl Iterator<Item = u64>) -> Verdict {
    for header in headers.filter_map(|at| header(h, at).ok()) {
        let Ok(rights) = rights_of(h, &header) else { continue };
        if rights.iter().any(|fd| h.entry(*fd) == Entry::Own) {
            return Err(Errno::EBADF);
        }
        let is_rumps = |fd: &u32| matches!(h.owner((*fd).into()), Ok(Owner::Rump(_)));
        for fd in &rights {
            h.share(*fd)?;
        }
        if rights.iter().any(is_rumps) && !h.reaches_our_kernel(call.args[0] as u32, &name_of(h, &header)) {
            return Err(Errno::EOPNOTSUPP);
        }
    }
    Ok(Answer::Host)
}

/// The name that a message is addressed to; empty: none.
fn name_of<W: World>(h: &Hijack<W>, header: &Msghdr) -> Vec<u8> {
    let mut name = vec![0; (header.msg_namelen as usize).min(SOCKADDR_MAX)];
    let read = header.msg_name != 0 && h.world.read(header.msg_name, &mut name).is_ok();
    if read { name } else { Vec::new() }
}

fn send<W: World>(h: &Hijack<W>, call: &Call, rump: RumpFd, rights: &[u32]) -> Verdict {
    if rights.iter().any(|&fd| h.entry(fd) == Entry::Own) {
        return Err(Errno::EBADF);
    }
    for fd in rights {
        h.world.host(nr::FCNTL, [(*fd).into(), F_GETFD.into(), 0, 0, 0, 0])?;
        h.share(*fd)?;
    }
    let args = with(call.args, 0, rump.kernel_fd.0.into());
    let reply = h.world.rump(row_of(call.nr)?, args, rights)?;
    h.take_hints(&reply, (call.args[0] as u32, rump));
    h.signal_broken_pipe(row_of(call.nr)?, &args, rump, &reply.result);
    reply.result.map(Answer::Value)
}

/// Receives in the kernel that owns the socket. Of a descriptor that came over a host socket nothing is known.
fn receive<W, I>(h: &Hijack<W>, call: &Call, filled: impl Fn(u64) -> I) -> Verdict
where
    W: World,
    I: Iterator<Item = u64>,
{
    if let Owner::Rump(_) = h.owner(call.args[0])? {
        return h.by_fd((row_of(call.nr)?, call), 0);
    }
    let has_room = |at| header(h, at).is_ok_and(|header| header.msg_control != 0);
    let asked = if call.nr == nr::RECVMMSG { call.args[2] } else { 1 };
    if !filled(asked).any(has_room) {
        return Ok(Answer::Host);
    }
    let value = h.world.host_waiting(call.nr, call.args)?;
    for at in filled(value) {
        let rights = header(h, at).and_then(|header| rights_of(h, &header)).unwrap_or_default();
        rights.into_iter().for_each(|fd| h.learn(fd, Entry::Unknown));
    }
    Ok(Answer::Value(value))
}

fn header<W: World>(h: &Hijack<W>, address: u64) -> Result<Msghdr, Errno> {
    let mut header = Msghdr::new_zeroed();
    h.world.read(address, header.as_mut_bytes())?;
    Ok(header)
}

/// Where the headers of a plural call are.
fn headers(call: &Call) -> impl Iterator<Item = u64> + use<> {
    let [_, array, count, ..] = call.args;
    (0..count.min(MESSAGES_MAX)).map(move |at| array.wrapping_add(at * size_of::<Mmsghdr>() as u64))
}

/// The descriptors that the control messages name.
///
/// # Errors
/// `EINVAL`: more than a message may carry. `EFAULT`.
fn rights_of<W: World>(h: &Hijack<W>, header: &Msghdr) -> Result<Vec<u32>, Errno> {
    if header.msg_control == 0 || header.msg_controllen == 0 {
        return Ok(Vec::new());
    }
    let mut control = vec![0; header.msg_controllen.min(CONTROL_MAX) as usize];
    h.world.read(header.msg_control, &mut control)?;
    let rights = rights_in(&control);
    if rights.len() > RIGHTS_MAX { Err(Errno::EINVAL) } else { Ok(rights) }
}

fn rights_in(mut control: &[u8]) -> Vec<u32> {
    const HEADER: usize = size_of::<Cmsghdr>();
    let mut rights = Vec::new();
    while let Ok((head, rest)) = Cmsghdr::read_from_prefix(control) {
        let length = usize::try_from(head.cmsg_len).unwrap_or(usize::MAX);
        let Some(data) = length.checked_sub(HEADER).and_then(|length| rest.get(..length)) else { break };
        if (head.cmsg_level, head.cmsg_type) == (SOL_SOCKET.cast_signed(), SCM_RIGHTS.cast_signed()) {
            rights.extend(data.chunks_exact(4).filter_map(|fd| u32::read_from_bytes(fd).ok()));
        }
        control = control.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(level: u32, kind: u32, data: &[u8]) -> Vec<u8> {
        let head =
            Cmsghdr { cmsg_len: (16 + data.len()) as u64, cmsg_level: level as i32, cmsg_type: kind as i32 };
        let mut bytes = [head.as_bytes(), data].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn rights_are_found_among_other_messages() {
        let control = [
            message(SOL_SOCKET, 2, &[0; 12]),
            message(SOL_SOCKET, SCM_RIGHTS, &[5, 0, 0, 0, 130, 0, 0, 0, 7, 0, 0, 0]),
            message(41, SCM_RIGHTS, &[9, 0, 0, 0]),
            message(SOL_SOCKET, SCM_RIGHTS, &[1, 1, 0, 0]),
        ]
        .concat();
        assert_eq!(rights_in(&control), [5, 130, 7, 257]);
    }

    proptest! {
        #[test]
        fn any_control_bytes_are_survived(control in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(rights_in(&control).len() <= control.len() / 4);
        }
    }
}
