//! `rump check`: will a program's calls be caught, and how?

use crate::elf::{self, Elf, Executable};
use crate::output;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Scripts that are interpreted by scripts; Linux stops at as many (`BINPRM_MAX_RECURSION`).
const SCRIPTS_MAX: usize = 5;
/// The first Linux with Syscall User Dispatch.
const DISPATCH_SINCE: (u32, u32) = (5, 11);

/// Says what is known of the program; succeeds if its calls will be caught.
pub(crate) fn check(program: &OsStr) -> ExitCode {
    let mut text = String::new();
    let caught = describe(program, &mut text);
    match (output::write(&text), caught) {
        (Ok(()), Ok(true)) => ExitCode::SUCCESS,
        (Ok(()), Ok(false)) => ExitCode::FAILURE,
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("rump: {error}");
            ExitCode::FAILURE
        }
    }
}

fn describe(program: &OsStr, text: &mut String) -> Result<bool, String> {
    let mut path = elf::find(program).ok_or_else(|| format!("{}: not found in PATH", program.display()))?;
    for _ in 0..SCRIPTS_MAX {
        match elf::examine(&path).map_err(|error| format!("{}: {error}", path.display()))? {
            Executable::Script(interpreter) => {
                *text += &format!("{}: a script for {}\n", path.display(), interpreter.display());
                path = interpreter;
            }
            Executable::Elf(program) => return Ok(describe_elf(&path, &program, text)),
            Executable::Foreign(what) => return Err(format!("{}: {what}", path.display())),
        }
    }
    Err(format!("{}: too many scripts one behind the other", path.display()))
}

/// Whether a program's calls will be caught, all of them; if not, why. One that the host does not have is the library's to
/// judge.
pub(crate) fn strict(program: &OsStr) -> Result<(), String> {
    if !host::has_user_dispatch() {
        return Err("there is no Syscall User Dispatch here (`rump check`)".to_owned());
    }
    let Some(path) = elf::find(program) else { return Ok(()) };
    let refused = |why: &str| Err(format!("{} {why}", path.display()));
    match (elf::examine(&path), privilege(&path)) {
        (Ok(Executable::Foreign(what)), _) => refused(&format!("is {what}")),
        (Err(error), _) => refused(&error.to_string()),
        (Ok(Executable::Elf(_)), Some(why)) => refused(why),
        (Ok(_), _) => Ok(()),
    }
}

fn describe_elf(path: &Path, program: &Elf, text: &mut String) -> bool {
    let name = path.display();
    *text += &match &program.interpreter {
        Some(linker) => format!("{name}: dynamic, started by {linker}\n"),
        None => format!("{name}: statically linked: loaded by librumphijack.so itself\n"),
    };
    if let Some(why) = privilege(path) {
        *text += &format!("  it {why}: the library cannot be loaded then (ld.so(8)), nothing is caught\n");
        return false;
    }
    if let Some(linker) = &program.interpreter {
        *text += &sites_of(Path::new(linker));
    }
    *text += &sites_of(path);
    for library in program.needed.iter().filter(|library| library.starts_with("libc.")) {
        match find_library(library) {
            Some(file) => *text += &sites_of(&file),
            None => *text += &format!("  {library}: not found in the usual places\n"),
        }
    }
    if program.go {
        *text += "  built by Go: its runtime's calls are caught by the dispatch trap, about 1.2 µs each\n";
    }
    *text += &dispatch();
    true
}

/// Why a file keeps the trap on.
const SURROUNDED: &str =
    "  not all of it can be told from calls: the dispatch trap is on, 40 ns a call of the host's\n";

/// Which of the file's calls are rewritten.
fn sites_of(file: &Path) -> String {
    let name = file.display();
    match sites::analyse_file(file) {
        Ok(found) if found.list.sites.is_empty() && found.list.whole => {
            format!("  {name}: no system calls of its own\n")
        }
        Ok(found) => {
            let (rewritten, trapped) = (found.list.sites.len(), found.refused.len());
            let calls =
                format!("  {name}: {rewritten} calls rewritten, {trapped} left to the dispatch trap\n");
            calls + if found.list.whole { "" } else { SURROUNDED }
        }
        Err(error) => format!("  {name}: left to the dispatch trap: {error}\n"),
    }
}

fn dispatch() -> String {
    let release = release();
    if host::has_user_dispatch() {
        format!("  Linux {release}: has the dispatch trap (Syscall User Dispatch)\n")
    } else if version(&release) >= DISPATCH_SINCE {
        let why = "refused here, as by the filters of some containers";
        format!(
            "  Linux {release}: the dispatch trap (Syscall User Dispatch) is {why}: only rewritten calls are caught\n"
        )
    } else {
        format!("  Linux {release}: has no dispatch trap (since 5.11): only rewritten calls are caught\n")
    }
}

fn release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim_end().to_owned()
}

fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// What makes ld.so run the program in secure mode.
fn privilege(path: &Path) -> Option<&'static str> {
    const SET_UID: u32 = 0o4000;
    const SET_GID: u32 = 0o2000;
    let found = path.metadata().ok()?;
    let owned = rustix::process::geteuid().as_raw() == found.uid();
    if found.mode() & SET_UID != 0 && !owned {
        return Some("is set-user-ID");
    }
    if found.mode() & SET_GID != 0 && rustix::process::getegid().as_raw() != found.gid() {
        return Some("is set-group-ID");
    }
    let mut value = [0; 64];
    let capabilities = rustix::fs::getxattr(path, "security.capability", &mut value[..]);
    capabilities.is_ok().then_some("has file capabilities")
}

fn find_library(name: &str) -> Option<PathBuf> {
    ["/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        .iter()
        .find_map(|directory| Path::new(directory).join(name).canonicalize().ok())
}
