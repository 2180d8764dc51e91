/* Snapshots by their names: which are, whose they are, and which go. */
#include "tools/snapshots/list.h"

#include "tests/unit/unit.h"

#include <unistd.h>

static char folder[64];
static struct err err;
static char removed[256];

static int set_up(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-list-XXXXXX");
	assert_non_null(mkdtemp(folder));
	err = ERR_INIT;
	removed[0] = 0;
	return 0;
}

static int tear_down(void **state)
{
	char command[96];
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

static void make(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
}

static void names_are_taken_apart(void **state)
{
	int64_t s;
	assert_true(snapshot_name_parse("etcd-snapshot-a-1800000000", &s) && s == 1800000000);
	assert_true(snapshot_name_parse("x-1800000001.lz4", &s) && s == 1800000001);
	static const char *const bad[] = {"", "etcd-snapshot-a", "-1800000000", "x-18", "x-1800000000.zip",
	        ".x-1800000000", "x-1800000000.part", "a/x-1800000000", "x 1-1800000000", "x--"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(snapshot_name_parse(bad[i], &s));
	assert_true(snapshot_name_is_of("on-demand-a-1800000000", "on-demand", "a"));
	assert_true(snapshot_name_is_of("on-demand-a-1800000000.lz4", "on-demand", NULL));
	assert_false(snapshot_name_is_of("on-demand-a-1800000000", "on-demand", "b"));
	assert_false(snapshot_name_is_of("on-demand-a-1800000000", "on-demand-a", NULL));
	assert_false(snapshot_name_is_of("on-demand-ab-1800000000", "on-demand", "a"));
	assert_false(snapshot_name_is_of("on-demand2-a-1800000000", "on-demand", NULL));
}

static void say(void *arg, const struct snapshot_entry *e)
{
	snprintf(removed + strlen(removed), sizeof removed - strlen(removed), "%s ", e->name);
}

static void the_newest_of_each_node_stay(void **state)
{
	struct snapshot_list l = {0};
	static const char *const names[] = {"s-a-1800000001", "s-a-1800000002.lz4", "s-a-1800000003", "s-b-1800000001",
	        "s-b-1800000004", "other-a-1700000000", "notes.txt", ".k3x-s-a-1800000000.part"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		make(names[i]);
	assert_int_equal(snapshot_list_folder(&l, folder, &err), 0);
	snapshot_list_sort(&l);
	assert_int_equal(l.n, 6);
	assert_string_equal(l.entries[0].name, "s-b-1800000004");
	assert_string_equal(l.entries[5].name, "other-a-1700000000");
	struct snapshot_pruning p = {.dir = folder, .name = "s", .keep = 0, .removed = say};
	assert_int_equal(snapshot_prune(&l, &p, &err), 0);
	assert_string_equal(removed, "");
	p.keep = 1;
	p.node = "a";
	assert_int_equal(snapshot_prune(&l, &p, &err), 0);
	assert_string_equal(removed, "s-a-1800000002.lz4 s-a-1800000001 ");
	snapshot_list_release(&l);
	l = (struct snapshot_list){0};
	removed[0] = 0;
	p.node = NULL;
	assert_int_equal(snapshot_list_folder(&l, folder, &err), 0);
	snapshot_list_sort(&l);
	assert_int_equal(snapshot_prune(&l, &p, &err), 0);
	assert_string_equal(removed, "s-b-1800000001 ");
	snapshot_list_release(&l);
}

static void a_folder_that_is_not_there_has_none(void **state)
{
	struct snapshot_list l = {0};
	assert_int_equal(snapshot_list_folder(&l, "/nonexistent/folder", &err), 0);
	assert_int_equal(l.n, 0);
	assert_int_not_equal(snapshot_list_folder(&l, "/proc/self/status", &err), 0);
	snapshot_list_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_are_taken_apart),
	        cmocka_unit_test_setup_teardown(the_newest_of_each_node_stay, set_up, tear_down),
	        cmocka_unit_test(a_folder_that_is_not_there_has_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
