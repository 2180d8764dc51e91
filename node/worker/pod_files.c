/* See pod_files_int.h.
 *
 * A subPath names something in a volume that containers write to: they may put links there, and change them at any
 * time. So the kernel resolves the path, within the volume (openat2 with RESOLVE_BENEATH), folders are made one by one
 * in what was resolved so far, and it is the descriptor that is mounted (through /proc/self/fd) at a place of ours,
 * which is what the runtime is told. volumes_unmount_below() finds it there again.
 *
 * What can go wrong: a link that leads out (ERR_FORBIDDEN), a file where a folder should be, no space. */
#include "node/worker/pod_files_int.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "node/ground/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void pod_files_add(struct pod_files *l, struct arena *a, const struct pod_file *f)
{
	CHECK(*f->path == '/' && l->count <= l->cap);
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 8;
		struct pod_file *items = ARENA_ARRAY(a, struct pod_file, cap);
		if (l->count)
			memcpy(items, l->items, l->count * sizeof *items);
		l->items = items;
		l->cap = cap;
	}
	l->items[l->count++] = *f;
}

/* ---- sub-paths ---- */

static int open_beneath(int root, const char *path, uint64_t flags)
{
	CHECK(root >= 0);
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	return (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
}

static int sub_path_error(const char *sub, struct err *err)
{
	if (errno == EXDEV || errno == ELOOP)
		return err_set(err, ERR_FORBIDDEN, "subPath \"%s\" leads out of its volume", sub);
	return err_errno(err, errno, "open subPath %s", sub);
}

/* The folder named `name` in the folder that `parent` leads to; both within the volume. */
static int make_one(int root, const char *parent, const char *name)
{
	int in = open_beneath(root, parent, O_DIRECTORY);
	if (in < 0)
		return -1;
	int rc = mkdirat(in, name, 0755), e = errno;
	close(in);
	errno = e;
	return rc == 0 || e == EEXIST ? 0 : -1;
}

/* Makes what is missing of a path, from its top. */
static int make_beneath(int root, const char *sub)
{
	char path[4096];
	size_t len = strlen(sub);
	if (len >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, sub, len + 1);
	for (size_t start = 0, i = 0; i <= len; i++) {
		if (path[i] != '/' && path[i])
			continue;
		path[i] = 0;
		int fd = i > start ? open_beneath(root, path, 0) : 0;
		if (fd > 0)
			close(fd);
		if (start)
			path[start - 1] = 0;
		if (fd < 0 && (errno != ENOENT || make_one(root, start ? path : ".", path + start) != 0))
			return -1;
		if (start)
			path[start - 1] = '/';
		path[i] = i < len ? '/' : 0;
		start = i + 1;
	}
	return 0;
}

int sub_path_open(const char *volume, const char *sub, struct err *err)
{
	int root = open(volume, O_PATH | O_CLOEXEC);
	if (root < 0) {
		err_errno(err, errno, "open the volume at %s", volume);
		return -1;
	}
	int fd = open_beneath(root, sub, 0);
	if (fd < 0 && errno == ENOENT)
		fd = make_beneath(root, sub) == 0 ? open_beneath(root, sub, 0) : -1;
	if (fd < 0)
		sub_path_error(sub, err);
	close(root);
	return fd;
}

/* The place a mount of it can be laid over: a folder for a folder, a file for anything else. */
static int make_place(const char *place, bool is_folder, struct err *err)
{
	umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW); /* of an earlier life of the container */
	if (is_folder) {
		unlink(place);
		return file_make_dirs(place, 0750, err);
	}
	rmdir(place);
	int fd = open(place, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_errno(err, errno, "make %s", place);
	close(fd);
	return 0;
}

static int mount_sub_path(const struct pod_file *f, struct err *err)
{
	char source[64];
	struct stat st;
	int rc = 0, fd = sub_path_open(f->volume, f->sub, err);
	if (fd < 0)
		return err->code;
	snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) != 0)
		rc = err_errno(err, errno, "look at subPath %s", f->sub);
	else
		rc = make_place(f->path, S_ISDIR(st.st_mode), err);
	if (rc == 0 && mount(source, f->path, NULL, MS_BIND | MS_REC, NULL) != 0)
		rc = err_errno(err, errno, "mount subPath %s", f->sub);
	close(fd);
	return rc;
}

/* ---- */

static int make_file(const struct pod_file *f, struct err *err)
{
	CHECK((f->mode & ~0777u) == 0);
	switch (f->kind) {
	case POD_FILE_FOLDER:
		return file_make_dirs(f->path, f->mode, err);
	case POD_FILE_TEXT:
		return file_write(f->path, f->text, f->mode, err);
	case POD_FILE_SUB_PATH:
		break;
	}
	return mount_sub_path(f, err);
}

int pod_files_make(const struct pod_files *l, struct err *err)
{
	for (size_t i = 0; i < l->count; i++)
		if (make_file(&l->items[i], err) != 0)
			return err->code;
	return 0;
}
