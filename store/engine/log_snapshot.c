/* The whole state beside the log, so that entries may go. The server that leads looks when the log has grown by a
 * multiple of what a snapshot costs: a reader makes a copy of the database in a file (as one is made for a server that
 * joins a replicated cluster), and the snapper sends it over a connection of its own and then has the entries removed
 * that lie behind, but for some that a server that was away for a moment can still use.
 *
 * A server whose next entry is gone takes the snapshot in place of its copy: who waits here for an entry that it holds
 * is told that nobody knows.
 *
 * What can go wrong: the file does not fit on this disk, or the connection breaks: it is logged, and tried again when
 * the log has grown some more. Two servers may take a snapshot at the same time when the leadership moves: the newer
 * one stays. */
#include "store/engine/log_engine_int.h"

#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEPT_ENTRIES = 2000 };

static const char *file_of(struct arena *a, struct log_engine *e, const char *name)
{
	return arena_printf(a, "%s/%s", e->data_dir, name);
}

/* ---- taking one ---- */

static void copied(struct store_request *req)
{
	struct log_snapper *s = CONTAINER_OF(req, struct log_snapper, copy);
	pthread_mutex_lock(&s->lock);
	s->is_copied = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

static int make_copy(struct log_engine *e, const char *path, int64_t *ret_index, struct err *err)
{
	struct log_snapper *s = &e->snapper;
	s->is_copied = false;
	s->copy = (struct store_request){.path = path, .done = copied};
	s->copy.type = (enum store_request_type)STORE_REQUEST_COPY_;
	engine_core_read_flushed(&e->core, &s->copy);
	pthread_mutex_lock(&s->lock);
	while (!s->is_copied)
		pthread_cond_wait(&s->wake, &s->lock);
	pthread_mutex_unlock(&s->lock);
	*err = s->copy.err;
	*ret_index = s->copy.revision_arg;
	store_request_release(&s->copy);
	return err->code;
}

static int send_copy(struct log_engine *e, const char *path, int64_t index, struct err *err)
{
	struct shared_log *log = e->snapper.log;
	struct stat st;
	int rc = log->v->connect(log, err);
	if (rc == 0)
		rc = log->v->save_snapshot(log, path, index, index - KEPT_ENTRIES, err);
	log->v->disconnect(log);
	if (rc == 0 && stat(path, &st) == 0)
		atomic_store(&e->snapper.bytes, (uint64_t)st.st_size);
	return rc;
}

static void take_snapshot(struct log_engine *e)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const char *path = file_of(&a, e, "snapshot.out");
	int64_t index = 0;
	unlink(path);
	int rc = make_copy(e, path, &index, &err);
	if (rc == 0)
		rc = send_copy(e, path, index, &err);
	unlink(path);
	if (rc == 0) {
		atomic_store(&e->snapper.index, index);
		log_info("store", "snapshot in the datastore", "index=%" PRId64 " bytes=%" PRIu64, index,
		        atomic_load(&e->snapper.bytes));
	} else {
		log_warn("store", "no snapshot in the datastore: its log grows", "error=\"%s\"", err.msg);
	}
	atomic_store(&e->snapper.is_done, true);
	arena_release(&a);
}

static void *snapper_main(void *arg)
{
	struct log_engine *e = arg;
	struct log_snapper *s = &e->snapper;
	pthread_setname_np(pthread_self(), "store-snap");
	pthread_mutex_lock(&s->lock);
	while (!s->stopping) {
		if (!s->is_wanted) {
			pthread_cond_wait(&s->wake, &s->lock);
			continue;
		}
		pthread_mutex_unlock(&s->lock);
		take_snapshot(e);
		pthread_mutex_lock(&s->lock);
		s->is_wanted = false;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

void log_snapper_start(struct log_engine *e)
{
	struct log_snapper *s = &e->snapper;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	s->log = e->options.source.open(e->options.source.arg);
	CHECK(pthread_create(&s->thread, NULL, snapper_main, e) == 0);
}

/* One that is being sent is sent first. */
void log_snapper_stop(struct log_engine *e)
{
	struct log_snapper *s = &e->snapper;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->log->v->free(s->log);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
}

/* A snapshot costs as many bytes as the state has: taken when the log has as many, the log costs twice what it holds at
 * most. */
void log_snapper_look(struct log_engine *e)
{
	struct log_snapper *s = &e->snapper;
	LOG_CHECK_OWNER(e);
	uint64_t due_bytes = e->options.snapshot_bytes;
	if (atomic_exchange(&s->is_done, false))
		e->log_bytes = 0, e->log_entries = 0;
	if (atomic_load(&s->bytes) > due_bytes)
		due_bytes = atomic_load(&s->bytes);
	if (!atomic_load(&e->led_term) || !atomic_load(&e->is_connected) ||
	        (e->log_bytes < due_bytes && e->log_entries < e->options.snapshot_entries))
		return;
	pthread_mutex_lock(&s->lock);
	s->is_wanted = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

/* ---- taking it over ---- */

/* A state that was moved here is not counted by this log yet. */
static int count_from(struct log_engine *e, int64_t index, struct err *err)
{
	if (log_applied(e) > index)
		return err_set(err, ERR_CORRUPT, "the snapshot has the state after %" PRId64 ", and says %" PRId64,
		        log_applied(e), index);
	if (log_applied(e) == index)
		return 0;
	engine_core_begin(&e->core);
	e->core.machine.meta.applied_index = index;
	if (!e->core.machine.meta.applied_term)
		e->core.machine.meta.applied_term = 1;
	engine_core_tell(&e->core, 0);
	return flusher_flush(&e->core.flusher, err);
}

int log_snapshot_install(struct log_engine *e, struct err *err)
{
	struct arena a = ARENA_INIT;
	const char *path = file_of(&a, e, "snapshot.in");
	int64_t index;
	LOG_CHECK_OWNER(e);
	unlink(path);
	int rc = e->log->v->load_snapshot(e->log, path, &index, err);
	if (rc == ERR_NOT_FOUND)
		rc = err_set(err, ERR_CORRUPT, "entries of the log are gone, and there is no snapshot that holds them");
	if (rc == 0 && index <= log_applied(e))
		rc = err_set(err, ERR_UNAVAILABLE, "the log begins behind its snapshot: looking again");
	if (rc == 0) {
		log_info("store", "taking the snapshot of the datastore", "index=%" PRId64, index);
		/* which may hold the entry that is on its way */
		log_flight_end(e, ERR_TIMEOUT,
		        "this server took a newer state meanwhile: the request may have been carried out");
		rc = engine_core_swap(&e->core, path, err);
	}
	if (rc == 0)
		rc = count_from(e, index, err);
	unlink(path);
	e->leader = 0;
	e->n_hashes = 0;
	arena_release(&a);
	return rc;
}
