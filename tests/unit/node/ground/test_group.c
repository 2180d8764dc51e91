/* A volume's files given to a group: all of them, nothing that a link points to, and once. */
#include "tests/unit/unit.h"

#include "node/ground/group.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct err err;

static const char *in(const char *name)
{
	static char path[4][128];
	static int at;
	at = (at + 1) % 4;
	snprintf(path[at], sizeof path[at], "%s/%s", root, name);
	return path[at];
}

static void make_file(const char *name)
{
	FILE *f = fopen(in(name), "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(chmod(in(name), 0600), 0);
}

static int setup(void **state)
{
	snprintf(root, sizeof root, "/tmp/k3x-group-XXXXXX");
	err = ERR_INIT;
	return mkdtemp(root) && mkdir(in("volume"), 0755) == 0 && mkdir(in("volume/sub"), 0700) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", root);
	return system(command);
}

static struct stat look(const char *name)
{
	struct stat st;
	assert_int_equal(lstat(in(name), &st), 0);
	return st;
}

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("SKIP not root: files cannot be given away\n");
		skip();
	}
}

static void all_is_given(void **state)
{
	need_root();
	make_file("volume/a");
	make_file("volume/sub/b");
	assert_int_equal(volume_give_to_group(in("volume"), 4321, true, &err), 0);
	assert_int_equal(look("volume/sub/b").st_gid, 4321);
	assert_int_equal(look("volume/a").st_mode & 07777, 0660);
	assert_int_equal(look("volume/sub").st_mode & 07777, 02770);
	assert_int_equal(look("volume").st_gid, 4321);
	make_file("volume/later");
	assert_int_equal(chown(in("volume/later"), 0, 0), 0);
	assert_int_equal(volume_give_to_group(in("volume"), 4321, true, &err), 0);
	assert_int_equal(look("volume/later").st_gid, 0); /* not twice */
	assert_int_equal(volume_give_to_group(in("volume"), 4321, false, &err), 0);
	assert_int_equal(look("volume/later").st_gid, 4321); /* but where the pod wants it always */
	assert_int_equal(volume_give_to_group(in("volume"), -1, true, &err), 0);
}

static void what_links_point_to_is_left_alone(void **state)
{
	need_root();
	make_file("secret");
	assert_int_equal(mkdir(in("outside"), 0700), 0);
	make_file("outside/file");
	assert_int_equal(symlink(in("secret"), in("volume/link")), 0);
	assert_int_equal(symlink(in("outside"), in("volume/sub/dir")), 0);
	assert_int_equal(volume_give_to_group(in("volume"), 4321, true, &err), 0);
	assert_int_equal(look("secret").st_gid, 0);
	assert_int_equal(look("secret").st_mode & 07777, 0600);
	assert_int_equal(look("outside").st_mode & 07777, 0700);
	assert_int_equal(look("outside/file").st_gid, 0);
}

static void what_is_too_deep_is_told(void **state)
{
	need_root();
	char path[1024];
	int n = snprintf(path, sizeof path, "%s", in("volume"));
	for (int i = 0; i < 140; i++) {
		n += snprintf(path + n, sizeof path - (size_t)n, "/d");
		assert_int_equal(mkdir(path, 0755), 0);
	}
	assert_int_equal(volume_give_to_group(in("volume"), 4321, true, &err), ERR_TOO_BIG);
	assert_int_not_equal(look("volume").st_gid, 4321); /* it is not done */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(all_is_given, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_links_point_to_is_left_alone, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_is_too_deep_is_told, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
