//! LOOKUP, READLINK, and the procedures that make, remove and move names.

use super::types::{Change, device, special};
use super::{Object, Result, Status, entry, handle_arg, name_arg, plain};
use crate::server::Request;
use crate::xdr::{Garbage, Reader, Writer};
use abi::Errno;
use abi::raw::general::{AT_REMOVEDIR, O_CREAT, O_EXCL};
use vfs::{Attr, Follow, Kind, Location, Opening, SetTime};

/// Longest target of a symbolic link.
const TARGET_MAX: usize = 4096;
const SECOND_NS: u64 = 1_000_000_000;

/// `createmode3`
enum How {
    Unchecked(Change),
    Guarded(Change),
    Exclusive([u8; 8]),
}

pub(super) fn lookup(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, name) = name_arg(args)?;
    let dir = request.object(handle);
    let outcome = dir.as_ref().map_err(|status| *status).and_then(|dir| {
        let at = request.find(dir, plain(name)?)?;
        Ok((request.handle(handle, at)?, at))
    });
    results.u32(Status::of(&outcome).number());
    if let Ok((found, at)) = outcome {
        results.opaque(&found);
        request.put_attr(results, Some(at));
    }
    request.put_attr_of(results, &dir);
    Ok(())
}

pub(super) fn readlink(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let handle = handle_arg(args)?;
    let object = request.object(handle);
    let outcome = object.as_ref().map_err(|status| *status).and_then(|object| {
        match request.vfs.attr(object.at)?.kind {
            Kind::Symlink => Ok(request.vfs.readlink(&object.user.who(), object.root, object.at)?),
            _ => Err(Status::INVAL),
        }
    });
    results.u32(Status::of(&outcome).number());
    request.put_attr_of(results, &object);
    if let Ok(target) = outcome {
        results.opaque(&target);
    }
    Ok(())
}

pub(super) fn create(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, name) = name_arg(args)?;
    let how = match args.u32()? {
        0 => How::Unchecked(Change::parse(args)?),
        1 => How::Guarded(Change::parse(args)?),
        2 => How::Exclusive(args.array()?),
        _ => return Err(Garbage),
    };
    request.make(handle, results, |request, dir| request.create(dir, entry(name)?, &how));
    Ok(())
}

pub(super) fn mkdir(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let ((handle, name), change) = (name_arg(args)?, Change::parse(args)?);
    request.make(handle, results, |request, dir| {
        let (who, name) = (dir.user.who(), entry(name)?);
        request.vfs.mkdir(&who, dir.start(), name, change.mode.unwrap_or(0o777), request.now)?;
        let at = request.find(dir, name)?;
        request.finish(dir, at, &Change { mode: None, ..change })?;
        Ok(at)
    });
    Ok(())
}

pub(super) fn symlink(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let ((handle, name), change) = (name_arg(args)?, Change::parse(args)?);
    let target = args.opaque(TARGET_MAX)?;
    request.make(handle, results, |request, dir| {
        if target.contains(&0) {
            return Err(Status::INVAL);
        }
        let (who, name) = (dir.user.who(), entry(name)?);
        request.vfs.symlink(&who, target, dir.start(), name, request.now)?;
        let at = request.find(dir, name)?;
        // Links have no permissions that could be set.
        request.finish(dir, at, &Change { mode: None, size: None, ..change })?;
        Ok(at)
    });
    Ok(())
}

pub(super) fn mknod(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let ((handle, name), file_type) = (name_arg(args)?, args.u32()?);
    let kind = special(file_type);
    let change = if kind.is_some() { Some(Change::parse(args)?) } else { None };
    let rdev = if matches!(kind, Some(Kind::Block | Kind::Char)) { device(args)? } else { 0 };
    request.make(handle, results, |request, dir| {
        let (Some(kind), Some(change)) = (kind, change) else { return Err(Status::BADTYPE) };
        let mode = change.mode.unwrap_or(0o666) & 0o7777 | kind.bits();
        let at = request.vfs.mknod(&dir.user.who(), dir.start(), entry(name)?, mode, rdev, request.now)?;
        request.finish(dir, at, &Change { mode: None, size: None, ..change })?;
        Ok(at)
    });
    Ok(())
}

pub(super) fn remove(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    unlink(request, args, results, 0)
}

pub(super) fn rmdir(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    unlink(request, args, results, AT_REMOVEDIR)
}

fn unlink(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
    flags: u32,
) -> Result<(), Garbage> {
    let (handle, name) = name_arg(args)?;
    let dir = request.object(handle);
    let before = request.attr(&dir);
    let outcome = dir.as_ref().map_err(|status| *status).and_then(|dir| {
        dir.writable()?;
        let (who, name) = (dir.user.who(), entry(name)?);
        Ok(request.vfs.unlink(&who, dir.start(), name, flags, request.now)?)
    });
    results.u32(Status::of(&outcome).number());
    request.put_change(results, before.as_ref(), &dir);
    Ok(())
}

pub(super) fn rename(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let ((from_handle, old), (to_handle, new)) = (name_arg(args)?, name_arg(args)?);
    let (from, to) = (request.object(from_handle), request.object(to_handle));
    let before = (request.attr(&from), request.attr(&to));
    let outcome = both(&from, &to).and_then(|(from, to)| {
        to.writable()?;
        let (who, now) = (from.user.who(), request.now);
        let (old, new) = ((from.start(), entry(old)?), (to.start(), entry(new)?));
        Ok(request.vfs.rename(&who, old, new, 0, now)?)
    });
    results.u32(Status::of(&outcome).number());
    request.put_change(results, before.0.as_ref(), &from);
    request.put_change(results, before.1.as_ref(), &to);
    Ok(())
}

pub(super) fn link(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, (dir_handle, name)) = (handle_arg(args)?, name_arg(args)?);
    let (object, dir) = (request.object(handle), request.object(dir_handle));
    let before = request.attr(&dir);
    let outcome = both(&object, &dir).and_then(|(object, dir)| {
        dir.writable()?;
        let (who, now) = (dir.user.who(), request.now);
        Ok(request.vfs.link(&who, object.at, dir.start(), entry(name)?, now)?)
    });
    results.u32(Status::of(&outcome).number());
    request.put_attr_of(results, &object);
    request.put_change(results, before.as_ref(), &dir);
    Ok(())
}

/// Both, which must be of one export.
fn both<'o>(one: &'o Result<Object>, other: &'o Result<Object>) -> Result<(&'o Object, &'o Object)> {
    match (one, other) {
        (Ok(one), Ok(other)) if one.root == other.root && one.options == other.options => Ok((one, other)),
        (Ok(_), Ok(_)) => Err(Status::XDEV),
        (Err(status), _) | (_, Err(status)) => Err(*status),
    }
}

impl Request<'_> {
    /// What a name in a directory stands for. The parent of the exported directory is itself, and what is mounted on something is
    /// not seen, unless the export says so (`crossmnt`).
    pub(super) fn find(&self, dir: &Object, name: &[u8]) -> Result<Location> {
        let at = self.vfs.lookup(&dir.user.who(), dir.start(), name, Follow::No)?;
        if at.same_mount(&dir.at) || dir.options.crosses_mounts {
            return Ok(at);
        }
        Ok(self.vfs.covered_by(at).filter(|below| below.same_mount(&dir.at)).ok_or(Errno::EACCES)?)
    }

    /// A procedure that makes something in a directory: `diropres3`.
    fn make(
        &mut self,
        handle: &[u8],
        results: &mut Writer,
        make: impl FnOnce(&mut Self, &Object) -> Result<Location>,
    ) {
        let dir = self.object(handle);
        let before = self.attr(&dir);
        let outcome = dir.as_ref().map_err(|status| *status).and_then(|dir| {
            dir.writable()?;
            make(self, dir)
        });
        results.u32(Status::of(&outcome).number());
        if let Ok(at) = outcome {
            match self.handle(handle, at) {
                Ok(handle) => results.bool(true).opaque(&handle),
                // The client looks the name up.
                Err(_) => results.bool(false),
            };
            self.put_attr(results, Some(at));
        }
        self.put_change(results, before.as_ref(), &dir);
    }

    fn create(&mut self, dir: &Object, name: &[u8], how: &How) -> Result<Location> {
        match self.find(dir, name) {
            Ok(at) => self.take(dir, at, how),
            Err(Status::NOENT) => {
                let change = match how {
                    How::Unchecked(change) | How::Guarded(change) => *change,
                    How::Exclusive(verifier) => marked(verifier),
                };
                let mode = change.mode.unwrap_or(0o666);
                let opening = Opening { flags: O_CREAT | O_EXCL, mode, resolve: 0 };
                let made = self.vfs.open(&dir.user.who(), dir.start(), name, opening, self.now)?;
                self.finish(
                    dir,
                    made.at,
                    &Change { mode: None, size: change.size.filter(|size| *size > 0), ..change },
                )?;
                Ok(made.at)
            }
            Err(status) => Err(status),
        }
    }

    /// A file is there already.
    fn take(&mut self, dir: &Object, at: Location, how: &How) -> Result<Location> {
        let attr = self.vfs.attr(at)?;
        match how {
            How::Unchecked(change) if attr.kind == Kind::Regular => {
                // Linux's server, too, sets nothing but the size.
                let resize = Change { size: change.size, ..NO_CHANGE };
                self.finish(dir, at, &resize)?;
                Ok(at)
            }
            // It is the one that this very request has made before.
            How::Exclusive(verifier) if attr.kind == Kind::Regular && is_marked(&attr, verifier) => Ok(at),
            _ => Err(Status::EXIST),
        }
    }

    /// What a new file is to be besides.
    fn finish(&mut self, dir: &Object, at: Location, change: &Change) -> Result<()> {
        let user = super::User { uid: dir.user.uid, gid: dir.user.gid, groups: dir.user.groups.clone() };
        // Clients say whose the file is to be, which it is.
        let attr = self.vfs.attr(at)?;
        let change = Change {
            uid: change.uid.filter(|uid| *uid != attr.uid),
            gid: change.gid.filter(|gid| *gid != attr.gid),
            ..*change
        };
        self.change(&Object { at, root: dir.root, options: dir.options, user }, &change)
    }
}

const NO_CHANGE: Change =
    Change { mode: None, uid: None, gid: None, size: None, atime: SetTime::Omit, mtime: SetTime::Omit };

/// The times that a file has which was made with this verifier: what RFC 1813 suggests, and Linux does.
fn marks(verifier: &[u8; 8]) -> (u64, u64) {
    let word =
        |at: usize| verifier[at..at + 4].iter().fold(0, |word: u64, byte| word << 8 | u64::from(*byte));
    ((word(0) & 0x7fff_ffff) * SECOND_NS, (word(4) & 0x7fff_ffff) * SECOND_NS)
}

fn marked(verifier: &[u8; 8]) -> Change {
    let (atime, mtime) = marks(verifier);
    Change { atime: SetTime::To(atime), mtime: SetTime::To(mtime), mode: Some(0), ..NO_CHANGE }
}

fn is_marked(attr: &Attr, verifier: &[u8; 8]) -> bool {
    (attr.atime, attr.mtime) == marks(verifier)
}
