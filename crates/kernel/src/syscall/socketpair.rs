//! socketpair(2).

use super::socket::{kind_flags, unix_kind};
use crate::call::Answer;
use crate::cx::Cx;
use crate::socket::{SocketFile, Unix};
use abi::Errno;
use abi::raw::general::O_RDWR;
use abi::raw::net::{AF_INET, AF_INET6, AF_UNIX};

pub(crate) fn socketpair(cx: &mut Cx<'_>) -> Answer {
    let (family, kind, protocol, addr) = (cx.uint(0), cx.uint(1), cx.uint(2), cx.arg(3));
    let flags = kind_flags(kind)?;
    match family {
        AF_UNIX => {}
        AF_INET | AF_INET6 => return Err(Errno::EOPNOTSUPP.into()),
        _ => return Err(Errno::EAFNOSUPPORT.into()),
    }
    if addr == 0 {
        return Err(Errno::EFAULT.into());
    }
    let objects = [cx.kernel.files.new_object(), cx.kernel.files.new_object()];
    let pair = Unix::pair(cx.kernel, unix_kind(kind & 0xf, protocol)?, objects);
    let mut put_at = addr;
    for (socket, object) in pair.into_iter().zip(objects) {
        let file = Box::new(SocketFile::new(Box::new(socket), &cx.process()?.who));
        cx.install_on(file, O_RDWR | flags.nonblock, flags.cloexec, put_at, object)?;
        put_at = put_at.wrapping_add(4);
    }
    Ok(0)
}
