/* The state machine of the store: what a command does to the tables. The same for every engine that keeps SQLite.
 *
 *     machine_begin -> machine_apply (many) [-> machine_trim] -> machine_commit
 *                                        \-> machine_rollback
 *
 * A command is a store_request of a writing kind. The same commands in the same order give the same rows, revisions,
 * events and hash on every machine: nothing here looks at a clock or draws a random number; an engine chooses lease
 * ids and decides expiry before it makes a command. One thread. */
#ifndef K3X_STORE_MACHINE_INT_H
#define K3X_STORE_MACHINE_INT_H

#include "store/event_block_int.h"
#include "store/range_int.h"

/* Operations carried out, by the writing thread and readers; see struct store_stats. */
struct op_counters {
	_Atomic uint64_t ranges, puts, deletes, txns;
};

struct machine {
	struct db db;
	struct meta meta; /* with what the open transaction has done */
	struct meta committed;
	struct event_block *block; /* events of the open transaction */
	bool collect_prev;         /* the engine's: events shall carry previous pairs */
	bool is_shrinking;
	struct op_counters *counters; /* the engine's; NULL: nobody counts */
	bool writing;                 /* the command at hand has raised the revision */
	int64_t sub;
};

/* Opens or creates the database. See db_open(). */
int machine_open(struct machine *m, const char *path, struct err *err);
void machine_close(struct machine *m);

int machine_begin(struct machine *m, struct err *err);

/* Carries out OP, COMPACT, LEASE_GRANT, LEASE_REVOKE or SYSTEM: result, revision, err and cause of the request are set.
 * Returns 0, also when the request was refused (req->err; it has then changed nothing); negative when the disk failed
 * it: the transaction must be rolled back as a whole. */
int machine_apply(struct machine *m, struct store_request *req, struct err *err);

/* Removes some of what compaction has freed: looks at up to `rows` rows. In a transaction. */
int machine_trim(struct machine *m, int rows, struct err *err);
bool machine_trim_pending(const struct machine *m);

/* Gives free pages at the end of the file back, some at a time, once they are a good part of it. Outside a transaction.
 * 1: there is more to do; 0: not; negative: error. */
int machine_shrink(struct machine *m, struct err *err);

/* The events of what was applied since the last call or commit, sealed (one reference); NULL: none. In a transaction:
 * for an engine that tells them before it commits. */
struct event_block *machine_take_events(struct machine *m);

/* Commits. *ret_block: the events (one reference), NULL when there were none. On failure the transaction is gone. */
int machine_commit(struct machine *m, struct event_block **ret_block, struct err *err);
void machine_rollback(struct machine *m);

/* Checks that need no state: sizes, number of operations, keys written twice. Any thread. Sets *cause. */
int txn_check(const struct store_op *op, enum store_cause *cause, struct err *err);
int txn_check_within(
        const struct store_op *op, size_t ops_max, size_t bytes_max, enum store_cause *cause, struct err *err);

/* Does the operation read only, whichever branch it takes? */
bool txn_is_read_only(const struct store_op *op);

/* Carries out an operation on a connection inside a transaction; m is NULL on a reader's. See txn.c. With an error,
 * `refused` tells that the request is at fault and nothing has been changed; otherwise storage failed. */
struct txn_context {
	struct machine *m;
	struct db *db;
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
};
int txn_run(struct txn_context *t, const struct store_op *op, struct store_result *res, struct err *err);

/* The system keyspace (system.c). system_check() needs no state. system_expected(): may the request go on, as far as
 * the system's version is concerned? When not, err and cause are set. */
int system_check(struct store_request *req);
bool system_expected(const struct meta *m, struct store_request *req);
int system_apply(struct machine *m, struct store_request *req, struct err *err);
void system_read(struct db *db, const struct meta *meta, struct store_request *req);

/* Rows; for txn.c. */
int machine_put(
        struct machine *m, const struct store_put *p, struct store_result *res, struct arena *a, struct err *err);
int machine_delete_key(struct machine *m, struct slice key, struct err *err);
int machine_lease_exists(struct db *db, int64_t id, struct err *err); /* 1, 0, negative */

#endif
