/* Reading: on the caller's thread when memory has the answer, else by the reader threads: ranges, read-only
 * transactions, what is known about leases, hashes, copies, and watches that are caught up from the log.
 *
 * Each reader has a connection of its own and sees memory and database as one (view.c). A read takes its view after it
 * was taken from the queue, so it sees every write that was answered before it was submitted.
 *
 * A thread takes a share of what waits, and what goes through all of the store alone. A read transaction holds back the
 * write-ahead log: so a share that takes long goes on in another one. A copy of the database is made after a flush, so
 * that all that was told is in it. */
#include "store/engine/core_int.h"

#include "base/check.h"
#include "base/histogram.h"
#include "store/machine/hash.h"
#include "store/machine/system.h"
#include "store/snapshot/snapshot_reader.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHARE_MAX = 64, TRANSACTION_MS_MAX = 2, LEASE_KEYS_PER_STEP = 256 };

/* Goes through all there is: nobody is to wait behind it who could be served by another reader. */
static bool is_long(const struct store_request *req)
{
	return req->type == STORE_REQUEST_HASH || (int)req->type == STORE_REQUEST_COPY_;
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
	CHECK(first || q->stopping);
	pthread_mutex_unlock(&q->lock);
	return first;
}

static void read_op(struct reader *r, struct store_view *v, struct store_request *req)
{
	struct txn_context t = {.view = v, .meta = &v->meta, .arena = &req->answer, .counters = &r->core->operations};
	if (!system_expected(&v->meta, req))
		return;
	if (txn_run(&t, &req->op, &req->result, &req->err) != 0)
		req->cause = t.cause;
	req->compacted_revision = req->err.code == ERR_COMPACTED ? v->meta.compacted : 0;
}

static void lease_missing(struct store_request *req)
{
	req->cause = STORE_CAUSE_LEASE_NOT_FOUND;
	err_set(&req->err, ERR_NOT_FOUND, "lease %" PRIx64 " not found", req->lease.id);
}

static void read_lease_keys(struct store_view *v, struct store_request *req)
{
	struct slice step[LEASE_KEYS_PER_STEP], after = SLICE_NULL, *keys = NULL;
	size_t cap = 0;
	int n;
	do {
		n = lease_keys(v, req->lease.id, after, step, LEASE_KEYS_PER_STEP, &req->answer, &req->err);
		CHECK(n <= LEASE_KEYS_PER_STEP);
		if (n > 0 && req->lease.n_keys + (size_t)n > cap)
			keys = xrealloc(keys, (cap = 2 * cap + (size_t)n) * sizeof *keys);
		for (int i = 0; i < n; i++)
			keys[req->lease.n_keys++] = after = step[i];
	} while (n == LEASE_KEYS_PER_STEP);
	req->lease.keys = NULL;
	if (req->lease.n_keys)
		req->lease.keys = (struct slice *)arena_memdup(&req->answer, keys, req->lease.n_keys * sizeof *keys);
	free(keys);
}

static void read_lease(struct reader *r, struct store_view *v, struct store_request *req)
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
			read_lease_keys(v, req);
	} else {
		CHECK(req->type == STORE_REQUEST_LEASE_LIST);
		int64_t *ids = lessor_list(l, &a->n_ids);
		a->ids = (int64_t *)arena_memdup(&req->answer, ids, a->n_ids * sizeof *ids);
		free(ids);
	}
}

static void read_hash(struct store_view *v, struct store_request *req)
{
	hash_versions(v, req->revision_arg, req->hash_leases, &req->hash, &req->err);
	req->compacted_revision = v->meta.compacted;
}

/* Of the database alone: who asks has had it flushed. */
static void backup_rotten(void *arg)
{
	struct engine_core *c = arg;
	rot_note(&c->rot, c->path, "a snapshot met a page that is not what was written");
}

/* It has a connection and a transaction of its own, which began later than this reader's. */
static struct snapshot_reader *open_snapshot(struct reader *r, const char *note, struct store_request *req)
{
	struct snapshot_reader_options o = {
	        .path = r->core->path, .note = note, .rotten = backup_rotten, .arg = r->core};
	struct snapshot_reader *s;
	if (snapshot_reader_open(&o, &s, &req->err) != 0)
		return NULL;
	req->revision = snapshot_reader_revision(s);
	return s;
}

static void read_copy(struct reader *r, struct store_request *req)
{
	struct snapshot_reader *s = open_snapshot(r, NULL, req);
	if (!s)
		return;
	req->revision_arg = snapshot_reader_applied_index(s);
	snapshot_reader_save(s, req->path, &req->err);
	snapshot_reader_close(s);
}

static void read_one(struct reader *r, struct store_view *v, struct store_request *req)
{
	if ((int)req->type == STORE_REQUEST_WATCH_CATCH_UP_) {
		watch_catch_up(req, v, NULL);
		return;
	}
	CHECK(v->meta.compacted <= v->meta.revision);
	req->revision = v->meta.revision;
	if (req->err.code == 0 && req->type == STORE_REQUEST_OP)
		read_op(r, v, req);
	else if (req->err.code == 0 && req->type == STORE_REQUEST_SYSTEM_READ)
		system_read(v, req);
	else if (req->err.code == 0 && req->type == STORE_REQUEST_HASH)
		read_hash(v, req);
	else if (req->err.code == 0 && req->type == STORE_REQUEST_BACKUP)
		req->snapshot = open_snapshot(r, req->note ? req->note : "", req);
	else if (req->err.code == 0 && (int)req->type == STORE_REQUEST_LEASE_KEYS_)
		read_lease_keys(v, req);
	else if (req->err.code == 0 && (int)req->type == STORE_REQUEST_COPY_)
		read_copy(r, req);
	else if (req->err.code == 0 && req->type != STORE_REQUEST_BARRIER)
		read_lease(r, v, req);
	engine_complete(req);
}

static void fail_one(struct store_request *req, const struct err *err)
{
	if ((int)req->type == STORE_REQUEST_WATCH_CATCH_UP_) {
		watch_catch_up(req, NULL, err);
		return;
	}
	if (req->err.code == 0)
		req->err = *err;
	engine_complete(req);
}

/* What a read came across is not only its own affair. */
static void note_rot(struct reader *r)
{
	if (!r->db.is_rotten)
		return;
	r->db.is_rotten = false;
	rot_note(&r->core->rot, r->core->path, "a read met a page that is not what was written");
}

static int begin_read(struct reader *r, struct store_view *v, uint64_t *ret_ns, struct err *err)
{
	*ret_ns = histogram_now_ns();
	return store_view_open(v, &r->core->machine.table, &r->db, err);
}

static void read_share(struct reader *r, struct store_request *req)
{
	struct err err = ERR_INIT;
	struct store_view v;
	uint64_t begun_ns;
	pthread_rwlock_rdlock(&r->core->swap);
	CHECK(r->db.handle != NULL); /* it is opened anew before the lock is given back */
	int rc = begin_read(r, &v, &begun_ns, &err);
	for (struct store_request *next; req; req = next) {
		next = req->next;
		if (rc == 0 && histogram_now_ns() - begun_ns > TRANSACTION_MS_MAX * UINT64_C(1000000)) {
			store_view_close(&v);
			rc = begin_read(r, &v, &begun_ns, &err);
		}
		if (rc == 0)
			read_one(r, &v, req);
		else
			fail_one(req, &err);
	}
	store_view_close(&v);
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

/* ---- without a reader ---- */

bool engine_core_read_in_memory(struct engine_core *c, struct store_request *req)
{
	struct store_view v = {0};
	bool is_answered = false;
	if (req->type != STORE_REQUEST_OP || req->op.type != STORE_OP_RANGE || req->op.range.keys.end.len)
		return false;
	mem_view_open(&v.mem, &c->machine.table);
	v.meta = v.mem.meta;
	if (system_expected(&v.meta, req))
		is_answered = range_eval_in_memory(&v, &req->op.range, &req->result, &req->answer);
	if (is_answered)
		atomic_fetch_add_explicit(&c->operations.ranges, 1, memory_order_relaxed);
	req->revision = v.meta.revision;
	mem_view_close(&v.mem);
	return is_answered || req->err.code;
}

void engine_core_read_flushed(struct engine_core *c, struct store_request *req)
{
	flusher_then(&c->flusher, req);
}
