/* The keys of a state at rest, read and written one by one: what moving in from other stores and out to them is made
 * of. See state_file.c. Functions block; any thread. */
#ifndef K3X_STORE_SNAPSHOT_STATE_FILE_H
#define K3X_STORE_SNAPSHOT_STATE_FILE_H

#include "store/engine.h"

/* Calls `row` with every key that lives in this database (state.db, complete: no log behind it), in the order of their
 * last changes; the bytes are valid during the call, which ends all of it with an error. *ret_revision: the newest.
 * ERR_CORRUPT, ERR_NOT_FOUND. The file is not changed. */
int state_file_each(const char *path, int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg,
        int64_t *ret_revision, struct err *err);

/* A state that a server begins its cluster with, as after a restoration: these keys, which are in the order of their
 * last changes, and nothing of before. */
struct state_out;
int state_out_open(const char *path, struct state_out **ret, struct err *err);
int state_out_put(struct state_out *o, const struct store_kv *kv, struct err *err);
/* rc: how it went so far. revision: the newest; everything up to there counts as compacted. The file is whole and
 * synced, or gone. Frees. */
int state_out_close(struct state_out *o, int64_t revision, int rc, struct err *err);

#endif
