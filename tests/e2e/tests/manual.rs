//! The first worked example of each manual page does what the page shows.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{artifact, install_rumpclient, native, ordinary_user, repository, run};
use std::path::Path;

/// What is typed, and what the page shows as printed.
struct Example {
    typed: Vec<String>,
    printed: String,
}

/// The literal blocks behind `.Sh EXAMPLES` (mdoc) or `.SH EXAMPLES` (man), undone of their escapes.
fn blocks(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join("man").join(page)).unwrap();
    let (_, rest) = text.split_once("EXAMPLES").unwrap_or_else(|| panic!("{page} has no EXAMPLES"));
    let mut lines = rest.lines();
    let mut blocks = Vec::new();
    while lines.any(|line| line.starts_with(".Bd") || line.starts_with(".nf")) {
        let block = lines.by_ref().take_while(|line| !line.starts_with(".Ed") && !line.starts_with(".fi"));
        let plain = |line: &str| {
            line.replace("\\-", "-").replace("\\(aq", "'").replace("\\&", "").replace("\\e", "\\")
        };
        blocks.push(block.map(|line| plain(line) + "\n").collect());
    }
    blocks
}

fn example(block: &str) -> Example {
    let mut example = Example { typed: Vec::new(), printed: String::new() };
    for line in block.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => example.typed.push(command.to_owned()),
            None => example.printed.push_str(&format!("{line}\n")),
        }
    }
    example
}

fn holds(page: &str) {
    ordinary_user();
    holds_in(page, &blocks(page)[0], tempfile::tempdir().unwrap().path());
}

fn holds_in(page: &str, block: &str, directory: &Path) {
    let example = example(block);
    assert!(!example.typed.is_empty(), "{page} shows no command");
    let programs = artifact("rump").parent().unwrap().to_path_buf();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    let mut shell = native("bash");
    shell.args(["-euc", &example.typed.join("\n")]).env("PATH", path).env("LD_LIBRARY_PATH", &programs);
    shell.env("PKG_CONFIG_PATH", directory.join("usr/lib/pkgconfig"));
    let ran = run(shell.current_dir(directory));
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

/// The program, compiled with what pkg-config(1) answers once the library is installed.
#[test]
fn rumpclient_3() {
    let blocks = blocks("rumpclient.3");
    ordinary_user();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("where.c"), &blocks[0]).unwrap();
    install_rumpclient(&directory.path().join("usr"));
    holds_in("rumpclient.3", &blocks[1], directory.path());
}
