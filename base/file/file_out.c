/* A large new file, written once and in order: its room is reserved first, so that a full disk is known before the work
 * is done, and the disk begins to write while more is coming, so that the sync at the end has little left.
 *
 * What can go wrong: the disk fills all the same (a file system that reserves nothing): ERR_NO_SPACE, and the file
 * goes. */
#include "base/file/file_out.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { BEGIN_BYTES = 8 << 20 };

int file_out_open(struct file_out *o, const char *path, int64_t bytes, struct err *err)
{
	*o = (struct file_out){.path = path};
	o->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (o->fd < 0)
		return err_errno(err, errno, "make %s", path);
	if (bytes == 0 || fallocate(o->fd, FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 || errno != ENOSPC)
		return 0;
	err_errno(err, ENOSPC, "%lld bytes for %s", (long long)bytes, path);
	file_out_drop(o);
	return err->code;
}

int file_out_write(struct file_out *o, const void *data, size_t len, struct err *err)
{
	const char *rest = data;
	while (len) {
		ssize_t n = write(o->fd, rest, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) /* nothing written is no error by itself */
			return err_errno(err, n == 0 ? ENOSPC : errno, "write %s", o->path);
		rest += n;
		len -= (size_t)n;
		o->written += n;
	}
	if (o->written - o->begun >= BEGIN_BYTES) {
		sync_file_range(o->fd, o->begun, o->written - o->begun, SYNC_FILE_RANGE_WRITE);
		o->begun = o->written;
	}
	return 0;
}

int file_out_keep(struct file_out *o, struct err *err)
{
	if (fdatasync(o->fd) != 0) {
		err_errno(err, errno, "sync %s", o->path);
		file_out_drop(o);
		return err->code;
	}
	close(o->fd);
	return 0;
}

void file_out_leave(struct file_out *o)
{
	close(o->fd);
}

void file_out_drop(struct file_out *o)
{
	close(o->fd);
	unlink(o->path);
}
