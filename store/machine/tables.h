/* The tables as the open transaction has them, and changing them. The writing thread's. See tables.c. */
#ifndef K3X_STORE_MACHINE_TABLES_H
#define K3X_STORE_MACHINE_TABLES_H

#include "store/machine/event_block.h"
#include "store/machine/range.h"

struct op_counters;

struct machine {
	struct db db;
	struct meta meta; /* with what the open transaction has done */
	struct meta committed;
	struct event_block *block; /* events of the open transaction */
	bool collect_prev;         /* the engine's: events shall carry previous pairs */
	bool is_shrinking;
	bool is_defragmenting;        /* until nothing is free */
	struct op_counters *counters; /* the engine's; NULL: nobody counts */
	bool writing;                 /* the command at hand has raised the revision */
	int64_t sub;
	/* What one command may write and, when it writes, answer: SUB_MAX and STORE_RANGE_BYTES_MAX, smaller in tests.
	 */
	int64_t rows_max;
	size_t answer_bytes_max;
};

/* A put, a deletion of one key (none when it is not there). The first of a command raises the revision. */
int machine_put(
        struct machine *m, const struct store_put *p, struct store_result *res, struct arena *a, struct err *err);
int machine_delete_key(struct machine *m, struct slice key, struct err *err);
int machine_lease_exists(struct db *db, int64_t id, struct err *err); /* 1, 0, negative */

#endif
