//! What the command line says and refuses.

use crate::server::PROGRAM;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    crate::server::run(Command::new(PROGRAM).args(args))
}

#[test]
fn refusals_name_what_is_wrong() {
    for (args, expected) in [
        (&["ftp://x"][..], "'ftp://x'"),
        (&["-s", "unix://"], "unix://PATH"),
        (&["-lrumpfs_zfs", "unix://s"], "unknown component 'rumpfs_zfs'"),
        (&["-d", "key=/dev/d", "unix://s"], "'hostpath=' is missing"),
        (&["-s", "-d", "key=/dev/d,hostpath=/nonexistent/d,size=host", "unix://s"], "/nonexistent/d"),
        (&["-s", "-n", "name=shm0,type=shmif", "unix://s"], "'shmif'"),
        (&["-r", "lots", "unix://s"], "'lots'"),
        (&["-s", "-r", "1", "unix://s"], "give it more"),
        (&["-s", "tcp://0:7000"], "--insecure-tcp"),
        (&[], "URL"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

/// Each malformed value: one line that quotes it and says what is expected, and status 1.
#[test]
fn malformed_values_are_quoted() {
    for args in [
        &["ftp://x"][..],
        &["unix:/x"],
        &["unix://"],
        &["tcp://"],
        &["tcp://localhost:1"],
        &["tcp://127.0.0.1:70000/"],
        &["tcp://127.0.0.1:x/"],
        &["-d", "key", "unix://s"],
        &["-d", "key=/d", "unix://s"],
        &["-d", "key=/d,hostpath=x,size=x", "unix://s"],
        &["-d", "key=/d,hostpath=x,size=1,offset=-1", "unix://s"],
        &["-d", "key=/d,hostpath=x,size=1,type=tape", "unix://s"],
        &["-d", "key=/d,hostpath=x,size=1,colour=red", "unix://s"],
        &["-d", "key=/d,key=/e,hostpath=x,size=1", "unix://s"],
        &["-n", "shmif", "unix://s"],
        &["-n", "type=tap", "unix://s"],
        &["-n", "name=averyverylongname,type=tap", "unix://s"],
        &["-r", "lots", "unix://s"],
        &["-r", "99999999999999999999", "unix://s"],
    ] {
        let output = run(&[&["-s"], args].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        let malformed = args[args.len().saturating_sub(2)..][..1][0];
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{args:?}: {said}");
        assert!(said.contains(&format!("'{malformed}'")) && said.contains("expected"), "{args:?}: {said}");
    }
}

#[test]
fn help_and_version() {
    for arg in ["--help", "--version", "-h"] {
        let output = run(&[arg]);
        assert!(output.status.success() && !output.stdout.is_empty());
    }
}
