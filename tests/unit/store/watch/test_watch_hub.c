/* Watches through the engine: from old revisions, behind the ring, past compaction, many at once, closed at odd times.
 */
#include "store/engine/raft_engine.h"

static struct engine *suite_open(void);
#include "tests/unit/store/engine/engine_suite.h"

#include "store/watch/watch_hub.h"

static struct loop test_loop;
static size_t ring_bytes;

static struct engine *suite_open(void)
{
	struct engine *e = NULL;
	struct err err = ERR_INIT;
	struct raft_engine_options o = {.data_dir = suite_folder, .watch_ring_bytes = ring_bytes};
	if (raft_engine_open_alone(&o, &e, &err) != 0)
		fail_msg("%s", err.msg);
	return e;
}

static int setup(void **state)
{
	suite_folder_make();
	*state = suite_open();
	loop_init(&test_loop, "test");
	loop_start_thread(&test_loop);
	return 0;
}

static int setup_small_ring(void **state)
{
	ring_bytes = 2000;
	int rc = setup(state);
	ring_bytes = 0;
	return rc;
}

static void stop(void *arg)
{
	loop_stop(&test_loop);
}

static int teardown(void **state)
{
	loop_call(&test_loop, stop, NULL);
	loop_join(&test_loop);
	loop_release(&test_loop);
	store_close(*state);
	suite_folder_remove();
	return 0;
}

/* A watcher that checks order, uniqueness and that revisions are not torn, and counts. */
struct watcher {
	struct engine *engine;
	struct store_watch *watch;
	struct store_watch_options options;
	atomic_int events, deletes;
	atomic_int error;
	_Atomic int64_t revision, compacted, last_event;
	atomic_bool disorder;
	bool is_greedy; /* reads until nothing is left */
	uv_sem_t closed;
	char last_prev[64];
};

static void watcher_ready(void *arg)
{
	struct watcher *w = arg;
	struct store_watch_batch b;
	struct err err;
	do {
		if (store_watch_read(w->engine, w->watch, &b, &err) != 0) {
			w->compacted = b.compacted_revision;
			w->error = err.code;
			return;
		}
		for (size_t i = 0; i < b.n_events; i++) {
			const struct store_event *ev = &b.events[i];
			if (ev->kv.mod_revision < w->last_event || (i == 0 && ev->kv.mod_revision == w->last_event))
				w->disorder = true;
			if (ev->kv.mod_revision > b.revision || !slice_starts(ev->kv.key, "k"))
				w->disorder = true;
			w->last_event = ev->kv.mod_revision;
			w->deletes += ev->is_delete;
			snprintf(w->last_prev, sizeof w->last_prev, "%.*s", SLICE_FMT(ev->prev.value));
		}
		w->events += (int)b.n_events;
		if (b.revision < w->revision)
			w->disorder = true;
		w->revision = b.revision;
	} while (w->is_greedy && b.n_events);
}

static void watcher_open_cb(void *arg)
{
	struct watcher *w = arg;
	w->watch = store_watch_open(w->engine, &w->options, &test_loop, watcher_ready, w);
}

static void watcher_open(struct watcher *w, struct engine *e, int64_t start)
{
	w->engine = e;
	if (!w->options.keys.key.len)
		w->options.keys = (struct store_key_range){SLICE("k"), SLICE("l")};
	w->options.start_revision = start;
	uv_sem_init(&w->closed, 0);
	loop_call(&test_loop, watcher_open_cb, w);
}

static void watcher_closed(void *arg)
{
	uv_sem_post(&((struct watcher *)arg)->closed);
}

static void watcher_close_cb(void *arg)
{
	struct watcher *w = arg;
	store_watch_close(w->engine, w->watch, watcher_closed, w);
}

static void watcher_close(struct watcher *w)
{
	loop_call(&test_loop, watcher_close_cb, w);
	uv_sem_wait(&w->closed);
	uv_sem_destroy(&w->closed);
	assert_false(w->disorder);
}

static void put_many(struct engine *e, int n)
{
	char key[16];
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof key, "k%d", i % 10);
		suite_put(e, key, "some value of some length");
	}
}

static void test_from_now_on_and_only_the_range(void **state)
{
	struct engine *e = *state;
	struct watcher w = {.is_greedy = true};
	put_many(e, 3);
	watcher_open(&w, e, 0);
	suite_put(e, "a", "not wanted");
	put_many(e, 5);
	suite_delete(e, "k1");
	suite_put(e, "z", "not wanted");
	WAIT_FOR(w.events == 6);
	assert_int_equal(w.deletes, 1);
	watcher_close(&w);
}

static void read_once(void *arg)
{
	watcher_ready(arg);
}

static void test_a_read_reports_progress_without_events(void **state)
{
	struct engine *e = *state;
	struct watcher w = {.is_greedy = true};
	watcher_open(&w, e, 0);
	int64_t at = suite_put(e, "a", "not wanted");
	loop_call(&test_loop, read_once, &w); /* what was answered is in it */
	assert_int_equal(w.revision, at);
	assert_int_equal(w.events, 0);
	watcher_close(&w);
}

static void test_an_answered_write_can_be_read(void **state)
{
	struct engine *e = *state;
	struct watcher w = {.is_greedy = true};
	watcher_open(&w, e, 0);
	for (int i = 1; i < 50; i++) {
		put_many(e, 1);
		loop_call(&test_loop, read_once, &w);
		assert_int_equal(w.events, i);
	}
	watcher_close(&w);
}

static void test_from_an_old_revision_over_a_restart(void **state)
{
	struct engine *e = *state;
	put_many(e, 30); /* 2..31 */
	suite_delete(e, "k1");
	store_close(e);
	*state = e = suite_open();
	struct watcher w = {.is_greedy = true, .options.prev_kv = true};
	watcher_open(&w, e, 12);
	WAIT_FOR(w.events == 21);
	assert_string_equal(w.last_prev, "some value of some length");
	put_many(e, 4);
	WAIT_FOR(w.events == 25);
	watcher_close(&w);
}

static void test_from_a_future_revision(void **state)
{
	struct engine *e = *state;
	struct watcher w = {.is_greedy = true};
	watcher_open(&w, e, 5);
	put_many(e, 6); /* 2..7 */
	WAIT_FOR(w.revision == 7);
	assert_int_equal(w.events, 3);
	watcher_close(&w);
}

static void test_filters_and_prev(void **state)
{
	struct engine *e = *state;
	struct watcher deletes = {.is_greedy = true, .options = {.no_put = true, .prev_kv = true}};
	struct watcher puts = {.is_greedy = true, .options = {.no_delete = true}};
	suite_put(e, "k1", "old");
	watcher_open(&deletes, e, 2);
	watcher_open(&puts, e, 2);
	suite_put(e, "k1", "new");
	suite_delete(e, "k1");
	WAIT_FOR(deletes.events == 1 && puts.events == 2);
	assert_string_equal(deletes.last_prev, "new");
	assert_string_equal(puts.last_prev, "");
	watcher_close(&deletes);
	watcher_close(&puts);
}

static void test_one_behind_the_ring_is_caught_up_from_disk(void **state)
{
	struct engine *e = *state;
	struct watcher slow = {.is_greedy = false}, fast = {.is_greedy = true};
	watcher_open(&slow, e, 0);
	watcher_open(&fast, e, 0);
	put_many(e, 3000);
	WAIT_FOR(fast.events == 3000);
	WAIT_FOR(slow.events == 3000); /* told again after each read that left something */
	struct watcher late = {.is_greedy = true, .options.prev_kv = true};
	watcher_open(&late, e, 2);
	put_many(e, 100);
	WAIT_FOR(late.events == 3100);
	watcher_close(&slow);
	watcher_close(&fast);
	watcher_close(&late);
}

static void test_a_start_below_compaction_is_refused(void **state)
{
	struct engine *e = *state;
	put_many(e, 20); /* 2..21 */
	assert_int_equal(suite_compact(e, 15), 0);
	struct watcher below = {.is_greedy = true}, at = {.is_greedy = true};
	watcher_open(&below, e, 14);
	WAIT_FOR(below.error == ERR_COMPACTED);
	assert_int_equal(below.compacted, 15);
	watcher_open(&at, e, 15);
	WAIT_FOR(at.events == 7);
	watcher_close(&below);
	watcher_close(&at);
}

static void test_a_revision_is_never_torn(void **state)
{
	struct engine *e = *state;
	char keys[100][16];
	struct store_op ops[100];
	for (int i = 0; i < 100; i++) {
		snprintf(keys[i], sizeof keys[i], "k%02d", i);
		ops[i] = suite_op_put(keys[i], "v");
	}
	for (int round = 0; round < 30; round++) {
		assert_true(suite_do(e, (struct store_op){
		                                .type = STORE_OP_TXN, .txn = {.success = ops, .n_success = 100}}) > 0);
		struct store_op all = {.type = STORE_OP_DELETE, .del.keys = {SLICE("k"), SLICE("l")}};
		assert_true(suite_do(e, all) > 0);
	}
	struct watcher w = {.is_greedy = true}; /* disorder: the first event of a batch continues the last revision */
	watcher_open(&w, e, 2);
	WAIT_FOR(w.events == 6000);
	watcher_close(&w);
}

static void test_many_watchers(void **state)
{
	struct engine *e = *state;
	enum { N = 1000 };
	struct watcher *w = calloc(N, sizeof *w);
	char keys[N][16], ends[N][16];
	for (int i = 0; i < N; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i % 10);
		snprintf(ends[i], sizeof ends[i], "k%d.", i % 10);
		w[i].is_greedy = true;
		w[i].options.keys = (struct store_key_range){slice_of(keys[i]), slice_of(ends[i])};
		watcher_open(&w[i], e, i % 2 ? 0 : 1);
	}
	put_many(e, 200);
	for (int i = 0; i < N; i++)
		WAIT_FOR(w[i].events == 20);
	for (int i = 0; i < N; i++)
		watcher_close(&w[i]);
	struct store_stats stats;
	store_stats(e, &stats);
	assert_int_equal(stats.watches, 0);
	free(w);
}

static void test_closed_while_it_reads_from_disk(void **state)
{
	struct engine *e = *state;
	put_many(e, 500);
	for (int i = 0; i < 50; i++) {
		struct watcher w = {.is_greedy = true};
		watcher_open(&w, e, 2);
		if (i % 3 == 0)
			usleep(200);
		watcher_close(&w);
	}
}

struct self_closing {
	struct watcher w;
	struct watcher *other;
};

static void close_both(void *arg)
{
	struct self_closing *s = arg;
	store_watch_close(s->w.engine, s->w.watch, watcher_closed, &s->w);
	store_watch_close(s->w.engine, s->other->watch, watcher_closed, s->other);
}

static void self_closing_open(void *arg)
{
	struct self_closing *s = arg;
	struct store_watch_options o = {.keys = {SLICE("k"), SLICE("l")}};
	s->w.watch = store_watch_open(s->w.engine, &o, &test_loop, close_both, s);
}

static void test_closed_from_a_callback_together_with_another(void **state)
{
	struct engine *e = *state;
	struct self_closing s = {.w.engine = e};
	struct watcher other = {.is_greedy = true};
	uv_sem_init(&s.w.closed, 0);
	loop_call(&test_loop, self_closing_open, &s);
	watcher_open(&other, e, 0);
	s.other = &other;
	put_many(e, 2);
	uv_sem_wait(&s.w.closed);
	uv_sem_wait(&other.closed);
	uv_sem_destroy(&s.w.closed);
	uv_sem_destroy(&other.closed);
}

static void test_watchers_while_compaction_runs(void **state)
{
	struct engine *e = *state;
	struct watcher w = {.is_greedy = true}, prev = {.is_greedy = true, .options.prev_kv = true};
	watcher_open(&w, e, 0);
	watcher_open(&prev, e, 0);
	for (int i = 0; i < 20; i++) {
		put_many(e, 50);
		struct suite_call c = {.req.type = STORE_REQUEST_COMPACT, .req.revision_arg = store_revision(e) - 20};
		assert_int_equal(suite_run(e, &c), 0);
		suite_end(&c);
	}
	WAIT_FOR((w.events == 1000 || w.error) && (prev.events == 1000 || prev.error));
	assert_int_equal(w.error, 0);
	watcher_close(&w);
	watcher_close(&prev);
}

/* ---- the hub alone: a full disk keeps what was published out of the database ---- */

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_from_now_on_and_only_the_range),
	        TEST(test_a_read_reports_progress_without_events),
	        TEST(test_an_answered_write_can_be_read),
	        TEST(test_from_an_old_revision_over_a_restart),
	        TEST(test_from_a_future_revision),
	        TEST(test_filters_and_prev),
	        TEST(test_a_start_below_compaction_is_refused),
	        TEST(test_a_revision_is_never_torn),
	        TEST(test_many_watchers),
	        TEST(test_closed_while_it_reads_from_disk),
	        TEST(test_closed_from_a_callback_together_with_another),
	        TEST(test_watchers_while_compaction_runs),
	        cmocka_unit_test_setup_teardown(
	                test_one_behind_the_ring_is_caught_up_from_disk, setup_small_ring, teardown),
	        cmocka_unit_test_setup_teardown(test_a_revision_is_never_torn, setup_small_ring, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
