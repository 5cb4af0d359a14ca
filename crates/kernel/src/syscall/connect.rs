//! connect(2).

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::socket::message::get_address;
use crate::socket::{Direction, transfer};
use abi::Errno;

/// A blocking call asks again until the connection is there. Interrupted and restarted, it finds the connection on
/// its way and waits on.
pub(crate) fn connect(cx: &mut Cx<'_>) -> Answer {
    let file = cx.file(0)?;
    let socket = transfer::of(&file)?;
    let addr = get_address(cx, cx.arg(1), cx.uint(2))?;
    let started = match socket.connect(cx.kernel, &file, &addr) {
        Ok(()) => return Ok(0),
        Err(Stop::Errno(errno @ (Errno::EINPROGRESS | Errno::EALREADY))) if !file.nonblock() => errno,
        Err(Stop::Wait(wait)) => {
            // The backlog of an AF_UNIX listener is full.
            return cx.or_wait(&file, Direction::Send, file.nonblock(), Err(Stop::Wait(wait)));
        }
        Err(stop) => return Err(stop),
    };
    // socket(7): a connect that runs out of SO_SNDTIMEO fails as a non-blocking one does.
    let timed_out = *cx.call.timed_out.get_or_insert(started);
    match cx.or_wait::<u64>(&file, Direction::Send, false, Err(Errno::EAGAIN.into())) {
        Err(Stop::Errno(_)) => Err(timed_out.into()),
        other => other,
    }
}
