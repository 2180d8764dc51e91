/* The part of an engine that is not about where commands come from. See core_int.h.
 *
 *     reads queue --> readers (core_read.c) --> answers
 *     the applying thread --> state machine --> watch hub, answers
 *     flusher: memory table --> database;  lessor (expired leases go to the engine)
 *
 * Opening takes a lock on a file beside the database (held until the process ends or the engine is closed), because a
 * second writer would make revisions of its own. Threads end in the order lessor, applying thread, readers, flusher;
 * the last connection to close moves the write-ahead log into the database, which then is the whole state.
 *
 * Replacing the database (a follower that is sent a newer state): the new file becomes PATH.next, which is the point of
 * no return, the old one is closed and removed with its write-ahead log, and the new one renamed. A crash in between is
 * finished at the next opening. */
#include "store/engine/core_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/file/file_sync.h"
#include "base/pki/pki.h"
#include "store/machine/database/data_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* 1 ms, doubling up to 8.2 s: etcd's buckets. */
enum { EXPIRY_RETRY_MS = 1000 };
enum { DISK_FIRST_NS = 1000000, DISK_BOUNDS = 14 };

struct store_key_range store_prefix_range(struct arena *a, struct slice prefix)
{
	size_t n = prefix.len;
	while (n && (unsigned char)prefix.ptr[n - 1] == 0xff)
		n--;
	if (n == 0) /* no prefix, or one that nothing comes after */
		return (struct store_key_range){prefix.len ? prefix : SLICE("\0"), SLICE("\0")};
	char *end = arena_memdup(a, prefix.ptr, n);
	CHECK((unsigned char)end[n - 1] != 0xff);
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
	CHECK(req->done != NULL);
	if (!req->loop) {
		req->done(req);
		return;
	}
	req->task.run = complete_run;
	loop_post(req->loop, &req->task);
}

void engine_reset_answer(struct store_request *req)
{
	req->err.code = 0;
	req->err.msg[0] = 0;
	req->cause = STORE_CAUSE_NONE;
	req->revision = req->compacted_revision = 0;
	req->result = (struct store_result){0};
	req->lease.more = false;
	req->snapshot = NULL;
	arena_release(&req->answer);
}

void engine_core_complete_later(struct engine_core *c, struct store_request *req)
{
	bool stopping;
	if (req->loop || !request_queue_put(&c->reads, req, 0, &stopping))
		engine_complete(req);
}

int engine_core_choose_lease_id(struct engine_core *c, struct store_request *req)
{
	struct store_lease_args *a = &req->lease;
	if (a->ttl_s <= 0 || a->ttl_s > STORE_LEASE_TTL_S_MAX) {
		req->cause = STORE_CAUSE_LEASE_TTL;
		return err_set(&req->err, ERR_INVAL, "a lease of %" PRId64 " seconds: 1 to %lld are allowed", a->ttl_s,
		        STORE_LEASE_TTL_S_MAX);
	}
	while (a->id == 0) {
		pki_random(&a->id, sizeof a->id);
		a->id &= INT64_MAX;
		if (a->id && lessor_has(&c->lessor, a->id))
			a->id = 0;
	}
	return 0;
}

void engine_core_read(struct engine_core *c, struct store_request *req, unsigned limit)
{
	bool stopping;
	if (request_queue_put(&c->reads, req, limit, &stopping))
		return;
	if (stopping)
		err_set(&req->err, ERR_UNAVAILABLE, "the store is stopping");
	else
		err_set(&req->err, ERR_BUSY, "%u requests are waiting for the store: try again", limit);
	engine_core_complete_later(c, req);
}

/* ---- engine.h ---- */

int64_t engine_core_system_version(struct engine *base)
{
	return atomic_load(&CONTAINER_OF(base, struct engine_core, base)->system_version);
}

int64_t engine_core_revision(struct engine *base)
{
	return atomic_load(&CONTAINER_OF(base, struct engine_core, base)->revision);
}

struct store_watch *engine_core_watch_open(struct engine *base, const struct store_watch_options *options,
        struct loop *loop, void (*ready)(void *arg), void *arg)
{
	return watch_open(&CONTAINER_OF(base, struct engine_core, base)->hub, options, loop, ready, arg);
}

static void catch_up(void *arg, struct store_request *job)
{
	struct engine_core *c = arg;
	bool stopping;
	/* Bounded by the number of watches. All of them are closed before the engine is, so it does not stop. */
	CHECK(request_queue_put(&c->reads, job, 0, &stopping));
}

static int64_t file_bytes(const char *path, const char *suffix)
{
	struct stat st;
	char *name = xprintf("%s%s", path, suffix);
	int64_t n = stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
	free(name);
	return n;
}

void engine_core_stats(struct engine *base, struct store_stats *out)
{
	struct engine_core *c = CONTAINER_OF(base, struct engine_core, base);
	struct mem_table_state table;
	mem_table_state(&c->machine.table, &table);
	*out = (struct store_stats){
	        .revision = atomic_load(&c->revision),
	        .compacted_revision = atomic_load(&c->compacted),
	        .size_bytes = file_bytes(c->path, "") + file_bytes(c->path, "-wal"),
	        .size_in_use_bytes = atomic_load(&c->flusher.used_bytes) + (int64_t)table.data_bytes,
	        .keys = atomic_load(&c->keys),
	        .rotten = atomic_load(&c->rot.found),
	        .rotten_alone = atomic_load(&c->rot.found),
	        .watches = atomic_load(&c->hub.watches),
	        .ranges = atomic_load(&c->operations.ranges),
	        .puts = atomic_load(&c->operations.puts),
	        .deletes = atomic_load(&c->operations.deletes),
	        .txns = atomic_load(&c->operations.txns),
	        .commits = &c->flush_times,
	};
}

/* ---- opening and closing ---- */

static void add_lease(void *arg, int64_t id, int64_t ttl_s)
{
	lessor_add(arg, id, ttl_s);
}

static int load_leases(struct engine_core *c, struct err *err)
{
	struct store_view v;
	int rc = store_view_open(&v, &c->machine.table, &c->machine.db, err);
	if (rc == 0)
		rc = lease_each(&v, add_lease, &c->lessor, err);
	store_view_close(&v);
	return rc;
}

static void show_counters(struct engine_core *c, const struct meta *m)
{
	atomic_store(&c->keys, m->keys);
	atomic_store(&c->system_version, m->system_version);
	atomic_store(&c->compacted, m->compacted);
	atomic_store(&c->applied_index, m->applied_index);
	atomic_store(&c->revision, m->revision);
}

static void close_connections(struct engine_core *c)
{
	for (unsigned i = 0; i < c->n_readers; i++)
		db_close(&c->readers[i].db);
	db_close(&c->checker.db);
}

/* The readers' and the page checker's; and the one that writes is set up: what is not synced the log has. */
static int open_connections(struct engine_core *c, struct err *err)
{
	int rc = 0;
	sqlite3_exec(c->machine.tables.handle, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	for (unsigned i = 0; i < c->n_readers && rc == 0; i++)
		rc = db_open(&c->readers[i].db, c->path, DB_READER, err);
	if (rc == 0)
		rc = db_open(&c->checker.db, c->path, DB_CHECKPOINTER, err);
	if (rc != 0)
		close_connections(c);
	else
		show_counters(c, &c->machine.meta);
	return rc;
}

static int open_database(struct engine_core *c, struct err *err)
{
	int rc = machine_open(&c->machine, c->path, err);
	c->machine.counters = &c->operations;
	if (rc == 0 && (rc = open_connections(c, err)) != 0)
		machine_close(&c->machine);
	return rc;
}

/* A mark that stays costs a look at all pages at the next start, no more. */
static void forget_rot(const char *path)
{
	char *mark = db_rotten_mark(path);
	unlink(mark);
	free(mark);
}

/* A replacement that a crash cut short. */
static int finish_swap(const char *path, struct err *err)
{
	static const char *const parts[] = {"-wal", "-shm"};
	char *next = xprintf("%s.next", path);
	int rc = 0;
	if (access(next, F_OK) != 0)
		goto out;
	for (size_t i = 0; i < COUNT_OF(parts) && rc == 0; i++) {
		char *name = xprintf("%s%s", path, parts[i]);
		if (unlink(name) != 0 && errno != ENOENT)
			rc = err_errno(err, errno, "remove %s", name);
		free(name);
	}
	if (rc == 0 && rename(next, path) != 0)
		rc = err_errno(err, errno, "rename %s", next);
	if (rc == 0)
		forget_rot(path);
	if (rc == 0)
		rc = file_sync_folder(path, err);
out:
	free(next);
	return rc;
}

/* ---- expiry: a request like any other, that says (revision_arg) that it comes from here ---- */

struct expiry {
	struct store_request req;
	struct engine_core *core;
};

static void expiry_done(struct store_request *req)
{
	struct expiry *x = CONTAINER_OF(req, struct expiry, req);
	if (req->err.code && req->err.code != ERR_NOT_FOUND) {
		log_debug("store", "lease not revoked", "lease=%" PRIx64 " error=\"%s\"", req->lease.id, req->err.msg);
		lessor_retry(&x->core->lessor, req->lease.id, EXPIRY_RETRY_MS);
	} else if (req->err.code == 0 && req->lease.more) {
		lessor_retry(&x->core->lessor, req->lease.id, 0);
	}
	store_request_release(req);
	free(x);
}

static void expire(void *arg, int64_t id)
{
	struct expiry *x = xcalloc(1, sizeof *x);
	x->core = arg;
	x->req.type = STORE_REQUEST_LEASE_REVOKE;
	x->req.revision_arg = 1;
	x->req.lease.id = id;
	x->req.done = expiry_done;
	store_submit(&x->core->base, &x->req);
}

/* ---- what the flusher is done with ---- */

static void flushed(void *arg, struct store_request *req)
{
	if (req->err.code)
		engine_complete(req);
	else
		engine_core_read(arg, req, 0);
}

static void through(void *arg, struct store_request *req)
{
	engine_complete(req);
}

/* Before anything is served from it. */
static void check_pages_first(struct engine_core *c, const struct engine_core_options *o)
{
	char *mark = db_rotten_mark(c->path);
	if (o->check.at_start || access(mark, F_OK) == 0)
		page_checker_run_first(&c->checker);
	free(mark);
}

enum { CHECK_EVERY_MS = 24 * 3600 * 1000 };

static void start_threads(struct engine_core *c, const struct engine_core_options *o)
{
	struct err err = ERR_INIT;
	size_t ring = o->watch_ring_bytes ? o->watch_ring_bytes : STORE_WATCH_RING_BYTES_MAX;
	struct flusher_options f = {.machine = &c->machine,
	        .swap = &c->swap,
	        .times = &c->flush_times,
	        .table_bytes = o->table_bytes ? o->table_bytes : STORE_TABLE_BYTES_MAX,
	        .flushed = flushed,
	        .through = through,
	        .arg = c};
	flusher_start(&c->flusher, &f);
	watch_hub_init(&c->hub, &c->machine.meta, ring, catch_up, c);
	lessor_init(&c->lessor, expire, c);
	int rc = load_leases(c, &err);
	CHECK(rc == 0); /* the writer's connection stops the process by itself */
	for (unsigned i = 0; i < c->n_readers; i++)
		c->readers[i].core = c;
	for (unsigned i = 0; i < c->n_readers; i++)
		CHECK(pthread_create(&c->readers[i].thread, NULL, engine_core_reader_main, &c->readers[i]) == 0);
	if (o->check.every_ms != UINT64_MAX)
		page_checker_start(&c->checker, o->check.every_ms ? o->check.every_ms : CHECK_EVERY_MS);
}

static void release(struct engine_core *c)
{
	request_queue_release(&c->reads);
	pthread_rwlock_destroy(&c->swap);
	close(c->lock_fd);
	free(c->path);
	c->path = NULL;
}

/* Readers come and go without a gap: one who replaces the database must not wait until there is one. */
static void init_swap_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t a;
	pthread_rwlockattr_init(&a);
	pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	CHECK(pthread_rwlock_init(lock, &a) == 0);
	pthread_rwlockattr_destroy(&a);
}

int engine_core_open(struct engine_core *c, const struct engine_core_options *o, struct err *err)
{
	sigset_t all, old;
	unsigned n = o->reader_threads ? o->reader_threads : 2;
	int rc = data_lock(o->path, &c->lock_fd, err);
	if (rc != 0)
		return rc;
	c->path = xstrdup(o->path);
	c->n_readers = n < READERS_MAX ? n : READERS_MAX;
	histogram_init_doubling(&c->flush_times, DISK_FIRST_NS, DISK_BOUNDS);
	request_queue_init(&c->reads);
	init_swap_lock(&c->swap);
	c->checker = (struct page_checker){.swap = &c->swap, .rot = &c->rot, .path = c->path};
	sigfillset(&all); /* our threads take no signals */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = finish_swap(c->path, err);
	if (rc == 0)
		rc = open_database(c, err);
	if (rc == 0) {
		check_pages_first(c, o);
		start_threads(c, o);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		release(c);
		return rc;
	}
	log_info("store", "opened", "path=%s revision=%" PRId64 " compacted=%" PRId64 " keys=%" PRId64, c->path,
	        atomic_load(&c->revision), atomic_load(&c->compacted), atomic_load(&c->keys));
	return 0;
}

/* ---- the applying thread ---- */

void engine_core_begin(struct engine_core *c)
{
	flusher_begin_batch(&c->flusher);
	machine_begin(&c->machine);
}

/* Readers see it before anybody is told of it. */
void engine_core_tell(struct engine_core *c, size_t bytes)
{
	struct event_block *block = machine_publish(&c->machine);
	struct meta meta = c->machine.meta;
	CHECK(meta.revision >= atomic_load(&c->revision) && meta.compacted >= atomic_load(&c->compacted));
	CHECK(meta.applied_index >= atomic_load(&c->applied_index) && meta.keys >= 0);
	flusher_end_batch(&c->flusher, bytes);
	atomic_store(&c->keys, meta.keys);
	atomic_store(&c->compacted, meta.compacted);
	watch_hub_publish(&c->hub, block, &meta);
	atomic_store(&c->system_version, meta.system_version);
	atomic_store(&c->applied_index, meta.applied_index);
	atomic_store(&c->revision, meta.revision);
	c->machine.collect_prev = atomic_load(&c->hub.prev_watches) > 0;
}

void engine_core_tell_lessor(struct engine_core *c, const struct store_request *r)
{
	if (r->err.code == 0 && r->type == STORE_REQUEST_LEASE_GRANT)
		lessor_add(&c->lessor, r->lease.id, r->lease.ttl_s);
	if (r->err.code == 0 && r->type == STORE_REQUEST_LEASE_REVOKE && !r->lease.more)
		lessor_remove(&c->lessor, r->lease.id);
}

void engine_core_answer(struct engine_core *c, struct store_request *r)
{
	CHECK(r->revision <= atomic_load(&c->revision)); /* it was told, so who is answered reads it */
	if (r->err.code == 0 && r->type == STORE_REQUEST_COMPACT && r->physical)
		flusher_compact(&c->flusher, r);
	else
		engine_complete(r);
}

/* ---- closing ---- */

void engine_core_stop_leases(struct engine_core *c)
{
	lessor_stop(&c->lessor);
}

void engine_core_close(struct engine_core *c)
{
	request_queue_stop(&c->reads);
	for (unsigned i = 0; i < c->n_readers; i++)
		pthread_join(c->readers[i].thread, NULL);
	page_checker_stop(&c->checker);
	flusher_stop(&c->flusher);
	close_connections(c);
	machine_close(&c->machine);
	flusher_release(&c->flusher);
	watch_hub_release(&c->hub);
	lessor_release(&c->lessor);
	release(c);
}

int engine_core_swap(struct engine_core *c, const char *path, struct err *err)
{
	char *next = xprintf("%s.next", c->path);
	int rc = 0;
	if (rename(path, next) != 0)
		rc = err_errno(err, errno, "rename %s to %s", path, next);
	if (rc == 0)
		rc = file_sync_folder(next, err);
	free(next);
	if (rc != 0)
		return rc;
	pthread_rwlock_wrlock(&c->swap);
	close_connections(c);
	machine_detach(&c->machine);
	CHECK(c->checker.db.handle == NULL); /* nobody looks at the old one any more */
	rc = finish_swap(c->path, err);
	if (rc == 0)
		rc = machine_attach(&c->machine, c->path, err);
	if (rc == 0)
		rc = open_connections(c, err);
	if (rc != 0) { /* the old database is gone, and only a restart can say what the disk has kept of the new one */
		log_error("store", "a state that was sent is not in place: stopping", "error=\"%s\"", err->msg);
		_exit(err_exit_code(err->code));
	}
	atomic_store(&c->rot.is_there, false);
	lessor_clear(&c->lessor);
	rc = load_leases(c, err);
	flusher_reset(&c->flusher);
	watch_hub_reset(&c->hub, &c->machine.meta);
	pthread_rwlock_unlock(&c->swap);
	log_info("store", "state replaced", "revision=%" PRId64 " applied=%" PRId64, atomic_load(&c->revision),
	        atomic_load(&c->applied_index));
	return rc;
}
