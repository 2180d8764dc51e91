/* Snapshots of the store, and work on a database that no server has open. For tools and engines.
 *
 * A snapshot is a whole SQLite database (any sqlite3 opens it) with the store's tables and one more, `snapshot`, that
 * says where it comes from, followed by the sha256 of all that (32 bytes). It is made in one read transaction: exactly
 * the state at one revision. Snapshots of etcd (bbolt files with the same trailer) are read too, see snapshot_etcd.c.
 * Functions block and may be called from any thread. */
#ifndef K3X_STORE_SNAPSHOT_SNAPSHOT_H
#define K3X_STORE_SNAPSHOT_SNAPSHOT_H

#include "base/err.h"
#include "base/mem/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct raft_host_server;

enum { STORE_SNAPSHOT_HASH_BYTES = 32 };

/* Users and roles, and what taking them over has left to be done. */
struct store_users {
	int64_t users, roles;
	bool is_auth_enabled;
	uint64_t auth_revision;
	int64_t n_without_password; /* they had one, and it is of no use on the other side */
	char without_password[256]; /* their names, "bob, carol", as many as there is room for */
};

struct store_file_info {
	int64_t revision, compacted_revision, keys, leases;
	bool is_counted; /* versions and hash are known, which takes a walk through all of them */
	int64_t versions;
	int64_t size_bytes;                  /* of the file */
	int64_t applied_index, applied_term; /* of a replicated log; 0 without one */
	struct store_users users;
	int64_t leaseless; /* etcd's keys whose lease was gone: they stay without one */
	uint32_t hash;     /* as HashKV gives it for the newest revision */
	const char *note;  /* JSON: cluster_id, member_id, name, created; "" in a data directory */
	char sha256_hex[65];
	bool is_snapshot; /* it has a sha256, and that is right */
	bool is_etcd;     /* bbolt, of etcd */
};

/* Reads and checks a snapshot (sha256, header, tables) or a database (`path` may be a data directory). deep: PRAGMA
 * quick_check and the store's own invariants too. Strings in the arena. ERR_CORRUPT says what is wrong. The file is not
 * changed. One of etcd is taken over into a temporary file beside, for it must be read whole to be counted. */
int store_file_inspect(const char *path, bool deep, struct store_file_info *ret, struct arena *a, struct err *err);

struct store_restore_options {
	const char *snapshot;   /* "-": it comes on standard input */
	const char *data_dir;   /* made when it is not there */
	bool replace;           /* what is there is kept beside: state.db.before-restore, raft.before-restore */
	bool skip_hash_check;   /* it needs no sha256: a database file that was copied from a data directory */
	const char *cluster_id; /* what it must be of; NULL: that of data_dir, if it has one; "any" */
	int64_t bump_revision;  /* added to the revision, so that clients never see one twice */
	bool mark_compacted;    /* everything up to there counts as compacted: watches begin anew */
	/* The restored cluster gets an identity of its own, the same for all who restore this file with this token and
	 * these servers; or keeps the old one. */
	const char *token;
	bool keep_cluster_id;
	uint64_t new_cluster_id; /* not 0: this one */
	/* With servers the directory is complete: the server starts as member_id of them without being told. Without,
	 * it learns from its flags with whom it begins. */
	const struct raft_host_server *servers;
	size_t n_servers;
	uint64_t member_id;
};

/* Reads the snapshot once, checks it while it is written beside the target, and renames; on failure nothing is left of
 * it. *ret: of what was restored. ERR_EXISTS, ERR_LOCKED, ERR_CORRUPT, ERR_CONFLICT (another cluster's). */
int store_restore(const struct store_restore_options *options, struct store_file_info *ret, uint64_t *ret_cluster_id,
        struct arena *a, struct err *err);

/* Writes a snapshot that etcd restores (`etcdutl snapshot restore`) from a snapshot, database or data directory of
 * ours: every kept version, leases and compaction, with their numbers; users and roles. ERR_EXISTS when `to` is there.
 */
struct store_to_etcd {
	int64_t revision, versions, leases, size_bytes;
	struct store_users users;
	int64_t lost_revision; /* not 0: the store was at this revision without a change there, and etcd will not be */
	char sha256_hex[65];
};
int store_snapshot_to_etcd(
        const char *from, const char *to, struct store_to_etcd *ret, struct arena *a, struct err *err);

/* Runs one reading statement on a snapshot, database or data directory. row() is called with the texts of each row
 * (NULL: SQL's NULL), the first time with the names (is_head). ERR_INVAL says what SQLite said; a statement that would
 * write is refused. */
int store_sql(const char *path, const char *sql, void (*row)(void *arg, bool is_head, const char *const *texts, int n),
        void *arg, struct err *err);

/* Takes the lock of a data directory, which a server holds while it runs: ERR_LOCKED. Closing *ret_fd gives it back. */
int store_lock(const char *data_dir, int *ret_fd, struct err *err);

#endif
