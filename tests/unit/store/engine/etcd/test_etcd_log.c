/* The engine over an etcd: the whole suite against a real one, killed and started again under it, and several servers.
 */
#include "tests/unit/store/engine/database_server.h"
#include "tests/unit/store/engine/engine_suite.h"

#include "store/engine/external.h"
#include "store/engine/log_engine.h"

#include <stdatomic.h>

static struct database_server server;
static int64_t snapshot_entries;
static int port;

static struct engine *open_in(const char *folder)
{
	char path[128], endpoint[128];
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "%s/%s", suite_folder, folder);
	snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:1,http://127.0.0.1:%d", port); /* the first is nobody's */
	struct external_options o = {.endpoint = endpoint,
	        .data_dir = path,
	        .connect_wait_ms = 5000,
	        .request_ms = 60000,
	        .snapshot_entries = snapshot_entries};
	if (external_engine_open(&o, &e, &err) != 0)
		fail_msg("%s", err.msg);
	WAIT_FOR(store_has_leader(e));
	return e;
}

static struct engine *suite_open(void)
{
	return open_in("one");
}

#include "tests/unit/store/engine/engine_suite.c"

static int ctl(const char *words)
{
	return database_shell("ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:%d %s >/dev/null 2>&1", port, words);
}

static int fresh(void **state)
{
	assert_int_equal(ctl("del --prefix k3x/"), 0);
	return suite_setup(state);
}

#undef SUITE_TEST
#define SUITE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, suite_teardown)

#include "tests/unit/store/engine/database_suite.c"

struct writer {
	struct engine *engine;
	pthread_t thread;
	atomic_int done;
};

static void *write_much(void *arg)
{
	struct writer *w = arg;
	for (int i = 0; i < 100; i++)
		if (suite_put(w->engine, "counter", "x") > 0)
			atomic_fetch_add(&w->done, 1);
	return NULL;
}

static void test_servers_that_write_at_once_lose_nothing(void **state)
{
	struct engine *b = open_in("two");
	struct writer w[4] = {{.engine = *state}, {.engine = b}, {.engine = *state}, {.engine = b}};
	int done = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&w[i].thread, NULL, write_much, &w[i]);
	for (int i = 0; i < 4; i++) {
		pthread_join(w[i].thread, NULL);
		done += atomic_load(&w[i].done);
	}
	assert_int_equal(done, 400);
	struct suite_call c = {.req.op = suite_op_get("counter")};
	assert_int_equal(suite_run(b, &c), 0);
	assert_int_equal(c.req.result.kvs[0].version, 400);
	suite_end(&c);
	store_close(b);
}

int main(void)
{
	/* Below those that the kernel gives to who connects: while the server is down somebody would have its port,
	 * were it only who tries to reach it, for such a socket connects to itself. */
	port = 20000 + (int)(getpid() % 6000) * 2;
	if (database_shell("command -v etcd >/dev/null") != 0) {
		print_message("etcd is not installed (apt-get install etcd-server)\n");
		return 1;
	}
	etcd_make(&server, port);
	const struct CMUnitTest tests[] = {
	        SUITE_TESTS,
	        SUITE_TEST(test_a_server_without_a_copy_takes_the_snapshot),
	        SUITE_TEST(test_a_killed_database_is_waited_for),
	        SUITE_TEST(test_servers_that_write_at_once_lose_nothing),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	database_remove(&server);
	return rc;
}
