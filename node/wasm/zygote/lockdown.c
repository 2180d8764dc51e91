/* The engine keeps a module inside its memory; should the engine have a hole, what lies behind it is a process with the
 * pod's user, no capability, no_new_privs, and a filter of system calls that lets through reading, writing, sockets,
 * clocks and memory. No exec, no clone (a module has no threads), no mount, no ptrace, no kernel interfaces beside: to
 * such a process they do not exist (ENOSYS, for which C libraries have other ways). That is also why it needs no IPC or
 * UTS namespace: there is no call left that reaches them. */
#include "node/wasm/zygote/lockdown.h"

#include "base/mem/arena.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the filter of system calls knows amd64 and arm64"
#endif

static const unsigned short allowed[] = {
        /* files: what WASI names, and the loader of compiled modules */
        __NR_read,
        __NR_write,
        __NR_readv,
        __NR_writev,
        __NR_pread64,
        __NR_pwrite64,
        __NR_preadv,
        __NR_pwritev,
        __NR_openat,
        __NR_close,
        __NR_fstat,
        __NR_newfstatat,
        __NR_lseek,
        __NR_ftruncate,
        __NR_fallocate,
        __NR_fadvise64,
        __NR_fsync,
        __NR_fdatasync,
        __NR_getdents64,
        __NR_mkdirat,
        __NR_unlinkat,
        __NR_renameat,
        __NR_renameat2,
        __NR_symlinkat,
        __NR_linkat,
        __NR_readlinkat,
        __NR_utimensat,
        __NR_fcntl,
        __NR_dup,
        __NR_dup3,
        __NR_faccessat,
        __NR_faccessat2,
        __NR_statx,
        __NR_ioctl,
        /* sockets */
        __NR_socket,
        __NR_bind,
        __NR_connect,
        __NR_listen,
        __NR_accept,
        __NR_accept4,
        __NR_sendto,
        __NR_recvfrom,
        __NR_sendmsg,
        __NR_recvmsg,
        __NR_sendmmsg,
        __NR_shutdown,
        __NR_setsockopt,
        __NR_getsockopt,
        __NR_getsockname,
        __NR_getpeername,
        /* waiting and time */
        __NR_ppoll,
        __NR_pselect6,
        __NR_epoll_create1,
        __NR_epoll_ctl,
        __NR_epoll_pwait,
        __NR_timerfd_create,
        __NR_timerfd_settime,
        __NR_nanosleep,
        __NR_clock_nanosleep,
        __NR_clock_gettime,
        __NR_clock_getres,
        __NR_gettimeofday,
        __NR_sched_yield,
        __NR_futex,
        /* memory and the process itself */
        __NR_mmap,
        __NR_munmap,
        __NR_mprotect,
        __NR_mremap,
        __NR_madvise,
        __NR_brk,
        __NR_rt_sigaction,
        __NR_rt_sigprocmask,
        __NR_rt_sigreturn,
        __NR_sigaltstack,
        __NR_getrandom,
        __NR_getpid,
        __NR_gettid,
        __NR_getuid,
        __NR_uname,
        __NR_tgkill,
        __NR_exit,
        __NR_exit_group,
        __NR_restart_syscall,
        __NR_prlimit64,
#ifdef __x86_64__
        __NR_open,
        __NR_stat,
        __NR_lstat,
        __NR_poll,
        __NR_select,
        __NR_epoll_wait,
        __NR_epoll_create,
        __NR_access,
        __NR_mkdir,
        __NR_rmdir,
        __NR_unlink,
        __NR_rename,
        __NR_readlink,
        __NR_dup2,
        __NR_time,
#endif
};

enum { ALLOWED = sizeof allowed / sizeof *allowed, HEAD = 4, CAPABILITIES = 64, DESCRIPTORS = 4096 };

static int filter_calls(struct err *err)
{
	struct sock_filter f[HEAD + 2 * ALLOWED + 1] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	size_t n = HEAD;
	for (size_t i = 0; i < ALLOWED; i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	struct sock_fprog program = {(unsigned short)n, f};
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		return err_errno(err, errno, "set the filter of system calls");
	return 0;
}

static int drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
	if (syscall(__NR_capset, &head, none) != 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
		return err_errno(err, errno, "drop capabilities");
	return 0;
}

static int become(const struct wasm_spec *s, struct err *err)
{
	struct arena a = ARENA_INIT;
	gid_t *groups = ARENA_ARRAY(&a, gid_t, s->groups_count + 1);
	for (size_t i = 0; i < s->groups_count; i++)
		groups[i] = (gid_t)s->groups[i];
	int rc = setgroups(s->groups_count, groups);
	arena_release(&a);
	if (rc != 0 || setresgid((gid_t)s->gid, (gid_t)s->gid, (gid_t)s->gid) != 0 ||
	        setresuid((uid_t)s->uid, (uid_t)s->uid, (uid_t)s->uid) != 0)
		return err_errno(err, errno, "become user %lld:%lld", (long long)s->uid, (long long)s->gid);
	return 0;
}

int wasm_lock_down(const struct wasm_spec *spec, struct err *err)
{
	struct rlimit files = {DESCRIPTORS, DESCRIPTORS}, core = {0, 0};
	if (setrlimit(RLIMIT_NOFILE, &files) != 0 || setrlimit(RLIMIT_CORE, &core) != 0)
		return err_errno(err, errno, "limit descriptors");
	/* Capabilities that the kernel does not know end the loop. */
	for (int cap = 0; cap < CAPABILITIES && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (become(spec, err) != 0 || drop_capabilities(err) != 0)
		return err->code;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_errno(err, errno, "give up new privileges");
	return filter_calls(err);
}
