/* See faults.h. The linker gives our code __wrap_NAME for NAME, and __real_NAME is the C library's. What the C library
 * calls itself does not come by here. */
#include "tests/unit/faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	_Atomic unsigned kinds; /* 0: nothing fails */
	_Atomic long left;      /* calls until the one that fails */
	atomic_bool struck;
	int error;
} now;

/* Is it this one's turn? errno is set then. */
static bool fails(enum fault_kind kind)
{
	if (!(atomic_load(&now.kinds) & kind) || atomic_fetch_sub(&now.left, 1) != 1)
		return false;
	atomic_store(&now.struck, true);
	errno = now.error;
	return true;
}

/* type name(parameters), called with arguments; what it returns when it fails. */
#define WRAP(kind, type, name, parameters, arguments, failed) \
	type __real_##name parameters; \
	type __wrap_##name parameters; \
	type __wrap_##name parameters \
	{ \
		return fails(kind) ? (failed) : __real_##name arguments; \
	}

WRAP(FAULT_OPEN, int, open, (const char *path, int flags, mode_t mode), (path, flags, mode), -1)
WRAP(FAULT_OPEN, int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode), -1)
WRAP(FAULT_OPEN, int, openat, (int folder, const char *path, int flags, mode_t mode), (folder, path, flags, mode), -1)
WRAP(FAULT_OPEN, FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
WRAP(FAULT_OPEN, DIR *, opendir, (const char *path), (path), NULL)
WRAP(FAULT_OPEN, int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
WRAP(FAULT_OPEN, int, scandir,
        (const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
                int (*compare)(const struct dirent **, const struct dirent **)),
        (path, list, filter, compare), -1)
WRAP(FAULT_READ, ssize_t, read, (int fd, void *data, size_t n), (fd, data, n), -1)
WRAP(FAULT_READ, ssize_t, pread, (int fd, void *data, size_t n, off_t at), (fd, data, n, at), -1)
WRAP(FAULT_READ, ssize_t, pread64, (int fd, void *data, size_t n, off_t at), (fd, data, n, at), -1)
WRAP(FAULT_WRITE, ssize_t, write, (int fd, const void *data, size_t n), (fd, data, n), -1)
WRAP(FAULT_WRITE, ssize_t, pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), -1)
WRAP(FAULT_WRITE, ssize_t, pwrite64, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at), -1)
WRAP(FAULT_WRITE, int, posix_fallocate, (int fd, off_t at, off_t n), (fd, at, n), now.error)
WRAP(FAULT_WRITE, int, ftruncate, (int fd, off_t size), (fd, size), -1)
WRAP(FAULT_SYNC, int, fsync, (int fd), (fd), -1)
WRAP(FAULT_SYNC, int, fdatasync, (int fd), (fd), -1)
WRAP(FAULT_NAME, int, rename, (const char *from, const char *to), (from, to), -1)
WRAP(FAULT_NAME, int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), -1)
WRAP(FAULT_NAME, int, mkdir, (const char *path, mode_t mode), (path, mode), -1)
WRAP(FAULT_PROCESS, pid_t, fork, (void), (), -1)
WRAP(FAULT_PROCESS, int, pipe2, (int fds[2], int flags), (fds, flags), -1)
WRAP(FAULT_PROCESS, int, socket, (int family, int type, int protocol), (family, type, protocol), -1)
WRAP(FAULT_PROCESS, int, posix_spawnp,
        (pid_t * pid, const char *file, const posix_spawn_file_actions_t *files, const posix_spawnattr_t *attr,
                char *const argv[], char *const env[]),
        (pid, file, files, attr, argv, env), now.error)

/* Whatever it is, it has up to six arguments; that of a pidfd is the one that may fail. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	return number == SYS_pidfd_open && fails(FAULT_PROCESS) ? -1 : __real_syscall(number, a, b, c, d, e, f);
}

/* ---- trying ---- */

static unsigned open_descriptors(void)
{
	unsigned n = 0;
	DIR *d = __real_opendir("/proc/self/fd");
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static bool run_with(const struct fault_plan *p, unsigned nth, int *rc, struct err *err)
{
	*err = ERR_INIT;
	now.error = p->error;
	atomic_store(&now.struck, false);
	atomic_store(&now.left, (long)nth);
	atomic_store(&now.kinds, p->kinds);
	*rc = p->run(err);
	atomic_store(&now.kinds, 0);
	return atomic_load(&now.struck);
}

static void look_at_failure(unsigned nth, const struct err *err)
{
	if (!err->code || !err->msg[0])
		fail_msg("the call number %u failed and nothing was said of it", nth);
	if (strstr(err->msg, "Success"))
		fail_msg("the call number %u failed, and what is said is \"%s\"", nth, err->msg);
}

unsigned faults_try_all(const struct fault_plan *p)
{
	for (unsigned nth = 1;; nth++) {
		struct err err;
		int rc;
		if (p->reset)
			p->reset();
		unsigned before = open_descriptors();
		bool struck = run_with(p, nth, &rc, &err);
		if (open_descriptors() != before)
			fail_msg("the call number %u failed (%s): %u descriptors were open before, %u are now", nth,
			        err.msg, before, open_descriptors());
		if (rc != 0)
			look_at_failure(nth, &err);
		if (!struck) {
			if (rc != 0)
				fail_msg("nothing failed, and yet: %s", err.msg);
			return nth - 1;
		}
		if (rc == 0 && !p->may_succeed)
			fail_msg("the call number %u failed and nobody noticed", nth);
		char said[sizeof err.msg];
		snprintf(said, sizeof said, "%s", err.msg);
		err = ERR_INIT;
		if ((p->retry ? p->retry : p->run)(&err) != 0)
			fail_msg("after the call number %u had failed (%s), the next try failed: %s", nth, said,
			        err.msg);
		if (open_descriptors() != before)
			fail_msg("the try after the call number %u leaves descriptors open", nth);
	}
}
