/* The engine over MariaDB: the whole suite against a real server, and what the database does beside. */
#include "tests/unit/store/engine/database_server.h"
#include "tests/unit/store/engine/engine_suite.h"

#include "store/engine/external.h"
#include "store/engine/log_engine.h"

static struct database_server server;
static int64_t snapshot_entries;

static int open_as(const char *endpoint, const char *folder, struct engine **ret, struct err *err)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", suite_folder, folder);
	struct external_options o = {.endpoint = endpoint,
	        .data_dir = path,
	        .connect_wait_ms = 3000,
	        .request_ms = 60000,
	        .snapshot_entries = snapshot_entries};
	return external_engine_open(&o, ret, err);
}

static const char *endpoint_of(const char *user, const char *database)
{
	static char text[256];
	snprintf(text, sizeof text, "mysql://%s@unix(%s/s.sock)/%s", user, server.folder, database);
	return text;
}

static struct engine *open_in(const char *folder)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	if (open_as(endpoint_of("root", "k3x"), folder, &e, &err) != 0)
		fail_msg("%s", err.msg);
	WAIT_FOR(store_has_leader(e));
	return e;
}

static struct engine *suite_open(void)
{
	return open_in("one");
}

static void empty(void)
{
	assert_int_equal(mariadb_sql(&server, "DROP DATABASE k3x; CREATE DATABASE k3x"), 0);
}

#include "tests/unit/store/engine/engine_suite.c"

static int fresh(void **state)
{
	empty();
	return suite_setup(state);
}

#undef SUITE_TEST
#define SUITE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, suite_teardown)

#include "tests/unit/store/engine/database_suite.c"

static void test_two_servers_share_it(void **state)
{
	struct engine *a = *state, *b = open_in("two");
	for (int i = 0; i < 20; i++) {
		int64_t revision = suite_put(i % 2 ? a : b, "k", "v");
		assert_int_equal(revision, 2 + i);
		WAIT_FOR(store_revision(i % 2 ? b : a) >= revision);
	}
	store_close(b);
}

/* Every byte comes back, whatever the server thinks of character sets and escapes. */
static void test_bytes_stay_what_they_are(void **state)
{
	struct engine *e = *state, *b;
	char all[256];
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	struct suite_call c = {.req.op = suite_op_put("k", "")};
	c.req.op.put.value = (struct slice){all, sizeof all};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	b = open_in("two"); /* has it out of the log alone */
	c.req.op = suite_op_get("k");
	assert_int_equal(suite_run(b, &c), 0);
	assert_int_equal(c.req.result.kvs[0].value.len, 256);
	assert_memory_equal(c.req.result.kvs[0].value.ptr, all, 256);
	suite_end(&c);
	store_close(b);
}

static int code_for(const char *endpoint, char *msg, size_t size)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	int rc = open_as(endpoint, "refused", &e, &err);
	snprintf(msg, size, "%s", err.msg);
	if (rc == 0)
		store_close(e);
	return rc;
}

static void test_what_is_wrong_is_told(void **state)
{
	char msg[400], text[300];
	assert_int_equal(code_for(endpoint_of("nobody_here", "k3x"), msg, sizeof msg), ERR_UNAUTHENTICATED);
	assert_int_equal(code_for(endpoint_of("root", "nothing"), msg, sizeof msg), ERR_INVAL);
	assert_non_null(strstr(msg, "create it"));
	mariadb_sql(&server, "CREATE DATABASE others; CREATE TABLE others.t (a INT); CREATE USER poor@localhost; GRANT "
	                     "SELECT ON k3x.* TO poor@localhost; CREATE DATABASE bare; GRANT SELECT ON bare.* TO "
	                     "poor@localhost");
	assert_int_equal(code_for(endpoint_of("root", "others"), msg, sizeof msg), ERR_INVAL);
	assert_non_null(strstr(msg, "somebody else"));
	assert_int_equal(code_for(endpoint_of("poor", "bare"), msg, sizeof msg), ERR_FORBIDDEN);
	assert_non_null(strstr(msg, "grant"));
	assert_int_equal(code_for("mysql://root:secret@tcp(127.0.0.1:1)/k3x", msg, sizeof msg), ERR_UNAVAILABLE);
	assert_null(strstr(msg, "secret"));
	snprintf(text, sizeof text, "%s?loc=UTC", endpoint_of("root", "k3x"));
	assert_int_equal(code_for(text, msg, sizeof msg), ERR_INVAL);
	assert_non_null(strstr(msg, "loc"));
	mariadb_sql(&server, "SET GLOBAL read_only = 1");
	assert_int_equal(code_for(endpoint_of("root", "k3x"), msg, sizeof msg), ERR_UNAVAILABLE);
	assert_non_null(strstr(msg, "only reads"));
	mariadb_sql(&server, "SET GLOBAL read_only = 0; SET GLOBAL max_allowed_packet = 1048576");
	assert_int_equal(code_for(endpoint_of("root", "k3x"), msg, sizeof msg), ERR_INVAL);
	assert_non_null(strstr(msg, "max_allowed_packet"));
	mariadb_sql(&server, "SET GLOBAL max_allowed_packet = 16777216");
}

int main(void)
{
	if (!mariadb_is_there()) {
		print_message("MariaDB is not installed (apt-get install mariadb-server)\n");
		return 1;
	}
	mariadb_make(&server);
	const struct CMUnitTest tests[] = {
	        SUITE_TESTS,
	        SUITE_TEST(test_a_server_without_a_copy_takes_the_snapshot),
	        SUITE_TEST(test_a_killed_database_is_waited_for),
	        SUITE_TEST(test_two_servers_share_it),
	        SUITE_TEST(test_bytes_stay_what_they_are),
	        SUITE_TEST(test_what_is_wrong_is_told),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	database_remove(&server);
	return rc;
}
