/* Every register, the red zone and the vector registers across a call made through libc's `syscall` site and through
 * an instruction of our own. Prints the names of what changed. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct state {
	uint64_t gpr[12]; /* rbx rbp r12-r15 rdi rsi rdx r10 r8 r9 */
	uint64_t red[16];
	uint8_t xmm[16][16];
	uint32_t mxcsr;
};

extern void call_with(struct state *in, struct state *out, uint64_t number, void *at);
__asm__(
    ".text\n"
    "call_with:\n"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi; push %rcx\n"
    "mov %rdx, %rax\n"
    "mov %rdi, %r11\n"
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "movups 224+16*\\n(%r11), %xmm\\n\n"
    "mov 96+8*\\n(%r11), %rcx\n"
    "mov %rcx, -136+8*\\n(%rsp)\n"
    ".endr\n"
    "mov (%r11), %rbx; mov 8(%r11), %rbp; mov 16(%r11), %r12; mov 24(%r11), %r13; mov 32(%r11), %r14\n"
    "mov 40(%r11), %r15; mov 48(%r11), %rdi; mov 56(%r11), %rsi; mov 64(%r11), %rdx; mov 72(%r11), %r10\n"
    "mov 80(%r11), %r8; mov 88(%r11), %r9\n"
    "call *(%rsp)\n"
    "mov 8(%rsp), %r11\n"
    "mov %rbx, (%r11); mov %rbp, 8(%r11); mov %r12, 16(%r11); mov %r13, 24(%r11); mov %r14, 32(%r11)\n"
    "mov %r15, 40(%r11); mov %rdi, 48(%r11); mov %rsi, 56(%r11); mov %rdx, 64(%r11); mov %r10, 72(%r11)\n"
    "mov %r8, 80(%r11); mov %r9, 88(%r11)\n"
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "movups %xmm\\n, 224+16*\\n(%r11)\n"
    "mov -136+8*\\n(%rsp), %rcx\n"
    "mov %rcx, 96+8*\\n(%r11)\n"
    ".endr\n"
    "stmxcsr 480(%r11)\n"
    "pop %rcx; pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "ret\n"
    "own_site: syscall\n"
    "ret\n");
extern char own_site[];

static int differs(const char *what, void *at, uint64_t number)
{
	struct state in, out;
	memset(&out, 0, sizeof(out));
	for (size_t i = 0; i < sizeof(in); i++)
		((uint8_t *)&in)[i] = i * 7 + 1;
	in.gpr[6] = -1; /* no such descriptor */
	__asm__("stmxcsr %0" : "=m"(in.mxcsr));
	call_with(&in, &out, number, at);
	if (memcmp(in.gpr, out.gpr, sizeof(in.gpr)))
		for (int i = 0; i < 12; i++)
			if (in.gpr[i] != out.gpr[i])
				printf("%s %d: gpr %d\n", what, (int)number, i);
	/* Slot 15 of the red zone is where `call` puts its return address. */
	if (memcmp(in.red, out.red, sizeof(in.red) - 8))
		printf("%s %d: red zone\n", what, (int)number);
	if (memcmp(in.xmm, out.xmm, sizeof(in.xmm)))
		printf("%s %d: xmm\n", what, (int)number);
	if (in.mxcsr != out.mxcsr)
		printf("%s %d: mxcsr\n", what, (int)number);
	return 0;
}

int main(void)
{
	for (int i = 0; i < 1000; i++) {
		differs("own", own_site, 3);
		differs("own", own_site, 110);
		/* `mov $110,%eax; syscall; ret` in glibc: rewritten. */
		differs("libc", getppid, 0);
	}
	puts("done");
	return 0;
}
