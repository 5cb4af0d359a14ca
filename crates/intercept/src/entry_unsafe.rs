//! The way from a caught call to compiled code and back, in assembly.
//!
//! A thread arrives at `intercept_enter` with the call's registers and, in `%rcx`, the address of a `syscall`
//! instruction that would carry the call out and go on in the program. Nothing is put on the program's stack, which may be
//! 2 KiB of a goroutine, or shared with the parent of a vfork; but two words where the program uses `%gs` itself. No instruction here or in compiled code is VEX-encoded,
//! so that saving 16 xmm registers saves all that can change.

use crate::block_unsafe::{Block, Frame};
use crate::pool_unsafe::Link;
use core::arch::global_asm;
use core::mem::offset_of;

const XMM: usize = offset_of!(Block, frame) + offset_of!(Frame, xmm);
const ALTERNATE: usize = offset_of!(Block, alternate);
const ARGS: usize = offset_of!(Block, frame) + offset_of!(Frame, args);

/// The red zone, and two registers behind it.
pub(crate) const FOUND_STACK: usize = 128 + 16;

macro_rules! entry_asm {
    ($($line:expr,)*) => {
        global_asm!(
            $($line,)*
            stack_top = const offset_of!(Block, stack_top),
            rax = const offset_of!(Block, frame) + offset_of!(Frame, rax),
            rdi = const ARGS,
            rsi = const ARGS + 8,
            rdx = const ARGS + 16,
            r10 = const ARGS + 24,
            r8 = const ARGS + 32,
            r9 = const ARGS + 40,
            rbx = const offset_of!(Block, frame) + offset_of!(Frame, rbx),
            rbp = const offset_of!(Block, frame) + offset_of!(Frame, rbp),
            r12 = const offset_of!(Block, frame) + offset_of!(Frame, r12),
            r13 = const offset_of!(Block, frame) + offset_of!(Frame, r13),
            r14 = const offset_of!(Block, frame) + offset_of!(Frame, r14),
            r15 = const offset_of!(Block, frame) + offset_of!(Frame, r15),
            rsp = const offset_of!(Block, frame) + offset_of!(Frame, rsp),
            target = const offset_of!(Block, frame) + offset_of!(Frame, target),
            pending = const offset_of!(Block, pending),
            state = const offset_of!(Block, link) + offset_of!(Link<Block>, state),
            trap_return = const offset_of!(Block, trap_return),
            saved_mask = const offset_of!(Block, saved_mask),
            alternate = const ALTERNATE,
            alternate_size = const ALTERNATE + 8,
            alternate_blocked = const ALTERNATE + 16,
            alternate_mask = const ALTERNATE + 24,
            alternate_all = const ALTERNATE + 32,
            xmm = const XMM,
            program_gs = const offset_of!(Block, program_gs),
            tid = const offset_of!(Block, tid),
            next = const offset_of!(Block, link) + offset_of!(Link<Block>, next),
            found_stack = const FOUND_STACK,
            arena_size = const crate::gs_unsafe::ARENA_SIZE,
            arena = sym crate::gs_unsafe::ARENA,
            fsgsbase = sym crate::gs_unsafe::FSGSBASE,
            blocks = sym crate::block_unsafe::BLOCKS,
            slow = sym crate::slow_unsafe::slow,
            raise = sym crate::deliver_unsafe::raise,
            deliver = sym crate::deliver_unsafe::deliver,
            trapped = sym crate::dispatch_user_unsafe::trapped,
        );
    };
}

entry_asm!(
    ".macro intercept_label name",
    ".hidden \\name",
    ".globl \\name",
    "\\name:",
    ".endm",
    ".pushsection .text.intercept,\"ax\",@progbits",
    ".p2align 4",
    "intercept_label intercept_enter",
    "cmp byte ptr [rip + {fsgsbase}], 0",
    "je 6f",
    "rdgsbase r11",
    "sub r11, [rip + {arena}]",
    "cmp r11, {arena_size}",
    "jae 7f",
    "mov qword ptr gs:[{program_gs}], -1",
    "jmp 6f",
    // `%gs` is the program's. What is written below the stack pointer may be lost to a signal as long as that has not moved; then
    // the thread is sent back to where it came from.
    "7:",
    "mov [rsp - {found_stack}], rcx",
    "mov [rsp - {found_stack} + 8], rax",
    "lea rsp, [rsp - {found_stack}]",
    "intercept_label intercept_found",
    "mov eax, 186", // gettid
    "syscall",
    "mov r11, [rip + {blocks}]",
    "8:",
    "test r11, r11",
    "jz 9f",
    "cmp [r11 + {tid}], eax",
    "jne 5f",
    "cmp dword ptr [r11 + {state}], 0",
    "jne 4f",
    "5:",
    "mov r11, [r11 + {next}]",
    "jmp 8b",
    // No thread is without a block.
    "9:",
    "ud2",
    "4:",
    "rdgsbase rcx",
    "mov [r11 + {program_gs}], rcx",
    "wrgsbase r11",
    "intercept_label intercept_ours",
    "mov rcx, [rsp]",
    "mov rax, [rsp + 8]",
    "lea rsp, [rsp + {found_stack}]",
    "intercept_label intercept_found_end",
    "6:",
    "mov gs:[{rax}], rax",
    "mov gs:[{rdi}], rdi",
    "mov gs:[{rsi}], rsi",
    "mov gs:[{rdx}], rdx",
    "mov gs:[{r10}], r10",
    "mov gs:[{r8}], r8",
    "mov gs:[{r9}], r9",
    "mov gs:[{rbx}], rbx",
    "mov gs:[{rbp}], rbp",
    "mov gs:[{r12}], r12",
    "mov gs:[{r13}], r13",
    "mov gs:[{r14}], r14",
    "mov gs:[{r15}], r15",
    "mov gs:[{target}], rcx",
    "mov gs:[{rsp}], rsp",
    "intercept_label intercept_saved",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movups gs:[{xmm} + 16 * \\n], xmm\\n",
    ".endr",
    // A handler on its alternate stack (sigaltstack(2)): once %rsp is ours the host takes that for free, and would put the next
    // signal over the handler's own frame. So none comes until the call is left.
    "mov rax, rsp",
    "sub rax, gs:[{alternate}]",
    "cmp rax, gs:[{alternate_size}]",
    "jae 12f",
    "mov eax, 14", // rt_sigprocmask(SIG_SETMASK, &all, &mask, 8)
    "mov edi, 2",
    "mov rsi, gs:[0]",
    "lea rdx, [rsi + {alternate_mask}]",
    "add rsi, {alternate_all}",
    "mov r10d, 8",
    "syscall",
    "mov qword ptr gs:[{alternate_blocked}], 1",
    "12:",
    "mov rsp, gs:[{stack_top}]",
    "intercept_label intercept_entered",
    "cld",
    "mov rdi, gs:[0]",
    "call {slow}",
    // A signal up to here is deferred. From `intercept_exit` on the frame is complete, and the signal's wrapper
    // finishes what is left. The stack is the program's there: the handler's frame lies on it, and the next call that
    // the handler makes begins at the top of ours.
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movups xmm\\n, gs:[{xmm} + 16 * \\n]",
    ".endr",
    "mov rsp, gs:[{rsp}]",
    "intercept_label intercept_exit",
    "cmp dword ptr gs:[{pending}], 0",
    "jne 2f",
    "cmp qword ptr gs:[{alternate_blocked}], 0",
    "jne 13f",
    "mov rax, gs:[{rax}]",
    "mov rdi, gs:[{rdi}]",
    "mov rsi, gs:[{rsi}]",
    "mov rdx, gs:[{rdx}]",
    "mov r10, gs:[{r10}]",
    "mov r8, gs:[{r8}]",
    "mov r9, gs:[{r9}]",
    "mov rbx, gs:[{rbx}]",
    "mov rbp, gs:[{rbp}]",
    "mov r12, gs:[{r12}]",
    "mov r13, gs:[{r13}]",
    "mov r14, gs:[{r14}]",
    "mov r15, gs:[{r15}]",
    "mov r11, gs:[{program_gs}]",
    "cmp r11, -1",
    "jne 3f",
    "jmp qword ptr gs:[{target}]",
    "3:",
    // The trap's way out gives it back behind the call.
    "lea rcx, [rip + intercept_trap_native]",
    "neg rcx",
    "add rcx, gs:[{target}]",
    "cmp rcx, 2",
    "jbe 8f",
    "mov rcx, gs:[{target}]",
    "wrgsbase r11",
    "jmp rcx",
    "8:",
    "jmp qword ptr gs:[{target}]",
    "intercept_label intercept_exit_end",
    // A deferred signal: sent again, then all are unblocked. They arrive behind the `syscall` below.
    "2:",
    "mov rsp, gs:[{stack_top}]",
    "mov rdi, gs:[0]",
    "call {raise}",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movups xmm\\n, gs:[{xmm} + 16 * \\n]",
    ".endr",
    "mov rsi, gs:[0]",
    "add rsi, {saved_mask}",
    "14:",
    "mov eax, 14", // rt_sigprocmask(SIG_SETMASK, mask, NULL, 8)
    "mov edi, 2",
    "xor edx, edx",
    "mov r10d, 8",
    "mov rsp, gs:[{rsp}]",
    "syscall",
    "intercept_label intercept_unmasked",
    "jmp intercept_exit",
    // All were blocked at the start of the call.
    "13:",
    "mov qword ptr gs:[{alternate_blocked}], 0",
    "mov rsi, gs:[0]",
    "add rsi, {alternate_mask}",
    "jmp 14b",
    // The last of a thread: its block may be another's as soon as it is free.
    ".p2align 4",
    "intercept_label intercept_thread_exit",
    "mov dword ptr gs:[{state}], 0",
    "syscall",
    "ud2",
    // Carries out a trapped call.
    ".p2align 4",
    "intercept_label intercept_trap_native",
    "syscall",
    "mov r11, gs:[{program_gs}]",
    "cmp r11, -1",
    "jne 2f",
    "jmp qword ptr gs:[{trap_return}]",
    "2:",
    "mov rcx, gs:[{trap_return}]",
    "wrgsbase r11",
    "jmp rcx",
    "intercept_label intercept_trap_native_end",
    // Carries out mmap(2) of code, and comes back with its value as if that were a call.
    ".p2align 4",
    "intercept_label intercept_map_native",
    "syscall",
    "lea rcx, [rip + intercept_map_made]",
    "jmp intercept_enter",
    // An address that nobody goes to.
    "intercept_label intercept_map_made",
    "ud2",
    // intercept_clone(rdi: number, rsi: its six arguments, rdx: the child's block, rcx: [start, length] of the range
    // that may make calls; length 0: no dispatch). All signals are blocked. The child takes nothing from the stack,
    // which may be its parent's: what it needs is in its block, and the block in rbx.
    ".p2align 4",
    "intercept_label intercept_clone",
    "push rbx",
    "push r12",
    "push r13",
    "mov rbx, rdx",
    "mov r12, [rcx]",
    "mov r13, [rcx + 8]",
    "mov rax, rdi",
    "mov r11, rsi",
    "mov rdi, [r11]",
    "mov rsi, [r11 + 8]",
    "mov rdx, [r11 + 16]",
    "mov r10, [r11 + 24]",
    "mov r8, [r11 + 32]",
    "mov r9, [r11 + 40]",
    "syscall",
    "test rax, rax",
    "jz 3f",
    "pop r13",
    "pop r12",
    "pop rbx",
    "ret",
    "intercept_label intercept_child_begun",
    "3:",
    "mov eax, 158", // arch_prctl(ARCH_SET_GS, block)
    "mov edi, 0x1001",
    "mov rsi, rbx",
    "syscall",
    "mov eax, 186", // gettid
    "syscall",
    "mov [rbx + {tid}], eax",
    "test r13, r13",
    "jz 4f",
    "mov eax, 157", // prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, start, length, NULL)
    "mov edi, 59",
    "mov esi, 1",
    "mov rdx, r12",
    "mov r10, r13",
    "xor r8d, r8d",
    "syscall",
    "4:",
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
    "movups xmm\\n, gs:[{xmm} + 16 * \\n]",
    ".endr",
    "mov eax, 14",
    "mov edi, 2",
    "lea rsi, [rbx + {saved_mask}]",
    "xor edx, edx",
    "mov r10d, 8",
    "mov rsp, [rbx + {rsp}]",
    "syscall",
    "intercept_label intercept_child_unmasked",
    "jmp intercept_exit",
    // The kernel calls this for each of the program's signals. It ends as a jump to the program's handler on the
    // same frame.
    ".p2align 4",
    "intercept_label intercept_handler",
    "push rdi",
    "push rsi",
    "push rdx",
    "call {deliver}",
    "6:",
    "pop rdx",
    "pop rsi",
    "pop rdi",
    "test rax, rax",
    "jz 5f",
    "mov r11, rax",
    "xor eax, eax",
    "jmp r11",
    // Not by the program's restorer: its call may be trapped, and the thread is in the middle of another.
    "5:",
    "add rsp, 8",
    "intercept_label intercept_restorer",
    "mov eax, 15", // rt_sigreturn
    "syscall",
    "intercept_label intercept_restored",
    "ud2",
    // SIGSYS.
    ".p2align 4",
    "intercept_label intercept_trap",
    "push rdi",
    "push rsi",
    "push rdx",
    "call {trapped}",
    "jmp 6b",
    ".popsection",
);

macro_rules! labels {
    ($($(#[$doc:meta])* $function:ident $symbol:ident;)*) => {
        unsafe extern "C" {
            $(static $symbol: u8;)*
        }
        $($(#[$doc])* pub(crate) fn $function() -> u64 {
            &raw const $symbol as u64
        })*
    };
}

labels! {
    /// Where trampolines and the trap send a thread.
    enter intercept_enter;
    /// From here `%rax` and `%rcx` are on the program's stack ...
    found intercept_found;
    /// ... to here.
    found_end intercept_found_end;
    /// From here `%gs` is ours where it was the program's.
    ours intercept_ours;
    /// From here the frame has all general registers.
    saved intercept_saved;
    /// Here `%rsp` is ours.
    entered intercept_entered;
    /// Carries out mmap(2) of code ...
    map_native intercept_map_native;
    /// ... and stands for what comes behind that.
    map_made intercept_map_made;
    /// From here the frame is complete ...
    exit intercept_exit;
    /// ... to here.
    exit_end intercept_exit_end;
    /// Here a deferred signal arrives again.
    unmasked intercept_unmasked;
    /// Here a new thread is first interrupted.
    child_unmasked intercept_child_unmasked;
    /// Where it begins.
    child_begun intercept_child_begun;
    /// exit(2) of a thread.
    thread_exit intercept_thread_exit;
    /// The `syscall` of trapped calls.
    trap_native intercept_trap_native;
    /// The first byte behind it and what follows it.
    trap_native_end intercept_trap_native_end;
    /// What the kernel has for each handler of the program's.
    handler intercept_handler;
    /// Our own handler, of SIGSYS.
    trap intercept_trap;
    /// Its restorer.
    restorer intercept_restorer;
    /// Behind its call.
    restored intercept_restored;
    /// The first byte of this object in memory.
    image_start __ehdr_start;
    /// The first byte behind this object in memory.
    image_end _end;
}

unsafe extern "C" {
    fn intercept_clone(
        number: u64,
        args: *const [u64; 6],
        child: *mut Block,
        dispatch: *const [u64; 2],
    ) -> isize;
}

/// Carries out a clone whose child shares this memory and starts on `child`.
///
/// # Safety
/// All signals are blocked, the child's frame, mask and stack are set, and for a child without a stack of its own
/// the kernel holds the caller until it is gone (CLONE_VFORK).
pub(crate) unsafe fn clone(number: u32, args: &[u64; 6], child: *mut Block, dispatch: [u64; 2]) -> isize {
    // SAFETY: the caller's promise.
    unsafe { intercept_clone(u64::from(number), args, child, &raw const dispatch) }
}
