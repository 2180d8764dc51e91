/* Single pages of a SQLite file, as snapshots change and check them. See snapshot_page.c. */
#ifndef K3X_STORE_SNAPSHOT_SNAPSHOT_PAGE_INT_H
#define K3X_STORE_SNAPSHOT_SNAPSHOT_PAGE_INT_H

#include "base/err.h"
#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

/* What a note may be long, so that its row stays within a page. */
enum { SNAPSHOT_NOTE_BYTES_MAX = 3072 };

/* Page 1 of a copy that needs no write-ahead log beside it and has so many pages. Not sealed yet. */
void snapshot_page_head(char *page, uint32_t pages);
/* The one page of the table `snapshot`, with the note as its one row. `page` is what it was: ERR_CORRUPT when that is
 * no leaf of a table. Not sealed yet. */
int snapshot_page_note(char *page, struct slice note, struct err *err);

/* Pages of a database with auto_vacuum that tell of the 817 after them what they are. */
bool snapshot_page_is_map(int64_t number);
/* What one is for, as the map before it says. */
enum page_use { PAGE_USE_NONE, PAGE_USE_ROOT, PAGE_USE_FREE, PAGE_USE_OVERFLOW, PAGE_USE_OVERFLOW_ON, PAGE_USE_TREE };
enum page_use snapshot_page_use(const char *map, int64_t number);
/* The page that SQLite never uses, for its locks are on its bytes. */
bool snapshot_page_is_lock(int64_t number);

#endif
