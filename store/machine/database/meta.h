/* The counters of a store: one row of the database, and what stands in memory ahead of it. */
#ifndef K3X_STORE_MACHINE_DATABASE_META_H
#define K3X_STORE_MACHINE_DATABASE_META_H

#include "store/machine/database/db.h"

struct meta {
	int64_t revision;
	int64_t compacted;
	int64_t trimmed; /* of the database alone: row id from which on compaction still has to look;
	                    ROW_ID(compacted): all done */
	int64_t keys;
	uint64_t hash;                       /* rolling, over all events so far */
	int64_t applied_index, applied_term; /* of the replicated log */
	int64_t system_version;              /* counts changes of the system keyspace */
	int64_t flushes;                     /* of the database alone: how often the memory table was moved into it */
	int64_t rewrites;                    /* of the database alone: how often compaction changed versions in it */
};

/* In a transaction. */
int meta_load(struct db *db, struct meta *ret, struct err *err);
int meta_save(struct db *db, const struct meta *m, struct err *err);

/* Do both count the same state of the store, whatever compaction of rows and flushing have got to? */
bool meta_is_same_state(const struct meta *a, const struct meta *b);

/* Counters only go up, and none passes another: stops the process when `now` can't come after `before`. */
void meta_check(const struct meta *now, const struct meta *before);

#endif
