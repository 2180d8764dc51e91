/* Single pages of a SQLite file (sqlite.org/fileformat2.html), as far as a snapshot changes them on their way and knows
 * what they are for.
 *
 * Three things of a snapshot are not in the database that it is taken from: it is in no WAL mode (bytes 18 and 19 of
 * page 1), page 1 says how many pages there are, and the table `snapshot` has a row. That table is there and empty in
 * every database, so that its one page, a leaf, is all that is replaced:
 *
 *     | 0x0d, 1 cell | pointer | ... | length, rowid 1, record (NULL, note) | checksum |
 *
 * A page of zeros was never written. That is right for one on the list of free pages, and damage for any other; which
 * it is, the map pages tell that a database with auto_vacuum has: five bytes for each page after it, its type and
 * parent. */
#include "store/snapshot/snapshot_page_int.h"

#include "store/machine/database/page_file.h"

#include <string.h>

enum {
	USABLE_BYTES = PAGE_BYTES - PAGE_SUM_BYTES,
	LEAF_OF_TABLE = 0x0d,
	MAP_ENTRY_BYTES = 5,
	MAP_STRIDE = USABLE_BYTES / MAP_ENTRY_BYTES + 1,
	LOCK_PAGE = 0x40000000 / PAGE_BYTES + 1
};

/* A map page would stand beside the lock page, not on it. */
_Static_assert((LOCK_PAGE - 2) % MAP_STRIDE != 0, "the lock page is in no map page's place");
_Static_assert(SNAPSHOT_NOTE_BYTES_MAX + 16 < USABLE_BYTES - 35, "a row of such a note has no overflow page");

static void put32(char *at, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		at[i] = (char)(n >> (24 - 8 * i));
}

void snapshot_page_head(char *page, uint32_t pages)
{
	page[18] = page[19] = 1;
	put32(page + 28, pages);
	memcpy(page + 92, page + 24, 4); /* the number of pages is of this version of the file */
}

/* SQLite's integers, of up to two bytes. */
static size_t put_varint(char *at, size_t n)
{
	if (n < 128) {
		at[0] = (char)n;
		return 1;
	}
	at[0] = (char)(0x80 | n >> 7);
	at[1] = (char)(n & 0x7f);
	return 2;
}

int snapshot_page_note(char *page, struct slice note, struct err *err)
{
	char head[8], cell[8];
	if (note.len > SNAPSHOT_NOTE_BYTES_MAX)
		return err_set(err, ERR_INVAL, "a snapshot's note has %zu bytes: %d are allowed", note.len,
		        SNAPSHOT_NOTE_BYTES_MAX);
	if (page[0] != LEAF_OF_TABLE)
		return err_set(err, ERR_CORRUPT, "the table `snapshot` has no page of its own for the note");
	size_t n_head = 2 + put_varint(head + 2, 13 + 2 * note.len); /* its own length, NULL, text */
	head[0] = (char)n_head;
	head[1] = 0;
	size_t n_cell = put_varint(cell, n_head + note.len);
	cell[n_cell++] = 1;
	size_t at = USABLE_BYTES - n_cell - n_head - note.len;
	memset(page, 0, PAGE_BYTES);
	page[0] = LEAF_OF_TABLE;
	page[4] = 1;
	page[5] = page[8] = (char)(at >> 8);
	page[6] = page[9] = (char)at;
	memcpy(page + at, cell, n_cell);
	memcpy(page + at + n_cell, head, n_head);
	memcpy(page + at + n_cell + n_head, note.ptr, note.len);
	return 0;
}

bool snapshot_page_is_map(int64_t number)
{
	return number >= 2 && (number - 2) % MAP_STRIDE == 0;
}

enum page_use snapshot_page_use(const char *map, int64_t number)
{
	unsigned char use = (unsigned char)map[((number - 2) % MAP_STRIDE - 1) * MAP_ENTRY_BYTES];
	return use <= PAGE_USE_TREE ? (enum page_use)use : PAGE_USE_NONE;
}

bool snapshot_page_is_lock(int64_t number)
{
	return number == LOCK_PAGE;
}
