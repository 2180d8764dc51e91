/* Leases keep what they promise: a key of a lease is there until the lease could have ended, counted from the moment
 * the last acknowledged extension was asked for, and is gone within a bound after it must have ended, or once it was
 * revoked. A lease that has ended never comes back.
 *
 * The two sides differ on purpose. The least life counts from invocations, since a server may have started its clock at
 * once; the greatest counts from answers, starts anew after every fault (leaders that change give every lease its whole
 * time again), and is not judged at all where an extension has an unknown outcome. */
#include "jepsen/check_lease_int.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NS_PER_MS = 1000000, EXPIRY_BOUND_MS_DEFAULT = 15000 };

/* ---- what is known of each lease ---- */

static int by_id(const void *a, const void *b)
{
	const struct lease *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

struct lease *leases_find(const struct leases *s, int64_t id)
{
	struct lease key = {.id = id};
	return s->count ? bsearch(&key, s->list, s->count, sizeof key, by_id) : NULL;
}

/* The lease an operation is about: the answer's of a grant, else the request's. */
static int64_t lease_id(struct check_context *c, const struct history_op *op)
{
	const struct history_record *i = op_invoke(c, op), *o = op_complete(c, op);
	return o && o->lease != HISTORY_NIL ? o->lease : i->lease;
}

static void extend(
        struct lease *l, const struct history_op *op, const struct history_record *i, const struct history_record *o)
{
	int64_t ttl_ns = o->ttl_ms == HISTORY_NIL ? l->ttl_ns : o->ttl_ms * NS_PER_MS;
	if (ttl_ns <= 0)
		return;
	if (ttl_ns > l->ttl_ns)
		l->ttl_ns = ttl_ns;
	if (i->time_ns + ttl_ns > l->promised_ns) {
		l->promised_ns = i->time_ns + ttl_ns;
		l->last_extension = op;
	}
	if (o->time_ns > l->extended_ns)
		l->extended_ns = o->time_ns;
}

static void learn(struct check_context *c, struct lease *l, const struct history_op *op)
{
	const struct history_record *i = op_invoke(c, op), *o = op_complete(c, op);
	if (i->f == HISTORY_REVOKE) {
		if (op->type != HISTORY_FAIL && i->time_ns < l->revoke_ns) {
			l->revoke_ns = i->time_ns;
			l->revoke = op;
		}
		if (op->type == HISTORY_OK && o->time_ns < l->revoked_ns)
			l->revoked_ns = o->time_ns;
		return;
	}
	if (i->f == HISTORY_GRANT && op->type == HISTORY_OK) {
		l->grant = op;
		l->granted_ns = i->time_ns;
	}
	if (op->type == HISTORY_OK)
		extend(l, op, i, o);
	else
		l->has_unknown |= op->type == HISTORY_INFO;
}

static bool is_about_leases(const struct history_record *i)
{
	return i && (i->f == HISTORY_GRANT || i->f == HISTORY_KEEPALIVE || i->f == HISTORY_REVOKE);
}

void leases_collect(struct check_context *c, struct arena *a, struct leases *ret)
{
	struct lease *list = ARENA_ARRAY(a, struct lease, c->ops->count + 1);
	size_t count = 0, kept = 0;
	for (size_t n = 0; n < c->ops->count; n++)
		if (is_about_leases(op_invoke(c, &c->ops->ops[n])) && lease_id(c, &c->ops->ops[n]) != HISTORY_NIL)
			list[count++] = (struct lease){
			        .id = lease_id(c, &c->ops->ops[n]), .revoke_ns = INT64_MAX, .revoked_ns = INT64_MAX};
	qsort(list, count, sizeof *list, by_id);
	for (size_t n = 0; n < count; n++)
		if (!kept || list[kept - 1].id != list[n].id)
			list[kept++] = list[n];
	*ret = (struct leases){list, kept};
	for (size_t n = 0; n < c->ops->count; n++)
		if (is_about_leases(op_invoke(c, &c->ops->ops[n]))) {
			struct lease *l = leases_find(ret, lease_id(c, &c->ops->ops[n]));
			if (l)
				learn(c, l, &c->ops->ops[n]);
		}
}

int64_t lease_skew_ns(const struct check_context *c)
{
	return history_get_int(c->history, "skew_ms", 0) * NS_PER_MS;
}

int64_t lease_deadline(struct check_context *c, const struct lease *l, int64_t now_ns)
{
	int64_t from = l->extended_ns;
	if (l->has_unknown || !l->grant)
		return INT64_MAX;
	for (size_t i = 0; i < c->history->fault_count; i++) {
		const struct history_fault *f = &c->history->faults[i];
		if (f->begin_ns > now_ns)
			continue;
		if (f->end_ns < 0 || f->end_ns > now_ns)
			return INT64_MAX;
		if (f->end_ns > from)
			from = f->end_ns;
	}
	return from + l->ttl_ns + history_get_int(c->history, "expiry_bound_ms", EXPIRY_BOUND_MS_DEFAULT) * NS_PER_MS;
}

/* ---- keepalives ---- */

static void check_keepalive(struct check_context *c, const struct lease *l, const struct history_op *op)
{
	const struct history_record *i = op_invoke(c, op), *o = op_complete(c, op);
	if (!l || op->type != HISTORY_OK || o->ttl_ms == HISTORY_NIL)
		return;
	const struct history_op *revoked[] = {l->revoke, op}, *promised[] = {l->last_extension, op};
	if (o->ttl_ms > 0 && i->time_ns > l->revoked_ns)
		check_find_ops(c, "lease after its revoke", revoked, 2,
		        "Lease %" PRId64 " was kept alive after its revoke had been acknowledged.", l->id);
	if (o->ttl_ms <= 0 && l->last_extension && l->revoke_ns > o->time_ns &&
	        o->time_ns < l->promised_ns - lease_skew_ns(c))
		check_find_ops(c, "lease ended early", promised, 2,
		        "Lease %" PRId64
		        " was gone %.3f s before the time to live that was last acknowledged had passed.",
		        l->id, (double)(l->promised_ns - o->time_ns) / 1e9);
}

/* ---- keys of leases ---- */

struct lease_check {
	struct check_context *c;
	struct leases leases;
	const struct history_op **by_key; /* operations on each key, in order */
	size_t *key_at;                   /* by key id: its first; one more at the end */
	uint32_t reads;
};

static bool may_change(const struct history_op *op, const struct history_record *i)
{
	return op->type != HISTORY_FAIL && i->f != HISTORY_READ && i->f != HISTORY_LIST && i->f != HISTORY_ACQUIRE;
}

/* The one write that decides what a read sees: every other that may have happened was over before it began. NULL when
 * there is no such, so that nothing can be said. */
static const struct history_op *decisive_write(struct lease_check *k, const struct history_op *read, uint32_t key_id)
{
	const struct history_op *last = NULL;
	for (size_t i = k->key_at[key_id]; i < k->key_at[key_id + 1]; i++) {
		const struct history_op *op = k->by_key[i];
		if (may_change(op, op_invoke(k->c, op)) && op->invoke < read->complete &&
		        (!last || op->invoke > last->invoke))
			last = op;
	}
	if (!last || last->type != HISTORY_OK || last->complete > read->invoke)
		return NULL;
	for (size_t i = k->key_at[key_id]; i < k->key_at[key_id + 1]; i++) {
		const struct history_op *op = k->by_key[i];
		if (op != last && may_change(op, op_invoke(k->c, op)) && op->invoke < read->complete &&
		        op_end(op) > last->invoke)
			return NULL;
	}
	return last;
}

static void check_present(
        struct lease_check *k, const struct history_op *put, const struct history_op *read, const struct lease *l)
{
	int64_t now_ns = op_invoke(k->c, read)->time_ns;
	const struct history_op *revoked[] = {put, l->revoke, read}, *ended[] = {put, l->last_extension, read};
	if (l->revoked_ns < now_ns)
		check_find_ops(k->c, "key outlived its revoked lease", revoked, 3,
		        "Key %s was there when a read began after the revoke of its lease %" PRId64
		        " had been acknowledged.",
		        op_invoke(k->c, put)->key, l->id);
	else if (l->last_extension && now_ns > lease_deadline(k->c, l, now_ns))
		check_find_ops(k->c, "key outlived its lease", ended, 3,
		        "Key %s was there %.3f s after its lease %" PRId64 " had to be gone.",
		        op_invoke(k->c, put)->key, (double)(now_ns - lease_deadline(k->c, l, now_ns)) / 1e9, l->id);
}

static void check_read(struct lease_check *k, const struct history_op *read)
{
	const struct history_record *i = op_invoke(k->c, read), *o = op_complete(k->c, read);
	const struct history_op *put = decisive_write(k, read, i->key_id);
	const struct history_record *p = put ? op_invoke(k->c, put) : NULL;
	const struct lease *l =
	        p && p->f == HISTORY_PUT && p->lease != HISTORY_NIL ? leases_find(&k->leases, p->lease) : NULL;
	k->reads++;
	if (!l || !l->last_extension)
		return;
	const struct history_op *proof[] = {put, l->last_extension, read};
	if (o->value != HISTORY_NIL)
		check_present(k, put, read, l);
	else if (l->revoke_ns > o->time_ns && o->time_ns < l->promised_ns - lease_skew_ns(k->c))
		check_find_ops(k->c, "key gone before its lease", proof, 3,
		        "Key %s was gone %.3f s before its lease %" PRId64 " could have ended, and nobody revoked it.",
		        p->key, (double)(l->promised_ns - o->time_ns) / 1e9, l->id);
}

static void sort_by_key(struct lease_check *k, struct arena *a)
{
	size_t keys = k->c->history->key_count;
	k->key_at = ARENA_ARRAY(a, size_t, keys + 1);
	k->by_key = ARENA_ARRAY(a, const struct history_op *, k->c->ops->count + 1);
	size_t *next = ARENA_ARRAY(a, size_t, keys + 1);
	for (size_t n = 0; n < k->c->ops->count; n++) {
		const struct history_record *i = op_invoke(k->c, &k->c->ops->ops[n]);
		if (i)
			k->key_at[i->key_id + 1]++;
	}
	for (size_t key = 0; key < keys; key++)
		next[key + 1] = k->key_at[key + 1] += k->key_at[key];
	for (size_t n = 0; n < k->c->ops->count; n++) {
		const struct history_record *i = op_invoke(k->c, &k->c->ops->ops[n]);
		if (i)
			k->by_key[next[i->key_id]++] = &k->c->ops->ops[n];
	}
}

void check_lease(struct check_context *c)
{
	struct arena a = ARENA_INIT;
	struct lease_check k = {.c = c};
	leases_collect(c, &a, &k.leases);
	sort_by_key(&k, &a);
	for (size_t n = 0; n < c->ops->count; n++) {
		const struct history_op *op = &c->ops->ops[n];
		const struct history_record *i = op_invoke(c, op);
		c->result->checked++;
		if (!i || op->type != HISTORY_OK)
			continue;
		if (i->f == HISTORY_KEEPALIVE)
			check_keepalive(c, leases_find(&k.leases, i->lease), op);
		else if (i->f == HISTORY_READ)
			check_read(&k, op);
		if (n % 256 == 0 && check_out_of_time(c)) {
			check_unknown(c, "the time allowed ran out");
			break;
		}
	}
	check_looked_at(c, "%zu leases, %" PRIu32 " reads", k.leases.count, k.reads);
	arena_release(&a);
}
