//! Extended attributes (xattr(7)): what the calls by path, by link and by descriptor share. Their first argument is the file.

use crate::call::{Answer, Stop};
use crate::cx::Cx;
use crate::socket::Socket;
use abi::Errno;
use vfs::Location;

/// `XATTR_NAME_MAX`, `XATTR_SIZE_MAX` (linux/limits.h).
const NAME_MAX: usize = 255;
const SIZE_MAX: u64 = 64 << 10;

/// setxattr(2): name, value, size, flags.
///
/// # Errors
/// As setxattr(2).
pub(crate) fn set(cx: &mut Cx<'_>, at: Location) -> Answer {
    let name = name(cx)?;
    if cx.arg(3) > SIZE_MAX {
        return Err(Errno::E2BIG.into());
    }
    let value = cx.call.mem.read(cx.arg(2), cx.arg(3))?.to_vec();
    let flags = cx.uint(4);
    let tree = cx.tree()?;
    tree.vfs.set_xattr(&tree.who, at, &name, &value, flags, tree.now)?;
    Ok(0)
}

/// getxattr(2): name, buffer, size.
///
/// # Errors
/// As getxattr(2).
pub(crate) fn get(cx: &mut Cx<'_>, at: Location) -> Answer {
    let name = name(cx)?;
    let tree = cx.tree()?;
    let value = tree.vfs.xattr(&tree.who, at, &name)?;
    answer(cx, 2, value)
}

/// listxattr(2): buffer, size.
///
/// # Errors
/// As listxattr(2).
pub(crate) fn list(cx: &mut Cx<'_>, at: Location) -> Answer {
    let tree = cx.tree()?;
    let names = tree.vfs.xattrs(&tree.who, at)?;
    answer(cx, 1, names)
}

/// removexattr(2): name.
///
/// # Errors
/// As removexattr(2).
pub(crate) fn remove(cx: &mut Cx<'_>, at: Location) -> Answer {
    let name = name(cx)?;
    let tree = cx.tree()?;
    tree.vfs.remove_xattr(&tree.who, at, &name, tree.now)?;
    Ok(0)
}

/// The attribute that a socket has: its protocol (net/socket.c, sockfs_xattr_get).
const PROTOCOL: &[u8] = b"system.sockprotoname";

/// fgetxattr(2) of a socket.
///
/// # Errors
/// `EOPNOTSUPP`: another name. As getxattr(2).
pub(crate) fn get_of_socket(cx: &mut Cx<'_>, socket: &dyn Socket) -> Answer {
    if name(cx)? != PROTOCOL {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let value = [socket.common().protocol_name().as_bytes(), &[0]].concat();
    answer(cx, 2, value)
}

/// flistxattr(2) of a socket.
///
/// # Errors
/// As listxattr(2).
pub(crate) fn list_of_socket(cx: &mut Cx<'_>) -> Answer {
    answer(cx, 1, [PROTOCOL, &[0]].concat())
}

/// # Errors
/// `ERANGE`: empty or too long (fs/xattr.c, import_xattr_name). `EFAULT`.
fn name(cx: &Cx<'_>) -> Result<Vec<u8>, Stop> {
    let name = cx.string(1).map_err(|stop| match stop {
        Stop::Errno(Errno::ENAMETOOLONG) => Errno::ERANGE.into(),
        other => other,
    })?;
    if name.is_empty() || name.len() > NAME_MAX { Err(Errno::ERANGE.into()) } else { Ok(name) }
}

/// Fills the buffer in argument `buf`, whose size is in the next one; with a size of 0 only the length is asked for.
fn answer(cx: &mut Cx<'_>, buf: usize, bytes: Vec<u8>) -> Answer {
    let (len, room) = (bytes.len() as u64, cx.arg(buf + 1));
    if room == 0 {
        return Ok(len);
    }
    if len > room {
        return Err(Errno::ERANGE.into());
    }
    cx.call.mem.write(cx.arg(buf), bytes);
    Ok(len)
}
