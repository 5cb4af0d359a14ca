//! A disk image in a rump kernel's tree.

use crate::{Ran, Server, artifact, native, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server with a drive, on which there is an ext4 of the user's, mounted on `/rump/mnt`. Image and server go with this value.
#[derive(Debug)]
pub struct Drive {
    place: tempfile::TempDir,
    server: Option<Server>,
}

impl Drive {
    /// Of so many bytes (mkfs.ext4's words: `64m`).
    ///
    /// # Panics
    /// If it cannot be made or mounted.
    #[must_use]
    pub fn ext4(size: &str) -> Self {
        crate::ordinary_user();
        let place = tempfile::tempdir().expect("a temporary directory");
        let mut drive = Self { place, server: None };
        let image = drive.image();
        let _ = run(native("mkfs.ext4").args(["-q", "-E", "root_owner"]).arg(image).arg(size)).success();
        drive.mount();
        drive
    }

    /// Starts another server, whose tree has the image again.
    ///
    /// # Panics
    /// If it cannot be mounted.
    pub fn mount(&mut self) {
        let spec = format!("key=/dev/dk,hostpath={},size=host", self.image().display());
        let server = Server::start_with(&["-d", &spec]);
        rump(&server, &["mount", "--mkdir", "-t", "ext4", "/dev/dk", "/mnt"]);
        self.server = Some(server);
    }

    /// The image.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.place.path().join("image")
    }

    /// A directory of the host for the test's own files.
    #[must_use]
    pub fn place(&self) -> &Path {
        self.place.path()
    }

    /// The server.
    ///
    /// # Panics
    /// If it was unmounted or killed.
    #[must_use]
    pub const fn server(&self) -> &Server {
        self.server.as_ref().expect("a server")
    }

    /// Runs a shell script in `/rump/mnt/d`, its `$D`; it must succeed. `$H` is [`Drive::place`]. Answers what it printed.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let mut shell = self.server().hijacked("sh");
        self.script(&mut shell, "/rump/mnt/d", script).success()
    }

    /// The same script on the host: `$D` is a directory that was empty.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn natively(&self, script: &str) -> String {
        let parent = tempfile::tempdir_in(self.place.path()).expect("a directory");
        self.script(&mut native("sh"), &parent.path().join("d").display().to_string(), script).success()
    }

    fn script(&self, shell: &mut Command, directory: &str, script: &str) -> Ran {
        let script = format!("mkdir -p $D; cd $D\n{script}");
        run(shell.args(["-euc", &script]).env("D", directory).env("H", self.place.path()))
    }

    /// Ends the server at once (SIGKILL).
    ///
    /// # Panics
    /// If there is none.
    pub fn kill(&mut self) {
        self.server.take().expect("a server").kill();
    }

    /// Unmounts the image and ends the server: e2fsck(8) must find nothing.
    ///
    /// # Panics
    /// If it does.
    #[track_caller]
    pub fn unmount(&mut self) {
        rump(self.server(), &["umount", "/mnt"]);
        self.server = None;
        is_clean(&self.image());
    }
}

#[track_caller]
fn rump(server: &Server, args: &[&str]) {
    let _ = run(native(artifact("rump")).env("RUMP_SERVER", server.url()).args(args)).success();
}

/// e2fsck(8) has nothing to put right in an image.
///
/// # Panics
/// If it has.
#[track_caller]
pub fn is_clean(image: &Path) {
    let checked = run(native("e2fsck").args(["-f", "-n"]).arg(image));
    // That it would do something more compactly is no fault.
    assert!(
        checked.status == 0 && !checked.stdout.replace("Optimize? no", "").contains("? no"),
        "{checked:?}"
    );
}
