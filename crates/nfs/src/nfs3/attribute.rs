//! GETATTR, SETATTR, ACCESS.

use super::types::{Change, on_the_wire, put_attr, time};
use super::{Object, Result, Status, handle_arg};
use crate::server::Request;
use crate::xdr::{Garbage, Reader, Writer};
use abi::Errno;
use vfs::{Attr, Kind, Time};

/// access(2)
pub(super) const R_OK: u32 = 4;
pub(super) const W_OK: u32 = 2;
pub(super) const X_OK: u32 = 1;

/// What ACCESS asks for, and the permission that it takes of a file and of a directory.
const ACCESS: &[(u32, Option<u32>, Option<u32>)] = &[
    (0x01, Some(R_OK), Some(R_OK)),        // READ
    (0x02, None, Some(X_OK)),              // LOOKUP
    (0x04, Some(W_OK), Some(W_OK | X_OK)), // MODIFY
    (0x08, Some(W_OK), Some(W_OK | X_OK)), // EXTEND
    (0x10, None, Some(W_OK | X_OK)),       // DELETE
    (0x20, Some(X_OK), None),              // EXECUTE
];

pub(super) fn getattr(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let handle = handle_arg(args)?;
    let found = request.object(handle).and_then(|object| Ok((request.vfs.attr(object.at)?, object.at)));
    results.u32(Status::of(&found).number());
    if let Ok((attr, at)) = found {
        put_attr(results, &attr, request.vfs.dev(at));
    }
    Ok(())
}

pub(super) fn setattr(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, change) = (handle_arg(args)?, Change::parse(args)?);
    let guard = args.optional(time)?;
    let object = request.object(handle);
    let before = request.attr(&object);
    let outcome = object.as_ref().map_err(|status| *status).and_then(|object| {
        guarded(before.as_ref(), guard)?;
        object.writable()?;
        request.change(object, &change)
    });
    results.u32(Status::of(&outcome).number());
    request.put_change(results, before.as_ref(), &object);
    Ok(())
}

/// The client knows what it changes: nobody has changed it since.
fn guarded(attr: Option<&Attr>, ctime: Option<Time>) -> Result<()> {
    let same = ctime.is_none_or(|ctime| attr.is_some_and(|attr| on_the_wire(attr.ctime) == ctime));
    if same { Ok(()) } else { Err(Status::NOT_SYNC) }
}

pub(super) fn access(
    request: &mut Request<'_>,
    args: &mut Reader<'_>,
    results: &mut Writer,
) -> Result<(), Garbage> {
    let (handle, wanted) = (handle_arg(args)?, args.u32()?);
    let object = request.object(handle);
    let granted = object.as_ref().map_err(|status| *status).and_then(|object| request.granted(object));
    results.u32(Status::of(&granted).number());
    request.put_attr_of(results, &object);
    if let Ok(granted) = granted {
        results.u32(granted & wanted);
    }
    Ok(())
}

impl Request<'_> {
    fn granted(&self, object: &Object) -> Result<u32> {
        let directory = self.vfs.attr(object.at)?.kind == Kind::Directory;
        let who = object.user.who();
        let mut granted = 0;
        for (bit, of_file, of_directory) in ACCESS {
            let Some(mode) = (if directory { *of_directory } else { *of_file }) else { continue };
            if mode & W_OK != 0 && !object.options.writable {
                continue;
            }
            match self.vfs.access(&who, object.at, mode) {
                Ok(()) => granted |= bit,
                Err(Errno::EACCES | Errno::EROFS) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(granted)
    }

    /// Makes the changes that are asked for, as chmod(2), chown(2), truncate(2) and utimensat(2) do.
    pub(super) fn change(&mut self, object: &Object, change: &Change) -> Result<()> {
        let (who, at, now) = (object.user.who(), object.at, self.now);
        if let Some(size) = change.size {
            self.may_write(object)?;
            if self.vfs.attr(at)?.size != size {
                self.vfs.set_size(&who, at, size, now)?;
            }
        }
        if change.uid.is_some() || change.gid.is_some() {
            self.vfs.chown(&who, at, change.uid, change.gid, now)?;
        }
        if let Some(mode) = change.mode {
            self.vfs.chmod(&who, at, mode, now)?;
        }
        Ok(self.vfs.utimens(&who, at, change.atime, change.mtime, now)?)
    }

    /// A regular file may be read, or run: the client's kernel has checked which. Its owner may always: it has the file open.
    pub(super) fn may_read(&self, object: &Object) -> Result<Attr> {
        let attr = self.regular(object)?;
        let who = object.user.who();
        match self.vfs.access(&who, object.at, R_OK) {
            Err(Errno::EACCES) if who.owns(&attr) => {}
            Err(Errno::EACCES) => self.vfs.access(&who, object.at, X_OK)?,
            outcome => outcome?,
        }
        Ok(attr)
    }

    /// The same of writing.
    pub(super) fn may_write(&self, object: &Object) -> Result<Attr> {
        object.writable()?;
        let attr = self.regular(object)?;
        let who = object.user.who();
        match self.vfs.access(&who, object.at, W_OK) {
            Err(Errno::EACCES) if who.owns(&attr) => {}
            outcome => outcome?,
        }
        Ok(attr)
    }

    fn regular(&self, object: &Object) -> Result<Attr> {
        let attr = self.vfs.attr(object.at)?;
        match attr.kind {
            Kind::Regular => Ok(attr),
            Kind::Directory => Err(Status::ISDIR),
            _ => Err(Status::INVAL),
        }
    }
}
