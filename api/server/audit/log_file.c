/* See log_file.h.
 *
 * A write that fails closes the file; the next one opens it again, so that a disk that was full or a folder that was
 * moved away is found by itself. A line that is larger than a whole file gets one to itself. */
#include "api/server/audit/log_file.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/file/file_dirs.h"
#include "base/gzip.h"
#include "base/mem/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOG_MODE = 0600, STAMP_BYTES = sizeof "2026-01-02T15-04-05.000" - 1 };

static bool is_stdout(const struct log_file_options *o)
{
	return strcmp(o->path, "-") == 0;
}

/* ---- names ---- */

struct name {
	struct slice folder; /* with its slash; "" */
	struct slice stem;   /* "audit" */
	struct slice ending; /* ".log" */
};

static struct name name_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
	size_t len = strlen(base), stem = dot && dot > base ? (size_t)(dot - base) : len;
	return (struct name){{path, (size_t)(base - path)}, {base, stem}, {base + stem, len - stem}};
}

static char *backup_path(const char *path, int64_t now_ns)
{
	struct name n = name_of(path);
	time_t s = (time_t)(now_ns / 1000000000);
	struct tm tm;
	char stamp[32];
	gmtime_r(&s, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%dT%H-%M-%S", &tm);
	return xprintf("%.*s%.*s-%s.%03d%.*s", SLICE_FMT(n.folder), SLICE_FMT(n.stem), stamp,
	        (int)(now_ns / 1000000 % 1000), SLICE_FMT(n.ending));
}

/* Is it a file that was put away? Its time; *ret_packed: it is compressed. */
static bool parse_backup(const struct name *n, struct slice file, int64_t *ret_s, bool *ret_packed)
{
	struct slice rest = file;
	struct tm tm = {0};
	char stamp[STAMP_BYTES + 1];
	*ret_packed = slice_ends(rest, ".gz");
	if (*ret_packed)
		rest.len -= 3;
	if (rest.len != n->stem.len + 1 + STAMP_BYTES + n->ending.len ||
	        memcmp(rest.ptr, n->stem.ptr, n->stem.len) != 0 || rest.ptr[n->stem.len] != '-' ||
	        memcmp(rest.ptr + rest.len - n->ending.len, n->ending.ptr, n->ending.len) != 0)
		return false;
	memcpy(stamp, rest.ptr + n->stem.len + 1, STAMP_BYTES);
	stamp[STAMP_BYTES] = 0;
	const char *end = strptime(stamp, "%Y-%m-%dT%H-%M-%S.", &tm);
	if (!end)
		return false;
	*ret_s = (int64_t)timegm(&tm);
	return true;
}

/* ---- writing ---- */

/* A write that broke off, or a crash in it, has left half a line: what follows does not become a part of it. */
static int end_torn_line(int fd, off_t size)
{
	char last = '\n';
	if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n')
		return write(fd, "\n", 1) == 1 ? 0 : -1;
	return 0;
}

static int open_file(struct log_file *f, struct err *err)
{
	struct stat st;
	if (is_stdout(&f->options)) {
		f->fd = STDOUT_FILENO;
		return 0;
	}
	/* A pipe that nobody reads takes no more one day, and the end of the server would wait for it. */
	if (stat(f->options.path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return err_set(err, ERR_INVAL,
		        "audit log %s is no regular file: name one, or - for the standard output", f->options.path);
	f->fd = open(f->options.path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, LOG_MODE);
	if (f->fd < 0 || fstat(f->fd, &st) != 0 || end_torn_line(f->fd, st.st_size) != 0) {
		int rc = err_errno(err, errno, "audit log %s", f->options.path);
		log_file_close(f);
		return rc;
	}
	f->size = st.st_size;
	return 0;
}

int log_file_open(struct log_file *f, const struct log_file_options *options, struct err *err)
{
	CHECK(options->bytes_max > 0);
	*f = (struct log_file){.options = *options, .fd = -1};
	if (!is_stdout(options) && file_make_dirs_above(options->path, 0700, err) != 0)
		return err_wrap(err, "audit-log-path: %s", options->path);
	return open_file(f, err);
}

void log_file_close(struct log_file *f)
{
	if (f->fd >= 0 && !is_stdout(&f->options))
		close(f->fd);
	f->fd = -1;
}

static int put_away(struct log_file *f, struct err *err)
{
	char *to = backup_path(f->options.path, clock_wall_ns());
	int64_t later_ns = clock_wall_ns();
	while (access(to, F_OK) == 0) { /* two in one millisecond */
		free(to);
		later_ns += 1000000;
		to = backup_path(f->options.path, later_ns);
	}
	log_file_close(f);
	int rc = rename(f->options.path, to) == 0 ? 0 : err_errno(err, errno, "rename %s to %s", f->options.path, to);
	free(to);
	return rc == 0 ? open_file(f, err) : rc;
}

static int write_all(struct log_file *f, struct slice bytes, struct err *err)
{
	while (bytes.len) {
		ssize_t n = write(f->fd, bytes.ptr, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int rc = err_errno(err, errno, "write audit log %s", f->options.path);
			log_file_close(f);
			return rc;
		}
		f->size += n;
		bytes = (struct slice){bytes.ptr + n, bytes.len - (size_t)n};
	}
	return 0;
}

/* The lines that fit: none, when there is something in the file already. */
static size_t fitting(const struct log_file *f, struct slice lines)
{
	int64_t room = f->options.bytes_max - f->size;
	if (is_stdout(&f->options) || (int64_t)lines.len <= room)
		return lines.len;
	const char *end = room > 0 ? memrchr(lines.ptr, '\n', (size_t)room) : NULL;
	if (end)
		return (size_t)(end - lines.ptr) + 1;
	end = f->size ? NULL : memchr(lines.ptr, '\n', lines.len);
	return end ? (size_t)(end - lines.ptr) + 1 : f->size ? 0 : lines.len;
}

int log_file_write(struct log_file *f, struct slice lines, bool *ret_put_away, struct err *err)
{
	*ret_put_away = false;
	if (f->fd < 0 && open_file(f, err) != 0)
		return err->code;
	while (lines.len) {
		size_t n = fitting(f, lines);
		if (!n) {
			*ret_put_away = true;
			if (put_away(f, err) != 0)
				return err->code;
			continue;
		}
		if (write_all(f, (struct slice){lines.ptr, n}, err) != 0)
			return err->code;
		lines = (struct slice){lines.ptr + n, lines.len - n};
	}
	return 0;
}

/* ---- tidying ---- */

struct backup {
	char *file; /* its path */
	int64_t time_s;
	bool is_packed;
};

struct backups {
	struct backup *items;
	size_t count;
};

static int newest_first(const void *a, const void *b)
{
	return -strcmp(((const struct backup *)a)->file, ((const struct backup *)b)->file);
}

static int list_backups(const char *path, struct backups *ret, struct err *err)
{
	struct name n = name_of(path);
	char *folder = n.folder.len ? xprintf("%.*s", SLICE_FMT(n.folder)) : xstrdup(".");
	DIR *d = opendir(folder);
	int rc = d ? 0 : err_errno(err, errno, "audit logs in %s", folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		struct backup b;
		if (!parse_backup(&n, slice_of(e->d_name), &b.time_s, &b.is_packed))
			continue;
		b.file = xprintf("%.*s%s", SLICE_FMT(n.folder), e->d_name);
		ret->items = xrealloc(ret->items, (ret->count + 1) * sizeof b);
		ret->items[ret->count++] = b;
	}
	if (d)
		closedir(d);
	free(folder);
	if (ret->count)
		qsort(ret->items, ret->count, sizeof *ret->items, newest_first);
	return rc;
}

static void pack(const struct backup *b, struct err *err)
{
	char *to = xprintf("%s.gz", b->file);
	if (gzip_file(b->file, to, LOG_MODE, err) == 0)
		unlink(b->file);
	free(to);
}

int log_file_tidy(const struct log_file_options *o, int64_t now_s, struct err *err)
{
	struct backups all = {0};
	if (is_stdout(o))
		return 0;
	list_backups(o->path, &all, err);
	for (size_t i = 0; i < all.count; i++) {
		struct backup *b = &all.items[i];
		bool is_many = o->backups_max && i >= o->backups_max;
		bool is_old = o->age_days_max && now_s - b->time_s > (int64_t)o->age_days_max * 86400;
		if (is_many || is_old)
			unlink(b->file);
		else if (o->compresses && !b->is_packed)
			pack(b, err);
		free(b->file);
	}
	free(all.items);
	return err->code;
}
