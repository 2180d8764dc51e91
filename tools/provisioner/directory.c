/* See directory.h. Whoever wrote into a volume may have put anything there, and paths come from claims: so every step
 * is taken from an open directory to a name in it (openat, O_NOFOLLOW), and no name is ever resolved twice.
 *
 * Removing takes two open directories however deep the tree is: what is found below a child is moved up beside it,
 * level by level, until only files and empty directories are left. A directory is moved once, and only within the
 * volume.
 *
 * What can go wrong: a link in the way (refused), a mount inside (EBUSY: nothing of it is touched, and the rest goes at
 * the next try), a full or read-only disk. All can be tried again. */
#include "tools/provisioner/directory.h"

#include "base/mem/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 255, DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* The next name of the path; false: it is none. */
static bool next_name(struct slice *rest, char name[NAME_BYTES_MAX + 1])
{
	struct slice s = slice_cut(rest, '/');
	if (!s.len || s.len > NAME_BYTES_MAX || slice_is(s, ".") || slice_is(s, ".."))
		return false;
	memcpy(name, s.ptr, s.len);
	name[s.len] = 0;
	return true;
}

static int refuse(const char *path, struct err *err)
{
	return err_set(err, ERR_INVAL,
	        "\"%s\" is no path beneath the base: names with single slashes between, none of them . or ..", path);
}

static int open_base(const char *base, struct err *err)
{
	int fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "open the base %s", base) : fd;
}

static bool is_path(const char *path)
{
	char name[NAME_BYTES_MAX + 1];
	struct slice rest = slice_of(path);
	if (!rest.len || path[rest.len - 1] == '/')
		return false;
	while (rest.len)
		if (!next_name(&rest, name))
			return false;
	return true;
}

/* Opens the directory that holds the path's last name, which is copied. < 0: an error, ENOENT among them by *missing.
 */
static int open_parent(
        int at, const char *path, bool make, char name[NAME_BYTES_MAX + 1], bool *missing, struct err *err)
{
	struct slice rest = slice_of(path);
	*missing = false;
	while (next_name(&rest, name) && rest.len) {
		if (make && mkdirat(at, name, 0755) != 0 && errno != EEXIST)
			break;
		int next = openat(at, name, DIRECTORY);
		if (next < 0)
			break;
		close(at);
		at = next;
	}
	if (!rest.len)
		return at;
	*missing = errno == ENOENT;
	err_errno(err, errno, "%s of \"%s\"", name, path);
	close(at);
	return err->code;
}

int directory_make(const char *base, const char *path, unsigned mode, struct err *err)
{
	char name[NAME_BYTES_MAX + 1];
	bool missing;
	if (!is_path(path))
		return refuse(path, err);
	int at = open_base(base, err);
	at = at < 0 ? at : open_parent(at, path, true, name, &missing, err);
	if (at < 0)
		return at;
	int fd = -1;
	if (mkdirat(at, name, 0700) == 0 || errno == EEXIST)
		fd = openat(at, name, DIRECTORY);
	if (fd < 0 || fchmod(fd, mode) != 0 || fsync(at) != 0)
		err_errno(err, errno, "make %s/%s", base, path);
	if (fd >= 0)
		close(fd);
	close(at);
	return err->code;
}

/* ---- removing ---- */

/* Moves a directory up into `top` under a name that is free. */
static int lift(int from, const char *name, int top, unsigned *serial)
{
	char to[64];
	for (int tries = 0; tries < 1000; tries++) {
		snprintf(to, sizeof to, ".k3x-removed-%u", ++*serial);
		struct stat st;
		if (fstatat(top, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		return renameat(from, name, top, to);
	}
	errno = EEXIST;
	return -1;
}

static DIR *open_list(int at, const char *name)
{
	int fd = openat(at, name, DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d && fd >= 0)
		close(fd);
	return d;
}

static bool is_self(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A directory's files go, its empty directories too; others are lifted. Then it is empty itself, and goes. */
static int flatten(int top, const char *name, unsigned *serial)
{
	DIR *d = open_list(top, name);
	int rc = d ? 0 : -1;
	for (struct dirent *e; rc == 0 && (e = readdir(d));) {
		if (is_self(e->d_name) || unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM)
			rc = -1;
		else if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) != 0)
			rc = errno == ENOTEMPTY || errno == EEXIST ? lift(dirfd(d), e->d_name, top, serial) : -1;
	}
	if (d) {
		int e = errno;
		closedir(d);
		errno = e;
	}
	return rc == 0 ? unlinkat(top, name, AT_REMOVEDIR) : -1;
}

/* One look over the top; *found says whether anything was there. */
static int remove_once(int at, const char *name, unsigned *serial, bool *found)
{
	DIR *d = open_list(at, name);
	int rc = d ? 0 : -1;
	*found = false;
	for (struct dirent *e; rc == 0 && (e = readdir(d));) {
		if (is_self(e->d_name))
			continue;
		*found = true;
		if (unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		rc = errno == EISDIR || errno == EPERM ? flatten(dirfd(d), e->d_name, serial) : -1;
	}
	if (d) {
		int e = errno;
		closedir(d);
		errno = e;
	}
	return rc;
}

int directory_remove(const char *base, const char *path, struct err *err)
{
	char name[NAME_BYTES_MAX + 1];
	bool missing, found = true;
	unsigned serial = 0;
	if (!is_path(path))
		return refuse(path, err);
	int at = open_base(base, err);
	if (at < 0)
		return at;
	at = open_parent(at, path, false, name, &missing, err);
	if (at < 0 && missing)
		*err = ERR_INIT;
	if (at < 0)
		return err->code;
	int rc = 0;
	while (rc == 0 && found)
		rc = remove_once(at, name, &serial, &found);
	if (rc == 0)
		rc = unlinkat(at, name, AT_REMOVEDIR);
	if (rc != 0 && errno == EBUSY)
		err_set(err, ERR_BUSY, "remove %s/%s: something is mounted inside; unmount it first", base, path);
	else if (rc != 0 && errno != ENOENT)
		err_errno(err, errno, "remove %s/%s", base, path);
	close(at);
	return err->code;
}
