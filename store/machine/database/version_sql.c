/* The table `rev`: what lies packed in blocks, for people and their SQL. A virtual table of SQLite's
 * (sqlite.org/vtab.html), there without being made ("eponymous"), on connections that ask for it; a file has nothing of
 * it.
 *
 *     SELECT id >> 20, version, CAST(value AS TEXT) FROM rev WHERE key = CAST('a' AS BLOB)
 *
 * Rows come in order of ids; bounds on the id, as constants or from a join, are used to begin and to end there. A join
 * that asks for one version after the other unpacks a block for each, unless it asks in order. A deletion has no value
 * (NULL).
 *
 * What can go wrong: a block does not read; the statement fails with its message. */
#include "store/machine/database/version_sql.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "store/machine/database/versions.h"

#include <stdlib.h>

enum { COLUMN_ID, COLUMN_KEY, COLUMN_PREV, COLUMN_CREATED, COLUMN_VERSION, COLUMN_LEASE, COLUMN_VALUE };

/* Which bounds a plan has; its arguments come in this order. */
enum { PLAN_FROM = 1, PLAN_TO = 2, PLAN_ONE = 4 };

struct table {
	sqlite3_vtab base;
	struct db *db;
};

struct cursor {
	sqlite3_vtab_cursor base;
	struct version_walk walk;
	int64_t to;
	const struct version_row *row; /* NULL: at the end */
};

static int connect(sqlite3 *h, void *arg, int n_args, const char *const *args, sqlite3_vtab **ret, char **ret_error)
{
	int rc = sqlite3_declare_vtab(h,
	        "CREATE TABLE rev (id INTEGER PRIMARY KEY, key BLOB, prev INTEGER, created INTEGER, "
	        "version INTEGER, lease INTEGER, value BLOB)");
	if (rc != SQLITE_OK)
		return rc;
	struct table *t = xcalloc(1, sizeof *t);
	t->db = arg;
	*ret = &t->base;
	return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *base)
{
	free(base);
	return SQLITE_OK;
}

/* Of several bounds of a kind the first is used; SQLite looks at all of them again. */
static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	int from = -1, to = -1, n = 0;
	for (int i = 0; i < info->nConstraint; i++) {
		const struct sqlite3_index_constraint *c = &info->aConstraint[i];
		bool is_equal = c->op == SQLITE_INDEX_CONSTRAINT_EQ;
		if (!c->usable || (c->iColumn != COLUMN_ID && c->iColumn != -1))
			continue;
		if (is_equal) {
			from = to = i;
			break;
		}
		if (from < 0 && (c->op == SQLITE_INDEX_CONSTRAINT_GE || c->op == SQLITE_INDEX_CONSTRAINT_GT))
			from = i;
		if (to < 0 && (c->op == SQLITE_INDEX_CONSTRAINT_LE || c->op == SQLITE_INDEX_CONSTRAINT_LT))
			to = i;
	}
	bool is_one = from >= 0 && from == to;
	if (from >= 0)
		info->aConstraintUsage[from].argvIndex = ++n;
	if (to >= 0 && !is_one)
		info->aConstraintUsage[to].argvIndex = ++n;
	info->idxNum = (from >= 0 ? PLAN_FROM : 0) | (to >= 0 ? PLAN_TO : 0) | (is_one ? PLAN_ONE : 0);
	info->estimatedCost = is_one ? 20 : from >= 0 || to >= 0 ? 1e5 : 1e6;
	info->estimatedRows = is_one ? 1 : from >= 0 || to >= 0 ? 100000 : 1000000;
	info->orderByConsumed = info->nOrderBy == 1 && !info->aOrderBy[0].desc &&
	                        (info->aOrderBy[0].iColumn == COLUMN_ID || info->aOrderBy[0].iColumn == -1);
	return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
	struct cursor *c = xcalloc(1, sizeof *c);
	version_walk_open(&c->walk, CONTAINER_OF(base, struct table, base)->db, 0);
	*ret = &c->base;
	return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
	struct cursor *c = CONTAINER_OF(base, struct cursor, base);
	version_walk_close(&c->walk);
	free(c);
	return SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *base)
{
	struct cursor *c = CONTAINER_OF(base, struct cursor, base);
	struct err err = ERR_INIT;
	int rc = version_walk_next(&c->walk, &c->row, &err);
	if (rc != 1 || c->row->id > c->to)
		c->row = NULL;
	if (rc >= 0)
		return SQLITE_OK;
	sqlite3_free(base->pVtab->zErrMsg);
	base->pVtab->zErrMsg = sqlite3_mprintf("%s", err.msg);
	return SQLITE_CORRUPT_VTAB;
}

/* A bound as a number: whatever it is of, SQLite compares it itself afterwards; what is no number bounds nothing. */
static int64_t bound(sqlite3_value *v, int64_t otherwise)
{
	return sqlite3_value_type(v) == SQLITE_INTEGER ? sqlite3_value_int64(v) : otherwise;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int n_args, sqlite3_value **args)
{
	struct cursor *c = CONTAINER_OF(base, struct cursor, base);
	struct db *db = c->walk.db;
	int at = 0;
	int64_t from = 0;
	c->to = INT64_MAX;
	if (plan & PLAN_FROM)
		from = bound(args[at++], 0);
	if (plan & PLAN_ONE)
		c->to = bound(args[0], INT64_MAX);
	else if (plan & PLAN_TO)
		c->to = bound(args[at++], INT64_MAX);
	CHECK(at <= n_args);
	CHECK(db != NULL && plan < 8);
	version_walk_close(&c->walk);
	version_walk_open(&c->walk, db, from);
	return next_row(base);
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
	return CONTAINER_OF(base, struct cursor, base)->row == NULL;
}

static void give_bytes(sqlite3_context *out, struct slice bytes)
{
	sqlite3_result_blob64(out, bytes.len ? bytes.ptr : "", bytes.len, SQLITE_TRANSIENT);
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int i)
{
	const struct version_row *r = CONTAINER_OF(base, struct cursor, base)->row;
	CHECK(r != NULL);
	const int64_t numbers[] = {[COLUMN_ID] = r->id,
	        [COLUMN_PREV] = r->prev,
	        [COLUMN_CREATED] = r->created,
	        [COLUMN_VERSION] = r->version,
	        [COLUMN_LEASE] = r->lease};
	if (i == COLUMN_KEY)
		give_bytes(out, r->key);
	else if (i == COLUMN_VALUE && r->version)
		give_bytes(out, r->value);
	else if (i != COLUMN_VALUE)
		sqlite3_result_int64(out, numbers[i]);
	return SQLITE_OK;
}

static int row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
	*ret = CONTAINER_OF(base, struct cursor, base)->row->id;
	return SQLITE_OK;
}

static const sqlite3_module module = {
        .xConnect = connect,
        .xBestIndex = best_index,
        .xDisconnect = disconnect,
        .xOpen = open_cursor,
        .xClose = close_cursor,
        .xFilter = filter,
        .xNext = next_row,
        .xEof = is_at_end,
        .xColumn = column,
        .xRowid = row_id,
};

int version_sql_register(struct db *db, struct err *err)
{
	int rc = sqlite3_create_module(db->handle, "rev", &module, db);
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, err, "make the table of versions");
}
