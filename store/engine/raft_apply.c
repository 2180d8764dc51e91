/* From the log into the state. The raft thread hands committed entries over; the apply thread, the only one that writes
 * the database, takes all that has queued, applies it in a transaction with the index inside, tells the watch hub and
 * answers the requests among them that came from this server. The log keeps what is not in the database, so the
 * transaction stays open for the next batches and takes each page to the write-ahead log once for all of them; who
 * reads has it committed first (commit_gate in core_int.h). No commit is synced: what a power cut takes, the log
 * still has, and it is applied again; entries up to the applied index are passed over, so each counts once.
 *
 * A command of this server is carried out from its request, one of another from the bytes in the log: both say the
 * same.
 *
 * What can go wrong: the disk is full (all since the last commit is rolled back, and applied again from the bytes in
 * the log until there is room; meanwhile new writes are turned away, and reads but serializable ones); a command does
 * not decode (it went through two checksums, so this program is older than the one that wrote it: stop). A write that
 * fails stops the process (db.c). */
#include "store/engine/raft_apply_int.h"

#include "base/breakage.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/cond.h"
#include "store/engine/raft_state_int.h"
#include "store/engine/raft_hash_int.h"
#include "store/engine/raft_propose_int.h"
#include "store/engine/raft_reads_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { FULL_RETRY_MS = 200, BATCH_ENTRIES_MAX = 64, BATCH_BYTES_MAX = 8 * 1024 * 1024 };

/* A transaction is committed when a reader wants it, or after so long, or so many bytes of commands. */
enum { OPEN_MS_MAX = 400, OPEN_BYTES_MAX = 3 * 1024 * 1024 };

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- raft thread: in ---- */

static void push(struct raft_engine *e, struct apply_entry *x)
{
	struct apply_queue *q = &e->queue;
	x->next = NULL;
	atomic_fetch_add(&e->apply_bytes, x->bytes);
	pthread_mutex_lock(&q->lock);
	*q->tail = x;
	q->tail = &x->next;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

static void machine_apply_entry(
        struct raft_machine *m, uint64_t index, uint64_t term, const struct slice *commands, size_t n)
{
	struct raft_engine *e = CONTAINER_OF(m, struct raft_engine, machine);
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += commands[i].len;
	struct apply_entry *x = xmalloc(sizeof *x + n * sizeof x->commands[0] + bytes);
	char *p = (char *)&x->commands[n];
	*x = (struct apply_entry){.index = index, .term = term, .n = n, .bytes = bytes};
	for (size_t i = 0; i < n; i++) {
		struct command_head head;
		struct pending *own = NULL;
		CHECK(command_head_decode(commands[i], &head));
		memcpy(p, commands[i].ptr, commands[i].len);
		x->commands[i] = (struct apply_command){.bytes = {p, commands[i].len}, .only_in_term = head.term};
		p += commands[i].len;
		if (head.origin == e->origin && (own = pending_take(e, head.sequence)) != NULL && own->req) {
			x->commands[i].req = own->req;
			own->req = NULL;
			list_del(&own->by_age);
			list_del(&own->link);
		}
		if (own)
			pending_release(own);
	}
	atomic_fetch_add(&e->n_committed, n);
	push(e, x);
}

/* ---- apply thread ---- */

/* Waits for timeout_ms (negative: for ever) until there is something to do; with the lock. */
static void wait_for_work(struct raft_engine *e, int timeout_ms)
{
	struct apply_queue *q = &e->queue;
	struct timespec limit = cond_limit(timeout_ms > 0 ? timeout_ms : 0);
	while (timeout_ms && (atomic_load(&e->is_fenced) || !q->head) && !q->stopping && !q->is_install_wanted &&
	        !q->is_replace_wanted && !atomic_load(&e->core.is_defragment_wanted) &&
	        !atomic_load(&e->core.commits.is_wanted)) {
		if (timeout_ms < 0)
			pthread_cond_wait(&q->wake, &q->lock);
		else if (!cond_wait_until(&q->wake, &q->lock, &limit))
			return;
	}
}

/* In the order of the log; what is taken is taken off the count of queued bytes when it is applied. A fenced replica
 * applies nothing to a state that is about to go. */
static struct apply_entry *take_batch(struct raft_engine *e, int timeout_ms)
{
	APPLY_THREAD(e);
	struct apply_queue *q = &e->queue;
	pthread_mutex_lock(&q->lock);
	wait_for_work(e, timeout_ms);
	bool hold = atomic_load(&e->is_fenced);
	struct apply_entry *first = q->head, *last = NULL;
	size_t bytes = 0, n = 0;
	while (!hold && q->head && n < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX) {
		last = q->head;
		bytes += last->bytes;
		n++;
		q->head = last->next;
	}
	if (last)
		last->next = NULL;
	if (!q->head)
		q->tail = &q->head;
	pthread_mutex_unlock(&q->lock);
	return last ? first : NULL;
}

/* An expiry that was decided in an earlier term: the leader that is now has given the lease its time again. */
static bool is_void(const struct apply_command *c, const struct apply_entry *x)
{
	return c->only_in_term && c->only_in_term != x->term;
}

static int apply_foreign(struct machine *m, struct apply_command *c, struct err *err)
{
	struct store_request req = {0};
	struct command_head head;
	struct err e = ERR_INIT;
	if (command_decode(c->bytes, &head, &req, &e) != 0) {
		log_error("store", "command not understood", "error=\"%s\"", e.msg);
		CHECK(!"a command in the log is not understood: start the newer program");
	}
	int rc = machine_apply(m, &req, err);
	c->lease = LEASE_UNCHANGED;
	if (rc == 0 && !req.err.code && req.type == STORE_REQUEST_LEASE_GRANT)
		c->lease = LEASE_GRANTED;
	if (rc == 0 && !req.err.code && req.type == STORE_REQUEST_LEASE_REVOKE && !req.lease.more)
		c->lease = LEASE_REVOKED;
	c->lease_id = req.lease.id;
	c->lease_ttl_s = req.lease.ttl_s;
	store_request_release(&req);
	return rc;
}

/* A state that another server sent holds what this entry did, and not what came of it: who waits for that here is told
 * that nobody knows. To leave the request as it is would say that it was done, at revision 0. */
static void pass_over(struct apply_entry *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->commands[i].req)
			err_set(&x->commands[i].req->err, ERR_TIMEOUT,
			        "this server was sent a newer state meanwhile: the request may have been carried out");
}

/* again: from its bytes, whoever it came from. */
static int apply_entry(struct raft_engine *e, struct apply_entry *x, bool again, struct err *err)
{
	struct machine *m = &e->core.machine;
	int rc = 0;
	if ((int64_t)x->index <= m->meta.applied_index) {
		if (!again)
			pass_over(x);
		return 0;
	}
	for (size_t i = 0; i < x->n && rc == 0; i++) {
		struct apply_command *c = &x->commands[i];
		if (is_void(c, x)) {
			if (c->req && !again)
				err_set(&c->req->err, ERR_CANCELED, "decided in an earlier term");
		} else {
			bool own = c->req && !again;
			rc = own ? machine_apply(m, c->req, err) : apply_foreign(m, c, err);
			if (rc == 0 && breakage_is(BREAK_APPLY_TWICE) && x->index % 16 == 0)
				rc = own ? machine_apply(m, c->req, err) : apply_foreign(m, c, err);
		}
	}
	if (rc == 0 && x->index % HASH_EVERY == 0)
		x->hash = m->meta.hash;
	m->meta.applied_index = (int64_t)x->index;
	m->meta.applied_term = (int64_t)x->term;
	return rc;
}

/* ---- the open transaction ---- */

static int begin(struct raft_engine *e, struct err *err)
{
	APPLY_THREAD(e);
	struct open_transaction *t = &e->open;
	if (t->is_open)
		return 0;
	write_gate_enter(&e->core.gate, false);
	if (machine_begin(&e->core.machine, err) != 0) {
		write_gate_leave(&e->core.gate);
		return err->code;
	}
	t->is_open = true;
	t->begun_ms = now_ms();
	return 0;
}

static void roll_back(struct raft_engine *e)
{
	APPLY_THREAD(e);
	if (!e->open.is_open)
		return;
	machine_rollback(&e->core.machine);
	write_gate_leave(&e->core.gate);
	e->open.is_open = false;
}

/* Entries that were told and are not committed: kept to be applied again should the commit fail. */
static void keep_entry(struct raft_engine *e, struct apply_entry *x)
{
	APPLY_THREAD(e);
	struct open_transaction *t = &e->open;
	x->next = NULL;
	*(t->kept ? &t->last->next : &t->kept) = x;
	t->last = x;
	t->bytes += x->bytes + 64;
}

static void drop_kept(struct raft_engine *e)
{
	APPLY_THREAD(e);
	struct open_transaction *t = &e->open;
	for (struct apply_entry *x = t->kept, *next; x; x = next) {
		next = x->next;
		free(x);
	}
	t->kept = t->last = NULL;
	t->bytes = 0;
}

static int commit(struct raft_engine *e, struct err *err)
{
	APPLY_THREAD(e);
	struct machine *m = &e->core.machine;
	if (!e->open.is_open)
		return 0;
	int rc = machine_trim_pending(m) ? machine_trim(m, STORE_TRIM_BUSY_ROWS_MAX, err) : 0;
	if (rc == 0)
		rc = engine_core_commit_told(&e->core, err);
	if (rc != 0) {
		roll_back(e);
		return rc;
	}
	write_gate_leave(&e->core.gate);
	e->open.is_open = false;
	drop_kept(e);
	checkpointer_note(&e->core.checkpointer, atomic_load(&e->core.wal_bytes));
	return 0;
}

static bool is_commit_due(struct raft_engine *e)
{
	const struct open_transaction *t = &e->open;
	return t->is_open && (atomic_load(&e->core.commits.is_wanted) || atomic_load(&e->core.is_defragment_wanted) ||
	                             t->bytes >= OPEN_BYTES_MAX || now_ms() - t->begun_ms >= OPEN_MS_MAX ||
	                             write_gate_is_wanted(&e->core.gate));
}

/* Everything that is kept, from the bytes of the log: requests of this server were answered long ago. */
static int apply_kept(struct raft_engine *e, struct err *err)
{
	APPLY_THREAD(e);
	int rc = begin(e, err);
	for (struct apply_entry *x = e->open.kept; x && rc == 0; x = x->next)
		rc = apply_entry(e, x, true, err);
	return rc;
}

static int apply_once(struct raft_engine *e, struct apply_entry *batch, struct err *err)
{
	APPLY_THREAD(e);
	bool again = !e->open.is_open && e->open.kept;
	int rc = again ? apply_kept(e, err) : begin(e, err);
	if (rc == 0 && again) /* told before: the hub must not hear of it twice */
		event_block_unref(machine_take_events(&e->core.machine));
	for (struct apply_entry *x = batch; x && rc == 0; x = x->next)
		rc = apply_entry(e, x, false, err);
	if (rc != 0)
		roll_back(e);
	return rc;
}

static void reset_answers(struct apply_entry *batch)
{
	for (struct apply_entry *x = batch; x; x = x->next)
		for (size_t i = 0; i < x->n; i++)
			if (x->commands[i].req)
				engine_reset_answer(x->commands[i].req);
}

static void answer_command(struct raft_engine *e, struct apply_command *c)
{
	if (!c->req)
		return;
	atomic_fetch_sub(&e->outstanding, 1);
	atomic_fetch_sub(&e->n_proposed, 1);
	engine_core_answer(&e->core, c->req);
}

/* Before the batch is told: who reads then, on the leader, asks the lessor, and may have heard of a lease from a server
 * that was quicker. */
static void tell_lessor(struct raft_engine *e, const struct apply_entry *batch)
{
	APPLY_THREAD(e);
	for (const struct apply_entry *x = batch; x; x = x->next)
		for (size_t i = 0; i < x->n; i++) {
			const struct apply_command *c = &x->commands[i];
			if (c->req)
				engine_core_tell_lessor(&e->core, c->req);
			else if (c->lease == LEASE_GRANTED)
				lessor_add(&e->core.lessor, c->lease_id, c->lease_ttl_s);
			else if (c->lease == LEASE_REVOKED)
				lessor_remove(&e->core.lessor, c->lease_id);
		}
}

static void fail_command(struct raft_engine *e, struct apply_command *c)
{
	if (!c->req)
		return;
	err_set(&c->req->err, ERR_TIMEOUT,
	        "this is decided, and is carried out when there is room or at the next start");
	atomic_fetch_sub(&e->outstanding, 1);
	atomic_fetch_sub(&e->n_proposed, 1);
	engine_complete(c->req);
}

/* What there is to say about a batch once it may be said. */
struct answers {
	struct apply_command *commands;
	size_t n;
};

static struct answers collect(struct apply_entry *batch)
{
	struct answers a = {NULL, 0};
	for (struct apply_entry *x = batch; x; x = x->next)
		a.n += x->n;
	a.commands = xmalloc((a.n + 1) * sizeof *a.commands);
	a.n = 0;
	for (struct apply_entry *x = batch; x; x = x->next)
		for (size_t i = 0; i < x->n; i++) {
			a.commands[a.n++] = x->commands[i];
			x->commands[i].req = NULL;
		}
	return a;
}

static void give(struct raft_engine *e, struct answers *a, bool ok)
{
	for (size_t i = 0; i < a->n; i++)
		if (ok)
			answer_command(e, &a->commands[i]);
		else
			fail_command(e, &a->commands[i]);
	free(a->commands);
	*a = (struct answers){NULL, 0};
}

static void wait_ms(struct apply_queue *q, unsigned ms)
{
	struct timespec limit = cond_limit(ms);
	pthread_mutex_lock(&q->lock);
	cond_wait_until(&q->wake, &q->lock, &limit);
	pthread_mutex_unlock(&q->lock);
}

static bool is_stopping(struct apply_queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool stopping = q->stopping;
	pthread_mutex_unlock(&q->lock);
	return stopping;
}

static void is_full(struct raft_engine *e, const struct err *err)
{
	if (!atomic_exchange(&e->apply_full, true))
		log_warn("store", "writes wait", "error=\"%s\"", err->msg);
	engine_core_stuck(&e->core);
	engine_core_answer_physical(&e->core, err);
}

/* The disk may stay full for days: who waits for what is decided is told now that it comes later. */
static void fail_waiting(struct raft_engine *e, struct apply_entry *batch)
{
	APPLY_THREAD(e);
	struct answers a = collect(batch);
	give(e, &a, false);
	pthread_mutex_lock(&e->queue.lock);
	a = collect(e->queue.head);
	pthread_mutex_unlock(&e->queue.lock);
	give(e, &a, false);
}

static void has_room(struct raft_engine *e)
{
	if (atomic_exchange(&e->apply_full, false))
		log_info("store", "writes go on", "applied=%" PRId64, e->core.machine.meta.applied_index);
}

/* Until it is done, for it is decided; or until the store stops: the log keeps it. */
static bool apply_until_done(struct raft_engine *e, struct apply_entry *batch)
{
	struct err err = ERR_INIT;
	for (unsigned tries = 0; apply_once(e, batch, &err) != 0; tries++) {
		reset_answers(batch);
		is_full(e, &err);
		if (tries)
			fail_waiting(e, batch);
		if (is_stopping(&e->queue))
			return false;
		wait_ms(&e->queue, FULL_RETRY_MS);
	}
	return true;
}

/* Commits what is open; when that fails all of it is applied again first. False: the store stops, or (once) the disk is
 * full. */
static bool commit_until_done(struct raft_engine *e, bool once)
{
	APPLY_THREAD(e);
	struct err err = ERR_INIT;
	for (;;) {
		int rc = e->open.is_open ? 0 : apply_once(e, NULL, &err);
		if (rc == 0)
			rc = commit(e, &err);
		if (rc == 0) {
			has_room(e);
			return true;
		}
		is_full(e, &err);
		if (once || is_stopping(&e->queue))
			return false;
		wait_ms(&e->queue, FULL_RETRY_MS);
	}
}

static void tell_applied(struct raft_engine *e)
{
	if (!atomic_exchange(&e->applied_posted, true))
		loop_post(raft_node_loop(e->node), &e->applied_task);
}

/* The batch is told and answered before it is committed; but with the disk full, or just not full any more, nothing is
 * answered that is not in the database. */
static void do_batch(struct raft_engine *e, struct apply_entry *batch)
{
	APPLY_THREAD(e);
	bool ok = apply_until_done(e, batch);
	if (ok)
		tell_lessor(e, batch);
	struct answers a = collect(batch);
	for (struct apply_entry *x = batch, *next; x; x = next) {
		next = x->next;
		if (ok && x->hash)
			hashes_note(e, x->index, x->hash);
		atomic_fetch_add(&e->n_applied, x->n);
		atomic_fetch_sub(&e->apply_bytes, x->bytes);
		if (ok)
			keep_entry(e, x);
		else
			free(x);
	}
	if (ok)
		engine_core_tell(&e->core);
	if (ok && atomic_load(&e->apply_full) && !commit_until_done(e, true)) {
		give(e, &a, false);
		fail_waiting(e, NULL);
		ok = commit_until_done(e, false);
	}
	give(e, &a, ok);
	tell_applied(e);
}

/* ---- states of other servers ---- */

static int install_state(struct raft_engine *e, uint64_t index, const char *path, struct err *err)
{
	APPLY_THREAD(e);
	if (e->core.machine.committed.applied_index < (int64_t)index && path &&
	        engine_core_swap(&e->core, path, err) != 0)
		return err->code;
	if (e->core.machine.committed.applied_index < (int64_t)index)
		return err_set(err, ERR_CORRUPT, "the state that was sent has %" PRId64 ", its snapshot says %" PRIu64,
		        e->core.machine.committed.applied_index, index);
	return checkpointer_sync(&e->core.checkpointer, err);
}

/* A fenced replica takes what was fetched for it, in place of a state that is as new. */
static bool do_replace(struct raft_engine *e)
{
	APPLY_THREAD(e);
	struct apply_queue *q = &e->queue;
	struct err err = ERR_INIT;
	pthread_mutex_lock(&q->lock);
	bool wanted = q->is_replace_wanted && !q->is_install_wanted && q->install_path;
	char *path = wanted ? TAKE(q->install_path) : NULL;
	int64_t index = (int64_t)q->fetched_index;
	q->is_replace_wanted = false;
	pthread_mutex_unlock(&q->lock);
	if (!wanted)
		return false;
	if (!commit_until_done(e, true)) {
		log_warn("store", "state not replaced", "error=\"%s\"", "the disk is full");
		unlink(path);
	} else if (index < e->core.machine.committed.applied_index) {
		log_info("store", "the state that came is too old: fetching again", "index=%" PRId64, index);
		unlink(path);
	} else if (engine_core_swap(&e->core, path, &err) == 0 && checkpointer_sync(&e->core.checkpointer, &err) == 0) {
		hashes_clear(e);
		atomic_store(&e->is_fenced, false);
		log_info("store", "no longer fenced", "applied=%" PRId64, atomic_load(&e->core.applied_index));
	} else {
		log_warn("store", "state not replaced", "error=\"%s\"", err.msg);
	}
	free(path);
	tell_applied(e);
	return true;
}

static bool do_install(struct raft_engine *e)
{
	APPLY_THREAD(e);
	struct apply_queue *q = &e->queue;
	struct err err = ERR_INIT;
	pthread_mutex_lock(&q->lock);
	bool wanted = q->is_install_wanted;
	uint64_t index = q->install_index;
	char *path = wanted ? TAKE(q->install_path) : NULL;
	pthread_mutex_unlock(&q->lock);
	if (!wanted)
		return false;
	int rc = commit_until_done(e, true) ? install_state(e, index, path, &err)
	                                    : err_set(&err, ERR_NO_SPACE, "the disk is full");
	hashes_clear(e);
	free(path);
	pthread_mutex_lock(&q->lock);
	q->is_install_wanted = false;
	q->install_rc = rc;
	q->install_err = err;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
	tell_applied(e);
	return true;
}

/* On the thread that writes the log: waits for the apply thread. */
static int machine_install(struct raft_machine *m, struct slice descriptor, struct err *err)
{
	struct raft_engine *e = CONTAINER_OF(m, struct raft_engine, machine);
	struct apply_queue *q = &e->queue;
	uint64_t index;
	CHECK(descriptor.len == sizeof index);
	memcpy(&index, descriptor.ptr, sizeof index);
	pthread_mutex_lock(&q->lock);
	q->is_install_wanted = true;
	q->install_index = index;
	pthread_cond_broadcast(&q->wake);
	while (q->is_install_wanted && !q->stopping)
		pthread_cond_wait(&q->wake, &q->lock);
	int rc = q->is_install_wanted ? ERR_NO_SPACE : q->install_rc; /* stopping: as good as later */
	*err = q->install_err;
	pthread_mutex_unlock(&q->lock);
	return rc;
}

void apply_state_fetched(void *arg, const char *path, uint64_t index)
{
	struct raft_engine *e = arg;
	pthread_mutex_lock(&e->queue.lock);
	free(e->queue.install_path);
	e->queue.install_path = xstrdup(path);
	e->queue.fetched_index = index;
	e->queue.is_replace_wanted = atomic_load(&e->is_fenced);
	pthread_cond_broadcast(&e->queue.wake);
	pthread_mutex_unlock(&e->queue.lock);
}

void apply_want_commit(void *arg)
{
	struct raft_engine *e = arg;
	pthread_mutex_lock(&e->queue.lock);
	pthread_cond_broadcast(&e->queue.wake);
	pthread_mutex_unlock(&e->queue.lock);
}

/* How long to wait for the next batch, in milliseconds: until what is open must be committed, what failed tried again.
 */
static int patience(struct raft_engine *e, bool has_chores)
{
	const struct open_transaction *t = &e->open;
	uint64_t age = t->is_open ? now_ms() - t->begun_ms : 0;
	if (t->is_open)
		return age < OPEN_MS_MAX ? (int)(OPEN_MS_MAX - age) : 0;
	if (t->kept)
		return FULL_RETRY_MS;
	return has_chores ? 0 : -1;
}

static bool is_idle(const struct raft_engine *e)
{
	return !e->open.is_open && !e->open.kept;
}

static void *applier_main(void *arg)
{
	struct raft_engine *e = arg;
	struct err err = ERR_INIT;
	bool can_do_chores = true;
	pthread_setname_np(pthread_self(), "store-apply");
	atomic_store(&e->apply_tid, (int)gettid());
	for (;;) {
		bool chores = can_do_chores && engine_core_has_chores(&e->core);
		struct apply_entry *batch = take_batch(e, patience(e, chores));
		if (batch) {
			do_batch(e, batch);
			can_do_chores = true;
		} else if (do_install(e) || do_replace(e)) {
			can_do_chores = true;
		} else if (is_stopping(&e->queue)) {
			break;
		} else if (chores && is_idle(e)) {
			can_do_chores = engine_core_do_chore(&e->core);
		}
		if (is_commit_due(e) || (!batch && !e->open.is_open && e->open.kept))
			commit_until_done(e, true);
		engine_core_answer_physical(&e->core, NULL);
	}
	commit_until_done(e, true);
	drop_kept(e); /* the log has it */
	for (struct apply_entry *x = e->queue.head, *next; x;
	        x = next) { /* of a fenced replica; nobody adds any more */
		next = x->next;
		x->next = NULL;
		struct answers a = collect(x);
		give(e, &a, false);
		free(x);
	}
	err_set(&err, ERR_UNAVAILABLE, "the store stops; the compaction goes on when it is started again");
	engine_core_answer_physical(&e->core, &err);
	return NULL;
}

void apply_init(struct raft_engine *e)
{
	pthread_mutex_init(&e->hashes.lock, NULL);
	pthread_mutex_init(&e->queue.lock, NULL);
	pthread_cond_init(&e->queue.wake, NULL);
	e->queue.tail = &e->queue.head;
}

void apply_start(struct raft_engine *e)
{
	CHECK(pthread_create(&e->applier, NULL, applier_main, e) == 0);
}

void apply_stop(struct raft_engine *e)
{
	pthread_mutex_lock(&e->queue.lock);
	e->queue.stopping = true;
	pthread_cond_broadcast(&e->queue.wake);
	pthread_mutex_unlock(&e->queue.lock);
	pthread_join(e->applier, NULL);
	free(e->queue.install_path);
	pthread_mutex_destroy(&e->queue.lock);
	pthread_cond_destroy(&e->queue.wake);
}

/* ---- copies for other servers: made by a reader ---- */

struct copying {
	struct store_request req;
	struct raft_state_copy *copy;
};

static void copied(struct store_request *req)
{
	struct copying *c = CONTAINER_OF(req, struct copying, req);
	c->copy->index = (uint64_t)req->revision_arg;
	c->copy->err = req->err;
	c->copy->done(c->copy);
	store_request_release(req);
	free(c);
}

void apply_copy_state(void *arg, struct raft_state_copy *copy)
{
	struct raft_engine *e = arg;
	struct copying *c = xcalloc(1, sizeof *c);
	c->copy = copy;
	c->req.type = (enum store_request_type)STORE_REQUEST_COPY_;
	c->req.path = copy->path;
	c->req.loop = raft_node_loop(e->node);
	c->req.done = copied;
	engine_core_read(&e->core, &c->req, 0);
}

/* ---- the rest of the machine ---- */

static void machine_snapshot(struct raft_machine *m, uint64_t index, struct strbuf *descriptor)
{
	strbuf_add(descriptor, &index, sizeof index);
}

static bool machine_is_command(struct raft_machine *m, struct slice command)
{
	return command_is_sound(command);
}

static bool machine_is_busy(struct raft_machine *m)
{
	struct raft_engine *e = CONTAINER_OF(m, struct raft_engine, machine);
	return atomic_load(&e->apply_bytes) > 2 * STORE_APPLY_BYTES_MAX;
}

static bool machine_is_descriptor(struct raft_machine *m, struct slice descriptor)
{
	return descriptor.len == sizeof(uint64_t);
}

static void machine_restore(struct raft_machine *m, struct slice descriptor)
{
	/* install() has done it, or the start has: the host checks */
}

static uint64_t machine_applied(struct raft_machine *m)
{
	return (uint64_t)atomic_load(&CONTAINER_OF(m, struct raft_engine, machine)->core.applied_index);
}

static uint64_t machine_durable(struct raft_machine *m)
{
	struct raft_engine *e = CONTAINER_OF(m, struct raft_engine, machine);
	return (uint64_t)atomic_load(&e->core.checkpointer.durable_applied);
}

static void machine_role(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader)
{
	struct raft_engine *e = CONTAINER_OF(m, struct raft_engine, machine);
	if (leader && leader != e->leader)
		atomic_fetch_add(&e->n_leader_changes, 1);
	if (is_leader != e->is_leader || (is_leader && term != e->term))
		lessor_rest(&e->core.lessor, true);
	e->is_leader = is_leader;
	e->leader = leader;
	e->term = term;
	atomic_store(&e->shown_term, term);
	atomic_store(&e->shown_leader, leader);
	lessor_rest(&e->core.lessor, !is_leader);
	log_info("store", is_leader ? "leading" : "following", "term=%" PRIu64 " leader=%016" PRIx64, term, leader);
	reads_reroute(e, true);
	pendings_unpark(e);
}

const struct raft_machine_vtable raft_engine_machine = {.apply = machine_apply_entry,
        .is_command = machine_is_command,
        .is_descriptor = machine_is_descriptor,
        .is_busy = machine_is_busy,
        .snapshot = machine_snapshot,
        .restore = machine_restore,
        .install = machine_install,
        .applied_index = machine_applied,
        .durable_index = machine_durable,
        .role_changed = machine_role};
