/* A new database, written version by version: what snapshots of others become. See state_writer.c. */
#ifndef K3X_STORE_SNAPSHOT_STATE_WRITER_INT_H
#define K3X_STORE_SNAPSHOT_STATE_WRITER_INT_H

#include "store/machine/read/range.h"

struct state_writer {
	struct db db;
	struct meta meta; /* saved by state_writer_close() */
	struct version_writer versions;
	int64_t previous; /* row id: they must rise */
	const char *path;
	bool is_open;
};

/* A file that is there is replaced. `path` stays as long. */
int state_writer_open(struct state_writer *w, const char *path, struct err *err);
/* One version, at a place behind all so far: kv->version 0 is a deletion. Sets meta.revision. */
int state_writer_put(struct state_writer *w, const struct store_kv *kv, int64_t revision, int64_t sub, struct err *err);
/* rc: how it went so far. The file is complete, but not synced; or removed. Returns how it went in all. */
int state_writer_close(struct state_writer *w, int rc, struct err *err);

#endif
