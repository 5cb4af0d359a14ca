//! What the tests run: the workspace's own programs and libraries, and helpers written in C.

use crate::user::{as_invoking_user, is_ordinary, ordinary_user};
use std::cell::OnceCell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const ARTIFACTS: [&str; 3] = ["librumphijack.so", "rump_server", "rump"];

thread_local! {
    /// Copies for an ordinary user who cannot reach the checkout (root's home is closed to others).
    static COPIES: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

/// Where the workspace's `librumphijack.so`, `rump_server` or `rump` of this build profile is. Builds them when
/// first asked, so that no stale one is tested.
///
/// # Panics
/// If they do not build.
#[must_use]
pub fn artifact(name: &str) -> PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    let directory = as_invoking_user(|| DIRECTORY.get_or_init(build));
    ordinary_user();
    let path = directory.join(name);
    if path.exists() {
        return path;
    }
    assert!(is_ordinary(), "{} was not built", path.display());
    COPIES.with(|copies| copies.get_or_init(|| copy(directory)).path().join(name))
}

fn copy(directory: &Path) -> tempfile::TempDir {
    let copies = tempfile::tempdir().expect("a directory for copies");
    for name in ARTIFACTS {
        let bytes = as_invoking_user(|| std::fs::read(directory.join(name))).expect("what was built");
        let path = copies.path().join(name);
        std::fs::write(&path, bytes).expect("a copy");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("our own copy");
    }
    copies
}

fn build() -> PathBuf {
    // target/PROFILE/deps/TEST-HASH
    let own = std::env::current_exe().expect("/proc/self/exe");
    let directory = own.ancestors().nth(2).expect("a test program lies in target/PROFILE/deps");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "-p", "preload", "-p", "server", "-p", "rump"]);
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    if directory.ends_with("release") {
        cargo.arg("--release");
    }
    // Set by `cargo test` for the test's own package; a build of others would take them for its own and rebuild.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" {
            cargo.env_remove(name);
        }
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the artifacts do not build");
    directory.to_path_buf()
}

/// Compiles `tests/c/NAME.c` with the system's C compiler into `directory`.
///
/// # Panics
/// If there is no compiler or it refuses.
#[must_use]
pub fn c_program(name: &str, directory: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(name).with_extension("c");
    let program = directory.join(name);
    let file = as_invoking_user(|| std::fs::File::open(&source)).expect("the source");
    let status = Command::new("cc")
        .args(["-O1", "-Wall", "-Werror", "-pthread", "-x", "c", "-", "-o"])
        .arg(&program)
        .stdin(Stdio::from(file))
        .status()
        .expect("a C compiler (Debian: gcc)");
    assert!(status.success(), "{} does not compile", source.display());
    program
}
