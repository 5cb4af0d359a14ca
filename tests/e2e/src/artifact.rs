//! What the tests run: the workspace's own programs and libraries, and helpers written in C.

use crate::user::{as_invoking_user, is_ordinary, ordinary_user};
use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const ARTIFACTS: [&str; 4] = ["librumphijack.so", "librumpclient.so", "rump_server", "rump"];

thread_local! {
    /// Copies for an ordinary user who cannot reach the checkout (root's home is closed to others).
    static COPIES: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

/// Where the workspace's library or program of this name and build profile is. Builds them when
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
    cargo.args(["build", "--quiet", "-p", "preload", "-p", "rumpclient", "-p", "server", "-p", "rump"]);
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
    compile(&source(name), directory, &[])
}

/// As [`c_program`], with libraries of the system (`-lNAME`).
///
/// # Panics
/// If there is no compiler or it refuses.
#[must_use]
pub fn c_program_with(name: &str, directory: &Path, libraries: &[&str]) -> PathBuf {
    let libraries: Vec<&OsStr> = libraries.iter().map(OsStr::new).collect();
    compile(&source(name), directory, &libraries)
}

/// As [`c_program`], a client of librumpclient.
///
/// # Panics
/// If there is no compiler or it refuses.
#[must_use]
pub fn rumpclient_program(name: &str, directory: &Path) -> PathBuf {
    let library = artifact("librumpclient.so");
    let run_path = format!("-Wl,-rpath,{}", library.parent().expect("a directory").display());
    let include = format!("-I{}", repository().join("include").display());
    compile(&source(name), directory, &[OsStr::new(&include), library.as_os_str(), OsStr::new(&run_path)])
}

/// Puts librumpclient, its headers and its pkg-config(1) file where an installation has them.
///
/// # Panics
/// If a file is missing.
pub fn install_rumpclient(prefix: &Path) {
    let library = artifact("librumpclient.so");
    let files = [
        (repository().join("include/rump/rumpclient.h"), "include/rump/rumpclient.h"),
        (repository().join("include/rump/rump_syscalls.h"), "include/rump/rump_syscalls.h"),
        (repository().join("pkgconfig/rumpclient.pc"), "lib/pkgconfig/rumpclient.pc"),
        (library, "lib/librumpclient.so"),
    ];
    for (from, to) in files {
        let bytes = as_invoking_user(|| std::fs::read(&from)).expect("what is installed");
        let to = prefix.join(to);
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("our own directory");
        std::fs::write(to, bytes).expect("our own directory");
    }
}

/// The checkout.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(name).with_extension("c")
}

/// As the invoking user, who alone may reach the checkout.
fn compile(source: &Path, directory: &Path, more: &[&OsStr]) -> PathBuf {
    let program = directory.join(source.file_stem().expect("a source file"));
    // What an initializer leaves out is 0, and handlers have parameters that they do not need.
    let flags = [
        "-O1",
        "-g",
        "-Wall",
        "-Wextra",
        "-Wno-missing-field-initializers",
        "-Wno-unused-parameter",
        "-Werror",
    ];
    let mut compiler = Command::new("cc");
    compiler.args(flags).args(["-pthread", "-o"]).arg(&program).arg(source).args(more);
    let status = as_invoking_user(|| compiler.status()).expect("a C compiler (Debian: gcc)");
    assert!(status.success(), "{} does not compile", source.display());
    program
}

/// `tests/c/NAME.c` as a compiler's standard input.
///
/// # Panics
/// If there is no such file.
#[must_use]
pub fn c_source(name: &str) -> Stdio {
    as_invoking_user(|| std::fs::File::open(source(name))).expect("the source").into()
}
