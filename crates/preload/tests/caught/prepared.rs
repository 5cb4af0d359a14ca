//! Code that was rewritten once and is mapped by later processes.

use crate::common::{Layer, command, new_cache, run};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// How many mappings of a process are of prepared code: trampolines and text, of libc and ld.so each. What lies in the directory that is
/// taken where this one cannot be had (`/tmp/rumphijack-UID`) is not counted: other programs may have left something there.
fn mapped(cache: &Path) -> usize {
    let mut cat = command(Layer::Rewritten, "/bin/cat");
    let output = run(cat.arg("/proc/self/maps").env("XDG_CACHE_HOME", cache));
    assert!(output.status.success(), "{} {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|line| line.ends_with(".code") && !line.contains("/rumphijack-"))
        .count()
}

fn files(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache.join("rumphijack")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|kind| kind == "code")).collect()
}

#[test]
fn the_second_process_maps_what_the_first_has_made() {
    let cache = new_cache();
    assert_eq!((mapped(cache.path()), files(cache.path()).len()), (0, 2));
    assert_eq!(mapped(cache.path()), 4);
}

#[test]
fn what_others_can_write_is_not_run() {
    let cache = new_cache();
    mapped(cache.path());
    let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let directory = cache.path().join("rumphijack");
    files(cache.path()).iter().for_each(|path| set(path, 0o620));
    assert_eq!(mapped(cache.path()), 0, "a group can write the files");
    files(cache.path()).iter().for_each(|path| set(path, 0o600));
    assert_eq!(mapped(cache.path()), 4);
    let elsewhere = tempfile::tempdir().unwrap();
    for path in files(cache.path()) {
        let moved = elsewhere.path().join(path.file_name().unwrap());
        fs::copy(&path, &moved).unwrap();
        fs::remove_file(&path).unwrap();
        symlink(moved, path).unwrap();
    }
    assert_eq!(mapped(cache.path()), 0, "a link leads anywhere");
    set(&directory, 0o777);
    assert_eq!(mapped(cache.path()), 0, "anybody can write the directory");
}

#[test]
fn what_does_not_fit_is_not_run() {
    let cache = new_cache();
    mapped(cache.path());
    let good: Vec<(PathBuf, Vec<u8>)> =
        files(cache.path()).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    // The key of 600 bytes, here and there, and all words behind it up to the sum.
    for at in (0..600).step_by(37).chain((600..640).step_by(4)) {
        for (path, bytes) in &good {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            fs::write(path, bytes).unwrap();
        }
        assert_eq!(mapped(cache.path()), 0, "byte {at} has changed");
    }
    for (path, bytes) in &good {
        fs::write(path, &bytes[..bytes.len() - 4096]).unwrap();
    }
    assert_eq!(mapped(cache.path()), 0);
    for (path, bytes) in &good {
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(mapped(cache.path()), 4);
}
