/* The hash that compares stores: the same at every pace of compaction, another for other contents. */
#include "store/machine/hash.h"
#include "store/machine/compaction.h"
#include "store/machine/flush.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char dir[64];
	struct machine m;
};

static void open_fixture(struct fixture *f)
{
	struct err err = ERR_INIT;
	char path[96];
	snprintf(f->dir, sizeof f->dir, "/tmp/k3x-hash-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(path, sizeof path, "%s/state.db", f->dir);
	assert_int_equal(machine_open(&f->m, path, &err), 0);
}

static void close_fixture(struct fixture *f)
{
	static const char *const parts[] = {"/state.db", "/state.db-wal", "/state.db-shm"};
	char path[128];
	machine_close(&f->m);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s%s", f->dir, parts[i]);
		unlink(path);
	}
	rmdir(f->dir);
}

static void apply(struct fixture *f, struct store_request *req)
{
	machine_begin(&f->m);
	machine_apply(&f->m, req);
	event_block_unref(machine_publish(&f->m));
	store_request_release(req);
}

static void put(struct fixture *f, const char *key, const char *value)
{
	struct store_request req = {
	        .op = {.type = STORE_OP_PUT, .put = {.key = slice_of(key), .value = slice_of(value)}}};
	apply(f, &req);
}

static void del(struct fixture *f, const char *key)
{
	struct store_request req = {.op = {.type = STORE_OP_DELETE, .del = {.keys = {.key = slice_of(key)}}}};
	apply(f, &req);
}

static void compact(struct fixture *f, int64_t revision)
{
	struct store_request req = {.type = STORE_REQUEST_COMPACT, .revision_arg = revision};
	apply(f, &req);
}

static void flush(struct fixture *f)
{
	struct err err = ERR_INIT;
	assert_true(mem_table_freeze(&f->m.table));
	assert_int_equal(machine_flush(&f->m, &err), 1);
}

static bool trim_step(struct fixture *f)
{
	struct err err = ERR_INIT;
	if (!machine_trim_pending(&f->m))
		return false;
	assert_int_equal(machine_trim(&f->m, 1, &err), 0);
	return true;
}

static uint32_t hash_at(struct fixture *f, int64_t revision)
{
	struct err err = ERR_INIT;
	struct store_view v;
	uint32_t h = 0;
	assert_int_equal(store_view_open(&v, &f->m.table, &f->m.db, &err), 0);
	assert_int_equal(hash_versions(&v, revision, false, &h, &err), 0);
	store_view_close(&v);
	return h;
}

static void fill(struct fixture *f)
{
	put(f, "a", "1");
	put(f, "b", "1");
	put(f, "a", "2");
	del(f, "b");
	put(f, "c", "1");
	put(f, "b", "2");
	put(f, "a", "3");
}

static void hash_does_not_depend_on_the_pace_of_compaction(void **state)
{
	struct fixture f;
	open_fixture(&f);
	fill(&f);
	flush(&f);
	uint32_t before = hash_at(&f, 0);
	compact(&f, 6);
	flush(&f);
	uint32_t want = hash_at(&f, 0);
	assert_int_not_equal(want, before);
	int steps = 0;
	for (; trim_step(&f); steps++)
		assert_int_equal(hash_at(&f, 0), want);
	assert_true(steps > 3);
	close_fixture(&f);
}

static void hash_at_a_revision_ignores_later_writes(void **state)
{
	struct fixture f;
	open_fixture(&f);
	fill(&f);
	uint32_t at = hash_at(&f, 8);
	put(&f, "a", "4");
	del(&f, "c");
	assert_int_equal(hash_at(&f, 8), at);
	assert_int_not_equal(hash_at(&f, 0), at);
	close_fixture(&f);
}

static void hash_tells_values_apart(void **state)
{
	struct fixture f, g;
	open_fixture(&f);
	open_fixture(&g);
	fill(&f);
	fill(&g);
	assert_int_equal(hash_at(&f, 0), hash_at(&g, 0));
	put(&f, "x", "same length 1");
	put(&g, "x", "same length 2");
	assert_int_not_equal(hash_at(&f, 0), hash_at(&g, 0));
	close_fixture(&f);
	close_fixture(&g);
}

static void hash_refuses_what_cannot_be_read(void **state)
{
	struct fixture f;
	struct err err = ERR_INIT;
	struct store_view v;
	uint32_t h;
	open_fixture(&f);
	fill(&f);
	compact(&f, 5);
	assert_int_equal(store_view_open(&v, &f.m.table, &f.m.db, &err), 0);
	assert_int_equal(hash_versions(&v, 4, false, &h, &err), ERR_COMPACTED);
	assert_int_equal(hash_versions(&v, 100, false, &h, &err), ERR_FUTURE_REVISION);
	store_view_close(&v);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(hash_does_not_depend_on_the_pace_of_compaction),
	        cmocka_unit_test(hash_at_a_revision_ignores_later_writes),
	        cmocka_unit_test(hash_tells_values_apart),
	        cmocka_unit_test(hash_refuses_what_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
