/* The engine over a shared log. What a database of somebody else keeps is the log of commands and now and then the
 * whole state; what makes revisions, transactions, ranges, watches and leases of them is the same state machine that
 * the replicated engine runs, on every server, over a copy of the state that may be lost at any time.
 *
 *     submit --(serializable)-----------------------------------------------> readers --> answers
 *         \--> log thread --(writes: one entry for all that waits)--> the log --> applied --> watch hub, answers
 *                   \--(reads: what is the newest entry?)--> applied up to it --> readers --> answers
 *
 * The database orders: an entry gets its index under one row's lock, so the order of commits is the order of indexes,
 * there is no gap, and whoever sees an entry sees all before it, whatever the isolation level. Everything else follows
 * from applying the same commands in the same order: no revision is lost or doubled, for no revision is ever decided in
 * SQL. An entry holds what many clients asked for within one round trip, and is packed: the database's rate of commits
 * does not bound ours.
 *
 * In doubt: a connection that is lost over an entry leaves open whether it is there. An entry says which life of which
 * server wrote it and which of its entries it is; the log takes each once. So it is sent again, with the same name, and
 * comes by the log once, or its time is over and those who wait are told that nobody knows.
 *
 * Leading is said in the log, too (log_role.c): terms are counted by entries, not by clocks of the database.
 *
 * Threads: callers; the log thread, which owns the connection and applies; the snapper, with a connection of its own;
 * the core's. Closing: the lessor stops, the log thread sends what it has, says that it leads no longer, and ends.
 *
 * What can go wrong: the database is away (requests wait, five seconds at most, and are answered UNAVAILABLE when they
 * were not sent, TIMEOUT when they may have been); it went back in time (a backup was restored, a standby that was
 * behind took over): this copy has what the log has not, so it is thrown away at the next start, which is forced. */
#include "store/engine/log_engine_int.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/file/file_sync.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "store/machine/system.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUEST_MS = 7000, CONNECT_WAIT_MS = 60000, CONNECT_RETRY_MS = 500, POLL_MS_MAX = 50, BEAT_MS = 1000 };
enum { APPENDS_FIRST_NS = 100000, APPENDS_BOUNDS = 16 };
#define SNAPSHOT_BYTES (UINT64_C(16) * 1024 * 1024)
#define SNAPSHOT_ENTRIES 100000

/* ---- intake ---- */

enum way { WAY_HERE, WAY_READ, WAY_WRITE };

static int check_write(struct log_engine *e, struct store_request *req)
{
	if (req->type == STORE_REQUEST_LEASE_GRANT && engine_core_choose_lease_id(&e->core, req) != 0)
		return req->err.code;
	if (req->type == STORE_REQUEST_SYSTEM && system_check(req) != 0)
		return req->err.code;
	if (flusher_is_full(&e->core.flusher) || atomic_load(&e->is_full))
		return err_set(&req->err, ERR_NO_SPACE, "the disk of this server is full: make room");
	if (req->type == STORE_REQUEST_OP && req->term_expected && req->term_expected != atomic_load(&e->led_term))
		return err_set(&req->err, ERR_CANCELED,
		        "this server does not lead any more: another does what one does for all");
	return 0;
}

static int route(struct log_engine *e, struct store_request *req, enum way *way)
{
	*way = WAY_READ;
	switch (req->type) {
	case STORE_REQUEST_OP:
		if (txn_check_within(&req->op, req->ops_max, req->bytes_max, &req->cause, &req->err) != 0)
			return req->err.code;
		if (!txn_is_read_only(&req->op)) {
			*way = WAY_WRITE;
			return check_write(e, req);
		}
		if (txn_may_be_behind(&req->op))
			*way = WAY_HERE;
		return 0;
	case STORE_REQUEST_COMPACT:
	case STORE_REQUEST_LEASE_GRANT:
	case STORE_REQUEST_LEASE_REVOKE:
	case STORE_REQUEST_SYSTEM:
	case STORE_REQUEST_LEASE_KEEPALIVE:
		*way = WAY_WRITE;
		return check_write(e, req);
	case STORE_REQUEST_LEASE_TTL:
	case STORE_REQUEST_BARRIER:
		return 0;
	case STORE_REQUEST_SYSTEM_READ:
		*way = req->system.is_local ? WAY_HERE : WAY_READ;
		return 0;
	case STORE_REQUEST_LEASE_LIST:
	case STORE_REQUEST_HASH:
	case STORE_REQUEST_BACKUP:
		*way = WAY_HERE;
		return 0;
	case STORE_REQUEST_DEFRAGMENT:
		break; /* has gone another way */
	}
	return err_set(&req->err, ERR_INVAL, "unknown request %d", (int)req->type);
}

static void read_here(struct log_engine *e, struct store_request *req)
{
	if (req->type == STORE_REQUEST_BACKUP)
		engine_core_read_flushed(&e->core, req);
	else if (req->loop && engine_core_read_in_memory(&e->core, req))
		engine_core_complete_later(&e->core, req);
	else
		engine_core_read(&e->core, req, STORE_REQUESTS_MAX);
}

static struct log_waiting *wait_for(struct log_engine *e, struct store_request *req, enum way way)
{
	struct log_waiting *w = xcalloc(1, sizeof *w);
	w->req = req;
	w->deadline_ms = clock_mono_ms() + e->options.request_ms;
	if (way != WAY_WRITE)
		return w;
	if (req->type == STORE_REQUEST_LEASE_KEEPALIVE) {
		w->item = (struct log_item){.kind = LOG_ITEM_KEEP_ALIVE, .lease = req->lease.id};
		return w;
	}
	struct command_head head = {.origin = e->origin};
	if (req->type == STORE_REQUEST_LEASE_REVOKE && req->revision_arg) /* by expiry: void in another term */
		head.term = atomic_load(&e->led_term);
	if (req->type == STORE_REQUEST_OP)
		head.term = req->term_expected;
	command_encode(&w->command, &head, req);
	CHECK(w->command.len > 0);
	w->item = (struct log_item){.kind = LOG_ITEM_COMMAND, .command = strbuf_slice(&w->command)};
	return w;
}

/* False: the store is stopping. */
static bool enqueue(struct log_engine *e, struct log_waiting *w, enum way way)
{
	pthread_mutex_lock(&e->lock);
	bool ok = !e->stopping;
	bool ring = ok && e->is_sleeping;
	if (ok)
		list_push_back(way == WAY_WRITE ? &e->incoming_writes : &e->incoming_reads, &w->link);
	if (ring)
		e->is_sleeping = false;
	pthread_mutex_unlock(&e->lock);
	if (ring)
		CHECK(eventfd_write(e->bell, 1) == 0);
	return ok;
}

static void hand_over(struct log_engine *e, struct store_request *req, enum way way)
{
	CHECK(way == WAY_READ || way == WAY_WRITE);
	if (atomic_fetch_add(&e->outstanding, 1) >= STORE_REQUESTS_MAX) {
		err_set(&req->err, ERR_BUSY, "%u requests are waiting for the store: try again", STORE_REQUESTS_MAX);
	} else {
		struct log_waiting *w = wait_for(e, req, way);
		size_t entry_max = atomic_load(&e->entry_bytes_max);
		if (w->command.len > STORE_COMMAND_BYTES_MAX || w->command.len + 1024 > entry_max)
			err_set(&req->err, ERR_TOO_BIG,
			        "the request is too large for the log: %zu bytes, %zu are allowed", w->command.len,
			        entry_max - 1024);
		else if (enqueue(e, w, way))
			return;
		else
			err_set(&req->err, ERR_UNAVAILABLE, "the store is stopping");
		strbuf_release(&w->command);
		free(w);
	}
	atomic_fetch_sub(&e->outstanding, 1);
	engine_core_complete_later(&e->core, req);
}

static void submit(struct engine *base, struct store_request *req)
{
	struct log_engine *e = log_engine_from(base);
	enum way way = WAY_HERE;
	CHECK(req->done != NULL);
	engine_reset_answer(req);
	if (atomic_load(&e->closing))
		err_set(&req->err, ERR_UNAVAILABLE, "the store is stopping");
	else if (req->type == STORE_REQUEST_DEFRAGMENT) {
		flusher_defragment(&e->core.flusher, req);
		return;
	} else {
		route(e, req, &way);
	}
	if (req->err.code)
		engine_core_complete_later(&e->core, req);
	else if (way == WAY_HERE)
		read_here(e, req);
	else
		hand_over(e, req, way);
}

/* ---- status ---- */

void log_note_error(struct log_engine *e, const struct err *err)
{
	pthread_mutex_lock(&e->lock);
	snprintf(e->last_error, sizeof e->last_error, "%s", err ? err->msg : "");
	pthread_mutex_unlock(&e->lock);
}

void log_engine_status(struct log_engine *e, struct log_engine_status *ret)
{
	*ret = (struct log_engine_status){.kind = e->log->v->name,
	        .cluster_id = e->id,
	        .is_connected = atomic_load(&e->is_connected),
	        .term = atomic_load(&e->shown_term),
	        .leads = atomic_load(&e->led_term) != 0,
	        .applied_index = atomic_load(&e->core.applied_index),
	        .snapshot_index = atomic_load(&e->snapper.index)};
	pthread_mutex_lock(&e->lock);
	snprintf(ret->last_error, sizeof ret->last_error, "%s", e->last_error);
	pthread_mutex_unlock(&e->lock);
}

static bool leads(struct engine *base)
{
	return atomic_load(&log_engine_from(base)->led_term) != 0;
}

static uint64_t led_term(struct engine *base)
{
	return atomic_load(&log_engine_from(base)->led_term);
}

static bool has_leader(struct engine *base)
{
	return atomic_load(&log_engine_from(base)->is_led);
}

static void hurry(struct engine *base)
{
	atomic_store(&log_engine_from(base)->is_hurried, true);
}

static void stats(struct engine *base, struct store_stats *out)
{
	engine_core_stats(base, out);
	out->syncs = &log_engine_from(base)->appends;
}

/* ---- life ---- */

static void release(struct log_engine *e)
{
	CHECK(list_empty(&e->incoming_writes) && list_empty(&e->incoming_reads));
	CHECK(list_empty(&e->writes) && list_empty(&e->reads) && list_empty(&e->flight.requests));
	if (e->log) {
		e->log->v->disconnect(e->log);
		e->log->v->free(e->log);
	}
	if (e->bell >= 0)
		close(e->bell);
	if (e->options.source.close)
		e->options.source.close(e->options.source.arg);
	strbuf_release(&e->flight.bytes);
	pthread_mutex_destroy(&e->lock);
	free(e->data_dir);
	free(e);
}

static void engine_close(struct engine *base)
{
	struct log_engine *e = log_engine_from(base);
	engine_core_stop_leases(&e->core);
	log_snapper_stop(e);
	pthread_mutex_lock(&e->lock);
	e->stopping = true;
	pthread_mutex_unlock(&e->lock);
	CHECK(eventfd_write(e->bell, 1) == 0);
	CHECK(!pthread_equal(e->thread, pthread_self()));
	pthread_join(e->thread, NULL);
	CHECK(atomic_load(&e->outstanding) == 0);
	atomic_store(&e->closing, true);
	engine_core_close(&e->core);
	release(e);
}

static const struct engine_vtable vtable = {
        .name = "log",
        .is_external = true,
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

struct log_engine *log_engine_of(struct engine *e)
{
	return e->vtable == &vtable ? log_engine_from(e) : NULL;
}

/* ---- opening ---- */

/* Opening goes in steps. When the log is not reached, or is lost over one, the step is done again until the time for
 * opening is over. */
typedef int opening_step(struct log_engine *e, struct err *err);

static int try_step(struct log_engine *e, opening_step *step, struct err *err)
{
	if (!atomic_load(&e->is_connected)) {
		int rc = e->log->v->connect(e->log, err);
		if (rc != 0)
			return rc;
		atomic_store(&e->is_connected, true);
	}
	return step(e, err);
}

static int insist(struct log_engine *e, opening_step *step, struct err *err)
{
	bool was_said = false;
	int rc;
	while ((rc = try_step(e, step, err)) == ERR_UNAVAILABLE && clock_mono_ms() < e->open_until_ms) {
		if (!was_said)
			log_warn("store", "the datastore is not reached yet", "kind=%s error=\"%s\"", e->log->v->name,
			        err->msg);
		was_said = true;
		e->log->v->disconnect(e->log);
		atomic_store(&e->is_connected, false);
		usleep(CONNECT_RETRY_MS * 1000);
		*err = ERR_INIT;
	}
	return rc;
}

static int open_core(struct log_engine *e, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct engine_core_options c = {.path = arena_printf(&a, "%s/state.db", e->data_dir),
	        .reader_threads = e->options.reader_threads,
	        .table_bytes = e->options.table_bytes,
	        .check = e->options.check};
	e->core.base.vtable = &vtable;
	int rc = engine_core_open(&e->core, &c, err);
	if (rc == 0)
		lessor_rest(&e->core.lessor, true);
	arena_release(&a);
	return rc;
}

static void close_core(struct log_engine *e)
{
	engine_core_stop_leases(&e->core);
	engine_core_close(&e->core);
	memset(&e->core, 0, sizeof e->core);
}

static const char *in_data_dir(struct arena *a, struct log_engine *e, const char *name)
{
	return arena_printf(a, "%s/%s", e->data_dir, name);
}

/* The copy is of the log that this file names, and of its life that has all the copy has. */
static bool copy_fits(struct log_engine *e, uint64_t id)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	char *text, *end;
	size_t len;
	bool fits = access(in_data_dir(&a, e, "rebuild"), F_OK) != 0 &&
	            pki_file_read(in_data_dir(&a, e, "log"), &text, &len, &err) == 0;
	if (fits) {
		fits = strtoull(text, &end, 16) == id;
		free(text);
	}
	arena_release(&a);
	return fits;
}

void log_forget_copy_later(struct log_engine *e)
{
	char *mark = xprintf("%s/rebuild", e->data_dir);
	FILE *f = fopen(mark, "we");
	if (f)
		fclose(f);
	free(mark);
}

static int forget_copy(struct log_engine *e, uint64_t id, struct err *err)
{
	static const char *const parts[] = {
	        "state.db", "state.db-wal", "state.db-shm", "state.db.next", "rebuild", "led"};
	struct arena a = ARENA_INIT;
	char text[24];
	int rc = 0;
	for (size_t i = 0; i < COUNT_OF(parts) && rc == 0; i++)
		if (unlink(in_data_dir(&a, e, parts[i])) != 0 && errno != ENOENT)
			rc = err_errno(err, errno, "remove %s", in_data_dir(&a, e, parts[i]));
	int n = snprintf(text, sizeof text, "%016" PRIx64 "\n", id);
	if (rc == 0)
		rc = pki_file_write(in_data_dir(&a, e, "log"), (struct slice){text, (size_t)n}, 0600, err);
	if (rc == 0)
		rc = file_sync_folder(in_data_dir(&a, e, "log"), err);
	arena_release(&a);
	return rc;
}

static int open_copy(struct log_engine *e, struct err *err)
{
	struct shared_log_head head;
	LOG_CHECK_OWNER(e);
	int rc = e->log->v->head(e->log, &head, err);
	if (rc != 0)
		return rc;
	if (!copy_fits(e, head.id) && (rc = forget_copy(e, head.id, err)) != 0)
		return rc;
	e->id = head.id;
	e->log_entries = head.entries;
	rc = open_core(e, err);
	if (rc == 0 && log_applied(e) > head.last) {
		log_warn("store", "the datastore has lost what this server has seen: its copy is thrown away",
		        "here=%" PRId64 " there=%" PRId64, log_applied(e), head.last);
		close_core(e);
		rc = forget_copy(e, head.id, err);
		if (rc == 0)
			rc = open_core(e, err);
	}
	atomic_store(&e->snapper.index, head.snapshot);
	e->log->is_look_only = true; /* what is gone from now on was taken away */
	return rc;
}

/* Once it is open. An empty copy takes the snapshot: sooner than by way of a log that may be empty. */
static int fill_copy(struct log_engine *e, struct err *err)
{
	int rc = log_check_head(e, err);
	if (rc == 0 && log_applied(e) == 0 && atomic_load(&e->snapper.index))
		rc = log_snapshot_install(e, err);
	return rc == 0 ? log_catch_up(e, err) : rc;
}

static void init(struct log_engine *e, const struct log_engine_options *o)
{
	CHECK(o->data_dir && o->source.open);
	e->options = *o;
	if (!e->options.poll_ms_max)
		e->options.poll_ms_max = POLL_MS_MAX;
	if (!e->options.request_ms)
		e->options.request_ms = REQUEST_MS;
	if (!e->options.beat_ms)
		e->options.beat_ms = BEAT_MS;
	if (!e->options.snapshot_bytes)
		e->options.snapshot_bytes = SNAPSHOT_BYTES;
	if (!e->options.snapshot_entries)
		e->options.snapshot_entries = SNAPSHOT_ENTRIES;
	e->options.data_dir = e->data_dir = xstrdup(o->data_dir);
	e->open_until_ms = clock_mono_ms() + (o->connect_wait_ms ? o->connect_wait_ms : CONNECT_WAIT_MS);
	histogram_init_doubling(&e->appends, APPENDS_FIRST_NS, APPENDS_BOUNDS);
	pthread_mutex_init(&e->lock, NULL);
	list_init(&e->incoming_writes);
	list_init(&e->incoming_reads);
	list_init(&e->writes);
	list_init(&e->reads);
	list_init(&e->flight.requests);
	e->owner = pthread_self();
	while (!e->origin)
		pki_random(&e->origin, sizeof e->origin);
	e->origin &= INT64_MAX; /* databases have signed numbers */
	e->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void start_threads(struct log_engine *e)
{
	sigset_t all, old;
	sigfillset(&all); /* our threads take no signals */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	log_snapper_start(e);
	CHECK(pthread_create(&e->thread, NULL, log_thread_main, e) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int log_engine_open(const struct log_engine_options *o, struct engine **ret, struct err *err)
{
	struct log_engine *e = xcalloc(1, sizeof *e);
	init(e, o);
	e->log = o->source.open(o->source.arg);
	int rc = e->bell < 0 ? err_errno(err, errno, "eventfd") : insist(e, open_copy, err);
	if (rc != 0) {
		release(e);
		return rc;
	}
	atomic_store(&e->entry_bytes_max, e->log->entry_bytes_max);
	log_role_open(e);
	rc = insist(e, fill_copy, err);
	if (rc == ERR_CORRUPT)
		log_forget_copy_later(e);
	if (rc != 0) {
		close_core(e);
		release(e);
		return rc;
	}
	log_info("store", "the datastore is open", "kind=%s applied=%" PRId64 " revision=%" PRId64, e->log->v->name,
	        log_applied(e), store_revision(&e->core.base));
	start_threads(e);
	*ret = &e->core.base;
	return 0;
}
