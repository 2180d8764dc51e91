/* Disks of one's own: a file, a loop device over it, ext4 on that. All that reaches the device is somebody's whom we
 * put there, and the device counts it: data, logs, and what the file system writes about them.
 *
 * Nothing is cleaned up by us that must be: mounts are in a mount namespace of this process and its servers, the image
 * has no name, the loop device lets go when its last user has (LO_FLAGS_AUTOCLEAR). So when the process is interrupted
 * or killed, its servers die with it and the kernel takes the rest away. The folders of the mounts are in a tmpfs over
 * /dev/shm that only this namespace sees.
 *
 * What can go wrong: no right to mount, no loop devices (containers), no mkfs.ext4: said as such. A full disk below the
 * image shows as I/O errors in the servers. */
#include "tools/bench/wear/wear_int.h"

#include "tools/bench/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNTS "/dev/shm"
#define IMAGE_BYTES (INT64_C(24) << 30) /* sparse: takes what is written */

enum { ATTACH_TRIES = 20, POLL_US = 100000, QUIET_POLLS = 10, POLLS_MAX = 600, UNMOUNT_TRIES = 100 };

int wear_disks_begin(struct err *err)
{
	if (unshare(CLONE_NEWNS) != 0)
		return err_errno(err, errno, "mounts of one's own need root");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	        mount("k3x-bench", MOUNTS, "tmpfs", 0, "size=1m,mode=700") != 0)
		return err_errno(err, errno, "mount over " MOUNTS);
	return 0;
}

/* An image without a name. */
static int make_image(const char *folder, struct err *err)
{
	char path[256];
	snprintf(path, sizeof path, "%.200s/k3x-bench-disk-XXXXXX", folder);
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "make %s", path);
	unlink(path);
	if (ftruncate(fd, IMAGE_BYTES) != 0) {
		err_errno(err, errno, "make an image in %s", folder);
		close(fd);
		return err->code;
	}
	return fd;
}

/* Somebody else may take the device that is free: then it is the next. */
static int attach(struct wear_disk *d, int image, int control, struct err *err)
{
	struct loop_config config = {.fd = (uint32_t)image, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	for (int i = 0; i < ATTACH_TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return err_errno(err, errno, "find a free loop device");
		snprintf(d->device, sizeof d->device, "/dev/loop%d", number);
		d->fd = open(d->device, O_RDWR | O_CLOEXEC);
		if (d->fd < 0)
			return err_errno(err, errno, "open %s", d->device);
		if (ioctl(d->fd, LOOP_CONFIGURE, &config) == 0)
			return 0;
		int saved = errno;
		close(d->fd);
		d->fd = -1;
		if (saved != EBUSY)
			return err_errno(err, saved, "set up %s", d->device);
	}
	return err_set(err, ERR_BUSY, "no loop device stays free");
}

static int attach_image(struct wear_disk *d, const char *images, struct err *err)
{
	int image = make_image(images, err);
	if (image < 0)
		return err->code;
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int rc = control < 0 ? err_errno(err, errno, "open /dev/loop-control") : attach(d, image, control, err);
	if (control >= 0)
		close(control);
	close(image); /* the device has it */
	return rc;
}

/* Nothing of the file system is left to be made later: it would count. */
static int make_file_system(const struct wear_disk *d, struct err *err)
{
	const char *const argv[] = {"mkfs.ext4", "-q", "-F", "-m", "0", "-N", "65536", "-E",
	        "lazy_itable_init=0,lazy_journal_init=0,nodiscard", d->device, NULL};
	int status = trio_command(argv);
	return status == 0 ? 0 : err_set(err, ERR_IO, "mkfs.ext4 %s ends with %d: is it installed?", d->device, status);
}

int wear_disk_open(struct wear_disk *d, const char *images, const char *name, struct err *err)
{
	*d = (struct wear_disk){.fd = -1};
	if (attach_image(d, images, err) != 0 || make_file_system(d, err) != 0)
		return err->code;
	char dir[sizeof d->dir];
	snprintf(dir, sizeof dir, MOUNTS "/%.40s", name);
	if (mkdir(dir, 0700) != 0 || mount(d->device, dir, "ext4", MS_NOATIME, NULL) != 0) {
		rmdir(dir);
		return err_errno(err, errno, "mount %s on %s", d->device, dir);
	}
	memcpy(d->dir, dir, sizeof dir);
	return 0;
}

void wear_disk_close(struct wear_disk *d)
{
	if (d->dir[0]) {
		int rc = umount(d->dir);
		for (int i = 0; rc != 0 && errno == EBUSY && i < UNMOUNT_TRIES; i++) {
			usleep(POLL_US);
			rc = umount(d->dir);
		}
		if (rc != 0)
			fprintf(stderr, "k3x-bench: unmount %s: %s\n", d->dir, strerror(errno));
		rmdir(d->dir);
	}
	if (d->device[0] && d->fd >= 0)
		close(d->fd);
	*d = (struct wear_disk){.fd = -1};
}

static int counter(const struct wear_disk *d, double *ret_bytes, struct err *err)
{
	char path[64];
	unsigned long long sectors = 0;
	snprintf(path, sizeof path, "/sys/block/%s/stat", d->device + strlen("/dev/"));
	FILE *f = fopen(path, "re");
	if (!f)
		return err_errno(err, errno, "open %s", path);
	int n = fscanf(f, "%*u %*u %*u %*u %*u %*u %llu", &sectors);
	fclose(f);
	if (n != 1)
		return err_set(err, ERR_IO, "%s does not read as counters", path);
	*ret_bytes = (double)sectors * 512;
	return 0;
}

static int sync_disk(const struct wear_disk *d, struct err *err)
{
	int fd = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || syncfs(fd) != 0 ? err_errno(err, errno, "sync %s", d->dir) : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

int wear_disk_written(const struct wear_disk *d, double *ret_bytes, bool *ret_is_settled, struct err *err)
{
	double last = -1, now = 0;
	int quiet = 0;
	for (int i = 0; i < POLLS_MAX && quiet < QUIET_POLLS; i++) {
		if (i)
			usleep(POLL_US);
		if (sync_disk(d, err) != 0 || counter(d, &now, err) != 0)
			return err->code;
		quiet = now == last ? quiet + 1 : 0;
		last = now;
	}
	*ret_bytes = now;
	*ret_is_settled = quiet == QUIET_POLLS;
	return 0;
}
