/* The state machine: transactions of the writer, puts and deletions, leases, compaction. See machine.h.
 *
 * Counters live in `meta` (the struct) while a transaction is open, are written once per commit, and fall back to the
 * committed ones on rollback. A command that is refused is found out before its first write (txn.c), so only a failing
 * disk makes a transaction roll back; the engine then tries the commands one by one.
 *
 * Compaction is recorded first, in a transaction like any other: from then on reads below it are refused. The rows go
 * later, in steps: the log is walked from where the last compaction ended, every row's predecessor is removed (it is
 * superseded at or before the compacted revision), and deletions older than the compacted revision are removed with
 * their key. Each row is looked at once in its life; where the walk stands is in `meta`, so a restart goes on. Rows of
 * the compacted revision itself are kept, deletions too, so that a watch may begin exactly there. The pages that become
 * free are used again; when they are a good part of the file, idle time is used to shorten it. */
#include "store/machine/machine.h"

#include "base/breakage.h"
#include "base/check.h"
#include "base/limits.h"
#include "store/machine/hash.h"
#include "store/machine/system.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHRINK_PAGES_MIN = 1024 };

int machine_open(struct machine *m, const char *path, struct err *err)
{
	*m = (struct machine){.rows_max = SUB_MAX, .answer_bytes_max = STORE_RANGE_BYTES_MAX};
	int rc = db_open(&m->db, path, DB_WRITER, err);
	if (rc != 0)
		return rc;
	rc = meta_load(&m->db, &m->meta, err);
	if (rc != 0) {
		db_close(&m->db);
		return rc;
	}
	m->committed = m->meta;
	return 0;
}

void machine_close(struct machine *m)
{
	machine_rollback(m);
	db_close(&m->db);
}

int machine_begin(struct machine *m, struct err *err)
{
	return db_run(&m->db, db_stmt(&m->db, DB_BEGIN_WRITE), err, "begin a write");
}

void machine_rollback(struct machine *m)
{
	db_rollback(&m->db);
	event_block_unref(m->block);
	m->block = NULL;
	m->meta = m->committed;
}

struct event_block *machine_take_events(struct machine *m)
{
	struct event_block *block = m->block;
	m->block = NULL;
	if (block)
		event_block_seal(block);
	return block;
}

/* Counters only go up, and none passes another. */
static void check_meta(const struct machine *m)
{
	const struct meta *now = &m->meta, *before = &m->committed;
	CHECK(now->revision >= before->revision && now->revision <= INT64_MAX >> SUB_BITS);
	CHECK(now->compacted >= before->compacted && now->compacted <= now->revision);
	CHECK(now->trimmed >= 0 && now->trimmed <= ROW_ID(now->compacted + 1));
	CHECK(now->applied_index >= before->applied_index && now->applied_term >= before->applied_term);
	CHECK(now->system_version >= before->system_version);
	CHECK(now->keys >= 0);
}

int machine_commit(struct machine *m, struct event_block **ret_block, struct err *err)
{
	int rc = 0;
	check_meta(m);
	if (memcmp(&m->meta, &m->committed, sizeof m->meta) != 0)
		rc = meta_save(&m->db, &m->meta, err);
	if (rc == 0)
		rc = db_run(&m->db, db_stmt(&m->db, DB_COMMIT), err, "commit");
	if (rc != 0) {
		machine_rollback(m);
		return rc;
	}
	m->committed = m->meta;
	*ret_block = machine_take_events(m);
	return 0;
}

/* ---- leases ---- */

static int lease_grant(struct machine *m, struct store_request *req, struct err *err)
{
	CHECK(req->lease.id != 0); /* the engine has chosen one */
	int rc = machine_lease_exists(&m->db, req->lease.id, err);
	if (rc < 0)
		return rc;
	if (rc == 1) {
		req->cause = STORE_CAUSE_LEASE_EXISTS;
		err_set(&req->err, ERR_EXISTS, "lease %" PRIx64 " exists", req->lease.id);
		return 0;
	}
	sqlite3_stmt *s = db_stmt(&m->db, DB_LEASE_ADD);
	sqlite3_bind_int64(s, 1, req->lease.id);
	sqlite3_bind_int64(s, 2, req->lease.ttl_s);
	req->lease.granted_ttl_s = req->lease.ttl_s;
	return db_run(&m->db, s, err, "write a lease");
}

/* The first key of a lease: 1, 0 when it has none, negative error. */
static int first_key_of(struct machine *m, int64_t lease, struct arena *a, struct slice *ret, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&m->db, DB_CUR_OF_LEASE);
	sqlite3_bind_int64(s, 1, lease);
	int rc = db_step(&m->db, s, err, "read the keys of a lease");
	if (rc < 0)
		return rc;
	if (rc == 1) {
		struct slice key = db_column_slice(s, 0);
		*ret = (struct slice){arena_memdup(a, key.ptr, key.len), key.len};
	}
	db_done(s);
	return rc;
}

/* One revision takes up to SUB_MAX rows. */
static int refuse_large_revoke(struct machine *m, struct store_request *req, struct err *err)
{
	if (m->meta.keys <= m->rows_max)
		return 0;
	sqlite3_stmt *s = db_stmt(&m->db, DB_CUR_COUNT_OF_LEASE);
	sqlite3_bind_int64(s, 1, req->lease.id);
	int rc = db_step(&m->db, s, err, "count the keys of a lease");
	if (rc < 0)
		return rc;
	int64_t n = sqlite3_column_int64(s, 0);
	db_done(s);
	if (n <= m->rows_max)
		return 0;
	req->cause = STORE_CAUSE_TOO_MANY_OPS;
	err_set(&req->err, ERR_TOO_BIG, "the lease has %" PRId64 " keys: delete some, or let it run out", n);
	return 0;
}

/* One key after the other leaves the index of the lease as it is deleted. An expiry takes so many and leaves the rest
 * to the next one. */
static int delete_keys_of(struct machine *m, struct store_request *req, struct err *err)
{
	bool is_expiry = req->revision_arg != 0;
	int64_t left = is_expiry ? STORE_EXPIRY_KEYS_MAX : m->rows_max;
	int rc = is_expiry ? 0 : refuse_large_revoke(m, req, err);
	if (rc != 0 || req->err.code)
		return rc;
	for (;;) {
		struct arena a = ARENA_INIT;
		struct slice key;
		rc = first_key_of(m, req->lease.id, &a, &key, err);
		req->lease.more = rc == 1 && left == 0;
		if (rc == 1 && left-- > 0)
			rc = machine_delete_key(m, key, err) == 0 ? 1 : err->code;
		arena_release(&a);
		if (rc <= 0 || req->lease.more)
			return rc < 0 ? rc : 0;
		if (m->counters)
			m->counters->deletes++;
	}
}

static int lease_revoke(struct machine *m, struct store_request *req, struct err *err)
{
	int rc = machine_lease_exists(&m->db, req->lease.id, err);
	if (rc < 0)
		return rc;
	if (rc == 0) {
		req->cause = STORE_CAUSE_LEASE_NOT_FOUND;
		err_set(&req->err, ERR_NOT_FOUND, "lease %" PRIx64 " not found", req->lease.id);
		return 0;
	}
	if (!breakage_is(BREAK_LOSE_REVOKE))
		rc = delete_keys_of(m, req, err);
	if (rc < 0 || req->err.code || req->lease.more)
		return rc < 0 ? rc : 0;
	sqlite3_stmt *s = db_stmt(&m->db, DB_LEASE_DROP);
	sqlite3_bind_int64(s, 1, req->lease.id);
	return db_run(&m->db, s, err, "remove a lease");
}

/* ---- compaction ---- */

static int compact(struct machine *m, struct store_request *req)
{
	if (req->revision_arg > m->meta.revision)
		err_set(&req->err, ERR_FUTURE_REVISION, "compact at %" PRId64 ": the store is at %" PRId64,
		        req->revision_arg, m->meta.revision);
	else if (req->revision_arg <= m->meta.compacted)
		err_set(&req->err, ERR_COMPACTED, "compact at %" PRId64 ": it is compacted at %" PRId64 " already",
		        req->revision_arg, m->meta.compacted);
	else
		m->meta.compacted = req->revision_arg;
	return 0;
}

bool machine_trim_pending(const struct machine *m)
{
	return m->meta.trimmed != ROW_ID(m->meta.compacted);
}

struct trim_row {
	int64_t id, prev;
	bool is_old_deletion;
	struct slice key;
};

static int trim_read(struct machine *m, struct trim_row *rows, int max, struct arena *a, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&m->db, DB_REV_TRIM);
	sqlite3_bind_int64(s, 1, m->meta.trimmed);
	sqlite3_bind_int64(s, 2, ROW_ID(m->meta.compacted + 1));
	sqlite3_bind_int64(s, 3, max);
	int n = 0, rc;
	while ((rc = db_step(&m->db, s, err, "compact")) == 1) {
		struct trim_row *r = &rows[n++];
		*r = (struct trim_row){.id = sqlite3_column_int64(s, 0), .prev = sqlite3_column_int64(s, 2)};
		r->is_old_deletion = sqlite3_column_int64(s, 3) == 0 && ROW_REVISION(r->id) < m->meta.compacted;
		if (!r->is_old_deletion)
			continue;
		r->key = db_column_slice(s, 1);
		r->key.ptr = arena_memdup(a, r->key.ptr, r->key.len);
	}
	if (rc < 0)
		return rc;
	db_done(s);
	return n;
}

static int drop_row(struct machine *m, int64_t id, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&m->db, DB_REV_DROP);
	sqlite3_bind_int64(s, 1, id);
	return db_run(&m->db, s, err, "compact");
}

static int trim_one(struct machine *m, const struct trim_row *r, struct err *err)
{
	int rc = r->prev ? drop_row(m, r->prev, err) : 0;
	if (rc != 0 || !r->is_old_deletion)
		return rc;
	rc = drop_row(m, r->id, err);
	if (rc != 0)
		return rc;
	sqlite3_stmt *s = db_stmt(&m->db, DB_CUR_DROP); /* only if the key was not written again since */
	db_bind_slice(s, 1, r->key);
	sqlite3_bind_int64(s, 2, r->id);
	return db_run(&m->db, s, err, "compact");
}

int machine_trim(struct machine *m, int max, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct trim_row *rows = arena_alloc(&a, sizeof *rows * (size_t)max);
	int n = trim_read(m, rows, max, &a, err);
	int rc = n < 0 ? n : 0;
	for (int i = 0; i < n && rc == 0; i++)
		rc = trim_one(m, &rows[i], err);
	if (rc == 0)
		m->meta.trimmed = n < max ? ROW_ID(m->meta.compacted) : rows[n - 1].id + 1;
	arena_release(&a);
	return rc;
}

/* Begins when a quarter of the file is free and ends at an eighth, so that a store of steady size leaves it alone. */
int machine_shrink(struct machine *m, struct err *err)
{
	int64_t pages = db_pragma_int(&m->db, "page_count");
	int64_t free_pages = db_pragma_int(&m->db, "freelist_count");
	if (m->is_defragmenting)
		m->is_shrinking = m->is_defragmenting = free_pages > 0;
	else if (!m->is_shrinking)
		m->is_shrinking = free_pages > SHRINK_PAGES_MIN && free_pages * 4 > pages;
	else if (free_pages * 8 <= pages)
		m->is_shrinking = false;
	if (!m->is_shrinking)
		return 0;
	int rc = sqlite3_exec(m->db.handle, "PRAGMA incremental_vacuum(64)", NULL, NULL, NULL);
	return rc == SQLITE_OK ? 1 : db_fail(&m->db, rc, err, "shrink the file");
}

/* ---- commands ---- */

static int apply_op(struct machine *m, struct store_request *req, struct err *err)
{
	struct txn_context t = {.m = m, .db = &m->db, .meta = &m->meta, .arena = &req->answer, .counters = m->counters};
	struct err e = ERR_INIT;
	int rc = txn_run(&t, &req->op, &req->result, &e);
	if (rc == 0)
		return 0;
	if (!t.refused) {
		*err = e;
		return rc;
	}
	req->err = e;
	req->cause = t.cause;
	return 0;
}

/* Both in order of keys: *at is where the search goes on. */
static bool is_within(const struct store_intervals *set, size_t *at, struct slice key)
{
	while (*at < set->n && set->list[*at].end.len && slice_cmp(set->list[*at].end, key) <= 0)
		++*at;
	return *at < set->n && slice_cmp(set->list[*at].begin, key) <= 0;
}

/* Who puts a key under a lease, or ends it, must be allowed to write all of its keys (etcd, apply_auth.go). Looked at
 * here, where no key can come under the lease between the look and the deed. */
static int check_lease_keys(struct machine *m, struct store_request *req, struct err *err)
{
	bool is_put = req->type == STORE_REQUEST_OP && req->op.type == STORE_OP_PUT;
	bool is_allowed = true;
	size_t at = 0;
	int rc;
	if (!req->lease_keys_within || (!is_put && req->type != STORE_REQUEST_LEASE_REVOKE))
		return 0;
	sqlite3_stmt *s = db_stmt(&m->db, DB_CUR_OF_LEASE);
	sqlite3_bind_int64(s, 1, is_put ? req->op.put.lease : req->lease.id);
	while (is_allowed && (rc = db_step(&m->db, s, err, "read the keys of a lease")) != 0) {
		if (rc < 0)
			return rc;
		is_allowed = is_within(req->lease_keys_within, &at, db_column_slice(s, 0));
	}
	db_done(s);
	if (!is_allowed) {
		req->cause = STORE_CAUSE_LEASE_KEYS;
		err_set(&req->err, ERR_FORBIDDEN, "the lease has keys that may not be written");
	}
	return 0;
}

/* What can go wrong once a command is accepted: the disk is full, or what is on it is broken. */
static bool err_is_storage(int rc)
{
	return rc == ERR_NO_SPACE || rc == ERR_CORRUPT || rc == ERR_IO || rc == ERR_BUSY || rc == ERR_NOMEM;
}

int machine_apply(struct machine *m, struct store_request *req, struct err *err)
{
	m->writing = false;
	int rc = system_expected(&m->meta, req) ? check_lease_keys(m, req, err) : 0;
	if (rc != 0 || req->err.code) {
		req->revision = m->meta.revision;
		return rc;
	}
	switch (req->type) {
	case STORE_REQUEST_OP:
		rc = apply_op(m, req, err);
		break;
	case STORE_REQUEST_COMPACT:
		rc = compact(m, req);
		break;
	case STORE_REQUEST_LEASE_GRANT:
		rc = lease_grant(m, req, err);
		break;
	case STORE_REQUEST_LEASE_REVOKE:
		rc = lease_revoke(m, req, err);
		break;
	case STORE_REQUEST_SYSTEM:
		rc = system_apply(m, req, err);
		break;
	case STORE_REQUEST_DEFRAGMENT:
		break; /* no change of the state: see engine_core_answer() */
	default:
		CHECK(!"not a command");
	}
	req->revision = m->meta.revision;
	req->compacted_revision = req->err.code == ERR_COMPACTED ? m->meta.compacted : 0;
	/* What a client sent is refused before anything of it is written, and then it is in req->err. */
	CHECK(rc == 0 || err_is_storage(rc));
	CHECK(req->err.code == 0 || !m->writing);
	if (rc == ERR_CORRUPT)
		db_stop_corrupt(err);
	return rc;
}
