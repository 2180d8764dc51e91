/* Locks: no two hold one at the same time. A holder counts from the moment its acquire was answered until it asked to
 * release, until a revoke of its lease was asked for, or until its lease could have ended: time to live after the
 * invocation of the last acknowledged extension, less the clock error forgiven. An acquire of unknown outcome makes no
 * holder, since nobody acts on it. */
#include "jepsen/check_lease_int.h"

#include <inttypes.h>
#include <stdlib.h>

struct hold {
	uint32_t key_id;
	int64_t lease;
	int64_t from_ns, to_ns;
	const struct history_op *acquire;
	const struct history_op *until; /* what kept it alive, NULL when there is none */
};

static int by_key_and_start(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;
	if (x->key_id != y->key_id)
		return x->key_id < y->key_id ? -1 : 1;
	return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

/* What of `op` may end a hold: a release by its lease, or anyone's delete of the key. */
static bool ends(const struct hold *h, const struct history_op *op, const struct history_record *i)
{
	if (op->type == HISTORY_FAIL || i->key_id != h->key_id || op->invoke < h->acquire->invoke)
		return false;
	return i->f == HISTORY_DELETE || (i->f == HISTORY_RELEASE && i->lease == h->lease);
}

static bool make_hold(struct check_context *c, const struct leases *leases, size_t n, struct hold *ret)
{
	const struct history_op *op = &c->ops->ops[n];
	const struct history_record *i = op_invoke(c, op), *o = op_complete(c, op);
	if (!i || i->f != HISTORY_ACQUIRE || op->type != HISTORY_OK)
		return false;
	const struct lease *l = leases_find(leases, i->lease);
	*ret = (struct hold){.key_id = i->key_id,
	        .lease = i->lease,
	        .from_ns = o->time_ns,
	        .to_ns = l ? l->promised_ns - lease_skew_ns(c) : 0,
	        .acquire = op,
	        .until = l ? l->last_extension : NULL};
	if (l && l->revoke_ns < ret->to_ns)
		ret->to_ns = l->revoke_ns;
	return true;
}

/* Releases, found by a pass over the operations behind the acquires. */
static void cut_by_releases(struct check_context *c, struct hold *holds, size_t count)
{
	for (size_t h = 0; h < count; h++) {
		size_t n = (size_t)(holds[h].acquire - c->ops->ops);
		for (; n < c->ops->count; n++) {
			const struct history_op *op = &c->ops->ops[n];
			const struct history_record *i = op_invoke(c, op);
			if (op_first(c, op)->time_ns >= holds[h].to_ns)
				break;
			if (i && ends(&holds[h], op, i)) {
				holds[h].to_ns = i->time_ns;
				break;
			}
		}
	}
}

static void check_overlaps(struct check_context *c, struct hold *holds, size_t count)
{
	const struct hold *longest = NULL;
	qsort(holds, count, sizeof *holds, by_key_and_start);
	for (size_t i = 0; i < count; i++) {
		const struct hold *h = &holds[i];
		if (h->to_ns <= h->from_ns)
			continue;
		if (longest && longest->key_id != h->key_id)
			longest = NULL;
		if (longest && h->from_ns < longest->to_ns && h->lease != longest->lease) {
			const struct history_op *proof[] = {longest->acquire, longest->until, h->acquire};
			check_find_ops(c, "two holders", proof, 3,
			        "Lock %s was given to lease %" PRId64 " while lease %" PRId64
			        " held it for at least another %.3f s.",
			        c->history->keys[h->key_id], h->lease, longest->lease,
			        (double)(longest->to_ns - h->from_ns) / 1e9);
		}
		if (!longest || h->to_ns > longest->to_ns)
			longest = h;
	}
}

void check_lock(struct check_context *c)
{
	struct arena a = ARENA_INIT;
	struct leases leases;
	size_t count = 0;
	leases_collect(c, &a, &leases);
	struct hold *holds = ARENA_ARRAY(&a, struct hold, c->ops->count + 1);
	for (size_t n = 0; n < c->ops->count; n++)
		count += make_hold(c, &leases, n, &holds[count]);
	cut_by_releases(c, holds, count);
	check_overlaps(c, holds, count);
	c->result->checked = (int64_t)count;
	check_looked_at(c, "%zu acquires", count);
	arena_release(&a);
}
