//! The file tree call by call: some 1,200 of them answer in the rump kernel, on its tmpfs and on an ext4 image, what they answer on
//! the host. What a file system may do as it likes is left out.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Drive, c_program, invoking_user, native, run, syscall};
use std::process::Command;

/// Compares what the program `h_posix_NAME` prints, natively `by` what is put in front of it.
fn same(name: &str, by: &[&str]) {
    // Of so much, blocks are of 4 KiB, as those of most disks.
    let mut drive = Drive::ext4("600m");
    let program = c_program(&format!("h_posix_{name}"), drive.place());
    let (front, rest) = match by {
        [] => (program.as_os_str(), [].as_slice()),
        [front, rest @ ..] => (front.as_ref(), rest),
    };
    let mut natively = native(front);
    if !by.is_empty() {
        natively.args(rest).arg(&program);
    }
    let here = drive.place().join("here");
    std::fs::create_dir(&here).unwrap();
    let expected = run(natively.arg(here)).success();
    let lines = expected.lines().filter(|line| !line.starts_with(' ')).count();
    assert!(lines > 50, "{expected}");

    for directory in ["/rump/here", "/rump/mnt/here"] {
        let hijacked = |program: &std::path::Path| -> Command { drive.server().hijacked(program) };
        let _ = run(hijacked("mkdir".as_ref()).arg(directory)).success();
        let found =
            run(hijacked(&program).arg(directory).env("RUMPHIJACK", "path=/rump,vfs=getvfsstat")).success();
        let differ: Vec<_> =
            expected.lines().zip(found.lines()).filter(|(host, rump)| host != rump).collect();
        assert!(
            differ.is_empty(),
            "{name} in {directory}: the host (left) differs from the rump kernel (right): {differ:#?}"
        );
        assert_eq!(found.lines().count(), expected.lines().count(), "{name} in {directory}");
    }
    assert!(drive.server().counter("calls") > 2 * lines as u64, "not all went through the rump kernel");
    drive.unmount();
}

/// Whether the suite's user is root, who can become others. Without root there is nothing to compare with.
fn as_root() -> bool {
    invoking_user();
    syscall(abi::nr::GETEUID, [0; 6]) == Ok(0)
}

#[test]
fn names() {
    same("names", &[]);
}

#[test]
fn data() {
    same("data", &[]);
}

#[test]
fn files() {
    same("files", &[]);
}

#[test]
fn users() {
    if as_root() {
        same("users", &[]);
    }
}

#[test]
fn mounts() {
    if as_root() {
        same("mounts", &["unshare", "-m"]);
    }
}
