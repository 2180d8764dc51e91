/* A reader of bbolt files. See bbolt_int.h.
 *
 * The file is pages of one size. A page begins with its number, flags (branch 1, leaf 2, meta 4, freelist 16), how many
 * elements it has and how many pages follow that belong to it (overflow). Pages 0 and 1 are meta: magic, version, page
 * size, the root bucket, the number of the last transaction and an FNV-1a checksum; the sound one with the higher
 * transaction counts. A bucket is a B+tree: branch elements (position, key length, child) lead to leaf elements (flags,
 * position, key length, value length); positions count from the element itself. A bucket in a bucket is a leaf element
 * with flag 1 whose value is the page of its root and a sequence number, and with root 0 its only leaf page follows
 * right there. All numbers are little endian on the machines that etcd supports.
 *
 * The walk keeps a path of at most DEPTH_MAX pages and looks at no more pages than the file has, and keys must rise all
 * the way: so a file that loops or is larger than it seems ends in ERR_CORRUPT. */
#include "store/snapshot/bbolt_int.h"

#include "base/check.h"
#include "base/file/file_map.h"
#include "base/hash.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define BBOLT_MAGIC 0xed0cdaedu
enum { VERSION = 2, DEPTH_MAX = 32, PAGE_BYTES_MIN = 512, PAGE_BYTES_MAX = 1 << 20 };
enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_META = 4 };
enum { LEAF_BUCKET = 1 };

struct page_head {
	uint64_t id;
	uint16_t flags, count;
	uint32_t overflow;
};

struct bucket_head {
	uint64_t root, sequence;
};

struct meta_page {
	uint32_t magic, version, page_bytes, flags;
	struct bucket_head root;
	uint64_t freelist, pages, txid, checksum;
};

struct branch_element {
	uint32_t pos, key_len;
	uint64_t child;
};

struct leaf_element {
	uint32_t flags, pos, key_len, value_len;
};

_Static_assert(sizeof(struct page_head) == 16 && sizeof(struct meta_page) == 64, "in the file");
_Static_assert(sizeof(struct branch_element) == 16 && sizeof(struct leaf_element) == 16, "in the file");

/* ---- opening ---- */

static bool read_meta(const char *data, size_t len, size_t at, struct meta_page *m)
{
	struct page_head h;
	if (at > len || len - at < sizeof h + sizeof *m)
		return false;
	memcpy(&h, data + at, sizeof h);
	memcpy(m, data + at + sizeof h, sizeof *m);
	return (h.flags & PAGE_META) && m->magic == BBOLT_MAGIC && m->version == VERSION &&
	       m->checksum == fnv1a64(m, offsetof(struct meta_page, checksum)) && m->page_bytes >= PAGE_BYTES_MIN &&
	       m->page_bytes <= PAGE_BYTES_MAX && (m->page_bytes & (m->page_bytes - 1)) == 0;
}

enum { HEAD_BYTES = sizeof(struct page_head) + 8 };

bool bbolt_is_head(const char *data, size_t len)
{
	uint32_t magic = 0;
	if (len >= HEAD_BYTES)
		memcpy(&magic, data + sizeof(struct page_head), sizeof magic);
	return magic == BBOLT_MAGIC;
}

bool bbolt_is(const char *path)
{
	char head[HEAD_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? pread(fd, head, sizeof head, 0) : 0;
	if (fd >= 0)
		close(fd);
	return n > 0 && bbolt_is_head(head, (size_t)n);
}

int bbolt_open_memory(const void *data, size_t len, struct bbolt *ret, struct err *err)
{
	struct meta_page m, other;
	struct bbolt b = {.data = data, .len = len};
	bool sound = read_meta(data, len, 0, &m);
	/* The second meta page lies where the page size says, which only the first tells: sizes are tried without it.
	 */
	for (size_t at = sound ? m.page_bytes : PAGE_BYTES_MIN; at <= PAGE_BYTES_MAX; at *= 2) {
		if (read_meta(data, len, at, &other) && other.page_bytes == at && (!sound || other.txid > m.txid)) {
			m = other;
			sound = true;
			break;
		}
		if (sound)
			break;
	}
	if (!sound)
		return err_set(err, ERR_CORRUPT, "neither of the two meta pages of bbolt is sound");
	b.page_bytes = m.page_bytes;
	b.root = m.root.root;
	b.txid = m.txid;
	*ret = b;
	return 0;
}

int bbolt_open(const char *path, int64_t bytes, struct bbolt *ret, struct err *err)
{
	struct slice file;
	if (file_map(path, &file, err) != 0)
		return err->code;
	size_t len = bytes >= 0 && (size_t)bytes < file.len ? (size_t)bytes : file.len;
	if (bbolt_open_memory(file.ptr, len, ret, err) != 0) {
		file_unmap(file);
		return err_wrap(err, "%s", path);
	}
	ret->file = file;
	return 0;
}

void bbolt_close(struct bbolt *b)
{
	file_unmap(b->file);
	*b = (struct bbolt){0};
}

/* ---- pages ---- */

struct page {
	struct page_head head;
	struct slice bytes; /* all of it, head and overflow too */
};

struct walk {
	const struct bbolt *b;
	size_t pages_left;
	int (*fn)(void *arg, struct slice key, struct slice value, bool is_bucket, struct err *err);
	void *arg;
	struct slice last_key;
	struct err *err;
};

static int damaged(struct walk *w, uint64_t page, const char *what)
{
	return err_set(w->err, ERR_CORRUPT, "page %" PRIu64 " of the bbolt file: %s", page, what);
}

static int take_page(struct walk *w, struct slice bytes, uint64_t id, struct page *p)
{
	if (bytes.len < sizeof p->head)
		return damaged(w, id, "it is cut");
	memcpy(&p->head, bytes.ptr, sizeof p->head);
	p->bytes = bytes;
	if (p->head.count > (bytes.len - sizeof p->head) / sizeof(struct leaf_element))
		return damaged(w, id, "more elements than it has room for");
	return 0;
}

static int load_page(struct walk *w, uint64_t id, struct page *p)
{
	const struct bbolt *b = w->b;
	uint64_t pages = b->len / b->page_bytes;
	if (id < 2 || id >= pages)
		return damaged(w, id, "it is outside of the file");
	if (w->pages_left-- == 0)
		return damaged(w, id, "there are more pages in the tree than in the file");
	memcpy(&p->head, b->data + id * b->page_bytes, sizeof p->head);
	if (p->head.id != id)
		return damaged(w, id, "another page is in its place");
	if (p->head.overflow >= pages - id)
		return damaged(w, id, "it is larger than what is left of the file");
	return take_page(
	        w, (struct slice){b->data + id * b->page_bytes, (1 + (size_t)p->head.overflow) * b->page_bytes}, id, p);
}

/* `len` bytes at `pos` behind the element at `at`; false: not within the page. */
static bool part(const struct page *p, size_t at, uint64_t pos, uint64_t len, struct slice *ret)
{
	uint64_t from = at + pos;
	if (from > p->bytes.len || len > p->bytes.len - from)
		return false;
	*ret = (struct slice){p->bytes.ptr + from, (size_t)len};
	return true;
}

static int visit_leaf(struct walk *w, const struct page *p)
{
	for (size_t i = 0; i < p->head.count; i++) {
		size_t at = sizeof p->head + i * sizeof(struct leaf_element);
		struct leaf_element e;
		struct slice key, value;
		memcpy(&e, p->bytes.ptr + at, sizeof e);
		if (!part(p, at, e.pos, e.key_len, &key) ||
		        !part(p, at, (uint64_t)e.pos + e.key_len, e.value_len, &value))
			return damaged(w, p->head.id, "a pair that is not within it");
		if (w->last_key.ptr && slice_cmp(w->last_key, key) >= 0)
			return damaged(w, p->head.id, "keys out of order");
		w->last_key = key;
		int rc = w->fn(w->arg, key, value, e.flags & LEAF_BUCKET, w->err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int child_of(struct walk *w, const struct page *p, size_t i, struct page *ret)
{
	struct branch_element e;
	CHECK(i < p->head.count); /* take_page(): they have room */
	memcpy(&e, p->bytes.ptr + sizeof p->head + i * sizeof e, sizeof e);
	return load_page(w, e.child, ret);
}

/* Depth first, from left to right, without recursion. */
static int walk_tree(struct walk *w, struct page root)
{
	struct {
		struct page page;
		size_t next;
	} path[DEPTH_MAX];
	size_t depth = 1;
	path[0].page = root;
	path[0].next = 0;
	while (depth) {
		CHECK(depth <= DEPTH_MAX);
		struct page *p = &path[depth - 1].page;
		size_t i = path[depth - 1].next++;
		int rc = 0;
		if (p->head.flags & PAGE_LEAF) {
			rc = visit_leaf(w, p);
			depth--;
		} else if (!(p->head.flags & PAGE_BRANCH)) {
			rc = damaged(w, p->head.id, "it is neither a branch nor a leaf");
		} else if (i >= p->head.count) {
			depth--;
		} else if (depth == DEPTH_MAX) {
			rc = damaged(w, p->head.id, "the tree is too deep");
		} else {
			path[depth].next = 0;
			rc = child_of(w, p, i, &path[depth].page);
			depth++;
		}
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int walk_bucket(struct walk *w, const struct bbolt_bucket *bucket)
{
	struct page root;
	w->pages_left = w->b->len / w->b->page_bytes;
	int rc = bucket->root ? load_page(w, bucket->root, &root) : take_page(w, bucket->inlined, 0, &root);
	return rc == 0 ? walk_tree(w, root) : rc;
}

/* ---- what callers see ---- */

struct lookup {
	struct slice name;
	struct bbolt_bucket *ret;
};

static int look(void *arg, struct slice key, struct slice value, bool is_bucket, struct err *err)
{
	struct lookup *l = arg;
	struct bucket_head h;
	if (!is_bucket || !slice_eq(key, l->name))
		return 0;
	if (value.len < sizeof h)
		return err_set(err, ERR_CORRUPT, "the bucket \"%.*s\" is cut", SLICE_FMT(key));
	memcpy(&h, value.ptr, sizeof h);
	*l->ret = (struct bbolt_bucket){h.root, {value.ptr + sizeof h, value.len - sizeof h}};
	return 1;
}

int bbolt_bucket(const struct bbolt *b, struct slice name, struct bbolt_bucket *ret, struct err *err)
{
	struct lookup l = {name, ret};
	struct bbolt_bucket top = {.root = b->root};
	struct walk w = {.b = b, .fn = look, .arg = &l, .err = err};
	if (!top.root)
		return err_set(err, ERR_CORRUPT, "the bbolt file has no root");
	return walk_bucket(&w, &top);
}

struct each {
	int (*fn)(void *arg, struct slice key, struct slice value, struct err *err);
	void *arg;
};

static int each_pair(void *arg, struct slice key, struct slice value, bool is_bucket, struct err *err)
{
	struct each *e = arg;
	return is_bucket ? 0 : e->fn(e->arg, key, value, err);
}

int bbolt_each(const struct bbolt *b, const struct bbolt_bucket *bucket,
        int (*fn)(void *arg, struct slice key, struct slice value, struct err *err), void *arg, struct err *err)
{
	struct each e = {fn, arg};
	struct walk w = {.b = b, .fn = each_pair, .arg = &e, .err = err};
	return walk_bucket(&w, bucket);
}
