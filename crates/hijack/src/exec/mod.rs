//! execve(2), execveat(2): the next image finds the library, its server and the session again. What the host's kernel
//! and ld.so cannot run with the library in it is run by way of **loader**.

mod environ;
mod file;
mod libraries;
mod load;
mod marks;
mod resolve;
mod scratch;
mod script;
mod strings;

pub use environ::Inherited;
pub use marks::Marks;
pub(crate) use scratch::Scratch;

use crate::Hijack;
use crate::dispatch::{Answer, Call, Verdict};
use crate::fds::Entry;
use crate::world::{Outcome, World};
use abi::raw::general::{F_SETFD, FD_CLOEXEC};
use abi::{Errno, nr};
use alloc::vec::Vec;
use core::sync::atomic::Ordering;
use environ::{Fate, NAME_MAX, Seen};
use load::Load;
use strings::Item;

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
}

/// How it is run. Nothing of it lies on the heap: in a vfork child that is the parent's, and a successful exec gives nothing
/// back.
#[derive(Debug, Clone, Copy)]
enum Plan {
    /// By the host as it is.
    Host(Image),
    /// By the loader.
    Load(Image, Load),
}

pub(crate) fn execve<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [path, argv, envp, ..] = call.args;
    exec(h, &Image { dir: None, path, argv, envp, flags: 0 }).map(Answer::Value)
}

pub(crate) fn execveat<W: World>(h: &Hijack<W>, call: &Call) -> Verdict {
    let [dir, path, argv, envp, flags, _] = call.args;
    exec(h, &Image { dir: Some(dir), path, argv, envp, flags }).map(Answer::Value)
}

/// Returns only if it fails.
fn exec<W: World>(h: &Hijack<W>, image: &Image) -> Outcome {
    let outcome = match resolve::resolve(h, image) {
        Ok(Plan::Host(image)) => exec_host(h, &image, None),
        Ok(Plan::Load(image, load)) => load::exec(h, &image, &load),
        Err(errno) => Err(errno),
    };
    h.scratch.give_back(&h.world);
    outcome
}

/// Has the host run an image. `load` is what the loader is told, where it is the image.
fn exec_host<W: World>(h: &Hijack<W>, image: &Image, load: Option<&Load>) -> Outcome {
    // The thread is the process then.
    h.swap_places();
    let outcome = run(h, image, load);
    h.swap_places();
    outcome
}

fn run<W: World>(h: &Hijack<W>, image: &Image, load: Option<&Load>) -> Outcome {
    let envp = environment(h, image.envp, load)?;
    // Those that are close-on-exec, too: the next image may never tell the rump kernel that it is there.
    h.share_all();
    let session = h.world.session_fd();
    set_cloexec(h, session, false);
    let answer = match image.dir {
        None => h.world.host(nr::EXECVE, [image.path, image.argv, envp, 0, 0, 0]),
        Some(dir) => h.world.host(nr::EXECVEAT, [dir, image.path, image.argv, envp, image.flags, 0]),
    };
    set_cloexec(h, session, true);
    answer
}

/// The session goes on in the next image; otherwise no other program is to hold it.
fn set_cloexec<W: World>(h: &Hijack<W>, fd: Option<u32>, on: bool) {
    if let Some(fd) = fd {
        let flags = if on { FD_CLOEXEC } else { 0 };
        let _ = h.world.host(nr::FCNTL, [fd.into(), F_SETFD.into(), flags.into(), 0, 0, 0]);
    }
}

/// The environment of the next image, in memory of [`scratch`]. Everything else that was allocated for it is
/// freed again: in a vfork child it is the parent's.
fn environment<W: World>(h: &Hijack<W>, envp: u64, load: Option<&Load>) -> Result<u64, Errno> {
    let text = marks(h).to_text();
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
    items.extend(h.inherited.additions(seen, text.as_bytes()).map(|pieces| Item::Ours(pieces.concat())));
    if let Some(load) = load {
        items.push(Item::Ours(load.variable(h)?));
    }
    strings::lay_out(h, &items)
}

fn marks<W: World>(h: &Hijack<W>) -> Marks {
    let session = h.world.session_fd();
    let fork = if session.is_none() { h.world.fork_auth() } else { None };
    let known = h.fds.known(0, u32::MAX).any(|(_, entry)| matches!(entry, Entry::Rump(_) | Entry::Unknown));
    let locks = h.takes_locks.load(Ordering::Relaxed);
    Marks { session, fork, cwd_in_rump: h.cwd_in_rump(), descriptors: known, locks }
}
