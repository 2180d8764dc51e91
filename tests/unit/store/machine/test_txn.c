/* What is accepted applies: random transactions, in a store whose limits are small enough to be met, are either refused
 * with nothing changed, or carried out; the disk alone may fail. And what a lease's end deletes at once is bounded. */
#include "store/machine/machine.h"
#include "base/limits.h"
#include "tests/unit/store/engine/engine_suite.h"

#include <time.h>

enum { ROWS_MAX = 12, ANSWER_BYTES_MAX = 2500, OPS_MAX = 24 };

static struct machine m;
static uint64_t rng;

static unsigned any(unsigned below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng >> 33) % below;
}

static int setup(void **state)
{
	char path[128];
	struct err err = ERR_INIT;
	suite_folder_make();
	snprintf(path, sizeof path, "%s/state.db", suite_folder);
	assert_int_equal(machine_open(&m, path, &err), 0);
	machine_begin(&m);
	return 0;
}

static int teardown(void **state)
{
	char path[128];
	machine_close(&m);
	snprintf(path, sizeof path, "%s/state.db", suite_folder);
	unlink(path);
	suite_folder_remove();
	return 0;
}

static void apply(struct store_request *req)
{
	machine_apply(&m, req);
}

static struct slice any_key(struct arena *a)
{
	return slice_of(arena_printf(a, "k%02u", any(60)));
}

static struct store_key_range any_keys(struct arena *a)
{
	struct store_key_range r = {.key = any_key(a)};
	switch (any(40)) {
	case 0:
		r.end = SLICE("\0");
		break;
	case 1 ... 9:
		r.end = any_key(a); /* may be empty, or the wrong way round */
		break;
	default:
		break;
	}
	return r;
}

static struct slice any_value(struct arena *a)
{
	size_t n = any(300);
	char *bytes = arena_alloc(a, n + 1);
	memset(bytes, 'v', n);
	return (struct slice){bytes, n};
}

static struct store_txn any_txn(struct arena *a, unsigned depth);

static struct store_op any_op(struct arena *a, unsigned depth)
{
	switch (any(depth ? 8 : 7)) {
	case 0:
	case 1:
		return (struct store_op){.type = STORE_OP_RANGE,
		        .range = {.keys = any_keys(a),
		                .limit = any(2) ? any(10) : 0,
		                .keys_only = any(2),
		                .count_only = any(6) == 0,
		                .sort = (enum store_sort)any(3),
		                .sort_target = any(2) ? STORE_TARGET_KEY : STORE_TARGET_VALUE,
		                .revision = any(5) ? 0 : m.meta.revision,
		                .max_mod_revision = any(5) ? 0 : m.meta.revision - any(3)}};
	case 2:
	case 3:
	case 4:
		return (struct store_op){
		        .type = STORE_OP_PUT, .put = {.key = any_key(a), .value = any_value(a), .prev_kv = any(2)}};
	case 5:
	case 6:
		return (struct store_op){.type = STORE_OP_DELETE, .del = {.keys = any_keys(a), .prev_kv = any(2)}};
	default:
		return (struct store_op){.type = STORE_OP_TXN, .txn = any_txn(a, depth - 1)};
	}
}

static struct store_txn any_txn(struct arena *a, unsigned depth)
{
	struct store_op *yes = ARENA_ARRAY(a, struct store_op, 8), *no = ARENA_ARRAY(a, struct store_op, 8);
	struct store_compare *c = ARENA_NEW(a, struct store_compare);
	struct store_txn t = {.success = yes,
	        .failure = no,
	        .n_success = any(8),
	        .n_failure = any(8),
	        .compares = c,
	        .n_compares = any(2)};
	for (size_t i = 0; i < t.n_success; i++)
		yes[i] = any_op(a, depth);
	for (size_t i = 0; i < t.n_failure; i++)
		no[i] = any_op(a, depth);
	*c = (struct store_compare){
	        .keys = {.key = any_key(a)}, .target = STORE_TARGET_VERSION, .result = any(4), .number = any(2)};
	return t;
}

static size_t answered_bytes(const struct store_result *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_kvs; i++)
		n += r->kvs[i].key.len + r->kvs[i].value.len;
	for (size_t i = 0; i < r->n_results; i++)
		n += answered_bytes(&r->results[i]);
	return n;
}

static bool writes(const struct store_result *r)
{
	bool any_write = r->type == STORE_OP_PUT || (r->type == STORE_OP_DELETE && r->count);
	for (size_t i = 0; i < r->n_results; i++)
		any_write |= writes(&r->results[i]);
	return any_write;
}

static void test_accepted_transactions_apply(void **state)
{
	unsigned accepted = 0, refused = 0, checked_away = 0;
	rng = (uint64_t)time(NULL) * 2654435761u + 1;
	print_message("SEED=%llu\n", (unsigned long long)rng);
	m.rows_max = ROWS_MAX;
	m.answer_bytes_max = ANSWER_BYTES_MAX;
	for (int i = 0; i < 20000; i++) {
		struct arena a = ARENA_INIT;
		struct store_request req = {
		        .type = STORE_REQUEST_OP, .op = {.type = STORE_OP_TXN, .txn = any_txn(&a, 2)}};
		struct meta before = m.meta;
		struct err err = ERR_INIT;
		if (txn_check_within(&req.op, OPS_MAX, 1 << 20, &req.cause, &err) != 0) {
			checked_away++;
			arena_release(&a);
			continue;
		}
		apply(&req);
		if (req.err.code) {
			refused++;
			assert_memory_equal(&before, &m.meta, sizeof before);
		} else {
			accepted++;
			assert_int_equal(m.meta.revision - before.revision, writes(&req.result));
			if (writes(&req.result))
				assert_true(answered_bytes(&req.result) <= ANSWER_BYTES_MAX);
		}
		store_request_release(&req);
		arena_release(&a);
	}
	print_message("%u accepted, %u refused, %u not even tried\n", accepted, refused, checked_away);
	assert_true(accepted > 1000 && refused > 100 && checked_away > 100);
}

static void put_under_lease(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char key[32];
		snprintf(key, sizeof key, "key-%06u", i);
		struct store_request req = {.op = suite_op_put(key, "v")};
		req.op.put.lease = 7;
		apply(&req);
		assert_int_equal(req.err.code, 0);
		store_request_release(&req);
	}
}

static void grant(void)
{
	struct store_request req = {.type = STORE_REQUEST_LEASE_GRANT, .lease = {.id = 7, .ttl_s = 10}};
	apply(&req);
	assert_int_equal(req.err.code, 0);
}

static void test_a_large_lease_runs_out_over_several_revisions(void **state)
{
	grant();
	put_under_lease(STORE_EXPIRY_KEYS_MAX + 5);
	int64_t revision = m.meta.revision;
	struct store_request req = {.type = STORE_REQUEST_LEASE_REVOKE, .lease = {.id = 7}, .revision_arg = 1};
	apply(&req);
	assert_int_equal(req.err.code, 0);
	assert_true(req.lease.more);
	assert_int_equal(m.meta.keys, 5);
	assert_int_equal(m.meta.revision, revision + 1);
	req.lease.more = false;
	apply(&req);
	assert_false(req.lease.more);
	assert_int_equal(m.meta.keys, 0);
	assert_int_equal(m.meta.revision, revision + 2);
	apply(&req);
	assert_int_equal(req.err.code, ERR_NOT_FOUND);
}

static void test_revoking_a_lease_that_is_too_large_is_refused(void **state)
{
	m.rows_max = 50;
	grant();
	put_under_lease(51);
	struct meta before = m.meta;
	struct store_request req = {.type = STORE_REQUEST_LEASE_REVOKE, .lease = {.id = 7}};
	apply(&req);
	assert_int_equal(req.err.code, ERR_TOO_BIG);
	assert_int_equal(req.cause, STORE_CAUSE_TOO_MANY_OPS);
	assert_memory_equal(&before, &m.meta, sizeof before);
}

static void test_deletions_are_counted_together(void **state)
{
	m.rows_max = 50;
	put_under_lease(0);
	for (int i = 0; i < 60; i++) {
		char key[16];
		snprintf(key, sizeof key, "%c%02d", i < 30 ? 'a' : 'b', i);
		struct store_request req = {.op = suite_op_put(key, "v")};
		apply(&req);
		store_request_release(&req);
	}
	struct store_op two[] = {{.type = STORE_OP_DELETE, .del.keys = {SLICE("a"), SLICE("b")}},
	        {.type = STORE_OP_DELETE, .del.keys = {SLICE("b"), SLICE("c")}}};
	struct store_request req = {.op = {.type = STORE_OP_TXN, .txn = {.success = two, .n_success = 2}}};
	apply(&req);
	assert_int_equal(req.err.code, ERR_TOO_BIG);
	assert_int_equal(m.meta.keys, 60);
}

/* ---- what needs no state ---- */

static int check(struct store_op *op, enum store_cause *cause)
{
	struct err err = ERR_INIT;
	*cause = STORE_CAUSE_NONE;
	return txn_check(op, cause, &err);
}

static struct store_op put(const char *key)
{
	return suite_op_put(key, "v");
}

static struct store_op txn(struct store_op *yes, size_t n_yes, struct store_op *no, size_t n_no)
{
	return (struct store_op){
	        .type = STORE_OP_TXN, .txn = {.success = yes, .n_success = n_yes, .failure = no, .n_failure = n_no}};
}

static void test_nested_operations_are_counted_in_one_total(void **state)
{
	struct store_op leaves[64], inner[64], op;
	char keys[64][16];
	enum store_cause cause;
	for (int i = 0; i < 64; i++) {
		snprintf(keys[i], sizeof keys[i], "k%d", i);
		leaves[i] = put(keys[i]);
	}
	for (int i = 0; i < 64; i++)
		inner[i] = txn(leaves, 0, leaves, 0);
	op = txn(inner, 64, NULL, 0);
	assert_int_equal(check(&op, &cause), 0);
	for (int i = 0; i < 64; i++)
		inner[i] = txn(leaves, 2, NULL, 0); /* 64 and 128 */
	op = txn(inner, 64, NULL, 0);
	assert_int_equal(check(&op, &cause), ERR_INVAL);
	assert_int_equal(cause, STORE_CAUSE_TOO_MANY_OPS);
	op = txn(leaves, 64, leaves, 64);
	assert_int_equal(check(&op, &cause), 0);
}

static void test_keys_written_twice(void **state)
{
	struct store_op a = put("a"), b = put("b"), op;
	enum store_cause cause;
	struct store_op del = {.type = STORE_OP_DELETE, .del.keys = {SLICE("a"), SLICE("c")}};
	struct store_op single = {.type = STORE_OP_DELETE, .del.keys = {.key = SLICE("a")}};
	struct store_op backwards = {.type = STORE_OP_DELETE, .del.keys = {SLICE("a"), SLICE("a")}};
	struct store_op branches = txn(&a, 1, &a, 1);
	struct {
		struct store_op ops[3];
		size_t n;
		bool is_refused;
	} rows[] = {
	        {{a, b}, 2, false},
	        {{a, a}, 2, true},
	        {{a, del}, 2, true},
	        {{del, b}, 2, true},
	        {{del, single}, 2, false},
	        {{single, a}, 2, true},
	        {{single, b}, 2, false},
	        {{backwards, a}, 2, false},
	        {{branches}, 1, false},
	        {{branches, a}, 2, true},
	        {{branches, single}, 2, true},
	        {{branches, b}, 2, false},
	        {{branches, branches}, 2, true},
	        {{backwards, del, b}, 3, true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		op = txn(rows[i].ops, rows[i].n, NULL, 0);
		int rc = check(&op, &cause);
		if ((rc != 0) != rows[i].is_refused || (rc && cause != STORE_CAUSE_DUPLICATE_KEY))
			fail_msg("row %zu: %d", i, rc);
	}
}

/* 35,200 writes were compared with each other, which took 11 seconds. */
static void test_many_writes_are_checked_quickly(void **state)
{
	enum { N = 60000 };
	struct store_op *ops = calloc(N, sizeof *ops);
	char(*keys)[16] = calloc(N, sizeof *keys);
	enum store_cause cause;
	struct err err = ERR_INIT;
	for (int i = 0; i < N; i++) {
		snprintf(keys[i], sizeof keys[i], "k%06d", N - i);
		ops[i] = put(keys[i]);
		if (i % 3 == 0)
			ops[i] = (struct store_op){.type = STORE_OP_DELETE, .del.keys = {.key = slice_of(keys[i])}};
	}
	struct store_op op = txn(ops, N, NULL, 0);
	clock_t begun = clock();
	assert_int_equal(txn_check_within(&op, N, 16 << 20, &cause, &err), 0);
	assert_true((double)(clock() - begun) / CLOCKS_PER_SEC < 2);
	ops[0] = put(keys[1]);
	assert_int_equal(txn_check_within(&op, N, 16 << 20, &cause, &err), ERR_INVAL);
	free(ops);
	free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_accepted_transactions_apply, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_a_large_lease_runs_out_over_several_revisions, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_revoking_a_lease_that_is_too_large_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_deletions_are_counted_together, setup, teardown),
	        cmocka_unit_test(test_nested_operations_are_counted_in_one_total),
	        cmocka_unit_test(test_keys_written_twice),
	        cmocka_unit_test(test_many_writes_are_checked_quickly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
