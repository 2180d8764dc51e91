/* Transactions: checked, decided, carried out.
 *
 * Three passes, as etcd does it (server/etcdserver/txn): what needs no state is checked where the request comes in
 * (txn_check). Then, on the state before the transaction, all compares are evaluated, nested ones too, and with them
 * the branches are known; the operations on these branches are checked against the state (key there for ignore_value,
 * lease there, revision readable). Only then is anything written, so a request that is refused has written nothing and
 * its neighbours in the same SQLite transaction need no savepoint. In the third pass reads see the writes before them.
 *
 * Two puts of one key, or a put of a key that a deletion covers, are refused unless they stand in different branches of
 * the same transaction: so a key changes at most once per revision. */
#include "store/machine/txn.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/machine/tables.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- pass one: without state ---- */

/* Where an operation stands: a list of (transaction, branch) from the inside out, ending with txn NULL. */
struct place {
	const struct place *outer;
	const struct store_txn *txn; /* NULL: outermost */
	bool is_success;
};

struct write {
	struct store_key_range keys;
	bool is_put;
	const struct place *place;
};

struct checker {
	struct write *writes;
	size_t n, cap;
	size_t bytes;
	enum store_cause cause;
};

static int refuse(struct checker *c, enum store_cause cause, struct err *err, int code, const char *msg)
{
	c->cause = cause;
	return err_set(err, code, "%s", msg);
}

/* Can both happen? Not when they stand in different branches of one transaction. */
static bool exclusive(const struct place *a, const struct place *b)
{
	for (const struct place *x = a; x->txn; x = x->outer)
		for (const struct place *y = b; y->txn; y = y->outer)
			if (x->txn == y->txn)
				return x->is_success != y->is_success;
	return false;
}

static int add_write(
        struct checker *c, struct store_key_range keys, bool is_put, const struct place *place, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct write *w = &c->writes[i];
		bool overlap =
		        is_put ? store_range_has(&w->keys, keys.key) : w->is_put && store_range_has(&keys, w->keys.key);
		if (overlap && !exclusive(w->place, place))
			return refuse(c, STORE_CAUSE_DUPLICATE_KEY, err, ERR_INVAL,
			        "a key is written twice in one transaction");
	}
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 8;
		c->writes = xrealloc(c->writes, c->cap * sizeof *c->writes);
	}
	c->writes[c->n++] = (struct write){keys, is_put, place};
	return 0;
}

static int check_key(struct checker *c, const struct store_key_range *keys, struct err *err)
{
	c->bytes += keys->key.len + keys->end.len;
	if (keys->key.len == 0 && keys->end.len == 0)
		return refuse(c, STORE_CAUSE_EMPTY_KEY, err, ERR_INVAL, "the key is empty");
	if (keys->key.len > STORE_KEY_BYTES_MAX || keys->end.len > STORE_KEY_BYTES_MAX)
		return err_set(err, ERR_TOO_BIG, "a key of more than %u bytes", STORE_KEY_BYTES_MAX);
	return 0;
}

static int check_put(struct checker *c, const struct store_put *p, const struct place *place, struct err *err)
{
	struct store_key_range keys = {.key = p->key};
	int rc = check_key(c, &keys, err);
	if (rc != 0)
		return rc;
	c->bytes += p->value.len;
	if (p->ignore_value && p->value.len)
		return refuse(c, STORE_CAUSE_VALUE_PROVIDED, err, ERR_INVAL, "ignore_value together with a value");
	if (p->ignore_lease && p->lease)
		return refuse(c, STORE_CAUSE_LEASE_PROVIDED, err, ERR_INVAL, "ignore_lease together with a lease");
	return add_write(c, keys, true, place, err);
}

static int check_op(
        struct checker *c, const struct store_op *op, const struct place *place, size_t budget, struct err *err);

static int check_branch(struct checker *c, const struct store_op *ops, size_t n, const struct place *place,
        size_t budget, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = check_op(c, &ops[i], place, budget, err);
	return rc;
}

static size_t max3(size_t a, size_t b, size_t c)
{
	a = a > b ? a : b;
	return a > c ? a : c;
}

static int check_txn(
        struct checker *c, const struct store_txn *t, const struct place *outer, size_t budget, struct err *err)
{
	size_t ops = max3(t->n_compares, t->n_success, t->n_failure);
	if (ops > budget)
		return refuse(c, STORE_CAUSE_TOO_MANY_OPS, err, ERR_INVAL, "too many operations in one transaction");
	for (size_t i = 0; i < t->n_compares; i++) {
		int rc = check_key(c, &t->compares[i].keys, err);
		if (rc != 0)
			return rc;
		c->bytes += t->compares[i].value.len;
		if (t->compares[i].target == STORE_TARGET_KEY)
			return err_set(err, ERR_INVAL, "a compare of keys is not one");
	}
	struct place p[2] = {{outer, t, true}, {outer, t, false}};
	int rc = check_branch(c, t->success, t->n_success, &p[0], budget - ops, err);
	if (rc == 0)
		rc = check_branch(c, t->failure, t->n_failure, &p[1], budget - ops, err);
	/* Seen from what follows outside, all of them stand where this transaction stands. */
	for (size_t i = 0; i < c->n; i++)
		if (c->writes[i].place == &p[0] || c->writes[i].place == &p[1])
			c->writes[i].place = outer;
	return rc;
}

static int check_op(
        struct checker *c, const struct store_op *op, const struct place *place, size_t budget, struct err *err)
{
	switch (op->type) {
	case STORE_OP_RANGE:
		return check_key(c, &op->range.keys, err);
	case STORE_OP_PUT:
		return check_put(c, &op->put, place, err);
	case STORE_OP_DELETE: {
		int rc = check_key(c, &op->del.keys, err);
		return rc ? rc : add_write(c, op->del.keys, false, place, err);
	}
	case STORE_OP_TXN:
		return check_txn(c, &op->txn, place, budget, err);
	}
	return err_set(err, ERR_INVAL, "unknown operation %d", (int)op->type);
}

int txn_check(const struct store_op *op, enum store_cause *cause, struct err *err)
{
	return txn_check_within(op, 0, 0, cause, err);
}

int txn_check_within(
        const struct store_op *op, size_t ops_max, size_t bytes_max, enum store_cause *cause, struct err *err)
{
	struct checker c = {0};
	struct place top = {0};
	int rc = check_op(&c, op, &top, ops_max ? ops_max : STORE_TXN_OPS_MAX, err);
	bytes_max = bytes_max ? bytes_max : STORE_REQUEST_BYTES_MAX;
	if (rc == 0 && c.bytes > bytes_max)
		rc = err_set(err, ERR_TOO_BIG, "the request has %zu bytes, %zu are allowed", c.bytes, bytes_max);
	free(c.writes);
	*cause = c.cause;
	return rc;
}

static bool branch_is_read_only(const struct store_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!txn_is_read_only(&ops[i]))
			return false;
	return true;
}

bool txn_is_read_only(const struct store_op *op)
{
	if (op->type == STORE_OP_TXN)
		return branch_is_read_only(op->txn.success, op->txn.n_success) &&
		       branch_is_read_only(op->txn.failure, op->txn.n_failure);
	return op->type == STORE_OP_RANGE;
}

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
		rc = row_value(t->db, row->id, &a, &value, err);
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
	int rc, holds = 1;
	range_open(&cursor, t->db, &c->keys, INT64_MAX);
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
	if (p->ignore_value || p->ignore_lease) {
		int rc = row_newest(t->db, p->key, &row, err);
		if (rc < 0)
			return rc;
		if (rc == 0 || row.version == 0) {
			reject(t, STORE_CAUSE_KEY_NOT_FOUND);
			return err_set(
			        err, ERR_NOT_FOUND, "key %.*s not found", p->key.len > 200 ? 200 : SLICE_FMT(p->key));
		}
	}
	if (p->lease) {
		int rc = machine_lease_exists(t->db, p->lease, err);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			reject(t, STORE_CAUSE_LEASE_NOT_FOUND);
			return err_set(err, ERR_NOT_FOUND, "lease %" PRIx64 " not found", p->lease);
		}
	}
	return 0;
}

/* A revision names its rows with SUB_BITS bits. Only a store with about a million keys needs to be counted. */
static int decide_delete(struct txn_context *t, const struct store_delete *d, struct err *err)
{
	if (d->keys.end.len == 0 || t->meta->keys < SUB_MAX / STORE_TXN_OPS_MAX)
		return 0;
	struct store_result res;
	struct store_range r = {.keys = d->keys, .count_only = true};
	int rc = range_eval(t->db, &r, &res, t->arena, err);
	if (rc != 0)
		return rc;
	if (res.count < SUB_MAX / 2)
		return 0;
	reject(t, STORE_CAUSE_TOO_MANY_OPS);
	return err_set(err, ERR_TOO_BIG, "%" PRId64 " keys to delete at once: delete smaller ranges", res.count);
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

/* ---- pass three ---- */

static int run_delete(struct txn_context *t, const struct store_delete *d, struct store_result *res, struct err *err)
{
	struct store_range all = {.keys = d->keys, .keys_only = !d->prev_kv};
	int rc = range_eval(t->db, &all, res, t->arena, err);
	if (rc ==
	        ERR_TOO_BIG) /* its rows were not brought in, nothing of this operation is written, but others may be */
		return rc;
	for (size_t i = 0; i < res->n_kvs && rc == 0; i++)
		rc = machine_delete_key(t->m, res->kvs[i].key, err);
	res->type = STORE_OP_DELETE;
	res->count = (int64_t)res->n_kvs;
	res->more = false;
	if (!d->prev_kv) {
		res->kvs = NULL;
		res->n_kvs = 0;
	}
	return rc;
}

static int run(struct txn_context *t, const struct store_op *op, struct store_result *res, struct err *err)
{
	t->ranges += op->type == STORE_OP_RANGE;
	t->puts += op->type == STORE_OP_PUT;
	t->deletes += op->type == STORE_OP_DELETE;
	if (op->type == STORE_OP_RANGE)
		return range_eval(t->db, &op->range, res, t->arena, err);
	if (op->type == STORE_OP_TXN) {
		const struct store_txn *x = &op->txn;
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
	int rc = decide(t, op, err);
	if (rc == 0)
		rc = run(t, op, res, err);
	if (rc == ERR_TOO_BIG && (!t->m || !t->m->writing))
		t->refused = true;
	count(t);
	free(t->held);
	t->held = NULL;
	return rc;
}
