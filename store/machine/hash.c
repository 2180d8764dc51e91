/* The hash that compares stores. See hash.h.
 *
 * What is hashed, in order of revision: the row's id, key, create revision, version, lease and value, of every row that
 * a finished compaction would have left. Compaction removes rows some time after it was recorded, at another pace on
 * every machine; so the rows it still has to remove are found first (predecessors of rows up to the compacted revision,
 * and older deletions) and left out. `prev` is not hashed: it may name a row that is gone on one machine and not yet on
 * another. */
#include "store/machine/hash.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "store/machine/read/range.h"

#include <stdlib.h>

struct ids {
	int64_t *list;
	size_t n, cap, at;
};

static void add_id(struct ids *ids, int64_t id)
{
	if (ids->n == ids->cap)
		ids->list = xrealloc(ids->list, (ids->cap = ids->cap ? ids->cap * 2 : 256) * sizeof *ids->list);
	ids->list[ids->n++] = id;
}

/* Rows that are superseded at or before the compacted revision, and still there: predecessors of those that the walk of
 * compaction has before it, and of all that is in memory. */
static int superseded(struct store_view *v, struct ids *ids, struct err *err)
{
	struct version_cursor c;
	struct version_row row;
	int rc = versions_open(&c, v, v->meta.trimmed, err);
	if (rc != 0)
		return rc;
	while ((rc = versions_next(&c, &row, err)) == 1 && ROW_REVISION(row.id) <= v->meta.compacted)
		add_id(ids, row.prev);
	versions_close(&c);
	if (ids->n)
		qsort(ids->list, ids->n, sizeof *ids->list, row_id_compare);
	return rc < 0 ? rc : 0;
}

static bool is_gone(struct ids *ids, const struct meta *meta, int64_t id, int64_t version)
{
	if (ROW_REVISION(id) < meta->compacted && version == 0)
		return true;
	DCHECK(ids->at == 0 || ids->list[ids->at - 1] < id); /* asked in order of ids */
	while (ids->at < ids->n && ids->list[ids->at] < id)
		ids->at++;
	return ids->at < ids->n && ids->list[ids->at] == id;
}

static void hash_lease(void *arg, int64_t id, int64_t ttl_s)
{
	uint64_t *h = arg;
	*h = hash_word(hash_word(*h, (uint64_t)id), (uint64_t)ttl_s);
}

static uint64_t hash_row(uint64_t h, const struct version_row *row)
{
	h = hash_word(h, (uint64_t)row->id);
	h = hash_bytes(h, row->key);
	h = hash_word(h, (uint64_t)row->created);
	h = hash_word(h, (uint64_t)row->version);
	h = hash_word(h, (uint64_t)row->lease);
	return hash_bytes(h, row->value);
}

static int hash_log(struct store_view *v, struct ids *gone, int64_t revision, uint64_t *h, struct err *err)
{
	struct version_cursor c;
	struct version_row row;
	int rc = versions_open(&c, v, 0, err);
	if (rc != 0)
		return rc;
	while ((rc = versions_next(&c, &row, err)) == 1) {
		if (revision && ROW_REVISION(row.id) > revision)
			break;
		if (!is_gone(gone, &v->meta, row.id, row.version))
			*h = hash_row(*h, &row);
	}
	versions_close(&c);
	return rc < 0 ? rc : 0;
}

int hash_versions(struct store_view *v, int64_t revision, bool with_leases, uint32_t *ret, struct err *err)
{
	struct ids ids = {0};
	uint64_t h = 0;
	int rc = range_check_revision(&v->meta, revision, err);
	if (rc == 0)
		rc = superseded(v, &ids, err);
	if (rc == 0)
		rc = hash_log(v, &ids, revision, &h, err);
	if (rc == 0 && with_leases)
		rc = lease_each(v, hash_lease, &h, err);
	*ret = (uint32_t)(h ^ (h >> 32));
	free(ids.list);
	return rc;
}
