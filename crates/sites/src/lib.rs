//! Finds the system call instructions of an ELF file, and how each can be replaced by a jump.
//!
//! Byte pairs `0f 05` alone prove nothing (libLLVM has 266 and not one true call), so whole text sections are decoded
//! from their start. A linear sweep is right for what compilers and assemblers make of libc, ld.so and musl: their text
//! holds no data. Unwind tables are no better guide: the entry of glibc's `__restore_rt` starts one byte early, and
//! those of `clone` have holes exactly at the call.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod span;
mod sweep;

use object::{Object, ObjectSection, SectionKind};
use sitelist::{BuildId, SiteList};
use std::path::Path;

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no ELF file, or a broken one.
    #[error("not a usable x86-64 ELF file: {0}")]
    Elf(#[from] object::Error),
    /// It has no build-id, so that a list could not be told from that of another file.
    #[error("the file has no build-id note (link it with --build-id)")]
    NoBuildId,
}

/// What a file holds.
#[derive(Debug)]
pub struct Analysis {
    /// The sites that can be rewritten.
    pub list: SiteList,
    /// Addresses of true `syscall` instructions that cannot: those are caught by the dispatch trap alone.
    pub refused: Vec<u32>,
}

/// Analyses a file.
///
/// # Errors
/// See [`Error`].
pub fn analyse_file(path: &Path) -> Result<Analysis, Error> {
    let read = |source| Error::Read { path: path.display().to_string(), source };
    analyse(&std::fs::read(path).map_err(read)?)
}

/// Analyses the contents of a file.
///
/// # Errors
/// See [`Error`].
pub fn analyse(bytes: &[u8]) -> Result<Analysis, Error> {
    let file = object::File::parse(bytes)?;
    let build_id = file.build_id()?.and_then(BuildId::from_note).ok_or(Error::NoBuildId)?;
    let mut sites = Vec::new();
    let mut refused = Vec::new();
    for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
        let Ok(address) = u32::try_from(section.address()) else { continue };
        let data = section.data()?;
        if u32::try_from(data.len()).ok().and_then(|len| address.checked_add(len)).is_none() {
            continue;
        }
        let swept = sweep::sweep(data, address);
        for call in &swept.calls {
            match span::choose(&swept, *call) {
                Some(site) => sites.push(site),
                None => refused.push(swept.instructions[*call].address),
            }
        }
    }
    sites.sort_by_key(|site| site.start);
    drop_overlapping(&mut sites, &mut refused);
    Ok(Analysis { list: SiteList { build_id, file_size: bytes.len() as u64, sites }, refused })
}

/// Of two spans that overlap the later is given up.
fn drop_overlapping(sites: &mut Vec<sitelist::Site>, refused: &mut Vec<u32>) {
    let mut end = 0;
    sites.retain(|site| {
        let apart = site.start >= end;
        if apart {
            end = site.resume();
        } else {
            refused.push(site.call);
        }
        apart
    });
}
