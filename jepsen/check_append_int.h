/* What the two halves of the list-append checker share: dependencies are inferred in check_append.c and searched for
 * cycles in check_append_cycle.c. */
#ifndef K3X_JEPSEN_CHECK_APPEND_INT_H
#define K3X_JEPSEN_CHECK_APPEND_INT_H

#include "jepsen/check_int.h"
#include "jepsen/graph.h"

enum {
	APPEND_WW = 1,
	APPEND_WR = 2,
	APPEND_RW = 4,
	APPEND_PROCESS = 8,
	APPEND_REALTIME = 16,
};

struct append_txn {
	const struct history_op *op;
};

struct append_write {
	uint32_t key_id;
	uint32_t txn;
	int64_t value;
	uint32_t in_read; /* number of the read that last held it, from 1 */
	bool is_last;     /* the last append of its transaction to its key */
	bool is_seen, is_told;
};

struct append_key {
	const int64_t *order; /* the longest list read */
	uint32_t count;
	uint32_t read_by;
	bool is_read;
	size_t unseen_at, unseen_count; /* acknowledged appends in no list, in append_check.unseen */
};

struct append_check {
	struct check_context *c;
	struct arena arena;
	struct append_txn *txns;
	uint32_t txn_count;
	struct append_write *writes; /* by key and value */
	size_t write_count;
	const struct append_write **unseen;
	struct append_key *keys; /* by key id */
	uint32_t read_number;
	struct graph graph;
};

const struct history_item *append_items(const struct append_check *x, const struct append_txn *t, uint32_t *count);
struct append_write *append_find(const struct append_check *x, uint32_t key_id, int64_t value);
void append_find_cycles(struct append_check *x);

#endif
