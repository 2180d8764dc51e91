/* Reading kine's table where k3s keeps its state in a database (store/snapshot/kine.c says what its rows are; the
 * schema is the same but for the types). One transaction that only reads, of one moment, gives a page of rows after the
 * other: memory does not grow with the table, and k3s may write meanwhile.
 *
 * A row is its key's newest when no later one has that name, which the index over name and id answers. */
#include "store/engine/sql/kine_db.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/engine/sql/sql_db_int.h"

#include <inttypes.h>

enum { PAGE_ROWS = 100 };

static const char page_sql[] =
        "SELECT k.id, k.name, k.created, k.create_revision, k.value FROM kine k WHERE k.id > $1 AND k.deleted = 0 "
        "AND k.name <> 'compact_rev_key' AND NOT EXISTS (SELECT 1 FROM kine n WHERE n.name = k.name AND n.id > k.id) "
        "ORDER BY k.id LIMIT 100";
_Static_assert(PAGE_ROWS == 100, "as page_sql says");

/* ---- the name ---- */

const char *kine_db_name(struct arena *a, const char *endpoint)
{
	const char *host = strstr(endpoint, "://"), *at = strrchr(endpoint, '@');
	if (!host)
		return endpoint;
	host = at > host ? at + 1 : host + 3;
	size_t end = strcspn(host, "?"), slash = 0;
	for (bool in = false; slash < end && (in || host[slash] != '/'); slash++)
		in = host[slash] == '(' || (in && host[slash] != ')');
	if (slash + 1 < end)
		return endpoint;
	return arena_printf(a, "%.*s/kubernetes%s", (int)(host + slash - endpoint), endpoint, host + end);
}

/* ---- the rows ---- */

static int begin(struct sql_db *db, bool is_mysql, struct arena *a, struct sql_rows *r, struct err *err)
{
	if (is_mysql)
		return db->v->run(db,
		        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;"
		        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
		        NULL, 0, a, r, err);
	return db->v->run(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0, a, r, err);
}

static int newest(struct sql_db *db, int64_t *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	int rc = db->v->run(db, "SELECT coalesce(max(id), 0) FROM kine", NULL, 0, &a, &r, err);
	if (rc == 0 && r.n_rows == 1)
		*ret = sql_at(&r, 0, 0)->number;
	if (rc == 0 && (r.n_rows != 1 || *ret < 0 || *ret > INT64_MAX >> 21))
		rc = err_set(err, ERR_CORRUPT, "the table kine has a revision that is none");
	if (rc == ERR_INTERNAL) /* what the database says of a table that is not there */
		rc = err->code = ERR_INVAL;
	arena_release(&a);
	return rc == 0 ? 0 : err_wrap(err, "is it a datastore of k3s?");
}

static int take(const struct sql_rows *r, size_t i, int (*row)(void *arg, const struct store_kv *kv, struct err *err),
        void *arg, int64_t revision, struct err *err)
{
	int64_t id = sql_at(r, i, 0)->number, created = sql_at(r, i, 3)->number;
	struct store_kv kv = {.key = sql_at(r, i, 1)->bytes,
	        .value = sql_at(r, i, 4)->bytes,
	        .mod_revision = id,
	        .create_revision = sql_at(r, i, 2)->number || created <= 0 ? id : created,
	        .version = 1};
	if (id < 1 || id > revision || kv.create_revision > id || !kv.key.len || kv.key.len > STORE_KEY_BYTES_MAX ||
	        kv.value.len > STORE_REQUEST_BYTES_CEILING)
		return err_set(err, ERR_CORRUPT, "the row of revision %" PRId64 " does not read", id);
	return row(arg, &kv, err);
}

static int each(struct sql_db *db, int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg,
        int64_t revision, struct err *err)
{
	int64_t after = 0;
	size_t n = PAGE_ROWS;
	int rc = 0;
	while (rc == 0 && n == PAGE_ROWS) {
		struct arena a = ARENA_INIT;
		struct sql_rows r;
		const struct sql_arg arg_after = SQL_INT(after);
		rc = db->v->run(db, page_sql, &arg_after, 1, &a, &r, err);
		n = rc == 0 ? r.n_rows : 0;
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = take(&r, i, row, arg, revision, err);
		after = n ? sql_at(&r, n - 1, 0)->number : after;
		arena_release(&a);
	}
	return rc;
}

static int read_all(struct sql_db *db, bool is_mysql, int (*row)(void *arg, const struct store_kv *kv, struct err *err),
        void *arg, int64_t *ret_revision, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	size_t bytes_max;
	int rc = db->v->connect(db, &bytes_max, err);
	if (rc == 0)
		rc = begin(db, is_mysql, &a, &r, err);
	if (rc == 0)
		rc = newest(db, ret_revision, err);
	if (rc == 0)
		rc = each(db, row, arg, *ret_revision, err);
	db->v->disconnect(db);
	arena_release(&a);
	return rc;
}

int kine_db_each(const char *endpoint, const struct dsn_tls *tls,
        int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg, int64_t *ret_revision,
        struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_db *db = NULL;
	struct dsn dsn;
	int rc = dsn_parse(&a, kine_db_name(&a, endpoint), &dsn, err);
	if (rc == 0 && dsn.kind == DSN_ETCD)
		rc = err_set(err, ERR_INVAL, "of a k3s on an etcd give a snapshot (etcdctl snapshot save)");
	if (rc == 0)
		rc = dsn.kind == DSN_MYSQL ? mysql_open(&dsn, tls, &db, err) : postgres_open(&dsn, tls, &db, err);
	if (rc == 0) {
		rc = read_all(db, dsn.kind == DSN_MYSQL, row, arg, ret_revision, err);
		db->v->free(db);
	}
	arena_release(&a);
	return rc;
}
