//! A private rump_server.

use crate::run::{native, run};
use crate::{artifact, info, ordinary_user};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// A server on a unix socket in a directory of its own; both go when it is dropped.
#[derive(Debug)]
pub struct Server {
    directory: tempfile::TempDir,
    child: Child,
    /// What starts it, without the URL.
    command: Vec<String>,
}

impl Server {
    /// Starts one and waits until it is served.
    ///
    /// # Panics
    /// If it does not start within ten seconds.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`Server::start`], with further arguments in front of the URL.
    ///
    /// # Panics
    /// If it does not start within ten seconds.
    #[must_use]
    pub fn start_with(args: &[&str]) -> Self {
        Self::start_by(&[], args)
    }

    /// As [`Server::start_with`], by a program that becomes the server's command line, which follows its own.
    ///
    /// # Panics
    /// If it does not start within ten seconds.
    #[must_use]
    pub fn start_by(program: &[&str], args: &[&str]) -> Self {
        ordinary_user();
        let directory = tempfile::Builder::new().prefix("rump").tempdir().expect("a temporary directory");
        let server = artifact("rump_server").display().to_string();
        let words = program.iter().copied().chain([server.as_str(), "-s"]).chain(args.iter().copied());
        let command: Vec<_> = words.map(str::to_owned).collect();
        let child = spawn(directory.path(), &command);
        let mut server = Self { directory, child, command };
        server.wait_until_served();
        server
    }

    /// Ends the server at once (SIGKILL) and starts another at the same URL, with the same arguments.
    ///
    /// # Panics
    /// If the new one does not start within ten seconds.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.directory.path(), &self.command);
        self.wait_until_served();
    }

    /// Ends the server at once (SIGKILL).
    ///
    /// # Panics
    /// If it is not ours any more.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// What RUMP_SERVER is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A directory of the host for the test's own files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A program that runs on this server, with RUMPHIJACK unset.
    #[must_use]
    pub fn hijacked(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = native(program);
        command.env("LD_PRELOAD", artifact("librumphijack.so")).env("RUMP_SERVER", self.url());
        command
    }

    /// The server's counters by name (`rump_info`, topic counters): `calls`, `call.connect`, …
    ///
    /// # Panics
    /// If the server does not answer.
    #[must_use]
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let text = info::counters(&self.socket()).expect("the server tells its counters");
        let row = |line: &str| {
            let (name, value) = line.split_once('\t')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(row).collect()
    }

    /// One counter; 0 if the server does not know it.
    ///
    /// # Panics
    /// If the server does not answer.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        self.counters().get(name).copied().unwrap_or(0)
    }

    /// Whether something in the rump kernel listens on this TCP port of 127.0.0.1: a hijacked connect succeeds.
    #[must_use]
    pub fn listens(&self, port: u16) -> bool {
        let connect = format!("exec 3<> /dev/tcp/127.0.0.1/{port}");
        run(self.hijacked("bash").args(["-c", &connect])).status == 0
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("server")
    }

    fn wait_until_served(&mut self) {
        let end = Instant::now() + Duration::from_secs(10);
        while info::counters(&self.socket()).is_err() {
            let ended = self.child.try_wait().expect("our own child");
            assert!(ended.is_none(), "rump_server ended: {ended:?}");
            assert!(Instant::now() < end, "rump_server does not serve {}", self.url());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(directory: &Path, command: &[String]) -> Child {
    let url = format!("unix://{}", directory.join("server").display());
    native(&command[0]).args(&command[1..]).arg(url).spawn().expect("rump_server starts")
}
