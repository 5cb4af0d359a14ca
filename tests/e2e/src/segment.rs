//! Rump kernels side by side on a network.

use crate::{Server, ordinary_user, run};
use std::path::{Path, PathBuf};

/// A directory for the segments (`type=bus`) of one test, which goes with this value.
#[derive(Debug)]
pub struct Segments(tempfile::TempDir);

impl Segments {
    /// None yet.
    ///
    /// # Panics
    /// If there is no temporary directory.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        ordinary_user();
        Self(tempfile::Builder::new().prefix("bus").tempdir().expect("a temporary directory"))
    }

    /// The file of the segment of this name.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The netspec of a link to that segment; `more` are further keys, each behind a comma.
    #[must_use]
    pub fn link(&self, link: &str, segment: &str, more: &str) -> String {
        format!("name={link},type=bus,path={}{more}", self.path(segment).display())
    }

    /// A server with one link `eth0` to the segment "net": its addresses are 10.0.0.NUMBER/24 and fd00::NUMBER/64.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn host(&self, number: u8, more: &str) -> Server {
        let more = format!(",addr=10.0.0.{number}/24,addr=fd00::{number}/64{more}");
        Server::start_with(&["-n", &self.link("eth0", "net", &more)])
    }
}

impl Server {
    /// ping(8) of an address of the rump network: `count` echo requests, a fifth of a second apart. Answers what it printed if all were
    /// answered.
    ///
    /// # Panics
    /// If ping is not installed, or one was not answered.
    #[track_caller]
    pub fn ping(&self, address: &str, count: u8) -> String {
        let args = ["-n", "-c", &count.to_string(), "-i", "0.2", "-W", "5", address];
        let printed = run(self.hijacked(self.ping_program()).args(args)).success();
        assert!(printed.contains(" 0% packet loss"), "{printed}");
        printed
    }

    /// A copy of ping(8) in the server's directory: it has no file capabilities, for which ld.so would drop the library. A ping
    /// socket needs none.
    ///
    /// # Panics
    /// If ping is not installed.
    #[must_use]
    pub fn ping_program(&self) -> PathBuf {
        let ping = self.directory().join("ping");
        let installed = ["/usr/bin/ping", "/bin/ping"].into_iter().find(|path| Path::new(path).exists());
        if !ping.exists() {
            std::fs::copy(installed.expect("iputils-ping is installed"), &ping).expect("a copy");
        }
        ping
    }

    /// `rump` with these arguments, about this server.
    #[must_use]
    pub fn rump(&self, args: &[&str]) -> crate::Ran {
        run(crate::native(crate::artifact("rump")).args(args).env("RUMP_SERVER", self.url()))
    }
}
