//! ONC RPC version 2 (RFC 5531): what stands around a procedure's arguments and results.

use crate::xdr::{Garbage, Reader, Writer};

const CALL: u32 = 0;
const REPLY: u32 = 1;
const RPC_VERSION: u32 = 2;
/// `reply_stat`
const MSG_ACCEPTED: u32 = 0;
const MSG_DENIED: u32 = 1;
/// `reject_stat`
const RPC_MISMATCH: u32 = 0;
const AUTH_ERROR: u32 = 1;
/// `auth_stat`
const AUTH_BADCRED: u32 = 1;
const AUTH_TOOWEAK: u32 = 5;
/// `auth_flavor`
const AUTH_NONE: u32 = 0;
/// `auth_flavor`
pub(crate) const AUTH_SYS: u32 = 1;
/// Longest body of credentials.
const AUTH_MAX: usize = 400;
/// `authsys_parms`
const MACHINE_MAX: usize = 255;
const GROUPS_MAX: u32 = 16;

/// A call.
pub(crate) struct Call<'a> {
    pub(crate) xid: u32,
    pub(crate) program: u32,
    pub(crate) version: u32,
    pub(crate) procedure: u32,
    pub(crate) credentials: Result<Credentials, Refused>,
    pub(crate) args: Reader<'a>,
}

/// Who a client says that it acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// Nobody.
    None,
    /// A user (AUTH_SYS).
    Sys { uid: u32, gid: u32, groups: Vec<u32> },
}

/// Why a call was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// `PROG_UNAVAIL`
    NoProgram,
    /// `PROG_MISMATCH`: the versions that there are.
    Versions(u32, u32),
    /// `PROC_UNAVAIL`
    NoProcedure,
    /// `GARBAGE_ARGS`
    Garbage,
    /// `AUTH_BADCRED`
    BadCredentials,
    /// `AUTH_TOOWEAK`
    WeakCredentials,
}

impl From<Garbage> for Refused {
    fn from(_: Garbage) -> Self {
        Self::Garbage
    }
}

impl<'a> Call<'a> {
    /// None: it is no call, and nobody is to be answered. An error: the answer to another version of RPC.
    pub(crate) fn parse(message: &'a [u8]) -> Option<Result<Self, Vec<u8>>> {
        let mut reader = Reader::new(message);
        let (xid, kind, version) = (reader.u32().ok()?, reader.u32().ok()?, reader.u32().ok()?);
        if kind != CALL {
            return None;
        }
        if version != RPC_VERSION {
            let mut reply = Writer::default();
            reply.u32(xid).u32(REPLY).u32(MSG_DENIED).u32(RPC_MISMATCH).u32(RPC_VERSION).u32(RPC_VERSION);
            return Some(Err(reply.into_bytes()));
        }
        let (program, version, procedure) = (reader.u32().ok()?, reader.u32().ok()?, reader.u32().ok()?);
        let (flavor, body) = (reader.u32().ok()?, reader.opaque(AUTH_MAX).ok()?);
        // The verifier says nothing with these flavors.
        let _ = (reader.u32().ok()?, reader.opaque(AUTH_MAX).ok()?);
        let credentials = credentials(flavor, body);
        Some(Ok(Self { xid, program, version, procedure, credentials, args: reader }))
    }

    /// The reply with a procedure's results.
    pub(crate) fn reply(&self, outcome: Result<Writer, Refused>) -> Vec<u8> {
        let mut reply = Writer::default();
        reply.u32(self.xid).u32(REPLY);
        let refused = match outcome {
            Ok(results) => {
                accepted(&mut reply, 0).fixed(&results.into_bytes());
                return reply.into_bytes();
            }
            Err(refused) => refused,
        };
        match refused {
            Refused::NoProgram => accepted(&mut reply, 1),
            Refused::Versions(low, high) => accepted(&mut reply, 2).u32(low).u32(high),
            Refused::NoProcedure => accepted(&mut reply, 3),
            Refused::Garbage => accepted(&mut reply, 4),
            Refused::BadCredentials => reply.u32(MSG_DENIED).u32(AUTH_ERROR).u32(AUTH_BADCRED),
            Refused::WeakCredentials => reply.u32(MSG_DENIED).u32(AUTH_ERROR).u32(AUTH_TOOWEAK),
        };
        reply.into_bytes()
    }
}

/// `accepted_reply` with a verifier that says nothing.
fn accepted(reply: &mut Writer, status: u32) -> &mut Writer {
    reply.u32(MSG_ACCEPTED).u32(AUTH_NONE).u32(0).u32(status)
}

fn credentials(flavor: u32, body: &[u8]) -> Result<Credentials, Refused> {
    match flavor {
        AUTH_NONE => Ok(Credentials::None),
        AUTH_SYS => sys(body).map_err(|Garbage| Refused::BadCredentials),
        _ => Err(Refused::WeakCredentials),
    }
}

fn sys(body: &[u8]) -> Result<Credentials, Garbage> {
    let mut reader = Reader::new(body);
    let (_stamp, _machine) = (reader.u32()?, reader.opaque(MACHINE_MAX)?);
    let (uid, gid, count) = (reader.u32()?, reader.u32()?, reader.u32()?);
    if count > GROUPS_MAX {
        return Err(Garbage);
    }
    let groups: Result<_, _> = (0..count).map(|_| reader.u32()).collect();
    Ok(Credentials::Sys { uid, gid, groups: groups? })
}
