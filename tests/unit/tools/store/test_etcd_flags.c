/* Flags of etcd that are no settings: refused with the reason, or held to the value that is what happens. */
#include "tests/unit/unit.h"

#include "tools/store/serve/etcd_flags.h"

#include <stdlib.h>

static const char *name;
static struct err err;
static struct arena arena;

static int load_words(int n, char **words)
{
	static const struct flag own[] = {{"name", 0, FLAG_STRING, &name, "ETCD_NAME", "a name", NULL}};
	struct etcd_flags *e;
	size_t count;
	err = ERR_INIT;
	name = "default";
	struct flags f = {.program = "test", .summary = "a test"};
	f.table = etcd_flags_add(&arena, own, 1, &e, &count);
	f.count = count;
	int rc = flags_load(&f, &arena, n, words, &err);
	return rc == 0 ? etcd_flags_check(e, &err) : rc;
}

#define LOAD(...) load_words(sizeof((char *[]){"test", __VA_ARGS__}) / sizeof(char *), (char *[]){"test", __VA_ARGS__})

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

static void the_obvious_may_be_said(void **state)
{
	assert_int_equal(LOAD("--pre-vote", "--strict-reconfig-check=true", "--enable-v2=false", "--logger", "zap",
	                         "--proxy", "off", "--cors", "", "--name", "m1"),
	        0);
	assert_string_equal(name, "m1");
}

static void and_nothing_else(void **state)
{
	assert_int_equal(LOAD("--enable-v2"), ERR_INVAL);
	assert_non_null(strstr(err.msg, "--enable-v2=true: the v2 API is not here"));
	assert_int_equal(LOAD("--logger=capnslog"), ERR_INVAL);
	assert_non_null(strstr(err.msg, "--logger=capnslog"));
	assert_int_equal(LOAD("--v2-deprecation", "yes"), ERR_INVAL);
}

static void what_is_not_here_says_why(void **state)
{
	assert_int_not_equal(LOAD("--discovery", "http://x"), 0);
	assert_non_null(strstr(err.msg, "--discovery: members find each other"));
	assert_int_not_equal(LOAD("--discovery-insecure-transport", "--name", "m1"), 0);
	assert_non_null(strstr(err.msg, "--discovery-insecure-transport:"));
}

static void by_its_older_name_and_by_the_environment(void **state)
{
	assert_int_not_equal(LOAD("--experimental-max-learners", "2"), 0);
	assert_non_null(strstr(err.msg, "--experimental-max-learners: any number"));
	setenv("ETCD_SNAPSHOT_CATCHUP_ENTRIES", "5000", 1);
	assert_int_not_equal(LOAD("--name", "m1"), 0);
	assert_non_null(strstr(err.msg, "ETCD_SNAPSHOT_CATCHUP_ENTRIES: --snapshot-catchup-entries:"));
	unsetenv("ETCD_SNAPSHOT_CATCHUP_ENTRIES");
	setenv("ETCD_PRE_VOTE", "false", 1);
	assert_int_not_equal(LOAD("--name", "m1"), 0);
	unsetenv("ETCD_PRE_VOTE");
}

static const char *of(const char *section, const char *key)
{
	const char *flag = etcd_flags_config_name(&arena, slice_of(section), slice_of(key));
	return flag ? flag : "(none)";
}

static void maps_of_the_configuration_file_are_known(void **state)
{
	assert_string_equal(of("client-transport-security", "cert-file"), "cert-file");
	assert_string_equal(of("peer-transport-security", "cert-file"), "peer-cert-file");
	assert_string_equal(of("client-transport-security", "crl-file"), "client-crl-file");
	assert_string_equal(of("peer-transport-security", "allowed-cn"), "peer-cert-allowed-cn");
	assert_string_equal(of("peer-transport-security", "client-cert-auth"), "peer-client-cert-auth");
	assert_string_equal(of("client-transport-security", "allowed-cn"), "(none)");
	assert_string_equal(of("security", "cert-file"), "(none)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(the_obvious_may_be_said, teardown),
	        cmocka_unit_test_teardown(and_nothing_else, teardown),
	        cmocka_unit_test_teardown(what_is_not_here_says_why, teardown),
	        cmocka_unit_test_teardown(by_its_older_name_and_by_the_environment, teardown),
	        cmocka_unit_test_teardown(maps_of_the_configuration_file_are_known, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
