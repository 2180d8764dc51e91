/* The engine over PostgreSQL: the whole suite against a real server, and what a database does that a log in memory does
 * not: stop, refuse, be somebody else's, hide behind rights. */
#include "tests/unit/store/engine/database_server.h"
#include "tests/unit/store/engine/engine_suite.h"

#include "base/clock.h"
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
	snprintf(text, sizeof text, "postgres://%s@/%s?host=%s", user, database, server.folder);
	return text;
}

static struct engine *open_in(const char *folder)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	if (open_as(endpoint_of("postgres", "postgres"), folder, &e, &err) != 0)
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
	assert_int_equal(postgres_sql(&server, "DROP TABLE IF EXISTS k3x_meta, k3x_log, k3x_snapshot, other, kine"), 0);
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

static void test_a_connection_that_is_cut_is_made_anew(void **state)
{
	struct engine *e = *state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(suite_put(e, "a", "1"), 2 + i);
		postgres_sql(&server,
		        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'k3x'");
	}
	assert_int_equal(suite_put(e, "a", "1"), 7);
}

/* The server's log says how a statement came. */
static void test_statements_are_prepared(void **state)
{
	postgres_sql(&server, "ALTER DATABASE postgres SET log_statement = 'all'");
	struct engine *e = open_in("prepared");
	assert_true(suite_put(e, "a", "1") > 0);
	store_close(e);
	postgres_sql(&server, "ALTER DATABASE postgres RESET ALL");
	assert_int_equal(
	        database_shell("grep -q 'execute k3x[0-9]*: WITH m AS (UPDATE k3x_meta' %s/server.log", server.folder),
	        0);
	assert_int_not_equal(
	        database_shell("grep -q 'execute <unnamed>: WITH m AS (UPDATE k3x_meta' %s/server.log", server.folder),
	        0);
}

static void test_two_servers_hear_of_each_other(void **state)
{
	struct engine *a = *state, *b = open_in("two");
	for (int i = 0; i < 20; i++) {
		int64_t revision = suite_put(i % 2 ? a : b, "k", "v");
		uint64_t begun = clock_mono_ms();
		WAIT_FOR(store_revision(i % 2 ? b : a) >= revision);
		assert_true(clock_mono_ms() - begun < 500); /* told, and not looked for */
	}
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

static void test_a_database_of_somebody_else_is_left_alone(void **state)
{
	char msg[400];
	store_close(*state);
	empty();
	postgres_sql(&server, "CREATE TABLE other (a int)");
	assert_int_equal(code_for(endpoint_of("postgres", "postgres"), msg, sizeof msg), ERR_INVAL);
	assert_non_null(strstr(msg, "other"));
	postgres_sql(&server, "ALTER TABLE other RENAME TO kine");
	assert_int_equal(code_for(endpoint_of("postgres", "postgres"), msg, sizeof msg), ERR_INVAL);
	assert_non_null(strstr(msg, "k3s"));
	empty();
	*state = suite_open();
	store_close(*state);
	postgres_sql(&server, "UPDATE k3x_meta SET version = 7");
	assert_int_equal(code_for(endpoint_of("postgres", "postgres"), msg, sizeof msg), ERR_CORRUPT);
	assert_non_null(strstr(msg, "version 7"));
	empty();
	*state = suite_open();
}

static void test_wrong_names_and_missing_rights_are_told(void **state)
{
	char msg[400];
	assert_int_equal(code_for(endpoint_of("nobody_here", "postgres"), msg, sizeof msg), ERR_UNAUTHENTICATED);
	assert_int_equal(code_for(endpoint_of("postgres", "nothing"), msg, sizeof msg), ERR_INVAL);
	assert_non_null(strstr(msg, "create it"));
	postgres_sql(&server, "CREATE ROLE poor LOGIN");
	assert_int_equal(code_for(endpoint_of("poor", "postgres"), msg, sizeof msg), ERR_FORBIDDEN);
	assert_non_null(strstr(msg, "grant"));
	assert_int_equal(code_for("postgres://x:secret@/x?host=/nowhere", msg, sizeof msg), ERR_UNAVAILABLE);
	assert_null(strstr(msg, "secret"));
}

static void test_a_database_that_only_reads_is_named(void **state)
{
	char msg[400];
	postgres_sql(&server, "ALTER DATABASE postgres SET default_transaction_read_only = on");
	assert_int_equal(code_for(endpoint_of("postgres", "postgres"), msg, sizeof msg), ERR_UNAVAILABLE);
	assert_non_null(strstr(msg, "only reads"));
	database_shell("psql -q -h %s -U postgres -d template1 -c 'ALTER DATABASE postgres RESET ALL' >/dev/null 2>&1",
	        server.folder);
}

int main(void)
{
	if (!postgres_is_there()) {
		print_message("PostgreSQL is not installed (apt-get install postgresql)\n");
		return 1;
	}
	postgres_make(&server);
	const struct CMUnitTest tests[] = {
	        SUITE_TESTS,
	        SUITE_TEST(test_a_server_without_a_copy_takes_the_snapshot),
	        SUITE_TEST(test_a_killed_database_is_waited_for),
	        SUITE_TEST(test_a_connection_that_is_cut_is_made_anew),
	        SUITE_TEST(test_statements_are_prepared),
	        SUITE_TEST(test_two_servers_hear_of_each_other),
	        SUITE_TEST(test_a_database_of_somebody_else_is_left_alone),
	        SUITE_TEST(test_wrong_names_and_missing_rights_are_told),
	        SUITE_TEST(test_a_database_that_only_reads_is_named),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	database_remove(&server);
	return rc;
}
