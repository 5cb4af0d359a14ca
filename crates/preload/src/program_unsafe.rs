//! The library as a program: execve(2) is given it in place of a program that ld.so does not bring it into
//! (`RUMPHIJACK__LOAD`, see **loader**).

use crate::begin::{begin, run_first};
use abi::Errno;
use core::arch::global_asm;
use core::ffi::CStr;
use hijack::live::{refuse, say};
use intercept::{Call, Image};
use loader::{Order, RUN_VARIABLE, Stack, VARIABLE, enter, load};

// What ld.so does for a library the library does for itself here. build.rs has it linked without symbols to look up, so
// there are relative relocations alone (psABI, 4.4.1: R_X86_64_RELATIVE); a test reads the file.
global_asm!(
    ".pushsection .text.program,\"ax\",@progbits",
    ".globl rump_program",
    ".hidden rump_program",
    "rump_program:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "lea rax, [rip + __ehdr_start]",
    "lea rdx, [rip + _DYNAMIC]",
    "xor esi, esi",
    "xor ecx, ecx",
    "2:",
    "mov r8, [rdx]",
    "mov r9, [rdx + 8]",
    "add rdx, 16",
    "cmp r8, 7", // DT_RELA
    "cmove rsi, r9",
    "cmp r8, 8", // DT_RELASZ
    "cmove rcx, r9",
    "test r8, r8",
    "jnz 2b",
    "add rsi, rax",
    "add rcx, rsi",
    "3:",
    "cmp rsi, rcx",
    "jae 4f",
    "mov r8, [rsi]",
    "mov r9, [rsi + 16]",
    "add r9, rax",
    "mov [rax + r8], r9",
    "add rsi, 24",
    "jmp 3b",
    "4:",
    "and rsp, -16",
    "call {program}",
    "ud2",
    ".popsection",
    program = sym program,
);

extern "C" fn program(argc: *mut u64) -> ! {
    // SAFETY: the stack that the kernel has just made.
    let mut stack = unsafe { Stack::new(argc) };
    if let Some(path) = stack.take(RUN_VARIABLE) {
        run(path, &stack)
    }
    let Some(order) = stack.take(VARIABLE).and_then(Order::parse) else {
        refuse(format_args!("not to be run, but to be named in LD_PRELOAD: see rump-run(1)"))
    };
    let exe = order.exe();
    host::set_process_name(CStr::from_bytes_until_nul(&order.process_name()).unwrap_or_default());
    let loaded = match load(&order, &mut stack) {
        Ok(loaded) => loaded,
        Err(why) => refuse(format_args!("{}: cannot be loaded: {why}", order.name.escape_ascii())),
    };
    begin(image(&stack).loaded(loaded.base, exe), Some(exe));
    // SAFETY: loaded for this stack; nothing here is used any more.
    unsafe { enter(loaded.start, &stack) }
}

fn image(stack: &Stack) -> Image {
    let (count, arguments, environment) = stack.arguments();
    // SAFETY: they are the process's.
    unsafe { Image::new(count, arguments, environment) }
        .unwrap_or_else(|| refuse(format_args!("started without any argument")))
}

/// Becomes the program at this path with the arguments and the environment on the stack.
fn run(path: &[u8], stack: &Stack) -> ! {
    let (_, arguments, environment) = stack.arguments();
    let args = [path.as_ptr() as u64, arguments as u64, environment as u64, 0, 0, 0];
    let why = run_first(image(stack), &Call { nr: abi::nr::EXECVE, args });
    say(format_args!("rump: {}: {why}", path.escape_ascii()));
    // env(1): not found, or found and not to be run.
    host::exit_group(if why == Errno::ENOENT { 127 } else { 126 })
}
