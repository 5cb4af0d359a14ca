//! What the rump kernel tells as text has the form that the host's kernel gives it, so that programs which read it find their way.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Server, native, run};
use std::collections::BTreeSet;

/// A line without its numbers, and without how far its columns are apart.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for word in line.split_inclusive([' ', '\t', ':', '/', '.', '-', ',', '(', ')']) {
        let digits = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let number = digits.contains(|digit: char| digit.is_ascii_digit())
            && digits.chars().all(|digit| digit.is_ascii_hexdigit());
        let end = &word[digits.len()..];
        shape.push_str(if number { "9" } else { digits });
        shape.push_str(if end == " " && shape.ends_with(' ') { "" } else { end });
    }
    shape.replace("-9", "9")
}

fn both(server: &Server, file: &str) -> (String, String) {
    let host = run(native("cat").arg(format!("/proc/{file}"))).success();
    (host, run(server.hijacked("cat").arg(format!("/rump/proc/{file}"))).success())
}

#[test]
fn files_of_lines() {
    let server = Server::start();
    for file in [
        "meminfo",
        "self/status",
        "self/limits",
        "self/stat",
        "self/statm",
        "uptime",
        "loadavg",
        "stat",
        "swaps",
    ] {
        let (host, rump) = both(&server, file);
        let hosts: Vec<String> = host.lines().map(shape).collect();
        let mut last = 0;
        for line in rump.lines().map(shape) {
            // Words of their own: a state, a program's name.
            let key = line.split(['\t', ':', '(']).next().unwrap();
            let like = |other: &String| *other == line || key == "State" && other.starts_with("State");
            let at = hosts.iter().position(like);
            let at =
                at.unwrap_or_else(|| panic!("/proc/{file}: the host has no line like {line:?}:\n{host}"));
            assert!(at >= last, "/proc/{file}: {line:?} comes later than on the host");
            last = at;
        }
    }
}

#[test]
fn tables_have_the_hosts_heads() {
    let server = Server::start();
    let head = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    for file in ["arp", "dev", "route", "tcp", "udp", "tcp6", "udp6", "unix"] {
        let (host, rump) = both(&server, &format!("net/{file}"));
        assert_eq!(head(&rump), head(&host), "/proc/net/{file}");
    }
    let (host, rump) = both(&server, "self/mountinfo");
    let fields = |text: &str| text.lines().map(|line| line.split(' ').count()).collect::<BTreeSet<_>>();
    // Those of the host may have optional fields (shared:N), ours have none.
    assert!(fields(&rump).iter().all(|count| *count == 10), "{rump}");
    assert!(fields(&host).iter().all(|count| *count >= 10), "{host}");
}

/// A file of /proc/net that the rump kernel has is its own for a program whose sockets are its, without a prefix too.
#[test]
fn what_tells_of_the_network_is_the_rump_kernels() {
    let server = Server::start();
    let script = "cd /rump/proc/net; for f in *; do cat /proc/net/$f > /dev/null; stat -c '%n %d %i' $f /proc/net/$f; done";
    let ran =
        run(server.hijacked("sh").args(["-c", script]).env("RUMPHIJACK", "path=/rump,socket=all")).success();
    let seen: Vec<_> = ran.lines().map(|line| line.split_once(' ').unwrap()).collect();
    assert!(seen.len() >= 2 * 26, "{ran}");
    for pair in seen.chunks(2) {
        assert_eq!(pair[0].1, pair[1].1, "{} is the host's", pair[1].0);
    }
}

/// Programs that read /proc print the same around their numbers.
#[test]
fn programs_print_the_same_lines() {
    let server = Server::start();
    let shapes = |text: &str| text.lines().map(shape).collect::<Vec<_>>();
    for (program, args) in [
        ("free", &[][..]),
        ("free", &["-h", "-w"]),
        ("uptime", &["-s"]),
        ("df", &["-i"]),
        ("df", &["-hT"]),
        ("findmnt", &["-D"]),
    ] {
        let printed =
            |mut command: std::process::Command| run(command.args(args).env("LC_ALL", "C")).success();
        let host = shapes(&printed(native(program)));
        let mut hijacked = server.hijacked(program);
        hijacked.env("RUMPHIJACK", "path=/rump,blanket=/proc,vfs=getvfsstat");
        let rump = shapes(&printed(hijacked));
        assert_eq!(rump.first(), host.first(), "{program} {args:?}: {rump:#?}");
        assert!(!rump.is_empty(), "{program} says nothing");
        if program == "free" {
            assert_eq!(rump.len(), host.len());
        }
    }
    assert!(server.counter("calls") > 0);
}
