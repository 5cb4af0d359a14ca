//! accept4(2).

use super::socket::{SOCK_CLOEXEC, SOCK_NONBLOCK};
use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::message::AddressRoom;
use crate::socket::{Direction, SocketFile, transfer};
use abi::Errno;
use abi::raw::general::O_RDWR;

pub(crate) fn accept4(cx: &mut Cx<'_>) -> Answer {
    let flags = cx.uint(3);
    if flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    accept_with(cx, flags)
}

/// The new file has none of the listener's status flags, only those that `flags` says.
pub(super) fn accept_with(cx: &mut Cx<'_>, flags: u32) -> Answer {
    let file = cx.file(0)?;
    let socket = transfer::of(&file)?;
    let room = AddressRoom::read_if_wanted(cx, cx.arg(1), cx.arg(2))?;
    let accepted = socket.accept(cx.kernel, &file);
    let accepted = cx.or_wait(&file, Direction::Receive, file.nonblock(), accepted)?;
    if let Some(room) = room {
        room.put(cx, &accepted.peer);
    }
    let file = Box::new(SocketFile::new(accepted.socket, &cx.process()?.who));
    let status = O_RDWR | (flags & SOCK_NONBLOCK);
    cx.install_on(file, status, flags & SOCK_CLOEXEC != 0, 0, accepted.object)
}
