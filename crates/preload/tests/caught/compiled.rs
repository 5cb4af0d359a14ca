//! Programs written to trip an interceptor: they print the same with every call caught.

use crate::common::{compile, same_as_native};

fn check(source: &str) {
    let directory = tempfile::tempdir().unwrap();
    same_as_native(compile(directory.path(), source).to_str().unwrap(), &[]);
}

#[test]
fn registers() {
    check("registers.c");
}

#[test]
fn signals_forks_and_threads() {
    check("storm.c");
}

#[test]
fn sigsys() {
    check("sigsys.c");
}

/// Our own calls pass a filter of the program's, which has its say about the program's.
#[test]
fn seccomp() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), "seccomp.c");
    for arguments in [&[][..], &["kill"], &["trap"], &["trap", "handled"]] {
        same_as_native(program.to_str().unwrap(), arguments);
    }
}

#[test]
fn signals_at_once_and_on_alternate_stacks() {
    check("alternate.c");
}

#[test]
fn cancellation() {
    check("cancel.cc");
}

#[test]
fn an_ordinary_user() {
    let id = crate::common::run(std::process::Command::new("id").arg("-u"));
    if id.stdout == b"0\n" {
        let user = ["--reuid=65534", "--clear-groups", "/bin/sh", "-c", "id -u; (echo sub)"];
        same_as_native("/usr/bin/setpriv", &user);
    }
}

/// Debian package musl-tools.
#[test]
fn musl() {
    if std::path::Path::new("/usr/bin/musl-gcc").exists() {
        check("musl.c");
    }
}

/// %gs is the program's as well.
#[test]
fn gs() {
    check("gs.c");
}
