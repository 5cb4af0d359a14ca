//! MOUNT version 3 (RFC 1813, appendix I): the handles to begin with.

use crate::handle;
use crate::nfs3::Status;
use crate::rpc::{AUTH_SYS, Call, Refused};
use crate::server::Request;
use crate::xdr::{Reader, Writer};
use std::collections::VecDeque;
use std::net::IpAddr;
use vfs::{Follow, Start, Who};

pub(crate) const PROGRAM: u32 = 100_005;
pub(crate) const VERSION: u32 = 3;
/// `MNTPATHLEN`
const PATH_MAX: usize = 1024;
/// Of so many it is known that they have mounted something: nothing depends on it.
const MOUNTED_MAX: usize = 1024;

/// Who has mounted what, as clients tell.
#[derive(Debug, Default)]
pub(crate) struct Mounted(VecDeque<(IpAddr, Vec<u8>)>);

pub(crate) fn serve(request: &mut Request<'_>, call: &Call<'_>) -> Result<Writer, Refused> {
    if call.version != VERSION {
        return Err(Refused::Versions(VERSION, VERSION));
    }
    let mut results = Writer::default();
    let args = &mut call.args.clone();
    match call.procedure {
        0 => {}
        1 => mnt(request, args, &mut results)?,
        2 => dump(request, &mut results),
        3 => {
            let path = args.opaque(PATH_MAX)?;
            request.mounted.0.retain(|(who, what)| *who != request.peer.address || what != path);
        }
        4 => request.mounted.0.retain(|(who, _)| *who != request.peer.address),
        5 => export(request, &mut results),
        _ => return Err(Refused::NoProcedure),
    }
    Ok(results)
}

/// `MOUNTPROC3_MNT`: the handle of a directory.
fn mnt(request: &mut Request<'_>, args: &mut Reader<'_>, results: &mut Writer) -> Result<(), Refused> {
    let path = args.opaque(PATH_MAX)?;
    match find(request, path) {
        Ok(handle) => {
            results.u32(0).opaque(&handle).u32(1).u32(AUTH_SYS);
            let mounted = &mut request.mounted.0;
            let entry = (request.peer.address, path.to_vec());
            if !mounted.contains(&entry) {
                mounted.truncate(MOUNTED_MAX - 1);
                mounted.push_front(entry);
            }
        }
        // `mountstat3` has the numbers of `nfsstat3`.
        Err(status) => {
            results.u32(status.number());
        }
    }
    Ok(())
}

fn find(request: &Request<'_>, path: &[u8]) -> Result<Vec<u8>, Status> {
    // Who is not told of an export is not told either whether there is one.
    let (export, rest) = request.exports.above(path).ok_or(Status::ACCES)?;
    handle::allowed(export, &request.peer)?;
    let root = Who { uid: 0, gid: 0, groups: &[], umask: 0, prefix: b"" };
    let start = Start { root: export.root, dir: export.root };
    let below = [b".", rest].concat();
    let at = request.vfs.lookup(&root, start, &below, Follow::No)?;
    if !at.same_mount(&export.root) {
        return Err(Status::ACCES);
    }
    handle::of(request.vfs, export, at)
}

/// `MOUNTPROC3_DUMP`
fn dump(request: &Request<'_>, results: &mut Writer) {
    for (who, what) in &request.mounted.0 {
        results.bool(true).opaque(who.to_string().as_bytes()).opaque(what);
    }
    results.bool(false);
}

/// `MOUNTPROC3_EXPORT`: everybody may ask.
fn export(request: &Request<'_>, results: &mut Writer) {
    for export in request.exports.iter() {
        results.bool(true).opaque(&export.path);
        for client in &export.clients {
            results.bool(true).opaque(client.text().as_bytes());
        }
        results.bool(false);
    }
    results.bool(false);
}
