//! Mapping a program and telling it where it lies.

use crate::elf::Program;
use crate::map_unsafe::{self, read_at};
use crate::order::Order;
use crate::stack_unsafe::{Stack, make_executable};
use abi::Errno;
use host::Fd;

/// getauxval(3)
const AT_PHDR: u64 = 3;
const AT_PHNUM: u64 = 5;
const AT_BASE: u64 = 7;
const AT_ENTRY: u64 = 9;
const AT_EXECFN: u64 = 31;

/// A program in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// What is to be added to the addresses in its file.
    pub base: u64,
    /// Where to jump to: its own first instruction, or its interpreter's.
    pub start: u64,
}

/// Maps the program, and its interpreter, and corrects the auxiliary vector.
///
/// # Errors
/// `ENOEXEC`; mmap(2)'s: `EEXIST` if its addresses are taken, `EPERM` where its file system forbids it.
pub fn load(order: &Order<'_>, stack: &mut Stack) -> Result<Loaded, Errno> {
    let file = Fd::own(order.program);
    let program = Program::read(&|into, offset| read_at(&file, into, offset))?;
    let base = map_unsafe::map(&file, &program)?;
    let entry = base.wrapping_add(program.entry);
    let (interpreter_base, start) = match order.interpreter.map(Fd::own) {
        None => (0, entry),
        Some(file) => {
            let interpreter = Program::read(&|into, offset| read_at(&file, into, offset))?;
            let base = map_unsafe::map(&file, &interpreter)?;
            (base, base.wrapping_add(interpreter.entry))
        }
    };
    for (key, value) in [
        (AT_PHDR, base.wrapping_add(program.headers())),
        (AT_PHNUM, program.count() as u64),
        (AT_BASE, interpreter_base),
        (AT_ENTRY, entry),
        (AT_EXECFN, order.name.as_ptr() as u64),
    ] {
        stack.set_auxiliary(key, value);
    }
    if program.executable_stack() {
        make_executable(stack);
    }
    Ok(Loaded { base, start })
}
