//! NFS version 3 (RFC 1813). A procedure is a function of the file that its name belongs to.

mod attribute;
mod data;
mod directory;
mod names;
mod system;
mod types;

pub(crate) use types::Status;

use crate::export::{Export, Options, Squash};
use crate::handle::{self, HANDLE_MAX};
use crate::rpc::{Call, Credentials, Refused};
use crate::server::Request;
use crate::xdr::{Garbage, Reader, Writer};
use vfs::{Attr, Location, Start, Who};

pub(crate) const PROGRAM: u32 = 100_003;
pub(crate) const VERSION: u32 = 3;
/// The most that READ and WRITE move in bytes.
pub(crate) const TRANSFER_MAX: u32 = 1 << 20;
/// The same in one datagram.
const DATAGRAM_TRANSFER_MAX: u32 = 32 << 10;
/// Longer names no file system has (`NAME_MAX`), but some room is left to say so.
const NAME_MAX: usize = 1024;

/// One procedure: takes its arguments, writes its results.
type Procedure = fn(&mut Request<'_>, &mut Reader<'_>, &mut Writer) -> Result<(), Garbage>;

/// By their numbers.
const PROCEDURES: &[Procedure] = &[
    |_, _, _| Ok(()),
    attribute::getattr,
    attribute::setattr,
    names::lookup,
    attribute::access,
    names::readlink,
    data::read,
    data::write,
    names::create,
    names::mkdir,
    names::symlink,
    names::mknod,
    names::remove,
    names::rmdir,
    names::rename,
    names::link,
    directory::readdir,
    directory::readdirplus,
    system::fsstat,
    system::fsinfo,
    system::pathconf,
    data::commit,
];

/// Whether a procedure, done twice, fails the second time or does something else: SETATTR, and CREATE to LINK.
pub(crate) const fn changes_names(procedure: u32) -> bool {
    matches!(procedure, 2 | 8..=15)
}

pub(crate) fn serve(request: &mut Request<'_>, call: &Call<'_>) -> Result<Writer, Refused> {
    if call.version != VERSION {
        return Err(Refused::Versions(VERSION, VERSION));
    }
    let number = usize::try_from(call.procedure).map_err(|_| Refused::NoProcedure)?;
    let procedure = PROCEDURES.get(number).ok_or(Refused::NoProcedure)?;
    let mut results = Writer::default();
    procedure(request, &mut call.args.clone(), &mut results)?;
    Ok(results)
}

type Result<T, E = Status> = std::result::Result<T, E>;

/// Something that a client has a handle of, and what it may do.
pub(crate) struct Object {
    pub(crate) at: Location,
    pub(crate) root: Location,
    pub(crate) options: Options,
    pub(crate) user: User,
}

/// Whom a request acts for.
pub(crate) struct User {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

impl User {
    pub(crate) fn who(&self) -> Who<'_> {
        Who { uid: self.uid, gid: self.gid, groups: &self.groups, umask: 0, prefix: b"" }
    }

    /// exports(5), 'User ID Mapping'.
    fn squashed(credentials: &Credentials, options: &Options) -> Self {
        let anonymous = (options.anonymous_uid, options.anonymous_gid);
        let (uid, gid, groups) = match credentials {
            Credentials::Sys { uid, gid, groups } if options.squash != Squash::All => {
                (*uid, *gid, groups.clone())
            }
            _ => (anonymous.0, anonymous.1, Vec::new()),
        };
        if options.squash != Squash::Root {
            return Self { uid, gid, groups };
        }
        Self {
            uid: if uid == 0 { anonymous.0 } else { uid },
            gid: if gid == 0 { anonymous.1 } else { gid },
            groups: groups.into_iter().map(|group| if group == 0 { anonymous.1 } else { group }).collect(),
        }
    }
}

impl Object {
    /// Where names in this directory are looked up: nothing leads out of the export.
    pub(crate) const fn start(&self) -> Start {
        Start { root: self.root, dir: self.at }
    }

    /// # Errors
    /// `ROFS`: exported to be read.
    pub(crate) const fn writable(&self) -> Result<()> {
        if self.options.writable { Ok(()) } else { Err(Status::ROFS) }
    }
}

impl Request<'_> {
    /// What a handle stands for, to whom asks.
    pub(crate) fn object(&self, handle: &[u8]) -> Result<Object> {
        let (at, export) = handle::resolve(self.vfs, self.exports, &self.peer, handle)?;
        let options = export.options_for(self.peer.address).ok_or(Status::ACCES)?;
        let user = User::squashed(&self.credentials, &options);
        Ok(Object { at, root: export.root, options, user })
    }

    /// The handle of something in the export of another handle.
    pub(crate) fn handle(&self, of: &[u8], at: Location) -> Result<Vec<u8>> {
        let (_, export): (_, &Export) = handle::resolve(self.vfs, self.exports, &self.peer, of)?;
        handle::of(self.vfs, export, at)
    }

    /// Attributes to be told along with a result: none if they are not to be had.
    pub(crate) fn attr(&self, object: &Result<Object>) -> Option<Attr> {
        object.as_ref().ok().and_then(|object| self.vfs.attr(object.at).ok())
    }

    /// `post_op_attr`
    pub(crate) fn put_attr(&self, results: &mut Writer, at: Option<Location>) {
        match at.and_then(|at| Some((self.vfs.attr(at).ok()?, self.vfs.dev(at)))) {
            Some((attr, dev)) => types::put_attr(results.bool(true), &attr, dev),
            None => {
                results.bool(false);
            }
        }
    }

    /// `post_op_attr` of what a handle led to, if it led anywhere.
    pub(crate) fn put_attr_of(&self, results: &mut Writer, object: &Result<Object>) {
        self.put_attr(results, object.as_ref().ok().map(|object| object.at));
    }

    /// `wcc_data`: what it was before, and what it is now.
    pub(crate) fn put_change(&self, results: &mut Writer, before: Option<&Attr>, object: &Result<Object>) {
        types::put_before(results, before);
        self.put_attr_of(results, object);
    }

    /// The most that is read or written at once.
    pub(crate) const fn transfer_max(&self) -> u32 {
        if self.peer.stream { TRANSFER_MAX } else { DATAGRAM_TRANSFER_MAX }
    }
}

/// `nfs_fh3`
fn handle_arg<'a>(args: &mut Reader<'a>) -> Result<&'a [u8], Garbage> {
    args.opaque(HANDLE_MAX)
}

/// `diropargs3`: a directory and a name in it.
fn name_arg<'a>(args: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Garbage> {
    Ok((handle_arg(args)?, args.opaque(NAME_MAX)?))
}

/// A name that is no path.
fn plain(name: &[u8]) -> Result<&[u8]> {
    match name {
        b"" => Err(Status::ACCES),
        name if name.contains(&b'/') || name.contains(&0) => Err(Status::ACCES),
        name => Ok(name),
    }
}

/// A name that something may be made or taken away under.
fn entry(name: &[u8]) -> Result<&[u8]> {
    match plain(name)? {
        b"." | b".." => Err(Status::INVAL),
        name => Ok(name),
    }
}
