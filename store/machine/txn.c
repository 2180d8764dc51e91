/* Transactions: decided, carried out.
 *
 * Three passes, as etcd does it (server/etcdserver/txn): what needs no state is checked where the request comes in
 * (txn_check.c). Then, on the state before the transaction, all compares are evaluated, nested ones too, and with them
 * the branches are known; the operations on these branches are checked against the state (key there for ignore_value,
 * lease there, revision readable), the rows they will write are counted, and the bytes they will answer measured. Only
 * then is anything written, so a request that is refused has written nothing and its neighbours in the same SQLite
 * transaction need no savepoint; and what is accepted goes through, but for a full disk. In the third pass reads see
 * the writes before them.
 *
 * What a range will answer is measured on the state before, so it is measured generously: as many rows more as the
 * transaction deletes (they may move others into the limit), and all that it puts. */
#include "store/machine/txn.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/machine/change.h"

#include <inttypes.h>
#include <stdlib.h>

/* So many deletions of ranges in a store of so many keys are not counted: they can't come near SUB_MAX. */
enum { ROUGH_KEYS_MAX = 4096, ROUGH_DELETES_MAX = 128 };
_Static_assert(ROUGH_KEYS_MAX *ROUGH_DELETES_MAX + STORE_TXN_OPS_CEILING < SUB_MAX, "a rough count refuses nothing");

/* Keys that one step of a large deletion holds in memory. */
enum { DELETE_KEYS_PER_STEP = 1000 };

/* ---- pass two: on the state before ---- */

static bool compare_number(int64_t a, int64_t b, enum store_compare_result want)
{
	switch (want) {
	case STORE_EQUAL:
		return a == b;
	case STORE_GREATER:
		return a > b;
	case STORE_LESS:
		return a < b;
	case STORE_NOT_EQUAL:
		return a != b;
	}
	return false;
}

/* 1: holds for this row, 0: not. A row of zeros stands for a key that is not there. */
static int compare_row(struct txn_context *t, const struct store_compare *c, const struct row *row, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct slice value;
	int rc;
	switch (c->target) {
	case STORE_TARGET_VERSION:
		return compare_number(row->version, c->number, c->result);
	case STORE_TARGET_CREATE:
		return compare_number(row->created, c->number, c->result);
	case STORE_TARGET_MOD:
		return compare_number(row->id ? ROW_REVISION(row->id) : 0, c->number, c->result);
	case STORE_TARGET_LEASE:
		return compare_number(row->lease, c->number, c->result);
	case STORE_TARGET_VALUE:
		if (row->id == 0)
			return 0; /* nothing is neither equal nor different */
		rc = row_value(t->view, row, &a, &value, err);
		if (rc == 0)
			rc = compare_number(slice_cmp(value, c->value), 0, c->result);
		arena_release(&a);
		return rc;
	default:
		return 0;
	}
}

static int compare_holds(struct txn_context *t, const struct store_compare *c, struct err *err)
{
	struct range_cursor cursor;
	struct row row, none = {0};
	bool any = false;
	int holds = 1;
	int rc = range_open(&cursor, t->view, &c->keys, INT64_MAX, err);
	if (rc != 0)
		return rc;
	while (holds == 1 && (rc = range_next(&cursor, &row, err)) == 1) {
		any = true;
		holds = compare_row(t, c, &row, err);
	}
	range_close(&cursor);
	if (holds < 0 || (holds == 1 && rc < 0))
		return holds < 0 ? holds : rc;
	return any ? holds : compare_row(t, c, &none, err);
}

static int reject(struct txn_context *t, enum store_cause cause)
{
	t->refused = true;
	t->cause = cause;
	return 0;
}

static int decide_put(struct txn_context *t, const struct store_put *p, struct err *err)
{
	struct row row;
	t->rows++;
	t->put_bytes += p->key.len + p->value.len;
	if (p->ignore_value || p->ignore_lease) {
		int rc = row_newest(t->view, p->key, &row, err);
		if (rc < 0)
			return rc;
		if (rc == 0 || row.version == 0) {
			reject(t, STORE_CAUSE_KEY_NOT_FOUND);
			return err_set(
			        err, ERR_NOT_FOUND, "key %.*s not found", p->key.len > 200 ? 200 : SLICE_FMT(p->key));
		}
	}
	if (p->lease) {
		int rc = lease_exists(t->view, p->lease, err);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			reject(t, STORE_CAUSE_LEASE_NOT_FOUND);
			return err_set(err, ERR_NOT_FOUND, "lease %" PRIx64 " not found", p->lease);
		}
	}
	return 0;
}

/* A revision names its rows with SUB_BITS bits. In a small store that all keys are deleted is a good enough count. */
static int decide_delete(struct txn_context *t, const struct store_delete *d, struct err *err)
{
	struct store_result res = {.count = d->keys.end.len ? t->meta->keys : 1};
	struct store_range r = {.keys = d->keys, .count_only = true};
	bool is_rough =
	        d->keys.end.len == 0 || (t->meta->keys <= ROUGH_KEYS_MAX && t->rough_deletes++ < ROUGH_DELETES_MAX);
	int rc = is_rough ? 0 : range_eval(t->view, &r, &res, t->arena, err);
	if (rc == 0)
		t->rows += res.count;
	return rc;
}

static int decide(struct txn_context *t, const struct store_op *op, struct err *err);

static int decide_txn(struct txn_context *t, const struct store_txn *x, struct err *err)
{
	int held = 1;
	for (size_t i = 0; i < x->n_compares && held == 1; i++)
		held = compare_holds(t, &x->compares[i], err);
	if (held < 0)
		return held;
	if (t->n_held == t->cap_held) {
		t->cap_held = t->cap_held ? t->cap_held * 2 : 4;
		t->held = xrealloc(t->held, t->cap_held * sizeof *t->held);
	}
	CHECK(held == 0 || held == 1);
	t->held[t->n_held++] = held;
	const struct store_op *ops = held ? x->success : x->failure;
	size_t n = held ? x->n_success : x->n_failure;
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = decide(t, &ops[i], err);
	return rc;
}

static int decide(struct txn_context *t, const struct store_op *op, struct err *err)
{
	switch (op->type) {
	case STORE_OP_RANGE: {
		int rc = range_check_revision(t->meta, op->range.revision, err);
		if (rc != 0)
			reject(t, STORE_CAUSE_NONE);
		return rc;
	}
	case STORE_OP_PUT:
		return decide_put(t, &op->put, err);
	case STORE_OP_DELETE:
		return decide_delete(t, &op->del, err);
	case STORE_OP_TXN:
		return decide_txn(t, &op->txn, err);
	}
	return 0;
}

/* ---- what will be answered ---- */

static int too_large(struct txn_context *t, struct err *err)
{
	reject(t, STORE_CAUSE_NONE);
	return err_set(err, ERR_TOO_BIG, "the transaction would answer too much: read with a limit");
}

/* Of one range, or of the pairs that a deletion answers. */
static int measure_range(struct txn_context *t, const struct store_range *r, struct err *err)
{
	size_t bytes = 0;
	size_t max = t->m->answer_bytes_max;
	int rc = range_measure(t->view, r, t->rows, max, &bytes, err);
	if (rc != 0)
		return rc;
	t->answer_bytes += bytes + t->put_bytes;
	return t->answer_bytes > max ? too_large(t, err) : 0;
}

static int measure(struct txn_context *t, const struct store_op *op, struct err *err)
{
	if (op->type == STORE_OP_RANGE)
		return op->range.count_only ? 0 : measure_range(t, &op->range, err);
	if ((op->type == STORE_OP_PUT && !op->put.prev_kv) || (op->type == STORE_OP_DELETE && !op->del.prev_kv))
		return 0;
	if (op->type != STORE_OP_TXN) {
		struct store_range before = {.keys = op->type == STORE_OP_DELETE
		                                             ? op->del.keys
		                                             : (struct store_key_range){op->put.key, SLICE_NULL}};
		return measure_range(t, &before, err);
	}
	CHECK(t->next < t->n_held); /* the branches are known */
	bool held = t->held[t->next++];
	const struct store_op *ops = held ? op->txn.success : op->txn.failure;
	size_t n = held ? op->txn.n_success : op->txn.n_failure;
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = measure(t, &ops[i], err);
	return rc;
}

/* May it be carried out? Nothing is refused after this. */
static int decide_all(struct txn_context *t, const struct store_op *op, struct err *err)
{
	int rc = decide(t, op, err);
	if (rc != 0 || t->rows == 0)
		return rc; /* what only reads may still be refused when it is carried out */
	CHECK(t->m);       /* writes come to the writer only */
	if (t->rows > t->m->rows_max) {
		reject(t, STORE_CAUSE_TOO_MANY_OPS);
		return err_set(err, ERR_TOO_BIG,
		        "%" PRId64 " keys to write at once, %" PRId64 " are possible: delete smaller ranges", t->rows,
		        t->m->rows_max);
	}
	if (op->type != STORE_OP_TXN && !(op->type == STORE_OP_DELETE && op->del.prev_kv))
		return 0;
	rc = measure(t, op, err);
	t->next = 0;
	return rc;
}

/* ---- pass three ---- */

static int delete_rows(struct txn_context *t, const struct store_result *rows, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; i < rows->n_kvs && rc == 0; i++)
		rc = machine_delete_key(t->m, rows->kvs[i].key, err);
	return rc;
}

/* Step by step, so that a large deletion does not hold all its keys. */
static int delete_quietly(struct txn_context *t, struct store_key_range keys, int64_t *ret_count, struct err *err)
{
	struct store_range r = {.keys = keys, .keys_only = true, .no_count = true, .limit = DELETE_KEYS_PER_STEP};
	struct store_result rows = {.more = true};
	int rc = 0;
	while (rc == 0 && rows.more) {
		struct arena step = ARENA_INIT;
		rc = range_eval(t->view, &r, &rows, &step, err);
		if (rc == 0)
			rc = delete_rows(t, &rows, err);
		*ret_count += (int64_t)rows.n_kvs;
		arena_release(&step);
	}
	return rc;
}

static int run_delete(struct txn_context *t, const struct store_delete *d, struct store_result *res, struct err *err)
{
	struct store_range all = {.keys = d->keys};
	*res = (struct store_result){0};
	int rc = d->prev_kv ? range_eval(t->view, &all, res, t->arena, err)
	                    : delete_quietly(t, d->keys, &res->count, err);
	if (rc == 0 && d->prev_kv)
		rc = delete_rows(t, res, err);
	res->type = STORE_OP_DELETE;
	res->more = false;
	if (d->prev_kv)
		res->count = (int64_t)res->n_kvs;
	return rc;
}

static int run(struct txn_context *t, const struct store_op *op, struct store_result *res, struct err *err)
{
	t->ranges += op->type == STORE_OP_RANGE;
	t->puts += op->type == STORE_OP_PUT;
	t->deletes += op->type == STORE_OP_DELETE;
	if (op->type == STORE_OP_RANGE)
		return range_eval(t->view, &op->range, res, t->arena, err);
	if (op->type == STORE_OP_TXN) {
		const struct store_txn *x = &op->txn;
		CHECK(t->next < t->n_held);
		bool held = t->held[t->next++];
		const struct store_op *ops = held ? x->success : x->failure;
		size_t n = held ? x->n_success : x->n_failure;
		struct store_result *results = ARENA_ARRAY(t->arena, struct store_result, n);
		*res = (struct store_result){
		        .type = STORE_OP_TXN, .succeeded = held, .results = results, .n_results = n};
		int rc = 0;
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = run(t, &ops[i], &results[i], err);
		return rc;
	}
	CHECK(t->m); /* writes come to the writer only */
	if (op->type == STORE_OP_PUT)
		return machine_put(t->m, &op->put, res, t->arena, err);
	return run_delete(t, &op->del, res, err);
}

static void add(_Atomic uint64_t *counter, unsigned n)
{
	if (n)
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* As etcd counts: what is no more than one operation is no transaction. */
static void count(const struct txn_context *t)
{
	if (!t->counters)
		return;
	add(&t->counters->ranges, t->ranges);
	add(&t->counters->puts, t->puts);
	add(&t->counters->deletes, t->deletes);
	add(&t->counters->txns, t->ranges + t->puts + t->deletes > 1);
}

int txn_run(struct txn_context *t, const struct store_op *op, struct store_result *res, struct err *err)
{
	int rc = decide_all(t, op, err);
	if (rc == 0)
		rc = run(t, op, res, err);
	if (rc == ERR_TOO_BIG && t->rows == 0)
		t->refused = true;
	CHECK(!t->refused || !t->m || !t->m->writing);
	count(t);
	free(t->held);
	t->held = NULL;
	return rc;
}
