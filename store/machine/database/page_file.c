/* A VFS that puts a checksum into every page of a database file when it is written, and looks at it when it is read.
 *
 *     | what SQLite keeps in a page, 4088 bytes | CRC-32C (four in turn) of its number and these bytes | "k3x1" |
 *
 * SQLite leaves the last 8 bytes of each page to us (byte 20 of the file says so, and is how a file of before is told:
 * that one is passed through as it is). The number of the page is in the sum, so that a page that landed in another's
 * place is found, too. A page that does not fit is answered with PAGE_FILE_ROTTEN, never with its bytes. SQLite reads
 * and writes the file in whole pages but for the head of page 1, which it reads in pieces before it reads all of it.
 *
 * Pages in the write-ahead log have SQLite's own checksums, which it looks at when it finds a log at the start; those
 * of the process that wrote it are believed until they are checkpointed. A mapped file would go past us: there is no
 * mapping, since these methods end before xFetch.
 *
 * A file that is empty when its first page is written is taken to be one with checksums, as all that we make are:
 * SQLite may write others before page 1 says so. If page 1 then says otherwise the write fails, for what was written
 * would not be what SQLite gave.
 *
 * What can go wrong: another program writes into the database (its pages fit no more: it is ours alone); a page that
 * was never written reads as zeros, which nothing should read: that is rotten as well. */
#include "store/machine/database/page_file.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

enum { BODY_BYTES = PAGE_BYTES - PAGE_SUM_BYTES, RESERVED_AT = 20, HEAD_BYTES = 24 };

static const char magic[4] = "k3x1";

struct page_file {
	sqlite3_file base; /* first: what SQLite sees */
	sqlite3_file *real;
	enum { SUMS_UNKNOWN, SUMS_YES, SUMS_NO } sums;
	bool was_assumed; /* a page was written before page 1 said so */
};

static _Thread_local int64_t rotten_page;

static struct page_file *page_of(sqlite3_file *f)
{
	return (struct page_file *)f;
}

int64_t page_file_rotten_page(void)
{
	return rotten_page;
}

static bool is_whole_page(int n, sqlite3_int64 at)
{
	return n == PAGE_BYTES && at % PAGE_BYTES == 0;
}

static uint32_t sum_of(const void *page, int64_t number)
{
	uint64_t n = (uint64_t)number;
	CHECK(number >= 1);
	return crc32c_in_turn(crc32c(0, &n, sizeof n), page, BODY_BYTES);
}

void page_seal(char *page, int64_t number)
{
	uint32_t sum = sum_of(page, number);
	memcpy(page + BODY_BYTES, &sum, sizeof sum);
	memcpy(page + BODY_BYTES + sizeof sum, magic, sizeof magic);
}

bool page_is_sound(const char *page, int64_t number)
{
	uint32_t sum = sum_of(page, number);
	return memcmp(page + BODY_BYTES, &sum, sizeof sum) == 0 &&
	       memcmp(page + BODY_BYTES + sizeof sum, magic, sizeof magic) == 0;
}

bool page_is_empty(const char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, PAGE_BYTES - 1) == 0;
}

static int64_t number_at(sqlite3_int64 at)
{
	return at / PAGE_BYTES + 1;
}

static void learn(struct page_file *p, const unsigned char *head)
{
	p->sums = head[RESERVED_AT] == PAGE_SUM_BYTES ? SUMS_YES : SUMS_NO;
}

static bool has_sums(struct page_file *p)
{
	unsigned char head[HEAD_BYTES];
	if (p->sums == SUMS_UNKNOWN && p->real->pMethods->xRead(p->real, head, sizeof head, 0) == SQLITE_OK)
		learn(p, head);
	return p->sums == SUMS_YES;
}

static int page_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
	struct page_file *p = page_of(f);
	int rc = p->real->pMethods->xRead(p->real, out, n, at);
	if (rc != SQLITE_OK || !is_whole_page(n, at) || !has_sums(p) || page_is_sound(out, number_at(at)))
		return rc;
	rotten_page = number_at(at);
	return PAGE_FILE_ROTTEN;
}

/* Whether this page gets a sum; or an error. */
static int settle(struct page_file *p, const void *page, sqlite3_int64 at)
{
	if (at == 0) {
		learn(p, page);
		return p->sums == SUMS_NO && p->was_assumed ? SQLITE_IOERR_WRITE : SQLITE_OK;
	}
	if (!has_sums(p) && p->sums == SUMS_UNKNOWN) {
		p->sums = SUMS_YES;
		p->was_assumed = true;
	}
	return SQLITE_OK;
}

static int page_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
	struct page_file *p = page_of(f);
	char page[PAGE_BYTES];
	if (!is_whole_page(n, at))
		return p->real->pMethods->xWrite(p->real, bytes, n, at);
	int rc = settle(p, bytes, at);
	if (rc != SQLITE_OK)
		return rc;
	if (p->sums == SUMS_NO)
		return p->real->pMethods->xWrite(p->real, bytes, n, at);
	memcpy(page, bytes, BODY_BYTES);
	page_seal(page, number_at(at));
	return p->real->pMethods->xWrite(p->real, page, n, at);
}

/* ---- what goes through ---- */

static int page_close(sqlite3_file *f)
{
	return page_of(f)->real->pMethods->xClose(page_of(f)->real);
}

static int page_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return page_of(f)->real->pMethods->xTruncate(page_of(f)->real, size);
}

static int page_sync(sqlite3_file *f, int flags)
{
	return page_of(f)->real->pMethods->xSync(page_of(f)->real, flags);
}

static int page_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return page_of(f)->real->pMethods->xFileSize(page_of(f)->real, ret);
}

static int page_lock(sqlite3_file *f, int level)
{
	return page_of(f)->real->pMethods->xLock(page_of(f)->real, level);
}

static int page_unlock(sqlite3_file *f, int level)
{
	return page_of(f)->real->pMethods->xUnlock(page_of(f)->real, level);
}

static int page_is_reserved(sqlite3_file *f, int *ret)
{
	return page_of(f)->real->pMethods->xCheckReservedLock(page_of(f)->real, ret);
}

static int page_control(sqlite3_file *f, int op, void *arg)
{
	return page_of(f)->real->pMethods->xFileControl(page_of(f)->real, op, arg);
}

static int page_sector(sqlite3_file *f)
{
	return page_of(f)->real->pMethods->xSectorSize(page_of(f)->real);
}

static int page_characteristics(sqlite3_file *f)
{
	return page_of(f)->real->pMethods->xDeviceCharacteristics(page_of(f)->real);
}

static int page_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **ret)
{
	return page_of(f)->real->pMethods->xShmMap(page_of(f)->real, region, size, extend, ret);
}

static int page_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return page_of(f)->real->pMethods->xShmLock(page_of(f)->real, at, n, flags);
}

static void page_shm_barrier(sqlite3_file *f)
{
	page_of(f)->real->pMethods->xShmBarrier(page_of(f)->real);
}

static int page_shm_unmap(sqlite3_file *f, int remove)
{
	return page_of(f)->real->pMethods->xShmUnmap(page_of(f)->real, remove);
}

static const sqlite3_io_methods page_methods = {.iVersion = 2,
        .xClose = page_close,
        .xRead = page_read,
        .xWrite = page_write,
        .xTruncate = page_truncate,
        .xSync = page_sync,
        .xFileSize = page_size,
        .xLock = page_lock,
        .xUnlock = page_unlock,
        .xCheckReservedLock = page_is_reserved,
        .xFileControl = page_control,
        .xSectorSize = page_sector,
        .xDeviceCharacteristics = page_characteristics,
        .xShmMap = page_shm_map,
        .xShmLock = page_shm_lock,
        .xShmBarrier = page_shm_barrier,
        .xShmUnmap = page_shm_unmap};

/* ---- looking at single pages ---- */

static struct page_file *file_of(sqlite3 *db)
{
	sqlite3_file *f = NULL;
	int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &f);
	return rc == SQLITE_OK && f && f->pMethods == &page_methods ? page_of(f) : NULL;
}

bool page_file_has_sums(sqlite3 *db)
{
	struct page_file *p = file_of(db);
	return p && has_sums(p);
}

int64_t page_file_pages(sqlite3 *db)
{
	struct page_file *p = file_of(db);
	sqlite3_int64 size = 0;
	return p && page_size(&p->base, &size) == SQLITE_OK ? size / PAGE_BYTES : 0;
}

int page_file_read(sqlite3 *db, int64_t first, size_t n, char *ret_pages)
{
	struct page_file *p = file_of(db);
	CHECK(first >= 1 && n >= 1 && n <= INT32_MAX / PAGE_BYTES);
	if (!p)
		return SQLITE_IOERR_READ;
	int rc = p->real->pMethods->xRead(p->real, ret_pages, (int)(n * PAGE_BYTES), (first - 1) * PAGE_BYTES);
	return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc; /* what is missing was filled with zeros */
}

enum page_state page_file_look(sqlite3 *db, int64_t number)
{
	struct page_file *p = file_of(db);
	char page[PAGE_BYTES];
	CHECK(number >= 1);
	sqlite3_int64 at = (number - 1) * PAGE_BYTES;
	if (!p || !has_sums(p))
		return PAGE_HAS_NO_SUM;
	int rc = p->real->pMethods->xRead(p->real, page, sizeof page, at);
	if (rc == SQLITE_IOERR_SHORT_READ) /* it was cut off meanwhile */
		return PAGE_IS_EMPTY;
	if (rc != SQLITE_OK)
		return PAGE_IS_UNREAD;
	return page_is_sound(page, number) ? PAGE_SOUND : page_is_empty(page) ? PAGE_IS_EMPTY : PAGE_IS_ROTTEN;
}

/* ---- the VFS ---- */

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	sqlite3_vfs *real = v->pAppData;
	struct page_file *p = page_of(f);
	if (!(flags & SQLITE_OPEN_MAIN_DB))
		return real->xOpen(real, name, f, flags, ret_flags);
	*p = (struct page_file){.real = (sqlite3_file *)(p + 1)};
	int rc = real->xOpen(real, name, p->real, flags, ret_flags);
	if (rc == SQLITE_OK)
		p->base.pMethods = &page_methods;
	return rc;
}

static sqlite3_vfs vfs;

static void vfs_make(void)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	CHECK(real != NULL);
	vfs = *real; /* everything but opening is the default's, which looks at none of its own fields there */
	vfs.zName = PAGE_FILE_VFS;
	vfs.pNext = NULL;
	vfs.szOsFile = (int)sizeof(struct page_file) + real->szOsFile;
	vfs.pAppData = real;
	vfs.xOpen = vfs_open;
	CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

void page_file_vfs_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, vfs_make);
}
