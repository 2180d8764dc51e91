/* From a fork of the zygote to the first instruction of a module:
 *
 *     cgroups -> network namespace -> mount namespace -> root -> user, capabilities, filter -> load -> run
 *
 * The root is a small file system in memory: `g` is what the guest sees as /, `m` is the module, `etc` leads to the
 * guest's, where the resolver looks. With files of an image, g is an overlay over them. Mounts come as descriptors of
 * mounts that the node made (open_tree), because the zygote's own namespace holds next to none: copying it per
 * container is what would cost memory with thousands. Places for them are made with g as root, so that an image's links
 * lead nowhere else.
 *
 * What can go wrong is written to `told` and the process ends with 126; once the module runs, what ends it goes to its
 * stderr. SIGTERM ends it with 143: a module cannot catch it, and the first process of a pid namespace would not die of
 * it. */
#include "node/wasm/zygote/runner.h"

#include "base/file/file_dirs.h"
#include "base/limits.h"
#include "node/ground/files.h"
#include "node/wasm/zygote/lockdown.h"
#include "node/wasm/protocol/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Not all C libraries have it under a name. */
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#endif

/* Where `told` lies in the end. */
enum { TOLD = 3 };

static void ended_by_signal(int number)
{
	_exit(128 + number);
}

static int join_cgroups(const int *fds, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (write(fds[i], "0", 1) != 1)
			return err_errno(err, errno, "enter a cgroup");
	return 0;
}

static void set_oom_score(int64_t score)
{
	char text[32];
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC),
	    n = snprintf(text, sizeof text, "%lld", (long long)score);
	/* A machine that does not allow it keeps ours, as containerd does with restrict_oom_score_adj. */
	if (fd >= 0 && write(fd, text, (size_t)n) != n)
		errno = 0;
	if (fd >= 0)
		close(fd);
}

static int mount_tree(int fd, const char *to, struct err *err)
{
	if (syscall(__NR_move_mount, fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) != 0)
		return err_errno(err, errno, "mount at %s", to);
	return 0;
}

/* The current folder is the box. */
static int make_root(const struct wasm_spec *s, int files, struct err *err)
{
	if (mkdir("g", 0755) != 0 || mkdir("l", 0755) != 0 || mkdir("u", 0755) != 0 || mkdir("w", 0755) != 0)
		return err_errno(err, errno, "make the root");
	if (!s->has_files) {
		if (mkdir("g/tmp", 0777) != 0 || chmod("g/tmp", 01777) != 0 ||
		        mount("g", "g", NULL, MS_BIND, NULL) != 0)
			return err_errno(err, errno, "make the root");
		return 0;
	}
	if (mount_tree(files, "l", err) != 0)
		return err->code;
	if (mount("overlay", "g", "overlay", MS_NOSUID | MS_NODEV, "lowerdir=l,upperdir=u,workdir=w") != 0)
		return err_errno(err, errno, "lay a root over the image's files");
	return 0;
}

/* Below the current root. */
static int make_place(const struct wasm_mount *m, struct err *err)
{
	struct stat st;
	if (file_make_dirs_above(m->to, 0755, err) != 0)
		return err->code;
	if (stat(m->to, &st) == 0) {
		if (!S_ISDIR(st.st_mode) == m->is_file)
			return 0;
		return err_set(err, ERR_INVAL, "cannot mount a %s at %s: the image has a %s there",
		        m->is_file ? "file" : "folder", m->to, m->is_file ? "folder" : "file");
	}
	int fd = m->is_file ? open(m->to, O_CREAT | O_WRONLY | O_CLOEXEC, 0644) : -1;
	if (m->is_file ? fd < 0 : mkdir(m->to, 0755) != 0)
		return err_errno(err, errno, "make %s", m->to);
	if (fd >= 0)
		close(fd);
	return 0;
}

/* With g as root for the time, so that links in it do not lead out. */
static int make_mounts(const struct wasm_spec *s, const int *fds, struct err *err)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), box = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || box < 0 || chroot("g") != 0 || chdir("/") != 0)
		return err_errno(err, errno, "enter the guest's root");
	for (size_t i = 0; i < s->mounts_count; i++)
		if (make_place(&s->mounts[i], err) != 0 || mount_tree(fds[i], s->mounts[i].to, err) != 0)
			return err->code;
	if (fchdir(root) != 0 || chroot(".") != 0 || fchdir(box) != 0)
		return err_errno(err, errno, "leave the guest's root");
	if (s->is_root_read_only &&
	        mount(NULL, "g", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0)
		return err_errno(err, errno, "make the root read-only");
	close(root);
	close(box);
	return 0;
}

static int place_module(const struct wasm_spec *s, struct err *err)
{
	int fd = open("m", O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
	if (fd < 0 || mount(s->module, "m", NULL, MS_BIND, NULL) != 0 ||
	        mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0)
		return err_errno(err, errno, "have the module %s in the root", s->module);
	close(fd);
	if (symlink("g/etc", "etc") != 0)
		return err_errno(err, errno, "make the root");
	return 0;
}

static int enter_root(const struct wasm_spec *s, const char *box, const int *fds, struct err *err)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return err_errno(err, errno, "make a mount namespace");
	if (mount("tmpfs", box, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=" WASM_ROOT_BYTES_MAX) != 0 ||
	        chdir(box) != 0)
		return err_errno(err, errno, "mount %s", box);
	if (make_root(s, fds[0], err) != 0 || make_mounts(s, fds + s->has_files, err) != 0 || place_module(s, err) != 0)
		return err->code;
	if (syscall(__NR_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
		return err_errno(err, errno, "enter the root");
	return 0;
}

/* One stream for input, which is at its end, and two for output. */
static int set_streams(const struct wasm_start *start, struct err *err)
{
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (none < 0 || dup2(none, 0) < 0 || dup2(start->out, 1) < 0 || dup2(start->error, 2) < 0)
		return err_errno(err, errno, "set the streams");
	return 0;
}

static int prepare(const struct wasm_start *start, const struct wasm_spec *s, struct err *err)
{
	const int *fds = start->descriptors;
	struct sigaction act = {.sa_handler = ended_by_signal};
	if (start->descriptors_count != wasm_spec_descriptors(s))
		return err_set(err, ERR_PROTOCOL, "%zu descriptors came for %zu", start->descriptors_count,
		        wasm_spec_descriptors(s));
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGQUIT, &act, NULL);
	if (set_streams(start, err) != 0 || join_cgroups(fds, s->cgroups, err) != 0)
		return err->code;
	fds += s->cgroups;
	set_oom_score(s->oom_score_adj);
	if (s->has_network && setns(fds[0], CLONE_NEWNET) != 0)
		return err_errno(err, errno, "enter the pod's network");
	if (enter_root(s, start->box, fds + s->has_network, err) != 0)
		return err->code;
	/* The end of what was told stays open until the module is loaded. */
	if (dup2(start->told, TOLD) < 0 || syscall(__NR_close_range, TOLD + 1u, ~0u, 0u) != 0)
		return err_errno(err, errno, "close descriptors");
	return wasm_lock_down(s, err);
}

static void is_loaded(void *arg)
{
	int *told = arg;
	close(*told);
	*told = -1;
}

static void tell(int fd, const struct err *err)
{
	ssize_t n = fd < 0 ? 0 : write(fd, err->msg, strlen(err->msg));
	(void)n; /* nobody is left to tell */
}

void wasm_runner(struct wasm_engine *engine, const struct wasm_start *start)
{
	struct arena a = ARENA_INIT;
	struct wasm_spec s;
	struct err err = ERR_INIT;
	int told = TOLD;
	size_t len;
	char *text = file_read(start->spec_file, WASM_SPEC_BYTES_MAX, false, &len);
	prctl(PR_SET_NAME, "k3x-wasm");
	if (!text)
		err_errno(&err, errno, "read %s", start->spec_file);
	if (!text || wasm_spec_read(&a, (struct slice){text, len}, &s, &err) != 0 || prepare(start, &s, &err) != 0) {
		tell(start->told, &err);
		_exit(WASM_NOT_RUN);
	}
	static const char *const preopens[] = {"/:/g"};
	struct wasm_run run = {.module = "/m",
	        .args = (const char *const *)s.args,
	        .env = (const char *const *)s.env,
	        .preopens = preopens,
	        .args_count = s.args_count,
	        .env_count = s.env_count,
	        .preopens_count = 1,
	        .memory_pages_max = (uint32_t)s.memory_pages_max,
	        .on_loaded = is_loaded,
	        .arg = &told};
	int code = wasm_engine_run(engine, &run, &err);
	if (err.code)
		dprintf(2, "k3x: %s\n", err.msg);
	if (code == WASM_NOT_RUN)
		tell(told, &err);
	_exit(code);
}
