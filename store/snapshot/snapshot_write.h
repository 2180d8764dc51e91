/* Copies and sums of databases at rest. Of one that is served: snapshot_reader.h. */
#ifndef K3X_STORE_SNAPSHOT_SNAPSHOT_WRITE_H
#define K3X_STORE_SNAPSHOT_SNAPSHOT_WRITE_H

#include "store/machine/database/db.h"

/* A plain copy of what the connection sees, a database like the one it was taken from. The file is removed on failure.
 */
int snapshot_copy(struct db *db, const char *path, struct err *err);

/* sha256 of the first `len` bytes (all when negative) and, when wanted, what follows them. */
int snapshot_sha256(const char *path, int64_t len, unsigned char ret[32], unsigned char *tail, struct err *err);
int snapshot_exec(sqlite3 *handle, const char *sql, const char *path, struct err *err);

#endif
