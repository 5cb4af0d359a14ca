//! Finds the system call instructions of an ELF file, and how each can be replaced by a jump.
//!
//! Byte pairs `0f 05` alone prove nothing (libLLVM has 266 and not one true call), so whole text sections are decoded
//! from their start, and what is found there has to be proven (`proof`). A linear sweep is right for what compilers and
//! assemblers make of libc, ld.so and musl: their text holds no data. Unwind tables alone are no better guide: the entry of
//! glibc's `__restore_rt` starts one byte early, and those of `clone` have holes exactly at the call.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod proof;
mod span;
mod sweep;

use object::{Object, ObjectSection, SectionKind};
use proof::Functions;
use sitelist::{BuildId, SiteList};
use std::path::Path;

const SYSCALL: &[u8; 2] = &[0x0f, 0x05];
/// The instructions by which 32-bit programs make calls, which any program may.
const INT_80: &[u8; 2] = &[0xcd, 0x80];
const SYSENTER: &[u8; 2] = &[0x0f, 0x34];
/// elf(5)
const DT_NULL: u64 = 0;
const DT_TEXTREL: u64 = 22;
const DT_FLAGS: u64 = 30;
const DF_TEXTREL: u64 = 4;

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

/// What a file holds. What nothing proves to be an instruction is in neither list.
#[derive(Debug)]
pub struct Analysis {
    /// The sites that can be rewritten.
    pub list: SiteList,
    /// Addresses of `syscall` instructions that cannot: those are caught by the dispatch trap alone.
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
    let (mut sites, mut refused) = (Vec::new(), Vec::new());
    let (mut functions, mut whole) = (None, true);
    for section in file.sections().filter(|section| section.kind() == SectionKind::Text) {
        let Ok(address) = u32::try_from(section.address()) else { continue };
        let data = section.data()?;
        if u32::try_from(data.len()).ok().and_then(|len| address.checked_add(len)).is_none() {
            continue;
        }
        let (calls, others) = (pairs(data, SYSCALL), pairs(data, INT_80).chain(pairs(data, SYSENTER)));
        let (calls, others): (Vec<usize>, Vec<usize>) = (calls.collect(), others.collect());
        if calls.is_empty() && others.is_empty() {
            continue;
        }
        // Only now: the table of a large program has a million entries.
        let functions = functions.get_or_insert_with(|| Functions::of(&file));
        let proven = proof::filter(data, u64::from(address), calls.clone(), functions);
        let unproven = calls.iter().filter(|call| proven.binary_search(call).is_err()).chain(&others);
        whole &= unproven.into_iter().all(|at| proof::is_inside(data, u64::from(address), *at, functions));
        let swept = sweep::sweep(data, address, &proven);
        whole &= swept.calls.len() == proven.len();
        for call in &swept.calls {
            match span::choose(&swept, *call) {
                Some(site) => {
                    // A branch to a call that stays as it is goes round what stands in front of it.
                    whole &= !swept.targets.contains(&site.call);
                    sites.push(site);
                }
                None => refused.push(swept.instructions[*call].address),
            }
        }
    }
    if has_text_relocations(&file) {
        refused.extend(sites.drain(..).map(|site| site.call));
    }
    sites.sort_by_key(|site| site.start);
    drop_overlapping(&mut sites, &mut refused);
    let whole = whole && refused.is_empty();
    Ok(Analysis { list: SiteList { build_id, file_size: bytes.len() as u64, whole, sites }, refused })
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

/// Where in a section two bytes are.
fn pairs<'a>(data: &'a [u8], pair: &'a [u8; 2]) -> impl Iterator<Item = usize> + 'a {
    memchr::memmem::find_iter(data, pair)
}

/// Whether ld.so is to write to the text once it is mapped: a jump there might be written over (elf(5), `DF_TEXTREL`).
fn has_text_relocations(file: &object::File<'_>) -> bool {
    let Some(dynamic) = file.section_by_name(".dynamic").and_then(|section| section.data().ok()) else {
        return false;
    };
    let (entries, _) = dynamic.as_chunks::<16>();
    entries
        .iter()
        .map(|entry| u128::from_le_bytes(*entry))
        .map(|entry| (entry as u64, (entry >> 64) as u64))
        .take_while(|(tag, _)| *tag != DT_NULL)
        .any(|(tag, value)| tag == DT_TEXTREL || tag == DT_FLAGS && value & DF_TEXTREL != 0)
}
