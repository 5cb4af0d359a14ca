//! A seccomp filter behind everything else: should a call slip by, a socket of a family that is not the host's is refused,
//! not made.
//!
//! The filter outlives exec, and what it trusts must do so too: addresses of code do not, so the library's own sockets are
//! told by a key in an argument that socket(2) does not have. Paths cannot be looked at by a filter.

use crate::signal::{AUDIT_ARCH_X86_64, Siginfo, Ucontext, X32};
use abi::private::OWN_SOCKET;
use abi::{Errno, nr, table};
use core::fmt::Write;

/// linux/prctl.h
const PR_SET_NO_NEW_PRIVS: usize = 38;
/// linux/seccomp.h
const SECCOMP_SET_MODE_FILTER: usize = 1;
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const TRAP: u32 = 0x0003_0000;
/// What our traps carry in `si_errno`; a filter of the program's has its own.
const MARK: u32 = 0x7270;
/// asm-generic/siginfo.h
const SYS_SECCOMP: i32 = 1;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const FAMILY: u32 = 16;
const KEY_LOW: u32 = 56;
const KEY_HIGH: u32 = 60;
/// The answer to a call with the key's upper half that asks whether the filter is there.
const PRESENT: isize = 133;
/// linux/bpf_common.h
const LD: u16 = 0x20;
const LD_IMM: u16 = 0x00;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const SUB: u16 = 0x14;
const LSH_X: u16 = 0x6c;
const TAX: u16 = 0x07;
const RET: u16 = 0x06;

/// `struct sock_filter`: code, offset if true, offset if false, operand.
#[derive(Clone, Copy)]
#[repr(C)]
struct Step(u16, u8, u8, u32);

/// Refuses sockets of these families (bit n: family n), io_uring, and calls of other kinds of programs, to this process
/// and all that it will run. What would give privileges to a program gives none any more (`PR_SET_NO_NEW_PRIVS`).
///
/// # Errors
/// The host's: it has no seccomp filters.
pub fn refuse_families(families: u64) -> Result<(), Errno> {
    if is_there(families) {
        return Ok(());
    }
    let filter = filter(families);
    let program = [filter.len() as u64, filter.as_ptr() as u64];
    // SAFETY: the kernel reads the program and its steps, which live as long as the call.
    unsafe {
        Errno::from_rax(host::syscall(nr::PRCTL, [PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0]))?;
        let at = program.as_ptr() as usize;
        Errno::from_rax(host::syscall(nr::SECCOMP, [SECCOMP_SET_MODE_FILTER, 0, at, 0, 0, 0])).map(drop)
    }
}

/// Whether an image before this one has installed the filter, for all of these families.
fn is_there(families: u64) -> bool {
    let question = (OWN_SOCKET & !0xffff_ffff) as usize;
    let mut wanted = (0..64).filter(|family| families & (1 << family) != 0);
    // SAFETY: no socket has this type: without the filter the host answers EINVAL or EAFNOSUPPORT.
    wanted.all(
        |family| unsafe { host::syscall(nr::SOCKET, [family, usize::MAX, 0, 0, 0, question]) } == -PRESENT,
    )
}

fn filter(families: u64) -> [Step; 33] {
    let (low, high) = (families as u32, (families >> 32) as u32);
    let (own, key) = (OWN_SOCKET as u32, (OWN_SOCKET >> 32) as u32);
    [
        Step(LD, 0, 0, ARCH),
        Step(JEQ, 1, 0, AUDIT_ARCH_X86_64),
        Step(RET, 0, 0, TRAP | MARK),
        Step(LD, 0, 0, NUMBER),
        // Not trapped: an image asks with such a number whether it is caught already, before it could take a signal.
        Step(JGE, 0, 1, X32),
        Step(RET, 0, 0, ERRNO | Errno::ENOSYS.number() as u32),
        Step(JEQ, 0, 1, nr::IO_URING_SETUP),
        Step(RET, 0, 0, ERRNO | Errno::ENOSYS.number() as u32),
        Step(JEQ, 1, 0, nr::SOCKET),
        Step(RET, 0, 0, ALLOW),
        // The library's own.
        Step(LD, 0, 0, KEY_HIGH),
        Step(JEQ, 0, 3, key),
        Step(LD, 0, 0, KEY_LOW),
        Step(JEQ, 0, 1, own),
        Step(RET, 0, 0, ALLOW),
        // Bit `family` of the mask's halves.
        Step(LD, 0, 0, FAMILY),
        Step(JGE, 0, 1, 64),
        Step(RET, 0, 0, ALLOW),
        Step(JGE, 4, 0, 32),
        Step(TAX, 0, 0, 0),
        Step(LD_IMM, 0, 0, 1),
        Step(LSH_X, 0, 0, 0),
        Step(JSET, 6, 5, low),
        Step(SUB, 0, 0, 32),
        Step(TAX, 0, 0, 0),
        Step(LD_IMM, 0, 0, 1),
        Step(LSH_X, 0, 0, 0),
        Step(JSET, 1, 0, high),
        Step(RET, 0, 0, ALLOW),
        // One of them: the question whether the filter is there, or a miss.
        Step(LD, 0, 0, KEY_HIGH),
        Step(JEQ, 0, 1, key),
        Step(RET, 0, 0, ERRNO | PRESENT as u32),
        Step(RET, 0, 0, TRAP | MARK),
    ]
}

/// Answers a call that the filter has trapped: it fails, and standard error has its name. `false`: it was another's trap.
///
/// # Safety
/// The arguments must be those of a SIGSYS handler.
pub(crate) unsafe fn refused(info: *const Siginfo, context: *mut Ucontext) -> bool {
    // SAFETY: the caller's promise.
    let (info, registers) = unsafe { (&*info, &mut (*context).registers) };
    if info.code != SYS_SECCOMP || info.errno != MARK as i32 {
        return false;
    }
    let name = table::lookup(info.call.cast_unsigned())
        .map_or("a call of another kind of program", |row| row.name());
    let mut line = Line { text: [0; 160], length: 0 };
    let _ = writeln!(
        line,
        "librumphijack: strict: {name} at {:#x} went past the library: refused",
        registers.rip
    );
    let _ = host::write(2, line.text.get(..line.length).unwrap_or_default());
    registers.rax = Errno::EACCES.to_rax() as u64;
    true
}

/// A line in a signal handler.
struct Line {
    text: [u8; 160],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, part: &str) -> core::fmt::Result {
        let room = self.text.get_mut(self.length..self.length + part.len()).ok_or(core::fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.length += part.len();
        Ok(())
    }
}
