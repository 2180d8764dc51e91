/* Counters that only grow. A read lies between what was surely added before it began and what may have been added when
 * it ended, and reads that follow each other never go back. Per key, one pass in the order of records. */
#include "jepsen/check_int.h"

#include <inttypes.h>

struct counter {
	int64_t sure;     /* adds acknowledged so far */
	int64_t possible; /* adds begun so far that did not surely fail */
	int64_t high;     /* the highest value that a finished read saw */
	const struct history_op *high_by;
};

/* What a read under way has to reach, noted when it begins. */
struct bound {
	int64_t sure;
	int64_t high;
	const struct history_op *high_by;
};

struct pass {
	struct check_context *c;
	struct counter *counters;
	struct bound *bounds;   /* by record of the invocation */
	uint32_t *op_of_record; /* operation, plus one */
};

static void begin_op(struct pass *p, struct counter *k, const struct history_op *op)
{
	const struct history_record *r = op_invoke(p->c, op);
	if (r->f == HISTORY_ADD && op->type != HISTORY_FAIL)
		k->possible += r->value;
	if (r->f == HISTORY_READ)
		p->bounds[op->invoke] = (struct bound){k->sure, k->high, k->high_by};
}

static void end_op(struct pass *p, struct counter *k, const struct history_op *op)
{
	const struct history_record *i = op_invoke(p->c, op), *o = op_complete(p->c, op);
	if (op->type != HISTORY_OK)
		return;
	if (i->f == HISTORY_ADD)
		k->sure += i->value;
	if (i->f != HISTORY_READ)
		return;
	int64_t saw = o->value == HISTORY_NIL ? 0 : o->value;
	const struct bound *b = &p->bounds[op->invoke];
	const struct history_op *proof[] = {b->high_by, op};
	if (saw < b->sure)
		check_find_ops(p->c, "lost increment", &op, 1,
		        "Counter %s was read as %" PRId64 ", and %" PRId64
		        " had been acknowledged before the read began.",
		        i->key, saw, b->sure);
	else if (b->high_by && saw < b->high)
		check_find_ops(p->c, "counter went back", proof, 2,
		        "Counter %s was read as %" PRId64 " after it had been read as %" PRId64 ".", i->key, saw,
		        b->high);
	if (saw > k->possible)
		check_find_ops(p->c, "increment from nowhere", &op, 1,
		        "Counter %s was read as %" PRId64 ", and no more than %" PRId64 " had been asked for.", i->key,
		        saw, k->possible);
	if (!k->high_by || saw > k->high) {
		k->high = saw;
		k->high_by = op;
	}
}

void check_counter(struct check_context *c)
{
	struct arena a = ARENA_INIT;
	struct pass p = {.c = c,
	        .counters = ARENA_ARRAY(&a, struct counter, c->history->key_count),
	        .bounds = ARENA_ARRAY(&a, struct bound, c->history->count + 1),
	        .op_of_record = ARENA_ARRAY(&a, uint32_t, c->history->count + 1)};
	for (size_t i = 0; i < c->ops->count; i++) {
		const struct history_op *op = &c->ops->ops[i];
		if (op->invoke == HISTORY_NONE)
			continue;
		p.op_of_record[op->invoke] = (uint32_t)i + 1;
		if (op->complete != HISTORY_NONE)
			p.op_of_record[op->complete] = (uint32_t)i + 1;
		c->result->checked++;
	}
	for (uint32_t r = 0; r < c->history->count; r++) {
		if (!p.op_of_record[r])
			continue;
		const struct history_op *op = &c->ops->ops[p.op_of_record[r] - 1];
		struct counter *k = &p.counters[op_invoke(c, op)->key_id];
		if (r == op->invoke)
			begin_op(&p, k, op);
		else
			end_op(&p, k, op);
	}
	check_looked_at(c, "%" PRId64 " adds and reads", c->result->checked);
	arena_release(&a);
}
