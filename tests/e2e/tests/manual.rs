//! The first worked example of each manual page does what the page shows.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{artifact, native, run};
use std::path::Path;

/// What is typed, and what the page shows as printed.
struct Example {
    typed: Vec<String>,
    printed: String,
}

/// The first literal block behind `.Sh EXAMPLES` (mdoc) or `.SH EXAMPLES` (man), undone of its escapes.
fn first_example(page: &str) -> Example {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../man").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, rest) = text.split_once("EXAMPLES").unwrap_or_else(|| panic!("{page} has no EXAMPLES"));
    let block = rest.lines().skip_while(|line| !line.starts_with(".Bd") && !line.starts_with(".nf")).skip(1);
    let mut example = Example { typed: Vec::new(), printed: String::new() };
    for line in block.take_while(|line| !line.starts_with(".Ed") && !line.starts_with(".fi")) {
        let line = line.replace("\\-", "-").replace("\\(aq", "'").replace("\\&", "");
        match line.strip_prefix("$ ") {
            Some(command) => example.typed.push(command.to_owned()),
            None => example.printed.push_str(&(line + "\n")),
        }
    }
    example
}

fn holds(page: &str) {
    let example = first_example(page);
    assert!(!example.typed.is_empty(), "{page} shows no command");
    let programs = artifact("rump").parent().unwrap().to_path_buf();
    let directory = tempfile::tempdir().unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut shell = native("bash");
    shell.args(["-euc", &example.typed.join("\n")]).env("PATH", path).env("LD_LIBRARY_PATH", &programs);
    let ran = run(shell.current_dir(directory.path()));
    assert_eq!(ran.status, 0, "{page}: {ran:?}");
    assert_eq!(ran.stdout, example.printed, "{page}: what it prints (left) is not what the page shows");
}

#[test]
fn rumphijack_3() {
    holds("rumphijack.3");
}

#[test]
fn rump_sp_7() {
    holds("rump_sp.7");
}

#[test]
fn rump_server_1() {
    holds("rump_server.1");
}

#[test]
fn rump_1() {
    holds("rump.1");
}
