//! Names of `AF_UNIX` sockets: paths and abstract ones.

use super::table::UnixId;
use crate::Kernel;
use crate::call::Stop;
use crate::socket::address;
use abi::Errno;
use abi::raw::net::AF_UNIX;

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
    if end.bound.is_some() {
        return Err(Errno::EINVAL.into());
    }
    if auto {
        return Ok(autobind(k, id, kind)?);
    }
    let name = parse(addr, kind)?;
    if k.unix.names.contains_key(&name) {
        return Err(Errno::EADDRINUSE.into());
    }
    enter(k, id, name, addr.to_vec())?;
    Ok(())
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
    end.address = addr;
    k.unix.names.insert(name, id);
    Ok(())
}

/// The socket with this address, for one of this type.
///
/// # Errors
/// `EINVAL`: malformed. `ECONNREFUSED`: nobody has it.
pub(super) fn find(k: &mut Kernel, addr: &[u8], kind: u32) -> Result<UnixId, Stop> {
    validate(addr)?;
    let name = parse(addr, kind)?;
    Ok(k.unix.names.get(&name).copied().ok_or(Errno::ECONNREFUSED)?)
}

fn validate(addr: &[u8]) -> Result<(), Errno> {
    let fits = (PATH_AT + 1..=SOCKADDR_UN_LEN).contains(&addr.len());
    if fits && address::family(addr) == Some(AF_UNIX) { Ok(()) } else { Err(Errno::EINVAL) }
}

/// The name in an address that was validated.
///
/// # Errors
/// `ENOENT`: a path, and no file system is mounted that could hold it.
fn parse(addr: &[u8], kind: u32) -> Result<Name, Errno> {
    match &addr[PATH_AT..] {
        [0, name @ ..] => Ok(Name::Abstract(kind, name.to_vec())),
        _ => Err(Errno::ENOENT),
    }
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
