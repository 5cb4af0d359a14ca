//! What an executable is, as far as catching its calls is concerned.

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// An executable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Executable {
    /// A script, with the interpreter of its first line.
    Script(PathBuf),
    /// An x86-64 program.
    Elf(Elf),
    /// Something else, and what.
    Foreign(String),
}

/// An x86-64 program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elf {
    /// Its dynamic linker; a static program has none.
    pub(crate) interpreter: Option<String>,
    /// The libraries that it names (`DT_NEEDED`).
    pub(crate) needed: Vec<String>,
    /// Built by Go, whose runtime makes system calls itself.
    pub(crate) go: bool,
}

/// Looks at a file.
pub(crate) fn examine(path: &Path) -> io::Result<Executable> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    if let Some(line) = bytes.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let interpreter = line.split_whitespace().next().unwrap_or_default();
        return Ok(Executable::Script(interpreter.into()));
    }
    Ok(parse(&bytes).unwrap_or_else(|what| Executable::Foreign(what.to_owned())))
}

/// The file of a program, looked up in PATH if it has no slash.
pub(crate) fn find(program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(program.into());
    }
    let path = std::env::var_os("PATH")?;
    let executable =
        |file: &PathBuf| file.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0);
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(executable)
}

fn parse(bytes: &[u8]) -> Result<Executable, &'static str> {
    const BROKEN: &str = "a broken ELF file";
    let header = elf::FileHeader64::<Endianness>::parse(bytes).map_err(|_| "no 64-bit ELF file")?;
    let endian = header.endian().map_err(|_| BROKEN)?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        return Err("a program for another machine than x86-64");
    }
    let mut found = Elf::default();
    for segment in header.program_headers(endian, bytes).map_err(|_| BROKEN)? {
        if let Ok(Some(interpreter)) = segment.interpreter(endian, bytes) {
            found.interpreter = Some(String::from_utf8_lossy(interpreter).into_owned());
        }
    }
    let sections = header.sections(endian, bytes).map_err(|_| BROKEN)?;
    found.go = sections.section_by_name(endian, b".go.buildinfo").is_some();
    if let Ok(Some((dynamic, index))) = sections.dynamic(endian, bytes)
        && let Ok(strings) = sections.strings(endian, bytes, index)
    {
        use object::read::elf::Dyn;
        found.needed = dynamic
            .iter()
            .filter(|entry| entry.tag(endian) == elf::DT_NEEDED)
            .filter_map(|entry| entry.string(endian, strings).ok())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
    }
    Ok(Executable::Elf(found))
}
