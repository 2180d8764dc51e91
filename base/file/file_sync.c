/* See file_sync.h. */
#include "base/file/file_sync.h"

#include "base/mem/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

int file_sync(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) != 0 ? err_errno(err, errno, "sync %s", path) : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

int file_sync_folder(const char *path, struct err *err)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) != 0 ? err_errno(err, errno, "sync the folder of %s", path) : 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}
