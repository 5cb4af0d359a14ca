//! `rump lab exec`: a program on a host of a lab.

use crate::cli::{RunOptions, ServerOption};
use crate::lab::Error;
use crate::lab::cli::ExecOptions;
use crate::lab::place::Place;
use crate::run::{self, FAILED};
use std::ffi::OsString;
use std::process::ExitCode;

/// What is hijacked unless the lab says otherwise: besides the library's default the names of hosts and the sysctl tree.
pub(crate) const RUMPHIJACK: &str =
    "path=/rump,blanket=/etc/hosts:/etc/resolv.conf,socket=all:nolocal,sysctl=yes";

/// Becomes the program.
pub(crate) fn exec(options: &ExecOptions) -> ExitCode {
    match prepare(options) {
        Ok(options) => run::run(&options),
        Err(error) => {
            eprintln!("rump: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn prepare(options: &ExecOptions) -> Result<RunOptions, Error> {
    let place = Place::meant(options.lab.as_deref())?;
    place.check_host(&options.host)?;
    let failed = |what: &'static str| move |errno| Error::Why(format!("{what}: {errno}"));
    if options.session {
        rustix::process::setsid().map_err(failed("setsid"))?;
    }
    // ping(8) has file capabilities, for which ld.so would leave the library out: its packets would be the host's.
    rustix::thread::set_no_new_privs(true).map_err(failed("PR_SET_NO_NEW_PRIVS"))?;
    Ok(run_options(&place, &options.host, options.rumphijack.clone(), &options.program, &options.args))
}

/// How a program is run on a host.
pub(crate) fn run_options(
    place: &Place,
    host: &str,
    rumphijack: Option<OsString>,
    program: &OsString,
    args: &[OsString],
) -> RunOptions {
    let said = || std::fs::read_to_string(place.of_host(host, "hijack")).unwrap_or(RUMPHIJACK.to_owned());
    RunOptions {
        server: ServerOption { server: Some(place.url(host)) },
        mount: Vec::new(),
        overlay: Vec::new(),
        net: Vec::new(),
        root: false,
        rumphijack: Some(rumphijack.unwrap_or_else(|| said().into())),
        retry: None,
        strict: false,
        verbose: false,
        program: program.clone(),
        args: args.to_vec(),
    }
}
