/* The engine for one server: the state machine in one SQLite file, with group commit.
 *
 *     submit --> writes queue --> writer (sqlite_engine_write.c) --> watch hub, answers
 *            \-> reads queue  --> readers (sqlite_engine_read.c) --> answers
 *     lessor (expired leases come back as requests), checkpointer
 *
 * A request is checked without state where it comes in; what only reads goes to the readers, all else to the writer.
 * Durability is SQLite's: write-ahead log with synchronous=FULL, so an answer means that it survives a power cut, and
 * readers see a commit only once it has been synced.
 *
 * Opening takes a lock on a file beside the database (held until the process ends or the engine is closed), because a
 * second writer would make revisions of its own. Closing: intake stops, the queues run empty, threads end in the order
 * lessor, writer, readers, checkpointer; the last connection to close moves the log into the database. */
#include "store/sqlite_engine_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

struct store_key_range store_prefix_range(struct arena *a, struct slice prefix)
{
	size_t n = prefix.len;
	while (n && (unsigned char)prefix.ptr[n - 1] == 0xff)
		n--;
	if (n == 0) /* no prefix, or one that nothing comes after */
		return (struct store_key_range){prefix.len ? prefix : SLICE("\0"), SLICE("\0")};
	char *end = arena_memdup(a, prefix.ptr, n);
	end[n - 1]++;
	return (struct store_key_range){prefix, {end, n}};
}

static void complete_run(struct loop_task *t)
{
	struct store_request *req = CONTAINER_OF(t, struct store_request, task);
	req->done(req);
}

void engine_complete(struct store_request *req)
{
	if (!req->loop) {
		req->done(req);
		return;
	}
	req->task.run = complete_run;
	loop_post(req->loop, &req->task);
}

/* ---- intake ---- */

/* An answer that is known at once must still not come before submit returns. */
static void complete_later(struct sqlite_engine *e, struct store_request *req)
{
	bool stopping;
	if (req->loop || !request_queue_put(&e->reads, req, 0, &stopping))
		engine_complete(req);
}

static int choose_lease_id(struct sqlite_engine *e, struct store_request *req)
{
	struct store_lease_args *a = &req->lease;
	if (a->id < 0 || a->ttl_s <= 0 || a->ttl_s > STORE_LEASE_TTL_S_MAX) {
		req->cause = STORE_CAUSE_LEASE_TTL;
		return err_set(&req->err, ERR_INVAL, "a lease of %" PRId64 " seconds: 1 to %lld are allowed", a->ttl_s,
		        STORE_LEASE_TTL_S_MAX);
	}
	while (a->id == 0 || (a->id < 0)) {
		CHECK(getrandom(&a->id, sizeof a->id, 0) == sizeof a->id);
		a->id &= INT64_MAX;
		if (a->id && lessor_has(&e->lessor, a->id))
			a->id = 0;
	}
	return 0;
}

/* Finds the queue; NULL when the request is answered already. */
static struct request_queue *route(struct sqlite_engine *e, struct store_request *req)
{
	switch (req->type) {
	case STORE_REQUEST_OP:
		if (txn_check_within(&req->op, req->ops_max, req->bytes_max, &req->cause, &req->err) != 0)
			return NULL;
		return txn_is_read_only(&req->op) ? &e->reads : &e->writes;
	case STORE_REQUEST_BARRIER: /* whatever was answered is committed, and readers see commits */
		req->revision = atomic_load(&e->revision);
		return NULL;
	case STORE_REQUEST_LEASE_GRANT:
		return choose_lease_id(e, req) == 0 ? &e->writes : NULL;
	case STORE_REQUEST_COMPACT:
	case STORE_REQUEST_LEASE_REVOKE:
		return &e->writes;
	case STORE_REQUEST_LEASE_KEEPALIVE:
	case STORE_REQUEST_LEASE_TTL:
	case STORE_REQUEST_LEASE_LIST:
	case STORE_REQUEST_HASH:
	case STORE_REQUEST_BACKUP:
		return &e->reads;
	}
	err_set(&req->err, ERR_INVAL, "unknown request %d", (int)req->type);
	return NULL;
}

static void submit(struct engine *base, struct store_request *req)
{
	struct sqlite_engine *e = CONTAINER_OF(base, struct sqlite_engine, base);
	bool stopping;
	req->err.code = 0;
	req->err.msg[0] = 0;
	req->cause = STORE_CAUSE_NONE;
	req->revision = req->compacted_revision = 0;
	req->result = (struct store_result){0};
	struct request_queue *q = route(e, req);
	if (q && request_queue_put(q, req, STORE_REQUESTS_MAX, &stopping))
		return;
	if (q && stopping)
		err_set(&req->err, ERR_UNAVAILABLE, "the store is stopping");
	else if (q)
		err_set(&req->err, ERR_BUSY, "%u requests are waiting for the store: try again", STORE_REQUESTS_MAX);
	complete_later(e, req);
}

/* ---- expiry ---- */

struct expiry {
	struct store_request req;
	struct sqlite_engine *engine;
};

static void expiry_done(struct store_request *req)
{
	struct expiry *x = CONTAINER_OF(req, struct expiry, req);
	if (req->err.code && req->err.code != ERR_NOT_FOUND) {
		log_warn("store", "lease not revoked", "lease=%" PRIx64 " error=\"%s\"", req->lease.id, req->err.msg);
		lessor_retry(&x->engine->lessor, req->lease.id);
	}
	store_request_release(req);
	free(x);
}

static void expire(void *arg, int64_t id)
{
	struct expiry *x = xcalloc(1, sizeof *x);
	x->engine = arg;
	x->req.type = STORE_REQUEST_LEASE_REVOKE;
	x->req.lease.id = id;
	x->req.done = expiry_done;
	submit(&x->engine->base, &x->req);
}

/* ---- the rest of the interface ---- */

static int64_t revision(struct engine *base)
{
	return atomic_load(&CONTAINER_OF(base, struct sqlite_engine, base)->revision);
}

static struct store_watch *engine_watch_open(struct engine *base, const struct store_watch_options *options,
        struct loop *loop, void (*ready)(void *arg), void *arg)
{
	return watch_open(&CONTAINER_OF(base, struct sqlite_engine, base)->hub, options, loop, ready, arg);
}

static void catch_up(void *arg, struct store_request *job)
{
	struct sqlite_engine *e = arg;
	bool stopping;
	/* Bounded by the number of watches. All of them are closed before the engine is, so it does not stop. */
	CHECK(request_queue_put(&e->reads, job, 0, &stopping));
}

static int64_t file_bytes(const char *path, const char *suffix)
{
	struct stat st;
	char *name = xprintf("%s%s", path, suffix);
	int64_t n = stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
	free(name);
	return n;
}

static void stats(struct engine *base, struct store_stats *out)
{
	struct sqlite_engine *e = CONTAINER_OF(base, struct sqlite_engine, base);
	int64_t size = file_bytes(e->path, "");
	*out = (struct store_stats){
	        .revision = atomic_load(&e->revision),
	        .compacted_revision = atomic_load(&e->compacted),
	        .size_bytes = size + file_bytes(e->path, "-wal"),
	        .size_in_use_bytes = atomic_load(&e->used_bytes),
	        .keys = atomic_load(&e->keys),
	        .watches = atomic_load(&e->hub.watches),
	};
}

static void engine_close(struct engine *base);

static const struct engine_vtable vtable = {
        .name = "sqlite",
        .submit = submit,
        .revision = revision,
        .watch_open = engine_watch_open,
        .watch_read = watch_read,
        .watch_close = watch_close,
        .stats = stats,
        .close = engine_close,
};

/* ---- opening and closing ---- */

int sqlite_engine_lock(const char *path, int *ret_fd, struct err *err)
{
	char *name = xprintf("%s.lock", path);
	char pid[32] = "";
	int rc = 0;
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = err_errno(err, errno, "open %s", name);
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
		pid[n > 0 ? n : 0] = 0;
		pid[strcspn(pid, "\n")] = 0;
		rc = err_set(
		        err, ERR_LOCKED, "%s is in use by process %s: stop it first", path, pid[0] ? pid : "(unknown)");
		close(fd);
	} else {
		int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
		if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n)
			log_warn("store", "lock file not written", "path=%s",
			        name); /* the lock counts, not what is in it */
		*ret_fd = fd;
	}
	free(name);
	return rc;
}

static int load_leases(struct sqlite_engine *e, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&e->machine.db, DB_LEASE_ALL);
	int rc;
	while ((rc = db_step(&e->machine.db, s, err, "read the leases")) == 1)
		lessor_add(&e->lessor, sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1));
	db_done(s);
	return rc;
}

static int wal_hook(void *arg, sqlite3 *handle, const char *name, int pages)
{
	struct sqlite_engine *e = arg;
	atomic_store(&e->wal_bytes, (int64_t)pages * (DB_PAGE_BYTES + 24));
	return SQLITE_OK;
}

static int start_readers(struct sqlite_engine *e, unsigned n, struct err *err)
{
	for (unsigned i = 0; i < n; i++) {
		struct reader *r = &e->readers[i];
		r->engine = e;
		int rc = db_open(&r->db, e->path, DB_READER, err);
		if (rc != 0)
			return rc;
		e->n_readers++;
	}
	for (unsigned i = 0; i < n; i++)
		CHECK(pthread_create(&e->readers[i].thread, NULL, sqlite_engine_reader_main, &e->readers[i]) == 0);
	return 0;
}

static void release(struct sqlite_engine *e)
{
	request_queue_release(&e->writes);
	request_queue_release(&e->reads);
	write_gate_release(&e->gate);
	close(e->lock_fd);
	free(e->path);
	free(e);
}

static int start(struct sqlite_engine *e, const struct sqlite_engine_options *o, struct err *err)
{
	int rc = machine_open(&e->machine, e->path, err);
	if (rc != 0)
		return rc;
	const struct meta *m = &e->machine.committed;
	atomic_store(&e->revision, m->revision);
	atomic_store(&e->compacted, m->compacted);
	atomic_store(&e->keys, m->keys);
	atomic_store(&e->used_bytes, db_used_bytes(&e->machine.db));
	sqlite3_wal_hook(e->machine.db.handle, wal_hook, e);
	rc = checkpointer_start(&e->checkpointer, e->path, &e->gate, err);
	if (rc != 0)
		goto fail_machine;
	unsigned n = o->reader_threads ? o->reader_threads : 2;
	rc = start_readers(e, n < READERS_MAX ? n : READERS_MAX, err);
	if (rc != 0)
		goto fail_readers;
	size_t ring = o->watch_ring_bytes ? o->watch_ring_bytes : STORE_WATCH_RING_BYTES_MAX;
	watch_hub_init(&e->hub, m, ring, catch_up, e);
	e->may_shrink = true;
	lessor_init(&e->lessor, expire, e);
	rc = load_leases(e, err);
	CHECK(rc == 0); /* the writer's connection stops the process by itself */
	CHECK(pthread_create(&e->writer, NULL, sqlite_engine_writer_main, e) == 0);
	return 0;
fail_readers:
	for (unsigned i = 0; i < e->n_readers; i++)
		db_close(&e->readers[i].db);
	checkpointer_stop(&e->checkpointer);
fail_machine:
	machine_close(&e->machine);
	return rc;
}

int sqlite_engine_open(const struct sqlite_engine_options *options, struct engine **ret, struct err *err)
{
	sigset_t all, old;
	int fd = -1;
	int rc = sqlite_engine_lock(options->path, &fd, err);
	if (rc != 0)
		return rc;
	struct sqlite_engine *e = xcalloc(1, sizeof *e);
	e->base.vtable = &vtable;
	e->path = xstrdup(options->path);
	e->lock_fd = fd;
	request_queue_init(&e->writes);
	request_queue_init(&e->reads);
	write_gate_init(&e->gate);
	sigfillset(&all); /* our threads take no signals */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = start(e, options, err);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		release(e);
		return rc;
	}
	log_info("store", "opened", "path=%s revision=%" PRId64 " compacted=%" PRId64 " keys=%" PRId64, e->path,
	        atomic_load(&e->revision), atomic_load(&e->compacted), atomic_load(&e->keys));
	*ret = &e->base;
	return 0;
}

static void engine_close(struct engine *base)
{
	struct sqlite_engine *e = CONTAINER_OF(base, struct sqlite_engine, base);
	lessor_stop(&e->lessor);
	request_queue_stop(&e->writes);
	pthread_join(e->writer, NULL);
	request_queue_stop(&e->reads);
	for (unsigned i = 0; i < e->n_readers; i++) {
		pthread_join(e->readers[i].thread, NULL);
		db_close(&e->readers[i].db);
	}
	checkpointer_stop(&e->checkpointer);
	watch_hub_release(&e->hub);
	lessor_release(&e->lessor);
	machine_close(&e->machine);
	release(e);
}
