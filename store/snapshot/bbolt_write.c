/* Writing a bbolt file in one go, from sorted pairs. See bbolt_int.h; bbolt.c says what the pages are.
 *
 * Pages are filled one after the other and written when they are full, so memory holds one page and the first key of
 * each page below; when a bucket is complete, its branches are built from those, level by level. The freelist is empty,
 * and the two meta pages come last: a file that was cut short has none and does not open. */
#include "store/snapshot/bbolt_int.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/mem/arena.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, HEAD_BYTES = 16, ELEMENT_BYTES = 16, META_BYTES = 64, COUNT_MAX = 65535 };
enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_META = 4, PAGE_FREELIST = 16 };
enum { FREELIST_PAGE = 2, FIRST_PAGE = 3 };

struct item {
	uint32_t flags, key_len, value_len;
	uint64_t child;
};

/* A page being filled. */
struct builder {
	bool is_branch;
	struct item *items;
	size_t n, cap;
	struct strbuf bytes;
};

/* A page that was written, by its first key. */
struct ref {
	char *key;
	size_t len;
	uint64_t page;
};

struct refs {
	struct ref *list;
	size_t n, cap;
};

struct bucket {
	const char *name;
	uint64_t root;
};

struct bbolt_writer {
	FILE *file;
	char *path;
	uint64_t next; /* page to be written */
	struct builder leaf;
	struct refs refs; /* leaf pages of the bucket at hand */
	struct bucket buckets[16];
	size_t n_buckets;
	struct strbuf last_key;
	bool is_finished;
};

/* ---- pages ---- */

static int write_bytes(struct bbolt_writer *w, const void *bytes, size_t len, struct err *err)
{
	return fwrite(bytes, 1, len, w->file) == len ? 0 : err_errno(err, errno, "write %s", w->path);
}

static void put(char *at, uint64_t n, size_t len)
{
	memcpy(at, &n, len);
}

static void put_head(char *at, uint64_t id, unsigned flags, size_t count, size_t overflow)
{
	put(at, id, 8);
	put(at + 8, flags, 2);
	put(at + 10, count, 2);
	put(at + 12, overflow, 4);
}

static size_t builder_bytes(const struct builder *b)
{
	return HEAD_BYTES + b->n * ELEMENT_BYTES + b->bytes.len;
}

static bool has_room(const struct builder *b, size_t more)
{
	return b->n == 0 || (b->n < COUNT_MAX && builder_bytes(b) + ELEMENT_BYTES + more <= PAGE_BYTES);
}

static void builder_add(struct builder *b, const struct item *item, struct slice key, struct slice value)
{
	if (b->n == b->cap)
		b->items = xrealloc(b->items, (b->cap = b->cap ? b->cap * 2 : 64) * sizeof *b->items);
	b->items[b->n++] = *item;
	strbuf_add_slice(&b->bytes, key);
	strbuf_add_slice(&b->bytes, value);
}

static int write_page(struct bbolt_writer *w, struct builder *b, uint64_t *ret_page, struct err *err)
{
	size_t used = builder_bytes(b), pages = (used + PAGE_BYTES - 1) / PAGE_BYTES, at = 0;
	char *page = xcalloc(pages, PAGE_BYTES);
	put_head(page, w->next, b->is_branch ? PAGE_BRANCH : PAGE_LEAF, b->n, pages - 1);
	for (size_t i = 0; i < b->n; i++) {
		const struct item *x = &b->items[i];
		char *e = page + HEAD_BYTES + i * ELEMENT_BYTES;
		size_t pos = (b->n - i) * ELEMENT_BYTES + at;
		put(e, b->is_branch ? pos : x->flags, 4);
		put(e + 4, b->is_branch ? x->key_len : pos, 4);
		if (b->is_branch) {
			put(e + 8, x->child, 8);
		} else {
			put(e + 8, x->key_len, 4);
			put(e + 12, x->value_len, 4);
		}
		at += x->key_len + x->value_len;
	}
	memcpy(page + HEAD_BYTES + b->n * ELEMENT_BYTES, b->bytes.data ? b->bytes.data : "", b->bytes.len);
	int rc = write_bytes(w, page, pages * PAGE_BYTES, err);
	free(page);
	*ret_page = w->next;
	w->next += pages;
	b->n = 0;
	strbuf_reset(&b->bytes);
	return rc;
}

/* ---- trees ---- */

static void refs_add(struct refs *r, const char *key, size_t len, uint64_t page)
{
	if (r->n == r->cap)
		r->list = xrealloc(r->list, (r->cap = r->cap ? r->cap * 2 : 64) * sizeof *r->list);
	char *copy = xmalloc(len + 1);
	memcpy(copy, key, len);
	r->list[r->n++] = (struct ref){copy, len, page};
}

static void refs_release(struct refs *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->list[i].key);
	free(r->list);
	*r = (struct refs){0};
}

/* Writes what the builder holds and notes it by its first key, which is how its bytes begin. */
static int flush(struct bbolt_writer *w, struct builder *b, struct refs *to, struct err *err)
{
	struct slice key = {b->bytes.data, b->n ? b->items[0].key_len : 0};
	char *copy = xmalloc(key.len + 1);
	uint64_t page;
	memcpy(copy, key.len ? key.ptr : "", key.len);
	int rc = write_page(w, b, &page, err);
	if (rc == 0)
		refs_add(to, copy, key.len, page);
	free(copy);
	return rc;
}

static int build_level(struct bbolt_writer *w, const struct refs *below, struct refs *above, struct err *err)
{
	struct builder b = {.is_branch = true};
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < below->n; i++) {
		const struct ref *r = &below->list[i];
		if (!has_room(&b, r->len))
			rc = flush(w, &b, above, err);
		if (rc == 0)
			builder_add(&b, &(struct item){.key_len = (uint32_t)r->len, .child = r->page},
			        (struct slice){r->key, r->len}, SLICE_NULL);
	}
	if (rc == 0)
		rc = flush(w, &b, above, err);
	free(b.items);
	strbuf_release(&b.bytes);
	return rc;
}

static int end_tree(struct bbolt_writer *w, uint64_t *ret_root, struct err *err)
{
	int rc = w->leaf.n || !w->refs.n ? flush(w, &w->leaf, &w->refs, err) : 0;
	while (rc == 0 && w->refs.n > 1) {
		struct refs above = {0};
		rc = build_level(w, &w->refs, &above, err);
		refs_release(&w->refs);
		w->refs = above;
	}
	*ret_root = rc == 0 ? w->refs.list[0].page : 0;
	refs_release(&w->refs);
	strbuf_reset(&w->last_key);
	return rc;
}

static int end_bucket(struct bbolt_writer *w, struct err *err)
{
	return w->n_buckets ? end_tree(w, &w->buckets[w->n_buckets - 1].root, err) : 0;
}

/* ---- what callers see ---- */

int bbolt_writer_open(const char *path, struct bbolt_writer **ret, struct err *err)
{
	static const char zeros[PAGE_BYTES * FIRST_PAGE];
	FILE *f = fopen(path, "wxe");
	if (!f)
		return errno == EEXIST ? err_set(err, ERR_EXISTS, "%s is there already", path)
		                       : err_errno(err, errno, "make %s", path);
	struct bbolt_writer *w = xcalloc(1, sizeof *w);
	w->file = f;
	w->path = xstrdup(path);
	w->next = FIRST_PAGE;
	if (write_bytes(w, zeros, sizeof zeros, err) != 0) {
		bbolt_writer_free(w);
		return err->code;
	}
	*ret = w;
	return 0;
}

int bbolt_writer_bucket(struct bbolt_writer *w, const char *name, struct err *err)
{
	CHECK(w->n_buckets < COUNT_OF(w->buckets));
	if (end_bucket(w, err) != 0)
		return err->code;
	w->buckets[w->n_buckets++].name = name;
	return 0;
}

static int put_item(struct bbolt_writer *w, uint32_t flags, struct slice key, struct slice value, struct err *err)
{
	CHECK(w->last_key.len == 0 || slice_cmp(strbuf_slice(&w->last_key), key) < 0);
	CHECK(value.len < UINT32_MAX);
	strbuf_reset(&w->last_key);
	strbuf_add_slice(&w->last_key, key);
	if (!has_room(&w->leaf, key.len + value.len) && flush(w, &w->leaf, &w->refs, err) != 0)
		return err->code;
	builder_add(&w->leaf,
	        &(struct item){.flags = flags, .key_len = (uint32_t)key.len, .value_len = (uint32_t)value.len}, key,
	        value);
	return 0;
}

int bbolt_writer_put(struct bbolt_writer *w, struct slice key, struct slice value, struct err *err)
{
	CHECK(w->n_buckets > 0);
	return put_item(w, 0, key, value, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct bucket *)a)->name, ((const struct bucket *)b)->name);
}

static int write_top(struct bbolt_writer *w, uint64_t *ret_root, struct err *err)
{
	qsort(w->buckets, w->n_buckets, sizeof *w->buckets, by_name);
	for (size_t i = 0; i < w->n_buckets; i++) {
		char value[16] = {0};
		put(value, w->buckets[i].root, 8);
		if (put_item(w, 1, slice_of(w->buckets[i].name), (struct slice){value, sizeof value}, err) != 0)
			return err->code;
	}
	return end_tree(w, ret_root, err);
}

static int write_metas(struct bbolt_writer *w, uint64_t root, struct err *err)
{
	char pages[PAGE_BYTES * FIRST_PAGE] = {0};
	for (unsigned i = 0; i < 2; i++) {
		char *m = pages + i * PAGE_BYTES + HEAD_BYTES;
		put_head(pages + i * PAGE_BYTES, i, PAGE_META, 0, 0);
		put(m, 0xed0cdaedu, 4);
		put(m + 4, 2, 4);
		put(m + 8, PAGE_BYTES, 4);
		put(m + 16, root, 8);
		put(m + 32, FREELIST_PAGE, 8);
		put(m + 40, w->next, 8);
		put(m + 48, i, 8);
		put(m + META_BYTES - 8, fnv1a64(m, META_BYTES - 8), 8);
	}
	put_head(pages + FREELIST_PAGE * PAGE_BYTES, FREELIST_PAGE, PAGE_FREELIST, 0, 0);
	if (fseek(w->file, 0, SEEK_SET) != 0)
		return err_errno(err, errno, "write %s", w->path);
	return write_bytes(w, pages, sizeof pages, err);
}

int bbolt_writer_finish(struct bbolt_writer *w, struct err *err)
{
	uint64_t root = 0;
	if (end_bucket(w, err) != 0 || write_top(w, &root, err) != 0 || write_metas(w, root, err) != 0)
		return err->code;
	if (fflush(w->file) != 0)
		return err_errno(err, errno, "write %s", w->path);
	w->is_finished = true;
	return 0;
}

void bbolt_writer_free(struct bbolt_writer *w)
{
	fclose(w->file);
	if (!w->is_finished)
		unlink(w->path);
	refs_release(&w->refs);
	free(w->leaf.items);
	strbuf_release(&w->leaf.bytes);
	strbuf_release(&w->last_key);
	free(w->path);
	free(w);
}
