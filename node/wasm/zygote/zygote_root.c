/* The zygote's own mount namespace: every container's begins as a copy of it, and a machine with 3,000 pods has
 * thousands of mounts (tokens, secrets), so that a copy of the machine's would cost a megabyte and milliseconds each.
 * This one has the zygote's folder, the logs, /proc, and an empty place to build roots in, each under the path that it
 * has outside. */
#include "node/ground/files.h"
#include "base/file/file_dirs.h"
#include "node/wasm/zygote/zygote_int.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int bind(const char *root, const char *path, struct err *err)
{
	char to[1024];
	snprintf(to, sizeof to, "%s%s", root, path);
	if (file_make_dirs(to, 0755, err) != 0)
		return err->code;
	if (mount(path, to, NULL, MS_BIND, NULL) != 0)
		return err_errno(err, errno, "bind %s", path);
	return 0;
}

static int make_folder(const char *root, const char *name, mode_t mode, struct err *err)
{
	char path[1024];
	snprintf(path, sizeof path, "%s%s", root, name);
	if ((mkdir(path, mode) != 0 && errno != EEXIST) || chmod(path, mode) != 0)
		return err_errno(err, errno, "make %s", path);
	return 0;
}

int zygote_make_root(const struct wasm_zygote_options *o, struct err *err)
{
	char root[600], null[700];
	snprintf(root, sizeof root, "%s/root", o->state);
	snprintf(null, sizeof null, "%s/dev/null", root);
	if (file_make_dirs(root, 0700, err) != 0)
		return err->code;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return err_errno(err, errno, "make a mount namespace");
	if (mount("k3x-wasm", root, "tmpfs", MS_NOSUID, "mode=755") != 0)
		return err_errno(err, errno, "mount %s", root);
	if (bind(root, o->state, err) != 0 || bind(root, o->logs, err) != 0 || bind(root, "/proc", err) != 0 ||
	        make_folder(root, "/tmp", 01777, err) != 0 || make_folder(root, "/dev", 0755, err) != 0 ||
	        make_folder(root, ZYGOTE_BOX, 0755, err) != 0)
		return err->code;
	mode_t before = umask(0);
	int rc = mknod(null, S_IFCHR | 0666, makedev(1, 3));
	umask(before);
	if (rc != 0)
		return err_errno(err, errno, "make %s", null);
	if (chdir(root) != 0 || syscall(__NR_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
	        chdir("/") != 0)
		return err_errno(err, errno, "enter %s", root);
	return 0;
}
