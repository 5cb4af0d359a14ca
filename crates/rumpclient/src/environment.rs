//! What the environment says of the server and of the program before this one.

use crate::signals_unsafe::Signals;
use abi::Errno;
use client::{Handover, Options, Retry};
use std::env;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use wire::url::Url;

/// The server's URL with an absolute path, for programs that run in another directory.
pub(crate) const PARSED_SERVER: &str = "RUMP__PARSEDSERVER";
/// What rumpclient_exec leaves to the next program: descriptor, next request's number, whether CALL frames are taken, and the
/// process whose it is.
pub(crate) const EXEC: &str = "RUMPCLIENT__EXECFD";

/// The session that the environment asks for.
///
/// # Errors
/// `ENOENT`: RUMP_SERVER is not set. `EINVAL`: it is no URL of a server.
pub(crate) fn options(name: Vec<u8>, retry: Retry) -> Result<Options, Errno> {
    let server = env::var_os(PARSED_SERVER).or_else(|| env::var_os("RUMP_SERVER")).ok_or(Errno::ENOENT)?;
    let directory = env::current_dir().map(|path| path.into_os_string().into_vec()).unwrap_or_default();
    let url = Url::parse(server.as_bytes(), &directory).and_then(Url::for_client);
    Ok(Options {
        url: url.map_err(|_| Errno::EINVAL)?,
        name,
        prefix: Vec::new(),
        retry,
        plain: false,
        host_descriptors: false,
        relay: None,
        interruption: Some(&Signals),
    })
}

/// The variables for the next program of this process.
pub(crate) fn variables(url: &Url, handover: Handover, pid: u32) -> [String; 2] {
    let server = match url {
        // Not UTF-8 as a rule: what cannot be a String cannot be parsed back either.
        Url::Unix(path) => format!("unix://{}", String::from_utf8_lossy(path)),
        Url::Tcp([a, b, c, d], port) => format!("tcp://{a}.{b}.{c}.{d}:{port}/"),
    };
    let Handover { fd, reqno, extended } = handover;
    [format!("{PARSED_SERVER}={server}"), format!("{EXEC}={fd},{reqno},{},{pid}", u8::from(extended))]
}

/// The connection that the program before this one left to process `pid`.
pub(crate) fn handover(pid: u32) -> Option<Handover> {
    let text = env::var(EXEC).ok()?;
    let mut fields = text.split(',');
    let mut field = || fields.next()?.parse::<u64>().ok();
    let (fd, reqno, extended, owner) = (field()?, field()?, field()?, field()?);
    let handover = Handover { fd: u32::try_from(fd).ok()?, reqno, extended: extended != 0 };
    (owner == u64::from(pid)).then_some(handover)
}
