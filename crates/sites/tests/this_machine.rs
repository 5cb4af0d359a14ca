//! The site table of this machine's C libraries: every true call found, none refused, and the spans sound.

use sites::analyse_file;
use std::path::Path;
use std::process::Command;

const LIBRARIES: &[&str] = &[
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
    "/usr/lib/x86_64-linux-musl/libc.so",
    "/lib/ld-musl-x86_64.so.1",
];

/// Addresses of `syscall` as binutils see them.
fn objdump(path: &str) -> Option<Vec<u32>> {
    let output = Command::new("objdump").args(["-d", "--no-show-raw-insn", path]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let address = |line: &str| {
        let (address, instruction) = line.split_once(":\t")?;
        (instruction.trim() == "syscall").then(|| u32::from_str_radix(address.trim(), 16).ok())?
    };
    Some(text.lines().filter_map(address).collect())
}

#[test]
fn all_true_sites_are_found_and_none_is_refused() {
    let mut looked_at = 0;
    for path in LIBRARIES.iter().filter(|path| Path::new(path).exists()) {
        let analysis = match analyse_file(Path::new(path)) {
            Ok(analysis) => analysis,
            Err(sites::Error::NoBuildId) => continue,
            Err(error) => panic!("{path}: {error}"),
        };
        let found: Vec<u32> = analysis.list.sites.iter().map(|site| site.call).collect();
        assert_eq!(analysis.refused, [] as [u32; 0], "{path}");
        assert!(analysis.list.whole || path.contains("musl"), "{path}: no unwind table, no proof");
        let expected = objdump(path).expect("objdump (Debian package binutils)");
        assert_eq!(found, expected, "{path}");
        assert!(found.len() > 40, "{path}: {} sites", found.len());
        let decoded = sitelist::SiteList::decode(&analysis.list.encode());
        assert_eq!(decoded, Some(analysis.list), "{path}");
        looked_at += 1;
    }
    assert!(looked_at > 0, "no C library with a build-id here");
}

#[test]
fn most_spans_leave_the_call_in_place() {
    let analysis = analyse_file(Path::new("/lib/x86_64-linux-gnu/libc.so.6")).unwrap();
    let sites = &analysis.list.sites;
    let in_front = sites.iter().filter(|site| u32::from(site.len) == site.call - site.start).count();
    let forward = sites.iter().filter(|site| site.call == site.start).count();
    assert!(in_front * 10 > sites.len() * 8, "{in_front} of {}", sites.len());
    assert!(forward * 50 < sites.len(), "{forward} of {}", sites.len());
}
