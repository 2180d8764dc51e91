/* A connection to a database, whatever makes it: what sql_log.c needs of libpq and libmariadb. One thread at a time;
 * calls block, for SHARED_LOG_CALL_MS at most. */
#ifndef K3X_STORE_ENGINE_SQL_SQL_DB_INT_H
#define K3X_STORE_ENGINE_SQL_SQL_DB_INT_H

#include "store/engine/sql/dsn.h"
#include "store/engine/shared_log.h"

struct sql_arg {
	bool is_bytes;
	int64_t number;
	struct slice bytes;
};

#define SQL_INT(n) ((struct sql_arg){.number = (int64_t)(n)})
#define SQL_BYTES(b) ((struct sql_arg){.is_bytes = true, .bytes = (b)})

struct sql_cell {
	struct slice bytes;
	int64_t number; /* when the column is one of numbers or truths */
	bool is_null;
};

struct sql_rows {
	size_t n_rows, n_columns;
	struct sql_cell *cells; /* row by row, in the arena */
	int64_t affected;
};

static inline const struct sql_cell *sql_at(const struct sql_rows *r, size_t row, size_t column)
{
	return &r->cells[row * r->n_columns + column];
}

/* What the dialects say differently. $1, $2 stand for arguments in both. */
struct sql_texts {
	/* one row: is it a server that only reads (0/1), is there a k3x_meta (0/1), other tables that are there */
	const char *look;
	const char *const *create; /* ends with NULL; the values of the one row of k3x_meta come behind the last */
	const char *append;        /* origin, sequence, bytes -> index */
	const char *tell;          /* others of it; NULL: there is no such thing */
	const char *drop;          /* entries up to, at most some */
	const char *keep_snapshot; /* %lld: id, parts, index, index, id, parts, index */
};

struct sql_db;

struct sql_db_vtable {
	const char *name;
	const struct sql_texts *texts;
	/* ERR_UNAVAILABLE: try again; other: it won't mend itself. */
	int (*connect)(struct sql_db *db, size_t *ret_bytes_max, struct err *err);
	void (*disconnect)(struct sql_db *db);
	/* One statement, or with no arguments several; the rows of the last that has some. ERR_UNAVAILABLE: the
	 * connection is gone, or the server refuses to write. ERR_EXISTS: a key is there already. ERR_BUSY: try again;
	 * others: nothing was done. */
	int (*run)(struct sql_db *db, const char *sql, const struct sql_arg *args, size_t n_args, struct arena *a,
	        struct sql_rows *ret, struct err *err);
	int (*fd)(struct sql_db *db); /* -1: nothing tells */
	/* Of others; *ret_tells is set when there was anything at all. */
	bool (*heard)(struct sql_db *db, bool *ret_tells);
	void (*free)(struct sql_db *db);
};

struct sql_db {
	const struct sql_db_vtable *v;
};

/* Not connected. ERR_UNIMPLEMENTED: the library is not there; the message names the package. */
int postgres_open(const struct dsn *dsn, const struct dsn_tls *tls, struct sql_db **ret, struct err *err);
int mysql_open(const struct dsn *dsn, const struct dsn_tls *tls, struct sql_db **ret, struct err *err);

#endif
