//! Programs under the library, with everything caught and left to the host.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// No program here takes longer, natively a second at most.
const TIME_OUT: Duration = Duration::from_secs(60);

/// How calls are caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    /// Not at all.
    Native,
    /// libc and ld.so are rewritten, the rest is trapped.
    Rewritten,
    /// Everything is trapped.
    Trapped,
}

/// The library; cargo does not build a cdylib for its tests.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "preload"]).env_remove("RUSTFLAGS");
        build.args(if cfg!(debug_assertions) { &[][..] } else { &["--release"] });
        assert!(build.status().unwrap().success(), "cargo build -p preload");
        let test = std::env::current_exe().unwrap();
        let path = test.parent().and_then(Path::parent).unwrap().join("librumphijack.so");
        assert!(path.exists(), "{}", path.display());
        path
    })
}

/// The cache directory of most programs here.
pub(crate) fn cache() -> &'static Path {
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    CACHE.get_or_init(new_cache).path()
}

/// A cache directory with the sites of this machine's C library.
pub(crate) fn new_cache() -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    let directory = cache.path().join("rumphijack");
    fs::create_dir(&directory).unwrap();
    for path in ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"] {
        let list = sites::analyse_file(Path::new(path)).unwrap().list;
        let name = String::from_utf8(list.build_id.hex().to_vec()).unwrap();
        fs::write(directory.join(format!("{name}.sites")), list.encode()).unwrap();
    }
    open_to_all(cache.path());
    open_to_all(&directory);
    cache
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A command whose calls are caught like that.
pub(crate) fn command(layer: Layer, program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).env("LC_ALL", "C").env_remove("LD_PRELOAD");
    if layer != Layer::Native {
        command
            .env("LD_PRELOAD", library())
            .env("RUMPHIJACK", "")
            .env("RUMPHIJACK__CATCH", "all")
            .env("XDG_CACHE_HOME", cache());
    }
    if layer == Layer::Trapped {
        command.env("RUMPHIJACK__NOPATCH", "1");
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let drain = |from: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    };
    thread::scope(|scope| {
        let (stdout, stderr) = (scope.spawn(|| drain(&mut stdout)), scope.spawn(|| drain(&mut stderr)));
        let started = Instant::now();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if started.elapsed() > TIME_OUT => child.kill().unwrap(),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    })
}

/// Compiles a C or C++ program of `tests/programs`. Answers where it is.
pub(crate) fn compile(directory: &Path, source: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
    let to = directory.join(Path::new(source).file_stem().unwrap());
    let compiler = match source {
        "musl.c" => "musl-gcc",
        source if source.ends_with(".cc") => "c++",
        _ => "cc",
    };
    let mut command = Command::new(compiler);
    command.args(["-O1", "-g", "-pthread", "-o"]).arg(&to).arg(from);
    let output = run(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    to
}

/// Both layers give what the native run gives.
pub(crate) fn same_as_native(program: &str, arguments: &[&str]) {
    let under = |layer| run(command(layer, program).args(arguments));
    let native = under(Layer::Native);
    for layer in [Layer::Rewritten, Layer::Trapped] {
        let caught = under(layer);
        let text = |output: &Output| {
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            format!("{}\n{out}\n{err}", output.status)
        };
        assert_eq!(text(&caught), text(&native), "{program} {arguments:?} {layer:?}");
    }
}
