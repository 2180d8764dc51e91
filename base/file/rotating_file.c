/* See rotating_file.h.
 *
 * Lines are written without a lock. Whose line makes the file too large takes the lock, if nobody has it, and rotates:
 * the old files are renamed, and a new one is put under the descriptor's number by dup3(), so that other threads, which
 * know only the number, write to the old file or to the new one and never to none.
 * For as long as that takes the count stays too large, so that each of the others waits for the lock after one line:
 * the size that is looked up is off by those lines at the most when it becomes the count.
 *
 * What can go wrong: the folder can't be written any more (then the file begins anew in place: an old log is lost, the
 * disk is not filled), somebody else has moved the file or cut it (its true size is looked up before anything is done;
 * of a moved one nothing is known, a new one is begun under the name), the disk is full (lines are lost). */
#include "base/file/rotating_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_new(const struct rotating_file *f, int flags)
{
	return open(f->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0640);
}

int rotating_file_open(
        struct rotating_file *f, const char *path, int64_t bytes_max, unsigned files_max, struct err *err)
{
	struct stat st;
	if (strlen(path) >= sizeof f->path)
		return err_set(err, ERR_INVAL, "log %.64s...: the name is too long", path);
	memcpy(f->path, path, strlen(path) + 1);
	f->bytes_max = bytes_max;
	f->files_max = files_max;
	pthread_mutex_init(&f->lock, NULL);
	int fd = open_new(f, 0);
	if (fd < 0)
		return err_errno(err, errno, "open log %s", path);
	atomic_store(&f->bytes, fstat(fd, &st) == 0 ? (int64_t)st.st_size : 0);
	atomic_store(&f->fd, fd);
	atomic_store(&f->is_open, true);
	return 0;
}

bool rotating_file_is_open(struct rotating_file *f)
{
	return atomic_load_explicit(&f->is_open, memory_order_acquire);
}

/* PATH.n, of PATH for 0. */
static const char *name(const struct rotating_file *f, unsigned n, char *out, size_t size)
{
	snprintf(out, size, n ? "%s.%u" : "%s", f->path, n);
	return out;
}

static bool shift(const struct rotating_file *f)
{
	char from[sizeof f->path + 16], to[sizeof f->path + 16];
	for (unsigned n = f->files_max; n > 1; n--)
		rename(name(f, n - 1, from, sizeof from), name(f, n, to, sizeof to)); /* there may be none yet */
	return f->files_max ? rename(f->path, name(f, 1, to, sizeof to)) == 0 : unlink(f->path) == 0;
}

/* Is what is open what lies under the name? */
static bool is_in_place(const struct rotating_file *f, const struct stat *open_one)
{
	struct stat st;
	return stat(f->path, &st) == 0 && st.st_dev == open_one->st_dev && st.st_ino == open_one->st_ino;
}

static void rotate(struct rotating_file *f)
{
	struct stat st;
	int fd = atomic_load(&f->fd), fresh = -1;
	if (fstat(fd, &st) != 0)
		return;
	bool is_file = S_ISREG(st.st_mode), is_large = st.st_size > f->bytes_max;
	atomic_store(&f->bytes, is_file ? (int64_t)st.st_size : 0);
	if (!is_file || (is_in_place(f, &st) && !is_large))
		return;
	if (!is_in_place(f, &st) || shift(f))
		fresh = open_new(f, 0);
	if (fresh >= 0 && dup3(fresh, fd, O_CLOEXEC) >= 0)
		atomic_store(&f->bytes, fstat(fresh, &st) == 0 ? (int64_t)st.st_size : 0);
	else if (ftruncate(fd, 0) == 0)
		atomic_store(&f->bytes, 0);
	if (fresh >= 0)
		close(fresh);
}

void rotating_file_write(struct rotating_file *f, const char *line, size_t len)
{
	ssize_t n = write(atomic_load(&f->fd), line, len);
	if (n < 0 || atomic_fetch_add(&f->bytes, n) + n <= f->bytes_max)
		return;
	pthread_mutex_lock(&f->lock);
	if (atomic_load(&f->bytes) > f->bytes_max) /* nobody has done it meanwhile */
		rotate(f);
	pthread_mutex_unlock(&f->lock);
}

void rotating_file_close(struct rotating_file *f)
{
	atomic_store(&f->is_open, false);
	close(atomic_load(&f->fd));
	pthread_mutex_destroy(&f->lock);
}

static bool copy(int from, const char *path, int64_t bytes)
{
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	ssize_t n = 1;
	while (to >= 0 && bytes > 0 && n > 0)
		if ((n = sendfile(to, from, NULL, (size_t)bytes)) > 0)
			bytes -= n;
	if (to >= 0)
		close(to);
	return to >= 0 && bytes == 0;
}

void rotating_file_cut(const char *path, int64_t bytes_max)
{
	char first[4096];
	struct stat st;
	if (stat(path, &st) != 0 || st.st_size <= bytes_max)
		return;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	snprintf(first, sizeof first, "%s.1", path);
	if (fd >= 0 && !copy(fd, first, (int64_t)st.st_size))
		unlink(first); /* half of one helps nobody on a disk that is full */
	int rc = fd >= 0 ? ftruncate(fd, 0) : 0;
	(void)rc;
	if (fd >= 0)
		close(fd);
}
