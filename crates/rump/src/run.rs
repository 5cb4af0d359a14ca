//! `rump run`: a program with the library loaded, on a server that was named or on one of its own.

use crate::attach::Attach;
use crate::check;
use crate::cli::RunOptions;
use crate::elf::{self, Elf, Executable};
use crate::session::Session;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

/// Exit statuses of programs that run programs (env(1), timeout(1)).
pub(crate) const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// What is hijacked unless the user says: what the library does by itself, and the files by which names are found, so that
/// names are looked up where the program's sockets are.
const RUMPHIJACK: &str = "path=/rump,blanket=/etc/resolv.conf:/etc/hosts,socket=all:nolocal";

/// Why the program does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "librumphijack.so is not beside this program ({0}) nor in ../lib; RUMPHIJACK_LIB=PATH says where it is"
    )]
    NoLibrary(PathBuf),
    #[error("RUMPHIJACK_LIB={0}: {1}")]
    Library(PathBuf, io::Error),
    #[error("{0}: LD_PRELOAD cannot name a path with a space or a colon in it; move the library")]
    LibraryName(PathBuf),
    #[error(
        "--mount, --overlay, --net and --root are for a server of its own: unset RUMP_SERVER; `rump mount` mounts in one that runs, `rump \
         link add` gives it a network"
    )]
    NotPrivate,
    #[error("a private server: {0}")]
    Server(String),
    #[error("strict: {0}: it would not be hijacked")]
    Strict(String),
    #[error("{}: {source}", program.display())]
    Program { program: OsString, source: io::Error },
}

impl Error {
    /// The exit status that tells of it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Program { source, .. } if source.kind() == io::ErrorKind::NotFound => NOT_FOUND,
            Self::Program { .. } | Self::Strict(_) => NOT_EXECUTABLE,
            _ => FAILED,
        })
    }
}

/// Becomes the program: its exit status, its signals and its terminal are its own. A private server ends when this
/// process does, however that comes about.
pub(crate) fn run(options: &RunOptions) -> ExitCode {
    let error = match prepare(options) {
        // Whoever writes to an image wants it whole when the program has ended.
        Ok((mut command, url)) if attached(options).any(Attach::writes) => match command.status() {
            Ok(status) => {
                if let Err(error) = Session::connect(url, "rump").and_then(Session::halt) {
                    eprintln!("rump: {error}");
                }
                return exit_code(status);
            }
            Err(source) => Error::Program { program: options.program.clone(), source },
        },
        Ok((mut command, _)) => {
            let source = command.exec();
            Error::Program { program: options.program.clone(), source }
        }
        Err(error) => error,
    };
    eprintln!("rump: {error}");
    error.exit_code()
}

/// The command to run, and the URL of its server.
pub(crate) fn prepare(options: &RunOptions) -> Result<(Command, String), Error> {
    let library = find_library()?;
    if options.strict {
        check::strict(&options.program).map_err(Error::Strict)?;
    }
    let url = match options.server.server.clone().filter(|url| !url.is_empty()) {
        Some(_) if options.root || attached(options).next().is_some() || !options.net.is_empty() => {
            return Err(Error::NotPrivate);
        }
        Some(url) => url,
        None => start_server(options)?,
    };
    let mut preload = library.clone().into_os_string();
    if let Some(others) = std::env::var_os("LD_PRELOAD").filter(|others| !others.is_empty()) {
        preload.push(":");
        preload.push(others);
    }
    let mut command = command(options, &library);
    command.args(&options.args).env("LD_PRELOAD", &preload).env("RUMP_SERVER", &url);
    if let Some(spec) = &options.rumphijack {
        command.env("RUMPHIJACK", spec);
    } else if std::env::var_os("RUMPHIJACK").is_none() {
        command.env("RUMPHIJACK", RUMPHIJACK);
    }
    if let Some(mode) = &options.retry {
        command.env("RUMPHIJACK_RETRYCONNECT", mode);
    }
    if options.strict {
        command.env("RUMPHIJACK__STRICT", "1");
    }
    if options.verbose {
        let (preload, program) = (preload.display(), options.program.display());
        eprintln!("rump: RUMP_SERVER={url} LD_PRELOAD={preload} {program}");
        if !host::has_user_dispatch() {
            eprintln!("rump: no Syscall User Dispatch here (`rump check`): only rewritten calls are caught");
        }
    }
    Ok((command, url))
}

/// The program itself where ld.so brings the library into it. Else (static programs, scripts for such, programs of the rump
/// kernel) the library is run, and becomes the program as a hijacked one would.
fn command(options: &RunOptions, library: &Path) -> Command {
    let program = &options.program;
    let found = elf::find(program);
    let path = match (&found, program.as_bytes().contains(&b'/')) {
        (Some(path), _) if is_dynamic(path) && !loses_capabilities(path) => return Command::new(program),
        (Some(path), _) => path.as_os_str(),
        (None, true) => program,
        // The error is the host's.
        (None, false) => return Command::new(program),
    };
    let mut command = Command::new(library);
    command.arg0(program).env("RUMPHIJACK__RUN", path);
    command
}

/// Whether the host runs it by way of ld.so.
fn is_dynamic(path: &Path) -> bool {
    matches!(elf::examine(path), Ok(Executable::Elf(Elf { interpreter: Some(_), .. })))
}

/// Whether it is a file with capabilities(7) that gives none: ld.so(8) leaves the library out all the same.
fn loses_capabilities(path: &Path) -> bool {
    let none: &mut [u8] = &mut [];
    rustix::thread::no_new_privs().unwrap_or(false)
        && rustix::fs::getxattr(path, "security.capability", none).is_ok()
}

fn find_library() -> Result<PathBuf, Error> {
    const NAME: &str = "librumphijack.so";
    let found = match std::env::var_os("RUMPHIJACK_LIB").map(PathBuf::from) {
        Some(path) => path.canonicalize().map_err(|error| Error::Library(path, error))?,
        None => {
            let beside = own_directory();
            [beside.join(NAME), beside.join("../lib").join(NAME)]
                .iter()
                .find_map(|path| path.canonicalize().ok())
                .ok_or(Error::NoLibrary(beside))?
        }
    };
    // ld.so(8): LD_PRELOAD's names are separated by spaces or colons, and there is no escape.
    match found.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b' ' | b':')) {
        true => Err(Error::LibraryName(found)),
        false => Ok(found),
    }
}

fn own_directory() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().map(Path::to_owned).unwrap_or_default()
}

/// rump_server beside this program, or else in PATH.
pub(crate) fn server_program() -> PathBuf {
    let beside = own_directory().join("rump_server");
    if beside.exists() { beside } else { PathBuf::from("rump_server") }
}

/// What is to be mounted.
fn attached(options: &RunOptions) -> impl Iterator<Item = &Attach> {
    options.mount.iter().chain(&options.overlay)
}

/// Starts a server in a directory of its own that ends with this process.
fn start_server(options: &RunOptions) -> Result<String, Error> {
    let failed = |error: io::Error| Error::Server(error.to_string());
    let drives = attached(options).enumerate().map(|(number, mount)| mount.drive(number));
    let drives = drives.collect::<Result<Vec<_>, _>>().map_err(Error::Server)?;
    let specs = drives.iter().filter_map(|(spec, _)| spec.as_ref()).flat_map(|spec| ["-d", spec]);
    let directory = tempfile::Builder::new().prefix("rump-").tempdir().map_err(failed)?;
    let url = format!("unix://{}", directory.path().join("s").display());
    let program = server_program();
    let output = Command::new(&program)
        .args(["--until-exit", &std::process::id().to_string()])
        .args(options.root.then_some("--root"))
        .args(specs)
        .args(netspecs(options).iter().flat_map(|spec| ["-n", spec]))
        .arg(&url)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::Server(format!("{}: {error}", program.display())))?;
    if !output.status.success() {
        return Err(Error::Server(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()));
    }
    // The server removes it.
    let _ = directory.keep();
    let mut session =
        Session::connect(url.clone(), "rump").map_err(|error| Error::Server(error.to_string()))?;
    for (number, (mount, (_, source))) in attached(options).zip(&drives).enumerate() {
        mount.mount(&mut session, number, source).map_err(|error| Error::Server(error.to_string()))?;
    }
    Ok(url)
}

/// The links of a server of its own; those that are not called otherwise are eth0, eth1, ...
fn netspecs(options: &RunOptions) -> Vec<String> {
    let named =
        |spec: &str| spec.split(',').any(|part| part.starts_with("name=") || part.starts_with("ifname="));
    let specs = options.net.iter().enumerate();
    specs.map(|(n, spec)| if named(spec) { spec.clone() } else { format!("name=eth{n},{spec}") }).collect()
}

/// The program's status; 128 and the signal's number if a signal ended it, as shells say.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(FAILED))
}
