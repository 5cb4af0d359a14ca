//! A server of its own for each test.

use crate::client::Client;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_rump_server");

/// Held while a program is started: until it runs, it has copies of all descriptors of this process, which keep
/// rump files open.
pub(crate) static STARTING: RwLock<()> = RwLock::new(());

/// A server in the foreground, ended when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) dir: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let url = format!("unix://{}", dir.path().join("s").display());
        let mut command = Command::new(PROGRAM);
        command.args(["-s", &url]).env("XDG_CACHE_HOME", dir.path().join("cache")).stdin(Stdio::null());
        let child = spawn(&mut command);
        let server = Self { child, dir };
        wait_for("the server", || UnixStream::connect(server.path()).is_ok());
        server
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.path())
    }

    /// A client that was greeted and speaks CALL with descriptors.
    pub(crate) fn guest(&self) -> Client {
        let mut client = self.connect();
        client.guest("guest");
        client.options(3);
        client
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; whether it ended well.
    pub(crate) fn wait(&mut self) -> bool {
        let mut status = None;
        wait_for("the server's end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.is_some_and(|status| status.success())
    }

    /// A figure of `/proc/PID/status` or the like.
    pub(crate) fn proc_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }

    /// Processor time that it has used, in ticks of 10 ms (proc_pid_stat(5), utime and stime).
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = self.proc_file("stat");
        let fields = stat.rsplit(')').next().unwrap().split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a program.
pub(crate) fn spawn(command: &mut Command) -> Child {
    let _alone = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    command.spawn().unwrap()
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped())).wait_with_output().unwrap()
}

/// Waits until something holds, at most ten seconds.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < limit, "waited ten seconds for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
