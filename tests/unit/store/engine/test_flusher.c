/* The thread that flushes: who applies is held up when it can't keep up, and let go when it has; who wants a flush, a
 * compaction or free pages is told when it is done, and at the end that it is not. */
#include "store/engine/flusher_int.h"
#include "store/machine/compaction.h"
#include "tests/unit/store/engine/engine_suite.h"

#include "base/clock.h"

enum { TABLE_BYTES = 64 * 1024 };

static struct machine m;
static struct flusher f;
static pthread_rwlock_t swap;
static struct histogram times;
static uv_sem_t flushed, through;

static void on_flushed(void *arg, struct store_request *req)
{
	uv_sem_post(&flushed);
}

static void on_through(void *arg, struct store_request *req)
{
	uv_sem_post(&through);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;
	struct flusher_options o = {.machine = &m,
	        .swap = &swap,
	        .times = &times,
	        .table_bytes = TABLE_BYTES,
	        .flushed = on_flushed,
	        .through = on_through};
	suite_folder_make();
	pthread_rwlock_init(&swap, NULL);
	histogram_init_doubling(&times, 1000000, 14);
	uv_sem_init(&flushed, 0);
	uv_sem_init(&through, 0);
	if (machine_open(&m, suite_path(), &err) != 0)
		fail_msg("%s", err.msg);
	flusher_start(&f, &o);
	return 0;
}

static int teardown(void **state)
{
	flusher_release(&f);
	machine_close(&m);
	pthread_rwlock_destroy(&swap);
	uv_sem_destroy(&flushed);
	uv_sem_destroy(&through);
	suite_folder_remove();
	return 0;
}

static void put(const char *key)
{
	static char value[1001];
	memset(value, 'v', sizeof value - 1);
	struct store_request req = {.op = suite_op_put(key, value)};
	flusher_begin_batch(&f);
	machine_begin(&m);
	machine_apply(&m, &req);
	m.meta.applied_index++;
	event_block_unref(machine_publish(&m));
	flusher_end_batch(&f, 1000);
	store_request_release(&req);
}

static struct mem_table_state table(void)
{
	struct mem_table_state s;
	mem_table_state(&m.table, &s);
	return s;
}

static void fill_to(size_t bytes)
{
	char key[16];
	for (int i = 0; table().active_bytes < bytes; i++) {
		snprintf(key, sizeof key, "k%d", i);
		put(key);
	}
}

/* Flushed, synced, and nothing left to do: the thread sets these one after the other, and may have begun a second flush
 * while the table was filled. */
static bool is_settled(void)
{
	int64_t durable = atomic_load(&f.durable_index);
	struct mem_table_state s = table();
	return durable > 0 && durable == atomic_load(&f.flushed_index) && !s.is_frozen && s.active_bytes < TABLE_BYTES;
}

static void test_a_full_segment_is_flushed_by_itself(void **state)
{
	fill_to(TABLE_BYTES);
	WAIT_FOR(is_settled());
	flusher_stop(&f);
	assert_int_equal(m.base.applied_index, m.meta.applied_index); /* the end flushes the rest */
}

/* The database can't be written for now, as long as `swap` is held: like a disk that takes its time. When the thread is
 * at something else just then it does not get to the segment, and it is tried again. */
static void block_a_flush(void)
{
	struct err err = ERR_INIT;
	for (;;) {
		pthread_rwlock_wrlock(&swap);
		fill_to(TABLE_BYTES);
		for (int i = 0; i < 200 && !table().is_frozen; i++)
			usleep(1000);
		if (table().is_frozen)
			return;
		pthread_rwlock_unlock(&swap);
		assert_int_equal(flusher_flush(&f, &err), 0);
	}
}

static void test_who_applies_is_held_up_and_let_go(void **state)
{
	block_a_flush();
	assert_true(flusher_make_room(&f)); /* the next segment has room: nobody waits */
	fill_to(TABLE_BYTES * 3 / 2);
	uint64_t begun = clock_mono_ms();
	assert_true(flusher_make_room(&f));
	assert_true(clock_mono_ms() - begun >= 5); /* of 20 ms at most */
	fill_to(TABLE_BYTES * 2);
	assert_false(flusher_make_room(&f));
	assert_false(flusher_is_full(&f)); /* slow is not full: nothing is refused */
	pthread_rwlock_unlock(&swap);
	while (!flusher_make_room(&f))
		;
	flusher_stop(&f);
	assert_int_equal(m.base.applied_index, m.meta.applied_index);
}

static void test_who_wants_a_flush_is_told(void **state)
{
	struct err err = ERR_INIT;
	struct store_request read = {0}, compact = {.revision_arg = 3}, shrink = {0};
	put("a");
	assert_int_equal(flusher_flush(&f, &err), 0);
	assert_int_equal(atomic_load(&f.durable_index), 1);
	put("a");
	flusher_then(&f, &read);
	uv_sem_wait(&flushed);
	assert_int_equal(read.err.code, 0);
	assert_int_equal(atomic_load(&f.flushed_index), 2);
	struct store_request req = {.type = STORE_REQUEST_COMPACT, .revision_arg = 3};
	flusher_begin_batch(&f);
	machine_begin(&m);
	machine_apply(&m, &req);
	event_block_unref(machine_publish(&m));
	flusher_end_batch(&f, 10);
	flusher_compact(&f, &compact);
	uv_sem_wait(&through);
	assert_int_equal(compact.err.code, 0);
	flusher_defragment(&f, &shrink);
	uv_sem_wait(&through);
	assert_int_equal(shrink.err.code, 0);
	flusher_stop(&f);
	assert_int_equal(m.base.compacted, 3);
	assert_false(machine_trim_pending(&m));
	flusher_then(&f, &read); /* nobody is there any more */
	uv_sem_wait(&flushed);
	assert_int_equal(read.err.code, ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_a_full_segment_is_flushed_by_itself, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_who_applies_is_held_up_and_let_go, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_who_wants_a_flush_is_told, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
