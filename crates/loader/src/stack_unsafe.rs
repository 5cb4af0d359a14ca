//! The stack that the kernel makes for a new image (x86-64 psABI, 3.4.1): argc, argv, a null, envp, a null, the auxiliary
//! vector; above them the strings.

use abi::nr;
use abi::raw::general::{PROT_EXEC, PROT_GROWSDOWN, PROT_READ, PROT_WRITE};
use core::ffi::{CStr, c_char};

/// getauxval(3)
const AT_NULL: u64 = 0;

/// The stack of an image that has not begun yet.
#[derive(Debug)]
pub struct Stack {
    argc: *mut u64,
}

impl Stack {
    /// The stack at the address with which the kernel starts an image.
    ///
    /// # Safety
    /// It must be that, nobody else may use it, and it must live as long as the process.
    #[must_use]
    pub unsafe fn new(argc: *mut u64) -> Self {
        Self { argc }
    }

    /// As main gets it: the count, the arguments, the environment.
    #[must_use]
    pub fn arguments(&self) -> (i32, *const *const c_char, *const *const c_char) {
        // SAFETY: the first word is the count, the arguments and a null follow.
        unsafe {
            let count = *self.argc;
            (count as i32, self.argc.add(1).cast(), self.argc.add(count as usize + 2).cast())
        }
    }

    /// The value of a variable of the environment, its name given with `=`.
    #[must_use]
    pub fn variable(&self, name: &[u8]) -> Option<&'static [u8]> {
        self.find(name).map(|(_, value)| value)
    }

    /// Takes a variable out of the environment, its name given with `=`. Answers its value.
    pub fn take(&mut self, name: &[u8]) -> Option<&'static [u8]> {
        let (at, value) = self.find(name)?;
        // SAFETY: what lies behind it, to the end of the auxiliary vector, moves down by one word.
        unsafe {
            let end = self.auxiliary_end();
            core::ptr::copy(at.add(1), at, end.offset_from(at) as usize - 1);
        }
        Some(value)
    }

    /// Where a variable is, and its value.
    fn find(&self, name: &[u8]) -> Option<(*mut u64, &'static [u8])> {
        let (_, _, environment) = self.arguments();
        let mut at = environment.cast::<u64>().cast_mut();
        // SAFETY: the environment ends with a null, its strings live as long as the process.
        unsafe {
            while *at != 0 {
                let value = CStr::from_ptr(*at as *const c_char).to_bytes().strip_prefix(name);
                if let Some(value) = value {
                    return Some((at, value));
                }
                at = at.add(1);
            }
        }
        None
    }

    /// Changes an entry of the auxiliary vector, if it is there.
    pub fn set_auxiliary(&mut self, key: u64, value: u64) {
        let mut at = self.auxiliary();
        // SAFETY: the vector ends with AT_NULL.
        unsafe {
            while (*at)[0] != AT_NULL {
                if (*at)[0] == key {
                    (*at)[1] = value;
                }
                at = at.add(1);
            }
        }
    }

    fn auxiliary(&self) -> *mut [u64; 2] {
        let (_, _, environment) = self.arguments();
        let mut at = environment.cast::<u64>().cast_mut();
        // SAFETY: the environment ends with a null.
        unsafe {
            while *at != 0 {
                at = at.add(1);
            }
            at.add(1).cast()
        }
    }

    /// The first word behind the vector's last entry.
    fn auxiliary_end(&self) -> *mut u64 {
        let mut at = self.auxiliary();
        // SAFETY: the vector ends with AT_NULL.
        unsafe {
            while (*at)[0] != AT_NULL {
                at = at.add(1);
            }
            at.add(1).cast()
        }
    }
}

/// Makes the whole stack executable; a kernel that forbids it shows when the program tries.
pub(crate) fn make_executable(stack: &Stack) {
    let page = stack.argc as usize & !4095;
    let prot = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN;
    // SAFETY: it stays readable and writable.
    unsafe { host::syscall(nr::MPROTECT, [page, 4096, prot as usize, 0, 0, 0]) };
}

/// Begins the image: registers as the kernel leaves them, the stack at its first word.
///
/// # Safety
/// `start` must be the first instruction of a program that was loaded for this stack. Nothing of the caller's is used any
/// more.
pub unsafe fn enter(start: u64, stack: &Stack) -> ! {
    // SAFETY: the caller's promise. Of the flags only interrupts and the bit that is always set are. %rdx is 0: the program has nothing to call at its exit (psABI, 3.4.1).
    unsafe {
        core::arch::asm!(
            "mov rsp, {stack}",
            // In the red zone, which handlers leave alone, as no register may hold it.
            "mov [rsp - 16], {start}",
            "xor eax, eax", "xor ebx, ebx", "xor ecx, ecx", "xor edx, edx",
            "xor esi, esi", "xor edi, edi", "xor ebp, ebp",
            "xor r8d, r8d", "xor r9d, r9d", "xor r10d, r10d",
            "xor r12d, r12d", "xor r13d, r13d", "xor r14d, r14d", "xor r15d, r15d",
            "xor r11d, r11d",
            "push {flags}",
            "popfq",
            "jmp [rsp - 16]",
            stack = in(reg) stack.argc,
            start = in(reg) start,
            flags = const 0x202,
            options(noreturn),
        )
    }
}
