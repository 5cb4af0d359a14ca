//! Functions of other libraries by name, without an import: an import would be bound to one C library.

use crate::image_unsafe::{Image, Object};
use core::ffi::CStr;

// elf(5)
const DT_NULL: u64 = 0;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const SHN_UNDEF: u16 = 0;
const STT_FUNC: u8 = 2;

/// `Elf64_Sym`.
#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
}

/// The parts of an object that a name is looked up in.
struct Tables {
    base: u64,
    strings: u64,
    symbols: u64,
    hash: u64,
}

impl Image {
    /// The address of the first function of this name among the libraries that ld.so has mapped so far.
    #[must_use]
    pub fn function(self, name: &CStr) -> Option<usize> {
        self.objects().filter_map(|object| Tables::of(&object)).find_map(|tables| tables.find(name))
    }
}

impl Tables {
    fn of(object: &Object<'_>) -> Option<Self> {
        if object.dynamic == 0 {
            return None;
        }
        let mut tables = Self { base: object.base, strings: 0, symbols: 0, hash: 0 };
        let mut entry = object.dynamic as *const [u64; 2];
        // glibc has put addresses in place of offsets there, musl has not.
        let address = |value: u64| if value < object.base { object.base + value } else { value };
        // SAFETY: ld.so has walked the same section, which ends with DT_NULL.
        unsafe {
            while (*entry)[0] != DT_NULL {
                match *entry {
                    [DT_STRTAB, value] => tables.strings = address(value),
                    [DT_SYMTAB, value] => tables.symbols = address(value),
                    [DT_GNU_HASH, value] => tables.hash = address(value),
                    _ => {}
                }
                entry = entry.add(1);
            }
        }
        (tables.strings != 0 && tables.symbols != 0 && tables.hash != 0).then_some(tables)
    }

    /// By the table that DT_GNU_HASH points to: count of buckets, first symbol, count of Bloom words, a shift, the Bloom words,
    /// the buckets, and a hash for each symbol, odd at the end of a chain.
    fn find(&self, name: &CStr) -> Option<usize> {
        let wanted = gnu_hash(name.to_bytes());
        // SAFETY: the table was made by the linker of an object that ld.so has taken, and ld.so reads it the same way.
        unsafe {
            let head = self.hash as *const u32;
            let (buckets, first, bloom) = (*head, *head.add(1), *head.add(2));
            if buckets == 0 {
                return None;
            }
            let bucket = head.add(4 + 2 * bloom as usize);
            let chain = bucket.add(buckets as usize);
            let mut at = *bucket.add((wanted % buckets) as usize);
            while at >= first {
                let hash = *chain.add((at - first) as usize);
                if hash | 1 == wanted | 1
                    && let Some(address) = self.symbol(at, name)
                {
                    return Some(address);
                }
                if hash & 1 == 1 {
                    return None;
                }
                at += 1;
            }
        }
        None
    }

    /// The address of symbol `at`, if it is a function of this name.
    unsafe fn symbol(&self, at: u32, name: &CStr) -> Option<usize> {
        // SAFETY: the hash table names symbols that there are, and their names are strings.
        let (symbol, found) = unsafe {
            let symbol = &*(self.symbols as *const Symbol).add(at as usize);
            (symbol, CStr::from_ptr((self.strings + u64::from(symbol.name)) as *const _))
        };
        let defined = symbol.section != SHN_UNDEF && symbol.info & 0xf == STT_FUNC;
        (defined && found == name).then_some((self.base + symbol.value) as usize)
    }
}

/// The hash of DT_GNU_HASH.
fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes() {
        // https://flapenguin.me/elf-dt-gnu-hash
        assert_eq!(gnu_hash(b""), 0x0000_1505);
        assert_eq!(gnu_hash(b"printf"), 0x156b_2bb8);
        assert_eq!(gnu_hash(b"exit"), 0x7c96_7e3f);
    }
}
