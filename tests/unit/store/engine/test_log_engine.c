/* The engine over a shared log, the log being one in memory: the suite, several servers, and what becomes of requests
 * when the log is lost over them. */
#include "tests/unit/store/engine/engine_suite.h"
#include "tests/unit/store/engine/memory_log.h"

#include <stdatomic.h>

static struct memory_store shared;

static struct engine *open_in(const char *folder)
{
	struct log_engine_options o = {.data_dir = folder,
	        .source = {.open = memory_open, .arg = &shared},
	        .connect_wait_ms = 10,
	        .poll_ms_max = 5,
	        .beat_ms = 50};
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	if (log_engine_open(&o, &e, &err) != 0)
		fail_msg("%s", err.msg);
	WAIT_FOR(store_has_leader(e));
	return e;
}

static struct engine *suite_open(void)
{
	if (!shared.first)
		shared = memory_store_new();
	return open_in(suite_folder);
}

#include "tests/unit/store/engine/engine_suite.c"

static int fresh(void **state)
{
	memory_store_release(&shared);
	shared = memory_store_new();
	return suite_setup(state);
}

#undef SUITE_TEST
#define SUITE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, suite_teardown)

static const char *second_folder(void)
{
	static char path[96];
	snprintf(path, sizeof path, "%s/second", suite_folder);
	mkdir(path, 0700);
	return path;
}

static void set_faults(unsigned before, unsigned after, int refuse)
{
	pthread_mutex_lock(&shared.lock);
	shared.lose_before = before;
	shared.lose_after = after;
	shared.refuse_code = refuse;
	pthread_mutex_unlock(&shared.lock);
}

static int64_t bound(const int64_t *of_shared)
{
	pthread_mutex_lock(&shared.lock);
	int64_t n = *of_shared;
	pthread_mutex_unlock(&shared.lock);
	return n;
}

static void set_away(bool is_away)
{
	pthread_mutex_lock(&shared.lock);
	shared.is_away = is_away;
	pthread_mutex_unlock(&shared.lock);
}

static void test_two_servers_share_one_log(void **state)
{
	struct engine *a = *state, *b = open_in(second_folder());
	assert_int_equal(suite_put(a, "k", "1"), 2);
	assert_string_equal(suite_get(b, "k"), "1"); /* a read that may not be behind */
	assert_int_equal(suite_put(b, "k", "2"), 3);
	assert_string_equal(suite_get(a, "k"), "2");
	WAIT_FOR(store_leads(a));
	assert_false(store_leads(b));
	store_close(b);
}

static void test_another_server_leads_when_one_ends(void **state)
{
	struct engine *a = *state, *b = open_in(second_folder());
	WAIT_FOR(store_leads(a));
	uint64_t term = store_led_term(a);
	assert_int_equal(store_led_term(b), 0);
	store_close(a);
	WAIT_FOR(store_leads(b));
	assert_true(store_led_term(b) > term);
	struct suite_call c = {.req.op = suite_op_put("k", "of the other"), .req.term_expected = term};
	assert_int_equal(suite_run(b, &c), ERR_CANCELED);
	suite_end(&c);
	*state = b;
}

static void test_a_lost_entry_is_sent_again(void **state)
{
	struct engine *e = *state;
	set_faults(3, 0, 0);
	assert_int_equal(suite_put(e, "a", "1"), 2);
	assert_int_equal(suite_put(e, "a", "2"), 3);
	set_faults(0, 3, 0);
	assert_int_equal(suite_put(e, "a", "3"), 4);
	assert_int_equal(suite_put(e, "a", "4"), 5);
	assert_int_equal(store_revision(e), 5);
}

static void hide(int64_t behind)
{
	pthread_mutex_lock(&shared.lock);
	shared.is_hiding = behind >= 0;
	shared.shown = behind;
	pthread_mutex_unlock(&shared.lock);
}

static void begin_put(struct engine *e, struct suite_call *c, const char *key)
{
	*c = (struct suite_call){.req.op = suite_op_put(key, "v"), .req.done = suite_call_done};
	uv_sem_init(&c->done, 0);
	store_submit(e, &c->req);
}

/* Two requests go in one entry, and the time of the first is over before the entry is seen. */
static void test_who_waits_shorter_leaves_the_others_of_an_entry_theirs(void **state)
{
	struct log_engine_options o = {.data_dir = suite_folder,
	        .source = {.open = memory_open, .arg = &shared},
	        .connect_wait_ms = 10,
	        .request_ms = 1000,
	        .poll_ms_max = 5,
	        .beat_ms = 50};
	struct err err = ERR_INIT;
	struct engine *e;
	struct suite_call before, early, late;
	store_close(*state);
	assert_int_equal(log_engine_open(&o, &e, &err), 0);
	*state = e;
	WAIT_FOR(store_leads(e));
	hide(bound(&shared.last));
	set_faults(0, 2, 0);
	begin_put(e, &before, "before");
	WAIT_FOR(bound(&shared.last) > shared.shown);
	begin_put(e, &early, "early");
	usleep(400 * 1000); /* that much longer the other one waits */
	begin_put(e, &late, "late");
	hide(bound(&shared.last));
	uv_sem_wait(&before.done);
	assert_int_equal(before.req.err.code, 0);
	uv_sem_wait(&early.done);
	assert_int_equal(early.req.err.code, ERR_TIMEOUT);
	hide(-1);
	uv_sem_wait(&late.done);
	assert_int_equal(late.req.err.code, 0);
	assert_string_equal(suite_get(e, "early"), "v");
	assert_string_equal(suite_get(e, "late"), "v");
	assert_int_equal(late.req.revision, store_revision(e));
	suite_end(&before);
	suite_end(&early);
	suite_end(&late);
}

static void test_a_refusal_is_answered(void **state)
{
	struct engine *e = *state;
	set_faults(0, 0, ERR_NO_SPACE);
	assert_int_equal(suite_put(e, "a", "1"), ERR_NO_SPACE);
	set_faults(0, 0, 0);
	assert_int_equal(suite_put(e, "a", "1"), 2);
}

static void test_it_goes_on_when_the_log_is_back(void **state)
{
	struct engine *e = *state;
	suite_put(e, "a", "1");
	set_away(true);
	struct suite_call c = {.req.op = suite_op_put("a", "2")}, r = {.req.op = suite_op_get("a")};
	uv_sem_init(&c.done, 0);
	c.req.done = suite_call_done;
	store_submit(e, &c.req);
	r.req.op.range.serializable = true;
	assert_int_equal(suite_run(e, &r), 0); /* what is here is read all the same */
	suite_end(&r);
	WAIT_FOR(!store_leads(e));
	set_away(false);
	uv_sem_wait(&c.done);
	assert_int_equal(c.req.err.code, 0);
	assert_int_equal(c.req.revision, 3);
	suite_end(&c);
	WAIT_FOR(store_leads(e));
}

/* One that hangs takes seconds for every try. */
static void test_who_is_about_to_end_does_not_connect_again(void **state)
{
	struct engine *e = *state;
	suite_put(e, "a", "1");
	set_away(true);
	WAIT_FOR(!store_leads(e));
	store_hurry(e);
	struct suite_call c = {.req.op = suite_op_put("a", "2")};
	uv_sem_init(&c.done, 0);
	c.req.done = suite_call_done;
	store_submit(e, &c.req); /* wakes it: it has seen that it is hurried before this is answered */
	uv_sem_wait(&c.done);
	assert_int_equal(c.req.err.code, ERR_UNAVAILABLE);
	suite_end(&c);
	unsigned connects = shared.connects;
	set_away(false);
	assert_int_equal(suite_put(e, "a", "2"), ERR_UNAVAILABLE);
	assert_int_equal(shared.connects, connects);
}

static void test_a_restart_goes_on(void **state)
{
	struct engine *e = *state;
	char key[16];
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof key, "k%d", i);
		suite_put(e, key, "v");
	}
	store_close(e);
	*state = e = suite_open();
	assert_int_equal(store_revision(e), 101);
	assert_string_equal(suite_get(e, "k99"), "v");
	assert_int_equal(suite_put(e, "k", "v"), 102);
	WAIT_FOR(store_leads(e));
}

static void test_a_log_that_is_lost_over_opening_is_waited_for(void **state)
{
	struct engine *e = *state;
	struct log_engine_options o = {.data_dir = suite_folder,
	        .source = {.open = memory_open, .arg = &shared},
	        .connect_wait_ms = 60000,
	        .beat_ms = 50};
	struct err err = ERR_INIT;
	suite_put(e, "k", "v");
	store_close(e);
	pthread_mutex_lock(&shared.lock);
	shared.lose_reads = 2;
	pthread_mutex_unlock(&shared.lock);
	if (log_engine_open(&o, &e, &err) != 0)
		fail_msg("%s", err.msg);
	*state = e;
	assert_string_equal(suite_get(e, "k"), "v");
	assert_int_equal(shared.lose_reads, 0);
}

static void test_a_server_without_a_copy_takes_the_snapshot(void **state)
{
	struct engine *e = *state;
	store_close(e);
	struct log_engine_options o = {.data_dir = suite_folder,
	        .source = {.open = memory_open, .arg = &shared},
	        .connect_wait_ms = 10,
	        .beat_ms = 50,
	        .snapshot_entries = 100};
	struct err err = ERR_INIT;
	char key[16];
	assert_int_equal(log_engine_open(&o, &e, &err), 0);
	*state = e;
	for (int i = 0; i < 2500; i++) {
		snprintf(key, sizeof key, "k%d", i);
		assert_true(suite_put(e, key, "v") > 0);
	}
	WAIT_FOR(bound(&shared.first) > 1);
	struct engine *b = open_in(second_folder());
	assert_string_equal(suite_get(b, "k0"), "v");
	assert_string_equal(suite_get(b, "k2499"), "v");
	assert_int_equal(store_revision(b), store_revision(e));
	store_close(b);
}

static void test_a_log_that_was_set_back_is_followed(void **state)
{
	struct engine *e = *state;
	suite_put(e, "a", "1");
	store_close(e);
	while (shared.last > 1) /* a backup from before the put */
		free(shared.entries[shared.last--].bytes);
	*state = e = suite_open();
	assert_null(suite_get(e, "a"));
	assert_int_equal(suite_put(e, "b", "1"), 2);
}

/* What another server makes of the log is compared with what the leader made of it. */
static void test_a_copy_that_differs_is_found_out(void **state)
{
	struct engine *a = *state, *b = NULL;
	struct log_engine_options o = {.data_dir = second_folder(),
	        .source = {.open = memory_open, .arg = &shared},
	        .connect_wait_ms = 10,
	        .beat_ms = 50};
	struct err err = ERR_INIT;
	WAIT_FOR(store_leads(a));
	suite_put(a, "k", "one");
	int64_t first = bound(&shared.last);
	suite_put(a, "k", "two");
	int64_t second = bound(&shared.last);
	WAIT_FOR(bound(&shared.last) > second + 3); /* beats */
	pthread_mutex_lock(&shared.lock);
	struct memory_entry *x = &shared.entries[first], *y = &shared.entries[second];
	free(x->bytes);
	x->bytes = malloc(y->entry.bytes.len);
	memcpy(x->bytes, y->bytes, y->entry.bytes.len);
	x->entry.bytes = (struct slice){x->bytes, y->entry.bytes.len};
	pthread_mutex_unlock(&shared.lock);
	assert_int_equal(log_engine_open(&o, &b, &err), ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "is not what it is on the server that leads"));
	char mark[128];
	snprintf(mark, sizeof mark, "%s/rebuild", o.data_dir);
	assert_int_equal(access(mark, F_OK), 0);
}

struct writer {
	struct engine *engine;
	pthread_t thread;
	atomic_int done;
};

static void *write_much(void *arg)
{
	struct writer *w = arg;
	struct suite_call c = {0};
	for (int i = 0; i < 200; i++) {
		c.req.op = suite_op_put("counter", "x");
		if (suite_run(w->engine, &c) == 0)
			atomic_fetch_add(&w->done, 1);
		suite_end(&c);
	}
	return NULL;
}

/* Each write counts once, whatever is lost on its way. */
static void test_nothing_is_lost_or_doubled(void **state)
{
	struct engine *b = open_in(second_folder());
	struct writer w[4] = {{.engine = *state}, {.engine = b}, {.engine = *state}, {.engine = b}};
	int64_t before = store_revision(b);
	int done = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&w[i].thread, NULL, write_much, &w[i]);
	for (int i = 0; i < 50; i++) {
		set_faults(i % 2, i % 3, 0);
		usleep(2000);
	}
	set_faults(0, 0, 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(w[i].thread, NULL);
		done += atomic_load(&w[i].done);
	}
	assert_int_equal(done, 800);
	struct suite_call c = {.req.op = suite_op_get("counter")};
	assert_int_equal(suite_run(b, &c), 0);
	assert_int_equal(c.req.result.kvs[0].version, 800);
	assert_int_equal(c.req.revision, before + 800);
	suite_end(&c);
	store_close(b);
}

int main(void)
{
	shared = memory_store_new();
	const struct CMUnitTest tests[] = {
	        SUITE_TESTS,
	        SUITE_TEST(test_two_servers_share_one_log),
	        SUITE_TEST(test_another_server_leads_when_one_ends),
	        SUITE_TEST(test_a_lost_entry_is_sent_again),
	        SUITE_TEST(test_who_waits_shorter_leaves_the_others_of_an_entry_theirs),
	        SUITE_TEST(test_a_refusal_is_answered),
	        SUITE_TEST(test_it_goes_on_when_the_log_is_back),
	        SUITE_TEST(test_who_is_about_to_end_does_not_connect_again),
	        SUITE_TEST(test_a_restart_goes_on),
	        SUITE_TEST(test_a_log_that_is_lost_over_opening_is_waited_for),
	        SUITE_TEST(test_a_server_without_a_copy_takes_the_snapshot),
	        SUITE_TEST(test_a_log_that_was_set_back_is_followed),
	        SUITE_TEST(test_a_copy_that_differs_is_found_out),
	        SUITE_TEST(test_nothing_is_lost_or_doubled),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	memory_store_release(&shared);
	return rc;
}
