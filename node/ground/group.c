/* See group.h. Another pod may have the volume at the same moment, and put a link in the place of a file or a directory
 * between a look and a change: so nothing is named twice. Each entry is opened without following links, below the
 * directory that is open already, and looked at and changed by that descriptor alone. */
#include "node/ground/group.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 128, DIR_BITS = 02770, FILE_BITS = 0660 };

struct giving {
	gid_t gid;
	dev_t device;
	struct err *err;
};

/* By the descriptor, which may be one that only names the file (O_PATH). */
static int change(const struct giving *g, int fd, const struct stat *st, const char *name)
{
	char self[64];
	mode_t mode = (st->st_mode & 07777) | (S_ISDIR(st->st_mode) ? DIR_BITS : FILE_BITS);
	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", (uid_t)-1, g->gid, AT_EMPTY_PATH) != 0 || chmod(self, mode) != 0)
		return err_errno(g->err, errno, "give %s to group %lld", name, (long long)g->gid);
	return 0;
}

static int give_entry(const struct giving *g, int dir, const char *name, unsigned depth);

static int give_content(const struct giving *g, int fd, const char *name, unsigned depth)
{
	CHECK(depth <= DEPTH_MAX && !g->err->code);
	if (depth == DEPTH_MAX)
		return err_set(g->err, ERR_TOO_BIG, "give %s to group %lld: its directories lie more than %d deep",
		        name, (long long)g->gid, DEPTH_MAX);
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return err_errno(g->err, errno, "read %s", name);
	}
	for (struct dirent *e; !g->err->code && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			give_entry(g, dirfd(d), e->d_name, depth + 1);
	closedir(d);
	return g->err->code;
}

/* The directory that `fd` names, opened to be read. */
static int give_directory(const struct giving *g, int fd, const char *name, unsigned depth)
{
	int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (readable < 0)
		return err_errno(g->err, errno, "read %s", name);
	return give_content(g, readable, name, depth);
}

static int give_entry(const struct giving *g, int dir, const char *name, unsigned depth)
{
	struct stat st;
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(g->err, errno, "open %s", name); /* it went meanwhile */
	int rc = fstat(fd, &st) == 0 ? 0 : err_errno(g->err, errno, "look at %s", name);
	bool is_left_alone = rc == 0 && (S_ISLNK(st.st_mode) || st.st_dev != g->device);
	if (rc == 0 && !is_left_alone && S_ISDIR(st.st_mode))
		rc = give_directory(g, fd, name, depth);
	if (rc == 0 && !is_left_alone)
		rc = change(g, fd, &st, name);
	close(fd);
	return rc;
}

int volume_give_to_group(const char *path, int64_t gid, bool on_mismatch, struct err *err)
{
	struct stat st;
	if (gid < 0 || (on_mismatch && stat(path, &st) == 0 && st.st_gid == (gid_t)gid && (st.st_mode & S_ISGID)))
		return 0;
	int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		int code = errno;
		if (fd >= 0)
			close(fd);
		return err_errno(err, code, "open %s", path);
	}
	struct giving g = {(gid_t)gid, st.st_dev, err};
	int rc = S_ISDIR(st.st_mode) ? give_directory(&g, fd, path, 0) : 0;
	if (rc == 0)
		rc = change(&g, fd, &st, path);
	close(fd);
	return rc;
}
