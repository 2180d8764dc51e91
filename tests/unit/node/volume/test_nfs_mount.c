/* nfs volumes: programs that hang are left behind, and what they held is undone. The programs are scripts of ours,
 * first in PATH; the mounts are of a namespace of this process's own. */
#include "node/volume/nfs_mount.h"

#include "tests/unit/unit.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { LIMIT_MS = 300 };

static char dir[] = "/tmp/k3x-nfs-XXXXXX";
static bool has_mounts; /* of its own */
static struct loop loop;
static struct node node;
static struct nfs_jobs *jobs;
static bool is_done, is_closed;
static struct err told;

static void program(const char *name, const char *script)
{
	char path[200], text[1000];
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "%s/bin/%s", dir, name);
	snprintf(text, sizeof text, "#!/bin/sh\necho \"%s $*\" >>%s/calls\n%s\n", name, dir, script);
	assert_int_equal(file_write(path, slice_of(text), 0755, &err), 0);
}

static const char *calls(void)
{
	static char text[2000];
	char path[200];
	size_t len = 0;
	snprintf(path, sizeof path, "%s/calls", dir);
	char *all = file_read(path, sizeof text - 1, false, &len);
	memcpy(text, all ? all : "", len);
	text[len] = 0;
	free(all);
	return text;
}

static void done(void *arg, const struct err *err)
{
	CHECK(!is_done);
	is_done = true;
	told = err ? *err : ERR_INIT;
}

static void wait_done(void)
{
	while (!is_done)
		loop_turn(&loop);
}

static void all_closed(struct closing *c)
{
	is_closed = true;
}

static int setup(void **state)
{
	char path[400], old[2000];
	struct err err = ERR_INIT;
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/bin", dir);
	assert_int_equal(file_make_dirs(path, 0755, &err), 0);
	snprintf(old, sizeof old, "%s:%s", path, "/usr/sbin:/usr/bin:/sbin:/bin");
	setenv("PATH", old, 1);
	loop_init(&loop, "test");
	loop_own(&loop);
	node = (struct node){.loop = &loop, .pool = pool_new("test-pool", 2, 16)};
	node.parts.all_closed = all_closed;
	closing_hold(&node.parts);
	jobs = nfs_jobs_new(&node, LIMIT_MS);
	is_done = is_closed = false;
	return 0;
}

static int teardown(void **state)
{
	closing_part_done(&node.parts);
	while (!is_closed)
		loop_turn(&loop);
	nfs_jobs_free(jobs);
	pool_free(node.pool);
	loop_stop(&loop);
	loop_run(&loop);
	loop_release(&loop);
	file_remove_tree(dir);
	return access(dir, F_OK) == 0 ? -1 : 0;
}

static void a_server_that_answers_is_there(void **state)
{
	nfs_ask(jobs, dir, done, NULL);
	assert_false(is_done);
	wait_done();
	assert_int_equal(told.code, 0);
}

static void what_it_says_is_told(void **state)
{
	program("stat", "echo 'Stale file handle' >&2; exit 1");
	nfs_ask(jobs, dir, done, NULL);
	wait_done();
	assert_int_equal(told.code, ERR_UNAVAILABLE);
	assert_string_equal(told.msg, "Stale file handle");
}

static bool is_alive(void)
{
	char path[200];
	size_t len = 0;
	snprintf(path, sizeof path, "%s/pid", dir);
	char *text = file_read(path, 100, false, &len);
	int pid = text ? atoi(text) : 0;
	free(text);
	assert_true(pid > 1);
	return kill(pid, 0) == 0;
}

static void one_that_does_not_is_not_waited_for_and_nothing_goes_on_waiting(void **state)
{
	program("stat", "sleep 1000 & echo $! >$(dirname \"$0\")/../pid; wait");
	nfs_ask(jobs, dir, done, NULL);
	wait_done();
	assert_int_equal(told.code, ERR_TIMEOUT);
	assert_non_null(strstr(told.msg, "did not answer"));
	WAIT_FOR(!is_alive()); /* the helper of a program goes with it */
}

static void the_end_waits_for_nobody(void **state)
{
	program("stat", "sleep 1000 & echo $! >$(dirname \"$0\")/../pid; wait");
	nfs_ask(jobs, dir, done, NULL);
	while (!strstr(calls(), "stat"))
		loop_turn(&loop);
	nfs_jobs_close(jobs);
	assert_true(is_done);
	assert_int_equal(told.code, ERR_CANCELED);
}

/* Two mounts of one pod, and a sub-path of the first. */
static void lay_mounts(void)
{
	static const char *const places[] = {
	        "volumes/kubernetes.io~nfs/a", "volumes/kubernetes.io~nfs/b", "volume-subpaths/c/0"};
	struct err err = ERR_INIT;
	char path[300], from[300];
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/pod/%s", dir, places[i]);
		snprintf(from, sizeof from, "%s/pod/%s", dir, places[0]);
		assert_int_equal(file_make_dirs(path, 0755, &err), 0);
		assert_int_equal(
		        i < 2 ? mount("t", path, "tmpfs", 0, NULL) : mount(from, path, NULL, MS_BIND, NULL), 0);
	}
}

static bool any_is_mounted(void)
{
	struct arena a = ARENA_INIT;
	const char *const *points;
	size_t len = 0;
	char *text = file_read("/proc/self/mountinfo", 1 << 20, false, &len), pod[200];
	snprintf(pod, sizeof pod, "%s/pod", dir);
	size_t n = nfs_points_below(&a, (struct slice){text, len}, pod, &points);
	free(text);
	arena_release(&a);
	return n > 0;
}

static void unmount(void)
{
	static char pod[200];
	snprintf(pod, sizeof pod, "%s/pod", dir);
	assert_true(nfs_has_any_below(pod));
	nfs_unmount_below(jobs, pod, done, NULL);
	wait_done();
	assert_int_equal(told.code, 0);
}

static void all_of_a_pod_is_undone(void **state)
{
	if (!has_mounts)
		skip();
	lay_mounts();
	unmount();
	assert_false(any_is_mounted());
}

static void what_hangs_is_undone_by_force_and_from_the_tree_at_last(void **state)
{
	if (!has_mounts)
		skip();
	program("umount",
	        "case $1 in -l) exec /bin/umount -l \"$2\" ;; -f) echo busy; exit 32 ;; *) exec sleep 1000 ;; esac");
	lay_mounts();
	unmount();
	assert_false(any_is_mounted());
	assert_non_null(strstr(calls(), "umount -f"));
}

static void without_anything_mounted_nothing_is_run(void **state)
{
	struct err err = ERR_INIT;
	char path[300];
	program("umount", "exit 1");
	snprintf(path, sizeof path, "%s/pod/volumes/kubernetes.io~nfs", dir);
	assert_int_equal(file_make_dirs(path, 0755, &err), 0);
	unmount();
	assert_string_equal(calls(), "");
}

static void a_umount_that_is_not_there_holds_nothing_up(void **state)
{
	if (!has_mounts)
		skip();
	lay_mounts();
	setenv("PATH", "/nonexistent", 1);
	unmount();
	assert_true(any_is_mounted()); /* the pool's, then */
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	is_done = false;
	unmount();
}

int main(void)
{
	/* Before there are threads: each has a namespace of its own. */
	has_mounts = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_server_that_answers_is_there, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_it_says_is_told, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                one_that_does_not_is_not_waited_for_and_nothing_goes_on_waiting, setup, teardown),
	        cmocka_unit_test_setup_teardown(the_end_waits_for_nobody, setup, teardown),
	        cmocka_unit_test_setup_teardown(all_of_a_pod_is_undone, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                what_hangs_is_undone_by_force_and_from_the_tree_at_last, setup, teardown),
	        cmocka_unit_test_setup_teardown(without_anything_mounted_nothing_is_run, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_umount_that_is_not_there_holds_nothing_up, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
