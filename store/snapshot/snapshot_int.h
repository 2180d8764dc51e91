/* What the files of snapshots share. */
#ifndef K3X_STORE_SNAPSHOT_SNAPSHOT_INT_H
#define K3X_STORE_SNAPSHOT_SNAPSHOT_INT_H

#include "store/machine/database/db.h"
#include "store/snapshot/snapshot.h"
#include "store/snapshot/snapshot_write.h"

int64_t snapshot_query(struct db *db, const char *sql, struct err *err); /* one number; err->code tells */

/* The database in a data directory; `path` itself when it is a file. */
const char *snapshot_file_of(struct arena *a, const char *path);

/* What a file is: is_etcd, is_snapshot and the sha256, size_bytes. skip_hash: whatever is at its end. *ret_bytes: of
 * the database in it. */
int snapshot_look(const char *path, bool skip_hash, struct store_file_info *info, int64_t *ret_bytes, struct err *err);

/* What is noted in a snapshot of ours; nothing else is looked at. */
int snapshot_note(const char *path, struct store_file_info *info, struct arena *a, struct err *err);

/* How much is looked at. BRIEF: what is known without a walk through all versions, which are not counted (is_counted)
 * then. LOOK: nothing is checked but the header and the tables; DEEP: everything. */
enum snapshot_depth { SNAPSHOT_LOOK, SNAPSHOT_BRIEF, SNAPSHOT_DEEP };
int snapshot_inspect(const char *path, bool immutable, enum snapshot_depth depth, struct store_file_info *info,
        struct arena *a, struct err *err);

/* store_file_inspect() of a file that is not packed, and of one that is (snapshot_packed.c). */
int snapshot_inspect_file(const char *path, bool deep, struct store_file_info *ret, struct arena *a, struct err *err);
int snapshot_inspect_packed(const char *path, bool deep, struct store_file_info *ret, struct arena *a, struct err *err);
const char *snapshot_temporary(struct arena *a); /* where a temporary database goes */

/* For reading; immutable: nobody else has it open, and its write-ahead log does not count. */
int snapshot_open(const char *path, bool immutable, struct db *db, struct err *err);

/* etcd's keys, versions and leases as a new database of ours (snapshot_etcd.c). Only the first `bytes` of the file
 * count. The file is removed on failure. */
int snapshot_from_etcd(
        const char *path, int64_t bytes, const char *db_path, struct store_file_info *info, struct err *err);

/* Users and roles from a file of etcd into an empty database, and from a database into the buckets of a new one
 * (snapshot_users.c). */
struct bbolt;
struct bbolt_writer;
int snapshot_users_from_etcd(struct db *db, const struct bbolt *b, struct store_users *users, struct err *err);
int snapshot_users_to_etcd(struct db *db, struct bbolt_writer *w, struct store_users *users, struct err *err);
/* What there is in a database. */
int snapshot_users_count(struct db *db, struct store_users *users, struct err *err);

#endif
