//! NetBSD's tests/lib/librumphijack/t_cwd: where relative paths go, and what getcwd(3) shows.

use e2e::{Server, c_program, run};

fn h_cwd(prefix: &str, walk: &str, call: &str) {
    let server = Server::start();
    let mut command = server.hijacked(c_program("h_cwd", server.directory()));
    let _ = run(command.env("RUMPHIJACK", format!("path={prefix}")).args([prefix, walk, call])).success();
    assert!(server.counter("call.chdir") + server.counter("call.fchdir") > 0);
}

#[test]
fn basic_chdir() {
    h_cwd("/rump", "simple", "chdir");
}

#[test]
fn basic_fchdir() {
    h_cwd("/rump", "simple", "fchdir");
}

#[test]
fn slash_chdir() {
    h_cwd("//", "simple", "chdir");
}

#[test]
fn slash_fchdir() {
    h_cwd("//", "simple", "fchdir");
}

#[test]
fn symlink_chdir() {
    h_cwd("/rump", "symlink", "chdir");
}

#[test]
fn symlink_fchdir() {
    h_cwd("/rump", "symlink", "fchdir");
}

#[test]
fn symlink_slash_chdir() {
    h_cwd("//", "symlink", "chdir");
}

#[test]
fn symlink_slash_fchdir() {
    h_cwd("//", "symlink", "fchdir");
}
