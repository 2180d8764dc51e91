/* The state machine of the store: what a command does to the tables. The same for every engine that keeps SQLite.
 *
 *     machine_begin -> machine_apply (many) [-> machine_trim] -> machine_commit
 *                                        \-> machine_rollback
 *
 * A command is a store_request of a writing kind. The same commands in the same order give the same rows, revisions,
 * events and hash on every machine: nothing here looks at a clock or draws a random number; an engine chooses lease
 * ids and decides expiry before it makes a command. One thread. */
#ifndef K3X_STORE_MACHINE_MACHINE_H
#define K3X_STORE_MACHINE_MACHINE_H

#include "store/machine/tables.h"
#include "store/machine/txn.h"

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

#endif
