/* Unique ids: no two acknowledged requests get the same one. */
#include "jepsen/check_int.h"

#include <inttypes.h>
#include <stdlib.h>

struct id {
	int64_t value;
	const struct history_op *op;
};

static int by_value(const void *a, const void *b)
{
	const struct id *x = a, *y = b;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return op_begin(x->op) < op_begin(y->op) ? -1 : 1;
}

void check_unique(struct check_context *c)
{
	struct arena a = ARENA_INIT;
	struct id *ids = ARENA_ARRAY(&a, struct id, c->ops->count + 1);
	size_t count = 0;
	for (size_t i = 0; i < c->ops->count; i++) {
		const struct history_op *op = &c->ops->ops[i];
		const struct history_record *o = op_complete(c, op);
		if (o && o->f == HISTORY_GENERATE && op->type == HISTORY_OK)
			ids[count++] = (struct id){o->value, op};
	}
	qsort(ids, count, sizeof *ids, by_value);
	for (size_t i = 1; i < count; i++) {
		const struct history_op *both[] = {ids[i - 1].op, ids[i].op};
		if (ids[i].value == ids[i - 1].value)
			check_find_ops(
			        c, "duplicate id", both, 2, "The id %" PRId64 " was given out twice.", ids[i].value);
	}
	c->result->checked = (int64_t)count;
	check_looked_at(c, "%zu ids", count);
	arena_release(&a);
}
