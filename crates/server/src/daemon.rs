//! Into the background and back: who starts the server learns whether URL is served.

use crate::args::Args;
use crate::listen::Listener;
use crate::server::Server;
use crate::url::Url;
use crate::{clock, signals_unsafe};
use kernel::Kernel;
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

/// What the server in the background writes once it serves.
const READY: &str = "ready\n";

/// Runs the server as the command line says: in the foreground until its end, or started in the background.
///
/// # Errors
/// Why nothing is served, as one line.
pub fn run(args: &Args) -> Result<(), String> {
    args.check()?;
    if args.stay || args.background { serve(args) } else { start() }
}

/// Starts this program again in the background and waits until it serves. A new program instead of fork(2): nothing
/// of ours has to be fit for running in a copied process.
fn start() -> Result<(), String> {
    let failed = |error: std::io::Error| format!("starting in the background: {error}");
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg("--background")
        .args(std::env::args_os().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said).map_err(failed)?;
    }
    match said.as_str() {
        READY => Ok(()),
        "" => Err("the server in the background ended without a word".to_owned()),
        error => Err(error.trim_end().to_owned()),
    }
}

fn serve(args: &Args) -> Result<(), String> {
    let host = |what: &'static str| move |errno: rustix::io::Errno| format!("{what}: {errno}");
    if args.background {
        rustix::process::setsid().map_err(host("setsid"))?;
    }
    raise_descriptor_limit();
    if let (true, Url::Tcp(far)) = (args.relay, &args.url) {
        return crate::relay::run(*far, || if args.background { report_ready() } else { Ok(()) });
    }
    // Before the socket has its name, so that a signal cannot leave it behind.
    let signals = signals_unsafe::termination().map_err(host("signalfd"))?;
    let listener = Listener::bind(&args.url).map_err(|error| error.to_string())?;
    let owner = args.until_exit.map(owner).transpose().map_err(host("the process to serve"))?;
    let drives = crate::disks::open_all(&args.drives)?;
    let seed = seed().map_err(host("getrandom"))?;
    let kernel = match args.total_ram {
        Some(ram) => Kernel::with_ram(clock::now(), seed, ram),
        None => Kernel::new(clock::now(), seed),
    };
    let own = match args.root {
        true => (0, 0),
        false => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
    };
    let kernel = kernel.and_then(|mut kernel| kernel.belongs_to(own.0, own.1).map(|()| kernel));
    let mut kernel = kernel.map_err(|errno| match args.total_ram {
        Some(ram) => format!("-r: the root file system does not fit into {ram} bytes: {errno}; give it more"),
        None => format!("the root file system: {errno}"),
    })?;
    for drive in drives.infos(own) {
        let path = String::from_utf8_lossy(&drive.path).into_owned();
        kernel.add_drive(drive).map_err(|errno| format!("drive key={path}: {}", errno.name()))?;
    }
    let mut server = Server::new(kernel, listener, signals, owner, drives).map_err(host("epoll"))?;
    server.is_root = args.root;
    let directory = std::env::current_dir().map_err(|error| format!("the working directory: {error}"))?;
    for spec in &args.links {
        server.add_link(spec, &directory)?;
    }
    tracing::info!("serving {}", args.url);
    if args.background {
        report_ready().map_err(|error| format!("going into the background: {error}"))?;
    }
    server.run().map_err(host("epoll_wait"))?;
    drop(server);
    if let (Some(_), Url::Unix(path)) = (args.until_exit, &args.url)
        && let Some(directory) = path.parent()
    {
        // Made for this server alone; if something else is in it, it stays.
        let _ = std::fs::remove_dir(directory);
    }
    Ok(())
}

/// A descriptor that is readable once this process has ended (pidfd_open(2)).
fn owner(pid: i32) -> Result<OwnedFd, rustix::io::Errno> {
    let pid = Pid::from_raw(pid).ok_or(rustix::io::Errno::SRCH)?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty())
}

/// Each file of each program costs a descriptor here.
fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = rustix::process::getrlimit(Resource::Nofile);
    // Refused or not, the server works; EMFILE comes earlier then.
    let _ = rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn seed() -> Result<[u8; 32], rustix::io::Errno> {
    let mut seed = [0; 32];
    let len = rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty())?;
    if len == seed.len() { Ok(seed) } else { Err(rustix::io::Errno::IO) }
}

/// Tells the parent, and lets go of its terminal and directory.
fn report_ready() -> std::io::Result<()> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    std::env::set_current_dir("/")?;
    let mut out = std::io::stdout();
    out.write_all(READY.as_bytes())?;
    out.flush()?;
    rustix::stdio::dup2_stderr(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}
