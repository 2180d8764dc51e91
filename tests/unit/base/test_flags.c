/* base/flags: what wins over what, and what is refused with which words. */
#include "tests/unit/unit.h"

#include "base/flags.h"

#include <sys/stat.h>
#include <unistd.h>

struct values {
	const char *config, *dir;
	int64_t port;
	bool debug;
	struct flag_list disable, items;
};

static char folder[64];

static int setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/k3x-flags-XXXXXX");
	unsetenv("K3X_TEST_DIR");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void write_file(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int load(struct arena *a, struct values *v, struct err *err, int argc, char **argv)
{
	char path[128];
	snprintf(path, sizeof path, "%s/config.yaml", folder);
	*v = (struct values){.config = arena_strdup(a, path), .dir = "/default", .port = 1};
	*err = ERR_INIT;
	const struct flag table[] = {
	        {"config", 'c', FLAG_STRING, &v->config, NULL, "file", NULL},
	        {"dir", 'd', FLAG_STRING, &v->dir, "K3X_TEST_DIR", "folder", NULL},
	        {"port", 0, FLAG_INT, &v->port, NULL, "port", NULL},
	        {"debug", 0, FLAG_BOOL, &v->debug, NULL, "talk", NULL},
	        {"disable", 0, FLAG_LIST, &v->disable, NULL, "parts", NULL},
	        {"item", 0, FLAG_ITEMS, &v->items, NULL, "whole values", NULL},
	        {"later", 0, FLAG_BOOL, &v->debug, NULL, NULL, "not built yet"},
	};
	static const struct flag_refusal refusals[] = {
	        {"rootless", 0, NULL, "false", true, "it is not built"},
	        {"snapshotter", 's', "K3X_TEST_SNAPSHOTTER", "overlayfs", false, "use --dir"},
	        {"gone", 'g', NULL, NULL, false, "use --port"},
	};
	struct flags f = {.program = "test",
	        .refusals = refusals,
	        .refusal_count = sizeof refusals / sizeof *refusals,
	        .summary = "a test",
	        .table = table,
	        .count = sizeof table / sizeof *table,
	        .config_flag = "config"};
	return flags_load(&f, a, argc, argv, err);
}

#define LOAD(...) \
	load(&a, &v, &err, sizeof((char *[]){"test", __VA_ARGS__}) / sizeof(char *), (char *[]){"test", __VA_ARGS__})

static void an_item_keeps_its_commas_and_a_repeated_one_is_another(void **state)
{
	struct arena a = ARENA_INIT;
	struct values v;
	struct err err;
	write_file("config.yaml", "item:\n- x=1,2\n- y\n");
	assert_int_equal(LOAD("--debug"), 0);
	assert_int_equal(v.items.count, 2);
	assert_string_equal(v.items.items[0], "x=1,2");
	assert_int_equal(LOAD("--item", "a=b,c", "--item=d"), 0);
	assert_int_equal(v.items.count, 2);
	assert_string_equal(v.items.items[0], "a=b,c");
	assert_string_equal(v.items.items[1], "d");
	write_file("config.yaml", "");
	arena_release(&a);
}

static void the_command_line_wins_over_environment_file_and_default(void **state)
{
	struct arena a = ARENA_INIT;
	struct values v;
	struct err err;
	assert_int_equal(LOAD("--debug"), 0);
	assert_string_equal(v.dir, "/default");
	assert_true(v.debug);
	write_file("config.yaml", "dir: /file\nport: 5\ndebug: true\n");
	assert_int_equal(LOAD("--port", "7"), 0);
	assert_string_equal(v.dir, "/file");
	assert_int_equal(v.port, 7);
	assert_true(v.debug);
	setenv("K3X_TEST_DIR", "/env", 1);
	assert_int_equal(LOAD("--port=8"), 0);
	assert_string_equal(v.dir, "/env");
	assert_int_equal(LOAD("-d", "/line"), 0);
	assert_string_equal(v.dir, "/line");
	arena_release(&a);
}

static void lists_of_a_stronger_source_replace_weaker_ones(void **state)
{
	struct arena a = ARENA_INIT;
	struct values v;
	struct err err;
	write_file("config.yaml", "disable: [a, b]\n");
	assert_int_equal(LOAD("--debug"), 0);
	assert_int_equal(v.disable.count, 2);
	assert_true(flag_list_has(&v.disable, "b"));
	assert_int_equal(LOAD("--disable", "c,d", "--disable", "e"), 0);
	assert_int_equal(v.disable.count, 3);
	assert_false(flag_list_has(&v.disable, "a"));
	char path[128];
	snprintf(path, sizeof path, "%s/config.yaml.d", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file("config.yaml.d/10-more.yaml", "disable+: z\nport: 9\n");
	assert_int_equal(LOAD("--debug"), 0);
	assert_int_equal(v.disable.count, 3);
	assert_true(flag_list_has(&v.disable, "z") && flag_list_has(&v.disable, "a"));
	assert_int_equal(v.port, 9);
	arena_release(&a);
}

static void mistakes_are_named(void **state)
{
	struct arena a = ARENA_INIT;
	struct values v;
	struct err err;
	assert_int_equal(LOAD("--prot", "7"), ERR_INVAL);
	assert_string_equal(err.msg, "unknown flag --prot (see test --help)");
	assert_int_equal(LOAD("--port", "x7"), ERR_INVAL);
	assert_string_equal(err.msg, "command line: --port: \"x7\" is not a whole number");
	assert_int_equal(LOAD("--port"), ERR_INVAL);
	assert_string_equal(err.msg, "--port needs a value");
	assert_int_equal(LOAD("--debug=maybe"), ERR_INVAL);
	assert_int_equal(LOAD("stray"), ERR_INVAL);
	assert_int_equal(LOAD("--later"), ERR_UNIMPLEMENTED);
	assert_int_equal(LOAD("--config", "/does/not/exist"), ERR_NOT_FOUND);
	write_file("config.yaml", "prot: 1\n");
	assert_int_equal(LOAD("--debug"), ERR_INVAL);
	assert_non_null(strstr(err.msg, "unknown setting \"prot\""));
	write_file("config.yaml", "port: [1, 2]\n");
	assert_int_equal(LOAD("--debug"), ERR_INVAL);
	write_file("config.yaml", "port: {a\n");
	assert_int_equal(LOAD("--debug"), ERR_INVAL);
	assert_non_null(strstr(err.msg, "line"));
	arena_release(&a);
}

static void what_is_known_and_not_had_is_refused_with_its_words_from_every_source(void **state)
{
	struct arena a = ARENA_INIT;
	struct values v;
	struct err err;
	assert_int_equal(LOAD("--rootless"), ERR_UNIMPLEMENTED);
	assert_string_equal(err.msg, "command line: --rootless: it is not built");
	assert_int_equal(LOAD("-g"), ERR_UNIMPLEMENTED);
	assert_string_equal(err.msg, "command line: --gone: use --port");
	assert_int_equal(LOAD("-s", "native"), ERR_UNIMPLEMENTED);
	write_file("config.yaml", "gone: [1]\n");
	assert_int_equal(LOAD("--debug"), ERR_UNIMPLEMENTED);
	assert_non_null(strstr(err.msg, "config.yaml: --gone: use --port"));
	write_file("config.yaml", "rootless: true\n");
	assert_int_equal(LOAD("--debug"), ERR_UNIMPLEMENTED);
	write_file("config.yaml", "gone+: {a: 1}\n");
	assert_int_equal(LOAD("--debug"), ERR_UNIMPLEMENTED);
	write_file("config.yaml", "debug: true\n");
	setenv("K3X_TEST_SNAPSHOTTER", "native", 1);
	assert_int_equal(LOAD("--debug"), ERR_UNIMPLEMENTED);
	assert_string_equal(err.msg, "K3X_TEST_SNAPSHOTTER: --snapshotter: use --dir");
	unsetenv("K3X_TEST_SNAPSHOTTER");
	arena_release(&a);
}

static void to_say_what_is_so_anyway_is_no_mistake(void **state)
{
	struct arena a = ARENA_INIT;
	struct values v;
	struct err err;
	write_file("config.yaml", "rootless: false\nsnapshotter: overlayfs\n");
	setenv("K3X_TEST_SNAPSHOTTER", "overlayfs", 1);
	assert_int_equal(LOAD("--rootless=no", "--snapshotter", "overlayfs", "--port", "7"), 0);
	assert_int_equal(v.port, 7);
	unsetenv("K3X_TEST_SNAPSHOTTER");
	arena_release(&a);
}

static void a_plus_is_for_lists(void **state)
{
	struct arena a = ARENA_INIT;
	struct values v;
	struct err err;
	write_file("config.yaml", "dir+: /more\n");
	assert_int_equal(LOAD("--debug"), ERR_INVAL);
	assert_non_null(strstr(err.msg, "dir+: takes one value"));
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(
	                an_item_keeps_its_commas_and_a_repeated_one_is_another, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                the_command_line_wins_over_environment_file_and_default, setup, teardown),
	        cmocka_unit_test_setup_teardown(lists_of_a_stronger_source_replace_weaker_ones, setup, teardown),
	        cmocka_unit_test_setup_teardown(mistakes_are_named, setup, teardown),
	        cmocka_unit_test_setup_teardown(
	                what_is_known_and_not_had_is_refused_with_its_words_from_every_source, setup, teardown),
	        cmocka_unit_test_setup_teardown(to_say_what_is_so_anyway_is_no_mistake, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_plus_is_for_lists, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
