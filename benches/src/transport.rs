//! `transport NAME`: one request and its answer over a Unix socket: what a call costs where nothing is shared but the socket.
#![forbid(unsafe_code)]

use abi::table;
use benches::{Probe, measure, per_operation};
use client::{Options, Retry, Session};
use std::io::{Error, Read, Result, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use wire::url::Url;

/// A CALL frame with six arguments, about.
const MESSAGE: usize = 64;

/// What can be measured.
const PROBES: &[(&str, Probe)] = &[("echo", echo), ("echo-peer", echo_peer), ("null-call", null_call)];

fn main() -> ExitCode {
    measure(PROBES)
}

/// The floor: two processes that do nothing but answer each other, with a blocking read and a write each.
fn echo(_: &str) -> Result<f64> {
    let (mut here, there) = UnixStream::pair()?;
    let program = std::env::current_exe()?;
    let mut peer = Command::new(program)
        .arg("echo-peer")
        .stdin(Stdio::from(OwnedFd::from(there)))
        .stdout(Stdio::null())
        .spawn()?;
    let mut message = [7; MESSAGE];
    let figure = per_operation(1_000, || {
        here.write_all(&message)?;
        here.read_exact(&mut message)
    });
    drop(here);
    peer.wait()?;
    figure
}

/// The other end of [`echo`], which is its standard input; messages in all.
fn echo_peer(_: &str) -> Result<f64> {
    let mut socket = UnixStream::from(std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned()?);
    let (mut message, mut messages) = ([0; MESSAGE], 0.0);
    while socket.read_exact(&mut message).is_ok() {
        socket.write_all(&message)?;
        messages += 1.0;
    }
    Ok(messages)
}

/// getpid(2) of the rump kernel of `RUMP_SERVER`, by a session without lanes, as librumpclient's programs have it.
fn null_call(_: &str) -> Result<f64> {
    let server = std::env::var_os("RUMP_SERVER").unwrap_or_default();
    let url = Url::parse(server.as_bytes(), b"/").and_then(Url::for_client);
    let session = Session::new(Options {
        url: url.map_err(|error| Error::other(format!("RUMP_SERVER: {error}")))?,
        name: b"probe".to_vec(),
        prefix: Vec::new(),
        retry: Retry::No,
        plain: false,
        host_descriptors: false,
        relay: None,
        interruption: None,
    });
    let row = table::lookup(abi::nr::GETPID).ok_or_else(|| Error::other("no getpid"))?;
    per_operation(1_000, || {
        let answer = session.call(row, [0; 6], &[]).and_then(|reply| reply.result);
        answer.map(drop).map_err(|errno| Error::from_raw_os_error(errno.number()))
    })
}
