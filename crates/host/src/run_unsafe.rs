//! Running a program to its end, from inside any process.

use crate::gadget_unsafe::syscall;
use abi::raw::general::{CLONE_VFORK, CLONE_VM};
use abi::{Errno, nr};
use core::arch::asm;

/// Runs the program at a path with at most three arguments and an empty environment, waits for its end, and answers its
/// status as wait4(2) has it; 0 if another thread has taken that, or nobody is to know it (SIGCHLD is ignored). It inherits the
/// descriptors 0 to 2 and nothing else. `path` and `arguments` end with a NUL each.
///
/// # Errors
/// As clone(2). A program that cannot be run has the exit status 127.
pub fn run(path: &[u8], arguments: &[&[u8]]) -> Result<i32, Errno> {
    let mut argv = [core::ptr::null::<u8>(); 5];
    argv[0] = path.as_ptr();
    for (slot, argument) in argv[1..4].iter_mut().zip(arguments) {
        *slot = argument.as_ptr();
    }
    let whole = |text: &[u8]| text.last() == Some(&0);
    if arguments.len() > 3 || !whole(path) || !arguments.iter().all(|argument| whole(argument)) {
        return Err(Errno::EINVAL);
    }
    let child = spawn(&argv)?;
    let mut status = 0_i32;
    /// Whatever signal its end sends (wait(2)).
    const WALL: usize = 0x4000_0000;
    loop {
        let args = [child, &raw mut status as usize, WALL, 0, 0, 0];
        // SAFETY: the kernel writes one int.
        match Errno::from_rax(unsafe { syscall(nr::WAIT4, args) }) {
            Err(Errno::EINTR) => {}
            Err(Errno::ECHILD) => return Ok(0),
            Err(errno) => return Err(errno),
            Ok(_) => return Ok(status),
        }
    }
}

/// The child shares the memory until it has run the program, and the thread waits as long. It touches no memory before: its
/// calls stand here, in registers alone.
fn spawn(argv: &[*const u8; 5]) -> Result<usize, Errno> {
    let flags = (CLONE_VM | CLONE_VFORK) as usize;
    // The null pointer at its end is an empty environment.
    let environment = &raw const argv[4];
    let rax: isize;
    // SAFETY: the parent goes on only when the child is another program or has ended; the child writes nothing.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            // close_range(3, ~0, 0)
            "mov eax, {close_range}",
            "mov edi, 3",
            "mov esi, -1",
            "xor edx, edx",
            "syscall",
            "mov eax, {execve}",
            "mov rdi, [r12]",
            "mov rsi, r12",
            "mov rdx, r13",
            "syscall",
            "mov eax, {exit_group}",
            "mov edi, 127",
            "syscall",
            "2:",
            close_range = const nr::CLOSE_RANGE,
            execve = const nr::EXECVE,
            exit_group = const nr::EXIT_GROUP,
            inlateout("rax") nr::CLONE as usize as isize => rax,
            in("rdi") flags,
            in("rsi") 0,
            in("rdx") 0,
            in("r10") 0,
            in("r8") 0,
            in("r12") argv.as_ptr(),
            in("r13") environment,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    Errno::from_rax(rax)
}
