/* Moves the memory table into the database, and does there what is left of compaction: the only thread that writes it.
 *
 *     wait until there is something to do
 *     freeze the active segment   when it has its size, when the log would grow too long without, when somebody wants
 *                                 it flushed, or when compaction has waited long for the database
 *     flush it, sync, checkpoint  (machine_flush): who waited for that is answered
 *     else a step of compaction, or of shrinking the file
 *
 * Flushing is seldom (a cluster at rest changes a few things over and over, and all of that is one row each in the
 * end), so each ends with the write-ahead log synced and copied into the database: the replicated log may then drop
 * what was flushed, and the next flush begins the write-ahead log anew. A reader with an open transaction keeps it from
 * that; read transactions are short, and the next flush copies the rest.
 *
 * When writes come faster than the disk takes them, the applying thread is held up at the end of each batch
 * (flusher_make_room): by nothing while the active segment has its size, by more the closer it comes to twice that, and
 * there until the frozen one is flushed. What is not applied is not answered, so clients wait a little each.
 *
 * What can go wrong: the disk is full: the segment stays, reads and applying go on in memory, new writes are refused
 * once the table is full (flusher_is_full), and the flush is tried again every moment until there is room. A write or
 * sync that fails stops the process (db.c). */
#include "store/engine/flusher_int.h"

#include "base/breakage.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/cond.h"
#include "store/machine/compaction.h"
#include "store/machine/flush.h"

#include <inttypes.h>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

enum { RETRY_MS = 200, LOOK_MS = 30000, HOLD_MS_MAX = 20, CHORE_RETRY_MS = 1000, FLUSH_NICE = 5, GARBAGE_MS = 3000 };

/* A compaction that nobody waits for reaches the database after so long at the latest. */
enum { COMPACTION_MS_MAX = 10 * 60 * 1000 };

static void ring(struct flusher *f)
{
	pthread_mutex_lock(&f->lock);
	f->is_ringing = true;
	pthread_cond_signal(&f->wake);
	pthread_mutex_unlock(&f->lock);
}

/* ---- the applying thread ---- */

void flusher_begin_batch(struct flusher *f)
{
	pthread_mutex_lock(&f->batch);
}

static bool is_large(const struct flusher *f, const struct mem_table_state *s)
{
	return s->active_bytes >= f->o.table_bytes || (breakage_is(BREAK_FLUSH_BEFORE_LOG) && s->is_dirty) ||
	       atomic_load(&f->log_bytes) >= STORE_FLUSH_LOG_BYTES_MAX;
}

void flusher_end_batch(struct flusher *f, size_t bytes)
{
	struct mem_table_state s;
	DCHECK(pthread_mutex_trylock(&f->batch) != 0); /* it was begun */
	atomic_fetch_add(&f->log_bytes, bytes);
	pthread_mutex_unlock(&f->batch);
	mem_table_state(&f->o.machine->table, &s);
	if (is_large(f, &s) && !s.is_frozen)
		ring(f);
}

/* With the table at its size nothing, at twice that HOLD_MS_MAX. */
static unsigned hold_ms(const struct flusher *f, const struct mem_table_state *s)
{
	size_t size = f->o.table_bytes;
	if (!s->is_frozen || s->active_bytes <= size)
		return 0;
	CHECK(size > 0);
	return (unsigned)((s->active_bytes - size) * HOLD_MS_MAX / size);
}

bool flusher_make_room(struct flusher *f)
{
	struct mem_table_state s;
	mem_table_state(&f->o.machine->table, &s);
	unsigned ms = hold_ms(f, &s);
	if (ms == 0)
		return true;
	if (s.active_bytes >= 2 * f->o.table_bytes)
		ms = RETRY_MS;
	struct timespec limit = cond_limit(ms);
	pthread_mutex_lock(&f->lock);
	uint64_t done = f->done;
	while (f->done == done && !f->stopping && cond_wait_until(&f->told, &f->lock, &limit))
		;
	pthread_mutex_unlock(&f->lock);
	mem_table_state(&f->o.machine->table, &s);
	return !s.is_frozen || s.active_bytes < 2 * f->o.table_bytes;
}

/* ---- any thread ---- */

bool flusher_is_full(struct flusher *f)
{
	struct mem_table_state s;
	if (!atomic_load(&f->is_stuck))
		return false;
	mem_table_state(&f->o.machine->table, &s);
	return s.active_bytes >= f->o.table_bytes;
}

static int no_space(struct err *err)
{
	return err_set(err, ERR_NO_SPACE, "the disk is full: make room");
}

int flusher_flush(struct flusher *f, struct err *err)
{
	int rc = 0;
	pthread_mutex_lock(&f->lock);
	uint64_t ticket = ++f->wanted;
	pthread_cond_signal(&f->wake);
	while (f->done < ticket && rc == 0) {
		if (f->stopping)
			rc = err_set(err, ERR_UNAVAILABLE, "the store is stopping");
		else if (atomic_load(&f->is_stuck))
			rc = no_space(err);
		else
			pthread_cond_wait(&f->told, &f->lock);
	}
	pthread_mutex_unlock(&f->lock);
	return rc;
}

/* Puts it on a list, unless the thread ends: then it has no time for it. */
static bool push(struct flusher *f, struct store_request **list, struct store_request *req)
{
	pthread_mutex_lock(&f->lock);
	bool ok = !f->stopping;
	if (ok) {
		req->next = *list;
		*list = req;
		f->wanted++;
		pthread_cond_signal(&f->wake);
	}
	pthread_mutex_unlock(&f->lock);
	if (!ok)
		err_set(&req->err, ERR_UNAVAILABLE, "the store is stopping");
	return ok;
}

void flusher_then(struct flusher *f, struct store_request *req)
{
	if (!push(f, &f->before_freeze, req))
		f->o.flushed(f->o.arg, req);
}

void flusher_compact(struct flusher *f, struct store_request *req)
{
	if (!push(f, &f->physical, req))
		f->o.through(f->o.arg, req);
}

void flusher_defragment(struct flusher *f, struct store_request *req)
{
	if (!push(f, &f->defragments, req))
		f->o.through(f->o.arg, req);
}

/* ---- the thread: who waits ---- */

static struct store_request *take_list(struct flusher *f, struct store_request **list)
{
	pthread_mutex_lock(&f->lock);
	struct store_request *all = *list;
	*list = NULL;
	pthread_mutex_unlock(&f->lock);
	return all;
}

static void answer_list(struct flusher *f, struct store_request **list,
        void (*answer)(void *arg, struct store_request *req), const struct err *err)
{
	for (struct store_request *r = take_list(f, list), *next; r; r = next) {
		next = r->next;
		r->next = NULL;
		if (err)
			r->err = *err;
		answer(f->o.arg, r);
	}
}

/* All that was published before the freeze is in the database: tickets and requests of before it. */
static void tell_done(struct flusher *f)
{
	pthread_mutex_lock(&f->lock);
	CHECK(f->done <= f->frozen && f->frozen <= f->wanted); /* tickets go one way */
	f->done = f->frozen;
	pthread_cond_broadcast(&f->told);
	pthread_mutex_unlock(&f->lock);
	answer_list(f, &f->after_freeze, f->o.flushed, NULL);
}

static void tell_stuck(struct flusher *f, const struct err *err)
{
	bool was = atomic_exchange(&f->is_stuck, true);
	if (!was)
		log_warn("store", "the memory table is not flushed", "error=\"%s\" mend=\"make room\"", err->msg);
	pthread_mutex_lock(&f->lock);
	pthread_cond_broadcast(&f->told);
	pthread_mutex_unlock(&f->lock);
	answer_list(f, &f->after_freeze, f->o.flushed, err);
	answer_list(f, &f->before_freeze, f->o.flushed, err);
	answer_list(f, &f->physical, f->o.through, err);
	answer_list(f, &f->defragments, f->o.through, err);
}

/* ---- the thread: flushing ---- */

static bool is_compaction_late(const struct flusher *f, const struct mem_table_state *s)
{
	return s->compacted > s->flushed_compacted && clock_mono_ms() - f->flushed_at_ms >= COMPACTION_MS_MAX;
}

/* Whoever wanted a flush until now gets it with this one. */
static void freeze(struct flusher *f)
{
	pthread_mutex_lock(&f->batch);
	pthread_mutex_lock(&f->lock);
	bool has_frozen = mem_table_freeze(&f->o.machine->table);
	CHECK(f->after_freeze == NULL); /* one flush at a time */
	f->frozen = f->wanted;
	f->after_freeze = f->before_freeze;
	f->before_freeze = NULL;
	pthread_mutex_unlock(&f->lock);
	atomic_store(&f->log_bytes, 0);
	pthread_mutex_unlock(&f->batch);
	if (!has_frozen) /* the database has everything */
		tell_done(f);
}

static int sync_wal(struct db *db, struct err *err)
{
	sqlite3_file *wal = NULL;
	int rc = sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
	if (rc == SQLITE_OK && wal && wal->pMethods)
		rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
	return rc == SQLITE_OK ? 0 : db_fail(db, rc, err, "sync the write-ahead log");
}

/* Into the database's file. What readers keep from being copied is left to the next time. */
static void checkpoint(struct flusher *f, int mode)
{
	struct err err = ERR_INIT;
	struct db *db = &f->o.machine->tables;
	int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, NULL, NULL);
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED) {
		db_fail(db, rc, &err, "checkpoint"); /* comes back for a full disk and the like */
		log_warn("store", "checkpoint failed", "error=\"%s\"", err.msg);
	}
	atomic_store(&f->used_bytes, db_used_bytes(db));
}

static int flush(struct flusher *f, struct err *err)
{
	struct machine *m = f->o.machine;
	uint64_t begun = histogram_now_ns();
	int rc = machine_flush(m, err);
	if (rc <= 0)
		return rc;
	CHECK(m->base.applied_index >= atomic_load(&f->flushed_index)); /* the database does not go back */
	atomic_store(&f->flushed_index, m->base.applied_index);
	if ((rc = sync_wal(&m->tables, err)) != 0)
		return rc;
	atomic_store(&f->durable_index, m->base.applied_index);
	histogram_observe_since(f->o.times, begun);
	checkpoint(f, SQLITE_CHECKPOINT_PASSIVE);
	return 0;
}

/* False: the disk is full. */
static bool flush_frozen(struct flusher *f)
{
	struct err err = ERR_INIT;
	pthread_rwlock_rdlock(f->o.swap);
	int rc = flush(f, &err);
	pthread_rwlock_unlock(f->o.swap);
	if (rc != 0) {
		tell_stuck(f, &err);
		return false;
	}
	if (atomic_exchange(&f->is_stuck, false))
		log_info("store", "the memory table is flushed again", "applied=%" PRId64,
		        atomic_load(&f->flushed_index));
	f->flushed_at_ms = clock_mono_ms();
	tell_done(f);
	return true;
}

/* ---- the thread: chores ---- */

static bool has_any(struct flusher *f, struct store_request *const *list)
{
	pthread_mutex_lock(&f->lock);
	bool has = *list != NULL;
	pthread_mutex_unlock(&f->lock);
	return has;
}

/* Those whose compaction the database knows of and has gone through. */
static void answer_physical(struct flusher *f)
{
	const struct machine *m = f->o.machine;
	struct store_request *through = NULL;
	if (machine_trim_pending(m) || !has_any(f, &f->physical))
		return;
	pthread_mutex_lock(&f->lock);
	for (struct store_request **at = &f->physical; *at;) {
		struct store_request *r = *at;
		if (r->revision_arg > m->base.compacted) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		r->next = through;
		through = r;
	}
	pthread_mutex_unlock(&f->lock);
	for (struct store_request *r = through, *next; r; r = next) {
		next = r->next;
		r->next = NULL;
		f->o.through(f->o.arg, r);
	}
}

static int defragment(struct flusher *f, struct err *err)
{
	struct machine *m = f->o.machine;
	m->is_defragmenting = true;
	int rc = machine_shrink(m, err);
	if (rc == 0) {
		checkpoint(f, SQLITE_CHECKPOINT_TRUNCATE);
		answer_list(f, &f->defragments, f->o.through, NULL);
	}
	return rc;
}

/* A step of what there is to do when nothing is to be flushed. 1: there is more; 0: nothing; negative: it failed. */
static int chore(struct flusher *f, bool *may_shrink, struct err *err)
{
	struct machine *m = f->o.machine;
	int rc;
	if (machine_trim_pending(m)) {
		rc = machine_trim(m, STORE_TRIM_ROWS_MAX, err);
		*may_shrink = true;
		if (rc == 0 && !machine_trim_pending(m))
			checkpoint(f, SQLITE_CHECKPOINT_PASSIVE);
		return rc < 0 ? rc : 1;
	}
	if (has_any(f, &f->defragments))
		return defragment(f, err);
	if (!*may_shrink)
		return 0;
	rc = machine_shrink(m, err);
	*may_shrink = rc > 0;
	if (rc == 0)
		checkpoint(f, SQLITE_CHECKPOINT_PASSIVE);
	return rc;
}

static int do_chore(struct flusher *f, bool *may_shrink)
{
	struct err err = ERR_INIT;
	pthread_rwlock_rdlock(f->o.swap);
	int rc = chore(f, may_shrink, &err);
	if (rc >= 0)
		answer_physical(f);
	pthread_rwlock_unlock(f->o.swap);
	if (rc < 0) {
		log_warn("store", "compaction waits", "error=\"%s\"", err.msg);
		answer_list(f, &f->physical, f->o.through, &err);
		answer_list(f, &f->defragments, f->o.through, &err);
	}
	return rc;
}

/* ---- the thread ---- */

/* Waits until it is rung, or for so long. False: it ends. */
static bool wait_ms(struct flusher *f, unsigned ms)
{
	struct timespec limit = cond_limit(ms);
	pthread_mutex_lock(&f->lock);
	while (!f->stopping && !f->is_ringing && f->wanted == f->frozen && cond_wait_until(&f->wake, &f->lock, &limit))
		;
	f->is_ringing = false;
	bool go_on = !f->stopping;
	pthread_mutex_unlock(&f->lock);
	return go_on;
}

/* The same, whatever is wanted: for it can't be had. */
static bool pause_ms(struct flusher *f, unsigned ms)
{
	struct timespec limit = cond_limit(ms);
	pthread_mutex_lock(&f->lock);
	while (!f->stopping && cond_wait_until(&f->wake, &f->lock, &limit))
		;
	bool go_on = !f->stopping;
	pthread_mutex_unlock(&f->lock);
	return go_on;
}

static bool is_wanted(struct flusher *f)
{
	pthread_mutex_lock(&f->lock);
	bool wanted = f->wanted != f->frozen;
	pthread_mutex_unlock(&f->lock);
	return wanted;
}

/* What segments have left in the heap goes back once a busy time is over. */
static bool rest(struct flusher *f, bool *has_garbage)
{
	bool go_on = wait_ms(f, *has_garbage ? GARBAGE_MS : LOOK_MS);
	struct mem_table_state s;
	mem_table_state(&f->o.machine->table, &s);
	if (!*has_garbage || s.is_frozen || is_wanted(f))
		return go_on;
	malloc_trim(0);
	*has_garbage = false;
	return go_on;
}

static void *flusher_main(void *arg)
{
	struct flusher *f = arg;
	bool may_shrink = true, has_garbage = false;
	pthread_setname_np(pthread_self(), "store-flush");
	setpriority(PRIO_PROCESS, (id_t)gettid(), FLUSH_NICE); /* a flush has time; who waits for an answer has not */
	for (bool go_on = true; go_on;) {
		struct mem_table_state s;
		mem_table_state(&f->o.machine->table, &s);
		if (!s.is_frozen && (is_large(f, &s) || is_wanted(f) || is_compaction_late(f, &s))) {
			freeze(f);
			mem_table_state(&f->o.machine->table, &s);
		}
		CHECK(s.is_frozen || f->after_freeze == NULL); /* who waits, waits for what is frozen */
		if (s.is_frozen) {
			go_on = flush_frozen(f) || pause_ms(f, RETRY_MS);
			has_garbage = true;
			continue;
		}
		int rc = do_chore(f, &may_shrink);
		if (rc < 0)
			go_on = wait_ms(f, CHORE_RETRY_MS);
		else if (rc == 0)
			go_on = rest(f, &has_garbage);
		else
			go_on = wait_ms(f, 0);
	}
	return NULL;
}

/* What the database has now. */
static void show(struct flusher *f)
{
	struct err err = ERR_INIT;
	struct machine *m = f->o.machine;
	int rc = sync_wal(&m->tables, &err);
	if (rc != 0)
		log_warn("store", "sync failed", "error=\"%s\"", err.msg);
	atomic_store(&f->flushed_index, m->base.applied_index);
	atomic_store(&f->used_bytes, db_used_bytes(&m->tables));
	atomic_store(&f->durable_index, rc == 0 ? m->base.applied_index : 0);
}

void flusher_start(struct flusher *f, const struct flusher_options *o)
{
	CHECK(o->machine && o->swap && o->table_bytes > 0 && o->flushed && o->through);
	*f = (struct flusher){.o = *o, .flushed_at_ms = clock_mono_ms()};
	pthread_mutex_init(&f->batch, NULL);
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->wake, NULL);
	pthread_cond_init(&f->told, NULL);
	show(f);
	CHECK(pthread_create(&f->thread, NULL, flusher_main, f) == 0);
}

static void flush_last(struct flusher *f)
{
	struct err err = ERR_INIT;
	int rc = flush(f, &err); /* what is frozen, and then what was added since */
	if (rc == 0) {
		mem_table_freeze(&f->o.machine->table);
		rc = flush(f, &err);
	}
	if (rc != 0)
		log_warn("store", "stopping without a flush", "error=\"%s\" note=\"the log has it\"", err.msg);
}

void flusher_stop(struct flusher *f)
{
	struct err err = ERR_INIT;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_cond_broadcast(&f->wake);
	pthread_cond_broadcast(&f->told);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	flush_last(f);
	err_set(&err, ERR_UNAVAILABLE, "the store stops; what is not done yet goes on when it is started again");
	answer_list(f, &f->after_freeze, f->o.flushed, &err);
	answer_list(f, &f->before_freeze, f->o.flushed, &err);
	answer_list(f, &f->physical, f->o.through, &err);
	answer_list(f, &f->defragments, f->o.through, &err);
}

void flusher_release(struct flusher *f)
{
	CHECK(f->stopping);
	pthread_cond_destroy(&f->wake);
	pthread_cond_destroy(&f->told);
	pthread_mutex_destroy(&f->lock);
	pthread_mutex_destroy(&f->batch);
}

void flusher_reset(struct flusher *f)
{
	show(f);
	atomic_store(&f->log_bytes, 0);
	atomic_store(&f->is_stuck, false);
	pthread_mutex_lock(&f->lock);
	pthread_cond_broadcast(&f->told);
	pthread_mutex_unlock(&f->lock);
}
