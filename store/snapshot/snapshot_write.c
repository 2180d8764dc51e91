/* A copy of a database at rest, with what is in its write-ahead log, made with SQLite's backup. The copy leaves WAL
 * mode, so it is one file.
 *
 * What can go wrong: the disk fills (the copy is removed). */
#include "store/snapshot/snapshot_write.h"

#include "base/check.h"
#include "base/file/file_map.h"
#include "base/pki/pki.h"
#include "store/machine/database/page_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int snapshot_sha256(const char *path, int64_t len, unsigned char ret[32], unsigned char *tail, struct err *err)
{
	struct slice file;
	if (file_map(path, &file, err) != 0)
		return err->code;
	size_t n = len < 0 ? file.len : (size_t)len;
	if (n > file.len || (tail && file.len - n < 32)) {
		file_unmap(file);
		return err_set(err, ERR_CORRUPT, "%s has become shorter while it was read: try again", path);
	}
	pki_sha256(file.ptr, n, ret);
	if (tail)
		memcpy(tail, file.ptr + n, 32);
	file_unmap(file);
	return 0;
}

int snapshot_exec(sqlite3 *handle, const char *sql, const char *path, struct err *err)
{
	if (sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	int code = sqlite3_errcode(handle) == SQLITE_FULL ? ERR_NO_SPACE : ERR_IO;
	return err_set(err, code, "write %s: %s", path, sqlite3_errmsg(handle));
}

static int copy_pages(struct db *db, sqlite3 *copy, const char *path, struct err *err)
{
	sqlite3_backup *b = sqlite3_backup_init(copy, "main", db->handle, "main");
	if (!b)
		return err_set(err, ERR_IO, "write %s: %s", path, sqlite3_errmsg(copy));
	int rc = sqlite3_backup_step(b, -1);
	sqlite3_backup_finish(b);
	if (rc == SQLITE_DONE)
		return 0;
	if (rc == PAGE_FILE_ROTTEN)
		return db_fail(db, rc, err, "copy the database");
	return err_set(
	        err, (rc & 0xff) == SQLITE_FULL ? ERR_NO_SPACE : ERR_IO, "write %s: %s", path, sqlite3_errstr(rc));
}

/* Opens `path` for writing as a database and copies the pages; the caller closes *ret in any case. */
static int copy_to(struct db *db, const char *path, sqlite3 **ret, struct err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
	CHECK(db->handle && sqlite3_get_autocommit(db->handle));                 /* a copy of what was committed */
	const char *vfs = page_file_has_sums(db->handle) ? PAGE_FILE_VFS : NULL; /* a file of before stays as it is */
	if (sqlite3_open_v2(path, ret, flags, vfs) != SQLITE_OK)
		return err_set(err, ERR_IO, "make %s: %s", path, *ret ? sqlite3_errmsg(*ret) : "out of memory");
	return copy_pages(db, *ret, path, err);
}

int snapshot_copy(struct db *db, const char *path, struct err *err)
{
	sqlite3 *copy = NULL;
	int rc = copy_to(db, path, &copy, err);
	if (rc == 0)
		rc = snapshot_exec(copy, "PRAGMA journal_mode = DELETE", path, err);
	sqlite3_close(copy);
	if (rc != 0)
		unlink(path);
	return rc;
}
