/* The state machine: batches, leases, compaction, commands. See machine.h.
 *
 * A command that is refused is found out before its first write (txn.c); once it writes, it goes through: what it adds
 * lies in memory, and a database that does not read stops the process, whose log and database are as they were. So
 * apply has no errors but what it answers.
 *
 * Compaction is a number that changes here, and work that is done when the memory table is flushed (flush.c) and after
 * it (compaction.c). */
#include "store/machine/machine.h"

#include "base/breakage.h"
#include "base/check.h"
#include "base/limits.h"
#include "store/machine/hash.h"
#include "store/machine/system.h"

#include <inttypes.h>
#include <stdlib.h>

/* Keys of a lease that are deleted in one step. */
enum { REVOKE_KEYS_PER_STEP = 256 };

static int open_both(struct machine *m, const char *path, struct err *err)
{
	int rc = db_open(&m->tables, path, DB_WRITER, err);
	if (rc != 0)
		return rc;
	rc = meta_load(&m->tables, &m->base, err);
	if (rc == 0)
		rc = system_load_hold(m, err);
	if (rc == 0)
		rc = db_open(&m->db, path, DB_APPLIER, err);
	if (rc != 0)
		db_close(&m->tables);
	m->meta = m->base;
	return rc;
}

int machine_open(struct machine *m, const char *path, struct err *err)
{
	*m = (struct machine){.rows_max = SUB_MAX, .answer_bytes_max = STORE_RANGE_BYTES_MAX};
	int rc = open_both(m, path, err);
	if (rc == 0)
		mem_table_init(&m->table, &m->base);
	return rc;
}

int machine_attach(struct machine *m, const char *path, struct err *err)
{
	int rc = open_both(m, path, err);
	if (rc == 0)
		mem_table_reset(&m->table, &m->base);
	return rc;
}

void machine_detach(struct machine *m)
{
	CHECK(!m->is_open);
	recent_rows_release(&m->recent);
	db_close(&m->db);
	db_close(&m->tables);
}

void machine_close(struct machine *m)
{
	if (m->is_open)
		store_view_close(&m->view);
	m->is_open = false;
	event_block_unref(m->block);
	mem_table_release(&m->table);
	machine_detach(m);
}

void machine_begin(struct machine *m)
{
	CHECK(!m->is_open);
	m->is_open = true;
	store_view_begin(&m->view, &m->table, &m->db, &m->recent);
}

struct event_block *machine_publish(struct machine *m)
{
	CHECK(m->is_open);
	m->is_open = false;
	store_view_close(&m->view);
	struct event_block *block = TAKE(m->block);
	if (block)
		event_block_seal(block);
	mem_table_publish(&m->table, &m->meta, m->change);
	return block;
}

/* A read of the database that failed: who applies can't go on without it. */
static void must(int rc, const struct err *err)
{
	if (rc < 0)
		db_stop_corrupt(err);
}

/* ---- leases ---- */

static int lease_grant(struct machine *m, struct store_request *req, struct err *err)
{
	CHECK(req->lease.id != 0); /* the engine has chosen one */
	int rc = lease_exists(&m->view, req->lease.id, err);
	if (rc < 0)
		return rc;
	if (rc == 1) {
		req->cause = STORE_CAUSE_LEASE_EXISTS;
		err_set(&req->err, ERR_EXISTS, "lease %" PRIx64 " exists", req->lease.id);
		return 0;
	}
	req->lease.granted_ttl_s = req->lease.ttl_s;
	machine_set_lease(m, req->lease.id, req->lease.ttl_s);
	return 0;
}

/* Calls back with the keys of a lease, step by step and in order, until it says to stop. The state may change
 * meanwhile. */
static int each_key_of(
        struct machine *m, int64_t lease, bool (*each)(void *arg, struct slice key), void *arg, struct err *err)
{
	struct slice keys[REVOKE_KEYS_PER_STEP], after = SLICE_NULL;
	struct arena step[2] = {ARENA_INIT, ARENA_INIT}; /* the last key of one is where the other begins */
	int n = REVOKE_KEYS_PER_STEP;
	bool more = true;
	for (unsigned i = 0; more && n == REVOKE_KEYS_PER_STEP; i ^= 1) {
		arena_release(&step[i]);
		n = lease_keys(&m->view, lease, after, keys, REVOKE_KEYS_PER_STEP, &step[i], err);
		for (int k = 0; k < n && more; k++)
			more = each(arg, keys[k]);
		if (n > 0)
			after = keys[n - 1];
	}
	arena_release(&step[0]);
	arena_release(&step[1]);
	return n < 0 ? n : 0;
}

struct count {
	int64_t n, max;
};

static bool count_key(void *arg, struct slice key)
{
	struct count *c = arg;
	return ++c->n <= c->max;
}

/* One revision takes up to SUB_MAX rows. */
static int refuse_large_revoke(struct machine *m, struct store_request *req, struct err *err)
{
	struct count c = {0, m->rows_max};
	int rc = m->meta.keys <= m->rows_max ? 0 : each_key_of(m, req->lease.id, count_key, &c, err);
	if (rc != 0 || c.n <= m->rows_max)
		return rc;
	req->cause = STORE_CAUSE_TOO_MANY_OPS;
	err_set(&req->err, ERR_TOO_BIG, "the lease has more than %" PRId64 " keys: delete some, or let it run out",
	        m->rows_max);
	return 0;
}

struct revoke {
	struct machine *m;
	struct store_request *req;
	int64_t left;
};

static bool revoke_key(void *arg, struct slice key)
{
	struct revoke *r = arg;
	struct err err = ERR_INIT;
	r->req->lease.more = r->left == 0;
	if (r->left-- == 0)
		return false;
	must(machine_delete_key(r->m, key, &err), &err);
	if (r->m->counters)
		r->m->counters->deletes++;
	return true;
}

/* An expiry takes so many keys and leaves the rest to the next one. */
static int delete_keys_of(struct machine *m, struct store_request *req, struct err *err)
{
	bool is_expiry = req->revision_arg != 0;
	struct revoke r = {m, req, is_expiry ? STORE_EXPIRY_KEYS_MAX : m->rows_max};
	int rc = is_expiry ? 0 : refuse_large_revoke(m, req, err);
	if (rc != 0 || req->err.code)
		return rc;
	return each_key_of(m, req->lease.id, revoke_key, &r, err);
}

static int lease_revoke(struct machine *m, struct store_request *req, struct err *err)
{
	int rc = lease_exists(&m->view, req->lease.id, err);
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
	machine_set_lease(m, req->lease.id, 0);
	system_lease_gone(m, req->lease.id);
	return 0;
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

/* ---- commands ---- */

static int apply_op(struct machine *m, struct store_request *req, struct err *err)
{
	struct txn_context t = {
	        .m = m, .view = &m->view, .meta = &m->meta, .arena = &req->answer, .counters = m->counters};
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

struct lease_judge {
	const struct store_intervals *set;
	size_t at;
	bool is_allowed;
};

static bool judge_key(void *arg, struct slice key)
{
	struct lease_judge *j = arg;
	return j->is_allowed = is_within(j->set, &j->at, key);
}

/* Who puts a key under a lease, or ends it, must be allowed to write all of its keys (etcd, apply_auth.go). Looked at
 * here, where no key can come under the lease between the look and the deed. */
static int check_lease_keys(struct machine *m, struct store_request *req, struct err *err)
{
	bool is_put = req->type == STORE_REQUEST_OP && req->op.type == STORE_OP_PUT;
	if (!req->lease_keys_within || (!is_put && req->type != STORE_REQUEST_LEASE_REVOKE))
		return 0;
	struct lease_judge j = {.set = req->lease_keys_within, .is_allowed = true};
	int rc = each_key_of(m, is_put ? req->op.put.lease : req->lease.id, judge_key, &j, err);
	if (rc != 0)
		return rc;
	if (!j.is_allowed) {
		req->cause = STORE_CAUSE_LEASE_KEYS;
		err_set(&req->err, ERR_FORBIDDEN, "the lease has keys that may not be written");
	}
	return 0;
}

static int carry_out(struct machine *m, struct store_request *req, struct err *err)
{
	switch (req->type) {
	case STORE_REQUEST_OP:
		return apply_op(m, req, err);
	case STORE_REQUEST_COMPACT:
		return compact(m, req);
	case STORE_REQUEST_LEASE_GRANT:
		return lease_grant(m, req, err);
	case STORE_REQUEST_LEASE_REVOKE:
		return lease_revoke(m, req, err);
	case STORE_REQUEST_SYSTEM:
		return system_apply(m, req, err);
	default:
		CHECK(!"not a command");
		return 0;
	}
}

void machine_apply(struct machine *m, struct store_request *req)
{
	struct err err = ERR_INIT;
	CHECK(m->is_open);
	m->writing = false;
	if (!system_holds_back(m, req) && system_expected(&m->meta, req)) {
		must(check_lease_keys(m, req, &err), &err);
		if (!req->err.code)
			must(carry_out(m, req, &err), &err);
	}
	req->revision = m->meta.revision;
	req->compacted_revision = req->err.code == ERR_COMPACTED ? m->meta.compacted : 0;
	/* What a client sent is refused before anything of it is written. */
	CHECK(req->err.code == 0 || !m->writing);
}
