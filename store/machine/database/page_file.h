/* A database file whose pages carry a checksum. See page_file.c. */
#ifndef K3X_STORE_MACHINE_DATABASE_PAGE_FILE_H
#define K3X_STORE_MACHINE_DATABASE_PAGE_FILE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_FILE_VFS "k3x-page"

/* A page, and what SQLite is to leave free at its end (SQLITE_FCNTL_RESERVE_BYTES). */
enum { PAGE_BYTES = 4096, PAGE_SUM_BYTES = 8 };

/* Once per process is enough; any thread. SQLite is set up already. Every connection to a database of ours names this
 * VFS, or one that stands on it. */
void page_file_vfs_register(void);

/* The code of SQLite's errors that are a page whose checksum does not fit. */
#define PAGE_FILE_ROTTEN SQLITE_IOERR_DATA

/* The page, from 1, that the last such error of this thread was about. */
int64_t page_file_rotten_page(void);

enum page_state {
	PAGE_SOUND,
	PAGE_IS_ROTTEN,
	PAGE_IS_EMPTY,   /* never written, or all of it is zeros: sound if nothing uses it */
	PAGE_IS_UNREAD,  /* the disk does not give it */
	PAGE_HAS_NO_SUM, /* the file is of before there were checksums, or no database of ours */
};

/* How many pages the file of this connection has, and what one of them, from 1, is like on the disk now. While a
 * checkpoint writes it, it may look rotten. The connection has read something; its thread. */
int64_t page_file_pages(sqlite3 *db);
enum page_state page_file_look(sqlite3 *db, int64_t page);

/* Reads pages from the file as they are, whatever their checksums; those behind its end as zeros. SQLite's code. */
int page_file_read(sqlite3 *db, int64_t first, size_t n, char *ret_pages);

/* Whether its pages have checksums. As above. */
bool page_file_has_sums(sqlite3 *db);

/* ---- pages as bytes of PAGE_BYTES; any thread ---- */

/* Puts the checksum of page `number`, from 1, at its end. */
void page_seal(char *page, int64_t number);
/* Does it fit? */
bool page_is_sound(const char *page, int64_t number);
/* All of it is zeros: it was never written. */
bool page_is_empty(const char *page);

#endif
