//! What the program was started with, and the objects that ld.so has mapped.

use crate::cache_unsafe::read_file;
use crate::entry_unsafe::image_start;
use crate::sites_unsafe::PAGE;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::ops::Range;
use sitelist::BuildId;

/// elf(5)
pub(crate) const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
pub(crate) const PT_NOTE: u32 = 4;
const PT_PHDR: u32 = 6;
const PT_GNU_STACK: u32 = 0x6474_e551;
const DT_NULL: u64 = 0;
const DT_DEBUG: u64 = 21;
pub(crate) const PF_X: u32 = 1;
const PF_W: u32 = 2;
pub(crate) const PF_R: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;
/// getauxval(3)
const AT_NULL: u64 = 0;
const AT_PHDR: u64 = 3;
const AT_PHNUM: u64 = 5;
const AT_BASE: u64 = 7;
const AT_HWCAP2: u64 = 26;

/// What the program was started with.
#[derive(Clone, Copy)]
pub struct Image {
    environment: &'static [&'static [u8]],
    auxiliary: &'static [[u64; 2]],
    /// The program, where it was loaded by this library, with what is to be added to the addresses in its file.
    loaded: Option<(u64, &'static CStr)>,
}

/// An object that is mapped: the program, a library.
pub(crate) struct Object<'a> {
    pub(crate) base: u64,
    /// Its dynamic section; 0: none, or it is of no interest.
    pub(crate) dynamic: u64,
    pub(crate) path: &'a CStr,
    pub(crate) headers: &'a [ProgramHeader],
}

/// `Elf64_Phdr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct ProgramHeader {
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) offset: u64,
    pub(crate) address: u64,
    pub(crate) physical: u64,
    pub(crate) file_size: u64,
    pub(crate) memory_size: u64,
    pub(crate) align: u64,
}

/// `struct link_map` (link.h).
#[repr(C)]
struct LinkMap {
    base: u64,
    name: *const c_char,
    dynamic: u64,
    next: *const LinkMap,
}

impl Image {
    /// From the arguments of a library's first function. glibc passes what main gets; musl passes nothing, which
    /// shows in that the environment does not lie behind the arguments. Then /proc tells. `None`: it does not.
    ///
    /// # Safety
    /// If `environment` lies right behind `argc` arguments, it must be the process's, unmoved.
    #[must_use]
    pub unsafe fn new(
        argc: i32,
        arguments: *const *const c_char,
        environment: *const *const c_char,
    ) -> Option<Self> {
        let behind = usize::try_from(argc).ok().map(|argc| arguments.wrapping_add(argc.saturating_add(1)));
        if argc < 1 || arguments.is_null() || behind != Some(environment) {
            return Self::from_proc();
        }
        let mut variables = Vec::new();
        // SAFETY: the array ends with a null pointer and the strings live as long as the process. Behind it is
        // the auxiliary vector, which ends with AT_NULL.
        unsafe {
            let mut at = environment;
            while !(*at).is_null() {
                variables.push(CStr::from_ptr(*at).to_bytes());
                at = at.add(1);
            }
            let auxiliary = at.add(1).cast::<[u64; 2]>();
            let mut count = 0;
            while (*auxiliary.add(count))[0] != AT_NULL {
                count += 1;
            }
            let auxiliary = core::slice::from_raw_parts(auxiliary, count);
            Some(Self { environment: variables.leak(), auxiliary, loaded: None })
        }
    }

    fn from_proc() -> Option<Self> {
        let environment = read_file(b"/proc/self/environ\0")?.leak();
        let variables: Vec<&[u8]> = environment.split(|&byte| byte == 0).collect();
        let auxiliary: Vec<[u64; 2]> = read_file(b"/proc/self/auxv\0")?
            .chunks_exact(16)
            .map(|entry| {
                let word = |half: &[u8]| half.try_into().map_or(0, u64::from_ne_bytes);
                [word(&entry[..8]), word(&entry[8..])]
            })
            .collect();
        Some(Self { environment: variables.leak(), auxiliary: auxiliary.leak(), loaded: None })
    }

    /// The same image, whose program this library has loaded: what is to be added to the addresses in its file, and its path.
    #[must_use]
    pub fn loaded(self, base: u64, path: &'static CStr) -> Self {
        Self { loaded: Some((base, path)), ..self }
    }

    /// The path of this library, as ld.so or the kernel found it.
    #[must_use]
    pub fn own_path(self) -> Option<&'static [u8]> {
        let own = self.objects().find(|object| object.base == image_start());
        own.map(|own| own.path.to_bytes())
    }

    /// The variables, each `NAME=value`.
    pub fn environment(self) -> impl Iterator<Item = &'static [u8]> {
        self.environment.iter().copied()
    }

    /// The value of a variable.
    #[must_use]
    pub fn variable(self, name: &[u8]) -> Option<&'static [u8]> {
        self.environment().find_map(|variable| variable.strip_prefix(name)?.strip_prefix(b"="))
    }

    /// `AT_HWCAP2` of getauxval(3).
    pub(crate) fn hwcap2(self) -> u64 {
        self.auxiliary(AT_HWCAP2).unwrap_or(0)
    }

    fn auxiliary(self, key: u64) -> Option<u64> {
        self.auxiliary.iter().find(|entry| entry[0] == key).map(|entry| entry[1])
    }

    /// The program, if it says where it is, and the objects that ld.so has mapped so far.
    pub(crate) fn objects(self) -> impl Iterator<Item = Object<'static>> {
        // SAFETY: ld.so fills DT_DEBUG before it calls the first library function, and keeps the list.
        let first = unsafe { self.link_map() };
        // SAFETY: as above.
        let maps = core::iter::successors(first.and_then(|map| unsafe { map.as_ref() }), |map| unsafe {
            map.next.as_ref()
        });
        self.program().into_iter().chain(maps.filter_map(|map| {
            let LinkMap { base, name, dynamic, .. } = *map;
            // SAFETY: a string of ld.so's, and an object that it has mapped.
            unsafe {
                if base == 0 || name.is_null() || *name == 0 {
                    return None;
                }
                Some(Object { base, dynamic, path: CStr::from_ptr(name), headers: headers_at(base) })
            }
        }))
    }

    /// Whether ld.so is still to map the libraries of the program.
    pub(crate) fn has_linker(self) -> bool {
        self.loaded.is_some() && self.auxiliary(AT_BASE).is_some_and(|base| base != 0)
    }

    /// Whether [`objects`](Self::objects) are all that there is: the program says where it is, and ld.so has not brought others
    /// that see and hear it (rtld-audit(7)).
    pub(crate) fn tells_all(self) -> bool {
        // SAFETY: as in `objects`.
        let spaces = unsafe { self.debug() }.map_or(1, |debug| unsafe { (*debug.cast::<u32>()).max(1) });
        self.program().is_some() && spaces == 1 && self.variable(b"LD_AUDIT").is_none()
    }

    fn program(self) -> Option<Object<'static>> {
        let headers = self.headers()?;
        let (base, path) = match self.loaded {
            Some(loaded) => loaded,
            None => (own_address(headers)?, c"/proc/self/exe"),
        };
        Some(Object { base, dynamic: 0, path, headers })
    }

    /// The program's headers.
    fn headers(self) -> Option<&'static [ProgramHeader]> {
        let headers = self.auxiliary(AT_PHDR)?;
        let count = usize::try_from(self.auxiliary(AT_PHNUM)?).ok()?;
        // SAFETY: the kernel, or the loader, passes where the program's headers are mapped.
        Some(unsafe { core::slice::from_raw_parts(headers as *const ProgramHeader, count) })
    }

    unsafe fn link_map(self) -> Option<*const LinkMap> {
        // SAFETY: the second word of the structure is the list.
        unsafe { self.debug().map(|debug| *debug.add(1)) }
    }

    /// `struct r_debug` (link.h), whose first word is its version: 1, or 2 once there is more than one list.
    ///
    /// # Safety
    /// ld.so has filled `DT_DEBUG`, or it is 0.
    unsafe fn debug(self) -> Option<*const *const LinkMap> {
        let table = self.headers()?;
        // A static program that may lie anywhere need not say where its headers are.
        let base = self.loaded.map_or_else(|| own_address(table).unwrap_or(0), |(base, _)| base);
        let dynamic = table.iter().find(|header| header.kind == PT_DYNAMIC)?;
        let mut entry = (base + dynamic.address) as *const [u64; 2];
        // SAFETY: the dynamic section ends with DT_NULL.
        unsafe {
            while (*entry)[0] != DT_NULL {
                if (*entry)[0] == DT_DEBUG && (*entry)[1] != 0 {
                    return Some((*entry)[1] as *const *const LinkMap);
                }
                entry = entry.add(1);
            }
        }
        None
    }
}

/// What is to be added to the addresses in the file of the program that has these headers.
fn own_address(headers: &[ProgramHeader]) -> Option<u64> {
    let own = headers.iter().find(|header| header.kind == PT_PHDR)?;
    (headers.as_ptr() as u64).checked_sub(own.address)
}

impl<'a> Object<'a> {
    /// Its addresses in memory.
    pub(crate) fn span(&self) -> Range<u64> {
        let loaded = || self.headers.iter().filter(|header| header.kind == PT_LOAD);
        let low = loaded().map(|header| header.address).min().unwrap_or(0);
        let high =
            loaded().map(|header| header.address.saturating_add(header.memory_size)).max().unwrap_or(0);
        self.base + low..self.base.saturating_add(high)
    }

    /// Bytes of its code, from this address in the file's own numbering on; `None`: not all of them are code.
    pub(crate) fn code(&self, address: u64, len: usize) -> Option<&'a [u8]> {
        self.file_offset(address, address.checked_add(len as u64)?)?;
        // SAFETY: within a segment that is mapped and can be read.
        Some(unsafe { core::slice::from_raw_parts((self.base + address) as *const u8, len) })
    }

    /// Where in the file its code between these addresses is.
    pub(crate) fn file_offset(&self, from: u64, to: u64) -> Option<u64> {
        let (header, pages) = self.segment(from, to)?;
        let offset = header.offset & !(PAGE - 1);
        Some(offset + (from - pages.start))
    }

    /// The pages of the segment of code that holds these addresses.
    pub(crate) fn pages(&self, from: u64, to: u64) -> Option<Range<u64>> {
        self.segment(from, to).map(|(_, pages)| pages)
    }

    /// All of its code, as far as it comes from the file.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'a [u8]> {
        let base = self.base;
        self.headers.iter().filter(is_code).filter_map(move |header| {
            let len = usize::try_from(header.file_size.min(header.memory_size)).ok()?;
            // SAFETY: a segment that is mapped and can be read.
            Some(unsafe { core::slice::from_raw_parts(base.wrapping_add(header.address) as *const u8, len) })
        })
    }

    /// Whether what of it is run can only be what is in its file, and no stack is made executable for it.
    pub(crate) fn runs_its_file(&self) -> bool {
        let is_run = |header: &&ProgramHeader| header.flags & PF_X != 0;
        let mut loaded = self.headers.iter().filter(|header| header.kind == PT_LOAD).filter(is_run);
        let stack = self.headers.iter().find(|header| header.kind == PT_GNU_STACK);
        loaded.all(|header| header.flags & (PF_R | PF_W) == PF_R) && !stack.as_ref().is_none_or(is_run)
    }

    fn segment(&self, from: u64, to: u64) -> Option<(&ProgramHeader, Range<u64>)> {
        self.headers.iter().filter(is_code).find_map(|header| {
            let end = header.address.checked_add(header.file_size)?.next_multiple_of(PAGE);
            let pages = header.address & !(PAGE - 1)..end;
            (pages.start <= from && to <= pages.end).then_some((header, pages))
        })
    }

    /// The object's build-id, from its note in memory.
    pub(crate) fn build_id(&self) -> Option<BuildId> {
        build_id(self.base, self.headers)
    }
}

fn is_code(header: &&ProgramHeader) -> bool {
    header.kind == PT_LOAD && header.flags & (PF_R | PF_X) == PF_R | PF_X
}

/// The build-id of this library.
pub(crate) fn own_build_id() -> Option<BuildId> {
    // SAFETY: this object's header, which the linker places at its start.
    build_id(image_start(), unsafe { headers_at(image_start()) })
}

/// The build-id of an object, from its note in memory.
fn build_id(base: u64, headers: &[ProgramHeader]) -> Option<BuildId> {
    let notes = headers.iter().filter(|header| header.kind == PT_NOTE);
    notes
        .filter_map(|header| {
            let len = usize::try_from(header.memory_size).ok()?;
            // SAFETY: the segment is mapped.
            Some(unsafe { core::slice::from_raw_parts((base + header.address) as *const u8, len) })
        })
        .find_map(build_id_in)
}

/// The headers of the object that lies here; none if it is no ELF file.
///
/// # Safety
/// It must be a shared object that ld.so has mapped: its header lies at its base.
unsafe fn headers_at(base: u64) -> &'static [ProgramHeader] {
    // SAFETY: the caller's promise; ld.so has checked the header.
    unsafe {
        let header = base as *const u8;
        if core::slice::from_raw_parts(header, 4) != b"\x7fELF" {
            return &[];
        }
        let offset = header.add(32).cast::<u64>().read_unaligned();
        let count = header.add(56).cast::<u16>().read_unaligned();
        core::slice::from_raw_parts((base + offset) as *const ProgramHeader, usize::from(count))
    }
}

/// The build-id in a segment of notes (elf(5), `Elf64_Nhdr`).
pub(crate) fn build_id_in(mut notes: &[u8]) -> Option<BuildId> {
    loop {
        let word = |at: usize| Some(u32::from_ne_bytes(notes.get(at..at + 4)?.try_into().ok()?));
        let (name, descriptor, kind) = (word(0)? as usize, word(4)? as usize, word(8)?);
        let start = 12 + name.next_multiple_of(4);
        if kind == NT_GNU_BUILD_ID && notes.get(12..12 + name)? == b"GNU\0" {
            return BuildId::from_note(notes.get(start..start + descriptor)?);
        }
        notes = notes.get(start + descriptor.next_multiple_of(4)..)?;
    }
}
