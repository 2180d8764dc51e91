/* A cache of rows, see recent_rows.h. A row is set when it is written to the memory table; it is asked for when the
 * table has been flushed and does not know the key any more, and then SQLite has the same. Only keys that live are
 * kept: compaction removes the row of one that does not, and never the newest of one that does.
 *
 * When it is full it is emptied: what is written often is back soon. */
#include "store/machine/memory/recent_rows.h"

#include "base/check.h"

#include <stdlib.h>

/* Long keys are few; a cache of them would be more than the table. */
#define KEY_BYTES_MAX (2u * 1024 * 1024)

void recent_rows_release(struct recent_rows *r)
{
	MAP_FOREACH (slot, &r->by_key) {
		free(slot->value);
	}
	map_release(&r->by_key);
	*r = (struct recent_rows){0};
}

void recent_rows_set(struct recent_rows *r, const struct recent_row *row)
{
	struct recent_row *e = map_get(&r->by_key, row->key);
	CHECK(row->version > 0 && row->id > 0);
	if (!e) {
		if (r->by_key.count >= RECENT_ROWS_MAX || r->key_bytes + row->key.len > KEY_BYTES_MAX)
			recent_rows_release(r);
		e = MAP_ENTRY_NEW(struct recent_row, key, row->key);
		map_put(&r->by_key, e->key, e);
		r->key_bytes += e->key.len;
	}
	CHECK(e->id <= row->id);
	e->id = row->id;
	e->created = row->created;
	e->version = row->version;
	e->lease = row->lease;
}

void recent_rows_drop(struct recent_rows *r, struct slice key)
{
	struct recent_row *e = map_del(&r->by_key, key);
	if (e)
		r->key_bytes -= e->key.len;
	free(e);
}

const struct recent_row *recent_rows_get(const struct recent_rows *r, struct slice key)
{
	return map_get(&r->by_key, key);
}
