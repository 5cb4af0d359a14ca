//! `rump diff`: what was changed in an overlay.

use crate::cli::ServerOption;
use crate::mount;
use crate::output;
use crate::run::FAILED;
use crate::session::{Error, Session};
use abi::{Errno, nr};
use std::process::ExitCode;

/// Where the server writes to: no memory of ours, the bytes come with the answer.
const OUT: u64 = 0x1000;
/// `XATTR_SIZE_MAX`
const SIZE_MAX: u64 = 64 << 10;
/// The attribute by which an overlay tells what was changed in a directory, from this change on (crates/vfs/src/overlay/changes.rs).
const ATTRIBUTE: &str = "user.overlay.changes.";
/// Directories within each other that are gone through.
const DEPTH_MAX: usize = 1024;

/// Prints the changes. As diff(1): 0 if there are none, 1 if there are.
pub(crate) fn diff(server: &ServerOption, dir: Option<&str>) -> ExitCode {
    let outcome = changes(server, dir).map_err(|error| error.to_string());
    match outcome.and_then(|text| output::write(&text).map(|()| text.is_empty())) {
        Ok(same) => ExitCode::from(u8::from(!same)),
        Err(error) => {
            eprintln!("rump: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn changes(server: &ServerOption, dir: Option<&str>) -> Result<String, Error> {
    let mut session = Session::open(server)?;
    let dir = match dir {
        Some(dir) => mount::inside(&mut session, dir),
        None => the_overlay(&mut session)?,
    };
    let mut text = String::new();
    walk(&mut session, dir.trim_end_matches('/'), "", DEPTH_MAX, &mut text)?;
    Ok(text)
}

/// The root, or else the one overlay that is mounted.
fn the_overlay(session: &mut Session) -> Result<String, Error> {
    if asked(session, "/", 0)?.is_ok() {
        return Ok("/".to_owned());
    }
    let table = mount::list(session)?;
    let mut overlays = table.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let point = fields.next()?;
        (fields.next()? == "overlay").then_some(point)
    });
    match (overlays.next(), overlays.next()) {
        (Some(point), None) => Ok(point.to_owned()),
        (None, _) => Err(session.explained(
            "no overlay is mounted; `rump run --overlay DIR` and `rump mount -t overlay` make one".to_owned(),
        )),
        (Some(_), Some(_)) => {
            Err(session.explained("several overlays are mounted: say which, by its directory".to_owned()))
        }
    }
}

/// Adds a line for each change in a directory of the overlay that is at `root`, and in those below.
fn walk(
    session: &mut Session,
    root: &str,
    dir: &str,
    depth_left: usize,
    text: &mut String,
) -> Result<(), Error> {
    let path = if root.is_empty() && dir.is_empty() { "/".to_owned() } else { format!("{root}{dir}") };
    let mut seen = 0;
    loop {
        let bytes = match asked(session, &path, seen)? {
            Ok(bytes) => bytes,
            Err(Errno::EOPNOTSUPP | Errno::ENODATA) => {
                return Err(session.explained(format!("{path}: no overlay is mounted there")));
            }
            Err(errno) => return Err(session.explained(format!("{path}: {}", errno.name()))),
        };
        if bytes.is_empty() {
            return Ok(());
        }
        for change in bytes.split(|byte| *byte == 0) {
            let [what, descend, name @ ..] = change else { continue };
            seen += 1;
            let name = String::from_utf8_lossy(name);
            if *what != b'-' {
                *text += &format!("{} {dir}/{name}\n", char::from(*what));
            }
            if *descend == b'd' && depth_left > 0 {
                walk(session, root, &format!("{dir}/{name}"), depth_left - 1, text)?;
            }
        }
    }
}

/// What the overlay tells of a directory.
fn asked(session: &mut Session, path: &str, skip: usize) -> Result<Result<Vec<u8>, Errno>, Error> {
    let name = format!("{ATTRIBUTE}{skip}");
    let answer =
        session.call_strings(nr::LGETXATTR, [path.into(), (&name).into(), OUT.into(), SIZE_MAX.into()])?;
    Ok(answer.result.map(|_| answer.out))
}
