//! The same shell script, natively and hijacked.

use crate::{Ran, Server, c_program, native, run};

/// Runs `script` with `sh -eu` twice, `$D` being an empty directory: once natively, once under the rump kernel's
/// tree; both must print the same (with the directory's name in place of `$D`'s value) and answer the same status. The
/// rump kernel must have served calls. Answers what was printed.
///
/// # Panics
/// If they differ, with both outputs.
#[track_caller]
pub fn same_in_both(script: &str) -> String {
    let server = Server::start();
    let host = tempfile::tempdir().expect("a temporary directory");
    let host_dir = host.path().join("d");
    std::fs::create_dir(&host_dir).expect("a directory");
    let expected = shell(&mut native("sh"), script, &host_dir.to_string_lossy());

    let made = run(server.hijacked("mkdir").arg("/rump/d"));
    assert_eq!(made.status, 0, "mkdir /rump/d: {}", made.stderr);
    let found = shell(&mut server.hijacked("sh"), script, "/rump/d");

    assert_eq!(found, expected, "hijacked (left) differs from native (right):\n{script}");
    assert!(server.counter("calls") > 0, "nothing went through the rump kernel");
    found.stdout
}

fn shell(command: &mut std::process::Command, script: &str, dir: &str) -> Ran {
    command.args(["-euc", script]).env("D", dir).env("HOME", dir).current_dir("/");
    let ran = run(command);
    let plain = |text: String| text.replace(dir, "$D");
    Ran { status: ran.status, stdout: plain(ran.stdout), stderr: plain(ran.stderr) }
}

/// Compiles the C program `name` of tests/c and runs it with an empty directory as its argument: natively with one of the
/// host's, hijacked with one of the rump kernel's. Both must print the same and succeed, and the rump kernel must have
/// served this call. Answers what was printed.
///
/// # Panics
/// If they differ, with both outputs.
#[track_caller]
pub fn same_program(name: &str, call: &str) -> String {
    let server = Server::start();
    let program = c_program(name, server.directory());
    let here = server.directory().join("here");
    std::fs::create_dir(&here).expect("a host directory");
    let expected = run(native(&program).arg(&here)).success();
    let _ = run(server.hijacked("mkdir").arg("/rump/here")).success();
    let found = run(server.hijacked(&program).arg("/rump/here")).success();
    assert_eq!(found, expected, "hijacked (left) differs from native (right): {name}");
    assert!(server.counter(&format!("call.{call}")) > 0, "{call} did not go through the rump kernel");
    found
}
