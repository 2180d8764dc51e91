/* The replicated engine. See raft_engine.h for what it promises.
 *
 *     submit --(serializable)--------------------------------------> readers --> answers
 *         \--> raft thread --(write)--> log, majority --> apply thread --> watch hub, answers
 *                   \--(read)--> read index --> applied --> readers --> answers
 *
 * Threads: callers; the raft thread (raft_node.h), which owns everything in struct raft_engine that is not atomic or
 * the apply queue; the log writer; the apply thread, which changes the state; the flusher, which
 * writes the database; readers, lessor.
 *
 * Leases run out on the leader alone, by a command like any other that says in which term it was decided: in another
 * term it is void, for the new leader has given every lease its full time again. A lease is kept alive once the leader
 * has made sure that it still leads.
 *
 * Closing: the lessor stops, the leader hands over, the log ends, what was committed is applied, who still waits is
 * told that nobody knows, and the core closes. */
#include "store/engine/raft_engine.h"

#include "base/breakage.h"
#include "base/check.h"
#include "base/file/file_sync.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "store/engine/raft_apply_int.h"
#include "store/engine/raft_hash_int.h"
#include "store/engine/raft_members_int.h"
#include "store/engine/raft_peers_int.h"
#include "store/engine/raft_propose_int.h"
#include "store/engine/raft_reads_int.h"
#include "store/engine/raft_state_int.h"
#include "store/machine/system.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TICK_MS = 100, HEARTBEAT_MS = 100, ELECTION_MS = 1000, REQUEST_MS = 5000 };
#define SNAPSHOT_BYTES (UINT64_C(16) * 1024 * 1024)

/* ---- intake ---- */

static int check_write(struct raft_engine *e, struct store_request *req)
{
	if (req->type == STORE_REQUEST_LEASE_GRANT && engine_core_choose_lease_id(&e->core, req) != 0)
		return req->err.code;
	if (req->type == STORE_REQUEST_SYSTEM && system_check(req) != 0)
		return req->err.code;
	if (flusher_is_full(&e->core.flusher) || atomic_load(&e->log_full))
		return err_set(&req->err, ERR_NO_SPACE, "the disk of this server is full: make room");
	if (atomic_load(&e->apply_bytes) > STORE_APPLY_BYTES_MAX)
		return err_set(&req->err, ERR_BUSY, "too much is committed and not applied yet: try again");
	return 0;
}

/* Which way a request goes; PENDING_CHANGE stands for "to a reader at once". 0 or negative: it is answered. */
static int route(struct raft_engine *e, struct store_request *req, enum pending_kind *kind)
{
	*kind = PENDING_READ;
	switch (req->type) {
	case STORE_REQUEST_OP:
		if (txn_check_within(&req->op, req->ops_max, req->bytes_max, &req->cause, &req->err) != 0)
			return req->err.code;
		if (!txn_is_read_only(&req->op)) {
			*kind = PENDING_WRITE;
			return check_write(e, req);
		}
		if (txn_may_be_behind(&req->op) || atomic_load(&e->is_sole) || breakage_is(BREAK_STALE_READ))
			*kind = PENDING_CHANGE;
		return 0;
	case STORE_REQUEST_DEFRAGMENT:
		break; /* has gone another way */
	case STORE_REQUEST_COMPACT:
	case STORE_REQUEST_LEASE_GRANT:
	case STORE_REQUEST_LEASE_REVOKE:
	case STORE_REQUEST_SYSTEM:
		*kind = PENDING_WRITE;
		return check_write(e, req);
	case STORE_REQUEST_LEASE_KEEPALIVE:
	case STORE_REQUEST_LEASE_TTL:
		*kind = atomic_load(&e->is_sole) ? PENDING_CHANGE : PENDING_LEASE;
		return 0;
	case STORE_REQUEST_BARRIER:
		*kind = atomic_load(&e->is_sole) ? PENDING_CHANGE : PENDING_READ;
		return 0;
	case STORE_REQUEST_LEASE_LIST: /* as in etcd: of this server */
		*kind = PENDING_CHANGE;
		return 0;
	case STORE_REQUEST_SYSTEM_READ:
		*kind = req->system.is_local || atomic_load(&e->is_sole) ? PENDING_CHANGE : PENDING_READ;
		return 0;
	case STORE_REQUEST_HASH:
	case STORE_REQUEST_BACKUP:
		*kind = PENDING_CHANGE;
		return 0;
	}
	return err_set(&req->err, ERR_INVAL, "unknown request %d", (int)req->type);
}

/* What this server has, which may be behind. */
static void read_here(struct raft_engine *e, struct store_request *req)
{
	if (req->type == STORE_REQUEST_BACKUP)
		engine_core_read_flushed(&e->core, req);
	else if (req->loop && engine_core_read_in_memory(&e->core, req))
		engine_core_complete_later(&e->core, req);
	else
		engine_core_read(&e->core, req, STORE_REQUESTS_MAX);
}

static void submit(struct engine *base, struct store_request *req)
{
	struct raft_engine *e = raft_engine_from(base);
	enum pending_kind kind = PENDING_READ;
	CHECK(req->done != NULL);
	engine_reset_answer(req);
	atomic_fetch_add(&e->entering, 1);
	if (atomic_load(&e->stopping))
		err_set(&req->err, ERR_UNAVAILABLE, "the store is stopping");
	else if (atomic_load(&e->is_fenced))
		err_set(&req->err, ERR_CORRUPT,
		        "this replica is not what the others are, or rotten, and is being replaced");
	else if (req->type == STORE_REQUEST_DEFRAGMENT) {
		flusher_defragment(&e->core.flusher, req);
		atomic_fetch_sub(&e->entering, 1);
		return;
	} else if (route(e, req, &kind) == 0 && kind == PENDING_CHANGE) {
		read_here(e, req);
		atomic_fetch_sub(&e->entering, 1);
		return;
	}
	if (req->err.code == 0 && atomic_fetch_add(&e->outstanding, 1) >= STORE_REQUESTS_MAX) {
		atomic_fetch_sub(&e->outstanding, 1);
		err_set(&req->err, ERR_BUSY, "%u requests are waiting for the store: try again", STORE_REQUESTS_MAX);
	}
	if (req->err.code)
		engine_core_complete_later(&e->core, req);
	else
		raft_engine_take(e, kind, req, NULL);
	atomic_fetch_sub(&e->entering, 1);
}

void raft_engine_change_members(struct raft_engine *e, struct raft_engine_change *c)
{
	c->err = ERR_INIT;
	atomic_fetch_add(&e->entering, 1);
	if (atomic_load(&e->stopping)) {
		raft_engine_refuse_change(c, ERR_UNAVAILABLE, "the store is stopping");
	} else {
		atomic_fetch_add(&e->outstanding, 1);
		raft_engine_take(e, PENDING_CHANGE, NULL, c);
	}
	atomic_fetch_sub(&e->entering, 1);
}

/* ---- raft thread: turns and time ---- */

static void flush(struct loop_defer *d)
{
	struct raft_engine *e = CONTAINER_OF(d, struct raft_engine, flush);
	RAFT_THREAD(e);
	if (!engine_host(e))
		return;
	reads_flush(e);
	raft_host_flush(engine_host(e));
}

static void applied(struct loop_task *t)
{
	struct raft_engine *e = CONTAINER_OF(t, struct raft_engine, applied_task);
	RAFT_THREAD(e);
	atomic_store(&e->applied_posted, false);
	reads_applied(e);
}

static void end_joining(struct raft_engine *e);

/* What waits for a full log may be committed yet, and is told so; what comes now is told at once that it won't. */
static void look_at_disk(struct raft_engine *e)
{
	RAFT_THREAD(e);
	bool is_full = e->is_leader && engine_host(e) && raft_host_is_disk_full(engine_host(e));
	bool was_full = atomic_exchange(&e->log_full, is_full);
	if (is_full && !was_full)
		log_warn("store", "the disk of the log is full: writes are refused", "mend=\"make room\"");
	else if (was_full && !is_full)
		log_info("store", "the log takes writes again", "term=%" PRIu64, e->term);
	if (is_full)
		pendings_give_up(e);
}

static void tick(void *arg)
{
	struct raft_engine *e = arg;
	RAFT_THREAD(e);
	look_at_disk(e);
	pendings_tick(e);
	reads_applied(e); /* those that waited for libraft, not for us */
	reads_reroute(e, false);
	members_tick(e);
	hashes_tick(e);
	if (e->is_joining && engine_host(e) && raft_host_snapshot_index(engine_host(e)))
		end_joining(e);
}

/* ---- status ---- */

void raft_engine_status(struct raft_engine *e, struct raft_node_status *ret)
{
	raft_node_status(e->node, ret);
}

uint64_t raft_engine_term(const struct raft_engine *e)
{
	return atomic_load(&e->shown_term);
}

uint64_t raft_engine_leader(const struct raft_engine *e)
{
	return atomic_load(&e->shown_leader);
}

int raft_engine_port(const struct raft_engine *e)
{
	return raft_node_port(e->node);
}

void raft_engine_counters(struct raft_engine *e, struct raft_engine_counters *ret)
{
	struct raft_node_status s;
	raft_node_status(e->node, &s);
	*ret = (struct raft_engine_counters){.proposals_pending = atomic_load(&e->n_proposed),
	        .proposals_failed = atomic_load(&e->n_failed),
	        .proposals_committed = atomic_load(&e->n_committed),
	        .proposals_applied = atomic_load(&e->n_applied),
	        .leader_changes = atomic_load(&e->n_leader_changes),
	        .slow_reads = atomic_load(&e->n_slow_reads),
	        .apply_queue_bytes = atomic_load(&e->apply_bytes),
	        .is_disk_full = s.is_disk_full || atomic_load(&e->core.flusher.is_stuck),
	        .is_fenced = atomic_load(&e->is_fenced),
	        .applied_index = atomic_load(&e->core.applied_index),
	        .durable_index = atomic_load(&e->core.flusher.durable_index)};
}

struct move {
	struct loop_task task;
	struct raft_engine *engine;
	uint64_t id;
	char address[RAFT_ADDRESS_BYTES_MAX];
};

static void moved(struct loop_task *t)
{
	struct move *m = CONTAINER_OF(t, struct move, task);
	RAFT_THREAD(m->engine);
	raft_node_move(m->engine->node, m->id, m->address);
	free(m);
}

void raft_engine_move_member(struct raft_engine *e, uint64_t id, const char *address)
{
	atomic_fetch_add(&e->entering, 1);
	if (!atomic_load(&e->stopping)) {
		struct move *m = xcalloc(1, sizeof *m);
		m->engine = e;
		m->id = id;
		snprintf(m->address, sizeof m->address, "%s", address);
		m->task.run = moved;
		loop_post(raft_node_loop(e->node), &m->task);
	}
	atomic_fetch_sub(&e->entering, 1);
}

const struct peer_table *raft_engine_peers(const struct raft_engine *e)
{
	return raft_node_peers(e->node);
}

static bool leads(struct engine *base)
{
	struct raft_engine *e = raft_engine_from(base);
	struct raft_node_status status;
	raft_node_status(e->node, &status);
	return raft_engine_leader(e) == status.id;
}

static bool has_leader(struct engine *base)
{
	return raft_engine_leader(raft_engine_from(base)) != 0;
}

static void hurry(struct engine *base)
{
	atomic_store(&raft_engine_from(base)->is_hurried, true);
}

static uint64_t led_term(struct engine *base)
{
	return atomic_load(&raft_engine_from(base)->led_term);
}

static void stats(struct engine *base, struct store_stats *out)
{
	engine_core_stats(base, out);
	out->rotten_alone = atomic_load(&raft_engine_from(base)->rotten_alone);
	out->syncs = raft_node_log_syncs(raft_engine_from(base)->node);
}

/* ---- life ---- */

static void release(struct raft_engine *e)
{
	map_release(&e->by_sequence);
	free(e->data_dir);
	free(e);
}

static void engine_close(struct engine *base)
{
	struct raft_engine *e = raft_engine_from(base);
	engine_core_stop_leases(&e->core);
	atomic_store(&e->stopping, true);
	while (atomic_load(&e->entering)) /* what is let in is posted before the loop ends: nobody waits for ever */
		sched_yield();
	raft_node_close_loop(e->node);
	apply_stop(e);
	pendings_fail(e);
	CHECK(e->by_sequence.count == 0);
	CHECK(atomic_load(&e->n_proposed) == 0); /* everybody was answered */
	raft_node_free(e->node);
	engine_core_close(&e->core);
	release(e);
}

static const struct engine_vtable vtable = {
        .name = "raft",
        .submit = submit,
        .revision = engine_core_revision,
        .system_version = engine_core_system_version,
        .watch_open = engine_core_watch_open,
        .watch_read = watch_read,
        .watch_close = watch_close,
        .leads = leads,
        .has_leader = has_leader,
        .led_term = led_term,
        .hurry = hurry,
        .stats = stats,
        .close = engine_close,
};

struct raft_engine *raft_engine_of(struct engine *e)
{
	return e->vtable == &vtable ? raft_engine_from(e) : NULL;
}

static void on_question(void *arg, struct slice question, struct strbuf *answer)
{
	struct raft_engine *e = arg;
	if (e->question)
		e->question(e->arg, question, answer);
}

static int open_node(struct raft_engine *e, const struct raft_engine_options *o, const char *folder, struct err *err)
{
	struct raft_node_options n = {.folder = folder,
	        .machine = &e->machine,
	        .cluster_id = o->cluster_id,
	        .id = o->id,
	        .address = o->address,
	        .listen_host = o->listen_host,
	        .listen_port = o->listen_port,
	        .server_tls = o->server_tls,
	        .access = o->access,
	        .heartbeat_ms = o->heartbeat_ms ? o->heartbeat_ms : HEARTBEAT_MS,
	        .election_ms = e->election_ms,
	        .follows_addresses = o->follows_addresses,
	        .snapshot_entries = o->snapshot_entries,
	        .snapshot_bytes = o->snapshot_bytes ? o->snapshot_bytes : SNAPSHOT_BYTES,
	        .state_bytes_per_s = o->state_bytes_per_s,
	        .message = peers_message,
	        .copy_state = apply_copy_state,
	        .state_fetched = apply_state_fetched,
	        .question = on_question,
	        .tick = tick,
	        .tick_ms = TICK_MS,
	        .arg = e};
	return raft_node_open(&n, &e->node, err);
}

static int set_applied(struct raft_engine *e, int64_t index, struct err *err)
{
	engine_core_begin(&e->core);
	e->core.machine.meta.applied_index = index;
	e->core.machine.meta.applied_term = 1;
	engine_core_tell(&e->core, 0);
	return flusher_flush(&e->core.flusher, err);
}

/* A state without a log begins the cluster as its snapshot: those who join later get it, not the log from nothing. */
static int bootstrap(struct raft_engine *e, const struct raft_engine_options *o, struct err *err)
{
	bool has_state = e->core.machine.meta.revision > 1 || e->core.machine.meta.system_version > 1;
	uint64_t index = RAFT_STATE_INDEX;
	if (raft_node_has_log(e->node) || !o->bootstrap)
		return 0;
	if (!has_state)
		return raft_node_bootstrap(e->node, o->bootstrap, o->n_bootstrap, err);
	log_info("store", "the data becomes the first state of a cluster", "revision=%" PRId64,
	        e->core.machine.meta.revision);
	if (set_applied(e, RAFT_STATE_INDEX, err) != 0)
		return err->code;
	return raft_node_bootstrap_state(
	        e->node, o->bootstrap, o->n_bootstrap, (struct slice){(char *)&index, sizeof index}, err);
}

/* ---- joining ----
 *
 * A server that joins is sent a state, which is in place a moment before the log that begins at it. The file "joining"
 * says that a state without a log is such a one, cut short, and no log that was lost. It goes with the first snapshot,
 * or at the next start with a log. */

static const char *joining_file(struct arena *a, const struct raft_engine *e)
{
	return arena_printf(a, "%s/joining", e->data_dir);
}

static int begin_joining(struct raft_engine *e, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *path = joining_file(&a, e);
	int rc = pki_file_write(path, SLICE("1\n"), 0600, err);
	if (rc == 0)
		rc = file_sync_folder(path, err);
	e->is_joining = rc == 0;
	arena_release(&a);
	return rc;
}

static bool was_joining(const struct raft_engine *e)
{
	struct arena a = ARENA_INIT;
	bool was = access(joining_file(&a, e), F_OK) == 0;
	arena_release(&a);
	return was;
}

static void end_joining(struct raft_engine *e)
{
	struct arena a = ARENA_INIT;
	unlink(joining_file(&a, e));
	e->is_joining = false;
	arena_release(&a);
}

/* The state must begin where the log does: a log that is gone or of another life can't be told from an empty one. */
static int check_state(struct raft_engine *e, const struct raft_engine_options *o, struct err *err)
{
	int64_t has = e->core.machine.meta.applied_index;
	if (raft_node_has_log(e->node)) {
		end_joining(e);
		return 0;
	}
	if (has <= 1)
		return o->bootstrap ? 0 : begin_joining(e, err);
	if (was_joining(e)) {
		log_info("store", "joining goes on", "applied=%" PRId64, has);
		e->is_joining = true;
		return 0;
	}
	return err_set(err, ERR_CORRUPT,
	        "%s: the state has entry %" PRId64
	        " of a raft log and the log is not there. Restore a snapshot, or use "
	        "recover --single-node to begin a cluster from this state",
	        o->data_dir, has);
}

static int open_all(struct raft_engine *e, const struct raft_engine_options *o, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *folder = arena_printf(&a, "%s/raft", o->data_dir);
	struct engine_core_options c = {.path = arena_printf(&a, "%s/state.db", o->data_dir),
	        .reader_threads = o->reader_threads,
	        .watch_ring_bytes = o->watch_ring_bytes,
	        .table_bytes = o->table_bytes,
	        .check = o->check};
	int rc = 0;
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		rc = err_errno(err, errno, "make folder %s", folder);
	if (rc == 0)
		rc = engine_core_open(&e->core, &c, err);
	if (rc != 0)
		goto out;
	lessor_rest(&e->core.lessor, true);
	rc = open_node(e, o, folder, err);
	if (rc == 0 && (rc = check_state(e, o, err)) == 0)
		rc = bootstrap(e, o, err);
	if (rc != 0) {
		if (e->node)
			raft_node_close(e->node);
		engine_core_stop_leases(&e->core);
		engine_core_close(&e->core);
	}
out:
	arena_release(&a);
	return rc;
}

int raft_engine_open(const struct raft_engine_options *o, struct engine **ret, struct err *err)
{
	struct raft_engine *e = xcalloc(1, sizeof *e);
	sigset_t all, old;
	e->core.base.vtable = &vtable;
	e->machine.v = &raft_engine_machine;
	e->data_dir = xstrdup(o->data_dir);
	e->election_ms = o->election_ms ? o->election_ms : ELECTION_MS;
	e->timeout_ms = REQUEST_MS + 2 * e->election_ms;
	e->promote_after_ms = o->promote_after_ms;
	e->question = o->question;
	e->arg = o->arg;
	pki_random(&e->origin, sizeof e->origin);
	map_init(&e->by_sequence);
	list_init(&e->by_age);
	list_init(&e->parked);
	list_init(&e->reads);
	list_init(&e->batches);
	loop_defer_init(&e->flush, flush);
	e->applied_task.run = applied;
	apply_init(e);
	int rc = open_all(e, o, err);
	if (rc != 0) {
		release(e);
		return rc;
	}
	sigfillset(&all); /* our threads take no signals */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	raft_node_prepare(e->node);
	e->is_fenced_first = atomic_load(&e->core.rot.is_there); /* the writer would stop over it again */
	atomic_store(&e->is_fenced, e->is_fenced_first);
	apply_start(e);
	rc = raft_node_start(e->node, err);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		engine_close(&e->core.base);
		return rc;
	}
	*ret = &e->core.base;
	return 0;
}

int raft_engine_open_alone(const struct raft_engine_options *o, struct engine **ret, struct err *err)
{
	struct raft_engine_options all = *o;
	struct raft_host_server self = {.id = 1, .address = "http://127.0.0.1", .role = RAFT_HOST_VOTER};
	all.cluster_id = all.id = self.id;
	all.address = self.address;
	all.bootstrap = &self;
	all.n_bootstrap = 1;
	return raft_engine_open(&all, ret, err);
}
