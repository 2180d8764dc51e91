/* Snapshots of the store, and work on a database that no server has open. For tools and engines.
 *
 * A snapshot is a whole SQLite database (any sqlite3 opens it) with the store's tables and one more, `snapshot`, that
 * says where it comes from, followed by the sha256 of all that (32 bytes). It is made in one read transaction: exactly
 * the state at one revision. Functions block and may be called from any thread. */
#ifndef K3X_STORE_SNAPSHOT_H
#define K3X_STORE_SNAPSHOT_H

#include "base/err.h"
#include "base/mem/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum { STORE_SNAPSHOT_HASH_BYTES = 32 };

struct store_file_info {
	int64_t revision, compacted_revision, keys, versions, leases;
	int64_t size_bytes; /* of the file */
	uint32_t hash;      /* as HashKV gives it for the newest revision */
	const char *note;   /* JSON: cluster_id, member_id, name, created; "" in a data directory */
	char sha256_hex[65];
	bool is_snapshot; /* it has a sha256, and that is right */
};

/* Reads and checks a snapshot (sha256, header, tables) or a database (`path` may be a data directory). deep: PRAGMA
 * quick_check and the store's own invariants too. Strings in the arena. ERR_CORRUPT says what is wrong. The file is not
 * changed. */
int store_file_inspect(const char *path, bool deep, struct store_file_info *ret, struct arena *a, struct err *err);

struct store_restore_options {
	const char *snapshot;
	const char *data_dir;   /* made when it is not there */
	bool replace;           /* a database that is there is kept beside as state.db.before-restore */
	const char *cluster_id; /* what it must be of; NULL: that of data_dir, if it has one; "any" */
	int64_t bump_revision;  /* added to the revision, so that clients never see one twice */
	bool mark_compacted;    /* everything up to there counts as compacted: watches begin anew */
};

/* Checks all of the snapshot first, writes beside the target, and renames. ERR_EXISTS, ERR_LOCKED, ERR_CORRUPT,
 * ERR_CONFLICT (another cluster's). */
int store_restore(
        const struct store_restore_options *options, struct store_file_info *ret, struct arena *a, struct err *err);

/* Runs one reading statement on a snapshot, database or data directory. row() is called with the texts of each row
 * (NULL: SQL's NULL), the first time with the names (is_head). ERR_INVAL says what SQLite said; a statement that would
 * write is refused. */
int store_sql(const char *path, const char *sql, void (*row)(void *arg, bool is_head, const char *const *texts, int n),
        void *arg, struct err *err);

#endif
