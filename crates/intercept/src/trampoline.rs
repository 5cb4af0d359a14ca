//! The machine code that a rewritten site jumps to.
//!
//! ```text
//!          what the jump replaced in front of the call
//! decide:  number and descriptor the host's?  else slow
//! native:  to the site's gate: syscall, and by way of its table to `after` or behind the site
//! after:   what the jump replaced behind the call
//!          jmp back
//! slow:    the gate's address to %rcx
//!          jmp intercept_enter
//! ```
//! `%rcx` and `%r11` are free: the instruction destroys them. What is not at a fixed distance is reached by way of the page in front
//! of the trampolines: so the code is the same in each process.

use crate::around_unsafe::Around;
use crate::gates_unsafe;
use crate::interest::{IF_MARKED, IF_MARKED_OR_SOCKET, NEVER, NUMBERS, SOCKET_COMMANDS};
use crate::marks::MARKS;
use alloc::vec::Vec;
use sitelist::{Fixup, Site};

/// A trampoline, and where its parts are.
#[derive(Debug)]
pub(crate) struct Trampoline {
    pub(crate) code: Vec<u8>,
    pub(crate) decide: usize,
    pub(crate) native: usize,
    pub(crate) after: usize,
    pub(crate) slow: usize,
}

struct Emitter {
    code: Vec<u8>,
    at: u64,
    /// Where the [`Around`] is.
    around: u64,
}

impl Emitter {
    fn bytes(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    /// An instruction that ends in a displacement to this address; `None`: it is out of reach.
    fn relative(&mut self, opcode: &[u8], to: u64) -> Option<()> {
        self.bytes(opcode);
        let next = self.at + self.code.len() as u64 + 4;
        self.bytes(&displacement(next, to)?.to_le_bytes());
        Some(())
    }

    /// An instruction that ends in the displacement to a word of the [`Around`].
    fn around(&mut self, opcode: &[u8], offset: u64) -> Option<()> {
        self.relative(opcode, self.around + offset)
    }

    /// The address of a gate to `%rcx`.
    fn gate(&mut self, number: u32) -> Option<()> {
        let offset = i32::try_from(u64::from(number) * gates_unsafe::SIZE).ok()?;
        self.bytes(&[0xb9]); // mov $offset, %ecx
        self.bytes(&offset.to_le_bytes());
        self.around(&[0x48, 0x03, 0x0d], Around::GATES) // add gates(%rip), %rcx
    }

    /// Instructions that lay at `from`, moved here.
    fn moved(&mut self, code: &[u8], skip: usize, from: u64, fixups: &[Fixup]) -> Option<()> {
        let here = self.code.len();
        self.bytes(code);
        for fixup in fixups {
            let Some(at) = usize::from(fixup.at).checked_sub(skip) else { continue };
            let Some(slot) = self.code.get_mut(here + at..here + at + 4).filter(|_| at + 4 <= code.len())
            else {
                continue;
            };
            let next = u64::from(fixup.next);
            let old = i32::from_le_bytes(slot.try_into().ok()?);
            let to = (from + next).wrapping_add_signed(i64::from(old));
            let moved_next = self.at + here as u64 + next - skip as u64;
            slot.copy_from_slice(&displacement(moved_next, to)?.to_le_bytes());
        }
        Some(())
    }

    /// A short forward jump, to be aimed by [`Emitter::land`].
    fn forward(&mut self, opcode: u8) -> usize {
        self.bytes(&[opcode, 0]);
        self.code.len()
    }

    fn land(&mut self, jumps: &[usize]) -> Option<()> {
        for &jump in jumps {
            let distance = i8::try_from(self.code.len() - jump).ok()?;
            *self.code.get_mut(jump - 1)? = distance.cast_unsigned();
        }
        Some(())
    }
}

/// The displacement from the end of an instruction to an address.
pub(crate) fn displacement(next: u64, to: u64) -> Option<i32> {
    i32::try_from(to.wrapping_sub(next).cast_signed()).ok()
}

const JB: u8 = 0x72;
const JAE: u8 = 0x73;
const JE: u8 = 0x74;
const JNE: u8 = 0x75;
const JA: u8 = 0x77;

/// The trampoline at `at`, and its [`Around`] at `around`, for a site of the object at `base`, whose gate has this number. `class`
/// answers a number's byte in the table of interests. `None`: something is out of reach.
pub(crate) fn build(
    site: &Site,
    base: u64,
    (at, around): (u64, u64),
    gate: u32,
    class: fn(u32) -> u8,
) -> Option<Trampoline> {
    let mut code = Emitter { code: Vec::with_capacity(128), at, around };
    let start = base + u64::from(site.start);
    code.moved(site.before(), 0, start, &site.fixups)?;
    let decide = code.code.len();
    let mut to_slow = Vec::new();
    let mut to_native = Vec::new();
    match number(site) {
        Some(number) => known(&mut code, class(number), &mut to_slow)?,
        None => unknown(&mut code, &mut to_slow, &mut to_native)?,
    }
    code.land(&to_native)?;
    let native = code.code.len();
    code.gate(gate)?;
    code.bytes(&[0xff, 0xe1]); // jmp *%rcx
    let after = code.code.len();
    if !site.after().is_empty() {
        let skip = site.code.len() - site.after().len();
        code.moved(site.after(), skip, start, &site.fixups)?;
        code.relative(&[0xe9], base + u64::from(site.resume()))?;
    }
    let slow = code.code.len();
    code.land(&to_slow)?;
    code.gate(gate)?;
    code.around(&[0xff, 0x25], Around::ENTER)?; // jmp *enter(%rip)
    Some(Trampoline { code: code.code, decide, native, after, slow })
}

/// The call's number, where the one instruction in front says it.
pub(crate) fn number(site: &Site) -> Option<u32> {
    match site.before() {
        [0xb8, number @ ..] | [0x48, 0xc7, 0xc0, number @ ..] => {
            number.try_into().ok().map(u32::from_le_bytes)
        }
        _ => None,
    }
}

fn known(code: &mut Emitter, class: u8, to_slow: &mut Vec<usize>) -> Option<()> {
    // mov %edi, %esi, %edx, %r10d, %r8d, %r9d to %r11d
    const MOVES: [[u8; 3]; 6] = [
        [0x41, 0x89, 0xfb],
        [0x41, 0x89, 0xf3],
        [0x41, 0x89, 0xd3],
        [0x45, 0x89, 0xd3],
        [0x45, 0x89, 0xc3],
        [0x45, 0x89, 0xcb],
    ];
    if class == NEVER {
        return Some(());
    }
    if class == IF_MARKED_OR_SOCKET {
        code.bytes(&MOVES[1]);
        code.bytes(&[0x41, 0xc1, 0xeb, 0x08]); // shr $8, %r11d
        code.bytes(&[0x41, 0x80, 0xfb, SOCKET_COMMANDS]); // cmpb $SOCKET_COMMANDS, %r11b
        to_slow.push(code.forward(JE));
        return if_marked(code, MOVES[0], to_slow);
    }
    match MOVES.get(usize::from(class - IF_MARKED)) {
        Some(argument) => if_marked(code, *argument, to_slow),
        None => {
            // Always: what follows up to `slow` is for the way back.
            to_slow.push(code.forward(0xeb));
            Some(())
        }
    }
}

/// To `slow` if the descriptor in the register that `argument` moves to `%r11d` is marked.
fn if_marked(code: &mut Emitter, argument: [u8; 3], to_slow: &mut Vec<usize>) -> Option<()> {
    code.bytes(&argument);
    code.bytes(&[0x41, 0x81, 0xfb]); // cmp $MARKS, %r11d
    code.bytes(&u32::try_from(MARKS).ok()?.to_le_bytes());
    to_slow.push(code.forward(JAE));
    code.around(&[0x48, 0x8b, 0x0d], Around::MARKS)?; // mov marks(%rip), %rcx
    code.bytes(&[0x42, 0x80, 0x3c, 0x19, 0x00]); // cmpb $0, (%rcx,%r11)
    to_slow.push(code.forward(JNE));
    Some(())
}

/// The number is in `%eax`: the host's, by the first argument's mark, or slow.
fn unknown(code: &mut Emitter, to_slow: &mut Vec<usize>, to_native: &mut Vec<usize>) -> Option<()> {
    code.bytes(&[0x41, 0x89, 0xc3]); // mov %eax, %r11d
    code.bytes(&[0x41, 0x81, 0xfb]); // cmp $NUMBERS, %r11d
    code.bytes(&u32::try_from(NUMBERS).ok()?.to_le_bytes());
    to_slow.push(code.forward(JAE));
    code.around(&[0x48, 0x8b, 0x0d], Around::NUMBERS)?; // mov numbers(%rip), %rcx
    code.bytes(&[0x42, 0x80, 0x3c, 0x19, IF_MARKED]); // cmpb $IF_MARKED, (%rcx,%r11)
    to_native.push(code.forward(JB));
    to_slow.push(code.forward(JA));
    if_marked(code, [0x41, 0x89, 0xfb], to_slow)
}
