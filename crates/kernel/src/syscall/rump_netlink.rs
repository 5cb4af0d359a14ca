//! `rump_netlink(type, protocol, groups)`: netlink sockets outlive their kernel.

use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::{Common, Netlink, SocketFile};
use abi::Errno;
use abi::raw::general::O_RDWR;
use abi::raw::net::AF_NETLINK;

use super::socket::{TYPE_MASK, kind_flags};

pub(crate) fn rump_netlink(cx: &mut Cx<'_>) -> Answer {
    let (kind, protocol, groups) = (cx.uint(0), cx.uint(1), cx.uint(2));
    let flags = kind_flags(kind)?;
    if !matches!(protocol, Netlink::ROUTE | Netlink::SOCK_DIAG) {
        return Err(Errno::EPROTONOSUPPORT.into());
    }
    let object = cx.kernel.files.new_object();
    let common = Common::new(AF_NETLINK, kind & TYPE_MASK, protocol);
    let socket = Netlink::again(cx.kernel, common, object, groups);
    let file = Box::new(SocketFile::new(Box::new(socket), &cx.process()?.who));
    cx.install_on(file, O_RDWR | flags.nonblock, flags.cloexec, 0, object)
}
