/* Making snapshots and copies of a database that is open: what the engines need. */
#ifndef K3X_STORE_SNAPSHOT_SNAPSHOT_WRITE_H
#define K3X_STORE_SNAPSHOT_SNAPSHOT_WRITE_H

#include "store/machine/db.h"

enum { SNAPSHOT_HASH_BYTES = 32 };

/* Copies the database as `db` sees it (it may be inside a read transaction) to a new file, without the sha256 at its
 * end; that goes to `sha256`. `note` as in store_file_info. The file is removed on failure. */
int snapshot_write(
        struct db *db, const char *path, const char *note, unsigned char sha256[SNAPSHOT_HASH_BYTES], struct err *err);

/* A plain copy, a database like the one it was taken from. The file is removed on failure. */
int snapshot_copy(struct db *db, const char *path, struct err *err);

/* sha256 of the first `len` bytes (all when negative) and, when wanted, what follows them. */
int snapshot_sha256(const char *path, int64_t len, unsigned char ret[32], unsigned char *tail, struct err *err);
int snapshot_exec(sqlite3 *handle, const char *sql, const char *path, struct err *err);

#endif
