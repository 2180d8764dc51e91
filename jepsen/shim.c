/* The shim: a library that is preloaded into one server and stands between it and the C library's clocks and files.
 *
 * Clocks: the wall clock gets an offset, both clocks a rate. Files under the data folder: syncs and writes can take
 * longer or fail, and what was written but not synced is noted in a journal, with what was there before, so that the
 * harness can take it back after it has killed the process (shim_control.c): a power cut. Everything is steered by the
 * control page that both map (shim_control.h).
 *
 * Not seen: programs that enter the kernel by themselves (Go), and memory maps. SQLite's -shm file is a map and is not
 * touched: it is rebuilt at every start.
 *
 * Before a change is made, its record is written to the journal with one write(2): a record that is not whole belongs
 * to a change that did not happen. What a kill leaves in the page cache is in order, so no sync is needed here. A lock
 * keeps records and changes of one file in the same order; it is not held while a sync runs.
 *
 * It lives in somebody else's process: it allocates nothing after its start but for journal records, never exits, and
 * without JEPSEN_SHIM in the environment it only passes calls on. */
#include "jepsen/shim_control.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { FDS_MAX = 4096 };

/* Of each descriptor: is it a file or folder under the data folder that is to be watched? */
enum { FD_OTHER, FD_FILE, FD_FOLDER };

static struct {
	struct shim_control *control; /* NULL: pass everything on */
	char data_dir[SHIM_PATH_MAX];
	size_t data_dir_len;
	char undo_dir[SHIM_PATH_MAX + 16];
	int journal;
	_Atomic uint64_t next_number;
	atomic_uint next_undo;
	atomic_uchar kinds[FDS_MAX];
	pthread_mutex_t lock;
	_Atomic uint64_t dice;
} shim = {.journal = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the real functions ---- */

#define REAL(ret, name, ...) \
	static ret (*real_##name)(__VA_ARGS__); \
	static void find_##name(void) \
	{ \
		if (!real_##name) \
			*(void **)&real_##name = dlsym(RTLD_NEXT, #name); \
	}

REAL(int, clock_gettime, clockid_t, struct timespec *)
REAL(int, pthread_cond_clockwait, pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *)
REAL(int, open, const char *, int, ...)
REAL(int, openat, int, const char *, int, ...)
REAL(int, close, int)
REAL(ssize_t, write, int, const void *, size_t)
REAL(ssize_t, pwrite, int, const void *, size_t, off_t)
REAL(ssize_t, writev, int, const struct iovec *, int)
REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t)
REAL(int, fsync, int)
REAL(int, fdatasync, int)
REAL(int, ftruncate, int, off_t)
REAL(int, fallocate, int, int, off_t, off_t)
REAL(int, posix_fallocate, int, off_t, off_t)
REAL(int, rename, const char *, const char *)
REAL(int, renameat, int, const char *, int, const char *)
REAL(int, unlink, const char *)
REAL(int, unlinkat, int, const char *, int)

static void find_all(void)
{
	find_clock_gettime();
	find_pthread_cond_clockwait();
	find_open();
	find_openat();
	find_close();
	find_write();
	find_pwrite();
	find_writev();
	find_pwritev();
	find_fsync();
	find_fdatasync();
	find_ftruncate();
	find_fallocate();
	find_posix_fallocate();
	find_rename();
	find_renameat();
	find_unlink();
	find_unlinkat();
}

/* An earlier process may have left records, the last one torn: numbers go on above its numbers, at a whole place. */
static void go_on_behind(void)
{
	static const char zeros[8];
	struct stat st;
	if (shim.journal < 0 || fstat(shim.journal, &st) != 0)
		return;
	(void)!real_write(shim.journal, zeros, (size_t)(-st.st_size & 7));
	shim.next_number = (uint64_t)st.st_size;
	shim.next_undo = (unsigned)(st.st_size / 8);
}

__attribute__((constructor(101))) static void start(void)
{
	const char *dir = getenv("JEPSEN_SHIM"), *data = getenv("JEPSEN_SHIM_DATA");
	char path[512];
	find_all();
	if (!dir || !data || strlen(data) >= sizeof shim.data_dir)
		return;
	shim.data_dir_len = strlen(data);
	memcpy(shim.data_dir, data, shim.data_dir_len + 1);
	snprintf(shim.undo_dir, sizeof shim.undo_dir, "%.240s/undo", dir);
	snprintf(path, sizeof path, "%s/control", dir);
	int fd = real_open(path, O_RDWR | O_CLOEXEC);
	void *page = fd < 0 ? MAP_FAILED
	                    : mmap(NULL, sizeof(struct shim_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		real_close(fd);
	snprintf(path, sizeof path, "%s/journal", dir);
	shim.journal = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	go_on_behind();
	shim.dice = (uint64_t)getpid() * UINT64_C(0x9e3779b97f4a7c15);
	if (page != MAP_FAILED && shim.journal >= 0)
		shim.control = page;
}

/* ---- clocks ---- */

static int64_t to_ns(const struct timespec *t)
{
	return t->tv_sec * INT64_C(1000000000) + t->tv_nsec;
}

/* What is added to a clock; asked again when the settings change meanwhile. */
static int64_t change_of_clock(const struct shim_control *c, bool is_wall)
{
	for (;;) {
		uint64_t before = __atomic_load_n(&c->sequence, __ATOMIC_SEQ_CST);
		int64_t sum = c->clock_shift_ns + (is_wall ? c->clock_offset_ns : 0), rate = c->clock_rate_ppm;
		int64_t epoch = c->clock_epoch_ns;
		if (rate) {
			struct timespec now;
			real_clock_gettime(CLOCK_MONOTONIC, &now);
			int64_t since = to_ns(&now) - epoch;
			sum += since > 0 ? (int64_t)((double)since * (double)rate / 1e6) : 0;
		}
		if (before % 2 == 0 && before == __atomic_load_n(&c->sequence, __ATOMIC_SEQ_CST))
			return sum;
	}
}

EXPORT int clock_gettime(clockid_t id, struct timespec *t)
{
	find_clock_gettime();
	int rc = real_clock_gettime(id, t);
	const struct shim_control *c = shim.control;
	bool is_wall = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
	bool is_monotonic = id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME ||
	                    id == CLOCK_MONOTONIC_RAW;
	if (rc != 0 || !c || !(is_wall || is_monotonic))
		return rc;
	int64_t ns = to_ns(t) + change_of_clock(c, is_wall);
	t->tv_sec = ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	return 0;
}

EXPORT int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;
	int rc = clock_gettime(CLOCK_REALTIME, &t);
	*tv = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
	return rc;
}

EXPORT time_t time(time_t *ret)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	if (ret)
		*ret = t.tv_sec;
	return t.tv_sec;
}

/* The kernel knows the real clock only: the limit becomes the moment at which the changed clock will have reached it.
 * Passed on as it is, a limit of a clock that lags would have the caller wait for it in a busy loop. */
EXPORT int pthread_cond_clockwait(
        pthread_cond_t *cond, pthread_mutex_t *lock, clockid_t id, const struct timespec *limit)
{
	const struct shim_control *c = shim.control;
	find_pthread_cond_clockwait();
	if (!c || id != CLOCK_MONOTONIC)
		return real_pthread_cond_clockwait(cond, lock, id, limit);
	struct timespec now;
	real_clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t left = to_ns(limit) - to_ns(&now) - change_of_clock(c, false);
	int64_t ns = to_ns(&now) + (int64_t)((double)left / (1 + (double)c->clock_rate_ppm / 1e6));
	struct timespec real = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
	return real_pthread_cond_clockwait(cond, lock, id, ns > 0 ? &real : &(struct timespec){0, 0});
}

/* ---- troubles ---- */

static void sleep_us(int64_t us)
{
	struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	if (us > 0)
		nanosleep(&t, NULL);
}

static bool falls(int64_t ppm)
{
	struct rng r = {.state = atomic_fetch_add(&shim.dice, UINT64_C(0xa0761d6478bd642f))};
	return ppm > 0 && rng_below(&r, 1000000) < (uint32_t)ppm;
}

static bool write_fails(void)
{
	sleep_us(shim.control->write_delay_us);
	if (!falls(shim.control->write_error_ppm))
		return false;
	errno = EIO;
	return true;
}

/* ---- which descriptors ---- */

static bool is_watched_path(const char *path)
{
	size_t len = strlen(path);
	return shim.control && len < SHIM_PATH_MAX && strncmp(path, shim.data_dir, shim.data_dir_len) == 0 &&
	       path[shim.data_dir_len] == '/' && !(len > 4 && strcmp(path + len - 4, "-shm") == 0);
}

/* Every name is asked of the kernel, so that relative paths and descriptors of folders are no case of their own. */
static bool path_of(int fd, char path[SHIM_PATH_MAX])
{
	char link[40];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, SHIM_PATH_MAX - 1);
	if (n <= 0 || n >= SHIM_PATH_MAX - 1)
		return false;
	path[n] = 0;
	return true;
}

static bool full_path(int folder, const char *path, char out[SHIM_PATH_MAX])
{
	char base[SHIM_PATH_MAX];
	if (path[0] == '/')
		return (size_t)snprintf(out, SHIM_PATH_MAX, "%s", path) < SHIM_PATH_MAX;
	if (folder == AT_FDCWD ? !getcwd(base, sizeof base) : !path_of(folder, base))
		return false;
	int n = snprintf(out, SHIM_PATH_MAX, "%s/%s", base, path);
	return n > 0 && n < SHIM_PATH_MAX;
}

static int kind_of(int fd)
{
	return shim.control && fd >= 0 && fd < FDS_MAX ? atomic_load(&shim.kinds[fd]) : FD_OTHER;
}

static void note_fd(int fd)
{
	char path[SHIM_PATH_MAX];
	struct stat st;
	if (!shim.control || fd < 0 || fd >= FDS_MAX)
		return;
	int kind = FD_OTHER;
	if (path_of(fd, path) && fstat(fd, &st) == 0) {
		if (S_ISREG(st.st_mode) && is_watched_path(path))
			kind = FD_FILE;
		else if (S_ISDIR(st.st_mode) && (is_watched_path(path) || strcmp(path, shim.data_dir) == 0))
			kind = FD_FOLDER;
	}
	atomic_store(&shim.kinds[fd], (unsigned char)kind);
}

/* ---- the journal ---- */

static bool is_journaling(void)
{
	return shim.control && shim.control->is_journaling;
}

/* Under the lock. `old`: what was there, of a write. */
static void append(struct shim_record *r, const void *old)
{
	static const char zeros[8];
	size_t pad = (8 - (sizeof *r + r->bytes) % 8) % 8;
	struct iovec parts[3] = {{r, sizeof *r}, {(void *)old, r->bytes}, {(void *)zeros, pad}};
	r->magic = SHIM_MAGIC;
	r->number = atomic_fetch_add(&shim.next_number, 1) + 1;
	(void)!real_writev(shim.journal, parts, 3);
}

static void note_write(int fd, off_t offset, size_t len)
{
	struct shim_record r = {.type = SHIM_WRITE, .offset = offset, .length = -1};
	struct stat st;
	if (fstat(fd, &st) != 0 || !path_of(fd, r.path))
		return;
	r.inode = st.st_ino;
	if (offset + (off_t)len > st.st_size)
		r.length = st.st_size;
	size_t there = offset >= st.st_size ? 0 : (size_t)(st.st_size - offset);
	there = there < len ? there : len;
	char *old = there ? malloc(there) : NULL;
	ssize_t n = 0;
	if (old) {
		/* A descriptor that was opened for writing only cannot be read. */
		n = pread(fd, old, there, offset);
		if (n < 0) {
			int other = real_open(r.path, O_RDONLY | O_CLOEXEC);
			n = other < 0 ? -1 : pread(other, old, there, offset);
			if (other >= 0)
				real_close(other);
		}
	}
	r.bytes = n > 0 ? (uint32_t)n : 0;
	append(&r, old);
	free(old);
}

static void note_length(int fd)
{
	struct shim_record r = {.type = SHIM_LENGTH};
	struct stat st;
	if (fstat(fd, &st) != 0 || !path_of(fd, r.path))
		return;
	r.inode = st.st_ino;
	r.length = st.st_size;
	append(&r, NULL);
}

/* A second name for what is about to lose its first one. */
static uint32_t save(const char *path)
{
	char saved[SHIM_PATH_MAX + 32];
	uint32_t name = atomic_fetch_add(&shim.next_undo, 1) + 1;
	snprintf(saved, sizeof saved, "%s/%u", shim.undo_dir, name);
	real_unlink(saved);
	return link(path, saved) == 0 ? name : 0;
}

/* ---- files ---- */

static bool needs_mode(int flags)
{
	return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
}

static int open_watched(int folder, const char *path, int flags, mode_t mode)
{
	char full[SHIM_PATH_MAX];
	struct stat st;
	bool is_watched = (flags & (O_CREAT | O_TRUNC)) && is_journaling() && full_path(folder, path, full) &&
	                  is_watched_path(full);
	if (!is_watched) {
		int fd = real_openat(folder, path, flags, mode);
		note_fd(fd);
		return fd;
	}
	pthread_mutex_lock(&shim.lock);
	bool is_new = stat(full, &st) != 0;
	if (!is_new && (flags & O_TRUNC)) { /* emptied in a way that can be noted */
		int old = real_open(full, O_RDWR | O_CLOEXEC);
		if (old >= 0) {
			note_fd(old);
			note_write(old, 0, (size_t)st.st_size);
			note_length(old);
			real_close(old);
		}
	}
	int fd = real_openat(folder, path, flags, mode);
	if (fd >= 0 && is_new && fstat(fd, &st) == 0) {
		struct shim_record r = {.type = SHIM_CREATE, .inode = st.st_ino};
		memcpy(r.path, full, sizeof r.path);
		append(&r, NULL);
	}
	note_fd(fd);
	pthread_mutex_unlock(&shim.lock);
	return fd;
}

EXPORT int openat(int folder, const char *path, int flags, ...)
{
	mode_t mode = 0;
	if (needs_mode(flags)) {
		va_list ap;
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	find_openat();
	return open_watched(folder, path, flags, mode);
}

EXPORT int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	if (needs_mode(flags)) {
		va_list ap;
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	find_openat();
	return open_watched(AT_FDCWD, path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...) __attribute__((alias("open")));
EXPORT int openat64(int folder, const char *path, int flags, ...) __attribute__((alias("openat")));

EXPORT int close(int fd)
{
	find_close();
	if (fd >= 0 && fd < FDS_MAX)
		atomic_store(&shim.kinds[fd], FD_OTHER);
	return real_close(fd);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	if (kind_of(fd) != FD_FILE)
		return real_pwrite(fd, data, len, offset);
	if (write_fails())
		return -1;
	if (!is_journaling())
		return real_pwrite(fd, data, len, offset);
	pthread_mutex_lock(&shim.lock);
	note_write(fd, offset, len);
	ssize_t n = real_pwrite(fd, data, len, offset);
	pthread_mutex_unlock(&shim.lock);
	return n;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset) __attribute__((alias("pwrite")));

static size_t length_of(const struct iovec *parts, int count)
{
	size_t len = 0;
	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	return len;
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	if (kind_of(fd) != FD_FILE)
		return real_pwritev(fd, parts, count, offset);
	if (write_fails())
		return -1;
	if (!is_journaling())
		return real_pwritev(fd, parts, count, offset);
	pthread_mutex_lock(&shim.lock);
	note_write(fd, offset, length_of(parts, count));
	ssize_t n = real_pwritev(fd, parts, count, offset);
	pthread_mutex_unlock(&shim.lock);
	return n;
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) __attribute__((alias("pwritev")));

/* Where the next write(2) goes. */
static off_t position(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return lseek(fd, 0, flags >= 0 && (flags & O_APPEND) ? SEEK_END : SEEK_CUR);
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
	find_writev();
	if (kind_of(fd) != FD_FILE)
		return real_writev(fd, parts, count);
	if (write_fails())
		return -1;
	if (!is_journaling())
		return real_writev(fd, parts, count);
	pthread_mutex_lock(&shim.lock);
	note_write(fd, position(fd), length_of(parts, count));
	ssize_t n = real_writev(fd, parts, count);
	pthread_mutex_unlock(&shim.lock);
	return n;
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	find_write();
	if (kind_of(fd) != FD_FILE)
		return real_write(fd, data, len);
	struct iovec part = {(void *)data, len};
	return writev(fd, &part, 1);
}

static int sync_watched(int fd, int (*sync)(int))
{
	int kind = kind_of(fd);
	if (kind == FD_OTHER)
		return sync(fd);
	struct shim_record r = {.type = kind == FD_FILE ? SHIM_SYNCED : SHIM_FOLDER_SYNCED};
	struct stat st;
	bool is_noted = is_journaling() && fstat(fd, &st) == 0 && path_of(fd, r.path);
	pthread_mutex_lock(&shim.lock);
	r.offset = (int64_t)atomic_load(&shim.next_number) + 1; /* records so far are covered, later ones are not */
	pthread_mutex_unlock(&shim.lock);
	sleep_us(shim.control->sync_delay_us);
	if (falls(shim.control->sync_error_ppm)) {
		errno = EIO;
		return -1;
	}
	int rc = sync(fd);
	if (rc == 0 && is_noted) {
		r.inode = st.st_ino;
		pthread_mutex_lock(&shim.lock);
		append(&r, NULL);
		pthread_mutex_unlock(&shim.lock);
	}
	return rc;
}

EXPORT int fsync(int fd)
{
	return sync_watched(fd, real_fsync);
}

EXPORT int fdatasync(int fd)
{
	return sync_watched(fd, real_fdatasync);
}

/* What is cut off can come back: it is noted as if it were written over. */
EXPORT int ftruncate(int fd, off_t length)
{
	struct stat st;
	if (kind_of(fd) != FD_FILE || !is_journaling())
		return real_ftruncate(fd, length);
	pthread_mutex_lock(&shim.lock);
	if (fstat(fd, &st) == 0 && length < st.st_size)
		note_write(fd, length, (size_t)(st.st_size - length));
	note_length(fd);
	int rc = real_ftruncate(fd, length);
	pthread_mutex_unlock(&shim.lock);
	return rc;
}

EXPORT int ftruncate64(int fd, off_t length) __attribute__((alias("ftruncate")));

EXPORT int fallocate(int fd, int mode, off_t offset, off_t length)
{
	if (kind_of(fd) != FD_FILE || !is_journaling())
		return real_fallocate(fd, mode, offset, length);
	pthread_mutex_lock(&shim.lock);
	note_length(fd);
	int rc = real_fallocate(fd, mode, offset, length);
	pthread_mutex_unlock(&shim.lock);
	return rc;
}

EXPORT int fallocate64(int fd, int mode, off_t offset, off_t length) __attribute__((alias("fallocate")));

EXPORT int posix_fallocate(int fd, off_t offset, off_t length)
{
	if (kind_of(fd) != FD_FILE || !is_journaling())
		return real_posix_fallocate(fd, offset, length);
	pthread_mutex_lock(&shim.lock);
	note_length(fd);
	int rc = real_posix_fallocate(fd, offset, length);
	pthread_mutex_unlock(&shim.lock);
	return rc;
}

EXPORT int posix_fallocate64(int fd, off_t offset, off_t length) __attribute__((alias("posix_fallocate")));

/* ---- names ---- */

EXPORT int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
	struct shim_record r = {.type = SHIM_RENAME};
	struct stat st;
	if (!is_journaling() || !full_path(from_folder, from, r.other_path) || !full_path(to_folder, to, r.path) ||
	        !is_watched_path(r.path) || stat(r.other_path, &st) != 0)
		return real_renameat(from_folder, from, to_folder, to);
	r.inode = st.st_ino;
	pthread_mutex_lock(&shim.lock);
	r.undo_name = save(r.path);
	append(&r, NULL);
	int rc = real_renameat(from_folder, from, to_folder, to);
	pthread_mutex_unlock(&shim.lock);
	return rc;
}

EXPORT int rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

EXPORT int unlinkat(int folder, const char *path, int flags)
{
	struct shim_record r = {.type = SHIM_REMOVE};
	struct stat st;
	if (!is_journaling() || (flags & AT_REMOVEDIR) || !full_path(folder, path, r.path) ||
	        !is_watched_path(r.path) || stat(r.path, &st) != 0)
		return real_unlinkat(folder, path, flags);
	r.inode = st.st_ino;
	pthread_mutex_lock(&shim.lock);
	r.undo_name = save(r.path);
	if (r.undo_name)
		append(&r, NULL);
	int rc = real_unlinkat(folder, path, flags);
	pthread_mutex_unlock(&shim.lock);
	return rc;
}

EXPORT int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}
