//! execve(2), execveat(2): the next image finds the library, its server and the session again; a program that
//! lies in the rump kernel is run from a memory file.

mod environ;
mod marks;
mod program;
mod scratch;
mod strings;

pub use environ::Inherited;
pub use marks::Marks;
pub(crate) use scratch::Scratch;

use crate::Hijack;
use crate::dispatch::{Answer, Call, Verdict};
use crate::fds::Entry;
use crate::text::Text;
use crate::world::{Outcome, World};
use abi::raw::general::{F_SETFD, FD_CLOEXEC};
use abi::{Errno, nr};
use alloc::vec::Vec;
use environ::{Fate, NAME_MAX, Seen};
use strings::Item;

/// execve(2), ELOOP: the interpreter of a script was a script, more often than this.
const INTERPRETERS_MAX: u32 = 4;

/// An image to be run, in the program's terms.
#[derive(Debug, Clone, Copy)]
struct Image {
    /// The directory of a relative path; `None`: the working directory.
    dir: Option<u64>,
    path: u64,
    argv: u64,
    envp: u64,
    /// `AT_EMPTY_PATH`, `AT_SYMLINK_NOFOLLOW`.
    flags: u64,
    /// Scripts whose interpreter this is.
    depth: u32,
}

pub(crate) fn execve<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [path, argv, envp, ..] = call.args;
    exec(h, &Image { dir: None, path, argv, envp, flags: 0, depth: 0 }).map(Answer::Value)
}

pub(crate) fn execveat<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [dir, path, argv, envp, flags, _] = call.args;
    exec(h, &Image { dir: Some(dir), path, argv, envp, flags, depth: 0 }).map(Answer::Value)
}

/// Returns only if it fails.
fn exec<W: World>(h: &Hijack<W>, image: &Image) -> Outcome {
    if image.depth > INTERPRETERS_MAX {
        return Err(Errno::ELOOP);
    }
    match h.path_at(image.dir, image.path)? {
        Some(place) => program::exec(h, image, place),
        None => exec_host(h, image),
    }
}

/// Runs an image that the host has.
fn exec_host<W: World>(h: &Hijack<W>, image: &Image) -> Outcome {
    let envp = environment(h, image.envp)?;
    let session = h.world.session_fd();
    set_cloexec(h, session, false);
    let answer = match image.dir {
        None => h.world.host(nr::EXECVE, [image.path, image.argv, envp, 0, 0, 0]),
        Some(dir) => h.world.host(nr::EXECVEAT, [dir, image.path, image.argv, envp, image.flags, 0]),
    };
    set_cloexec(h, session, true);
    h.scratch.give_back(envp);
    answer
}

/// The session goes on in the next image; otherwise no other program is to hold it.
fn set_cloexec<W: World>(h: &Hijack<W>, session: Option<u32>, on: bool) {
    if let Some(fd) = session {
        let flags = if on { FD_CLOEXEC } else { 0 };
        let _ = h.world.host(nr::FCNTL, [fd.into(), F_SETFD.into(), flags.into(), 0, 0, 0]);
    }
}

/// The environment of the next image, in memory of [`scratch`]. Everything else that was allocated for it is
/// freed again: in a vfork child it is the parent's.
fn environment<W: World>(h: &Hijack<W>, envp: u64) -> Result<u64, Errno> {
    let marks = marks(h);
    let text = if marks.is_empty() { None } else { Some(marks.to_text()) };
    let mut seen = Seen::default();
    let mut items = Vec::new();
    for address in strings::addresses(h, envp)? {
        let mut start = [0; NAME_MAX];
        let length = h.world.read_str(address, &mut start)?;
        if !environ::concerns_us(start.get(..length).unwrap_or_default()) {
            items.push(Item::Theirs(address));
            continue;
        }
        let entry = strings::string(h, address)?;
        match h.inherited.fate(&entry, &mut seen) {
            Fate::Keep => items.push(Item::Theirs(address)),
            Fate::Drop => {}
            Fate::Become(pieces) => items.push(Item::Ours(pieces.concat())),
        }
    }
    let text = text.as_ref().map_or(b"".as_slice(), Text::as_bytes);
    items.extend(h.inherited.additions(seen, text).map(|pieces| Item::Ours(pieces.concat())));
    strings::lay_out(h, &items)
}

fn marks<W: World>(h: &Hijack<W>) -> Marks {
    let session = h.world.session_fd();
    let fork = if session.is_none() { h.world.fork_auth() } else { None };
    let known = h.fds.known(0, u32::MAX).any(|(_, entry)| matches!(entry, Entry::Rump(_) | Entry::Unknown));
    Marks { session, fork, cwd_in_rump: h.cwd_in_rump(), descriptors: known }
}
