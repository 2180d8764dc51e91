/* Leases and their keys, in memory and SQLite. See view.h.
 *
 * That a key was put under a lease is written down in the memory table once and not taken back; whether it still is,
 * its newest version says. So the keys of a lease are those that SQLite's index and the table's lists name, in one
 * order, each asked what it is now. */
#include "store/machine/read/view.h"

#include "base/check.h"

#include <string.h>

static const struct mem_version *lease_in_memory(const struct store_view *v, int64_t id)
{
	char bytes[8];
	struct slice key = mem_lease_key(id, bytes);
	const struct mem_version *m = NULL;
	for (unsigned i = 0; i < v->mem.n_layers && !m; i++)
		m = mem_segment_find(v->mem.layers[i], MEM_LEASES, key, v->mem.change_max);
	return m;
}

int lease_exists(struct store_view *v, int64_t id, struct err *err)
{
	const struct mem_version *m = lease_in_memory(v, id);
	if (m)
		return m->version > 0;
	struct db *db = store_view_db(v, err);
	if (!db)
		return err->code;
	sqlite3_stmt *s = db_stmt(db, DB_LEASE_GET);
	sqlite3_bind_int64(s, 1, id);
	int rc = db_step(db, s, err, "look up a lease");
	if (rc >= 0)
		db_done(s);
	return rc;
}

/* ---- keys of a lease ---- */

struct source {
	const struct mem_node *node; /* in a layer */
	struct slice key;            /* NULL pointer: at its end */
};

struct merge {
	struct store_view *view;
	struct slice prefix; /* the lease's, in the lists of the table */
	struct source layers[2];
	sqlite3_stmt *stmt;
	struct slice db_key;
	bool is_db_read, is_db_over;
};

/* What a node of the list stands for, when it is of the lease. */
static void show(struct source *s, struct slice prefix)
{
	bool is_ours =
	        s->node && s->node->key.len >= prefix.len && memcmp(s->node->key.ptr, prefix.ptr, prefix.len) == 0;
	s->key = is_ours ? (struct slice){s->node->key.ptr + prefix.len, s->node->key.len - prefix.len} : SLICE_NULL;
}

static int read_db(struct merge *m, struct err *err)
{
	if (m->is_db_read || m->is_db_over)
		return 0;
	int rc = db_step(m->view->db, m->stmt, err, "read the keys of a lease");
	if (rc < 0)
		return rc;
	m->is_db_read = rc == 1;
	m->is_db_over = rc == 0;
	m->db_key = rc == 1 ? db_column_slice(m->stmt, 0) : SLICE_NULL;
	return 0;
}

/* The smallest key of all sources, copied, which then move past it. 1, 0: none is left, negative. */
static int next_key(struct merge *m, struct arena *a, struct slice *ret, bool *ret_is_in_db, struct err *err)
{
	struct slice least = SLICE_NULL;
	int rc = read_db(m, err);
	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < m->view->mem.n_layers; i++)
		if (m->layers[i].key.ptr && (!least.ptr || slice_cmp(m->layers[i].key, least) < 0))
			least = m->layers[i].key;
	if (m->is_db_read && (!least.ptr || slice_cmp(m->db_key, least) < 0))
		least = m->db_key;
	if (!least.ptr)
		return 0;
	DCHECK(!ret->ptr || slice_cmp(*ret, least) < 0); /* in order, each once */
	*ret = (struct slice){arena_memdup(a, least.ptr, least.len), least.len};
	*ret_is_in_db = m->is_db_read && slice_eq(m->db_key, *ret);
	if (*ret_is_in_db)
		m->is_db_read = false;
	for (unsigned i = 0; i < m->view->mem.n_layers; i++)
		if (m->layers[i].key.ptr && slice_eq(m->layers[i].key, *ret)) {
			m->layers[i].node = mem_node_next(m->layers[i].node);
			show(&m->layers[i], m->prefix);
		}
	return 1;
}

/* Is the key under the lease now? A key that memory does not know is what SQLite's index says. */
static bool is_attached(const struct store_view *v, struct slice key, int64_t lease, bool is_in_db)
{
	struct row row;
	if (row_newest_in_memory(v, key, &row))
		return row.version > 0 && row.lease == lease;
	return is_in_db;
}

static int merge_open(
        struct merge *m, struct store_view *v, int64_t lease, struct slice after, struct arena *a, struct err *err)
{
	struct db *db = store_view_db(v, err);
	if (!db)
		return err->code;
	CHECK(v->mem.n_layers <= COUNT_OF(m->layers) && lease != 0);
	*m = (struct merge){.view = v, .stmt = db_stmt(db, DB_CUR_OF_LEASE)};
	sqlite3_bind_int64(m->stmt, 1, lease);
	db_bind_slice(m->stmt, 2, after);
	char *from = arena_alloc(a, 8 + after.len + 1);
	m->prefix = mem_lease_key(lease, from);
	if (after.len)
		memcpy(from + 8, after.ptr, after.len);
	for (unsigned i = 0; i < v->mem.n_layers; i++) {
		struct source *s = &m->layers[i];
		s->node = mem_segment_seek(v->mem.layers[i], MEM_ATTACHED, (struct slice){from, 8 + after.len});
		show(s, m->prefix);
		if (s->key.ptr && after.len && slice_eq(s->key, after)) {
			s->node = mem_node_next(s->node);
			show(s, m->prefix);
		}
	}
	return 0;
}

int lease_keys(struct store_view *v, int64_t id, struct slice after, struct slice *ret_keys, int max, struct arena *a,
        struct err *err)
{
	struct merge m = {0};
	struct slice key = SLICE_NULL;
	bool is_in_db = false;
	int n = 0;
	int rc = merge_open(&m, v, id, after, a, err);
	if (rc != 0)
		return rc;
	while (n < max && (rc = next_key(&m, a, &key, &is_in_db, err)) == 1)
		if (is_attached(v, key, id, is_in_db))
			ret_keys[n++] = key;
	CHECK(n <= max);
	if (rc >= 0)
		db_done(m.stmt);
	return rc < 0 ? rc : n;
}

/* ---- all leases ---- */

/* The first lease that is in memory and has at least this id. */
static const struct mem_version *next_in_memory(const struct store_view *v, int64_t from)
{
	char bytes[8];
	const struct mem_version *best = NULL;
	for (unsigned i = 0; i < v->mem.n_layers; i++) {
		const struct mem_node *n = mem_segment_seek(v->mem.layers[i], MEM_LEASES, mem_lease_key(from, bytes));
		const struct mem_version *m = NULL;
		while (n && !(m = mem_node_version(n, v->mem.change_max)))
			n = mem_node_next(n);
		if (m && (!best || slice_cmp(m->node->key, best->node->key) < 0))
			best = m;
	}
	return best;
}

int lease_each(struct store_view *v, void (*each)(void *arg, int64_t id, int64_t ttl_s), void *arg, struct err *err)
{
	struct db *db = store_view_db(v, err);
	if (!db)
		return err->code;
	sqlite3_stmt *s = db_stmt(db, DB_LEASE_ALL);
	const struct mem_version *m = next_in_memory(v, INT64_MIN);
	int rc = db_step(db, s, err, "read the leases");
	while (rc == 1 || m) {
		int64_t in_db = rc == 1 ? sqlite3_column_int64(s, 0) : INT64_MAX;
		int64_t in_memory = m ? mem_lease_of_key(m->node->key) : INT64_MAX;
		if (in_memory <= in_db && m) {
			if (m->version > 0)
				each(arg, in_memory, m->created);
			m = in_memory == INT64_MAX ? NULL : next_in_memory(v, in_memory + 1);
		} else {
			each(arg, in_db, sqlite3_column_int64(s, 1));
		}
		if (rc == 1 && in_db <= in_memory)
			rc = db_step(db, s, err, "read the leases");
		if (rc < 0)
			return rc;
	}
	db_done(s);
	return 0;
}
