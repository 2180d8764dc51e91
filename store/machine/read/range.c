/* Answering ranges: taken in key order, sorted, cut, counted.
 *
 * Natural order and no filter: rows are taken as they come until the limit, and the rest is only counted. Otherwise all
 * rows are collected without their values, sorted, cut, and only then are values fetched: those that lie in SQLite in
 * order of their ids, so that each block there is unpacked once, whatever the order of the keys. */
#include "store/machine/read/range.h"

#include "base/check.h"
#include "base/limits.h"

#include <stdlib.h>

int range_check_revision(const struct meta *m, int64_t revision, struct err *err)
{
	if (revision < 0)
		return err_set(err, ERR_INVAL, "revision %lld is negative", (long long)revision);
	if (revision > m->revision)
		return err_set(err, ERR_FUTURE_REVISION, "revision %lld is in the future: the store is at %lld",
		        (long long)revision, (long long)m->revision);
	if (revision != 0 && revision < m->compacted)
		return err_set(err, ERR_COMPACTED, "revision %lld has been compacted: the oldest is %lld",
		        (long long)revision, (long long)m->compacted);
	return 0;
}

/* Rows taken so far; the array moves, the keys lie in the arena. */
struct taken {
	struct row *rows;
	size_t n, cap;
	size_t bytes;
};

static void taken_add(struct taken *t, struct arena *a, const struct row *row)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->rows = xrealloc(t->rows, t->cap * sizeof *t->rows);
	}
	CHECK(row->version > 0); /* what is deleted is not walked over */
	t->rows[t->n] = *row;
	t->rows[t->n++].key.ptr = arena_memdup(a, row->key.ptr, row->key.len);
	t->bytes += row->key.len + sizeof(struct store_kv);
}

static bool passes(const struct store_range *r, const struct row *row)
{
	int64_t mod = ROW_REVISION(row->id);
	return (!r->min_mod_revision || mod >= r->min_mod_revision) &&
	       (!r->max_mod_revision || mod <= r->max_mod_revision) &&
	       (!r->min_create_revision || row->created >= r->min_create_revision) &&
	       (!r->max_create_revision || row->created <= r->max_create_revision);
}

/* ---- values ---- */

/* A version, and where its value goes. */
struct wanted {
	const struct row *row;
	struct slice *to;
};

static int compare_wanted(const void *pa, const void *pb)
{
	const struct wanted *a = pa, *b = pb;
	return (a->row->id > b->row->id) - (a->row->id < b->row->id);
}

/* All ranges of a transaction are answered from one arena: together they have the bound of one. */
static bool is_full(const struct arena *a)
{
	return a->used_bytes > STORE_RANGE_BYTES_MAX;
}

/* Puts all of them in place. *bytes: what the answer takes so far, and then. */
static int fetch(struct store_view *v, struct wanted *list, size_t n, struct arena *a, size_t *bytes, struct err *err)
{
	if (n > 1)
		qsort(list, n, sizeof *list, compare_wanted);
	for (size_t i = 0; i < n; i++) {
		DCHECK(i == 0 || list[i - 1].row->id < list[i].row->id); /* a version is one key's */
		int rc = row_value(v, list[i].row, a, list[i].to, err);
		if (rc != 0)
			return rc;
		*bytes += list[i].to->len;
		if (*bytes > STORE_RANGE_BYTES_MAX || is_full(a))
			return err_set(err, ERR_TOO_BIG, "the range is too large for one answer: read it with a limit");
	}
	return 0;
}

/* ---- sorting ---- */

static int64_t sort_number(const struct row *row, enum store_target target)
{
	switch (target) {
	case STORE_TARGET_VERSION:
		return row->version;
	case STORE_TARGET_CREATE:
		return row->created;
	default:
		return row
		        ->id; /* of MOD; within one revision etcd's order is not defined, ours is that of the writes */
	}
}

struct sort_item {
	struct row row;
	struct slice value;
	size_t at; /* the sort is stable in both directions, as etcd's is */
	enum store_target target;
	bool descend;
};

static int sort_compare(const void *pa, const void *pb)
{
	const struct sort_item *a = pa, *b = pb;
	int c;
	if (a->target == STORE_TARGET_KEY)
		c = slice_cmp(a->row.key, b->row.key);
	else if (a->target == STORE_TARGET_VALUE)
		c = slice_cmp(a->value, b->value);
	else if (a->target == STORE_TARGET_MOD)
		c = (ROW_REVISION(a->row.id) > ROW_REVISION(b->row.id)) -
		    (ROW_REVISION(a->row.id) < ROW_REVISION(b->row.id));
	else
		c = (sort_number(&a->row, a->target) > sort_number(&b->row, a->target)) -
		    (sort_number(&a->row, a->target) < sort_number(&b->row, a->target));
	if (a->descend)
		c = -c;
	return c ? c : (a->at > b->at) - (a->at < b->at);
}

static int fetch_sort_values(struct store_view *v, struct sort_item *items, size_t n, struct arena *a, struct err *err)
{
	struct wanted *list = xcalloc(n + 1, sizeof *list);
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct wanted){&items[i].row, &items[i].value};
	int rc = fetch(v, list, n, a, &bytes, err);
	free(list);
	return rc;
}

static int sort_taken(
        struct store_view *v, const struct store_range *r, struct taken *t, struct arena *a, struct err *err)
{
	struct sort_item *items = xcalloc(t->n + 1, sizeof *items);
	for (size_t i = 0; i < t->n; i++)
		items[i] = (struct sort_item){t->rows[i], SLICE_NULL, i, r->sort_target, r->sort == STORE_SORT_DESCEND};
	int rc = r->sort_target == STORE_TARGET_VALUE ? fetch_sort_values(v, items, t->n, a, err) : 0;
	if (rc == 0 && t->n)
		qsort(items, t->n, sizeof *items, sort_compare);
	for (size_t i = 0; i < t->n; i++)
		t->rows[i] = items[i].row;
	free(items);
	return rc;
}

static bool is_plain(const struct store_range *r)
{
	return !r->min_mod_revision && !r->max_mod_revision && !r->min_create_revision && !r->max_create_revision &&
	       r->sort_target == STORE_TARGET_KEY && r->sort != STORE_SORT_DESCEND;
}

/* ---- answering ---- */

/* Walks the range, takes what is wanted into *t and counts the rest. */
static int collect(struct store_view *v, const struct store_range *r, struct taken *t, struct arena *a, int64_t *count,
        struct err *err)
{
	struct range_cursor c;
	struct row row;
	bool plain = is_plain(r);
	int rc = range_open(&c, v, &r->keys, r->revision ? r->revision : INT64_MAX, err);
	if (rc != 0)
		return rc;
	while ((rc = range_next(&c, &row, err)) == 1) {
		bool full = plain && r->limit && (int64_t)t->n >= r->limit;
		if (full && r->no_count) {
			++*count;
			break;
		}
		if (full && !r->revision && r->keys.end.len) {
			/* the rest of the newest rows is only counted, from the key we stand on */
			struct slice from = {arena_memdup(a, row.key.ptr, row.key.len), row.key.len};
			int64_t rest = 0;
			range_close(&c);
			rc = range_count(v, &r->keys, from, &rest, err);
			*count += rest;
			break;
		}
		++*count;
		if (!full && !r->count_only && passes(r, &row))
			taken_add(t, a, &row);
		if (t->bytes > STORE_RANGE_BYTES_MAX || is_full(a)) {
			rc = err_set(
			        err, ERR_TOO_BIG, "the range has too many keys for one answer: read it with a limit");
			break;
		}
	}
	range_close(&c);
	return rc < 0 ? rc : 0;
}

static int fetch_values(
        struct store_view *v, const struct taken *t, struct store_result *res, struct arena *a, struct err *err)
{
	struct wanted *list = xcalloc(t->n + 1, sizeof *list);
	size_t bytes = t->bytes;
	CHECK(t->n == 0 || res->kvs != NULL);
	for (size_t i = 0; i < t->n; i++)
		list[i] = (struct wanted){&t->rows[i], &res->kvs[i].value};
	int rc = fetch(v, list, t->n, a, &bytes, err);
	free(list);
	return rc;
}

static int answer(struct store_view *v, const struct store_range *r, struct taken *t, struct store_result *res,
        struct arena *a, struct err *err)
{
	res->more = r->limit > 0 && (int64_t)t->n > r->limit;
	if (res->more)
		t->n = (size_t)r->limit;
	res->kvs = t->n ? ARENA_ARRAY(a, struct store_kv, t->n) : NULL;
	for (size_t i = 0; i < t->n; i++) {
		struct row *row = &t->rows[i];
		res->kvs[i] = (struct store_kv){.key = row->key,
		        .create_revision = row->created,
		        .mod_revision = ROW_REVISION(row->id),
		        .version = row->version,
		        .lease = row->lease};
	}
	int rc = r->keys_only ? 0 : fetch_values(v, t, res, a, err);
	if (rc == 0)
		res->n_kvs = t->n;
	return rc;
}

int range_eval(
        struct store_view *v, const struct store_range *r, struct store_result *res, struct arena *a, struct err *err)
{
	struct taken t = {0};
	*res = (struct store_result){.type = STORE_OP_RANGE};
	if (r->count_only && !r->revision && r->keys.end.len)
		return range_count(v, &r->keys, r->keys.key, &res->count, err);
	int rc = collect(v, r, &t, a, &res->count, err);
	if (rc == 0 && !is_plain(r))
		rc = sort_taken(v, r, &t, a, err);
	if (rc == 0)
		rc = answer(v, r, &t, res, a, err);
	CHECK(rc != 0 || (res->count >= (int64_t)t.n && (!r->limit || res->n_kvs <= (size_t)r->limit)));
	if (rc == 0 && is_plain(r) && !r->count_only)
		res->more = res->count > (int64_t)t.n;
	free(t.rows);
	return rc;
}

/* ---- measuring ---- */

/* Versions whose values are to be measured: a page at a time, in order of their ids, as they are read. */
struct measure {
	struct store_view *view;
	size_t bytes;
	int64_t ids[512];
	unsigned n;
};

static int measure_page(struct measure *m, struct err *err)
{
	int rc = 0;
	qsort(m->ids, m->n, sizeof *m->ids, row_id_compare);
	for (unsigned i = 0; i < m->n && rc == 0; i++) {
		size_t value = 0;
		rc = row_value_bytes(m->view, &(struct row){.id = m->ids[i]}, &value, err);
		m->bytes += value;
	}
	m->n = 0;
	return rc;
}

static int measure_value(struct measure *m, const struct row *row, struct err *err)
{
	if (row->mem) {
		m->bytes += row->mem->value.len;
		return 0;
	}
	CHECK(m->n < COUNT_OF(m->ids));
	m->ids[m->n++] = row->id;
	return m->n == COUNT_OF(m->ids) ? measure_page(m, err) : 0;
}

int range_measure(struct store_view *v, const struct store_range *r, int64_t rows_more, size_t bytes_max,
        size_t *ret_bytes, struct err *err)
{
	struct range_cursor c;
	struct row row;
	struct measure m = {.view = v};
	bool is_cut = r->limit && is_plain(r), has_values = !r->keys_only || r->sort_target == STORE_TARGET_VALUE;
	int64_t n = 0;
	int rc = range_open(&c, v, &r->keys, r->revision ? r->revision : INT64_MAX, err);
	if (rc != 0)
		return rc;
	while ((rc = range_next(&c, &row, err)) == 1 && m.bytes <= bytes_max) {
		if (is_cut && n++ >= r->limit + rows_more)
			break;
		if (!passes(r, &row))
			continue;
		m.bytes += row.key.len + 2 * sizeof(struct store_kv);
		if (has_values && (rc = measure_value(&m, &row, err)) != 0)
			break;
	}
	range_close(&c);
	if (rc >= 0)
		rc = measure_page(&m, err);
	*ret_bytes = m.bytes;
	return rc < 0 ? rc : 0;
}

bool range_eval_in_memory(
        const struct store_view *v, const struct store_range *r, struct store_result *res, struct arena *a)
{
	struct row row;
	if (r->keys.end.len || r->revision || r->count_only || !is_plain(r) ||
	        !row_newest_in_memory(v, r->keys.key, &row))
		return false;
	*res = (struct store_result){.type = STORE_OP_RANGE};
	if (row.version == 0)
		return true;
	res->kvs = ARENA_NEW(a, struct store_kv);
	*res->kvs = (struct store_kv){.key = {arena_memdup(a, row.key.ptr, row.key.len), row.key.len},
	        .create_revision = row.created,
	        .mod_revision = ROW_REVISION(row.id),
	        .version = row.version,
	        .lease = row.lease};
	if (!r->keys_only)
		res->kvs->value =
		        (struct slice){arena_memdup(a, row.mem->value.ptr, row.mem->value.len), row.mem->value.len};
	res->n_kvs = 1;
	res->count = 1;
	return true;
}
