//! File handles: a version, which export, and the tree's own handle.

use crate::export::{Export, Exports};
use crate::nfs3::Status;
use crate::server::Peer;
use vfs::{Location, Vfs};

/// `NFS3_FHSIZE`
pub(crate) const HANDLE_MAX: usize = 64;
const VERSION: u8 = 1;
const EXPORT: usize = 8;
/// Requests from ports below are those of a client's root.
const RESERVED_PORT: u16 = 1024;

/// The handle of something in an export; none: its file system has no handles.
pub(crate) fn of(vfs: &Vfs, export: &Export, at: Location) -> Result<Vec<u8>, Status> {
    let (inner, _) = vfs.handle_of(at)?;
    let handle = [&[VERSION][..], &export.id().to_be_bytes(), &inner].concat();
    if handle.len() > HANDLE_MAX { Err(Status::NOTSUPP) } else { Ok(handle) }
}

/// What a handle stands for.
///
/// # Errors
/// `BADHANDLE`: never one of ours. `STALE`: not exported any more, or gone. `ACCES`: not to this client.
pub(crate) fn resolve<'a>(
    vfs: &Vfs,
    exports: &'a Exports,
    peer: &Peer,
    handle: &[u8],
) -> Result<(Location, &'a Export), Status> {
    let rest = handle.strip_prefix(&[VERSION]).ok_or(Status::BADHANDLE)?;
    let (id, inner) = rest.split_first_chunk::<EXPORT>().ok_or(Status::BADHANDLE)?;
    let export = exports.by_id(u64::from_be_bytes(*id)).ok_or(Status::STALE)?;
    let options = allowed(export, peer)?;
    let at = match vfs.by_handle(Some(export.root), inner) {
        Err(abi::Errno::ESTALE) if options.crosses_mounts => vfs.by_handle(None, inner)?,
        found => found?,
    };
    Ok((at, export))
}

/// What holds for this client.
///
/// # Errors
/// `ACCES`: not for it, or not from this port.
pub(crate) fn allowed(export: &Export, peer: &Peer) -> Result<crate::export::Options, Status> {
    let options = export.options_for(peer.address).ok_or(Status::ACCES)?;
    if options.secure && peer.port >= RESERVED_PORT { Err(Status::ACCES) } else { Ok(options) }
}
