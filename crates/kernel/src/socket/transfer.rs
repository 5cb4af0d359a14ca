//! Sending and receiving, as all the calls for it share it: waiting, going on, what fits where.

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::file::OpenFile;
use abi::Errno;
use abi::raw::net::{
    MSG_CMSG_CLOEXEC, MSG_DONTWAIT, MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL,
    SO_RCVLOWAT, SOL_SOCKET,
};

use super::message::{Buffers, Header};
use super::{Ancillary, Direction, Incoming, Outgoing, Socket, control, peek};

/// The largest piece that is handed to or taken from a socket at once. No datagram is longer.
const PIECE_MAX: u64 = 1 << 20;

/// What a receive call collects at most with `MSG_WAITALL`, so that one call cannot hold much of our memory.
const COLLECT_MAX: u64 = 1 << 26;

/// The socket of an open file.
///
/// # Errors
/// `ENOTSOCK`.
pub(crate) fn of(file: &OpenFile) -> Result<&dyn Socket, Errno> {
    file.ops.socket().ok_or(Errno::ENOTSOCK)
}

/// A message to send: its bytes, its address, and what goes with it.
pub(crate) struct Message<'a> {
    pub(crate) buffers: &'a Buffers,
    pub(crate) to: Option<&'a [u8]>,
    pub(crate) control: &'a Ancillary,
    pub(crate) flags: u32,
}

impl Message<'_> {
    fn outgoing<'d>(&'d self, data: &'d [u8], first: bool, nothing: &'d Ancillary) -> Outgoing<'d> {
        let control = if first { self.control } else { nothing };
        Outgoing { data, to: self.to, flags: self.flags, control }
    }
}

/// Sends a whole message: a blocking call goes on until all is sent, another stops where it would wait.
///
/// # Errors
/// As send(2).
pub(crate) fn send(cx: &mut Cx<'_>, file: &OpenFile, message: &Message<'_>) -> Answer {
    let socket = of(file)?;
    let whole = message.buffers.len();
    if socket.keeps_boundaries() || whole == 0 {
        return send_once(cx, file, message);
    }
    loop {
        let done = cx.call.progress as u64;
        let data = message.buffers.piece(&cx.call.mem, done)?;
        let nothing = Ancillary::default();
        let mut outgoing = message.outgoing(&data, done == 0, &nothing);
        if done + (data.len() as u64) < whole {
            // It is the last byte of all that is urgent.
            outgoing.flags &= !MSG_OOB;
        }
        let sent = socket.send(cx.kernel, file, &outgoing);
        drop(data);
        match cx.or_wait(file, Direction::Send, nonblock(file, message.flags), sent) {
            Ok(sent) => cx.call.progress += sent,
            Err(Stop::Errno(errno)) => return failed(cx, file, message, done, errno),
            Err(stop) => return Err(stop),
        }
        forget_passed(cx, message);
        if cx.call.progress as u64 >= whole {
            return Ok(whole);
        }
    }
}

/// Sends a message, or as much of it as goes at once.
///
/// # Errors
/// As send(2).
pub(crate) fn send_once(cx: &mut Cx<'_>, file: &OpenFile, message: &Message<'_>) -> Answer {
    let socket = of(file)?;
    let data = if socket.keeps_boundaries() {
        if message.buffers.len() > PIECE_MAX {
            return Err(Errno::EMSGSIZE.into());
        }
        message.buffers.gather(cx)?.into()
    } else {
        message.buffers.piece(&cx.call.mem, 0)?
    };
    let outgoing = message.outgoing(&data, true, message.control);
    let sent = socket.send(cx.kernel, file, &outgoing);
    drop(data);
    match cx.or_wait(file, Direction::Send, nonblock(file, message.flags), sent) {
        Ok(sent) => {
            forget_passed(cx, message);
            Ok(sent as u64)
        }
        Err(Stop::Errno(errno)) => failed(cx, file, message, 0, errno),
        Err(stop) => Err(stop),
    }
}

/// Descriptors that came along with the call now belong to the message that was sent.
fn forget_passed(cx: &mut Cx<'_>, message: &Message<'_>) {
    cx.call.passed.drain(..message.control.rights.len().min(cx.call.passed.len()));
}

fn failed(cx: &mut Cx<'_>, file: &OpenFile, message: &Message<'_>, done: u64, errno: Errno) -> Answer {
    if message.flags & MSG_NOSIGNAL != 0 && done == 0 {
        return Err(errno.into());
    }
    cx.sent_until(file, done, errno)
}

fn nonblock(file: &OpenFile, flags: u32) -> bool {
    file.nonblock() || flags & MSG_DONTWAIT != 0
}

/// Receives into `buffers`; answers the call's value and the last piece that came, without its bytes. With `MSG_WAITALL` a blocking
/// call goes on until the buffers are full.
///
/// # Errors
/// As recv(2).
pub(crate) fn receive(
    cx: &mut Cx<'_>,
    file: &OpenFile,
    buffers: &Buffers,
    flags: u32,
) -> Result<(u64, Incoming), Stop> {
    let socket = of(file)?;
    if flags & MSG_ERRQUEUE != 0
        && let Some(got) = socket.receive_error(cx.kernel)
    {
        return Ok(receive_error(cx, got?, buffers));
    }
    let stream = !socket.keeps_boundaries();
    let least = least(socket, flags).min(buffers.len());
    let collect = stream && least > 1 && flags & (MSG_PEEK | MSG_OOB) == 0;
    let whole = buffers.len().min(if collect { COLLECT_MAX } else { PIECE_MAX });
    loop {
        let done = if collect { cx.call.progress as u64 } else { 0 };
        let len = usize::try_from((whole - done).min(PIECE_MAX)).unwrap_or(0);
        let got = peek::receive(socket, cx.kernel, file, len, flags);
        // Urgent data is never waited for (net/ipv4/tcp.c, tcp_recv_urg).
        let nonblock = nonblock(file, flags) || flags & MSG_OOB != 0;
        let mut got = match cx.or_wait(file, Direction::Receive, nonblock, got) {
            Ok(got) => got,
            Err(Stop::Errno(_)) if done > 0 => return Ok((done, Incoming::default())),
            Err(stop) => return Err(stop),
        };
        let value = value(stream, flags, &got);
        if !stream && got.full_len > got.data.len() {
            got.flags |= MSG_TRUNC;
        }
        buffers.scatter(cx, done, std::mem::take(&mut got.data));
        if !collect {
            return Ok((value, got));
        }
        cx.call.progress += got.full_len;
        // A read ends in front of an urgent byte, whatever was wanted.
        let marked = socket.at_mark(cx.kernel) == Ok(true);
        if got.full_len == 0
            || marked
            || cx.call.progress as u64 >= whole.min(least)
            || !got.control.is_empty()
        {
            return Ok((cx.call.progress as u64, got));
        }
    }
}

/// An error with what is known of the datagram that it is about.
fn receive_error(cx: &mut Cx<'_>, mut got: Incoming, buffers: &Buffers) -> (u64, Incoming) {
    let mut data = std::mem::take(&mut got.data);
    let room = usize::try_from(buffers.len()).unwrap_or(usize::MAX);
    got.flags = MSG_ERRQUEUE | if data.len() > room { MSG_TRUNC } else { 0 };
    data.truncate(room);
    let len = data.len() as u64;
    buffers.scatter(cx, 0, data);
    (len, got)
}

/// How many bytes a call that blocks waits for: `MSG_WAITALL`, `SO_RCVLOWAT`.
fn least(socket: &dyn Socket, flags: u32) -> u64 {
    if flags & MSG_WAITALL != 0 {
        return u64::MAX;
    }
    let asked = socket.common().value(SOL_SOCKET, SO_RCVLOWAT).unwrap_or(1);
    u64::try_from(asked).unwrap_or(1)
}

/// recv(2): with `MSG_TRUNC` the real length of a datagram.
fn value(stream: bool, flags: u32, got: &Incoming) -> u64 {
    let len = if stream || flags & MSG_TRUNC != 0 { got.full_len } else { got.data.len() };
    len as u64
}

/// One message of recvmsg(2) or recvmmsg(2).
///
/// # Errors
/// As recvmsg(2).
pub(crate) fn receive_message(cx: &mut Cx<'_>, file: &OpenFile, header: &Header, flags: u32) -> Answer {
    let (value, got) = receive(cx, file, &header.buffers, flags)?;
    let found = got.flags | (flags & MSG_CMSG_CLOEXEC);
    let (controllen, truncated) = control::put(cx, header, got.control, flags);
    header.put_found(cx, &got.from.unwrap_or_default(), controllen, found | truncated);
    Ok(value)
}
