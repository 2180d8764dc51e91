/* Ids of machines: made once, kept, and told when what is kept is none. */
#include "tools/k3x/keys/node_id.h"
#include "base/check.h"
#include "base/pki/pki.h"
#include "tests/unit/unit.h"
#include "tools/k3x/keys/server_pki.h"

#include <ftw.h>

static struct server_settings s;
static char folder[] = "/tmp/k3x-node-id-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	struct err err = ERR_INIT;
	memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(folder));
	s = (struct server_settings){.data_dir = folder, .node_name = "box", .is_agent = true, .with_node_id = true};
	return server_make_folders(&s, &err);
}

static int tear_down(void **state)
{
	arena_release(&s.arena);
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void the_id_is_the_same_at_every_start(void **state)
{
	struct err err = ERR_INIT;
	assert_int_equal(node_id_append(&s, &err), 0);
	assert_int_equal(strlen(s.node_name), strlen("box-") + 8);
	assert_int_equal(strncmp(s.node_name, "box-", 4), 0);
	const char *first = s.node_name;
	s.node_name = "box";
	assert_int_equal(node_id_append(&s, &err), 0);
	assert_string_equal(s.node_name, first);
}

static void who_wants_none_gets_none(void **state)
{
	struct err err = ERR_INIT;
	s.with_node_id = false;
	assert_int_equal(node_id_append(&s, &err), 0);
	assert_string_equal(s.node_name, "box");
}

static void a_file_that_holds_none_is_told(void **state)
{
	static const char *const bad[] = {"", "0123456", "0123456G", "0123ABCD", "012345678"};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct err err = ERR_INIT;
		assert_int_equal(pki_file_write(server_file(&s, "agent/node-id"), slice_of(bad[i]), 0644, &err), 0);
		assert_int_equal(node_id_append(&s, &err), ERR_CORRUPT);
		assert_non_null(strstr(err.msg, "agent/node-id"));
		assert_string_equal(s.node_name, "box");
	}
}

static void a_name_that_gets_too_long_is_told(void **state)
{
	struct err err = ERR_INIT;
	char name[246];
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = 0;
	for (size_t i = 60; i < sizeof name - 2; i += 60)
		name[i] = '.';
	s.node_name = name;
	assert_int_equal(node_id_append(&s, &err), ERR_INVAL);
	assert_non_null(strstr(err.msg, "--node-name"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(the_id_is_the_same_at_every_start, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(who_wants_none_gets_none, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_file_that_holds_none_is_told, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_name_that_gets_too_long_is_told, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
