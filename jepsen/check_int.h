/* What checkers share: getting at the two records of an operation, and how operations lie in time. */
#ifndef K3X_JEPSEN_CHECK_INT_H
#define K3X_JEPSEN_CHECK_INT_H

#include "jepsen/check.h"

/* NULL when there is no such record. */
static inline const struct history_record *op_invoke(const struct check_context *c, const struct history_op *op)
{
	return op->invoke == HISTORY_NONE ? NULL : &c->history->records[op->invoke];
}

static inline const struct history_record *op_complete(const struct check_context *c, const struct history_op *op)
{
	return op->complete == HISTORY_NONE ? NULL : &c->history->records[op->complete];
}

/* The record that is there: the invocation, or what came unasked. */
static inline const struct history_record *op_first(const struct check_context *c, const struct history_op *op)
{
	return &c->history->records[op->invoke == HISTORY_NONE ? op->complete : op->invoke];
}

/* When an operation is surely over: the index of its record, beyond everything for an unknown outcome. */
static inline uint32_t op_end(const struct history_op *op)
{
	return op->type == HISTORY_INFO || op->complete == HISTORY_NONE ? HISTORY_NONE : op->complete;
}

static inline uint32_t op_begin(const struct history_op *op)
{
	return op->invoke == HISTORY_NONE ? op->complete : op->invoke;
}

/* The records of an operation into `out` (room for two); returns how many. */
static inline uint32_t op_records(const struct history_op *op, uint32_t *out)
{
	uint32_t n = 0;
	if (op->invoke != HISTORY_NONE)
		out[n++] = op->invoke;
	if (op->complete != HISTORY_NONE)
		out[n++] = op->complete;
	return n;
}

/* check_find() with whole operations as proof. */
__attribute__((format(printf, 5, 6))) void check_find_ops(struct check_context *c, const char *anomaly,
        const struct history_op *const *ops, uint32_t count, const char *fmt, ...);

__attribute__((format(printf, 2, 3))) void check_looked_at(struct check_context *c, const char *fmt, ...);

#endif
