//! The rules of the house that the compiler does not hold: which crate may use which, and where unsafe may be.

use crate::run::{Outcome, capture, cargo, root};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The crates, each with those of ours that it may use (ARCHITECTURE.md, 'The house').
const ARROWS: &[(&str, &[&str])] = &[
    ("abi", &[]),
    ("host", &["abi"]),
    ("wire", &["abi"]),
    ("sites", &["abi", "sitelist"]),
    ("sitelist", &[]),
    ("tcpip", &["abi"]),
    ("vfs", &["abi"]),
    ("nfs", &["abi", "vfs"]),
    ("kernel", &["abi", "nfs", "tcpip", "vfs"]),
    ("image", &["abi", "vfs"]),
    ("client", &["abi", "host", "wire"]),
    ("intercept", &["abi", "host", "sitelist"]),
    ("loader", &["abi", "host"]),
    ("hijack", &["abi", "client", "host", "intercept", "loader", "sitelist", "wire"]),
    ("preload", &["abi", "hijack", "host", "intercept", "loader"]),
    ("rumpclient", &["abi", "client", "host", "wire"]),
    ("server", &["abi", "image", "kernel", "sites", "sitelist", "tcpip", "vfs", "wire"]),
    ("rump", &["abi", "client", "host", "image", "server", "sites", "sitelist", "wire"]),
];

/// Crates above the house: they may use all of it.
const ABOVE: &[&str] = &["xtask", "e2e", "benches"];

/// Crates that must not contain unsafe code at all.
const SAFE: &[&str] = &["abi", "sites", "tcpip", "vfs", "nfs", "kernel", "image", "rump"];

/// Checks all rules.
///
/// # Errors
/// One line per breach.
pub(crate) fn check() -> Outcome {
    let mut breaches = arrows()?;
    breaches.extend(unsafe_files()?);
    breaches.extend(forbidden());
    if breaches.is_empty() { Ok(()) } else { Err(breaches.join("\n")) }
}

fn arrows() -> Outcome<Vec<String>> {
    let (success, text) =
        capture(cargo().args(["metadata", "--no-deps", "--format-version", "1", "--quiet"]))?;
    let metadata: Value = serde_json::from_str(text.lines().next().unwrap_or_default())
        .ok()
        .filter(|_| success)
        .ok_or_else(|| format!("cargo metadata: {text}"))?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut breaches = Vec::new();
    for package in &packages {
        let name = package["name"].as_str().unwrap_or_default();
        if ABOVE.contains(&name) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            breaches.push(format!(
                "crate `{name}` has no place in the house (xtask/src/house.rs, ARCHITECTURE.md)"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let normal = dependency["kind"].is_null();
            if normal && names.contains(&used) && !allowed.contains(&used) {
                breaches.push(format!("crate `{name}` must not use `{used}`: arrows point down only"));
            }
        }
    }
    Ok(breaches)
}

/// Files that say `unsafe` must be named `*_unsafe.rs`.
fn unsafe_files() -> Outcome<Vec<String>> {
    let mut breaches = Vec::new();
    for file in sources(&root().join("crates"))? {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let named = file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_unsafe"));
        let says = text.lines().map(|line| line.split("//").next().unwrap_or_default()).any(says_unsafe);
        if says && !named {
            breaches.push(format!("{}: unsafe code outside a *_unsafe.rs file", file.display()));
        }
    }
    Ok(breaches)
}

fn says_unsafe(code: &str) -> bool {
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "#[unsafe("]
        .iter()
        .any(|form| code.contains(form))
}

fn forbidden() -> Vec<String> {
    let lacks = |name: &&&str| {
        ["lib.rs", "main.rs"].iter().all(|file| {
            let path = root().join("crates").join(name).join("src").join(file);
            std::fs::read_to_string(path).is_ok_and(|text| !text.contains("#![forbid(unsafe_code)]"))
        })
    };
    let missing = SAFE.iter().filter(lacks);
    missing.map(|name| format!("crate `{name}` must say #![forbid(unsafe_code)]")).collect()
}

/// All Rust files below a crate's `src`.
fn sources(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(dir) = todo.pop() {
        let entries = std::fs::read_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
            if path.is_dir()
                && !["tests", "target", "examples", "benches"].iter().any(|name| path.ends_with(name))
            {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    Ok(found)
}
