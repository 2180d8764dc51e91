/* A snapshot of a database that is being served, pulled in pieces: no copy, constant memory, and writes go on.
 *
 *     open: a connection, a read transaction, the frames of the log that belong to it (wal_frames.c)
 *     next: a run of pages from the file -> those with a frame from the log -> checked, sealed -> sha256
 *
 * Pages come in order. Each is sealed with its checksum, as in any database file of ours (page_file.c): one from the
 * file has its seal, which is looked at; one from the log gets it. Page 1 and the page of the table `snapshot` are
 * changed on their way (snapshot_page.c). So the stream is a whole database, of the state at one revision.
 *
 * The transaction keeps the log from beginning anew: it grows while somebody takes a snapshot slowly. Who pulls must
 * not wait for ever; and beyond STORE_SNAPSHOT_LOG_BYTES_MAX of log the snapshot is given up, so that a slow reader
 * never fills the disk.
 *
 * The connection may outlive the database's file (a state that was sent takes its place): it goes on reading the old
 * one, and must not tidy up behind itself when it is closed, for the names are the new one's by then.
 *
 * What can go wrong: a page is rotten, or was never written though it is used (ERR_CORRUPT, rotten() tells the engine);
 * the log grows too long (ERR_BUSY); the disk of a saved copy fills (the copy is removed). */
#include "store/snapshot/snapshot_reader.h"

#include "base/check.h"
#include "base/file/file_out.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "store/machine/database/page_file.h"
#include "store/snapshot/snapshot_page_int.h"
#include "store/snapshot/wal_frames_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct snapshot_reader {
	struct db db;
	struct meta meta;
	struct wal_frames frames;
	size_t frame_next; /* of frames: the first of a page that is still to come */
	int64_t next, pages;
	int64_t note_page; /* 0: it stays as it is */
	char *note;
	struct pki_digest *digest; /* NULL: not wanted */
	bool has_maps;
	char map[PAGE_BYTES]; /* the last map page that came by */
	void (*rotten)(void *arg);
	void *arg;
};

/* ---- opening ---- */

static int find_note_page(struct snapshot_reader *r, struct err *err)
{
	static const char sql[] = "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'snapshot'";
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(r->db.handle, sql, -1, &s, NULL);
	if (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW)
		r->note_page = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return db_fail(&r->db, rc, err, "find the table of the note");
	return r->note_page ? 0 : err_set(err, ERR_CORRUPT, "the database has no table `snapshot` for the note");
}

static int begin(struct snapshot_reader *r, struct err *err)
{
	if (wal_frames_begin(&r->db, &r->frames, &r->meta, err) != 0)
		return err->code;
	r->pages = db_pragma_int(&r->db, "page_count");
	r->has_maps = db_pragma_int(&r->db, "auto_vacuum") != 0;
	if (!page_file_has_sums(r->db.handle))
		return err_set(err, ERR_INVAL, "the database's pages have no checksums: start a server on it");
	return r->note ? find_note_page(r, err) : 0;
}

int snapshot_reader_open(const struct snapshot_reader_options *o, struct snapshot_reader **ret, struct err *err)
{
	if (o->note && strlen(o->note) > SNAPSHOT_NOTE_BYTES_MAX)
		return err_set(err, ERR_INVAL, "a snapshot's note is longer than %d bytes", SNAPSHOT_NOTE_BYTES_MAX);
	struct snapshot_reader *r = xcalloc(1, sizeof *r);
	r->next = 1;
	r->note = o->note ? xstrdup(o->note) : NULL;
	r->digest = o->note ? pki_digest_new() : NULL;
	r->rotten = o->rotten;
	r->arg = o->arg;
	int rc = db_open(&r->db, o->path, DB_READER, err);
	if (rc == 0) {
		sqlite3_db_config(r->db.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
		rc = begin(r, err);
	}
	if (rc != 0) {
		snapshot_reader_close(r);
		return err_wrap(err, "begin a snapshot");
	}
	*ret = r;
	return 0;
}

void snapshot_reader_close(struct snapshot_reader *r)
{
	if (!r)
		return;
	if (r->db.handle)
		db_end_read(&r->db);
	db_close(&r->db);
	wal_frames_release(&r->frames);
	pki_digest_free(r->digest);
	free(r->note);
	free(r);
}

int64_t snapshot_reader_bytes(const struct snapshot_reader *r)
{
	return r->pages * PAGE_BYTES;
}

int64_t snapshot_reader_revision(const struct snapshot_reader *r)
{
	return r->meta.revision;
}

int64_t snapshot_reader_applied_index(const struct snapshot_reader *r)
{
	return r->meta.applied_index;
}

void snapshot_reader_sha256(const struct snapshot_reader *r, unsigned char ret[32])
{
	CHECK(r->digest && r->next > r->pages);
	pki_digest_get(r->digest, ret);
}

/* ---- pages ---- */

static int fail_rotten(struct snapshot_reader *r, int64_t number, struct err *err)
{
	if (r->rotten)
		r->rotten(r->arg);
	return err_set(err, ERR_CORRUPT,
	        "page %" PRId64 " is rotten (its checksum does not fit): no snapshot can be made of this database",
	        number);
}

static int read_run(struct snapshot_reader *r, char *piece, size_t n, struct err *err)
{
	int rc = page_file_read(r->db.handle, r->next, n, piece);
	return rc == SQLITE_OK
	               ? 0
	               : err_set(err, ERR_IO, "read page %" PRId64 " of the database: %s", r->next, sqlite3_errstr(rc));
}

/* The page as the transaction sees it, sealed. */
static int settle(struct snapshot_reader *r, char *page, int64_t number, struct err *err)
{
	const struct wal_frame *f = r->frame_next < r->frames.n ? &r->frames.list[r->frame_next] : NULL;
	CHECK(!f || f->page >= number); /* both in order of pages: none is passed over */
	if (f && f->page == number) {
		r->frame_next++;
		if (wal_frames_read(&r->db, f->frame, page, err) != 0)
			return err->code;
		page_seal(page, number);
	} else if (snapshot_page_is_lock(number)) {
		memset(page, 0, PAGE_BYTES);
	} else if (!page_is_sound(page, number)) {
		bool is_free = r->has_maps && number > 2 && !snapshot_page_is_map(number) && page_is_empty(page) &&
		               snapshot_page_use(r->map, number) == PAGE_USE_FREE;
		return is_free ? 0 : fail_rotten(r, number, err);
	}
	return 0;
}

/* What of it a snapshot has otherwise. */
static int change(struct snapshot_reader *r, char *page, int64_t number, struct err *err)
{
	if (snapshot_page_is_map(number))
		memcpy(r->map, page, PAGE_BYTES);
	if (number == 1)
		snapshot_page_head(page, (uint32_t)r->pages);
	else if (number == r->note_page && snapshot_page_note(page, slice_of(r->note), err) != 0)
		return err->code;
	if (number == 1 || number == r->note_page)
		page_seal(page, number);
	return 0;
}

int snapshot_reader_next(struct snapshot_reader *r, char *piece, size_t room, size_t *ret_len, struct err *err)
{
	size_t n = room / PAGE_BYTES;
	CHECK(n > 0 && r->next >= 1 && r->next <= r->pages + 1);
	if ((int64_t)n > r->pages - r->next + 1)
		n = (size_t)(r->pages - r->next + 1);
	*ret_len = 0;
	if (n == 0)
		return 0;
	if (wal_frames_log_bytes(&r->db) > (int64_t)STORE_SNAPSHOT_LOG_BYTES_MAX)
		return err_set(err, ERR_BUSY,
		        "the snapshot is given up: it is taken so slowly that the write-ahead log, which cannot be "
		        "shortened before it ends, has grown beyond %u MB",
		        (unsigned)(STORE_SNAPSHOT_LOG_BYTES_MAX >> 20));
	if (read_run(r, piece, n, err) != 0)
		return err->code;
	for (size_t i = 0; i < n; i++, r->next++)
		if (settle(r, piece + i * PAGE_BYTES, r->next, err) != 0 ||
		        change(r, piece + i * PAGE_BYTES, r->next, err) != 0)
			return err->code;
	if (r->digest)
		pki_digest_add(r->digest, piece, n * PAGE_BYTES);
	*ret_len = n * PAGE_BYTES;
	return 0;
}

/* ---- into a file ---- */

static int write_pieces(struct snapshot_reader *r, struct file_out *out, struct err *err)
{
	char *piece = xmalloc(STORE_SNAPSHOT_PIECE_BYTES);
	size_t n;
	int rc;
	do {
		rc = snapshot_reader_next(r, piece, STORE_SNAPSHOT_PIECE_BYTES, &n, err);
		if (rc == 0)
			rc = file_out_write(out, piece, n, err);
	} while (rc == 0 && n > 0);
	free(piece);
	return rc;
}

int snapshot_reader_save(struct snapshot_reader *r, const char *path, struct err *err)
{
	struct file_out out;
	if (file_out_open(&out, path, snapshot_reader_bytes(r), err) != 0)
		return err->code;
	if (write_pieces(r, &out, err) == 0)
		return file_out_keep(&out, err);
	file_out_drop(&out);
	return err->code;
}
