//! The mounts that a process sees: proc_pid_mounts(5) and proc_pid_mountinfo(5).

use crate::Kernel;
use crate::process::Process;
use std::fmt::Write;
use vfs::MountInfo;

/// /proc/PID/mounts, with `prefix` before each directory.
pub(crate) fn mounts(k: &Kernel, process: &Process, prefix: &[u8]) -> Vec<u8> {
    lines(k, process, |text, mount| {
        let (source, point) = (escaped(mount.source.as_bytes()), escaped(&shown(prefix, &mount.point)));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{source} {point} {} {} 0 0", mount.kind, mount.options());
    })
}

/// /proc/PID/mountinfo, likewise.
pub(crate) fn mountinfo(k: &Kernel, process: &Process, prefix: &[u8]) -> Vec<u8> {
    lines(k, process, |text, mount| {
        let (source, point) = (escaped(mount.source.as_bytes()), escaped(&shown(prefix, &mount.point)));
        let (major, minor) =
            ((mount.dev >> 8) & 0xfff, (mount.dev & 0xff) | ((mount.dev >> 12) & 0xfff_ff00));
        let superblock = format!("{}{}", if mount.read_only { "ro" } else { "rw" }, mount.own_options);
        let _ = writeln!(
            text,
            "{} {} {major}:{minor} {} {point} {} - {} {source} {superblock}",
            mount.id,
            mount.parent,
            escaped(&mount.shows),
            mount.flags.text(),
            mount.kind
        );
    })
}

fn lines(k: &Kernel, process: &Process, line: impl Fn(&mut String, &MountInfo)) -> Vec<u8> {
    let mut text = String::new();
    for mount in k.fs.vfs.mount_table(process.root()) {
        line(&mut text, &mount);
    }
    text.into_bytes()
}

/// A directory as a program writes it whose paths of this kernel begin with `prefix`: the root is the prefix alone, and a prefix of
/// slashes ends where the directory begins (rumphijack(3)).
pub(crate) fn shown(prefix: &[u8], point: &[u8]) -> Vec<u8> {
    let point = match point {
        b"/" if !prefix.is_empty() => b"",
        [b'/', rest @ ..] if prefix.ends_with(b"/") => rest,
        _ => point,
    };
    [prefix, point].concat()
}

/// Blanks, tabs, newlines and backslashes as octal numbers (getmntent(3)); bytes that are no text likewise.
pub(crate) fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    for byte in name {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' | 0x7f.. | 0..0x20 => {
                let _ = write!(text, "\\{byte:03o}");
            }
            _ => text.push(char::from(*byte)),
        }
    }
    if text.is_empty() { "none".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_as_programs_write_them() {
        assert_eq!(shown(b"", b"/"), b"/");
        assert_eq!(shown(b"/rump", b"/"), b"/rump");
        assert_eq!(shown(b"/rump", b"/a"), b"/rump/a");
        assert_eq!(shown(b"//", b"/"), b"//");
        assert_eq!(shown(b"//", b"/a"), b"//a");
    }

    #[test]
    fn what_would_break_a_line_is_escaped() {
        assert_eq!(escaped(b"/a b\t\n\\c"), "/a\\040b\\011\\012\\134c");
        assert_eq!(escaped(b""), "none");
        assert_eq!(escaped(&[0xff]), "\\377");
    }
}
