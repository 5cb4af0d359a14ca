//! seccomp(2) filters of the program.
//!
//! A sandbox knows nothing of the calls that this library makes: sshd's lets its child write to a socket, and kills it
//! when that write becomes a message to the rump kernel. So a filter is given to the host with a few instructions in
//! front of it that let our own calls pass, told by the address behind them. The program's calls, which the host sees
//! at a trampoline or behind a trap, are left to the filter.

use crate::entry_unsafe::{
    child_begun, child_unmasked, entered, exit_end, restored, restorer, saved, unmasked,
};
use crate::hooks::{Answer, Call};
use abi::nr;
use alloc::vec::Vec;

/// linux/prctl.h
const PR_SET_SECCOMP: u64 = 22;
/// linux/seccomp.h
const SECCOMP_SET_MODE_STRICT: u64 = 0;
const SECCOMP_SET_MODE_FILTER: u64 = 1;
const SECCOMP_MODE_STRICT: u64 = 1;
const SECCOMP_MODE_FILTER: u64 = 2;
const SECCOMP_RET_ALLOW: u32 = 0x7fff_0000;
/// The two halves of `instruction_pointer` in `struct seccomp_data`, which is the address behind the instruction.
const IP_LOW: u32 = 8;
const IP_HIGH: u32 = 12;
/// linux/filter.h
const BPF_MAXINSNS: usize = 4096;
const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_CONSTANT: u16 = 0x00; // BPF_LD | BPF_W | BPF_IMM
const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_GREATER: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// `struct sock_filter`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    code: u16,
    on_true: u8,
    on_false: u8,
    k: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: u16,
    filter: *const Instruction,
}

/// Whether it asks for strict mode.
pub(crate) fn confines(call: &Call) -> bool {
    match call.nr {
        nr::SECCOMP => call.args[0] == SECCOMP_SET_MODE_STRICT,
        nr::PRCTL => call.args[0] == PR_SET_SECCOMP && call.args[1] == SECCOMP_MODE_STRICT,
        _ => false,
    }
}

/// Which argument points to the filter that the call installs, if it installs one.
pub(crate) fn installs(number: u32, args: &[u64; 6]) -> Option<usize> {
    match number {
        nr::SECCOMP if args[0] == SECCOMP_SET_MODE_FILTER => Some(2),
        nr::PRCTL if args[0] == PR_SET_SECCOMP && args[1] == SECCOMP_MODE_FILTER => Some(2),
        _ => None,
    }
}

/// Installs the filter that argument `at` points to, behind ours.
pub(crate) fn install(number: u32, mut args: [u64; 6], at: usize) -> Answer {
    // What cannot be read, is too long or makes no sense is the host's to refuse.
    let Some(filter) = read(args[at]) else { return Answer::Host };
    let mut whole = ours();
    if whole.len() + filter.len() > BPF_MAXINSNS {
        return Answer::Host;
    }
    whole.extend_from_slice(&filter);
    let Ok(len) = u16::try_from(whole.len()) else { return Answer::Host };
    let program = Program { len, filter: whole.as_ptr() };
    args[at] = &raw const program as u64;
    // SAFETY: the host reads the program and its instructions, which live as long as the call.
    Answer::Done(unsafe { host::syscall(number, args.map(|arg| arg as usize)) })
}

/// The program's instructions.
fn read(address: u64) -> Option<Vec<Instruction>> {
    let mut head = [0; 16];
    host::copy_in(address, &mut head).ok()?;
    let [l0, l1, _, _, _, _, _, _, at @ ..] = head;
    let len = usize::from(u16::from_ne_bytes([l0, l1]));
    let mut bytes = alloc::vec![0; len * size_of::<Instruction>()];
    host::copy_in(u64::from_ne_bytes(at), &mut bytes).ok()?;
    let instruction = |bytes: &[u8; 8]| {
        let [c0, c1, on_true, on_false, k @ ..] = *bytes;
        Instruction { code: u16::from_ne_bytes([c0, c1]), on_true, on_false, k: u32::from_ne_bytes(k) }
    };
    Some(bytes.as_chunks().0.iter().map(instruction).collect())
}

/// The instructions that let our calls pass and change nothing for others: the accumulator is 0 behind them.
fn ours() -> Vec<Instruction> {
    let gadget = host::gadget_unsafe::base() as u64;
    let ranges = [
        (gadget, gadget + host::gadget_unsafe::offsets().len as u64),
        (saved(), entered()),
        (exit_end(), unmasked()),
        (child_begun(), child_unmasked()),
        (restorer(), restored()),
    ];
    let mut filter: Vec<Instruction> =
        ranges.into_iter().flat_map(|(start, end)| passes(start, end)).collect();
    filter.push(Instruction { code: LOAD_CONSTANT, on_true: 0, on_false: 0, k: 0 });
    filter
}

/// Lets calls pass from behind `start` up to `end`, which lie in one object of less than 4 GiB.
fn passes(start: u64, end: u64) -> [Instruction; 6] {
    let high = |address: u64| (address >> 32) as u32;
    // A range across such a border is not let pass: nothing of it is then.
    let last = if high(start) == high(end) { end as u32 } else { 0 };
    let step = |code, on_true, on_false, k| Instruction { code, on_true, on_false, k };
    [
        step(LOAD, 0, 0, IP_HIGH),
        step(JUMP_EQUAL, 0, 4, high(start)),
        step(LOAD, 0, 0, IP_LOW),
        step(JUMP_GREATER, 0, 2, start as u32),
        step(JUMP_GREATER, 1, 0, last),
        step(RETURN, 0, 0, SECCOMP_RET_ALLOW),
    ]
}
