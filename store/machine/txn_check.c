/* What needs no state is checked where a request comes in, and nothing of it is looked at again.
 *
 * Sizes, depth and the number of operations, nested ones counted in one total; and that a key changes at most once per
 * revision: two puts of one key, or a put of a key that a deletion covers, are refused unless they stand in different
 * branches of the same transaction. For the last a branch gathers the writes of its operations in order of keys (those
 * of a transaction inside it, of both of its branches, stand where that transaction stands) and walks along them once:
 * O(n log n) for each level of nesting. */
#include "store/machine/txn.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"

#include <stdlib.h>

struct write {
	struct store_key_range keys;
	bool is_put;
	size_t item; /* which operation of the branch that is being checked it belongs to */
};

struct checker {
	struct write *writes;
	size_t n, cap;
	size_t bytes;
	size_t ops, ops_max; /* of the whole request */
	enum store_cause cause;
};

static int refuse(struct checker *c, enum store_cause cause, struct err *err, int code, const char *msg)
{
	c->cause = cause;
	return err_set(err, code, "%s", msg);
}

/* ---- a key is written once ---- */

/* In order of keys, deletions before puts. */
static int compare_writes(const void *pa, const void *pb)
{
	const struct write *a = pa, *b = pb;
	int c = slice_cmp(a->keys.key, b->keys.key);
	return c ? c : (int)a->is_put - (int)b->is_put;
}

/* Does the deletion reach further than the other one? Of a single key: to right behind it. */
static bool ends_after(const struct write *a, const struct write *b)
{
	const struct store_key_range *x = &a->keys, *y = &b->keys;
	if (store_range_is_open(x) || store_range_is_open(y))
		return !store_range_is_open(y);
	int c = slice_cmp(x->end.len ? x->end : x->key, y->end.len ? y->end : y->key);
	return c > 0 || (c == 0 && !x->end.len && y->end.len);
}

/* The deletions met so far, as far as they matter: the one that reaches furthest, and the furthest of another
 * operation. */
struct reach {
	const struct write *first, *second;
};

static void reach_add(struct reach *r, const struct write *d)
{
	bool is_other = r->first && r->first->item != d->item;
	if (!r->first || ends_after(d, r->first)) {
		r->second = is_other ? r->first : r->second;
		r->first = d;
	} else if (is_other && (!r->second || ends_after(d, r->second))) {
		r->second = d;
	}
}

static bool reach_covers(const struct reach *r, const struct write *put)
{
	const struct write *d = r->first && r->first->item == put->item ? r->second : r->first;
	return d && store_range_has(&d->keys, put->keys.key);
}

/* Is each key of the writes from `from` on written by one operation alone? */
static bool are_apart(struct checker *c, size_t from)
{
	struct reach reach = {NULL, NULL};
	const struct write *last = NULL;
	bool ok = true;
	CHECK(from <= c->n);
	if (c->n - from < 2)
		return true;
	struct write *w = (struct write *)xmemdup(&c->writes[from], (c->n - from) * sizeof *w);
	qsort(w, c->n - from, sizeof *w, compare_writes);
	for (size_t i = 0; i < c->n - from && ok; i++) {
		if (!w[i].is_put) {
			reach_add(&reach, &w[i]);
			continue;
		}
		ok = !reach_covers(&reach, &w[i]) &&
		     !(last && last->item != w[i].item && slice_eq(last->keys.key, w[i].keys.key));
		last = &w[i];
	}
	free(w);
	return ok;
}

static void add_write(struct checker *c, struct store_key_range keys, bool is_put)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 8;
		c->writes = xrealloc(c->writes, c->cap * sizeof *c->writes);
	}
	c->writes[c->n++] = (struct write){keys, is_put, 0};
}

/* ---- operations ---- */

static int check_key(struct checker *c, const struct store_key_range *keys, struct err *err)
{
	c->bytes += keys->key.len + keys->end.len;
	if (keys->key.len == 0)
		return refuse(c, STORE_CAUSE_EMPTY_KEY, err, ERR_INVAL, "the key is empty");
	if (keys->key.len > STORE_KEY_BYTES_MAX || keys->end.len > STORE_KEY_BYTES_MAX)
		return err_set(err, ERR_TOO_BIG, "a key of more than %u bytes", STORE_KEY_BYTES_MAX);
	return 0;
}

static int check_put(struct checker *c, const struct store_put *p, struct err *err)
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
	add_write(c, keys, true);
	return 0;
}

/* How deep an operation stands, and how many more its branch may have, with all that is inside of them. */
struct room {
	size_t depth, ops;
};

static int check_op(struct checker *c, const struct store_op *op, struct room *room, struct err *err);

static int too_many(struct checker *c, struct err *err)
{
	return refuse(c, STORE_CAUSE_TOO_MANY_OPS, err, ERR_INVAL, "too many operations in one transaction");
}

/* *ret_left: what is left of the room. */
static int check_branch(
        struct checker *c, const struct store_op *ops, size_t n, struct room room, size_t *ret_left, struct err *err)
{
	size_t from = c->n, before = room.ops;
	int rc = n > room.ops ? too_many(c, err) : 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		size_t at = c->n;
		rc = check_op(c, &ops[i], &room, err);
		for (; at < c->n; at++)
			c->writes[at].item = i;
	}
	CHECK(rc != 0 || room.ops + n <= before);
	*ret_left = room.ops;
	if (rc == 0 && !are_apart(c, from))
		return refuse(
		        c, STORE_CAUSE_DUPLICATE_KEY, err, ERR_INVAL, "a key is written twice in one transaction");
	return rc;
}

static int check_compare(struct checker *c, const struct store_compare *x, struct err *err)
{
	int rc = check_key(c, &x->keys, err);
	c->bytes += x->value.len;
	if (rc == 0 && x->target == STORE_TARGET_KEY)
		return err_set(err, ERR_INVAL, "a compare of keys is not one");
	return rc;
}

static int check_txn(struct checker *c, const struct store_txn *t, struct room *room, struct err *err)
{
	struct room inner = {room->depth + 1, room->ops};
	size_t yes = 0, no = 0;
	if (room->depth > STORE_TXN_DEPTH_MAX)
		return err_set(err, ERR_INVAL, "transactions are nested more than %d deep", STORE_TXN_DEPTH_MAX);
	c->ops += t->n_compares;
	if (t->n_compares > room->ops || c->ops > c->ops_max)
		return too_many(c, err);
	int rc = 0;
	for (size_t i = 0; i < t->n_compares && rc == 0; i++)
		rc = check_compare(c, &t->compares[i], err);
	if (rc == 0)
		rc = check_branch(c, t->success, t->n_success, inner, &yes, err);
	if (rc == 0)
		rc = check_branch(c, t->failure, t->n_failure, inner, &no, err);
	/* as etcd counts: the longest of the three */
	CHECK(rc != 0 || (yes <= room->ops && no <= room->ops));
	size_t left = room->ops - t->n_compares;
	left = left < yes ? left : yes;
	room->ops = left < no ? left : no;
	return rc;
}

static int check_op(struct checker *c, const struct store_op *op, struct room *room, struct err *err)
{
	int rc;
	if (room->ops == 0 || ++c->ops > c->ops_max)
		return too_many(c, err);
	room->ops--;
	switch (op->type) {
	case STORE_OP_RANGE:
		return check_key(c, &op->range.keys, err);
	case STORE_OP_PUT:
		return check_put(c, &op->put, err);
	case STORE_OP_DELETE:
		rc = check_key(c, &op->del.keys, err);
		if (rc == 0)
			add_write(c, op->del.keys, false);
		return rc;
	case STORE_OP_TXN:
		return check_txn(c, &op->txn, room, err);
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
	ops_max = ops_max ? ops_max : STORE_TXN_OPS_MAX;
	bytes_max = bytes_max ? bytes_max : STORE_REQUEST_BYTES_MAX;
	/* The outermost operation itself is not counted: a transaction has ops_max in each branch, and as many
	 * compares. */
	struct checker c = {.ops_max = 1 + 3 * ops_max};
	struct room room = {0, 1 + ops_max};
	int rc = check_op(&c, op, &room, err);
	if (rc == 0 && c.bytes > bytes_max)
		rc = err_set(err, ERR_TOO_BIG, "the request has %zu bytes, %zu are allowed", c.bytes, bytes_max);
	CHECK(rc != 0 || (c.ops >= 1 && c.ops <= c.ops_max));
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

static bool branch_may_be_behind(const struct store_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!txn_may_be_behind(&ops[i]))
			return false;
	return true;
}

bool txn_may_be_behind(const struct store_op *op)
{
	if (op->type == STORE_OP_TXN)
		return op->txn.n_success + op->txn.n_failure > 0 &&
		       branch_may_be_behind(op->txn.success, op->txn.n_success) &&
		       branch_may_be_behind(op->txn.failure, op->txn.n_failure);
	return op->type == STORE_OP_RANGE && op->range.serializable;
}
