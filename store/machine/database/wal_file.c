/* A VFS for the writer's connection that puts the frames of a transaction into the write-ahead log with one write.
 *
 * SQLite writes each frame in two pieces, its head of 24 bytes and its page, and each piece costs a system call and the
 * look-up of two or three blocks of the file. Here pieces that follow each other are gathered, and written when
 *   - the head of a commit frame comes (it says how large the database is after the commit, others say 0). Its page is
 *     written directly: so when SQLite goes on to tell readers of the commit, everything is in the file;
 *   - something is written elsewhere, read, synced, measured, cut or closed;
 *   - BUFFER_BYTES are gathered.
 * Other connections read the log through their own descriptors, and only frames whose commit they were told of.
 *
 * What can go wrong: a write fails (full disk): the piece that caused it gets the error, SQLite rolls the transaction
 * back and overwrites its frames later; what was gathered is forgotten. A process that dies loses what was gathered:
 * frames without their commit, which nobody would have used.
 *
 * All other files, the database itself among them, are those of the VFS below (page_file.c). */
#include "store/machine/database/wal_file.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "store/machine/database/page_file.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The default VFS takes at most 128 KiB - 1 at once. */
enum { BUFFER_BYTES = 96 * 1024, FRAME_HEAD_BYTES = 24 };

struct wal_file {
	sqlite3_file base; /* first: what SQLite sees */
	sqlite3_file *real;
	char *buffer;
	size_t len;
	sqlite3_int64 at;        /* of the buffer's first byte in the file */
	bool is_commit_page_due; /* the head of a commit frame was the last piece */
};

static struct wal_file *wal_of(sqlite3_file *f)
{
	return (struct wal_file *)f;
}

static int flush(struct wal_file *w)
{
	size_t len = w->len;
	CHECK(len <= BUFFER_BYTES);
	w->len = 0;
	return len ? w->real->pMethods->xWrite(w->real, w->buffer, (int)len, w->at) : SQLITE_OK;
}

static bool is_commit_head(const unsigned char *piece, int n)
{
	return n == FRAME_HEAD_BYTES && (piece[4] | piece[5] | piece[6] | piece[7]) != 0;
}

static int wal_write(sqlite3_file *f, const void *piece, int n, sqlite3_int64 at)
{
	struct wal_file *w = wal_of(f);
	bool is_commit = is_commit_head(piece, n), is_commit_page = w->is_commit_page_due && !is_commit;
	bool fits = w->len == 0 || (at == w->at + (sqlite3_int64)w->len && w->len + (size_t)n <= BUFFER_BYTES);
	int rc = fits ? SQLITE_OK : flush(w);
	w->is_commit_page_due = is_commit;
	if (rc != SQLITE_OK)
		return rc;
	if (is_commit_page || n > BUFFER_BYTES) {
		rc = flush(w);
		return rc != SQLITE_OK ? rc : w->real->pMethods->xWrite(w->real, piece, n, at);
	}
	if (!w->len)
		w->at = at;
	CHECK(w->len + (size_t)n <= BUFFER_BYTES && w->at + (sqlite3_int64)w->len == at);
	memcpy(w->buffer + w->len, piece, (size_t)n);
	w->len += (size_t)n;
	return is_commit ? flush(w) : SQLITE_OK;
}

static int wal_close(sqlite3_file *f)
{
	struct wal_file *w = wal_of(f);
	int rc = flush(w), rc_close = w->real->pMethods->xClose(w->real);
	free(w->buffer);
	w->buffer = NULL;
	return rc != SQLITE_OK ? rc : rc_close;
}

static int wal_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
	int rc = flush(wal_of(f));
	sqlite3_file *real = wal_of(f)->real;
	return rc != SQLITE_OK ? rc : real->pMethods->xRead(real, out, n, at);
}

static int wal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = flush(wal_of(f));
	sqlite3_file *real = wal_of(f)->real;
	return rc != SQLITE_OK ? rc : real->pMethods->xTruncate(real, size);
}

static int wal_sync(sqlite3_file *f, int flags)
{
	int rc = flush(wal_of(f));
	sqlite3_file *real = wal_of(f)->real;
	return rc != SQLITE_OK ? rc : real->pMethods->xSync(real, flags);
}

static int wal_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	int rc = flush(wal_of(f));
	sqlite3_file *real = wal_of(f)->real;
	return rc != SQLITE_OK ? rc : real->pMethods->xFileSize(real, ret);
}

static int wal_lock(sqlite3_file *f, int level)
{
	return wal_of(f)->real->pMethods->xLock(wal_of(f)->real, level);
}

static int wal_unlock(sqlite3_file *f, int level)
{
	return wal_of(f)->real->pMethods->xUnlock(wal_of(f)->real, level);
}

static int wal_is_reserved(sqlite3_file *f, int *ret)
{
	return wal_of(f)->real->pMethods->xCheckReservedLock(wal_of(f)->real, ret);
}

static int wal_control(sqlite3_file *f, int op, void *arg)
{
	return wal_of(f)->real->pMethods->xFileControl(wal_of(f)->real, op, arg);
}

static int wal_sector(sqlite3_file *f)
{
	return wal_of(f)->real->pMethods->xSectorSize(wal_of(f)->real);
}

static int wal_characteristics(sqlite3_file *f)
{
	return wal_of(f)->real->pMethods->xDeviceCharacteristics(wal_of(f)->real);
}

static const sqlite3_io_methods wal_methods = {.iVersion = 1,
        .xClose = wal_close,
        .xRead = wal_read,
        .xWrite = wal_write,
        .xTruncate = wal_truncate,
        .xSync = wal_sync,
        .xFileSize = wal_size,
        .xLock = wal_lock,
        .xUnlock = wal_unlock,
        .xCheckReservedLock = wal_is_reserved,
        .xFileControl = wal_control,
        .xSectorSize = wal_sector,
        .xDeviceCharacteristics = wal_characteristics};

static sqlite3_vfs *vfs_below(sqlite3_vfs *v)
{
	return v->pAppData;
}

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	sqlite3_vfs *real = vfs_below(v);
	struct wal_file *w = wal_of(f);
	if (!(flags & SQLITE_OPEN_WAL))
		return real->xOpen(real, name, f, flags, ret_flags);
	*w = (struct wal_file){.real = (sqlite3_file *)(w + 1)};
	int rc = real->xOpen(real, name, w->real, flags, ret_flags);
	if (rc != SQLITE_OK)
		return rc;
	w->buffer = xmalloc(BUFFER_BYTES);
	w->base.pMethods = &wal_methods;
	return SQLITE_OK;
}

static sqlite3_vfs vfs;

static void vfs_make(void)
{
	page_file_vfs_register();
	sqlite3_vfs *real = sqlite3_vfs_find(PAGE_FILE_VFS);
	CHECK(real != NULL);
	vfs = *real; /* everything but opening is the default's, which looks at none of its own fields there */
	vfs.zName = WAL_FILE_VFS;
	vfs.pNext = NULL;
	vfs.szOsFile = (int)sizeof(struct wal_file) + real->szOsFile;
	vfs.pAppData = real;
	vfs.xOpen = vfs_open;
	CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

void wal_file_vfs_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, vfs_make);
}
