//! How an image is to be run: scripts are followed to their interpreters, programs looked into.

use super::file::File;
use super::libraries;
use super::load::Load;
use super::script::{Line, head};
use super::{Image, Plan, strings};
use crate::Hijack;
use crate::dispatch::PathOwner;
use crate::world::World;
use abi::{Errno, nr};
use loader::elf::{MAGIC, Program};

/// fs/exec.c, `exec_binprm`: the interpreter of a script was a script, more often than this.
const INTERPRETERS_MAX: usize = 5;

/// prctl(2)
const PR_GET_NO_NEW_PRIVS: u64 = 39;

/// What a file is, as far as running it is concerned.
enum Kind {
    Script(Line),
    /// A program for this machine, and the one that loads it.
    Program(Option<alloc::vec::Vec<u8>>),
    /// A program, but none for this machine.
    Foreign,
    /// Only the host knows.
    Other,
}

/// Decides how an image is run.
///
/// # Errors
/// What execve(2) fails with.
pub(super) fn resolve<W: World>(h: &Hijack<W>, first: &Image) -> Result<Plan, Errno> {
    let mut image = *first;
    for _ in 0..=INTERPRETERS_MAX {
        let place = h.path_at(image.dir, image.path)?;
        let opened = match &place {
            Some(place) => Some(File::open_rump(h, &image, place)?),
            None => File::open_host(h, &image)?,
        };
        let Some(file) = opened else { return unread(h, image) };
        let step = match place {
            Some(_) => of_rump(h, &image, &file),
            None => of_host(h, &image, &file),
        };
        match step {
            Ok(Step::Host) => {
                file.close(h);
                return Ok(Plan::Host(image));
            }
            Ok(Step::Interpreter(next)) => {
                file.close(h);
                image = next;
            }
            Ok(Step::Load(interpreter)) => {
                let load = Load::new(h, first, &image, file, interpreter)?;
                return Ok(Plan::Load(image, load));
            }
            Err(errno) => {
                file.close(h);
                return Err(errno);
            }
        }
    }
    Err(Errno::ELOOP)
}

/// An image that only the host can look into.
fn unread<W: World>(h: &Hijack<W>, image: Image) -> Result<Plan, Errno> {
    if h.inherited.strict && File::host_may_run(h, &image).is_ok() {
        return Err(refuse(h, &image, "cannot be read"));
    }
    Ok(Plan::Host(image))
}

/// Tells why a program is not run that the host would run.
fn refuse<W: World>(h: &Hijack<W>, image: &Image, why: &str) -> Errno {
    let name = strings::string(h, image.path).unwrap_or_default();
    let start = b"librumphijack: strict: ".as_slice();
    let line = [start, &name, b": ", why.as_bytes(), b": it is not hijacked and not run\n"].concat();
    let _ = h.world.host(nr::WRITE, [2, line.as_ptr() as u64, line.len() as u64, 0, 0, 0]);
    Errno::EACCES
}

enum Step {
    /// The host runs the image.
    Host,
    /// This is to be run in its place.
    Interpreter(Image),
    /// The loader runs it; the program that loads it is this.
    Load(Option<File>),
}

fn of_rump<W: World>(h: &Hijack<W>, image: &Image, file: &File) -> Result<Step, Errno> {
    match kind(h, file)? {
        Kind::Script(line) => {
            // Natively it may be written again once its interpreter is found.
            if file.will_run(h)? {
                File::will_not_run(h);
            }
            line.image(h, image).map(Step::Interpreter)
        }
        Kind::Program(None) => Ok(Step::Load(None)),
        Kind::Program(Some(linker)) => linker_file(h, &linker).map(|file| Step::Load(Some(file))),
        Kind::Foreign | Kind::Other => Err(Errno::ENOEXEC),
    }
}

fn of_host<W: World>(h: &Hijack<W>, image: &Image, file: &File) -> Result<Step, Errno> {
    match kind(h, file).unwrap_or(Kind::Other) {
        Kind::Script(line) if !host_runs(h, image.envp, &line.interpreter, 1) => {
            file.host_would_run(h, image)?;
            line.image(h, image).map(Step::Interpreter)
        }
        Kind::Foreign if h.inherited.strict => Err(refuse(h, image, "for another kind of machine")),
        Kind::Program(None) if h.inherited.file.is_some() && !privileged(h, file) => {
            file.host_would_run(h, image)?;
            Ok(Step::Load(None))
        }
        Kind::Program(Some(linker)) if is_rumps(h, &linker) => {
            file.host_would_run(h, image)?;
            linker_file(h, &linker).map(|file| Step::Load(Some(file)))
        }
        Kind::Program(Some(linker)) if h.inherited.file.is_some() && needs_loader(h, image, file) => {
            file.host_would_run(h, image)?;
            linker_file(h, &linker).map(|file| Step::Load(Some(file)))
        }
        Kind::Script(_) | Kind::Program(_) | Kind::Foreign | Kind::Other => Ok(Step::Host),
    }
}

/// Whether a program of the host's, as the host runs it, would lack this library or libraries of its own.
fn needs_loader<W: World>(h: &Hijack<W>, image: &Image, file: &File) -> bool {
    // ld.so(8) leaves the library out for a file with capabilities, also where they give it none.
    let left_out = no_new_privs(h) && file.has_capabilities(h);
    left_out || libraries::are_in_rump(h, image.envp) && !privileged(h, file)
}

fn kind<W: World>(h: &Hijack<W>, file: &File) -> Result<Kind, Errno> {
    let head = head(h, file)?;
    if let Some(line) = Line::parse(&head) {
        return Ok(Kind::Script(line));
    }
    if !head.starts_with(MAGIC) {
        return Ok(Kind::Other);
    }
    let read_at = |into: &mut [u8], offset| file.read_at(h, into, offset);
    match Program::read(&read_at) {
        Ok(program) => program.interpreter(&read_at).map(Kind::Program),
        Err(Errno::ENOEXEC) => Ok(Kind::Foreign),
        Err(errno) => Err(errno),
    }
}

/// Whether running the program gives it privileges.
fn privileged<W: World>(h: &Hijack<W>, file: &File) -> bool {
    !no_new_privs(h) && file.gives_privileges(h)
}

/// Whether no program that is run gets privileges (`PR_SET_NO_NEW_PRIVS`), as in a strict process.
fn no_new_privs<W: World>(h: &Hijack<W>) -> bool {
    h.inherited.strict || h.world.host(nr::PRCTL, [PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0]) == Ok(1)
}

/// Whether the host alone can run this interpreter, and with the library in it.
fn host_runs<W: World>(h: &Hijack<W>, envp: u64, interpreter: &[u8], depth: usize) -> bool {
    if depth > INTERPRETERS_MAX {
        return true;
    }
    if is_rumps(h, interpreter) {
        return false;
    }
    let path = [interpreter, b"\0"].concat();
    let image = Image { dir: None, path: path.as_ptr() as u64, argv: 0, envp, flags: 0 };
    let Ok(Some(file)) = File::open_host(h, &image) else { return true };
    let runs = match kind(h, &file) {
        Ok(Kind::Script(line)) => host_runs(h, envp, &line.interpreter, depth + 1),
        Ok(Kind::Program(None)) => privileged(h, &file),
        Ok(Kind::Program(Some(linker))) => !is_rumps(h, &linker) && !needs_loader(h, &image, &file),
        Ok(Kind::Foreign) => !h.inherited.strict,
        Ok(Kind::Other) | Err(_) => true,
    };
    file.close(h);
    runs
}

pub(super) fn is_rumps<W: World>(h: &Hijack<W>, path: &[u8]) -> bool {
    let path = [path, b"\0"].concat();
    match h.path_owner(path.as_ptr() as u64) {
        PathOwner::Host => false,
        PathOwner::Rump(_) => true,
        PathOwner::Relative => h.cwd_in_rump(),
    }
}

/// The program that loads another (`PT_INTERP`), on either side.
fn linker_file<W: World>(h: &Hijack<W>, path: &[u8]) -> Result<File, Errno> {
    let path = [path, b"\0"].concat();
    let image = Image { dir: None, path: path.as_ptr() as u64, argv: 0, envp: 0, flags: 0 };
    match h.path_at(None, image.path)? {
        Some(place) => File::open_rump(h, &image, &place),
        None => File::open_host(h, &image)?.ok_or(Errno::ENOENT),
    }
}
