/* Directories of volumes: made and removed beneath their base, whatever their owners left in them. */
#include "tests/unit/unit.h"

#include "tools/provisioner/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static char base[64], outside[64];

static int set_up(void **state)
{
	snprintf(base, sizeof base, "/tmp/k3x-unit-base-XXXXXX");
	snprintf(outside, sizeof outside, "/tmp/k3x-unit-out-XXXXXX");
	return mkdtemp(base) && mkdtemp(outside) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[256];
	snprintf(command, sizeof command, "rm -rf %s %s", base, outside);
	return system(command);
}

static const char *in(const char *dir, const char *name)
{
	static char path[4][512];
	static int turn;
	char *p = path[turn++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", dir, name);
	return p;
}

static void touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

static void it_is_made_with_its_parents_and_again_is_fine(void **state)
{
	struct err err = ERR_INIT;
	struct stat st;
	mode_t before = umask(077);
	for (int i = 0; i < 2; i++)
		assert_int_equal(directory_make(base, "ns/claim", 0777, &err), 0);
	umask(before);
	assert_int_equal(stat(in(base, "ns/claim"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0777);
}

static void paths_that_leave_the_base_are_refused(void **state)
{
	static const char *const bad[] = {"", "/", "/etc", "..", "../x", "a/..", "a/../b", ".", "a/./b", "a//b", "a/"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct err err = ERR_INIT;
		assert_int_equal(directory_make(base, bad[i], 0777, &err), ERR_INVAL);
		err = ERR_INIT;
		assert_int_equal(directory_remove(base, bad[i], &err), ERR_INVAL);
	}
	assert_true(exists(base));
}

static void links_are_not_followed(void **state)
{
	struct err err = ERR_INIT;
	touch(in(outside, "precious"));
	assert_int_equal(symlink(outside, in(base, "link")), 0);
	assert_true(directory_make(base, "link", 0777, &err) < 0);
	err = ERR_INIT;
	assert_true(directory_make(base, "link/x", 0777, &err) < 0);
	err = ERR_INIT;
	assert_true(directory_remove(base, "link/precious", &err) < 0);
	err = ERR_INIT;
	assert_true(directory_remove(base, "link", &err) < 0);
	assert_true(exists(in(outside, "precious")));
	assert_false(exists(in(outside, "x")));
}

static void all_that_is_in_it_goes_and_links_go_as_links(void **state)
{
	struct err err = ERR_INIT;
	touch(in(outside, "precious"));
	assert_int_equal(directory_make(base, "v/a/b/c", 0777, &err), 0);
	assert_int_equal(directory_make(base, "v/a/.k3x-removed-1/deep", 0777, &err), 0);
	assert_int_equal(directory_make(base, "w", 0777, &err), 0);
	touch(in(base, "v/a/b/file"));
	assert_int_equal(symlink(outside, in(base, "v/a/b/out")), 0);
	assert_int_equal(symlink("/nowhere", in(base, "v/dangling")), 0);
	assert_int_equal(directory_remove(base, "v", &err), 0);
	assert_false(exists(in(base, "v")));
	assert_true(exists(in(base, "w")));
	assert_true(exists(in(outside, "precious")));
	assert_int_equal(directory_remove(base, "v", &err), 0); /* gone is gone */
	assert_int_equal(directory_remove(base, "never/was", &err), 0);
}

/* Deeper than any path may be long, so nothing in it can be reached by a path. */
static void a_tree_may_be_deeper_than_paths_are_long(void **state)
{
	struct err err = ERR_INIT;
	char name[201];
	memset(name, 'd', sizeof name - 1);
	name[sizeof name - 1] = 0;
	assert_int_equal(directory_make(base, "deep", 0777, &err), 0);
	int at = open(in(base, "deep"), O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(mkdirat(at, name, 0700), 0);
		int next = openat(at, name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		int f = openat(next, "f", O_CREAT | O_WRONLY, 0600);
		close(f);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(directory_remove(base, "deep", &err), 0);
	assert_false(exists(in(base, "deep")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(it_is_made_with_its_parents_and_again_is_fine, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(paths_that_leave_the_base_are_refused, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(links_are_not_followed, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(all_that_is_in_it_goes_and_links_go_as_links, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_tree_may_be_deeper_than_paths_are_long, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
