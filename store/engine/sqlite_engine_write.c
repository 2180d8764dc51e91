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
#include "store/engine/sqlite_engine_int.h"

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
	if (wait)
		request_queue_wait(q);
	struct store_request *first = NULL, **end = &first;
	size_t bytes = 0;
	for (unsigned n = 0; q->head && n < STORE_BATCH_REQUESTS_MAX && bytes < STORE_BATCH_BYTES_MAX; n++) {
		*end = request_queue_pop(q);
		bytes += (*end)->type == STORE_REQUEST_OP ? op_bytes(&(*end)->op) : 0;
		end = &(*end)->next;
	}
	pthread_mutex_unlock(&q->lock);
	return first;
}

static int apply_all(struct sqlite_engine *e, struct store_request *batch, struct err *err)
{
	struct machine *m = &e->core.machine;
	int rc = machine_begin(m, err);
	for (struct store_request *r = batch; r && rc == 0; r = r->next)
		rc = machine_apply(m, r, err);
	if (rc == 0 && batch && machine_trim_pending(m))
		rc = machine_trim(m, STORE_TRIM_BUSY_ROWS_MAX, err);
	if (rc != 0)
		machine_rollback(m);
	return rc;
}

static void answer_all(struct sqlite_engine *e, struct store_request *batch)
{
	while (batch) {
		struct store_request *next = batch->next;
		engine_core_tell_lessor(&e->core, batch);
		engine_core_answer(&e->core, batch);
		batch = next;
	}
}

static void reset_answers(struct store_request *batch)
{
	for (struct store_request *r = batch; r; r = r->next) {
		engine_reset_answer(r);
	}
}

/* One transaction. On failure nothing of it has happened and nobody was answered. */
static int write_once(struct sqlite_engine *e, struct store_request *batch, struct err *err)
{
	struct engine_core *c = &e->core;
	write_gate_enter(&c->gate, false);
	int rc = apply_all(e, batch, err);
	if (rc == 0)
		rc = engine_core_commit(c, err);
	write_gate_leave(&c->gate);
	if (rc != 0)
		return rc;
	answer_all(e, batch);
	checkpointer_note(&c->checkpointer, atomic_load(&c->wal_bytes));
	return 0;
}

static void write_batch(struct sqlite_engine *e, struct store_request *batch)
{
	struct err err = ERR_INIT;
	if (write_once(e, batch, &err) == 0) {
		e->core.is_failing = false;
		return;
	}
	reset_answers(batch);
	if (!e->core.is_failing)
		log_warn("store", "writes are turned away", "error=\"%s\"", err.msg);
	e->core.is_failing = true;
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
	bool can_do_chores = true; /* false after a failure, until a request has come */
	pthread_setname_np(pthread_self(), "store-writer");
	for (;;) {
		bool chores = can_do_chores && engine_core_has_chores(&e->core);
		struct store_request *batch = take_batch(&e->writes, !chores);
		if (batch) {
			write_batch(e, batch);
			can_do_chores = true;
		} else if (is_stopping(&e->writes)) {
			break;
		} else if (chores) {
			can_do_chores = engine_core_do_chore(&e->core);
		}
		engine_core_answer_physical(&e->core, NULL);
	}
	err_set(&err, ERR_UNAVAILABLE, "the store stops; the compaction goes on when it is started again");
	engine_core_answer_physical(&e->core, &err);
	return NULL;
}
