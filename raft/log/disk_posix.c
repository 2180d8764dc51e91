/* The real disk. See disk.h. */
#include "raft/log/disk.h"

#include "base/breakage.h"
#include "base/check.h"
#include "base/histogram.h"
#include "base/mem/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct posix_disk {
	struct disk base;
	int folder;
	char *path;
	struct histogram *syncs; /* NULL: not of interest */
	unsigned n_open;         /* files; the disk is used by one thread at a time */
};

struct posix_file {
	struct disk_file base;
	struct posix_disk *disk;
	int fd;
	char *name;
};

static const struct disk_vtable posix_vtable;

static int folder_of(struct disk *d)
{
	return ((struct posix_disk *)d)->folder;
}

static int posix_open(
        struct disk *d, const char *name, bool create, uint64_t size, struct disk_file **ret, struct err *err)
{
	CHECK(name[0] && !strchr(name, '/')); /* nothing beside the folder */
	int fd = openat(folder_of(d), name, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0600);
	if (fd < 0)
		return err_errno(err, errno, "open %s/%s", ((struct posix_disk *)d)->path, name);
	int rc = create && size ? posix_fallocate(fd, 0, (off_t)size) : 0;
	if (rc != 0) {
		close(fd);
		unlinkat(folder_of(d), name, 0);
		return err_errno(err, rc, "allocate %s/%s", ((struct posix_disk *)d)->path, name);
	}
	struct posix_file *f = xcalloc(1, sizeof *f);
	f->base.v = &posix_vtable;
	f->disk = (struct posix_disk *)d;
	f->fd = fd;
	f->name = xstrdup(name);
	f->disk->n_open++;
	*ret = &f->base;
	return 0;
}

static int posix_write(struct disk_file *base, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct posix_file *f = (struct posix_file *)base;
	const char *p = data;
	while (len) {
		ssize_t n = pwrite(f->fd, p, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "write %s", f->name);
		p += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int posix_read(struct disk_file *base, uint64_t offset, void *data, size_t len, size_t *got, struct err *err)
{
	struct posix_file *f = (struct posix_file *)base;
	*got = 0;
	while (*got < len) {
		ssize_t n = pread(f->fd, (char *)data + *got, len - *got, (off_t)(offset + *got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read %s", f->name);
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return 0;
}

static int posix_size(struct disk_file *base, uint64_t *ret, struct err *err)
{
	struct posix_file *f = (struct posix_file *)base;
	struct stat st;
	if (fstat(f->fd, &st) != 0)
		return err_errno(err, errno, "stat %s", f->name);
	*ret = (uint64_t)st.st_size;
	return 0;
}

static int posix_truncate(struct disk_file *base, uint64_t size, struct err *err)
{
	struct posix_file *f = (struct posix_file *)base;
	return ftruncate(f->fd, (off_t)size) == 0 ? 0 : err_errno(err, errno, "truncate %s", f->name);
}

static int measured(struct posix_disk *d, int (*sync)(int fd), int fd)
{
	uint64_t begun = d->syncs ? histogram_now_ns() : 0;
	int rc = sync(fd) == 0 ? 0 : errno;
	if (d->syncs)
		histogram_observe_since(d->syncs, begun);
	return rc;
}

static int posix_sync(struct disk_file *base, struct err *err)
{
	struct posix_file *f = (struct posix_file *)base;
	if (breakage_is(BREAK_ACK_BEFORE_FSYNC))
		return 0;
	int rc = measured(f->disk, fdatasync, f->fd);
	return rc == 0 ? 0 : err_errno(err, rc, "sync %s", f->name);
}

static void posix_close(struct disk_file *base)
{
	struct posix_file *f = (struct posix_file *)base;
	CHECK(f->fd >= 0 && f->disk->n_open > 0);
	f->disk->n_open--;
	close(f->fd);
	free(f->name);
	free(f);
}

static int posix_rename(struct disk *d, const char *from, const char *to, struct err *err)
{
	return renameat(folder_of(d), from, folder_of(d), to) == 0 ? 0
	                                                           : err_errno(err, errno, "rename %s to %s", from, to);
}

static int posix_remove(struct disk *d, const char *name, struct err *err)
{
	return unlinkat(folder_of(d), name, 0) == 0 ? 0 : err_errno(err, errno, "remove %s", name);
}

static int posix_sync_folder(struct disk *d, struct err *err)
{
	struct posix_disk *p = (struct posix_disk *)d;
	int rc = measured(p, fsync, p->folder);
	return rc == 0 ? 0 : err_errno(err, rc, "sync folder %s", p->path);
}

static int posix_list(struct disk *d, void (*fn)(void *arg, const char *name), void *arg, struct err *err)
{
	DIR *dir = opendir(((struct posix_disk *)d)->path);
	if (!dir)
		return err_errno(err, errno, "list %s", ((struct posix_disk *)d)->path);
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			fn(arg, e->d_name);
	closedir(dir);
	return 0;
}

static void posix_free(struct disk *d)
{
	struct posix_disk *p = (struct posix_disk *)d;
	CHECK(p->n_open == 0); /* a file holds on to its disk */
	close(p->folder);
	free(p->path);
	free(p);
}

static const struct disk_vtable posix_vtable = {posix_open, posix_write, posix_read, posix_size, posix_truncate,
        posix_sync, posix_close, posix_rename, posix_remove, posix_sync_folder, posix_list, posix_free};

void disk_posix_measure(struct disk *d, struct histogram *syncs)
{
	CHECK(d->v == &posix_vtable && !((struct posix_disk *)d)->syncs);
	((struct posix_disk *)d)->syncs = syncs;
}

int disk_posix_new(const char *folder, struct disk **ret, struct err *err)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open folder %s", folder);
	struct posix_disk *p = xcalloc(1, sizeof *p);
	p->base.v = &posix_vtable;
	p->folder = fd;
	p->path = xstrdup(folder);
	*ret = &p->base;
	return 0;
}
