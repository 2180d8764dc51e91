/* Sub-paths of volumes that somebody else writes to. */
#include "tests/unit/unit.h"

#include "node/ground/files.h"
#include "node/worker/pod_files_int.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/k3x-subpath-XXXXXX";
static struct arena arena;

static const char *at(const char *name)
{
	return arena_printf(&arena, "%s/%s", dir, name);
}

static int setup(void **state)
{
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	if (!mkdtemp(dir) || mkdir(at("volume"), 0755) != 0 || mkdir(at("outside"), 0755) != 0)
		return -1;
	return 0;
}

static int teardown(void **state)
{
	file_remove_tree(dir);
	arena_release(&arena);
	return 0;
}

static int opens(const char *sub, struct err *err)
{
	*err = ERR_INIT;
	int fd = sub_path_open(at("volume"), sub, err);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : err->code;
}

static void what_is_missing_is_made_in_the_volume(void **state)
{
	struct err err;
	struct stat st;
	assert_int_equal(opens("a/b/c", &err), 0);
	assert_int_equal(stat(at("volume/a/b/c"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(opens("a/b/d/", &err), 0);
	assert_int_equal(opens(".", &err), 0);
	assert_int_equal(symlink("a/b", at("volume/link")), 0);
	assert_int_equal(opens("link/e", &err), 0);
	assert_int_equal(access(at("volume/a/b/e"), F_OK), 0);
}

/* A container wrote the links; nothing may be made behind them. */
static void links_that_lead_out_are_refused_and_nothing_is_made(void **state)
{
	struct err err;
	assert_int_equal(symlink("../outside", at("volume/up")), 0);
	assert_int_equal(symlink(at("outside"), at("volume/absolute")), 0);
	assert_int_equal(symlink("self", at("volume/self")), 0);
	assert_int_equal(opens("up/x/y", &err), ERR_FORBIDDEN);
	assert_int_equal(opens("absolute/x/y", &err), ERR_FORBIDDEN);
	assert_int_equal(opens("self/x", &err), ERR_FORBIDDEN);
	assert_int_equal(opens("../outside", &err), ERR_FORBIDDEN);
	assert_int_equal(access(at("outside/x"), F_OK), -1);
	assert_int_equal(rmdir(at("outside")), 0); /* still empty */
}

static void a_file_is_no_folder(void **state)
{
	struct err err;
	assert_int_equal(file_write(at("volume/f"), SLICE("x"), 0644, &err), 0);
	assert_int_equal(opens("f", &err), 0);
	assert_int_not_equal(opens("f/g", &err), 0);
}

/* What was opened is what is mounted, also when the path leads elsewhere by then. */
static int mount_it(void)
{
	struct err err = ERR_INIT;
	struct pod_files l = {0};
	struct pod_file f = {.kind = POD_FILE_SUB_PATH, .path = at("place"), .volume = at("volume"), .sub = "deep/in"};
	pod_files_add(&l, &arena, &f);
	if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	        pod_files_make(&l, &err) != 0)
		return 1;
	rename(at("volume/deep"), at("volume/moved"));
	if (symlink(at("outside"), at("volume/deep")) != 0 || file_write(at("place/f"), SLICE("x"), 0644, &err) != 0)
		return 2;
	/* Another start of the container mounts it anew. */
	unlink(at("volume/deep"));
	return access(at("volume/moved/in/f"), F_OK) == 0 && pod_files_make(&l, &err) == 0 &&
	                       access(at("place/f"), F_OK) != 0
	               ? 0
	               : 3;
}

static void the_descriptor_is_mounted(void **state)
{
	int status;
	if (geteuid() != 0) {
		print_message("SKIP not root: nothing can be mounted\n");
		skip();
	}
	pid_t child = fork();
	if (child == 0)
		_exit(mount_it());
	waitpid(child, &status, 0);
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        T(what_is_missing_is_made_in_the_volume),
	        T(links_that_lead_out_are_refused_and_nothing_is_made),
	        T(a_file_is_no_folder),
	        T(the_descriptor_is_mounted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
