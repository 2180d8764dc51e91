/* The lock of a database: flock() on a file beside it, in which the holder's process stands for people to read. The
 * kernel gives it back when the holder dies, however it dies. */
#include "store/machine/database/data_lock.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int data_lock(const char *path, int *ret_fd, struct err *err)
{
	char *name = xprintf("%s.lock", path);
	char pid[32] = "";
	int rc = 0;
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = err_errno(err, errno, "open %s", name);
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
		pid[n > 0 ? n : 0] = 0;
		pid[strcspn(pid, "\n")] = 0;
		rc = err_set(
		        err, ERR_LOCKED, "%s is in use by process %s: stop it first", path, pid[0] ? pid : "(unknown)");
		close(fd);
	} else {
		int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
		if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
			log_warn("store", "lock file not written", "path=%s",
			        name); /* the lock counts, not what is in it */
		*ret_fd = fd;
	}
	free(name);
	return rc;
}
