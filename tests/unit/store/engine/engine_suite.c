/* The suite any engine must pass, included by a test program that defines
 *     static struct engine *suite_open(void);    opens the engine on suite_path()
 * and lists SUITE_TESTS among its tests. The model check runs random operations against the engine and against a naive
 * list of versions in memory; its seed is printed, and SEED=... in the environment repeats a run. */
#include "tests/unit/store/engine/engine_suite.h"

#include "base/histogram.h"

#include <inttypes.h>
#include <time.h>

static int suite_setup(void **state)
{
	suite_folder_make();
	*state = suite_open();
	return 0;
}

static int suite_teardown(void **state)
{
	store_close(*state);
	suite_folder_remove();
	return 0;
}

/* ---- single behaviours ---- */

static void suite_put_counts_versions(void **state)
{
	struct engine *e = *state;
	assert_int_equal(suite_put(e, "a", "1"), 2);
	assert_int_equal(suite_put(e, "a", "2"), 3);
	struct suite_call c = {.req.op = suite_op_get("a")};
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.n_kvs, 1);
	assert_int_equal(c.req.result.count, 1);
	struct store_kv *kv = &c.req.result.kvs[0];
	assert_int_equal(kv->create_revision, 2);
	assert_int_equal(kv->mod_revision, 3);
	assert_int_equal(kv->version, 2);
	suite_end(&c);
	assert_int_equal(suite_delete(e, "a"), 4);
	assert_int_equal(suite_delete(e, "a"), 4); /* nothing to delete: no revision */
	assert_int_equal(suite_put(e, "a", "3"), 5);
	c.req.op = suite_op_get("a");
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.kvs[0].create_revision, 5);
	assert_int_equal(c.req.result.kvs[0].version, 1);
	suite_end(&c);
}

static void suite_put_flags(void **state)
{
	struct engine *e = *state;
	struct suite_call c = {.req.op = suite_op_put("a", "")};
	c.req.op.put.ignore_value = true;
	assert_int_equal(suite_run(e, &c), ERR_NOT_FOUND);
	assert_int_equal(c.req.cause, STORE_CAUSE_KEY_NOT_FOUND);
	suite_end(&c);
	suite_put(e, "a", "1");
	c.req.op = suite_op_put("a", "");
	c.req.op.put.ignore_value = true;
	c.req.op.put.prev_kv = true;
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.n_kvs, 1);
	assert_true(slice_is(c.req.result.kvs[0].value, "1"));
	suite_end(&c);
	assert_string_equal(suite_get(e, "a"), "1");
	c.req.op = suite_op_put("a", "x");
	c.req.op.put.lease = 77;
	assert_int_equal(suite_run(e, &c), ERR_NOT_FOUND);
	assert_int_equal(c.req.cause, STORE_CAUSE_LEASE_NOT_FOUND);
	suite_end(&c);
	assert_string_equal(suite_get(e, "a"), "1");
	assert_int_equal(suite_put(e, "", "x"), ERR_INVAL);
}

static void suite_ignore_lease_keeps_the_lease(void **state)
{
	struct engine *e = *state;
	struct suite_call c = {.req.type = STORE_REQUEST_LEASE_GRANT, .req.lease = {.id = 7, .ttl_s = 100}};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req.op = suite_op_put("a", "1");
	c.req.op.put.lease = 7;
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req.op = suite_op_put("a", "2");
	c.req.op.put.ignore_lease = true;
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req.op = suite_op_get("a");
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.kvs[0].lease, 7);
	assert_true(slice_is(c.req.result.kvs[0].value, "2"));
	suite_end(&c);
	c.req.op = suite_op_put("b", "2");
	c.req.op.put.ignore_lease = true;
	assert_int_equal(suite_run(e, &c), ERR_NOT_FOUND);
	suite_end(&c);
}

static void suite_paging_without_a_count(void **state)
{
	struct engine *e = *state;
	char key[16];
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof key, "k%d", i);
		suite_put(e, key, "v");
	}
	struct suite_call c = {.req.op = suite_op_list("k3", "")};
	c.req.op.range.limit = 4;
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.n_kvs, 4);
	assert_int_equal(c.req.result.count, 7);
	assert_true(c.req.result.more);
	suite_end(&c);
	c.req.op = suite_op_list("k3", "");
	c.req.op.range.limit = 4;
	c.req.op.range.no_count = true;
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.n_kvs, 4);
	assert_true(c.req.result.more);
	suite_end(&c);
	c.req.op = suite_op_list("k6", "");
	c.req.op.range.limit = 4;
	c.req.op.range.no_count = true;
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.n_kvs, 4);
	assert_false(c.req.result.more);
	suite_end(&c);
}

static void suite_txn_compares_and_reads_its_writes(void **state)
{
	struct engine *e = *state;
	int64_t at = suite_put(e, "a", "1");
	struct store_compare cmp = {.keys.key = SLICE("a"), .target = STORE_TARGET_MOD, .number = at};
	struct store_op then[] = {suite_op_put("a", "2"), suite_op_get("a"), suite_op_delete("b"),
	        suite_op_put("c", "3"), suite_op_list("a", "")};
	struct store_op otherwise[] = {suite_op_get("a")};
	struct store_op op = {.type = STORE_OP_TXN,
	        .txn = {.compares = &cmp,
	                .n_compares = 1,
	                .success = then,
	                .n_success = 5,
	                .failure = otherwise,
	                .n_failure = 1}};
	struct suite_call c = {.req.op = op};
	assert_int_equal(suite_run(e, &c), 0);
	assert_true(c.req.result.succeeded);
	assert_int_equal(c.req.revision, at + 1);
	struct store_result *r = c.req.result.results;
	assert_true(slice_is(r[1].kvs[0].value, "2"));
	assert_int_equal(r[2].count, 0);
	assert_int_equal(r[4].n_kvs, 2);
	assert_int_equal(r[4].kvs[1].mod_revision, at + 1);
	suite_end(&c);
	c.req.op = op;
	assert_int_equal(suite_run(e, &c), 0);
	assert_false(c.req.result.succeeded);
	assert_int_equal(c.req.revision, at + 1);
	assert_true(slice_is(c.req.result.results[0].kvs[0].value, "2"));
	suite_end(&c);
}

static void suite_txn_refuses_double_writes(void **state)
{
	struct engine *e = *state;
	struct store_op ops[] = {suite_op_put("a", "1"), suite_op_put("a", "2")};
	struct suite_call c = {.req.op = {.type = STORE_OP_TXN, .txn = {.success = ops, .n_success = 2}}};
	assert_int_equal(suite_run(e, &c), ERR_INVAL);
	assert_int_equal(c.req.cause, STORE_CAUSE_DUPLICATE_KEY);
	suite_end(&c);
	/* a put and a deletion that covers it */
	ops[1] = suite_op_delete("");
	ops[1].del.keys = (struct store_key_range){SLICE("a"), SLICE("b")};
	c.req.op = (struct store_op){.type = STORE_OP_TXN, .txn = {.failure = ops, .n_failure = 2}};
	assert_int_equal(suite_run(e, &c), ERR_INVAL);
	suite_end(&c);
	/* in different branches of one transaction it is no conflict, but with what stands beside it it is */
	struct store_op one[] = {suite_op_put("a", "1")}, two[] = {suite_op_put("a", "2")};
	struct store_op nested[] = {
	        {.type = STORE_OP_TXN, .txn = {.success = one, .n_success = 1, .failure = two, .n_failure = 1}},
	        suite_op_put("a", "3")};
	c.req.op = (struct store_op){.type = STORE_OP_TXN, .txn = {.success = nested, .n_success = 1}};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req.op = (struct store_op){.type = STORE_OP_TXN, .txn = {.success = nested, .n_success = 2}};
	assert_int_equal(suite_run(e, &c), ERR_INVAL);
	suite_end(&c);
	struct store_op many[129];
	for (int i = 0; i < 129; i++)
		many[i] = suite_op_get("a");
	c.req.op = (struct store_op){.type = STORE_OP_TXN, .txn = {.success = many, .n_success = 129}};
	assert_int_equal(suite_run(e, &c), ERR_INVAL);
	assert_int_equal(c.req.cause, STORE_CAUSE_TOO_MANY_OPS);
	suite_end(&c);
}

static void suite_too_large_is_refused(void **state)
{
	struct engine *e = *state;
	size_t n = 2 * 1024 * 1024;
	char *big = calloc(1, n);
	struct suite_call c = {.req.op = suite_op_put("a", "")};
	c.req.op.put.value = (struct slice){big, n};
	assert_int_equal(suite_run(e, &c), ERR_TOO_BIG);
	suite_end(&c);
	c.req.op = suite_op_put("a", "");
	c.req.op.put.value = (struct slice){big, 1024 * 1024};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req.op = suite_op_get("a");
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.result.kvs[0].value.len, 1024 * 1024);
	suite_end(&c);
	free(big);
}

static void suite_compaction_keeps_what_lives(void **state)
{
	struct engine *e = *state;
	suite_put(e, "a", "1"); /* 2 */
	suite_put(e, "a", "2"); /* 3 */
	suite_put(e, "b", "1"); /* 4 */
	suite_delete(e, "b");   /* 5 */
	suite_put(e, "c", "1"); /* 6 */
	suite_put(e, "a", "3"); /* 7 */
	assert_int_equal(suite_compact(e, 9), ERR_FUTURE_REVISION);
	assert_int_equal(suite_compact(e, 6), 0);
	assert_int_equal(suite_compact(e, 6), ERR_COMPACTED);
	assert_string_equal(suite_get_at(e, "a", 6), "2");
	assert_string_equal(suite_get(e, "a"), "3");
	assert_string_equal(suite_get(e, "c"), "1");
	assert_null(suite_get_at(e, "b", 6));
	struct suite_call c = {.req.op = suite_op_get("a")};
	c.req.op.range.revision = 5;
	assert_int_equal(suite_run(e, &c), ERR_COMPACTED);
	assert_int_equal(c.req.compacted_revision, 6);
	suite_end(&c);
	c.req.op = suite_op_get("a");
	c.req.op.range.revision = 8;
	assert_int_equal(suite_run(e, &c), ERR_FUTURE_REVISION);
	suite_end(&c);
}

static void suite_lease_revoke_deletes_its_keys_at_once(void **state)
{
	struct engine *e = *state;
	struct suite_call c = {.req.type = STORE_REQUEST_LEASE_GRANT, .req.lease = {.ttl_s = 100}};
	assert_int_equal(suite_run(e, &c), 0);
	int64_t id = c.req.lease.id;
	assert_true(id > 0);
	suite_end(&c);
	c.req = (struct store_request){.type = STORE_REQUEST_LEASE_GRANT, .lease = {.id = id, .ttl_s = 5}};
	assert_int_equal(suite_run(e, &c), ERR_EXISTS);
	suite_end(&c);
	for (int i = 0; i < 3; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", i);
		c.req.op = suite_op_put(key, "v");
		c.req.op.put.lease = id;
		assert_int_equal(suite_run(e, &c), 0);
		suite_end(&c);
	}
	suite_put(e, "k1", "free again"); /* a put without the lease detaches */
	c.req = (struct store_request){.type = STORE_REQUEST_LEASE_TTL, .lease = {.id = id, .want_keys = true}};
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.lease.granted_ttl_s, 100);
	assert_in_range(c.req.lease.ttl_s, 90, 100);
	assert_int_equal(c.req.lease.n_keys, 2);
	assert_true(slice_is(c.req.lease.keys[1], "k2"));
	suite_end(&c);
	c.req = (struct store_request){.type = STORE_REQUEST_LEASE_LIST};
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.lease.n_ids, 1);
	assert_int_equal(c.req.lease.ids[0], id);
	suite_end(&c);
	int64_t before = store_revision(e);
	c.req = (struct store_request){.type = STORE_REQUEST_LEASE_REVOKE, .lease = {.id = id}};
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.revision, before + 1);
	suite_end(&c);
	assert_null(suite_get(e, "k0"));
	assert_null(suite_get(e, "k2"));
	assert_string_equal(suite_get(e, "k1"), "free again");
	c.req = (struct store_request){.type = STORE_REQUEST_LEASE_KEEPALIVE, .lease = {.id = id}};
	assert_int_equal(suite_run(e, &c), ERR_NOT_FOUND);
	assert_int_equal(c.req.cause, STORE_CAUSE_LEASE_NOT_FOUND);
	suite_end(&c);
}

/* A put under a lease, or its end (key NULL), by who may write what lies within. */
static int suite_lease_within(struct engine *e, const char *key, const struct store_intervals *within)
{
	struct suite_call c = {.req = {.type = STORE_REQUEST_LEASE_REVOKE, .lease.id = 7}};
	if (key) {
		c.req = (struct store_request){.op = suite_op_put(key, "v")};
		c.req.op.put.lease = 7;
	}
	c.req.lease_keys_within = within;
	int rc = suite_run(e, &c);
	assert_true((rc == ERR_FORBIDDEN) == (c.req.cause == STORE_CAUSE_LEASE_KEYS));
	suite_end(&c);
	return rc;
}

static void suite_lease_keys_must_lie_within_when_it_is_carried_out(void **state)
{
	struct engine *e = *state;
	struct store_interval list[] = {{SLICE("a"), SLICE("c")}, {SLICE("m"), SLICE("n")}, {SLICE("x"), SLICE("")}};
	const struct store_intervals some = {list, 2}, more = {list, 3}, none = {0};
	struct suite_call c = {.req = {.type = STORE_REQUEST_LEASE_GRANT, .lease = {.id = 7, .ttl_s = 100}}};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	assert_int_equal(suite_lease_within(e, "a", &none), 0); /* it has no keys yet */
	assert_int_equal(suite_lease_within(e, "b", &none), ERR_FORBIDDEN);
	assert_int_equal(suite_lease_within(e, "bb", &some), 0);
	assert_int_equal(suite_lease_within(e, "mm", &some), 0);
	assert_int_equal(
	        suite_lease_within(e, "n", &some), 0); /* whether the key itself may be put is not asked here */
	int64_t before = store_revision(e);
	assert_int_equal(suite_lease_within(e, "a", &some), ERR_FORBIDDEN);
	assert_int_equal(suite_lease_within(e, NULL, &some), ERR_FORBIDDEN);
	assert_int_equal(store_revision(e), before);
	suite_put(e, "n", "free");
	assert_int_equal(suite_lease_within(e, "zz", &more), 0);
	assert_int_equal(suite_lease_within(e, NULL, &some), ERR_FORBIDDEN);
	assert_int_equal(suite_lease_within(e, NULL, &more), 0);
	assert_null(suite_get(e, "zz"));
	assert_int_equal(suite_lease_within(e, NULL, &none), ERR_NOT_FOUND);
}

static void suite_lease_runs_out_unless_kept_alive(void **state)
{
	struct engine *e = *state;
	struct suite_call c = {.req.type = STORE_REQUEST_LEASE_GRANT, .req.lease = {.id = 5, .ttl_s = 1}};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req = (struct store_request){.type = STORE_REQUEST_LEASE_GRANT, .lease = {.id = 6, .ttl_s = 2}};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req = (struct store_request){.op = suite_op_put("short", "v")};
	c.req.op.put.lease = 5;
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	c.req = (struct store_request){.op = suite_op_put("kept", "v")};
	c.req.op.put.lease = 6;
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
	for (int i = 0; i < 100 && suite_get(e, "short"); i++) {
		c.req = (struct store_request){.type = STORE_REQUEST_LEASE_KEEPALIVE, .lease = {.id = 6}};
		assert_int_equal(suite_run(e, &c), 0);
		assert_int_equal(c.req.lease.ttl_s, 2);
		suite_end(&c);
		usleep(50000);
	}
	assert_null(suite_get(e, "short"));
	assert_string_equal(suite_get(e, "kept"), "v");
	WAIT_FOR(suite_get(e, "kept") == NULL);
}

static void suite_barrier_sees_what_was_answered(void **state)
{
	struct engine *e = *state;
	int64_t at = suite_put(e, "a", "1");
	struct suite_call c = {.req.type = STORE_REQUEST_BARRIER};
	assert_int_equal(suite_run(e, &c), 0);
	assert_true(c.req.revision >= at);
	suite_end(&c);
}

/* ---- the model ---- */

enum { MODEL_KEYS = 24, MODEL_VERSIONS = 20000, MODEL_LEASES = 4 };

struct version {
	int key;
	int64_t revision, create, version, lease;
	char value[16];
};

struct model {
	struct version log[MODEL_VERSIONS];
	int n;
	int64_t revision, compacted;
	bool leases[MODEL_LEASES + 1];
	uint64_t random;
};

static unsigned model_random(struct model *m, unsigned below)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned)(m->random >> 33) % below;
}

static const char *model_key(int i)
{
	static char keys[MODEL_KEYS + 1][16];
	snprintf(keys[i], sizeof keys[i], "k%02d", i);
	return keys[i];
}

/* The version of a key at a revision, NULL when it does not live then. */
static struct version *model_at(struct model *m, int key, int64_t revision)
{
	for (int i = m->n - 1; i >= 0; i--)
		if (m->log[i].key == key && m->log[i].revision <= revision)
			return m->log[i].version ? &m->log[i] : NULL;
	return NULL;
}

static void model_write(struct model *m, int64_t revision, int key, const char *value, int64_t lease)
{
	struct version *old = model_at(m, key, INT64_MAX);
	assert_true(m->n < MODEL_VERSIONS);
	struct version *v = &m->log[m->n++];
	*v = (struct version){.key = key, .revision = revision};
	if (!value)
		return;
	v->create = old ? old->create : revision;
	v->version = old ? old->version + 1 : 1;
	v->lease = lease;
	snprintf(v->value, sizeof v->value, "%s", value);
}

static void model_same(const struct version *v, const struct store_kv *kv, bool keys_only)
{
	assert_true(slice_is(kv->key, model_key(v->key)));
	assert_int_equal(kv->mod_revision, v->revision);
	assert_int_equal(kv->create_revision, v->create);
	assert_int_equal(kv->version, v->version);
	assert_int_equal(kv->lease, v->lease);
	assert_true(keys_only ? kv->value.len == 0 : slice_is(kv->value, v->value));
}

/* A random range of keys [*from, *to). */
static struct store_key_range model_range(struct model *m, int *from, int *to)
{
	*from = (int)model_random(m, MODEL_KEYS);
	switch (model_random(m, 4)) {
	case 0:
		*to = MODEL_KEYS;
		return (struct store_key_range){slice_of(model_key(*from)), SLICE("\0")};
	case 1:
		*to = *from + 1 + (int)model_random(m, (unsigned)(MODEL_KEYS - *from));
		return (struct store_key_range){slice_of(model_key(*from)), slice_of(model_key(*to))};
	default:
		*to = *from + 1;
		return (struct store_key_range){.key = slice_of(model_key(*from))};
	}
}

static int64_t version_number(const struct version *v, enum store_target t)
{
	return t == STORE_TARGET_VERSION ? v->version : t == STORE_TARGET_CREATE ? v->create : v->revision;
}

static int version_compare(const struct version *a, const struct version *b, const struct store_range *r)
{
	int c;
	if (r->sort_target == STORE_TARGET_KEY)
		c = a->key - b->key;
	else if (r->sort_target == STORE_TARGET_VALUE)
		c = strcmp(a->value, b->value);
	else
		c = (version_number(a, r->sort_target) > version_number(b, r->sort_target)) -
		    (version_number(a, r->sort_target) < version_number(b, r->sort_target));
	return r->sort == STORE_SORT_DESCEND ? -c : c;
}

/* A bound for a filter: often exactly a revision that is there. */
static int64_t model_bound(struct model *m)
{
	if (m->n == 0 || model_random(m, 4) == 0)
		return model_random(m, (unsigned)m->revision + 1);
	return m->log[m->n - 1 - (int)model_random(m, m->n < 30 ? (unsigned)m->n : 30)].revision;
}

static struct store_range model_random_range(struct model *m, int *from, int *to)
{
	struct store_range r = {.keys = model_range(m, from, to)};
	if (model_random(m, 2))
		r.revision = (int64_t)model_random(m, (unsigned)m->revision + 3);
	if (model_random(m, 2))
		r.limit = 1 + model_random(m, 8);
	r.sort = model_random(m, 3);
	if (model_random(m, 3) == 0)
		r.sort_target = model_random(m, 5);
	r.keys_only = model_random(m, 4) == 0;
	r.count_only = model_random(m, 6) == 0;
	if (model_random(m, 5) == 0)
		r.min_mod_revision = model_bound(m);
	if (model_random(m, 5) == 0)
		r.max_mod_revision = model_bound(m);
	if (model_random(m, 5) == 0)
		r.min_create_revision = model_bound(m);
	if (model_random(m, 5) == 0)
		r.max_create_revision = model_bound(m);
	return r;
}

static void model_check_range(
        struct model *m, const struct store_range *r, int from, int to, const struct store_result *res)
{
	struct version *got[MODEL_KEYS];
	int n = 0, count = 0;
	for (int k = from; k < to; k++) {
		struct version *v = model_at(m, k, r->revision ? r->revision : INT64_MAX);
		count += v != NULL;
		if (v && (!r->min_mod_revision || v->revision >= r->min_mod_revision) &&
		        (!r->max_mod_revision || v->revision <= r->max_mod_revision) &&
		        (!r->min_create_revision || v->create >= r->min_create_revision) &&
		        (!r->max_create_revision || v->create <= r->max_create_revision))
			got[n++] = v;
	}
	assert_int_equal(res->count, count);
	if (r->count_only) {
		assert_int_equal(res->n_kvs, 0);
		return;
	}
	for (int i = 1; i < n; i++) /* stable */
		for (int j = i; j > 0 && version_compare(got[j - 1], got[j], r) > 0; j--) {
			struct version *v = got[j];
			got[j] = got[j - 1];
			got[j - 1] = v;
		}
	bool more = r->limit && n > r->limit;
	assert_int_equal(res->more, more);
	assert_int_equal(res->n_kvs, more ? r->limit : n);
	for (size_t i = 0; i < res->n_kvs; i++)
		model_same(got[i], &res->kvs[i], r->keys_only);
}

static int model_expect_revision(struct model *m, int64_t revision)
{
	if (revision > m->revision)
		return ERR_FUTURE_REVISION;
	return revision && revision < m->compacted ? ERR_COMPACTED : 0;
}

static void step_range(struct engine *e, struct model *m)
{
	int from, to;
	struct suite_call c = {.req.op = {.type = STORE_OP_RANGE, .range = model_random_range(m, &from, &to)}};
	assert_int_equal(suite_run(e, &c), model_expect_revision(m, c.req.op.range.revision));
	if (c.req.err.code == 0)
		model_check_range(m, &c.req.op.range, from, to, &c.req.result);
	suite_end(&c);
}

static bool model_compare(struct model *m, const struct store_compare *c, int from, int to)
{
	bool any = false;
	static const struct version none;
	for (int k = from; k <= to; k++) {
		const struct version *v = k < to ? model_at(m, k, INT64_MAX) : any ? NULL : &none;
		if (!v)
			continue;
		any = true;
		int64_t a = c->target == STORE_TARGET_LEASE ? v->lease : version_number(v, c->target);
		int64_t b = c->number;
		if (c->target == STORE_TARGET_VALUE) {
			if (v == &none)
				return false;
			a = slice_cmp(slice_of(v->value), c->value);
			b = 0;
		}
		bool holds = c->result == STORE_EQUAL     ? a == b
		             : c->result == STORE_GREATER ? a > b
		             : c->result == STORE_LESS    ? a < b
		                                          : a != b;
		if (!holds)
			return false;
	}
	return true;
}

/* Operations of one branch, each on keys of its own third so that none is written twice. */
struct branch {
	struct store_op ops[3];
	int from[3], to[3];
	char values[3][16];
	size_t n;
};

static void model_branch(struct model *m, struct branch *b)
{
	b->n = model_random(m, 4);
	for (size_t i = 0; i < b->n; i++) {
		int third = MODEL_KEYS / 3, base = (int)i * third;
		int from = base + (int)model_random(m, (unsigned)third);
		struct store_op *op = &b->ops[i];
		b->from[i] = from;
		b->to[i] = from + 1;
		switch (model_random(m, 3)) {
		case 0:
			snprintf(b->values[i], sizeof b->values[i], "t%u", model_random(m, 100));
			*op = suite_op_put(model_key(from), b->values[i]);
			op->put.prev_kv = model_random(m, 2);
			if (model_random(m, 3) == 0)
				op->put.lease = 1 + (int64_t)model_random(m, MODEL_LEASES);
			if (model_random(m, 6) == 0) {
				op->put.ignore_value = true;
				op->put.value = SLICE_NULL;
			}
			break;
		case 1:
			b->to[i] = from + 1 + (int)model_random(m, (unsigned)(base + third - from));
			*op = suite_op_delete(model_key(from));
			op->del.keys.end = slice_of(model_key(b->to[i]));
			op->del.prev_kv = model_random(m, 2);
			break;
		default:
			*op = (struct store_op){.type = STORE_OP_RANGE,
			        .range = {.keys = {slice_of(model_key(0)), slice_of(model_key(MODEL_KEYS))}}};
			b->from[i] = 0;
			b->to[i] = MODEL_KEYS;
		}
	}
}

static int branch_error(struct model *m, const struct branch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct store_put *p = &b->ops[i].put;
		if (b->ops[i].type != STORE_OP_PUT)
			continue;
		if (p->ignore_value && !model_at(m, b->from[i], INT64_MAX))
			return ERR_NOT_FOUND;
		if (p->lease && !m->leases[p->lease])
			return ERR_NOT_FOUND;
	}
	return 0;
}

/* Applies a branch to the model and holds the results against it. */
static void branch_apply(struct model *m, const struct branch *b, const struct store_result *res)
{
	int64_t revision = m->revision + 1;
	int before = m->n;
	for (size_t i = 0; i < b->n; i++) {
		const struct store_op *op = &b->ops[i];
		if (op->type == STORE_OP_RANGE) {
			model_check_range(m, &op->range, b->from[i], b->to[i], &res[i]);
			continue;
		}
		size_t prevs = 0;
		int64_t deleted = 0;
		for (int k = b->from[i]; k < b->to[i]; k++) {
			struct version *old = model_at(m, k, INT64_MAX);
			bool want = op->type == STORE_OP_PUT ? op->put.prev_kv : op->del.prev_kv;
			if (old && want)
				model_same(old, &res[i].kvs[prevs++], false);
			if (op->type == STORE_OP_PUT) {
				model_write(m, revision, k, op->put.ignore_value ? old->value : b->values[i],
				        op->put.lease);
			} else if (old) {
				deleted++;
				model_write(m, revision, k, NULL, 0);
			}
		}
		assert_int_equal(res[i].n_kvs, prevs);
		if (op->type == STORE_OP_DELETE)
			assert_int_equal(res[i].count, deleted);
	}
	if (m->n > before)
		m->revision = revision;
}

static void step_txn(struct engine *e, struct model *m)
{
	struct branch then, otherwise;
	struct store_compare cmp[2];
	bool holds = true;
	char value[16];
	size_t n_compares = model_random(m, 3);
	for (size_t i = 0; i < n_compares; i++) {
		int from, to;
		cmp[i] = (struct store_compare){.keys = model_range(m, &from, &to)};
		cmp[i].target = STORE_TARGET_VERSION + model_random(m, 5);
		cmp[i].result = model_random(m, 4);
		struct version *v = model_at(m, from, INT64_MAX);
		cmp[i].number = v && model_random(m, 2) ? version_number(v, cmp[i].target) : model_random(m, 3);
		snprintf(value, sizeof value, "%s", v ? v->value : "x");
		cmp[i].value = slice_of(value);
		if (n_compares > 1)
			cmp[i].value = SLICE("t5");
		holds = holds && model_compare(m, &cmp[i], from, to);
	}
	model_branch(m, &then);
	model_branch(m, &otherwise);
	struct branch *taken = holds ? &then : &otherwise;
	struct store_op inner = {
	        .type = STORE_OP_TXN, .txn = {cmp, n_compares, then.ops, then.n, otherwise.ops, otherwise.n}};
	bool nest = model_random(m, 3) == 0;
	struct suite_call c = {.req.op = inner};
	if (nest)
		c.req.op = (struct store_op){.type = STORE_OP_TXN, .txn = {.success = &inner, .n_success = 1}};
	int want = branch_error(m, taken);
	assert_int_equal(suite_run(e, &c), want);
	if (want == 0) {
		const struct store_result *res = nest ? &c.req.result.results[0] : &c.req.result;
		assert_int_equal(res->succeeded, holds);
		assert_int_equal(res->n_results, taken->n);
		branch_apply(m, taken, res->results);
		assert_int_equal(c.req.revision, m->revision);
	}
	suite_end(&c);
}

static void step_lease(struct engine *e, struct model *m)
{
	int64_t id = 1 + (int64_t)model_random(m, MODEL_LEASES);
	bool grant = model_random(m, 3) > 0;
	struct suite_call c = {.req.type = grant ? STORE_REQUEST_LEASE_GRANT : STORE_REQUEST_LEASE_REVOKE,
	        .req.lease = {.id = id, .ttl_s = 10000}};
	int want = grant ? (m->leases[id] ? ERR_EXISTS : 0) : (m->leases[id] ? 0 : ERR_NOT_FOUND);
	assert_int_equal(suite_run(e, &c), want);
	suite_end(&c);
	if (want)
		return;
	m->leases[id] = grant;
	int before = m->n;
	for (int k = 0; k < MODEL_KEYS && !grant; k++) {
		struct version *v = model_at(m, k, INT64_MAX);
		if (v && v->lease == id)
			model_write(m, m->revision + 1, k, NULL, 0);
	}
	m->revision += m->n > before;
}

static void step_compact(struct engine *e, struct model *m)
{
	int64_t revision = (int64_t)model_random(m, (unsigned)m->revision + 2);
	int want = revision > m->revision ? ERR_FUTURE_REVISION : revision <= m->compacted ? ERR_COMPACTED : 0;
	struct suite_call c = {
	        .req.type = STORE_REQUEST_COMPACT, .req.revision_arg = revision, .req.physical = model_random(m, 2)};
	assert_int_equal(suite_run(e, &c), want);
	suite_end(&c);
	if (want == 0)
		m->compacted = revision;
}

/* All events since the compacted revision must be the model's log, with previous pairs where they are kept. */
struct log_check {
	struct engine *engine;
	struct model *model;
	struct store_watch *watch;
	uv_sem_t done;
	int at;
	int64_t from;
	char wrong[200];
};

static void log_closed(void *arg)
{
	uv_sem_post(&((struct log_check *)arg)->done);
}

static void log_check_event(struct log_check *l, const struct store_event *ev)
{
	struct model *m = l->model;
	if (l->at == m->n || l->wrong[0]) {
		snprintf(l->wrong, sizeof l->wrong, "an event too many");
		return;
	}
	struct version *v = &m->log[l->at++], *prev = model_at(m, v->key, v->revision - 1);
	bool same = ev->kv.mod_revision == v->revision && slice_is(ev->kv.key, model_key(v->key)) &&
	            ev->is_delete == (v->version == 0) && ev->kv.version == v->version &&
	            ev->kv.create_revision == v->create && ev->kv.lease == v->lease && slice_is(ev->kv.value, v->value);
	bool prev_known = v->revision > m->compacted;
	bool prev_same = !prev_known || (prev ? ev->prev.key.ptr && slice_is(ev->prev.value, prev->value) &&
	                                                        ev->prev.mod_revision == prev->revision
	                                      : ev->prev.key.ptr == NULL);
	if (!same || !prev_same)
		snprintf(l->wrong, sizeof l->wrong, "event %d: key %.*s revision %d, wanted %s %d (prev %d)", l->at,
		        SLICE_FMT(ev->kv.key), (int)ev->kv.mod_revision, model_key(v->key), (int)v->revision,
		        prev_same);
}

static void log_ready(void *arg)
{
	struct log_check *l = arg;
	struct store_watch_batch b;
	struct err err;
	do {
		if (store_watch_read(l->engine, l->watch, &b, &err) != 0) {
			snprintf(l->wrong, sizeof l->wrong, "%.150s", err.msg);
			break;
		}
		for (size_t i = 0; i < b.n_events; i++)
			log_check_event(l, &b.events[i]);
	} while (b.n_events);
	if (l->wrong[0] || l->at == l->model->n)
		store_watch_close(l->engine, l->watch, log_closed, l);
}

static struct loop suite_loop;

static void log_begin(void *arg)
{
	struct log_check *l = arg;
	struct store_watch_options o = {.keys = {SLICE("\0"), SLICE("\0")}, .start_revision = l->from, .prev_kv = true};
	l->watch = store_watch_open(l->engine, &o, &suite_loop, log_ready, l);
}

static void suite_loop_stop(void *arg)
{
	loop_stop(&suite_loop);
}

static void suite_loop_start(void)
{
	loop_init(&suite_loop, "suite");
	loop_start_thread(&suite_loop);
}

static void suite_loop_end(void)
{
	loop_call(&suite_loop, suite_loop_stop, NULL);
	loop_join(&suite_loop);
	loop_release(&suite_loop);
}

static void model_check_log(struct engine *e, struct model *m)
{
	/* Below the compacted revision only what lives is kept, so begin after it. */
	struct log_check l = {.engine = e, .model = m, .from = m->compacted + 1};
	while (l.at < m->n && m->log[l.at].revision < l.from)
		l.at++;
	if (l.at == m->n)
		return;
	uv_sem_init(&l.done, 0);
	loop_call(&suite_loop, log_begin, &l);
	uv_sem_wait(&l.done);
	uv_sem_destroy(&l.done);
	if (l.wrong[0])
		fail_msg("%s", l.wrong);
}

static void model_check_now(struct engine *e, struct model *m)
{
	struct suite_call c = {.req.op = suite_op_list("k", "")};
	struct store_stats stats;
	assert_int_equal(suite_run(e, &c), 0);
	model_check_range(m, &c.req.op.range, 0, MODEL_KEYS, &c.req.result);
	store_stats(e, &stats);
	assert_int_equal(stats.keys, c.req.result.count);
	assert_int_equal(stats.revision, m->revision);
	suite_end(&c);
	model_check_log(e, m);
}

static void suite_random_operations_match_the_model(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	const char *seed = getenv("SEED");
	uint64_t start = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + (uint64_t)getpid();
	print_message("SEED=%llu\n", (unsigned long long)start);
	m->random = start | 1;
	m->revision = 1;
	suite_loop_start();
	for (int i = 0; i < 3000; i++) {
		switch (model_random(m, 40)) {
		case 0:
			step_compact(*state, m);
			break;
		case 1:
		case 2:
			step_lease(*state, m);
			break;
		case 3:
			model_check_now(*state, m);
			break;
		case 4:
			if (model_random(m, 10) == 0) {
				store_close(*state);
				*state = suite_open();
				model_check_now(*state, m);
			}
			break;
		default:
			if (model_random(m, 2))
				step_range(*state, m);
			else
				step_txn(*state, m);
		}
	}
	model_check_now(*state, m);
	suite_loop_end();
	free(m);
}

/* ---- the system keyspace ---- */

static int suite_system_change(struct engine *e, int64_t expect, const char *key, const char *value, int64_t *version)
{
	struct store_system_entry x = {.key = slice_of(key), .value = slice_of(value), .is_delete = !value};
	struct suite_call c = {.req.type = STORE_REQUEST_SYSTEM,
	        .req.system = {.expect_version = expect, .changes = &x, .n_changes = 1}};
	int rc = suite_run(e, &c);
	*version = c.req.system.version;
	if (rc == ERR_CONFLICT)
		assert_int_equal(c.req.cause, STORE_CAUSE_SYSTEM_CHANGED);
	suite_end(&c);
	return rc;
}

static int64_t size_of(struct engine *e)
{
	struct store_stats st;
	store_stats(e, &st);
	return st.size_bytes;
}

static void suite_defragmenting_gives_space_back(void **state)
{
	static char value[20000];
	struct engine *e = *state;
	unit_noise(value, sizeof value - 1);
	for (int i = 0; i < 400; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%d", i);
		suite_put(e, key, value);
	}
	struct suite_call gone = {.req.op = suite_op_list("k", "l")};
	gone.req.op = (struct store_op){.type = STORE_OP_DELETE, .del.keys = {SLICE("k"), SLICE("l")}};
	assert_int_equal(suite_run(e, &gone), 0);
	struct suite_call compact = {
	        .req.type = STORE_REQUEST_COMPACT, .req.revision_arg = gone.req.revision, .req.physical = true};
	suite_end(&gone);
	assert_int_equal(suite_run(e, &compact), 0);
	suite_end(&compact);
	struct suite_call defragment = {.req.type = STORE_REQUEST_DEFRAGMENT};
	assert_int_equal(suite_run(e, &defragment), 0);
	suite_end(&defragment);
	WAIT_FOR(size_of(e) <= 1024 * 1024); /* the checkpoint that follows cuts the file */
	assert_int_equal(suite_put(e, "k", "1") > 0, 1);
}

static void suite_system_keyspace_takes_no_revision(void **state)
{
	struct engine *e = *state;
	int64_t version;
	assert_int_equal(store_system_version(e), 1);
	assert_int_equal(suite_put(e, "a", "1"), 2);
	assert_int_equal(suite_system_change(e, STORE_SYSTEM_ANY, "alarm/2", "y", &version), 0);
	assert_int_equal(version, 2);
	assert_int_equal(suite_system_change(e, 2, "alarm/1", "x", &version), 0);
	assert_int_equal(suite_system_change(e, 3, "b", "z", &version), 0);
	assert_int_equal(suite_system_change(e, STORE_SYSTEM_ANY, "", "z", &version), ERR_INVAL);
	assert_int_equal(store_system_version(e), 4);
	assert_int_equal(store_revision(e), 2);
	struct suite_call c = {.req.type = STORE_REQUEST_SYSTEM_READ, .req.system.prefix = SLICE("alarm/")};
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.system.version, 4);
	assert_int_equal(c.req.system.n_entries, 2);
	assert_true(slice_is(c.req.system.entries[0].key, "alarm/1"));
	assert_true(slice_is(c.req.system.entries[0].value, "x"));
	assert_true(slice_is(c.req.system.entries[1].key, "alarm/2"));
	suite_end(&c);
	struct suite_call all = {.req.op = suite_op_list("a", "z")};
	assert_int_equal(suite_run(e, &all), 0);
	assert_int_equal(all.req.result.count, 1);
	suite_end(&all);
}

static void suite_system_change_is_bound_to_its_version(void **state)
{
	struct engine *e = *state;
	int64_t version;
	assert_int_equal(suite_system_change(e, 1, "k", "1", &version), 0);
	assert_int_equal(suite_system_change(e, 1, "k", "2", &version), ERR_CONFLICT);
	assert_int_equal(version, 2);
	assert_int_equal(suite_system_change(e, 2, "k", NULL, &version), 0);
	store_close(e);
	e = *state = suite_open();
	assert_int_equal(store_system_version(e), 3);
	struct suite_call c = {.req.type = STORE_REQUEST_SYSTEM_READ};
	assert_int_equal(suite_run(e, &c), 0);
	assert_int_equal(c.req.system.n_entries, 0);
	suite_end(&c);
}

static void suite_requests_are_bound_to_the_system_version(void **state)
{
	struct engine *e = *state;
	int64_t version;
	assert_int_equal(suite_put(e, "a", "1"), 2);
	assert_int_equal(suite_system_change(e, STORE_SYSTEM_ANY, "k", "1", &version), 0);
	struct store_request wrong[] = {{.op = suite_op_put("a", "2")}, {.op = suite_op_get("a")},
	        {.type = STORE_REQUEST_LEASE_GRANT, .lease = {.id = 7, .ttl_s = 100}},
	        {.type = STORE_REQUEST_LEASE_REVOKE, .lease.id = 7},
	        {.type = STORE_REQUEST_COMPACT, .revision_arg = 2}};
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct suite_call c = {.req = wrong[i]};
		c.req.system_version_expected = version - 1;
		assert_int_equal(suite_run(e, &c), ERR_CONFLICT);
		assert_int_equal(c.req.cause, STORE_CAUSE_SYSTEM_CHANGED);
		suite_end(&c);
	}
	assert_string_equal(suite_get(e, "a"), "1");
	struct suite_call right = {.req.op = suite_op_put("a", "2"), .req.system_version_expected = version};
	assert_int_equal(suite_run(e, &right), 0);
	assert_int_equal(right.req.revision, 3);
	suite_end(&right);
}

static int suite_hold(struct engine *e, int64_t lease, int64_t *version)
{
	char value[64];
	snprintf(value, sizeof value, "%016" PRIx64 " being moved", (uint64_t)lease);
	return suite_system_change(e, STORE_SYSTEM_ANY, STORE_HOLD_KEY, value, version);
}

static int suite_try_put(struct engine *e)
{
	struct suite_call c = {.req.op = suite_op_put("a", "2")};
	int rc = suite_run(e, &c);
	if (rc == ERR_UNAVAILABLE)
		assert_string_equal(c.req.err.msg, "writes are held back: being moved");
	suite_end(&c);
	return rc;
}

static void suite_lease(struct engine *e, int64_t id, int64_t ttl_s)
{
	struct suite_call c = {.req.type = STORE_REQUEST_LEASE_GRANT, .req.lease = {.id = id, .ttl_s = ttl_s}};
	assert_int_equal(suite_run(e, &c), 0);
	suite_end(&c);
}

static void suite_writes_are_held_back_as_long_as_a_lease_lasts(void **state)
{
	struct engine *e = *state;
	int64_t version, later;
	suite_put(e, "a", "1");
	assert_int_equal(suite_hold(e, 7, &version), ERR_NOT_FOUND);
	suite_lease(e, 7, 100);
	assert_int_equal(suite_hold(e, 7, &version), 0);
	assert_int_equal(suite_try_put(e), ERR_UNAVAILABLE);
	assert_string_equal(suite_get(e, "a"), "1");
	assert_int_equal(suite_system_change(e, STORE_SYSTEM_ANY, "k", "1", &later), ERR_UNAVAILABLE);
	assert_int_equal(store_system_version(e), version);
	struct suite_call revoke = {.req.type = STORE_REQUEST_LEASE_REVOKE, .req.lease.id = 7};
	assert_int_equal(suite_run(e, &revoke), 0);
	suite_end(&revoke);
	assert_int_equal(store_system_version(e), version + 1);
	assert_int_equal(suite_try_put(e), 0);
	suite_lease(e, 8, 1);
	assert_int_equal(suite_hold(e, 8, &version), 0);
	assert_int_equal(suite_try_put(e), ERR_UNAVAILABLE);
	WAIT_FOR(suite_try_put(e) == 0); /* who held them back is lost */
}

static void suite_writes_that_are_held_back_for_good_stay_so(void **state)
{
	struct engine *e = *state;
	int64_t version;
	suite_put(e, "a", "1");
	assert_int_equal(suite_hold(e, 0, &version), 0);
	store_close(e);
	e = *state = suite_open();
	assert_int_equal(suite_try_put(e), ERR_UNAVAILABLE);
	assert_int_equal(suite_system_change(e, version, STORE_HOLD_KEY, NULL, &version), 0);
	assert_int_equal(suite_try_put(e), 0);
	store_close(e);
	e = *state = suite_open();
	assert_int_equal(suite_try_put(e), 0);
}

static void suite_operations_and_their_times_are_counted(void **state)
{
	struct engine *e = *state;
	struct store_op both[] = {suite_op_put("b", "1"), suite_op_get("a")};
	struct store_op pair = {.type = STORE_OP_TXN, .txn = {.success = both, .n_success = 2}};
	struct store_op single = {.type = STORE_OP_TXN, .txn = {.success = both, .n_success = 1}};
	struct store_stats before, after;
	store_stats(e, &before);
	uint64_t commits = histogram_count(before.commits), syncs = histogram_count(before.syncs);
	suite_put(e, "a", "1");
	suite_do(e, pair);
	suite_do(e, single);
	suite_delete(e, "a");
	suite_put(e, "", "refused");
	suite_get(e, "a");
	assert_int_equal(suite_compact(e, store_revision(e)), 0); /* the database hears of it */
	store_stats(e, &after);
	assert_int_equal(after.puts - before.puts, 3);
	assert_int_equal(after.ranges - before.ranges, 2);
	assert_int_equal(after.deletes - before.deletes, 1);
	assert_int_equal(after.txns - before.txns, 1);
	assert_true(histogram_count(after.commits) > commits);
	assert_true(histogram_count(after.syncs) >= syncs + 4);
}

#define SUITE_TEST(fn) cmocka_unit_test_setup_teardown(fn, suite_setup, suite_teardown)
#define SUITE_TESTS \
	SUITE_TEST(suite_put_counts_versions), SUITE_TEST(suite_put_flags), \
	        SUITE_TEST(suite_ignore_lease_keeps_the_lease), SUITE_TEST(suite_paging_without_a_count), \
	        SUITE_TEST(suite_txn_compares_and_reads_its_writes), SUITE_TEST(suite_txn_refuses_double_writes), \
	        SUITE_TEST(suite_too_large_is_refused), SUITE_TEST(suite_compaction_keeps_what_lives), \
	        SUITE_TEST(suite_lease_revoke_deletes_its_keys_at_once), \
	        SUITE_TEST(suite_lease_keys_must_lie_within_when_it_is_carried_out), \
	        SUITE_TEST(suite_lease_runs_out_unless_kept_alive), SUITE_TEST(suite_barrier_sees_what_was_answered), \
	        SUITE_TEST(suite_defragmenting_gives_space_back), SUITE_TEST(suite_system_keyspace_takes_no_revision), \
	        SUITE_TEST(suite_system_change_is_bound_to_its_version), \
	        SUITE_TEST(suite_requests_are_bound_to_the_system_version), \
	        SUITE_TEST(suite_writes_are_held_back_as_long_as_a_lease_lasts), \
	        SUITE_TEST(suite_writes_that_are_held_back_for_good_stay_so), \
	        SUITE_TEST(suite_operations_and_their_times_are_counted), \
	        SUITE_TEST(suite_random_operations_match_the_model)
