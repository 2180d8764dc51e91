/* See disk.h. */
#include "jepsen/disk.h"

#include "jepsen/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int disk_open(struct disk *d, const char *scratch, const char *name, int64_t size_bytes, struct err *err)
{
	snprintf(d->image, sizeof d->image, "%s/%s.img", scratch, name);
	snprintf(d->mount, sizeof d->mount, "%s/%s", scratch, name);
	snprintf(d->balloon, sizeof d->balloon, "%s/%s/balloon", scratch, name);
	int fd = open(d->image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, size_bytes) != 0)
		return err_errno(err, errno, "make %s", d->image);
	close(fd);
	if (mkdir(d->mount, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make folder %s", d->mount);
	if (command_line(NAMESPACE_OURS, err, "mkfs.ext4 -q -m 0 -O ^has_journal -E lazy_itable_init=1 %s", d->image) !=
	                0 ||
	        command_line(NAMESPACE_OURS, err, "mount -o loop,noatime %s %s", d->image, d->mount) != 0)
		return err_wrap(err, "disk %s", name);
	return 0;
}

void disk_close(struct disk *d)
{
	if (!d->mount[0])
		return;
	umount2(d->mount, MNT_DETACH);
	rmdir(d->mount);
	unlink(d->image);
	d->mount[0] = 0;
}

int disk_fill(struct disk *d, int64_t left_bytes, struct err *err)
{
	struct statvfs v;
	struct stat st;
	int fd = open(d->balloon, O_RDWR | O_CREAT | O_CLOEXEC, 0600), rc = 0;
	if (fd < 0 || fstatvfs(fd, &v) != 0 || fstat(fd, &st) != 0) {
		rc = err_errno(err, errno, "open %s", d->balloon);
	} else {
		int64_t more = (int64_t)v.f_bavail * (int64_t)v.f_frsize - left_bytes;
		if (more > 0 && fallocate(fd, 0, st.st_size, more) != 0 && errno != ENOSPC)
			rc = err_errno(err, errno, "fill %s", d->balloon);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int disk_drain(struct disk *d, struct err *err)
{
	if (unlink(d->balloon) != 0 && errno != ENOENT)
		return err_errno(err, errno, "remove %s", d->balloon);
	return 0;
}
