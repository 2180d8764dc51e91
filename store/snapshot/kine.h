/* What k3s keeps in its SQLite database, read (kine.c) and written (kine_out.c). Functions block; any thread. */
#ifndef K3X_STORE_SNAPSHOT_KINE_H
#define K3X_STORE_SNAPSHOT_KINE_H

#include "store/engine.h"

/* Calls `row` with every key that lives, in the order of their last changes; the bytes are valid during the call, which
 * ends all of it with an error. *ret_revision: the newest. ERR_CORRUPT: it is no such database. The file is not
 * changed. */
int kine_each(const char *path, int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg,
        int64_t *ret_revision, struct err *err);

/* The way back: such a database, of keys in any order, as kine has it right after a compaction. Revisions stay what
 * they are: a key's is the number of its row. *ret_moved: keys that got a new one, for kine has a row to a revision and
 * they shared theirs. revision: the newest; rc: how it went so far. The file, which must not be there before, is whole
 * and synced, or gone. close() frees. */
struct kine_out;
int kine_out_open(const char *path, struct kine_out **ret, struct err *err);
int kine_out_put(struct kine_out *o, const struct store_kv *kv, struct err *err);
int kine_out_close(struct kine_out *o, int64_t revision, int rc, int64_t *ret_moved, struct err *err);

#endif
