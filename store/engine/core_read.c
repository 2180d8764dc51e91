/* The reader threads: ranges, read-only transactions, what is known about leases, and watches that
 * are caught up from the log. Each has a connection of its own and sees commits only. A read begins its transaction
 * after it was taken from the queue, so it sees every write that was answered before it was submitted.
 *
 * A thread takes a share of what waits, and what goes through all of the store alone. It has what was told committed
 * first, which writes pages: so a share is large. A read transaction holds back the write-ahead log: so a share that
 * takes long goes on in another one. */
#include "store/engine/core_int.h"

#include "base/check.h"
#include "base/histogram.h"
#include "store/machine/hash.h"
#include "store/machine/system.h"
#include "store/snapshot/snapshot_write.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHARE_MAX = 64, TRANSACTION_MS_MAX = 2 };

/* Goes through all there is: nobody is to wait behind it who could be served by another reader. */
static bool is_long(const struct store_request *req)
{
	return req->type == STORE_REQUEST_BACKUP || req->type == STORE_REQUEST_HASH ||
	       (int)req->type == STORE_REQUEST_COPY_;
}

/* Some requests, so that the other readers get theirs; NULL when the queue is empty and stopping. */
static struct store_request *take_share(struct request_queue *q, unsigned readers)
{
	pthread_mutex_lock(&q->lock);
	request_queue_wait(q);
	unsigned share = (q->n + readers - 1) / readers;
	struct store_request *first = NULL, **end = &first;
	for (unsigned n = 0; n < share && n < SHARE_MAX && !(n && is_long(q->head)); n++, end = &(*end)->next) {
		*end = request_queue_pop(q);
		if (!*end || is_long(*end))
			break;
	}
	pthread_mutex_unlock(&q->lock);
	return first;
}

static void read_op(struct reader *r, const struct meta *meta, struct store_request *req)
{
	struct txn_context t = {.db = &r->db, .meta = meta, .arena = &req->answer, .counters = &r->core->operations};
	if (!system_expected(meta, req))
		return;
	if (txn_run(&t, &req->op, &req->result, &req->err) != 0)
		req->cause = t.cause;
	req->compacted_revision = req->err.code == ERR_COMPACTED ? meta->compacted : 0;
}

static void lease_missing(struct store_request *req)
{
	req->cause = STORE_CAUSE_LEASE_NOT_FOUND;
	err_set(&req->err, ERR_NOT_FOUND, "lease %" PRIx64 " not found", req->lease.id);
}

static void lease_keys(struct reader *r, struct store_request *req)
{
	sqlite3_stmt *s = db_stmt(&r->db, DB_CUR_OF_LEASE);
	size_t cap = 0;
	struct slice *keys = NULL;
	int rc;
	sqlite3_bind_int64(s, 1, req->lease.id);
	while ((rc = db_step(&r->db, s, &req->err, "read the keys of a lease")) == 1) {
		if (req->lease.n_keys == cap)
			keys = xrealloc(keys, (cap = cap ? cap * 2 : 16) * sizeof *keys);
		struct slice key = db_column_slice(s, 0);
		key.ptr = arena_memdup(&req->answer, key.ptr, key.len);
		keys[req->lease.n_keys++] = key;
	}
	db_done(s);
	req->lease.keys = NULL;
	if (req->lease.n_keys)
		req->lease.keys = (struct slice *)arena_memdup(&req->answer, keys, req->lease.n_keys * sizeof *keys);
	free(keys);
}

static void read_lease(struct reader *r, struct store_request *req)
{
	struct lessor *l = &r->core->lessor;
	struct store_lease_args *a = &req->lease;
	if (req->type == STORE_REQUEST_LEASE_KEEPALIVE) {
		if (!lessor_keep_alive(l, a->id, &a->ttl_s))
			lease_missing(req);
		a->granted_ttl_s = a->ttl_s;
	} else if (req->type == STORE_REQUEST_LEASE_TTL) {
		a->n_keys = 0;
		if (!lessor_ttl(l, a->id, &a->ttl_s, &a->granted_ttl_s))
			lease_missing(req);
		else if (a->want_keys)
			lease_keys(r, req);
	} else {
		int64_t *ids = lessor_list(l, &a->n_ids);
		a->ids = (int64_t *)arena_memdup(&req->answer, ids, a->n_ids * sizeof *ids);
		free(ids);
	}
}

static void read_hash(struct reader *r, const struct meta *meta, struct store_request *req)
{
	hash_versions(&r->db, meta, req->revision_arg, req->hash_leases, &req->hash, &req->err);
	req->compacted_revision = meta->compacted;
}

static void read_copy(struct reader *r, const struct meta *meta, struct store_request *req)
{
	req->revision_arg = meta->applied_index;
	snapshot_copy(&r->db, req->path, &req->err);
}

static void read_one(struct reader *r, const struct meta *meta, struct store_request *req)
{
	if ((int)req->type == STORE_REQUEST_WATCH_CATCH_UP_) {
		watch_catch_up(req, &r->db, meta, NULL);
		return;
	}
	req->revision = meta->revision;
	if (req->err.code == 0 && req->type == STORE_REQUEST_OP)
		read_op(r, meta, req);
	else if (req->err.code == 0 && req->type == STORE_REQUEST_SYSTEM_READ)
		system_read(&r->db, meta, req);
	else if (req->err.code == 0 && req->type == STORE_REQUEST_HASH)
		read_hash(r, meta, req);
	else if (req->err.code == 0 && req->type == STORE_REQUEST_BACKUP)
		snapshot_write(&r->db, req->path, req->note ? req->note : "", req->sha256, &req->err);
	else if (req->err.code == 0 && (int)req->type == STORE_REQUEST_LEASE_KEYS_)
		lease_keys(r, req);
	else if (req->err.code == 0 && (int)req->type == STORE_REQUEST_COPY_)
		read_copy(r, meta, req);
	else if (req->err.code == 0 && req->type != STORE_REQUEST_BARRIER)
		read_lease(r, req);
	engine_complete(req);
}

static void fail_one(struct store_request *req, const struct err *err)
{
	if ((int)req->type == STORE_REQUEST_WATCH_CATCH_UP_) {
		watch_catch_up(req, NULL, NULL, err);
		return;
	}
	if (req->err.code == 0)
		req->err = *err;
	engine_complete(req);
}

/* A keep-alive asks the lessor, who knows of more than is committed. */
static bool may_be_behind(const struct store_request *req)
{
	return req->type == STORE_REQUEST_LEASE_KEEPALIVE || (int)req->type == STORE_REQUEST_WATCH_CATCH_UP_ ||
	       req->type == STORE_REQUEST_HASH || (req->type == STORE_REQUEST_OP && txn_may_be_behind(&req->op));
}

static int begin_read(struct reader *r, struct meta *meta, uint64_t *ret_ns, struct err *err)
{
	*ret_ns = histogram_now_ns();
	int rc = db_begin_read(&r->db, err);
	return rc == 0 ? meta_load(&r->db, meta, err) : rc;
}

/* What a read came across is not only its own affair. */
static void note_rot(struct reader *r)
{
	if (!r->db.is_rotten)
		return;
	r->db.is_rotten = false;
	rot_note(&r->core->rot, r->core->path, "a read met a page that is not what was written");
}

static void read_share(struct reader *r, struct store_request *req)
{
	struct err err = ERR_INIT, behind = ERR_INIT;
	uint64_t begun_ns;
	err_set(&behind, ERR_NO_SPACE, "the disk is full: what was written last can't be read before there is room");
	struct meta meta;
	bool is_current = engine_core_await_commit(r->core);
	pthread_rwlock_rdlock(&r->core->swap);
	int rc = begin_read(r, &meta, &begun_ns, &err);
	for (struct store_request *next; req; req = next) {
		next = req->next;
		if (rc == 0 && histogram_now_ns() - begun_ns > TRANSACTION_MS_MAX * UINT64_C(1000000)) {
			db_end_read(&r->db);
			rc = begin_read(r, &meta, &begun_ns, &err);
		}
		if (rc != 0)
			fail_one(req, &err);
		else if (!is_current && !may_be_behind(req))
			fail_one(req, &behind);
		else
			read_one(r, &meta, req);
	}
	db_end_read(&r->db);
	note_rot(r);
	pthread_rwlock_unlock(&r->core->swap);
}

void *engine_core_reader_main(void *arg)
{
	struct reader *r = arg;
	struct store_request *share;
	pthread_setname_np(pthread_self(), "store-reader");
	while ((share = take_share(&r->core->reads, r->core->n_readers)))
		read_share(r, share);
	return NULL;
}
