/* See files.h. Trees are removed through descriptors (openat, unlinkat), so that a container that swaps a folder for a
 * link cannot make us delete elsewhere. */
#include "node/ground/files.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int write_all(int fd, struct slice data)
{
	while (data.len) {
		ssize_t n = write(fd, data.ptr, data.len);
		if (n < 0 && errno != EINTR)
			return -1;
		data.ptr += n > 0 ? n : 0;
		data.len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int write_file(const char *path, struct slice data, unsigned mode, bool is_durable, struct err *err)
{
	CHECK((mode & ~0777u) == 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	fchmod(fd, mode);
	int rc = 0;
	if (write_all(fd, data) != 0 || (is_durable && fdatasync(fd) != 0))
		rc = err_errno(err, errno, "write %s", path);
	close(fd);
	return rc;
}

int file_write(const char *path, struct slice data, unsigned mode, struct err *err)
{
	return write_file(path, data, mode, false, err);
}

int file_replace(const char *path, struct slice data, unsigned mode, bool is_durable, struct err *err)
{
	CLEANUP(cleanup_free) char *fresh = xprintf("%s.new", path);
	int rc = write_file(fresh, data, mode, is_durable, err);
	if (rc == 0 && rename(fresh, path) != 0)
		rc = err_errno(err, errno, "rename %s", fresh);
	if (rc != 0)
		unlink(fresh);
	return rc;
}

char *file_read(const char *path, size_t limit, bool from_end, size_t *ret_len)
{
	CHECK(limit > 0);
	struct strbuf b = STRBUF_INIT;
	char chunk[8192];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (from_end && fstat(fd, &st) == 0 && (size_t)st.st_size > limit)
		lseek(fd, st.st_size - (off_t)limit, SEEK_SET);
	while (b.len < limit) {
		size_t room = limit - b.len < sizeof chunk ? limit - b.len : sizeof chunk;
		ssize_t n = read(fd, chunk, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) { /* a part of it would be taken for all of it */
			int e = errno;
			close(fd);
			strbuf_release(&b);
			errno = e;
			return NULL;
		}
		if (n == 0)
			break;
		strbuf_add(&b, chunk, (size_t)n);
	}
	close(fd);
	if (ret_len)
		*ret_len = b.len;
	return strbuf_detach(&b);
}

uint64_t file_stamp(const char *const *paths, size_t n)
{
	uint64_t h = FNV1A64_INIT;
	for (size_t i = 0; i < n; i++) {
		struct stat st;
		if (!paths[i] || stat(paths[i], &st) != 0)
			continue;
		const int64_t what[] = {
		        (int64_t)st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (int64_t)i};
		h = fnv1a64_add(h, what, sizeof what);
	}
	return h;
}

enum { TREE_DEPTH_MAX = 64 };

/* A bind mount of a folder of the same file system has its device: what tells is the kernel's word that it is one. */
static bool is_elsewhere(int dir, const char *name, dev_t device, bool *ret_is_folder)
{
	struct statx st;
	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) != 0)
		return true;
	*ret_is_folder = S_ISDIR(st.stx_mode);
	return makedev(st.stx_dev_major, st.stx_dev_minor) != device || (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static void remove_in(int dir, const char *name, dev_t device, int depth)
{
	bool is_folder;
	if (depth > TREE_DEPTH_MAX || is_elsewhere(dir, name, device, &is_folder))
		return;
	if (!is_folder) {
		unlinkat(dir, name, 0);
		return;
	}
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	for (struct dirent *e; d && (e = readdir(d));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_in(fd, e->d_name, device, depth + 1);
	if (d)
		closedir(d);
	unlinkat(dir, name, AT_REMOVEDIR);
}

void file_remove_tree(const char *path)
{
	CHECK(path[0] == '/' && path[1]);
	struct stat st;
	if (lstat(path, &st) == 0)
		remove_in(AT_FDCWD, path, st.st_dev, 0);
}

static void usage_below(int fd, dev_t device, unsigned depth, struct file_use *sum)
{
	enum { DEPTH_MAX = 128, BLOCK = 512 };
	DIR *d = fdopendir(fd);
	if (!d) {
		close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		struct stat st;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		        fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_dev != device)
			continue;
		sum->bytes += (int64_t)st.st_blocks * BLOCK;
		sum->files++;
		int below = S_ISDIR(st.st_mode) && depth < DEPTH_MAX
		                    ? openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
		                    : -1;
		if (below >= 0)
			usage_below(below, device, depth + 1, sum);
	}
	closedir(d);
}

struct file_use file_use(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd >= 0)
			close(fd);
		return (struct file_use){0, 0};
	}
	struct file_use use = {(int64_t)st.st_blocks * 512, 1};
	if (S_ISDIR(st.st_mode))
		usage_below(fd, st.st_dev, 0, &use);
	else
		close(fd);
	return use;
}

int64_t file_disk_usage(const char *path)
{
	return file_use(path).bytes;
}
