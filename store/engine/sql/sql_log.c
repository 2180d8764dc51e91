/* A shared log in three tables of an SQL database:
 *
 *     k3x_meta      one row: the schema's version, the cluster's id, the newest entry, the snapshot
 *     k3x_log       idx, origin, sequence, bytes: the entries; origin and sequence together are there once
 *     k3x_snapshot  the snapshot's file in parts of a mebibyte
 *
 * An entry is added by one statement (or one packet of them) that raises k3x_meta.last_index, whose row stays locked
 * until the commit, and inserts under that number. So numbers have no gap, are given in the order of commits whatever
 * the isolation level, and no lock waits for a client: it is the server alone that holds it.
 *
 * The tables are made in a database that has none. One with tables of somebody else is left alone; so is one whose
 * version is newer.
 *
 * What can go wrong: see sql_db_int.h for errors; a snapshot's parts are removed while they are read, for a newer one
 * has come (read again). */
#include "store/engine/sql/sql_log.h"

#include "base/check.h"
#include "base/file/file_sync.h"
#include "base/pki/pki.h"
#include "store/engine/sql/sql_db_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 1, PART_BYTES = 1024 * 1024, DROP_STEPS_MAX = 100000 };

struct sql_log {
	struct shared_log base;
	struct sql_db *db;
};

static struct sql_db *db_of(struct shared_log *l)
{
	return CONTAINER_OF(l, struct sql_log, base)->db;
}

static int run(struct sql_db *db, const char *sql, const struct sql_arg *args, size_t n, struct arena *a,
        struct sql_rows *ret, struct err *err)
{
	return db->v->run(db, sql, args, n, a, ret, err);
}

/* For what has no rows to keep. */
static int run_text(struct sql_db *db, const char *sql, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows rows;
	int rc = run(db, sql, NULL, 0, &a, &rows, err);
	arena_release(&a);
	return rc;
}

/* ---- connecting, and the schema ---- */

static int create(struct sql_db *db, struct err *err)
{
	struct arena a = ARENA_INIT;
	int64_t id = 0;
	int rc = 0;
	while (id == 0) {
		pki_random(&id, sizeof id);
		id &= INT64_MAX;
	}
	for (const char *const *sql = db->v->texts->create; *sql && rc == 0; sql++) {
		const char *text = *sql;
		if (!sql[1])
			text = arena_printf(&a, "%s (1, %d, %" PRId64 ", 0, 0, 0, 0)%s", *sql, SCHEMA_VERSION, id,
			        strstr(*sql, "IGNORE") ? "" : " ON CONFLICT DO NOTHING");
		rc = run_text(db, text, err);
	}
	arena_release(&a);
	return rc == 0 ? 0 : err_wrap(err, "make the tables of the datastore");
}

static int check_version(struct sql_db *db, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	int rc = run(db, "SELECT version FROM k3x_meta WHERE id = 1", NULL, 0, &a, &r, err);
	if (rc == 0 && r.n_rows != 1)
		rc = err_set(err, ERR_CORRUPT, "k3x_meta has no row: give the datastore an empty database");
	if (rc == 0 && sql_at(&r, 0, 0)->number != SCHEMA_VERSION)
		rc = err_set(err, ERR_CORRUPT,
		        "the tables are of version %" PRId64 ", this program knows %d: start the newer",
		        sql_at(&r, 0, 0)->number, SCHEMA_VERSION);
	arena_release(&a);
	return rc;
}

static int check_others(struct slice others, struct err *err)
{
	if (!others.len)
		return 0;
	if (slice_eq(others, SLICE("kine")) || slice_starts(others, "kine,"))
		return err_set(
		        err, ERR_INVAL, "the database is a datastore of k3s (table kine): give k3x an empty one");
	return err_set(err, ERR_INVAL,
	        "the database has tables of somebody else (%.*s): give the datastore an empty one",
	        (int)(others.len < 100 ? others.len : 100), others.ptr);
}

static int look(struct sql_db *db, bool is_look_only, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	int rc = run(db, db->v->texts->look, NULL, 0, &a, &r, err);
	if (rc == 0 && (r.n_rows != 1 || r.n_columns != 3))
		rc = err_set(err, ERR_PROTOCOL, "the database answers a question with something else");
	if (rc == 0 && sql_at(&r, 0, 0)->number)
		rc = err_set(err, ERR_UNAVAILABLE,
		        "this server of the database only reads (a standby, or read_only): name the one that writes");
	if (rc == 0 && !sql_at(&r, 0, 1)->number) {
		rc = check_others(sql_at(&r, 0, 2)->bytes, err);
		if (rc == 0 && is_look_only)
			rc = err_set(err, ERR_NOT_FOUND, "the database is empty");
		rc = rc == 0 ? create(db, err) : rc;
	}
	arena_release(&a);
	return rc == 0 ? check_version(db, err) : rc;
}

static int log_connect(struct shared_log *l, struct err *err)
{
	struct sql_db *db = db_of(l);
	db->v->disconnect(db);
	int rc = db->v->connect(db, &l->entry_bytes_max, err);
	if (rc == 0)
		rc = look(db, l->is_look_only, err);
	if (rc == ERR_BUSY)
		rc = err->code = ERR_UNAVAILABLE;
	return rc;
}

static void log_disconnect(struct shared_log *l)
{
	db_of(l)->v->disconnect(db_of(l));
}

/* ---- entries ---- */

static int log_append(struct shared_log *l, const struct shared_log_entry *e, int64_t *ret_before, int64_t *ret_index,
        struct err *err)
{
	struct sql_db *db = db_of(l);
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	const struct sql_arg args[] = {SQL_INT(e->origin), SQL_INT(e->sequence), SQL_BYTES(e->bytes)};
	CHECK(e->origin && e->origin <= INT64_MAX && e->sequence && e->sequence <= INT64_MAX && e->bytes.len);
	int rc = run(db, db->v->texts->append, args, COUNT_OF(args), &a, &r, err);
	if (rc == 0 && (r.n_rows != 1 || sql_at(&r, 0, 0)->number < 1))
		rc = err_set(err, ERR_CORRUPT, "k3x_meta has lost its row: the datastore was changed by somebody else");
	if (rc == 0) {
		*ret_index = sql_at(&r, 0, 0)->number;
		*ret_before = *ret_index - 1;
	}
	arena_release(&a);
	return rc;
}

static void log_tell(struct shared_log *l)
{
	struct err err = ERR_INIT;
	if (db_of(l)->v->texts->tell)
		run_text(db_of(l), db_of(l)->v->texts->tell, &err);
}

static int log_head(struct shared_log *l, struct shared_log_head *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	int rc = run(db_of(l),
	        "SELECT cluster, last_index, snapshot_index, (SELECT coalesce(min(idx), 1) FROM k3x_log) "
	        "FROM k3x_meta WHERE id = 1",
	        NULL, 0, &a, &r, err);
	if (rc == 0 && r.n_rows != 1)
		rc = err_set(err, ERR_CORRUPT, "k3x_meta has lost its row: the datastore was changed by somebody else");
	if (rc == 0)
		*ret = (struct shared_log_head){.id = (uint64_t)sql_at(&r, 0, 0)->number,
		        .last = sql_at(&r, 0, 1)->number,
		        .snapshot = sql_at(&r, 0, 2)->number,
		        .entries = sql_at(&r, 0, 1)->number - sql_at(&r, 0, 3)->number + 1};
	arena_release(&a);
	return rc;
}

/* Entries are committed in order, and an engine may show them out of order for a moment all the same (InnoDB gives up a
 * row's lock before it shows the commit): what comes behind a gap is left for later, unless the gap is one that the
 * snapshot has made. */
static int is_gone(struct shared_log *l, int64_t index, struct err *err)
{
	struct shared_log_head head;
	int rc = log_head(l, &head, err);
	if (rc == 0 && head.snapshot >= index)
		rc = err_set(err, ERR_COMPACTED, "entry %" PRId64 " is gone", index);
	return rc;
}

static int log_read(struct shared_log *l, int64_t after, struct arena *a, struct shared_log_entry **ret, size_t *ret_n,
        struct err *err)
{
	struct sql_rows r;
	size_t bytes = 0;
	if (!l->read_max)
		l->read_max = SHARED_LOG_READ_MIN;
	const struct sql_arg args[] = {SQL_INT(after), SQL_INT(l->read_max)};
	CHECK(after >= 0);
	int rc = run(db_of(l), "SELECT idx, origin, sequence, bytes FROM k3x_log WHERE idx > $1 ORDER BY idx LIMIT $2",
	        args, COUNT_OF(args), a, &r, err);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < r.n_rows; i++)
		bytes += sql_at(&r, i, 3)->bytes.len;
	l->has_more = (int64_t)r.n_rows == l->read_max;
	l->read_max = shared_log_read_next(l->read_max, r.n_rows, bytes);
	*ret = arena_alloc(a, (r.n_rows + 1) * sizeof **ret);
	for (*ret_n = 0; *ret_n < r.n_rows; (*ret_n)++) {
		struct shared_log_entry *e = &(*ret)[*ret_n];
		*e = (struct shared_log_entry){.index = sql_at(&r, *ret_n, 0)->number,
		        .origin = (uint64_t)sql_at(&r, *ret_n, 1)->number,
		        .sequence = (uint64_t)sql_at(&r, *ret_n, 2)->number,
		        .bytes = sql_at(&r, *ret_n, 3)->bytes};
		if (e->index != after + 1 + (int64_t)*ret_n)
			break;
	}
	return *ret_n == 0 && r.n_rows ? is_gone(l, after + 1, err) : 0;
}

static int log_fd(struct shared_log *l)
{
	return db_of(l)->v->fd(db_of(l));
}

static bool log_heard(struct shared_log *l)
{
	return db_of(l)->v->heard(db_of(l), &l->tells);
}

/* ---- the snapshot ---- */

static int run_numbers(struct sql_db *db, const char *sql, int64_t first, int64_t second, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	const struct sql_arg args[] = {SQL_INT(first), SQL_INT(second)};
	int rc = run(db, sql, args, COUNT_OF(args), &a, &r, err);
	arena_release(&a);
	return rc;
}

static int insert_part(struct sql_db *db, int64_t id, int64_t number, struct slice bytes, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	const struct sql_arg args[] = {SQL_INT(id), SQL_INT(number), SQL_BYTES(bytes)};
	int rc = run(db, "INSERT INTO k3x_snapshot (id, part, bytes) VALUES ($1, $2, $3)", args, COUNT_OF(args), &a, &r,
	        err);
	arena_release(&a);
	return rc;
}

static int send_part(struct shared_log *l, int64_t id, int64_t number, struct slice bytes, struct err *err)
{
	const struct shared_log_parts *p = l->parts;
	int rc = 0;
	if (p && p->has(p->arg, number, bytes))
		return 0;
	if (p) /* one of before, or one that nobody remembers */
		rc = run_numbers(db_of(l), "DELETE FROM k3x_snapshot WHERE id = $1 AND part = $2", id, number, err);
	if (rc == 0)
		rc = insert_part(db_of(l), id, number, bytes, err);
	return rc == 0 && p ? p->sent(p->arg, number, bytes, err) : rc;
}

static int send_parts(struct shared_log *l, FILE *f, int64_t id, int64_t *ret_parts, struct err *err)
{
	char *part = xmalloc(PART_BYTES);
	size_t n;
	int rc = 0;
	*ret_parts = 0;
	CHECK(id > 0);
	while (rc == 0 && (n = fread(part, 1, PART_BYTES, f)) > 0) {
		rc = send_part(l, id, (*ret_parts)++, (struct slice){part, n}, err);
		if (rc == 0 && l->progress)
			l->progress(l->arg, n);
	}
	if (rc == 0 && ferror(f))
		rc = err_errno(err, errno, "read the snapshot");
	if (rc == 0 && l->parts) /* it was longer */
		rc = run_numbers(
		        db_of(l), "DELETE FROM k3x_snapshot WHERE id = $1 AND part >= $2", id, *ret_parts, err);
	free(part);
	return rc;
}

static int log_count_parts(struct shared_log *l, int64_t id, int64_t *ret, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	const struct sql_arg arg = SQL_INT(id);
	int rc = run(db_of(l), "SELECT count(*) FROM k3x_snapshot WHERE id = $1", &arg, 1, &a, &r, err);
	if (rc == 0)
		*ret = r.n_rows == 1 ? sql_at(&r, 0, 0)->number : 0;
	arena_release(&a);
	return rc;
}

static int drop_entries(struct sql_db *db, int64_t drop, struct err *err)
{
	const struct sql_arg arg = SQL_INT(drop);
	int64_t affected = 1;
	int rc = 0;
	for (int i = 0; rc == 0 && affected && drop > 0 && i < DROP_STEPS_MAX; i++) {
		struct arena a = ARENA_INIT;
		struct sql_rows r = {0};
		rc = run(db, db->v->texts->drop, &arg, 1, &a, &r, err);
		affected = r.affected;
		arena_release(&a);
	}
	return rc;
}

static int keep_snapshot(struct sql_db *db, int64_t id, int64_t parts, int64_t index, struct err *err)
{
	struct arena a = ARENA_INIT;
	char *text = xmalloc(2048);
	CHECK(id > 0 && parts >= 0 && index > 0);
	/* the format is one of ours, of numbers alone */
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"");
	int n = snprintf(text, 2048, db->v->texts->keep_snapshot, (long long)id, (long long)parts, (long long)index,
	        (long long)index, (long long)id, (long long)parts, (long long)index);
	_Pragma("GCC diagnostic pop");
	CHECK(n > 0 && n < 2048);
	int rc = run_text(db, text, err);
	free(text);
	arena_release(&a);
	return rc;
}

static int log_save_snapshot(struct shared_log *l, const char *path, int64_t index, int64_t drop, struct err *err)
{
	struct sql_db *db = db_of(l);
	FILE *f = fopen(path, "re");
	int64_t id = 0, parts;
	CHECK(index > 0 && drop <= index);
	if (!f)
		return err_errno(err, errno, "open %s", path);
	pki_random(&id, sizeof id);
	id = l->parts ? l->parts->id : (id & INT64_MAX) | 1;
	bool is_draft = l->parts && l->parts->is_draft;
	int rc = send_parts(l, f, id, &parts, err);
	if (rc == 0 && !is_draft)
		rc = keep_snapshot(db, id, parts, index, err);
	if (rc == 0 && !is_draft)
		rc = drop_entries(db, drop, err);
	fclose(f);
	return rc;
}

static int fetch_parts(struct sql_db *db, FILE *f, int64_t id, int64_t parts, struct err *err)
{
	int rc = 0;
	for (int64_t i = 0; i < parts && rc == 0; i++) {
		struct arena a = ARENA_INIT;
		struct sql_rows r;
		const struct sql_arg args[] = {SQL_INT(id), SQL_INT(i)};
		rc = run(db, "SELECT bytes FROM k3x_snapshot WHERE id = $1 AND part = $2", args, COUNT_OF(args), &a, &r,
		        err);
		if (rc == 0 && r.n_rows != 1)
			rc = err_set(err, ERR_UNAVAILABLE, "a newer snapshot has come while this one was read");
		if (rc == 0 && fwrite(sql_at(&r, 0, 0)->bytes.ptr, 1, sql_at(&r, 0, 0)->bytes.len, f) !=
		                       sql_at(&r, 0, 0)->bytes.len)
			rc = err_errno(err, errno, "write the snapshot");
		arena_release(&a);
	}
	return rc;
}

static int log_load_snapshot(struct shared_log *l, const char *path, int64_t *ret_index, struct err *err)
{
	struct sql_db *db = db_of(l);
	struct arena a = ARENA_INIT;
	struct sql_rows r;
	FILE *f = NULL;
	int rc = run(db, "SELECT snapshot_id, snapshot_parts, snapshot_index FROM k3x_meta WHERE id = 1", NULL, 0, &a,
	        &r, err);
	if (rc == 0 && (r.n_rows != 1 || !sql_at(&r, 0, 0)->number))
		rc = err_set(err, ERR_NOT_FOUND, "there is no snapshot in the datastore");
	if (rc == 0 && !(f = fopen(path, "we")))
		rc = err_errno(err, errno, "open %s", path);
	if (rc == 0)
		rc = fetch_parts(db, f, sql_at(&r, 0, 0)->number, sql_at(&r, 0, 1)->number, err);
	if (rc == 0 && (fflush(f) != 0 || fsync(fileno(f)) != 0))
		rc = err_errno(err, errno, "write %s", path);
	if (rc == 0)
		*ret_index = sql_at(&r, 0, 2)->number;
	if (f)
		fclose(f);
	arena_release(&a);
	return rc;
}

/* ---- */

static void log_free(struct shared_log *l)
{
	db_of(l)->v->free(db_of(l));
	free(CONTAINER_OF(l, struct sql_log, base));
}

#define SQL_LOG(kind) \
	{ \
		.name = (kind), .connect = log_connect, .disconnect = log_disconnect, .append = log_append, \
		.tell = log_tell, .head = log_head, .read = log_read, .fd = log_fd, .heard = log_heard, \
		.save_snapshot = log_save_snapshot, .count_parts = log_count_parts, \
		.load_snapshot = log_load_snapshot, .free = log_free \
	}

static const struct shared_log_vtable vtables[] = {SQL_LOG("postgres"), SQL_LOG("mysql")};

int sql_log_open(const struct dsn *dsn, const struct dsn_tls *tls, struct shared_log **ret, struct err *err)
{
	struct sql_db *db = NULL;
	CHECK(dsn->kind == DSN_POSTGRES || dsn->kind == DSN_MYSQL);
	int rc = dsn->kind == DSN_POSTGRES ? postgres_open(dsn, tls, &db, err) : mysql_open(dsn, tls, &db, err);
	if (rc != 0)
		return rc;
	struct sql_log *l = xcalloc(1, sizeof *l);
	l->base.v = &vtables[dsn->kind == DSN_MYSQL];
	l->db = db;
	*ret = &l->base;
	return 0;
}
