//! A program that runs beside the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A program that runs until the value is dropped: then it and its process group are killed.
#[derive(Debug)]
pub struct Background {
    child: Child,
    log: PathBuf,
}

impl Background {
    /// Starts it, its output going to `log`.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start(command: &mut Command, log: &Path) -> Self {
        use std::os::unix::process::CommandExt;
        let file = std::fs::File::create(log).expect("a log file");
        let copy = file.try_clone().expect("a descriptor");
        command.stdin(Stdio::null()).stdout(file).stderr(copy).process_group(0);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log: log.to_path_buf() }
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
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
