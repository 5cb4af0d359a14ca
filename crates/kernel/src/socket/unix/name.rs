//! Names of `AF_UNIX` sockets: paths and abstract ones.

use super::path;
use super::table::UnixId;
use crate::Kernel;
use crate::call::Stop;
use crate::socket::address;
use abi::Errno;
use abi::raw::net::AF_UNIX;
use vfs::Location;

/// `sizeof (struct sockaddr_un)`.
const SOCKADDR_UN_LEN: usize = 110;
/// Where `sun_path` begins.
const PATH_AT: usize = 2;
/// Autobind's names are 5 hexadecimal digits.
const AUTO_NAMES: u32 = 1 << 20;

/// What finds a bound socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// A name of Linux's abstract name space, without its leading NUL. Each type of socket has its own (net/unix/
    /// af_unix.c, unix_abstract_hash).
    Abstract(u32, Vec<u8>),
    /// The inode that bind(2) made, wherever it is moved to. Held while the name is in use.
    Inode(Location),
}

/// bind(2). An address that is a family only asks for a free abstract name.
///
/// # Errors
/// As bind(2).
pub(super) fn bind(k: &mut Kernel, id: UnixId, addr: &[u8]) -> Result<(), Stop> {
    let auto = addr.len() == PATH_AT && address::family(addr) == Some(AF_UNIX);
    if !auto {
        validate(addr)?;
    }
    let end = k.unix.get(id)?;
    let kind = end.common.kind;
    let bound = end.has_name();
    if let (false, Some(path)) = (auto, path_in(addr)) {
        let name = Name::Inode(path::make(k, path, bound)?);
        return Ok(enter(k, id, name, whole_path(path))?);
    }
    match (auto, bound) {
        (true, true) => return Ok(()),
        (true, false) => return Ok(autobind(k, id, kind)?),
        (false, true) => return Err(Errno::EINVAL.into()),
        (false, false) => {}
    }
    let name = abstract_name(addr, kind);
    if k.unix.names.contains_key(&name) {
        return Err(Errno::EADDRINUSE.into());
    }
    Ok(enter(k, id, name, addr.to_vec())?)
}

/// Gives the socket a free abstract name (unix(7), autobind feature).
///
/// # Errors
/// `ENOSPC`: none is free.
fn autobind(k: &mut Kernel, id: UnixId, kind: u32) -> Result<(), Errno> {
    for _ in 0..AUTO_NAMES {
        let text = format!("{:05x}", k.unix.next_auto).into_bytes();
        k.unix.next_auto = (k.unix.next_auto + 1) % AUTO_NAMES;
        let mut addr = address::narrow(AF_UNIX).to_ne_bytes().to_vec();
        addr.push(0);
        addr.extend_from_slice(&text);
        let name = Name::Abstract(kind, text);
        if !k.unix.names.contains_key(&name) {
            return enter(k, id, name, addr);
        }
    }
    Err(Errno::ENOSPC)
}

fn enter(k: &mut Kernel, id: UnixId, name: Name, addr: Vec<u8>) -> Result<(), Errno> {
    let end = k.unix.get_mut(id)?;
    end.bound = Some(name.clone());
    *end.address.borrow_mut() = addr;
    k.unix.names.insert(name, id);
    Ok(())
}

/// The socket with this address, for one of this type.
///
/// # Errors
/// `EINVAL`: malformed. `ECONNREFUSED`: nobody has it. Of a path: as path_resolution(7), `EACCES`, `EPROTOTYPE`.
pub(super) fn find(k: &mut Kernel, addr: &[u8], kind: u32) -> Result<UnixId, Stop> {
    validate(addr)?;
    if let Some(path) = path_in(addr) {
        return Ok(path::find(k, path, kind)?);
    }
    Ok(k.unix.names.get(&abstract_name(addr, kind)).copied().ok_or(Errno::ECONNREFUSED)?)
}

/// A socket that had this name is gone.
pub(super) fn leave(k: &mut Kernel, name: &Name) {
    k.unix.names.remove(name);
    if let Name::Inode(at) = name {
        k.fs.vfs.hold(*at, false);
    }
}

pub(super) fn validate(addr: &[u8]) -> Result<(), Errno> {
    let fits = (PATH_AT + 1..=SOCKADDR_UN_LEN).contains(&addr.len());
    if fits && address::family(addr) == Some(AF_UNIX) { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The path in an address, which ends at its first NUL or, where there is none, with the address (unix(7), "BUGS").
fn path_in(addr: &[u8]) -> Option<&[u8]> {
    let path = addr.get(PATH_AT..)?.split(|byte| *byte == 0).next()?;
    if path.is_empty() { None } else { Some(path) }
}

/// The address that names a path: as the program wrote it, with its NUL, which is counted (unix(7), "Address format").
fn whole_path(path: &[u8]) -> Vec<u8> {
    [&address::narrow(AF_UNIX).to_ne_bytes()[..], path, &[0]].concat()
}

fn abstract_name(addr: &[u8], kind: u32) -> Name {
    Name::Abstract(kind, addr.get(PATH_AT + 1..).unwrap_or_default().to_vec())
}

/// As ss(8) prints it: `@` for the leading NUL, `*` for none.
pub(super) fn show(addr: &[u8]) -> String {
    match addr.get(PATH_AT..).unwrap_or_default() {
        [] => "*".to_owned(),
        [0, name @ ..] => format!("@{}", printable(name)),
        path => printable(path.split(|byte| *byte == 0).next().unwrap_or_default()),
    }
}

fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
