//! READDIR, READDIRPLUS.

use super::attribute::R_OK;
use super::{Object, Result, Status, handle_arg};
use crate::handle::HANDLE_MAX;
use crate::server::Request;
use crate::xdr::{Garbage, Reader, Writer, padding};
use vfs::Kind;

/// `cookieverf3`: a cookie stays good, whatever becomes of the directory.
const VERIFIER: [u8; 8] = [0; 8];
/// Around the entries: status, attributes, verifier, and the two words at the end.
const FRAME: usize = 4 + 88 + 8 + 8;
/// An entry without its name: that there is one, its number, the name's length, its cookie.
const ENTRY: usize = 4 + 8 + 4 + 8;
/// What READDIRPLUS tells besides: attributes and a handle.
const PLUS: usize = 88 + 8 + HANDLE_MAX;

struct Name {
    cookie: u64,
    ino: u64,
    name: Vec<u8>,
}

/// So much fits.
#[derive(Clone, Copy)]
struct Room {
    /// Bytes of names, cookies and numbers.
    names: usize,
    /// Bytes in all.
    all: usize,
    /// Bytes of an entry besides its name.
    entry: usize,
}

pub(super) fn readdir(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, cookie, _verifier, count) =
        (handle_arg(args)?, args.u64()?, args.array::<8>()?, args.u32()?);
    let room = room(request, u32::MAX, count, ENTRY);
    list(request, results, handle, cookie, room, |_, _, _, _| {});
    Ok(())
}

pub(super) fn readdirplus(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, cookie, _verifier) = (handle_arg(args)?, args.u64()?, args.array::<8>()?);
    let (dircount, maxcount) = (args.u32()?, args.u32()?);
    let room = room(request, dircount, maxcount, ENTRY + PLUS);
    list(request, results, handle, cookie, room, |request, results, dir, name| {
        // `..` of the exported directory is nobody's business, and who asks for it elsewhere looks it up.
        let found = if name == b".." { None } else { request.find(dir, name).ok() };
        request.put_attr(results, found);
        match found.and_then(|at| request.handle(handle, at).ok()) {
            Some(handle) => results.bool(true).opaque(&handle),
            None => results.bool(false),
        };
    });
    Ok(())
}

fn room(request: &Request<'_>, names: u32, all: u32, entry: usize) -> Room {
    let all = all.min(request.transfer_max()) as usize;
    Room { names: names as usize, all: all.saturating_sub(FRAME), entry }
}

fn list(
    request: &mut Request<'_>,
    results: &mut Writer,
    handle: &[u8],
    after: u64,
    room: Room,
    plus: impl Fn(&Request<'_>, &mut Writer, &Object, &[u8]),
) {
    let dir = request.object(handle);
    let outcome =
        dir.as_ref().map_err(|status| *status).and_then(|dir| Ok((dir, request.entries(dir, after, room)?)));
    results.u32(Status::of(&outcome).number());
    request.put_attr_of(results, &dir);
    if let Ok((dir, (names, end))) = outcome {
        results.fixed(&VERIFIER);
        for Name { cookie, ino, name } in &names {
            results.bool(true).u64(*ino).opaque(name).u64(*cookie);
            plus(request, results, dir, name);
        }
        results.bool(false).bool(end);
    }
}

impl Request<'_> {
    /// The entries behind a cookie that there is room for, and whether these are the last.
    fn entries(&mut self, dir: &Object, after: u64, room: Room) -> Result<(Vec<Name>, bool)> {
        if self.vfs.attr(dir.at)?.kind != Kind::Directory {
            return Err(Status::NOTDIR);
        }
        self.vfs.access(&dir.user.who(), dir.at, R_OK)?;
        let (mut names, mut end) = (Vec::new(), true);
        let (mut of_names, mut all) = (0, 0);
        let top = dir.at == dir.root;
        self.vfs.read_dir(dir.at, after, &mut |cookie, ino, _, name| {
            let padded = name.len() + padding(name.len());
            of_names += ENTRY + padded;
            all += room.entry + padded;
            if of_names > room.names || all > room.all {
                end = false;
                return false;
            }
            let ino = if top && name == b".." { dir.at.key().1 } else { ino };
            names.push(Name { cookie, ino, name: name.to_vec() });
            true
        })?;
        if names.is_empty() && !end {
            return Err(Status::TOOSMALL);
        }
        self.vfs.touch(dir.at, self.now)?;
        Ok((names, end))
    }
}
