/* The state machine of the store: what a command does to the state. The same for every server of a cluster.
 *
 *     machine_begin -> machine_apply (many) -> machine_publish        the applying thread
 *     machine_freeze -> flush -> machine_flushed, compaction          the flushing thread (flush.h, compaction.h)
 *
 * A command is a store_request of a writing kind. The same commands in the same order give the same rows, revisions,
 * events and hash on every machine: nothing here looks at a clock or draws a random number; an engine chooses lease
 * ids and decides expiry before it makes a command. What is applied is in the memory table; what keeps it until SQLite
 * has it is the engine's log. */
#ifndef K3X_STORE_MACHINE_MACHINE_H
#define K3X_STORE_MACHINE_MACHINE_H

#include "store/machine/change.h"
#include "store/machine/txn.h"

/* Opens or creates the database. See db_open(). */
int machine_open(struct machine *m, const char *path, struct err *err);
/* What is in memory alone is forgotten. */
void machine_close(struct machine *m);
/* The same for the connections alone: to put another database in the place of this one. Those who look at the table
 * meanwhile see what it was. Between batches. */
void machine_detach(struct machine *m);
int machine_attach(struct machine *m, const char *path, struct err *err);

/* A batch. What the database does not give ends the process. */
void machine_begin(struct machine *m);
/* Carries out OP, COMPACT, LEASE_GRANT, LEASE_REVOKE or SYSTEM: result, revision, err and cause of the request are set.
 * A request that was refused (req->err) has changed nothing. */
void machine_apply(struct machine *m, struct store_request *req);
/* Ends the batch: readers see what it did from now on. The events, sealed (one reference); NULL: none. */
struct event_block *machine_publish(struct machine *m);

#endif
