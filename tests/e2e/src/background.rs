//! A program that runs beside the test.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program that runs until the value is dropped, or the test's process ends, however it does: then it and its process group are killed.
#[derive(Debug)]
pub struct Background {
    child: Child,
    guard: Child,
    log: PathBuf,
}

/// Kills a process group when its standard input ends: what holds the other end may have been killed itself.
fn guard(group: u32) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "cat; kill -KILL -$0", &group.to_string()]).stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().expect("a shell")
}

impl Background {
    /// Starts it, its output going to `log`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::create(log).expect("a log file");
        let copy = file.try_clone().expect("a descriptor");
        command.stdin(Stdio::null()).stdout(file).stderr(copy).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { guard: guard(child.id()), child, log: log.to_path_buf() }
    }

    /// Waits until `ready` answers true.
    ///
    /// # Panics
    /// After twenty seconds, or when the program has ended, with what it printed.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !ready() {
            let ended = self.child.try_wait().expect("our own child");
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.printed());
            assert!(Instant::now() < end, "it is not ready:\n{}", self.printed());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What it has printed so far.
    #[must_use]
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Before its group's number can be another's.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started() -> (tempfile::TempDir, Background) {
        let directory = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & echo $!; wait"]);
        let mut background = Background::start(&mut shell, &directory.path().join("log"));
        let log = background.log.clone();
        background.wait_until(|| std::fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n')));
        (directory, background)
    }

    fn assert_ends(background_printed: &str) {
        let status = PathBuf::from(format!("/proc/{}/status", background_printed.trim()));
        let end = Instant::now() + Duration::from_secs(20);
        while std::fs::read_to_string(&status).is_ok_and(|text| !text.contains("State:\tZ")) {
            assert!(Instant::now() < end, "it is there still");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn what_it_started_ends_with_it() {
        let (_directory, background) = started();
        let printed = background.printed();
        drop(background);
        assert_ends(&printed);
    }

    #[test]
    fn what_it_started_ends_with_the_test() {
        let (_directory, mut background) = started();
        // As it is closed when the process is killed.
        drop(background.guard.stdin.take());
        assert_ends(&background.printed());
    }
}
