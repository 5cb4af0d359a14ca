//! Names of `AF_UNIX` sockets in the file tree.

use super::name::Name;
use super::table::UnixId;
use crate::Kernel;
use abi::Errno;
use abi::raw::general::S_IFSOCK;
use vfs::{Follow, Kind, Location, Start};

/// `W_OK`: what connecting needs of the name (unix(7), "Pathname socket ownership and permissions").
const WRITE: u32 = 2;

/// Makes the inode that bind(2) gives a socket; it is held. `bound`: the socket has a name already, which is found out only
/// after the inode was made (net/unix/af_unix.c, unix_bind_bsd), so that what is wrong with the path is told first.
///
/// # Errors
/// `EADDRINUSE`: something has this name. `EINVAL`: `bound`. As mknod(2).
pub(super) fn make(k: &mut Kernel, path: &[u8], bound: bool) -> Result<Location, Errno> {
    let start = start(k)?;
    let path = k.processes.get(k.current)?.inside(path);
    let mode = S_IFSOCK | 0o777;
    let tree = k.tree()?;
    let made = tree.vfs.mknod(&tree.who, start, path, mode, 0, tree.now);
    let at = made.map_err(|errno| if errno == Errno::EEXIST { Errno::EADDRINUSE } else { errno })?;
    if bound {
        tree.vfs.unlink(&tree.who, start, path, 0, tree.now)?;
        return Err(Errno::EINVAL);
    }
    tree.vfs.hold(at, true);
    Ok(at)
}

/// The socket of type `kind` that is bound to a path.
///
/// # Errors
/// `ECONNREFUSED`: nobody is, or it is no socket's. `EPROTOTYPE`: one of another type is. `EACCES`: the name may not be
/// written to. As path_resolution(7).
pub(super) fn find(k: &mut Kernel, path: &[u8], kind: u32) -> Result<UnixId, Errno> {
    let start = start(k)?;
    let path = k.processes.get(k.current)?.inside(path);
    let tree = k.tree()?;
    let at = tree.vfs.lookup(&tree.who, start, path, Follow::Yes)?;
    tree.vfs.access(&tree.who, at, WRITE)?;
    if tree.vfs.attr(at)?.kind != Kind::Socket {
        return Err(Errno::ECONNREFUSED);
    }
    let found = k.unix.names.get(&Name::Inode(at)).copied().ok_or(Errno::ECONNREFUSED)?;
    if k.unix.get(found)?.common.kind != kind {
        return Err(Errno::EPROTOTYPE);
    }
    // net/unix/af_unix.c, unix_find_bsd.
    let tree = k.tree()?;
    tree.vfs.touch(at, tree.now)?;
    Ok(found)
}

fn start(k: &Kernel) -> Result<Start, Errno> {
    let process = k.processes.get(k.current)?;
    Ok(Start { root: process.root(), dir: process.cwd() })
}
