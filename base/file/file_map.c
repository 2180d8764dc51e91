/* See file_map.h. */
#include "base/file/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_map(const char *path, struct slice *ret, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	void *map = fstat(fd, &st) == 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	int saved = errno;
	close(fd);
	if (map == MAP_FAILED)
		return err_errno(err, saved, "read %s", path);
	*ret = (struct slice){map, (size_t)st.st_size};
	return 0;
}

void file_unmap(struct slice bytes)
{
	if (bytes.ptr)
		munmap((void *)bytes.ptr, bytes.len);
}
