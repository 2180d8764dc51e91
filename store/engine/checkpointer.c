/* Checkpoints, small and often.
 *
 * For every SOFT bytes that the log has grown the writer rings. A passive checkpoint then copies pages beside the
 * writer. The log starts again at its beginning only when all of it has been copied and nobody reads it, and under
 * steady writing a passive checkpoint never quite gets there; so when the log is longer than HARD the last few pages
 * are copied with the writer held at the gate between two transactions: that is short, because a passive run has just
 * done the rest. The next write then begins the log anew, in the same file, so that its blocks are overwritten and not
 * allocated (an fdatasync of an overwrite is cheaper).
 *
 * A reader with an open transaction keeps the log from starting anew; read transactions are short, and the next ring
 * tries again. A failing sync or write stops the process (db_fail): the connection counts as a writer. */
#include "store/engine/checkpointer_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

void write_gate_init(struct write_gate *g)
{
	*g = (struct write_gate){0};
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->wake, NULL);
}

void write_gate_release(struct write_gate *g)
{
	pthread_cond_destroy(&g->wake);
	pthread_mutex_destroy(&g->lock);
}

void write_gate_enter(struct write_gate *g, bool urgent)
{
	pthread_mutex_lock(&g->lock);
	if (urgent)
		g->wanted = true;
	while (g->busy || (g->wanted && !urgent))
		pthread_cond_wait(&g->wake, &g->lock);
	g->busy = true;
	if (urgent)
		g->wanted = false;
	pthread_mutex_unlock(&g->lock);
}

void write_gate_leave(struct write_gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->busy = false;
	pthread_cond_broadcast(&g->wake); /* there are two at most */
	pthread_mutex_unlock(&g->lock);
}

bool write_gate_is_wanted(struct write_gate *g)
{
	pthread_mutex_lock(&g->lock);
	bool wanted = g->wanted;
	pthread_mutex_unlock(&g->lock);
	return wanted;
}

enum { CUT_TRIES = 20 };

static void checkpoint(struct checkpointer *c, int mode, int *ret_log, int *ret_done)
{
	int rc = sqlite3_wal_checkpoint_v2(c->db.handle, NULL, mode, ret_log, ret_done);
	struct err err = ERR_INIT;
	if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY)
		return;
	db_fail(&c->db, rc, &err,
	        "checkpoint"); /* returns only for a full disk and the like: try again at the next ring */
	log_warn("store", "checkpoint failed", "error=\"%s\"", err.msg);
}

/* A commit without a sync is in the write-ahead log, or in the database if it was checkpointed (a checkpoint syncs the
 * database before the log begins anew): so syncing the log's file makes everything committed before durable. */
int checkpointer_sync(struct checkpointer *c, struct err *err)
{
	sqlite3_file *wal = NULL;
	int64_t applied = c->applied ? atomic_load(c->applied) : 0;
	int rc = sqlite3_file_control(c->db.handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
	if (rc == SQLITE_OK && wal && wal->pMethods)
		rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
	if (rc != SQLITE_OK)
		return db_fail(&c->db, rc, err, "sync the write-ahead log");
	if (applied > atomic_load(&c->durable_applied))
		atomic_store(&c->durable_applied, applied);
	return 0;
}

static void note_durable(struct checkpointer *c)
{
	struct err err = ERR_INIT;
	if (c->applied && checkpointer_sync(c, &err) != 0)
		log_warn("store", "sync failed", "error=\"%s\"", err.msg);
}

/* What is free in both files goes back to the disk. Readers may stand in the way: then it is tried again. */
static void cut_files(struct checkpointer *c)
{
	int log = 1, done = 0;
	write_gate_enter(c->gate, true);
	for (int i = 0; i < CUT_TRIES && log > 0; i++)
		checkpoint(c, SQLITE_CHECKPOINT_TRUNCATE, &log, &done);
	write_gate_leave(c->gate);
}

static void checkpoint_all(struct checkpointer *c, int64_t wal_bytes)
{
	int log = 0, done = 0;
	note_durable(c);
	checkpoint(c, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
	if (wal_bytes < (int64_t)STORE_WAL_HARD_BYTES_MAX)
		return;
	for (int i = 0; i < 3 && log - done > 256; i++)
		checkpoint(c, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
	write_gate_enter(c->gate, true);
	checkpoint(c, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
	write_gate_leave(c->gate);
}

static void *checkpointer_main(void *arg)
{
	struct checkpointer *c = arg;
	pthread_setname_np(pthread_self(), "store-ckpt");
	pthread_mutex_lock(&c->lock);
	while (!c->stopping) {
		if (!c->due) {
			pthread_cond_wait(&c->wake, &c->lock);
			continue;
		}
		int64_t wal_bytes = c->wal_bytes;
		bool is_cut_due = c->is_cut_due;
		c->due = c->is_cut_due = false;
		pthread_mutex_unlock(&c->lock);
		checkpoint_all(c, wal_bytes);
		if (is_cut_due)
			cut_files(c);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int checkpointer_start(
        struct checkpointer *c, const char *path, struct write_gate *gate, _Atomic int64_t *applied, struct err *err)
{
	*c = (struct checkpointer){.gate = gate, .applied = applied};
	int rc = db_open(&c->db, path, DB_CHECKPOINTER, err);
	if (rc != 0)
		return rc;
	c->db.is_writer = true;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	CHECK(pthread_create(&c->thread, NULL, checkpointer_main, c) == 0);
	return 0;
}

void checkpointer_stop(struct checkpointer *c)
{
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	db_close(&c->db);
}

void checkpointer_note(struct checkpointer *c, int64_t wal_bytes)
{
	pthread_mutex_lock(&c->lock);
	c->wal_bytes = wal_bytes;
	if (wal_bytes < c->begun_bytes) /* the log began anew */
		c->begun_bytes = 0;
	if (wal_bytes - c->begun_bytes >= (int64_t)STORE_WAL_SOFT_BYTES_MAX) {
		c->begun_bytes = wal_bytes;
		c->due = true;
		pthread_cond_signal(&c->wake);
	}
	pthread_mutex_unlock(&c->lock);
}

void checkpointer_cut(struct checkpointer *c)
{
	pthread_mutex_lock(&c->lock);
	c->due = c->is_cut_due = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}
