//! Running a program to its end, within bounds.

use crate::user::home;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No program of a test runs longer.
const LIMIT: Duration = Duration::from_secs(60);

/// What came of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit status, or 128 and the signal that ended it, as shells say it.
    pub status: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Ran {
    /// The output of a program that must have succeeded.
    ///
    /// # Panics
    /// If its exit status is not 0.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.status, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }
}

/// A program as the host alone runs it, for an ordinary user with an empty home.
#[must_use]
pub fn native(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env("HOME", home())
        .env_remove("XDG_CACHE_HOME")
        .env("LC_ALL", "C")
        // The distribution's programs are the proof, not those of a version manager.
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env_remove("LD_PRELOAD")
        .env_remove("RUMPHIJACK")
        .env_remove("RUMP_SERVER");
    command
}

/// Runs a program to its end, standard input empty unless the command says otherwise. After a minute it and its
/// process group are killed (status 137).
///
/// # Panics
/// If it cannot be started.
pub fn run(command: &mut Command) -> Ran {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = spawn(command);
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child);
    Ran { status, stdout: text(stdout), stderr: text(stderr) }
}

/// A program that was written a moment ago may still be open for writing in a process that another thread is about to start: that
/// one has it until it execs.
fn spawn(command: &mut Command) -> Child {
    let end = Instant::now() + LIMIT;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && Instant::now() < end => {
                thread::sleep(Duration::from_millis(5));
            }
            spawned => return spawned.unwrap_or_else(|error| panic!("{command:?}: {error}")),
        }
    }
}

fn wait(child: &mut Child) -> i32 {
    let end = Instant::now() + LIMIT;
    loop {
        match child.try_wait().expect("our own child") {
            Some(status) => return status.code().unwrap_or(128 + status.signal().unwrap_or(0)),
            None if Instant::now() > end => kill_group(child),
            None => thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn kill_group(child: &mut Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    let _ = child.kill();
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> Option<JoinHandle<Vec<u8>>> {
    let mut pipe = pipe?;
    Some(thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    }))
}

fn text(bytes: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = bytes.and_then(|thread| thread.join().ok()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A shell script in a new network namespace of an ordinary user; further arguments are its `$0` and those behind. Where a host lets
/// nobody make one, there is nothing to compare with.
#[must_use]
pub fn in_a_namespace(script: &str) -> Option<Command> {
    if run(native("unshare").args(["-rn", "true"])).status != 0 {
        eprintln!("skipped: this host does not let an ordinary user make a network namespace");
        return None;
    }
    let mut command = native("unshare");
    command.args(["-rn", "sh", "-c", script]);
    Some(command)
}
