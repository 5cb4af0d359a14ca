//! The kernel's signal structures on x86-64 (asm/signal.h, asm/sigcontext.h, asm/ucontext.h).

/// Bad system call.
pub(crate) const SIGSYS: u32 = 31;
/// Signals are numbered 1 to this.
pub(crate) const SIGNALS: usize = 64;
pub(crate) const SIG_DFL: u64 = 0;
pub(crate) const SIG_IGN: u64 = 1;
pub(crate) const SA_SIGINFO: u64 = 4;
pub(crate) const SA_RESTORER: u64 = 0x0400_0000;
pub(crate) const SA_ONSTACK: u64 = 0x0800_0000;
pub(crate) const SA_NODEFER: u64 = 0x4000_0000;
pub(crate) const SA_RESTART: u64 = 0x1000_0000;
pub(crate) const SA_RESETHAND: u64 = 0x8000_0000;

/// The bit of a signal in a mask.
pub(crate) const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Signals that the kernel raises for what an instruction did. Blocked, they kill: SIGILL, SIGTRAP, SIGBUS,
/// SIGFPE, SIGSEGV and SIGSYS.
pub(crate) const SYNCHRONOUS: u64 = bit(4) | bit(5) | bit(7) | bit(8) | bit(11) | bit(SIGSYS);

/// `struct sigaction` of the system call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct KernelAction {
    pub(crate) handler: u64,
    pub(crate) flags: u64,
    pub(crate) restorer: u64,
    pub(crate) mask: u64,
}

impl KernelAction {
    /// That of our SIGSYS handler: nothing interrupts it.
    pub(crate) const fn trap(handler: u64, restorer: u64) -> Self {
        Self { handler, flags: SA_SIGINFO | SA_RESTORER | SA_ONSTACK, restorer, mask: !0 }
    }

    /// As its 32 bytes.
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let words = [self.handler, self.flags, self.restorer, self.mask];
        for (to, from) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        bytes
    }

    /// From its 32 bytes.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut words = [0_u64; 4];
        for (to, from) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *to = from.try_into().map_or(0, u64::from_ne_bytes);
        }
        Self { handler: words[0], flags: words[1], restorer: words[2], mask: words[3] }
    }
}

/// The head of `siginfo_t` as SIGSYS has it. Behind the code it is other signals' and senders' otherwise.
#[repr(C)]
pub(crate) struct Siginfo {
    pub(crate) signal: i32,
    pub(crate) errno: i32,
    pub(crate) code: i32,
    pad: i32,
    pub(crate) call_addr: u64,
    pub(crate) call: i32,
    pub(crate) arch: u32,
}

impl Siginfo {
    /// Whether the kernel raised it for what the thread did; else somebody sent it (sigaction(2), "`si_code`").
    pub(crate) const fn is_by_kernel(&self) -> bool {
        self.code > 0
    }
}

/// linux/audit.h: the kind of program that makes a call.
pub(crate) const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// asm/unistd.h: the calls of x32 programs have this bit in their numbers.
pub(crate) const X32: u32 = 0x4000_0000;

/// The general registers of `struct sigcontext`.
#[repr(C)]
pub(crate) struct Registers {
    pub(crate) r8: u64,
    pub(crate) r9: u64,
    pub(crate) r10: u64,
    pub(crate) r11: u64,
    pub(crate) r12: u64,
    pub(crate) r13: u64,
    pub(crate) r14: u64,
    pub(crate) r15: u64,
    pub(crate) rdi: u64,
    pub(crate) rsi: u64,
    pub(crate) rbp: u64,
    pub(crate) rbx: u64,
    pub(crate) rdx: u64,
    pub(crate) rax: u64,
    pub(crate) rcx: u64,
    pub(crate) rsp: u64,
    pub(crate) rip: u64,
}

/// `struct ucontext`.
#[repr(C)]
pub(crate) struct Ucontext {
    flags: u64,
    link: u64,
    /// The alternate stack as it was: start, flags (an int), size.
    pub(crate) stack: [u64; 3],
    pub(crate) registers: Registers,
    pub(crate) eflags: u64,
    /// Segments, err, trapno, oldmask, cr2.
    rest: [u64; 5],
    /// Where the floating point and vector registers are. 0: they are in their initial state.
    pub(crate) fpstate: u64,
    reserved: [u64; 8],
    pub(crate) mask: u64,
}

/// Where the mask is in a `struct ucontext`, at which `%rsp` points when rt_sigreturn(2) is called.
pub(crate) const MASK_AT: u64 = core::mem::offset_of!(Ucontext, mask) as u64;

/// Where the instruction pointer is there.
pub(crate) const RIP_AT: u64 =
    (core::mem::offset_of!(Ucontext, registers) + core::mem::offset_of!(Registers, rip)) as u64;

const _: () = assert!(MASK_AT == 296, "asm/ucontext.h");
