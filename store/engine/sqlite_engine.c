/* The engine for one server: the state machine in one SQLite file, with group commit.
 *
 *     submit --> writes queue --> writer (sqlite_engine_write.c) --> watch hub, answers
 *            \-> the core's readers --> answers
 *
 * A request is checked without state where it comes in; what only reads goes to the readers, all else to the writer.
 * Durability is SQLite's: write-ahead log with synchronous=FULL, so an answer means that it survives a power cut, and
 * readers see a commit only once it has been synced. Closing: intake stops, then the queues run empty. */
#include "store/engine/sqlite_engine_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/machine/system.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

/* ---- intake ---- */

/* Finds the queue; NULL when the request is answered already. */
static struct request_queue *route(struct sqlite_engine *e, struct store_request *req)
{
	switch (req->type) {
	case STORE_REQUEST_OP:
		if (txn_check_within(&req->op, req->ops_max, req->bytes_max, &req->cause, &req->err) != 0)
			return NULL;
		return txn_is_read_only(&req->op) ? &e->core.reads : &e->writes;
	case STORE_REQUEST_BARRIER: /* whatever was answered is committed, and readers see commits */
		req->revision = atomic_load(&e->core.revision);
		return NULL;
	case STORE_REQUEST_LEASE_GRANT:
		return engine_core_choose_lease_id(&e->core, req) == 0 ? &e->writes : NULL;
	case STORE_REQUEST_COMPACT:
	case STORE_REQUEST_DEFRAGMENT:
	case STORE_REQUEST_LEASE_REVOKE:
		return &e->writes;
	case STORE_REQUEST_SYSTEM:
		return system_check(req) == 0 ? &e->writes : NULL;
	case STORE_REQUEST_LEASE_KEEPALIVE:
	case STORE_REQUEST_LEASE_TTL:
	case STORE_REQUEST_LEASE_LIST:
	case STORE_REQUEST_HASH:
	case STORE_REQUEST_BACKUP:
	case STORE_REQUEST_SYSTEM_READ:
		return &e->core.reads;
	}
	err_set(&req->err, ERR_INVAL, "unknown request %d", (int)req->type);
	return NULL;
}

static void submit(struct engine *base, struct store_request *req)
{
	struct sqlite_engine *e = CONTAINER_OF(base, struct sqlite_engine, core.base);
	bool stopping;
	engine_reset_answer(req);
	struct request_queue *q = route(e, req);
	if (q && request_queue_put(q, req, STORE_REQUESTS_MAX, &stopping))
		return;
	if (q && stopping)
		err_set(&req->err, ERR_UNAVAILABLE, "the store is stopping");
	else if (q)
		err_set(&req->err, ERR_BUSY, "%u requests are waiting for the store: try again", STORE_REQUESTS_MAX);
	engine_core_complete_later(&e->core, req);
}

/* ---- opening and closing ---- */

static void engine_close(struct engine *base)
{
	struct sqlite_engine *e = CONTAINER_OF(base, struct sqlite_engine, core.base);
	engine_core_stop_leases(&e->core);
	request_queue_stop(&e->writes);
	pthread_join(e->writer, NULL);
	engine_core_close(&e->core);
	request_queue_release(&e->writes);
	free(e);
}

static bool leads(struct engine *base)
{
	return true; /* there is nobody else */
}

static const struct engine_vtable vtable = {
        .name = "sqlite",
        .submit = submit,
        .revision = engine_core_revision,
        .system_version = engine_core_system_version,
        .watch_open = engine_core_watch_open,
        .watch_read = watch_read,
        .watch_close = watch_close,
        .leads = leads,
        .stats = engine_core_stats,
        .close = engine_close,
};

int sqlite_engine_open(const struct sqlite_engine_options *options, struct engine **ret, struct err *err)
{
	sigset_t all, old;
	struct sqlite_engine *e = xcalloc(1, sizeof *e);
	e->core.base.vtable = &vtable;
	request_queue_init(&e->writes);
	struct engine_core_options o = {.path = options->path,
	        .reader_threads = options->reader_threads,
	        .watch_ring_bytes = options->watch_ring_bytes,
	        .is_full_sync = true,
	        .check = options->check};
	int rc = engine_core_open(&e->core, &o, err);
	if (rc != 0) {
		request_queue_release(&e->writes);
		free(e);
		return rc;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	CHECK(pthread_create(&e->writer, NULL, sqlite_engine_writer_main, e) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	*ret = &e->core.base;
	return 0;
}
