/* The state machine alone: the same commands give the same state and hash however they are cut into batches, whenever
 * the memory table is flushed and compaction removes rows; what a crash takes from memory is the same again when its
 * commands are; a reader's view is of one moment, and what it keeps unpacked is never out of date. */
#include "store/machine/compaction.h"
#include "store/machine/flush.h"
#include "store/machine/hash.h"
#include "store/machine/database/version_sql.h"
#include "tests/unit/store/engine/engine_suite.h"

#include <time.h>

enum { COMMANDS = 2000 };

static void remove_db(const char *name)
{
	char path[128];
	const char *suffixes[] = {"", "-wal", "-shm"};
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s%s", suite_folder, name, suffixes[i]);
		unlink(path);
	}
}

static void open_named(struct machine *m, const char *name)
{
	char path[128];
	struct err err = ERR_INIT;
	snprintf(path, sizeof path, "%s/%s", suite_folder, name);
	if (machine_open(m, path, &err) != 0)
		fail_msg("%s", err.msg);
}

static unsigned next_random(uint64_t *r, unsigned below)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return (unsigned)(*r >> 33) % below;
}

enum { VALUE_BYTES_MAX = 40000 };

struct command {
	struct store_request req;
	char key[16], value[VALUE_BYTES_MAX + 1];
	struct store_op ops[2];
};

/* Most are short; some take a good part of a block, some more than one; some pack and some don't. */
static void make_value(char *value, uint64_t *r)
{
	unsigned n = next_random(r, 8);
	size_t len = n == 0 ? next_random(r, VALUE_BYTES_MAX) : n < 3 ? next_random(r, 3000) : 0;
	uint64_t noise = next_random(r, 2) ? *r : 0;
	snprintf(value, 16, "v%u", next_random(r, 1000));
	for (size_t i = strlen(value); i < len; i++)
		value[i] = (char)(noise ? 1 + next_random(&noise, 255) : 'x');
}

static void make_command(struct command *c, uint64_t *r, int64_t revision)
{
	memset(c, 0, sizeof *c);
	snprintf(c->key, sizeof c->key, "k%u", next_random(r, 20));
	make_value(c->value, r);
	c->ops[0] = suite_op_put(c->key, c->value);
	c->ops[1] = suite_op_put("fixed", c->value);
	switch (next_random(r, 10)) {
	case 0:
		c->req.op = suite_op_delete(c->key);
		break;
	case 1:
		c->req.type = next_random(r, 2) ? STORE_REQUEST_LEASE_GRANT : STORE_REQUEST_LEASE_REVOKE;
		c->req.lease = (struct store_lease_args){.id = 1 + next_random(r, 3), .ttl_s = 10};
		break;
	case 2:
		c->req.type = STORE_REQUEST_COMPACT;
		c->req.revision_arg = revision - next_random(r, 20);
		break;
	case 3:
		c->ops[0].put.lease = 1 + next_random(r, 3);
		c->req.op = c->ops[0];
		break;
	default:
		c->req.op = (struct store_op){.type = STORE_OP_TXN, .txn = {.success = c->ops, .n_success = 2}};
	}
}

/* How often a machine does what makes no difference. */
struct pace {
	unsigned per_batch, flush_one_in, trim_rows;
};

static void flush(struct machine *m)
{
	struct err err = ERR_INIT;
	mem_table_freeze(&m->table);
	assert_true(machine_flush(m, &err) >= 0);
}

static void maintain(struct machine *m, const struct pace *p, uint64_t *r)
{
	struct err err = ERR_INIT;
	if (p->flush_one_in && next_random(r, p->flush_one_in) == 0)
		flush(m);
	if (p->trim_rows && machine_trim_pending(m))
		assert_int_equal(machine_trim(m, (int)p->trim_rows, &err), 0);
}

/* Commands from..to of those that the seed gives; the log's index of each is its number. */
static void run_commands(struct machine *m, uint64_t seed, int64_t from, int64_t to, const struct pace *p)
{
	static struct command c;
	/* dice of its own for each stretch: the same ones each time would flush at the same place in all, or never */
	uint64_t r = seed, paces = (seed + (uint64_t)from) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	static int64_t revisions[COMMANDS + 2]; /* what a command does hangs on the revision it meets */
	for (int64_t i = 1; i <= to; i++) {
		if (i == from || (i > from && i % p->per_batch == 0))
			machine_begin(m);
		if (i >= from)
			revisions[i] = m->meta.revision;
		make_command(&c, &r, revisions[i]);
		if (i < from)
			continue;
		machine_apply(m, &c.req);
		m->meta.applied_index = i;
		m->meta.applied_term = 1;
		store_request_release(&c.req);
		if ((i + 1) % p->per_batch != 0 && i != to)
			continue;
		event_block_unref(machine_publish(m));
		maintain(m, p, &paces);
	}
}

static uint32_t hash_of(struct machine *m, int64_t revision)
{
	struct err err = ERR_INIT;
	struct store_view v;
	uint32_t hash = 0;
	assert_int_equal(store_view_open(&v, &m->table, &m->db, &err), 0);
	if (hash_versions(&v, revision, true, &hash, &err) != 0)
		fail_msg("%s", err.msg);
	store_view_close(&v);
	return hash;
}

static int64_t count_of(struct machine *m)
{
	struct err err = ERR_INIT;
	struct store_view v;
	struct store_key_range all = {.key = SLICE(""), .end = SLICE("\0")};
	int64_t n = -1;
	assert_int_equal(store_view_open(&v, &m->table, &m->db, &err), 0);
	assert_int_equal(range_count(&v, &all, all.key, &n, &err), 0);
	store_view_close(&v);
	return n;
}

static void assert_same(struct machine *a, struct machine *b)
{
	assert_int_equal(a->meta.revision, b->meta.revision);
	assert_int_equal(a->meta.hash, b->meta.hash);
	assert_int_equal(a->meta.keys, b->meta.keys);
	assert_int_equal(a->meta.compacted, b->meta.compacted);
	assert_int_equal(hash_of(a, 0), hash_of(b, 0));
	assert_int_equal(hash_of(a, a->meta.compacted), hash_of(b, b->meta.compacted));
	assert_int_equal(count_of(a), a->meta.keys);
	assert_int_equal(count_of(b), b->meta.keys);
}

static uint64_t draw_seed(void)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 7919 + 1;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

static void test_the_same_commands_give_the_same_state(void **state)
{
	static const struct pace paces[] = {{1, 0, 0}, {37, 0, 50}, {1, 3, 7}, {5, 20, 1}, {100, 1, 1000}};
	struct machine a, b;
	uint64_t seed = draw_seed();
	suite_folder_make();
	open_named(&a, "a");
	run_commands(&a, seed, 1, COMMANDS, &paces[0]);
	assert_true(a.meta.revision > COMMANDS / 2);
	for (size_t i = 1; i < 5; i++) {
		open_named(&b, "b");
		run_commands(&b, seed, 1, COMMANDS, &paces[i]);
		assert_same(&a, &b);
		flush(&b);
		assert_same(&a, &b);
		machine_close(&b);
		open_named(&b, "b"); /* from the database alone */
		assert_same(&a, &b);
		machine_close(&b);
		remove_db("b");
	}
	machine_close(&a);
	remove_db("a");
	suite_folder_remove();
}

static void test_what_a_crash_takes_is_the_same_again(void **state)
{
	struct machine a, b;
	const struct pace never = {1, 0, 0}, often = {3, 25, 5};
	uint64_t seed = draw_seed();
	suite_folder_make();
	open_named(&a, "a");
	open_named(&b, "b");
	int64_t done = 0, lost = 0;
	for (int64_t to = 90; to <= COMMANDS; to += 90) {
		run_commands(&b, seed, done + 1, to, &often);
		machine_close(&b); /* what is in memory is gone */
		open_named(&b, "b");
		done = b.meta.applied_index;
		assert_true(done <= to);
		lost += to - done;
	}
	run_commands(&b, seed, done + 1, COMMANDS, &often);
	run_commands(&a, seed, 1, COMMANDS, &never);
	assert_same(&a, &b);
	assert_true(lost > 100);
	machine_close(&a);
	machine_close(&b);
	remove_db("a");
	remove_db("b");
	suite_folder_remove();
}

static void put(struct machine *m, const char *key, const char *value)
{
	struct store_request req = {.op = suite_op_put(key, value)};
	machine_begin(m);
	machine_apply(m, &req);
	event_block_unref(machine_publish(m));
	store_request_release(&req);
}

static void compact(struct machine *m, int64_t revision)
{
	struct store_request req = {.type = STORE_REQUEST_COMPACT, .revision_arg = revision};
	machine_begin(m);
	machine_apply(m, &req);
	assert_int_equal(req.err.code, 0);
	event_block_unref(machine_publish(m));
}

static void assert_reads(struct store_view *v, const char *key, const char *want)
{
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct store_result res;
	struct store_range r = {.keys = {.key = slice_of(key)}};
	assert_int_equal(range_eval(v, &r, &res, &a, &err), 0);
	assert_int_equal(res.n_kvs, want != NULL);
	if (want)
		assert_true(slice_eq(res.kvs[0].value, slice_of(want)));
	arena_release(&a);
}

/* Whatever is written, flushed and compacted after it was taken. */
static void test_a_view_is_of_one_moment(void **state)
{
	struct machine m;
	struct err err = ERR_INIT;
	struct db reader;
	struct store_view v[3];
	suite_folder_make();
	open_named(&m, "a");
	char path[128];
	snprintf(path, sizeof path, "%s/a", suite_folder);
	put(&m, "k", "1");
	for (int i = 0; i < 3; i++) {
		if (i == 1)
			mem_table_freeze(&m.table); /* half way into the database */
		assert_int_equal(db_open(&reader, path, DB_READER, &err), 0);
		assert_int_equal(store_view_open(&v[i], &m.table, &reader, &err), 0);
		put(&m, "k", "2");
		put(&m, "new", "2");
		assert_reads(&v[i], "k", i == 0 ? "1" : "2");
		flush(&m);
		flush(&m);
		compact(&m, m.meta.revision);
		flush(&m);
		while (machine_trim_pending(&m))
			assert_int_equal(machine_trim(&m, 10, &err), 0);
		assert_reads(&v[i], "k", i == 0 ? "1" : "2");
		assert_reads(&v[i], "new", i == 0 ? NULL : "2");
		store_view_close(&v[i]);
		db_close(&reader);
	}
	machine_close(&m);
	remove_db("a");
	suite_folder_remove();
}

static int64_t rows_of(struct machine *m, const char *sql)
{
	sqlite3_stmt *s = NULL;
	assert_int_equal(version_sql_register(&m->tables, NULL), 0);
	assert_int_equal(sqlite3_prepare_v2(m->tables.handle, sql, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* ---- unpacked blocks are kept from read to read ---- */

static void append_all(struct strbuf *out, struct machine *m, struct db *db, int64_t revision)
{
	struct err err = ERR_INIT;
	struct store_view v;
	struct arena a = ARENA_INIT;
	struct store_result res;
	struct store_range r = {.keys = {.key = SLICE(""), .end = SLICE("\0")}, .revision = revision};
	struct version_cursor c;
	struct version_row row;
	assert_int_equal(store_view_open(&v, &m->table, db, &err), 0);
	if (range_eval(&v, &r, &res, &a, &err) != 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < res.n_kvs; i++) {
		strbuf_addf(out, "%d %d ", (int)res.kvs[i].mod_revision, (int)res.kvs[i].version);
		strbuf_add_slice(out, res.kvs[i].key);
		strbuf_add_slice(out, res.kvs[i].value);
	}
	/* and each version with the one before it, as a watch reads them */
	assert_int_equal(versions_open(&c, &v, ROW_ID(revision), &err), 0);
	while (versions_next(&c, &row, &err) == 1) {
		struct row prev;
		int rc = row.prev ? row_by_id(&v, row.key, row.prev, &prev, &err) : 0;
		assert_true(rc >= 0);
		strbuf_addf(out, "%lld<-%lld ", (long long)row.id, (long long)(rc == 1 ? prev.id : 0));
		strbuf_add_slice(out, row.value);
	}
	versions_close(&c);
	store_view_close(&v);
	arena_release(&a);
}

static void test_a_kept_block_is_never_an_old_one(void **state)
{
	struct machine m;
	struct err err = ERR_INIT;
	struct db warm, cold;
	const struct pace pace = {7, 3, 9};
	uint64_t seed = draw_seed(), r = seed;
	char path[128];
	int64_t last_rewrites = 0;
	suite_folder_make();
	open_named(&m, "a");
	snprintf(path, sizeof path, "%s/a", suite_folder);
	assert_int_equal(db_open(&warm, path, DB_READER, &err), 0);
	for (int64_t to = 20; to <= COMMANDS; to += 20) {
		run_commands(&m, seed, to - 19, to, &pace);
		int64_t revision =
		        m.meta.revision - next_random(&r, (unsigned)(m.meta.revision - m.meta.compacted) + 1);
		revision = revision ? revision : 1;
		struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
		assert_int_equal(db_open(&cold, path, DB_READER, &err), 0);
		append_all(&a, &m, &warm, revision);
		append_all(&b, &m, &cold, revision);
		assert_true(slice_eq(strbuf_slice(&a), strbuf_slice(&b)));
		db_close(&cold);
		strbuf_release(&a);
		strbuf_release(&b);
		last_rewrites = m.base.rewrites;
	}
	assert_true(last_rewrites > 20);
	db_close(&warm);
	machine_close(&m);
	remove_db("a");
	suite_folder_remove();
}

static void test_what_compaction_passed_in_memory_is_not_written(void **state)
{
	struct machine m;
	suite_folder_make();
	open_named(&m, "a");
	for (int i = 0; i < 100; i++)
		put(&m, "k", "v");
	struct store_request req = {.op = suite_op_put("gone", "1")}, del = {.op = suite_op_delete("gone")};
	machine_begin(&m);
	machine_apply(&m, &req);
	machine_apply(&m, &del);
	event_block_unref(machine_publish(&m));
	put(&m, "k", "last");
	compact(&m, m.meta.revision);
	flush(&m);
	assert_int_equal(rows_of(&m, "SELECT count(*) FROM rev"), 1);
	assert_int_equal(rows_of(&m, "SELECT count(*) FROM cur"), 1);
	store_request_release(&req);
	store_request_release(&del);
	machine_close(&m);
	remove_db("a");
	suite_folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_the_same_commands_give_the_same_state),
	        cmocka_unit_test(test_what_a_crash_takes_is_the_same_again),
	        cmocka_unit_test(test_a_view_is_of_one_moment),
	        cmocka_unit_test(test_a_kept_block_is_never_an_old_one),
	        cmocka_unit_test(test_what_compaction_passed_in_memory_is_not_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
