/* The pause program: the first process of every pod. It holds the pod's namespaces, collects orphaned processes when
 * the pod shares its process namespace, and ends on SIGINT or SIGTERM. It uses no C library, so the image needs no file
 * but this. */
#include <asm/unistd.h>

struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask[8 / sizeof(long)];
};

#if defined(__x86_64__)
static long call4(long number, long a, long b, long c, long d)
{
	long ret;
	register long r10 __asm__("r10") = d;
	__asm__ volatile("syscall"
	                 : "=a"(ret)
	                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
	                 : "rcx", "r11", "memory");
	return ret;
}
__asm__(".globl restore\nrestore:\n\tmov $15, %eax\n\tsyscall\n");
#elif defined(__aarch64__)
static long call4(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
__asm__(".globl restore\nrestore:\n\tmov x8, #139\n\tsvc 0\n");
#elif defined(__arm__)
static long call4(long number, long a, long b, long c, long d)
{
	register long r7 __asm__("r7") = number;
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r3 __asm__("r3") = d;
	__asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2), "r"(r3) : "memory");
	return r0;
}
__asm__(".globl restore\n.type restore, %function\nrestore:\n\tmov r7, #173\n\tsvc 0\n");
#else
#error "the pause program knows x86-64, aarch64 and arm"
#endif

void restore(void);
void _start(void);

enum { SIG_INT = 2, SIG_TERM = 15, SIG_CHLD = 17, FLAG_RESTORER = 0x04000000, NO_HANG = 1 };

static void on_end(int number)
{
	call4(__NR_exit_group, 0, 0, 0, 0);
}

static void on_child(int number)
{
	while (call4(__NR_wait4, -1, 0, NO_HANG, 0) > 0)
		;
}

static void handle(int number, void (*fn)(int))
{
	struct kernel_sigaction action = {fn, FLAG_RESTORER, restore, {0}};
	call4(__NR_rt_sigaction, number, (long)&action, 0, 8);
}

void _start(void)
{
	unsigned long none[8 / sizeof(long)] = {0};
	handle(SIG_INT, on_end);
	handle(SIG_TERM, on_end);
	handle(SIG_CHLD, on_child);
	for (;;)
		call4(__NR_rt_sigsuspend, (long)none, 8, 0, 0);
}
