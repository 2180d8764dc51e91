/* What the writing thread of any engine does around the state machine: commits, answers, and the chores of compaction.
 * What compaction frees is removed in small steps: with other work, a few rows in the same transaction; without, in
 * transactions of its own that need no sync, until a request comes. */
#include "store/engine/core_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

static void publish(struct engine_core *c, struct event_block *block, const struct meta *m)
{
	atomic_store(&c->keys, m->keys);
	atomic_store(&c->compacted, m->compacted);
	watch_hub_publish(&c->hub, block, m);
	atomic_store(&c->system_version, m->system_version);
	atomic_store(&c->applied_index, m->applied_index);
	atomic_store(&c->revision, m->revision);
}

static int commit(struct engine_core *c, struct event_block **ret_block, struct err *err)
{
	uint64_t begun = histogram_now_ns();
	int rc = machine_commit(&c->machine, ret_block, err);
	if (rc == 0)
		histogram_observe_since(&c->commit_times, begun);
	return rc;
}

int engine_core_commit(struct engine_core *c, struct err *err)
{
	struct event_block *block = NULL;
	int rc = commit(c, &block, err);
	if (rc != 0)
		return rc;
	c->machine.collect_prev = atomic_load(&c->hub.prev_watches) > 0;
	atomic_store(&c->used_bytes, db_used_bytes(&c->machine.db));
	atomic_store(&c->committed_index, c->machine.committed.applied_index);
	publish(c, block, &c->machine.committed);
	watch_hub_committed(&c->hub, c->machine.committed.revision);
	return 0;
}

void engine_core_tell(struct engine_core *c)
{
	atomic_store(&c->commits.is_dirty, true);
	publish(c, machine_take_events(&c->machine), &c->machine.meta);
	c->machine.collect_prev = atomic_load(&c->hub.prev_watches) > 0;
}

/* Wakes those who wait for a commit: it is there, or it can't be had. */
static void open_commit_gate(struct engine_core *c, bool is_stuck)
{
	struct commit_gate *g = &c->commits;
	pthread_mutex_lock(&g->lock);
	g->count++;
	g->is_stuck = is_stuck;
	atomic_store(&g->is_wanted, false);
	if (!is_stuck)
		atomic_store(&g->is_dirty, false);
	pthread_cond_broadcast(&g->wake);
	pthread_mutex_unlock(&g->lock);
}

int engine_core_commit_told(struct engine_core *c, struct err *err)
{
	struct event_block *block = NULL;
	int rc = commit(c, &block, err);
	if (rc != 0)
		return rc;
	event_block_unref(block); /* of commands that were applied again: told before */
	atomic_store(&c->used_bytes, db_used_bytes(&c->machine.db));
	atomic_store(&c->committed_index, c->machine.committed.applied_index);
	open_commit_gate(c, false);
	watch_hub_committed(&c->hub, c->machine.committed.revision);
	return 0;
}

void engine_core_stuck(struct engine_core *c)
{
	open_commit_gate(c, true);
}

bool engine_core_await_commit(struct engine_core *c)
{
	struct commit_gate *g = &c->commits;
	if (!atomic_load(&g->is_dirty))
		return true;
	pthread_mutex_lock(&g->lock);
	uint64_t before = g->count;
	while (atomic_load(&g->is_dirty) && g->count == before && !g->is_stuck) {
		if (!atomic_exchange(&g->is_wanted, true))
			g->want(g->arg);
		pthread_cond_wait(&g->wake, &g->lock);
	}
	bool ok = !g->is_stuck;
	pthread_mutex_unlock(&g->lock);
	return ok;
}

void engine_core_tell_lessor(struct engine_core *c, const struct store_request *r)
{
	if (r->err.code == 0 && r->type == STORE_REQUEST_LEASE_GRANT)
		lessor_add(&c->lessor, r->lease.id, r->lease.ttl_s);
	if (r->err.code == 0 && r->type == STORE_REQUEST_LEASE_REVOKE && !r->lease.more)
		lessor_remove(&c->lessor, r->lease.id);
}

void engine_core_defragment(struct engine_core *c, struct store_request *req)
{
	bool stopping;
	request_queue_put(&c->defragments, req, 0, &stopping);
	atomic_store(&c->is_defragment_wanted, true);
}

static void answer_defragments(struct engine_core *c, const struct err *err)
{
	struct store_request *r;
	atomic_store(&c->is_defragment_wanted, false);
	do {
		pthread_mutex_lock(&c->defragments.lock);
		r = request_queue_pop(&c->defragments);
		pthread_mutex_unlock(&c->defragments.lock);
		if (r && err)
			r->err = *err;
		if (r)
			engine_complete(r);
	} while (r);
}

/* A step of giving free pages back. */
static int defragment(struct engine_core *c, struct err *err)
{
	c->machine.is_defragmenting = true;
	int rc = machine_shrink(&c->machine, err);
	if (rc == 0)
		checkpointer_cut(&c->checkpointer);
	if (rc <= 0)
		answer_defragments(c, rc < 0 ? err : NULL);
	return rc;
}

void engine_core_answer(struct engine_core *c, struct store_request *r)
{
	if (r->err.code == 0 && r->type == STORE_REQUEST_DEFRAGMENT) {
		engine_core_defragment(c, r);
		return;
	}
	if (r->err.code == 0 && r->type == STORE_REQUEST_COMPACT && r->physical && machine_trim_pending(&c->machine)) {
		r->next = c->physical;
		c->physical = r;
		return;
	}
	engine_complete(r);
}

/* ---- chores ---- */

bool engine_core_has_chores(const struct engine_core *c)
{
	return machine_trim_pending(&c->machine) || c->may_shrink || atomic_load(&c->is_defragment_wanted);
}

static void answer_list(struct store_request *r, const struct err *err)
{
	while (r) {
		struct store_request *next = r->next;
		if (err)
			r->err = *err;
		engine_complete(r);
		r = next;
	}
}

void engine_core_answer_physical(struct engine_core *c, const struct err *err)
{
	if (err)
		answer_defragments(c, err);
	if (!c->physical || (!err && machine_trim_pending(&c->machine)))
		return;
	struct store_request *all = c->physical;
	c->physical = NULL;
	answer_list(all, err);
}

static int trim_alone(struct engine_core *c, struct err *err)
{
	struct machine *m = &c->machine;
	int rc = machine_begin(m, err);
	if (rc == 0)
		rc = machine_trim(m, STORE_TRIM_IDLE_ROWS_MAX, err);
	if (rc == 0)
		return engine_core_commit(c, err);
	machine_rollback(m);
	return rc;
}

static void set_sync(struct engine_core *c, const char *sql)
{
	if (c->is_full_sync)
		sqlite3_exec(c->machine.db.handle, sql, NULL, NULL, NULL);
}

/* Its commit needs no sync: lost steps are done again. */
bool engine_core_do_chore(struct engine_core *c)
{
	struct err err = ERR_INIT;
	int rc;
	write_gate_enter(&c->gate, false);
	set_sync(c, "PRAGMA synchronous = NORMAL");
	if (machine_trim_pending(&c->machine)) {
		rc = trim_alone(c, &err);
		c->may_shrink = true;
	} else if (atomic_load(&c->is_defragment_wanted)) {
		rc = defragment(c, &err);
	} else {
		rc = machine_shrink(&c->machine, &err);
		c->may_shrink = rc > 0;
	}
	set_sync(c, "PRAGMA synchronous = FULL");
	write_gate_leave(&c->gate);
	if (rc >= 0) {
		checkpointer_note(&c->checkpointer, atomic_load(&c->wal_bytes));
	} else {
		log_warn("store", "compaction waits", "error=\"%s\"", err.msg);
		engine_core_answer_physical(c, &err);
	}
	atomic_store(&c->used_bytes, db_used_bytes(&c->machine.db));
	return rc >= 0;
}
