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
        (&["-s", "-d", "key=/dev/d,hostpath=d,size=1m", "unix://s"], "not supported yet"),
        (&["-s", "-n", "name=shm0,type=shmif", "unix://s"], "not supported yet"),
        (&["-r", "lots", "unix://s"], "'lots'"),
        (&["-s", "tcp://0:7000"], "--insecure-tcp"),
        (&[], "URL"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "{args:?}: {said}");
    }
}

#[test]
fn help_and_version() {
    for arg in ["--help", "--version", "-h"] {
        let output = run(&[arg]);
        assert!(output.status.success() && !output.stdout.is_empty());
    }
}
