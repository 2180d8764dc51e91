/* The writer thread of the sqlite engine: group commit.
 *
 * It takes what has queued, applies all of it in one SQLite transaction, commits once with a full sync, tells the watch
 * hub, and answers. While it syncs, the next batch queues up: with one client every put costs one sync, with many a
 * sync is shared, and nobody waits on purpose. The hub is told before the answers go out, so whoever has an answer can
 * read its event.
 *
 * A request that is refused has changed nothing (txn.c). When the disk refuses (full) the transaction is rolled back
 * and its requests are tried one by one, so that a deletion gets through where a large put does not. A write or sync
 * that fails stops the process (db.c).
 *
 * What compaction frees is removed in small steps: with other work, a few rows in the same transaction; without, in
 * transactions of its own that need no sync, until a request comes. */
#include "store/sqlite_engine_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

static size_t op_bytes(const struct store_op *op)
{
	size_t n = 0;
	if (op->type == STORE_OP_PUT)
		n = op->put.key.len + op->put.value.len;
	if (op->type != STORE_OP_TXN)
		return n;
	for (size_t i = 0; i < op->txn.n_success; i++)
		n += op_bytes(&op->txn.success[i]);
	for (size_t i = 0; i < op->txn.n_failure; i++)
		n += op_bytes(&op->txn.failure[i]);
	return n;
}

/* The next batch, NULL when there is none and `wait` is false, or when all is done and the queue is stopping. */
static struct store_request *take_batch(struct request_queue *q, bool wait)
{
	pthread_mutex_lock(&q->lock);
	while (wait && !q->head && !q->stopping) {
		q->waiting++;
		pthread_cond_wait(&q->wake, &q->lock);
		q->waiting--;
	}
	struct store_request *first = q->head, *last = NULL;
	size_t bytes = 0;
	for (unsigned n = 0; q->head && n < STORE_BATCH_REQUESTS_MAX && bytes < STORE_BATCH_BYTES_MAX; n++) {
		last = q->head;
		if (last->type == STORE_REQUEST_OP)
			bytes += op_bytes(&last->op);
		q->head = last->next;
		q->n--;
	}
	if (last)
		last->next = NULL;
	if (!q->head)
		q->tail = &q->head;
	pthread_mutex_unlock(&q->lock);
	return first;
}

static int apply_all(struct sqlite_engine *e, struct store_request *batch, struct err *err)
{
	int rc = machine_begin(&e->machine, err);
	for (struct store_request *r = batch; r && rc == 0; r = r->next)
		rc = machine_apply(&e->machine, r, err);
	if (rc == 0 && batch && machine_trim_pending(&e->machine))
		rc = machine_trim(&e->machine, STORE_TRIM_BUSY_ROWS_MAX, err);
	if (rc != 0)
		machine_rollback(&e->machine);
	return rc;
}

static void publish(struct sqlite_engine *e, struct event_block *block)
{
	const struct meta *m = &e->machine.committed;
	atomic_store(&e->keys, m->keys);
	atomic_store(&e->compacted, m->compacted);
	watch_hub_publish(&e->hub, block, m);
	atomic_store(&e->revision, m->revision);
}

static void answer(struct sqlite_engine *e, struct store_request *r)
{
	bool ok = r->err.code == 0;
	if (ok && r->type == STORE_REQUEST_LEASE_GRANT)
		lessor_add(&e->lessor, r->lease.id, r->lease.ttl_s);
	if (ok && r->type == STORE_REQUEST_LEASE_REVOKE)
		lessor_remove(&e->lessor, r->lease.id);
	if (ok && r->type == STORE_REQUEST_COMPACT && r->physical && machine_trim_pending(&e->machine)) {
		r->next = e->physical;
		e->physical = r;
		return;
	}
	engine_complete(r);
}

static void answer_all(struct sqlite_engine *e, struct store_request *batch)
{
	while (batch) {
		struct store_request *next = batch->next;
		answer(e, batch);
		batch = next;
	}
}

static void reset_answers(struct store_request *batch)
{
	for (struct store_request *r = batch; r; r = r->next) {
		r->err.code = 0;
		r->cause = STORE_CAUSE_NONE;
		r->result = (struct store_result){0};
	}
}

/* One transaction. On failure nothing of it has happened and nobody was answered. */
static int write_once(struct sqlite_engine *e, struct store_request *batch, struct err *err)
{
	struct event_block *block = NULL;
	e->machine.collect_prev = atomic_load(&e->hub.prev_watches) > 0;
	write_gate_enter(&e->gate, false);
	int rc = apply_all(e, batch, err);
	if (rc == 0)
		rc = machine_commit(&e->machine, &block, err);
	write_gate_leave(&e->gate);
	if (rc != 0)
		return rc;
	atomic_store(&e->used_bytes, db_used_bytes(&e->machine.db));
	publish(e, block);
	answer_all(e, batch);
	checkpointer_note(&e->checkpointer, atomic_load(&e->wal_bytes));
	return 0;
}

static void write_batch(struct sqlite_engine *e, struct store_request *batch)
{
	struct err err = ERR_INIT;
	if (write_once(e, batch, &err) == 0) {
		e->is_failing = false;
		return;
	}
	reset_answers(batch);
	if (!e->is_failing)
		log_warn("store", "writes are turned away", "error=\"%s\"", err.msg);
	e->is_failing = true;
	while (batch) {
		struct store_request *r = batch;
		batch = r->next;
		r->next = NULL;
		if (write_once(e, r, &err) == 0)
			continue;
		reset_answers(r);
		r->err = err;
		engine_complete(r);
	}
}

/* Answers the compactions that wait for the disk: with `err` when it is not NULL. */
static void physical_answer(struct sqlite_engine *e, const struct err *err)
{
	struct store_request *r = e->physical;
	e->physical = NULL;
	while (r) {
		struct store_request *next = r->next;
		if (err)
			r->err = *err;
		engine_complete(r);
		r = next;
	}
}

static int trim_alone(struct machine *m, struct err *err)
{
	struct event_block *block = NULL;
	int rc = machine_begin(m, err);
	if (rc == 0)
		rc = machine_trim(m, STORE_TRIM_IDLE_ROWS_MAX, err);
	if (rc == 0)
		return machine_commit(m, &block, err);
	machine_rollback(m);
	return rc;
}

/* A step of compaction, or of shrinking the file after it, with nothing else to do. Its commit needs no sync: lost
 * steps are done again. False when it failed: the next request may bring better luck. */
static bool tidy(struct sqlite_engine *e)
{
	struct err err = ERR_INIT;
	write_gate_enter(&e->gate, false);
	sqlite3_exec(e->machine.db.handle, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	int rc;
	if (machine_trim_pending(&e->machine)) {
		rc = trim_alone(&e->machine, &err);
		e->may_shrink = true;
	} else {
		rc = machine_shrink(&e->machine, &err);
		e->may_shrink = rc > 0;
	}
	sqlite3_exec(e->machine.db.handle, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
	write_gate_leave(&e->gate);
	if (rc >= 0) {
		checkpointer_note(&e->checkpointer, atomic_load(&e->wal_bytes));
	} else {
		log_warn("store", "compaction waits", "error=\"%s\"", err.msg);
		physical_answer(e, &err);
	}
	atomic_store(&e->used_bytes, db_used_bytes(&e->machine.db));
	return rc >= 0;
}

static bool is_stopping(struct request_queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool stopping = q->stopping && !q->head;
	pthread_mutex_unlock(&q->lock);
	return stopping;
}

void *sqlite_engine_writer_main(void *arg)
{
	struct sqlite_engine *e = arg;
	struct err err = ERR_INIT;
	bool can_tidy = true; /* false after a failure, until a request has come */
	pthread_setname_np(pthread_self(), "store-writer");
	for (;;) {
		bool tidy_next = can_tidy && (machine_trim_pending(&e->machine) || e->may_shrink);
		struct store_request *batch = take_batch(&e->writes, !tidy_next);
		if (batch) {
			write_batch(e, batch);
			can_tidy = true;
		} else if (is_stopping(&e->writes)) {
			break;
		} else if (tidy_next) {
			can_tidy = tidy(e);
		}
		if (e->physical && !machine_trim_pending(&e->machine))
			physical_answer(e, NULL);
	}
	err_set(&err, ERR_UNAVAILABLE, "the store stops; the compaction goes on when it is started again");
	physical_answer(e, &err);
	return NULL;
}
