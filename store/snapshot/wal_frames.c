/* What a read transaction sees, as places in files: the newest frame of the write-ahead log for each page that has one,
 * the database file for all others. With that a database is read in large pieces, in order of its pages, past SQLite's
 * pager; the transaction itself is held by SQLite, whose locks keep both files as they are for it:
 *
 *   - a checkpoint copies frames up to the oldest mark that a reader holds, never newer ones. A page that is being
 *     written in the file has a frame, so it is not read from there.
 *   - the log begins anew only when all of it is in the file and nobody reads it.
 *
 * What SQLite does not tell is where in the log its transaction stands. The index of the log, shared memory whose
 * layout is documented (sqlite.org/walformat.html, "The WAL-Index File Format"), has the newest commit in its header:
 * that is ours when the header was the same before the transaction began and after. Otherwise somebody has committed in
 * between, and it is begun again: a matter of microseconds against commits that take milliseconds.
 *
 * When all frames are in the file already (nBackfill of the index), the file alone counts: then SQLite lets the log
 * begin anew under the reader, and keeps checkpoints out of the file instead.
 *
 * What can go wrong: the frames' salts are not those of the index (ERR_CORRUPT: the log is not what was written). */
#include "store/snapshot/wal_frames_int.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>
#include <string.h>

enum {
	INDEX_REGION_BYTES = 32768,
	HEAD_BYTES = 48, /* it stands there twice */
	MAX_FRAME_AT = 16,
	SALT_AT = 32,
	BACKFILL_AT = 2 * HEAD_BYTES,
	LOG_HEAD_BYTES = 32,
	FRAME_HEAD_BYTES = 24,
	FRAME_SALT_AT = 8,
	TRIES = 1000
};

struct wal_index {
	unsigned char head[HEAD_BYTES];
	uint32_t backfill;
};

static sqlite3_file *file_of(struct db *db, int which)
{
	sqlite3_file *f = NULL;
	int rc = sqlite3_file_control(db->handle, "main", which, &f);
	return rc == SQLITE_OK && f && f->pMethods ? f : NULL;
}

/* False: somebody is just writing it, or there is none. */
static bool read_index(struct db *db, struct wal_index *ret)
{
	sqlite3_file *f = file_of(db, SQLITE_FCNTL_FILE_POINTER);
	void volatile *shared = NULL;
	unsigned char second[HEAD_BYTES];
	if (!f || f->pMethods->iVersion < 2 ||
	        f->pMethods->xShmMap(f, 0, INDEX_REGION_BYTES, 0, &shared) != SQLITE_OK || !shared)
		return false;
	const unsigned char *index = (const unsigned char *)shared;
	memcpy(ret->head, index, HEAD_BYTES);
	f->pMethods->xShmBarrier(f);
	memcpy(second, index + HEAD_BYTES, HEAD_BYTES);
	memcpy(&ret->backfill, index + BACKFILL_AT, sizeof ret->backfill);
	return memcmp(ret->head, second, HEAD_BYTES) == 0;
}

/* Begins; 1 when the transaction is at `ret`, 0 when it is somewhere else. */
static int try_begin(struct db *db, struct wal_index *ret, struct meta *meta, struct err *err)
{
	struct wal_index before;
	bool is_known = read_index(db, &before);
	if (db_begin_read(db, err) != 0)
		return err->code;
	if (meta_load(db, meta, err) != 0) {
		db_end_read(db);
		return err->code;
	}
	if (is_known && read_index(db, ret) && memcmp(before.head, ret->head, HEAD_BYTES) == 0)
		return 1;
	db_end_read(db);
	return 0;
}

static int by_page(const void *a, const void *b)
{
	const struct wal_frame *x = a, *y = b;
	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static void keep_newest(struct wal_frames *f)
{
	size_t n = 0;
	if (f->n)
		qsort(f->list, f->n, sizeof *f->list, by_page);
	for (size_t i = 0; i < f->n; i++)
		if (i + 1 == f->n || f->list[i + 1].page != f->list[i].page)
			f->list[n++] = f->list[i];
	CHECK(n <= f->n && (n > 0) == (f->n > 0));
	f->n = n;
}

static sqlite3_int64 frame_at(uint32_t frame)
{
	CHECK(frame >= 1); /* SQLite counts frames from 1 */
	return LOG_HEAD_BYTES + (sqlite3_int64)(frame - 1) * (FRAME_HEAD_BYTES + DB_PAGE_BYTES);
}

static int read_log(struct db *db, void *out, int n, sqlite3_int64 at, struct err *err)
{
	sqlite3_file *log = file_of(db, SQLITE_FCNTL_JOURNAL_POINTER);
	int rc = log ? log->pMethods->xRead(log, out, n, at) : SQLITE_IOERR_READ;
	return rc == SQLITE_OK ? 0
	                       : err_set(err, ERR_IO, "read the write-ahead log at offset %lld: %s", (long long)at,
	                                 sqlite3_errstr(rc));
}

static int load(struct db *db, const struct wal_index *index, struct wal_frames *ret, struct err *err)
{
	unsigned char head[FRAME_HEAD_BYTES];
	uint32_t n;
	memcpy(&n, index->head + MAX_FRAME_AT, sizeof n);
	if (n == 0 || index->backfill >= n)
		return 0;
	CHECK(!ret->list);
	ret->list = xcalloc(n, sizeof *ret->list);
	for (uint32_t i = 1; i <= n; i++) {
		if (read_log(db, head, sizeof head, frame_at(i), err) != 0)
			return err->code;
		if (memcmp(head + FRAME_SALT_AT, index->head + SALT_AT, 8) != 0)
			return err_set(err, ERR_CORRUPT, "frame %u of the write-ahead log is not what was written", i);
		uint32_t page = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
		ret->list[ret->n++] = (struct wal_frame){page, i};
	}
	keep_newest(ret);
	return 0;
}

int wal_frames_begin(struct db *db, struct wal_frames *ret, struct meta *ret_meta, struct err *err)
{
	struct wal_index index = {0};
	int rc = 0;
	*ret = (struct wal_frames){0};
	for (int i = 0; i < TRIES && rc == 0; i++) /* the first one opens the log */
		rc = try_begin(db, &index, ret_meta, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, ERR_BUSY, "the database did not come to rest for a snapshot: try again");
	rc = load(db, &index, ret, err);
	if (rc != 0) {
		wal_frames_release(ret);
		db_end_read(db);
	}
	return rc;
}

int wal_frames_read(struct db *db, uint32_t frame, char *ret_page, struct err *err)
{
	return read_log(db, ret_page, DB_PAGE_BYTES, frame_at(frame) + FRAME_HEAD_BYTES, err);
}

int64_t wal_frames_log_bytes(struct db *db)
{
	sqlite3_file *log = file_of(db, SQLITE_FCNTL_JOURNAL_POINTER);
	sqlite3_int64 size = 0;
	return log && log->pMethods->xFileSize(log, &size) == SQLITE_OK ? size : 0;
}

void wal_frames_release(struct wal_frames *f)
{
	free(f->list);
	*f = (struct wal_frames){0};
}
