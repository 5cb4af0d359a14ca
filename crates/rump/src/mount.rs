//! `rump mount` and `rump umount`: mount(8) is set-user-ID, so ld.so keeps the library out of it for all but root.

use crate::cli::{MountOptions, ServerOption};
use crate::session::{Error, Session};
use abi::raw::general::{
    MNT_DETACH, MS_BIND, MS_MOVE, MS_NOATIME, MS_NODEV, MS_NODIRATIME, MS_NOEXEC, MS_NOSUID, MS_RDONLY,
    MS_REC, MS_RELATIME, MS_REMOUNT, MS_STRICTATIME, O_RDONLY,
};
use abi::{Errno, nr};
use std::path::Path;

/// Mount options of every file system (mount(8)): which bits they set, and which they take away.
const OPTIONS: &[(&str, u32, u32)] = &[
    ("defaults", 0, 0),
    ("ro", MS_RDONLY, 0),
    ("rw", 0, MS_RDONLY),
    ("nosuid", MS_NOSUID, 0),
    ("suid", 0, MS_NOSUID),
    ("nodev", MS_NODEV, 0),
    ("dev", 0, MS_NODEV),
    ("noexec", MS_NOEXEC, 0),
    ("exec", 0, MS_NOEXEC),
    ("noatime", MS_NOATIME, 0),
    ("atime", 0, MS_NOATIME),
    ("nodiratime", MS_NODIRATIME, 0),
    ("relatime", MS_RELATIME, 0),
    ("strictatime", MS_STRICTATIME, 0),
    ("remount", MS_REMOUNT, 0),
    ("bind", MS_BIND, 0),
    ("rbind", MS_BIND | MS_REC, 0),
    ("move", MS_MOVE, 0),
];
/// Under this name hijacked programs see the rump kernel's tree.
const PREFIX: &str = "/rump";
/// Longest text of /proc/mounts that is read.
const TABLE_MAX: u64 = 1 << 16;

/// Mounts, or lists mounts.
pub(crate) fn mount(options: &MountOptions) -> Result<String, Error> {
    let mut session = Session::open(&options.server)?;
    let (Some(source), Some(dir)) = (&options.source, &options.dir) else {
        return list(&mut session);
    };
    let (flags, data) = flags(options.options.as_deref().unwrap_or_default());
    let flags = if options.read_only { flags | MS_RDONLY } else { flags };
    let source = match options.kind.as_str() {
        "dir" => absolute(source),
        _ if flags & (MS_BIND | MS_MOVE) != 0 => inside(&mut session, source),
        _ => source.clone(),
    };
    if options.mkdir {
        make(&mut session, dir)?;
    }
    let dir = inside(&mut session, dir);
    let data = if options.kind == "overlay" { overlay_options(&mut session, &data) } else { data };
    mount_at(&mut session, (&source, &options.kind), &dir, flags, &data)?;
    Ok(String::new())
}

/// The directories that an overlay's options name, as the rump kernel knows them.
fn overlay_options(session: &mut Session, data: &str) -> String {
    let option = |option: &str| match option.split_once("dir=") {
        Some((which, paths)) => {
            let paths: Vec<String> = paths.split(':').map(|path| inside(session, path)).collect();
            format!("{which}dir={}", paths.join(":"))
        }
        None => option.to_owned(),
    };
    data.split(',').map(option).collect::<Vec<_>>().join(",")
}

/// mount(2).
pub(crate) fn mount_at(
    session: &mut Session,
    (source, kind): (&str, &str),
    dir: &str,
    flags: u32,
    data: &str,
) -> Result<(), Error> {
    let answer = session.call_strings(
        nr::MOUNT,
        [source.into(), dir.into(), kind.into(), u64::from(flags).into(), data.into()],
    )?;
    answer.result.map(drop).map_err(|errno| refused(session, (source, kind), dir, errno))
}

/// What mount(8) says.
fn refused(session: &Session, (source, kind): (&str, &str), dir: &str, errno: Errno) -> Error {
    let why = match errno {
        Errno::ENODEV => format!("the rump kernel knows no file system type '{kind}'"),
        Errno::ENOTBLK => format!("{source} is not a block device: drives are given to rump_server with -d"),
        Errno::ENOENT => format!("{source} or {dir} does not exist in the rump kernel (--mkdir makes {dir})"),
        Errno::EBUSY => format!("{source} is mounted already"),
        Errno::EINVAL if kind == "overlay" => {
            "say lowerdir=DIR[:DIR...] and upperdir=DIR, none of them inside another".to_owned()
        }
        Errno::EINVAL => format!("no file system of type '{kind}' on {source}, or an unknown option"),
        Errno::EACCES => format!("{source} cannot be written; mount it read-only (-r)"),
        Errno::EPERM => "only the user who started the server may mount".to_owned(),
        _ => return session.refused(errno),
    };
    session.explained(format!("mounting {source} on {dir}: {why} ({})", errno.name()))
}

/// Takes a mount away.
pub(crate) fn umount(server: &ServerOption, dir: &str, lazy: bool) -> Result<String, Error> {
    let mut session = Session::open(server)?;
    let dir = inside(&mut session, dir);
    let flags = if lazy { u64::from(MNT_DETACH) } else { 0 };
    let answer = session.call_strings(nr::UMOUNT2, [dir.as_str().into(), flags.into()])?;
    match answer.result {
        Ok(_) => Ok(String::new()),
        Err(Errno::EINVAL) => Err(session.explained(format!("{dir}: nothing is mounted there"))),
        Err(Errno::EBUSY) => Err(session.explained(format!(
            "{dir}: busy: files in it are open, or it is somebody's directory or exported (-l does it all the same)"
        ))),
        Err(errno) => Err(session.refused(errno)),
    }
}

/// The bits of an `-o` list, and what is left for the file system.
fn flags(list: &str) -> (u32, String) {
    let (mut flags, mut rest) = (0, Vec::new());
    for option in list.split(',').filter(|option| !option.is_empty()) {
        match OPTIONS.iter().find(|(name, ..)| *name == option) {
            Some((_, set, cleared)) => flags = flags & !cleared | set,
            None => rest.push(option),
        }
    }
    (flags, rest.join(","))
}

/// A path as the rump kernel knows it: users also say it as hijacked programs see it.
pub(crate) fn inside(session: &mut Session, path: &str) -> String {
    match path.strip_prefix(PREFIX) {
        Some(rest) if (rest.is_empty() || rest.starts_with('/')) && !exists(session, path) => {
            if rest.is_empty() { "/".to_owned() } else { rest.to_owned() }
        }
        _ => path.to_owned(),
    }
}

fn exists(session: &mut Session, path: &str) -> bool {
    let answer = session.call_strings(nr::ACCESS, [path.into(), 0.into()]);
    answer.is_ok_and(|answer| answer.result.is_ok())
}

pub(crate) fn make(session: &mut Session, dir: &str) -> Result<(), Error> {
    let dir = inside(session, dir);
    let answer = session.call_strings(nr::MKDIR, [dir.as_str().into(), 0o755.into()])?;
    match answer.result {
        Ok(_) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(session.refused(errno)),
    }
}

fn absolute(path: &str) -> String {
    std::path::absolute(Path::new(path))
        .map_or_else(|_| path.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// /proc/mounts of the rump kernel.
pub(crate) fn list(session: &mut Session) -> Result<String, Error> {
    let opened =
        session.call_strings(nr::OPEN, ["/proc/mounts".into(), u64::from(O_RDONLY).into(), 0.into()])?;
    let fd = opened.result.map_err(|errno| session.refused(errno))?;
    let read = session.call(nr::READ, &[fd, 0x1000, TABLE_MAX])?;
    Ok(String::from_utf8_lossy(&read.out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        assert_eq!(flags("ro,nosuid,size=1m,x"), (MS_RDONLY | MS_NOSUID, "size=1m,x".to_owned()));
        assert_eq!(flags("ro,rw"), (0, String::new()));
        assert_eq!(flags(""), (0, String::new()));
    }
}
