/* The versions in a database: found by id, walked in order, appended. See versions.c.
 *
 * One thread at a time per connection. Versions that compaction has removed are not there, whether the block they lay
 * in has been written anew or not. */
#ifndef K3X_STORE_MACHINE_DATABASE_VERSIONS_H
#define K3X_STORE_MACHINE_DATABASE_VERSIONS_H

#include "store/machine/database/db.h"

/* In a transaction that has just begun: `rewrites` is what its counters (meta.h) say. What was unpacked before is kept
 * when compaction has changed nothing since. */
void versions_begin(struct db *db, int64_t rewrites);

/* How much unpacked is kept; before the first look. Else it is as in base/limits.h. */
void versions_keep(struct db *db, unsigned blocks_max, size_t bytes_max);

/* The version with this id, valid until the next look on this connection. 1, 0: it is not there (any more), negative.
 */
int versions_get(struct db *db, int64_t id, const struct version_row **ret, struct err *err);

/* All of them in order of their ids, from one on. Walks don't disturb each other, nor what else is done on the
 * connection. What is written while one is open may be seen or not. */
struct version_walk {
	struct db *db;
	struct version_block block; /* the one at hand */
	unsigned at;
	int64_t from;
	int64_t seen; /* the last id of the blocks so far; 0: none has been read */
};
void version_walk_open(struct version_walk *w, struct db *db, int64_t from);
/* 1, 0: the end, negative. *ret is valid until the next call. */
int version_walk_next(struct version_walk *w, const struct version_row **ret, struct err *err);
/* May be called again. */
void version_walk_close(struct version_walk *w);

/* Appends versions, in order of ids that are greater than all that are there, in a transaction of the caller's. Zeroed
 * but for `db` before its first use. */
struct version_writer {
	struct db *db;
	struct version_builder builder;
	int64_t last; /* the last id of the blocks so far */
};
int version_writer_add(struct version_writer *w, const struct version_row *v, struct err *err);
int version_writer_end(struct version_writer *w, struct err *err); /* writes the last block */
void version_writer_release(struct version_writer *w);

/* ---- blocks, for those who change them (version_trim.c) ---- */

/* The block with the greatest first id that is not above `id`, or the smallest that is not below. 1, 0: none, negative.
 */
enum version_side { VERSION_AT, VERSION_FROM };
int version_head_get(struct db *db, enum version_side side, int64_t id, struct version_head *ret, struct err *err);
int version_block_get(struct db *db, enum version_side side, int64_t id, struct version_block *ret, struct err *err);
/* With the bits of its dead. */
int version_block_drop(struct db *db, int64_t id, struct err *err);

#endif
