/* What a state machine is, and changing its state: versions of keys, leases and settings, added to the memory table.
 * See change.c. */
#ifndef K3X_STORE_MACHINE_CHANGE_H
#define K3X_STORE_MACHINE_CHANGE_H

#include "store/machine/read/range.h"

struct op_counters;

/* STORE_HOLD_KEY as it is now. */
struct machine_hold {
	bool is_on;
	int64_t lease; /* that it goes with; 0: none */
	char why[STORE_HOLD_WHY_MAX + 1];
};

struct machine {
	struct mem_table table;
	/* ---- the applying thread's ---- */
	struct db db;           /* reads what is not in memory */
	struct store_view view; /* of the open batch */
	bool is_open;
	struct recent_rows recent;
	struct meta meta; /* after what was applied */
	struct machine_hold hold;
	int64_t change;               /* number of the newest change of leases and settings */
	struct event_block *block;    /* events of the open batch */
	bool collect_prev;            /* the engine's: events shall carry previous pairs */
	struct op_counters *counters; /* the engine's; NULL: nobody counts */
	bool writing;                 /* the command at hand has raised the revision */
	int64_t sub;
	/* What one command may write and, when it writes, answer: SUB_MAX and STORE_RANGE_BYTES_MAX, smaller in tests.
	 */
	int64_t rows_max;
	size_t answer_bytes_max;
	/* ---- the flushing thread's ---- */
	struct db tables; /* the only connection that writes */
	struct meta base; /* as it is in the database */
	bool is_shrinking;
	bool is_defragmenting; /* until nothing is free */
};

/* ---- the applying thread ---- */

/* A put, a deletion of one key (none when it is not there). The first of a command raises the revision. */
int machine_put(
        struct machine *m, const struct store_put *p, struct store_result *res, struct arena *a, struct err *err);
int machine_delete_key(struct machine *m, struct slice key, struct err *err);

/* ttl_s 0: it is gone. */
void machine_set_lease(struct machine *m, int64_t id, int64_t ttl_s);
void machine_set_setting(struct machine *m, struct slice key, struct slice value, bool is_delete);

#endif
