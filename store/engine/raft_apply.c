/* From the log into the state. The raft thread hands committed entries over; the apply thread takes all that has
 * queued, applies it as a batch, tells readers and watchers, and answers the requests among them that came from this
 * server. Nothing is written for that: the log has it, and keeps it until the database does (flusher.c). After a crash
 * the entries that the database lacks are applied again; those up to its applied index are passed over, so each counts
 * once.
 *
 * A command of this server is carried out from its request, one of another from the bytes in the log: both say the
 * same.
 *
 * What can go wrong: the memory table is full, for the disk is (nothing more is applied until there is room; who waits
 * is told that it comes later); a command does not decode (it went through two checksums, so this program is older than
 * the one that wrote it: stop). */
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

enum { BATCH_ENTRIES_MAX = 64, BATCH_BYTES_MAX = 2 * 1024 * 1024 };

/* ---- raft thread: in ---- */

static void push(struct raft_engine *e, struct apply_entry *x)
{
	struct apply_queue *q = &e->queue;
	x->next = NULL;
	atomic_fetch_add(&e->apply_bytes, x->bytes);
	pthread_mutex_lock(&q->lock);
	bool was_empty = q->head == NULL;
	*q->tail = x;
	q->tail = &x->next;
	if (was_empty) /* else the apply thread is on its way already */
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

/* Waits until there is something to do; with the lock. */
static void wait_for_work(struct raft_engine *e)
{
	struct apply_queue *q = &e->queue;
	while ((atomic_load(&e->is_fenced) || !q->head) && !q->stopping && !q->is_install_wanted &&
	        !q->is_replace_wanted)
		pthread_cond_wait(&q->wake, &q->lock);
}

/* In the order of the log; what is taken is taken off the count of queued bytes when it is applied. A fenced replica
 * applies nothing to a state that is about to go. */
static struct apply_entry *take_batch(struct raft_engine *e)
{
	APPLY_THREAD(e);
	struct apply_queue *q = &e->queue;
	pthread_mutex_lock(&q->lock);
	wait_for_work(e);
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

/* An expiry that was decided in an earlier term: the leader that is now has given the lease its time again. Or a write
 * of what one server does for all, which led in an earlier term. */
static bool is_void(const struct apply_command *c, const struct apply_entry *x)
{
	return c->only_in_term && c->only_in_term != x->term;
}

static void apply_foreign(struct machine *m, struct apply_command *c)
{
	struct store_request req = {0};
	struct command_head head;
	struct err e = ERR_INIT;
	if (command_decode(c->bytes, &head, &req, &e) != 0) {
		log_error("store", "command not understood", "error=\"%s\"", e.msg);
		CHECK(!"a command in the log is not understood: start the newer program");
	}
	machine_apply(m, &req);
	c->lease = LEASE_UNCHANGED;
	if (!req.err.code && req.type == STORE_REQUEST_LEASE_GRANT)
		c->lease = LEASE_GRANTED;
	if (!req.err.code && req.type == STORE_REQUEST_LEASE_REVOKE && !req.lease.more)
		c->lease = LEASE_REVOKED;
	c->lease_id = req.lease.id;
	c->lease_ttl_s = req.lease.ttl_s;
	store_request_release(&req);
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

static void apply_command(struct raft_engine *e, struct apply_command *c, const struct apply_entry *x)
{
	struct machine *m = &e->core.machine;
	bool twice = breakage_is(BREAK_APPLY_TWICE) && x->index % 16 == 0;
	if (is_void(c, x)) {
		if (c->req)
			err_set(&c->req->err, ERR_CANCELED, "decided in an earlier term");
		return;
	}
	for (int i = 0; i < (twice ? 2 : 1); i++) {
		if (c->req)
			machine_apply(m, c->req);
		else
			apply_foreign(m, c);
	}
}

static void apply_entry(struct raft_engine *e, struct apply_entry *x)
{
	struct machine *m = &e->core.machine;
	if ((int64_t)x->index <= m->meta.applied_index) {
		pass_over(x);
		return;
	}
	for (size_t i = 0; i < x->n; i++)
		apply_command(e, &x->commands[i], x);
	if (x->index % HASH_EVERY == 0)
		hashes_note(e, x->index, m->meta.hash);
	m->meta.applied_index = (int64_t)x->index;
	m->meta.applied_term = (int64_t)x->term;
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

static bool is_stopping(struct apply_queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool stopping = q->stopping;
	pthread_mutex_unlock(&q->lock);
	return stopping;
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

/* Until the table has room. False: the store stops; the log keeps what is not applied. */
static bool wait_for_room(struct raft_engine *e, struct apply_entry *batch)
{
	while (!e->is_cut && !flusher_make_room(&e->core.flusher)) {
		e->is_cut = is_stopping(&e->queue);
		if (!atomic_load(&e->core.flusher.is_stuck))
			continue;
		if (!atomic_exchange(&e->apply_full, true))
			log_warn("store", "nothing more is applied", "error=\"the disk is full\" mend=\"make room\"");
		fail_waiting(e, batch);
	}
	if (!e->is_cut && atomic_exchange(&e->apply_full, false))
		log_info("store", "applying goes on", "applied=%" PRId64, e->core.machine.meta.applied_index);
	return !e->is_cut;
}

static void tell_applied(struct raft_engine *e)
{
	if (!atomic_exchange(&e->applied_posted, true))
		loop_post(raft_node_loop(e->node), &e->applied_task);
}

static void free_batch(struct raft_engine *e, struct apply_entry *batch)
{
	for (struct apply_entry *x = batch, *next; x; x = next) {
		next = x->next;
		atomic_fetch_add(&e->n_applied, x->n);
		atomic_fetch_sub(&e->apply_bytes, x->bytes);
		free(x);
	}
}

static void do_batch(struct raft_engine *e, struct apply_entry *batch)
{
	APPLY_THREAD(e);
	size_t bytes = 0;
	bool ok = wait_for_room(e, batch);
	if (ok) {
		engine_core_begin(&e->core);
		for (struct apply_entry *x = batch; x; x = x->next) {
			apply_entry(e, x);
			bytes += x->bytes;
		}
		tell_lessor(e, batch);
		engine_core_tell(&e->core, bytes);
	}
	struct answers a = collect(batch);
	free_batch(e, batch);
	give(e, &a, ok);
	tell_applied(e);
}

/* ---- states of other servers ---- */

static int install_state(struct raft_engine *e, uint64_t index, const char *path, struct err *err)
{
	APPLY_THREAD(e);
	if (e->core.machine.meta.applied_index < (int64_t)index && path && engine_core_swap(&e->core, path, err) != 0)
		return err->code;
	if (e->core.machine.meta.applied_index < (int64_t)index)
		return err_set(err, ERR_CORRUPT, "the state that was sent has %" PRId64 ", its snapshot says %" PRIu64,
		        e->core.machine.meta.applied_index, index);
	return flusher_flush(&e->core.flusher, err);
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
	if (index < e->core.machine.meta.applied_index) {
		log_info("store", "the state that came is too old: fetching again", "index=%" PRId64, index);
		unlink(path);
	} else if (engine_core_swap(&e->core, path, &err) == 0) {
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
	int rc = install_state(e, index, path, &err);
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

static void *applier_main(void *arg)
{
	struct raft_engine *e = arg;
	pthread_setname_np(pthread_self(), "store-apply");
	atomic_store(&e->apply_tid, (int)gettid());
	for (;;) {
		struct apply_entry *batch = take_batch(e);
		if (batch)
			do_batch(e, batch);
		else if (!do_install(e) && !do_replace(e) && is_stopping(&e->queue))
			break;
	}
	for (struct apply_entry *x = e->queue.head, *next; x;
	        x = next) { /* of a fenced replica; nobody adds any more */
		next = x->next;
		x->next = NULL;
		struct answers a = collect(x);
		give(e, &a, false);
		free(x);
	}
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
	engine_core_read_flushed(&e->core, &c->req);
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
	return (uint64_t)atomic_load(&e->core.flusher.durable_index);
}

static void machine_role(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader)
{
	struct raft_engine *e = CONTAINER_OF(m, struct raft_engine, machine);
	if (leader && leader != e->leader)
		atomic_fetch_add(&e->n_leader_changes, 1);
	reads_must_ask(e);
	if (is_leader != e->is_leader || (is_leader && term != e->term))
		lessor_rest(&e->core.lessor, true);
	e->is_leader = is_leader;
	e->leader = leader;
	e->term = term;
	atomic_store(&e->led_term, is_leader ? term : 0);
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
