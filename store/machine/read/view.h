/* Memory table and SQLite, read as one. See view.c.
 *
 *     store_view_open / store_view_begin -> row_*, range_*, lease_*, system_*, log_* -> store_view_close
 *
 * One thread at a time per view; what is read is the state at the moment it was opened, but for the applying thread,
 * which sees what it does. */
#ifndef K3X_STORE_MACHINE_READ_VIEW_H
#define K3X_STORE_MACHINE_READ_VIEW_H

#include "store/machine/memory/mem_table.h"
#include "store/machine/memory/recent_rows.h"
#include "store/machine/database/versions.h"

struct store_view {
	struct db *db;
	struct mem_view mem;
	struct meta meta; /* the state's; `trimmed` and `flushes` are the database's */
	bool is_db_open;  /* a transaction is open on `db` */
	/* The applying thread's, see store_view_begin(); NULL: another's. */
	const struct recent_rows *recent;
};

/* Table and database. Ends any view that `v` was. Errors are SQLite's. */
int store_view_open(struct store_view *v, struct mem_table *t, struct db *db, struct err *err);
/* The same for the applying thread: the transaction in SQLite begins when something is looked for there, and changes
 * that are not published are seen. No error: a database that can't be read stops the process (db.c, writers). */
void store_view_begin(struct store_view *v, struct mem_table *t, struct db *db, const struct recent_rows *recent);
/* A database alone, inside a transaction of the caller's or none: for what is done to one that no engine has open. */
int store_view_of_db(struct store_view *v, struct db *db, struct err *err);
void store_view_close(struct store_view *v);

/* The connection, inside the view's transaction; *err when it can't begin. NULL: error. */
struct db *store_view_db(struct store_view *v, struct err *err);

/* A version of a key. version 0: a deletion. */
struct row {
	struct slice key; /* borrowed from the cursor */
	int64_t id;
	int64_t created;
	int64_t version;
	int64_t lease;
	const struct mem_version *mem; /* where it is in memory; NULL: in the database */
};

static inline struct row row_of_version(const struct mem_version *m)
{
	return (struct row){m->node->key, m->at, m->created, m->version, m->lease, m};
}

/* The newest row of a key: 1 found (it may be a deletion), 0 never seen, negative error. */
int row_newest(struct store_view *v, struct slice key, struct row *ret, struct err *err);
/* The same, when it is in memory. False: it is not, and may be in the database. */
bool row_newest_in_memory(const struct store_view *v, struct slice key, struct row *ret);
/* The same in the database alone. */
int row_newest_in_db(struct store_view *v, struct slice key, struct row *ret, struct err *err);
/* The row with this id, which is of this key. 1, 0: it is not there (any more), negative. */
int row_by_id(struct store_view *v, struct slice key, int64_t id, struct row *ret, struct err *err);

/* The value of a version, in the arena. */
int row_value(struct store_view *v, const struct row *row, struct arena *a, struct slice *ret, struct err *err);
int row_value_bytes(struct store_view *v, const struct row *row, size_t *ret, struct err *err);

/* The pair of a version, in the arena; the key is taken as given. 0 when it is a deletion, 1. */
int row_pair(struct store_view *v, const struct row *row, struct slice key, struct arena *a, struct store_kv *ret,
        struct err *err);

/* Is there this lease? 1, 0, negative. */
int lease_exists(struct store_view *v, int64_t id, struct err *err);
/* The keys of a lease after a key (an empty one: all), in order, at most `max`, in the arena. The number; negative. */
int lease_keys(struct store_view *v, int64_t id, struct slice after, struct slice *ret_keys, int max, struct arena *a,
        struct err *err);
/* All leases in order of their ids: calls back for each. */
int lease_each(struct store_view *v, void (*each)(void *arg, int64_t id, int64_t ttl_s), void *arg, struct err *err);

/* All kept versions in order of their ids, from `from` (a row id) on. What a row points to is good until the next
 * step. */
struct version_cursor {
	struct store_view *view;
	struct version_walk walk;
	int64_t from;
	int layer; /* -1: the database; else of the view, oldest first */
	struct mem_log_cursor at;
};
int versions_open(struct version_cursor *c, struct store_view *v, int64_t from, struct err *err);
int versions_next(struct version_cursor *c, struct version_row *ret, struct err *err); /* 1, 0, negative */
void versions_close(struct version_cursor *c);

#endif
