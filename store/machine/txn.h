/* One operation: transactions, ranges, puts and deletes. See txn.c. */
#ifndef K3X_STORE_MACHINE_TXN_H
#define K3X_STORE_MACHINE_TXN_H

#include "store/engine.h"
#include "store/machine/read/range.h"

#include <stdatomic.h>

struct machine;

/* Operations carried out, by the writing thread and readers; see struct store_stats. */
struct op_counters {
	_Atomic uint64_t ranges, puts, deletes, txns;
};

/* Checks that need no state: sizes, number and depth of operations, keys written twice. Any thread. Sets *cause. See
 * txn_check.c. */
int txn_check(const struct store_op *op, enum store_cause *cause, struct err *err);
int txn_check_within(
        const struct store_op *op, size_t ops_max, size_t bytes_max, enum store_cause *cause, struct err *err);

/* Does the operation read only, whichever branch it takes? */
bool txn_is_read_only(const struct store_op *op);

/* Does it read only, and may all of it be answered from what this server has? */
bool txn_may_be_behind(const struct store_op *op);

/* Carries out an operation on a view; m is NULL on a reader's. See txn.c. With an error,
 * `refused` tells that the request is at fault and nothing has been changed; otherwise storage failed. */
struct txn_context {
	struct machine *m;
	struct store_view *view;
	const struct meta *meta;
	struct arena *arena;
	enum store_cause cause;
	bool refused;
	struct op_counters *counters; /* NULL: nobody counts */
	/* private */
	unsigned ranges, puts, deletes;
	bool *held; /* outcomes of the compares, in the order transactions are met */
	size_t n_held, cap_held;
	size_t next;
	int64_t rows; /* that will be written, or more */
	unsigned rough_deletes;
	size_t put_bytes, answer_bytes;
};
int txn_run(struct txn_context *t, const struct store_op *op, struct store_result *res, struct err *err);

#endif
