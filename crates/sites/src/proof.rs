//! What shows that bytes which decode as `syscall` are one.
//!
//! Text may hold data (tables of hand-written assembler, a snapshot of V8): decoded from the start of its section it gives a
//! `syscall` here and there. Writing a jump there would change the data. So one of these has to show that it is code:
//! the number is put into `%eax` in front of it, the result is looked at behind it, or it is met when the function that the
//! unwind table says it is in is decoded from its start. Of text that the
//! table does not speak of all count if most are proven: musl's is code alone, and two thirds of its 499 calls look like calls.

use crate::sweep::is_syscall;
use iced_x86::{Decoder, DecoderOptions, Instruction, Register};
use object::{Object, ObjectSection};
use std::ops::Range;

/// No kernel has this many calls (abi: numbers below 512 have rows).
const NUMBERS: u64 = 512;
/// So far in front of the call its number is looked for: six arguments of ten bytes.
const FAR: usize = 64;

/// What compilers make of a look at a call's result: `cmp $-4095, %rax`, `cmp $-4096, %rax` or `%eax`, `test %rax, %rax` or
/// `%eax`.
const CHECKED: [&[u8]; 5] = [
    &[0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff],
    &[0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff],
    &[0x3d, 0x00, 0xf0, 0xff, 0xff],
    &[0x48, 0x85, 0xc0],
    &[0x85, 0xc0],
];

/// The functions of a file, as its unwind table (`.eh_frame`) has them.
pub(crate) struct Functions(Vec<Range<u64>>);

impl Functions {
    /// None if the file has no such table, or a broken one.
    pub(crate) fn of(file: &object::File<'_>) -> Self {
        Self(functions(file).unwrap_or_default())
    }

    /// Whether most of a section is in some function.
    fn cover(&self, address: u64, len: usize) -> bool {
        let section = address..address.saturating_add(len as u64);
        let within = self.0.iter().filter(|function| section.contains(&function.start));
        within.map(|function| function.end - function.start).sum::<u64>() * 2 > len as u64
    }

    fn around(&self, address: u64) -> Option<&Range<u64>> {
        self.last_from(address).filter(|function| function.contains(&address))
    }

    /// The last function that starts at an address or in front of it.
    fn last_from(&self, address: u64) -> Option<&Range<u64>> {
        let behind = self.0.partition_point(|function| function.start <= address);
        self.0.get(behind.checked_sub(1)?)
    }
}

fn functions(file: &object::File<'_>) -> Option<Vec<Range<u64>>> {
    use gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection};
    let section = file.section_by_name(".eh_frame")?;
    let text = file.section_by_name(".text").map_or(0, |text| text.address());
    let bases = BaseAddresses::default().set_eh_frame(section.address()).set_text(text);
    let table = EhFrame::new(section.data().ok()?, LittleEndian);
    let mut entries = table.entries(&bases);
    let mut functions = Vec::new();
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        if let Ok(function) = partial.parse(EhFrame::cie_from_offset) {
            let start = function.initial_address();
            functions.push(start..start.saturating_add(function.len()));
        }
    }
    functions.sort_unstable_by_key(|function| function.start);
    Some(functions)
}

/// Those of a section's byte pairs that count as calls.
pub(crate) fn filter(bytes: &[u8], address: u64, pairs: Vec<usize>, functions: &Functions) -> Vec<usize> {
    let is_proven = |at: &usize| is_code(bytes, address, *at, functions);
    let proven: Vec<usize> = pairs.iter().copied().filter(is_proven).collect();
    if !functions.cover(address, bytes.len()) && proven.len() * 2 > pairs.len() { pairs } else { proven }
}

/// Whether the two bytes at `at` of a section that begins at `address` are no instruction of their own: the function around them,
/// decoded from its start, has them inside another. Where there is none, as for what compilers link to each program, it is what follows
/// the function in front.
pub(crate) fn is_inside(bytes: &[u8], address: u64, at: usize, functions: &Functions) -> bool {
    let wanted = address + at as u64;
    let from = match functions.last_from(wanted) {
        Some(function) if function.contains(&wanted) => function.start,
        Some(function) => function.end.max(address),
        None => address,
    };
    met(bytes, address, from, wanted).is_some_and(|instruction| instruction.ip() != wanted)
}

/// Whether the two bytes at `at` of a section that begins at `address` are proven to be a `syscall`.
fn is_code(bytes: &[u8], address: u64, at: usize, functions: &Functions) -> bool {
    let behind = bytes.get(at + 2..).unwrap_or_default();
    CHECKED.iter().any(|check| behind.starts_with(check))
        || is_numbered(bytes, at)
        || is_met(bytes, address, at, functions)
}

/// Whether from somewhere in front of it on straight code leads to the call that puts a number into `%eax`.
fn is_numbered(bytes: &[u8], at: usize) -> bool {
    (at.saturating_sub(FAR)..at).any(|from| {
        // mov $number, %eax; mov $number, %rax; xor %eax, %eax.
        let begins = match bytes.get(from..).unwrap_or_default() {
            [0xb8, number @ ..] | [0x48, 0xc7, 0xc0, number @ ..] => {
                number.first_chunk().is_some_and(|number| u64::from(u32::from_le_bytes(*number)) < NUMBERS)
            }
            [0x31, 0xc0, ..] => true,
            _ => false,
        };
        begins && is_straight(bytes, from, at)
    })
}

/// Whether the instructions from `from` on follow one another up to the call, and all but the first leave `%rax` alone.
fn is_straight(bytes: &[u8], from: usize, at: usize) -> bool {
    let Some(code) = bytes.get(from..at) else { return false };
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        let first = decoder.position() == 0;
        decoder.decode_out(&mut instruction);
        let goes_on = instruction.flow_control() == iced_x86::FlowControl::Next;
        let writes_number =
            instruction.op_count() > 0 && instruction.op0_register().full_register() == Register::RAX;
        if instruction.is_invalid() || !goes_on || writes_number && !first {
            return false;
        }
    }
    decoder.position() == code.len()
}

/// Whether the function that the call is in, decoded from its start, has it.
fn is_met(bytes: &[u8], address: u64, at: usize, functions: &Functions) -> bool {
    let call = address + at as u64;
    let met = functions.around(call).and_then(|function| met(bytes, address, function.start, call));
    met.is_some_and(|instruction| instruction.ip() == call && is_syscall(&instruction))
}

/// The instruction that holds the byte at the address `wanted`, if what begins at `from` can be decoded so far.
fn met(bytes: &[u8], address: u64, from: u64, wanted: u64) -> Option<Instruction> {
    let code = bytes.get(usize::try_from(from.checked_sub(address)?).ok()?..)?;
    let mut decoder = Decoder::with_ip(64, code, from, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            return None;
        }
        if instruction.next_ip() > wanted {
            return Some(instruction);
        }
    }
    None
}
