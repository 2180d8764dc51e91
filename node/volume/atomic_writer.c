/* See atomic_writer.h. What can go wrong: a full disk or a crash half way: the new folder is then without a ..data that
 * points to it, readers never see it, and the next write removes it. */
#include "node/volume/atomic_writer.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/mem/arena.h"
#include "node/ground/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 4 * 1024 * 1024 };

bool payload_path_is_good(struct slice path)
{
	struct slice rest = path;
	if (!path.len || path.ptr[0] == '/' || slice_starts(path, ".."))
		return false;
	while (rest.len) {
		struct slice part = slice_cut(&rest, '/');
		if (!part.len || slice_is(part, "..") || slice_is(part, "."))
			return false;
	}
	return true;
}

/* A file that belongs to a group can be read by it when its owner can read it. */
static unsigned written_mode(const struct payload_file *f, int64_t gid)
{
	return (gid >= 0 ? f->mode | (f->mode & 0400) >> 3 : f->mode) & 0777;
}

static bool same_file(const char *dir, const struct payload_file *f, int64_t gid)
{
	struct arena a = ARENA_INIT;
	struct stat st;
	size_t len = 0;
	const char *path = arena_printf(&a, "%s/..data/%s", dir, f->path);
	char *text = stat(path, &st) == 0 && (size_t)st.st_size == f->data.len
	                     ? file_read(path, FILE_BYTES_MAX, false, &len)
	                     : NULL;
	bool same = text && len == f->data.len && memcmp(text, f->data.ptr ? f->data.ptr : "", len) == 0 &&
	            (st.st_mode & 07777) == written_mode(f, gid) && (gid < 0 || st.st_gid == (gid_t)gid) &&
	            (!f->is_owned || st.st_uid == f->uid);
	free(text);
	arena_release(&a);
	return same;
}

static size_t count_files(const char *dir, int depth)
{
	size_t n = 0;
	DIR *d = depth < 16 ? opendir(dir) : NULL;
	for (struct dirent *e; d && (e = readdir(d));) {
		char below[4096];
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(below, sizeof below, "%s/%s", dir, e->d_name);
		n += e->d_type == DT_DIR ? count_files(below, depth + 1) : 1;
	}
	if (d)
		closedir(d);
	return n;
}

static bool is_same(const char *dir, const struct payload *p, int64_t gid)
{
	char data[4096];
	snprintf(data, sizeof data, "%s/..data", dir);
	if (access(data, F_OK) != 0 || count_files(data, 0) != p->count)
		return false;
	for (size_t i = 0; i < p->count; i++)
		if (!same_file(dir, &p->files[i], gid))
			return false;
	return true;
}

static int write_files(struct arena *a, const char *into, const struct payload *p, int64_t gid, struct err *err)
{
	CHECK(p->count <= p->cap);
	for (size_t i = 0; i < p->count; i++) {
		const struct payload_file *f = &p->files[i];
		char *path = arena_printf(a, "%s/%s", into, f->path), *slash = strrchr(path, '/');
		*slash = 0;
		if (file_make_dirs(path, 0755, err) != 0)
			return err->code;
		*slash = '/';
		if (file_write(path, f->data, written_mode(f, gid), err) != 0)
			return err->code;
		uid_t uid = f->is_owned ? f->uid : (uid_t)-1;
		if ((gid >= 0 || f->is_owned) && chown(path, uid, gid >= 0 ? (gid_t)gid : (gid_t)-1) != 0)
			return err_errno(err, errno, "give %s to its user and group", path);
	}
	return 0;
}

static bool is_top_name(const struct payload *p, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < p->count; i++)
		if (strncmp(p->files[i].path, name, n) == 0 && (!p->files[i].path[n] || p->files[i].path[n] == '/'))
			return true;
	return false;
}

static int make_links(struct arena *a, const char *dir, const struct payload *p, struct err *err)
{
	for (size_t i = 0; i < p->count; i++) {
		const char *path = p->files[i].path, *slash = strchr(path, '/');
		int len = slash ? (int)(slash - path) : (int)strlen(path);
		const char *link = arena_printf(a, "%s/%.*s", dir, len, path);
		if (symlink(arena_printf(a, "..data/%.*s", len, path), link) != 0 && errno != EEXIST)
			return err_errno(err, errno, "link %s", link);
	}
	return 0;
}

static void remove_stale(struct arena *a, const char *dir, const struct payload *p, const char *keep)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		const char *name = e->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "..data") == 0 ||
		        strcmp(name, keep) == 0)
			continue;
		if (strncmp(name, "..", 2) == 0 || !is_top_name(p, name))
			file_remove_tree(arena_printf(a, "%s/%s", dir, name));
	}
	if (d)
		closedir(d);
}

int atomic_write(const char *dir, const struct payload *p, int64_t gid, bool *ret_changed, struct err *err)
{
	CHECK(*dir == '/');
	struct arena a = ARENA_INIT;
	struct timespec now;
	struct tm tm;
	char stamp[64];
	if (ret_changed)
		*ret_changed = false;
	if (is_same(dir, p, gid))
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t n = strftime(stamp, sizeof stamp, "..%Y_%m_%d_%H_%M_%S", &tm);
	snprintf(stamp + n, sizeof stamp - n, ".%09ld", now.tv_nsec);
	const char *into = arena_printf(&a, "%s/%s", dir, stamp), *tmp = arena_printf(&a, "%s/..data_tmp", dir);
	int rc = file_make_dirs(into, 0755, err);
	if (rc == 0)
		rc = write_files(&a, into, p, gid, err);
	unlink(tmp);
	if (rc == 0 && (symlink(stamp, tmp) != 0 || rename(tmp, arena_printf(&a, "%s/..data", dir)) != 0))
		rc = err_errno(err, errno, "swap the files of %s", dir);
	if (rc == 0)
		rc = make_links(&a, dir, p, err);
	if (rc == 0)
		remove_stale(&a, dir, p, stamp);
	else
		file_remove_tree(into);
	if (ret_changed)
		*ret_changed = rc == 0;
	arena_release(&a);
	return rc;
}
