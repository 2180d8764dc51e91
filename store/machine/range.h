/* Reading the tables: one key, a range, at the newest or an older revision. Works on any connection inside a
 * transaction; the writer sees its own uncommitted rows through it. */
#ifndef K3X_STORE_MACHINE_RANGE_H
#define K3X_STORE_MACHINE_RANGE_H

#include "store/machine/db.h"
#include "store/engine.h"

/* Does the range, as etcd writes it (engine.h), have the key? */
bool store_range_has(const struct store_key_range *keys, struct slice key);

struct meta {
	int64_t revision;
	int64_t compacted;
	int64_t trimmed; /* row id from which on compaction still has to look; ROW_ID(compacted): all done */
	int64_t keys;
	uint64_t hash;                       /* rolling, over all events so far */
	int64_t applied_index, applied_term; /* of a replicated log; 0 without one */
	int64_t system_version;              /* counts changes of the system keyspace */
};

int meta_load(struct db *db, struct meta *ret, struct err *err);
int meta_save(struct db *db, const struct meta *m, struct err *err);

/* A version of a key. version 0: a deletion. */
struct row {
	struct slice key; /* borrowed from the cursor */
	int64_t id;
	int64_t created;
	int64_t version;
	int64_t lease;
};

/* The newest row of a key: 1 found (it may be a deletion), 0 never seen, negative error. */
int row_newest(struct db *db, struct slice key, struct row *ret, struct err *err);

/* The value of a version, in the arena. */
int row_value(struct db *db, int64_t id, struct arena *a, struct slice *ret, struct err *err);

/* The pair of a version, in the arena; the key is taken as given. 0 when the row is gone or a deletion, 1 found. */
int row_pair(struct db *db, int64_t id, struct slice key, struct arena *a, struct store_kv *ret, struct err *err);

/* Walks the keys that live at `revision` (INT64_MAX: the newest, own writes included) in key order. Only one cursor per
 * connection may be open. */
struct range_cursor {
	struct db *db;
	sqlite3_stmt *stmt; /* NULL: a single key */
	struct slice single;
	int64_t revision;
	bool done;
};

void range_open(struct range_cursor *c, struct db *db, const struct store_key_range *keys, int64_t revision);
int range_next(struct range_cursor *c, struct row *ret, struct err *err); /* 1 a row, 0 the end, negative error */
void range_close(struct range_cursor *c);

/* Is it a revision one can read? ERR_COMPACTED, ERR_FUTURE_REVISION. `revision` 0 is. */
int range_check_revision(const struct meta *m, int64_t revision, struct err *err);

/* Bytes that answering a range would take, at least: with `rows_more` rows beyond its limit. Stops once they are more
 * than bytes_max. */
int range_measure(struct db *db, const struct store_range *r, int64_t rows_more, size_t bytes_max, size_t *ret_bytes,
        struct err *err);

/* Answers a range; revision already checked. */
int range_eval(struct db *db, const struct store_range *r, struct store_result *res, struct arena *a, struct err *err);

#endif
