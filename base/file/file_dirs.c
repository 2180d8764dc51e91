/* See file_dirs.h. */
#include "base/file/file_dirs.h"

#include "base/check.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* The part up to each of its slashes but the first. */
int file_make_dirs_above(const char *path, unsigned mode, struct err *err)
{
	CHECK((mode & ~07777u) == 0);
	char part[PATH_MAX];
	size_t len = strlen(path);
	if (len >= sizeof part)
		return err_set(err, ERR_INVAL, "the path %.60s... is too long", path);
	memcpy(part, path, len + 1);
	for (size_t i = 1; i < len; i++) {
		if (part[i] != '/')
			continue;
		part[i] = 0;
		if (mkdir(part, mode) != 0 && errno != EEXIST)
			return err_errno(err, errno, "make folder %s", part);
		part[i] = '/';
	}
	return 0;
}

int file_make_dirs(const char *path, unsigned mode, struct err *err)
{
	if (file_make_dirs_above(path, mode, err) != 0)
		return err->code;
	return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : err_errno(err, errno, "make folder %s", path);
}
