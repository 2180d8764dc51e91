/* Blocks of versions.
 *
 *     id       of the first version; the row's name
 *     n        versions
 *     ids      of the others: varint (revisions further << 1 | has a place), then the place in its revision if it has
 * one raw      bytes when unpacked bytes    LZ4, or plain when that does not save an eighth: for each version varints:
 * revisions back to prev, prev's place, revisions back to the creation, version, lease, bytes of the key, bytes of the
 * value; the key; the value
 *
 * A row for every version costs a page's share of overhead each, and neighbours have much in common: in blocks the same
 * history takes a half to a fifth of the bytes and of the time. The ids lie outside of what is packed, so that
 * compaction can say which version is dead without unpacking anything; the bits of the dead lie beside the block
 * (db.c), so that a block is not written for them. Differences are taken modulo 2^64, so any numbers come back as they
 * were.
 *
 * A block comes from a disk: every length, number and order is checked before it is used, and ERR_CORRUPT names the
 * block. */
#include "store/machine/database/version_block.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "store/machine/database/row_id.h"

#include <lz4.h>
#include <stdlib.h>

enum { VARINT_BYTES_MAX = 10, RECORD_HEAD_BYTES_MAX = 7 * VARINT_BYTES_MAX };

#define SUB_MASK ((INT64_C(1) << SUB_BITS) - 1)

_Static_assert(STORE_BLOCK_VERSIONS_MAX % 8 == 0, "bits fill their bytes");

unsigned version_bits_count(const struct version_bits *b)
{
	unsigned n = 0;
	for (size_t i = 0; i < sizeof b->bytes; i++)
		n += (unsigned)__builtin_popcount(b->bytes[i]);
	return n;
}

/* ---- numbers ---- */

static size_t put_varint(char *at, uint64_t n)
{
	size_t len = 0;
	for (; n > 127; n >>= 7)
		at[len++] = (char)(n | 128);
	at[len++] = (char)n;
	return len;
}

static bool get_varint(struct slice *in, uint64_t *ret)
{
	uint64_t n = 0;
	for (unsigned shift = 0; shift < 64 && in->len; shift += 7) {
		unsigned char c = (unsigned char)*in->ptr++;
		in->len--;
		n |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*ret = n;
			return true;
		}
	}
	return false;
}

/* ---- reading: ids and bits ---- */

static int bad(const struct version_stored *s, struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, "the block of versions %lld (revision %lld): %s", (long long)s->id,
	        (long long)ROW_REVISION(s->id), what);
}

/* The id after `id`. False: none that can be. */
static bool next_id(struct slice *in, int64_t id, int64_t *ret)
{
	uint64_t step, sub = 0;
	if (!get_varint(in, &step) || ((step & 1) && !get_varint(in, &sub)))
		return false;
	if (step >> 1 > (uint64_t)(ROW_REVISION(INT64_MAX) - ROW_REVISION(id)) || sub > (uint64_t)SUB_MASK)
		return false;
	*ret = ROW_ID(ROW_REVISION(id) + (int64_t)(step >> 1)) | (int64_t)sub;
	return *ret > id;
}

static bool read_bits(const struct version_stored *s, struct version_bits *ret)
{
	size_t n = (size_t)s->n, bytes = (n + 7) / 8;
	*ret = (struct version_bits){0};
	if (s->dead.len == 0)
		return true;
	if (s->dead.len != bytes)
		return false;
	memcpy(ret->bytes, s->dead.ptr, bytes);
	return n % 8 == 0 || ret->bytes[bytes - 1] >> (n % 8) == 0;
}

int version_head_decode(struct version_head *ret, const struct version_stored *s, struct err *err)
{
	struct slice in = s->ids;
	if (s->id <= 0 || s->n < 1 || s->n > STORE_BLOCK_VERSIONS_MAX)
		return bad(s, err, "its number of versions is impossible");
	if (s->raw < 1 || s->raw > (int64_t)STORE_BLOCK_RAW_MAX)
		return bad(s, err, "its size is impossible");
	ret->n = (unsigned)s->n;
	ret->raw = s->raw;
	ret->ids[0] = s->id;
	for (unsigned i = 1; i < ret->n; i++)
		if (!next_id(&in, ret->ids[i - 1], &ret->ids[i]))
			return bad(s, err, "its ids do not read");
	if (in.len)
		return bad(s, err, "it has more ids than versions");
	if (!read_bits(s, &ret->dead))
		return bad(s, err, "the bits of its dead versions do not fit it");
	return 0;
}

int version_head_find(const struct version_head *h, int64_t id)
{
	unsigned low = 0, high = h->n;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (h->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->n && h->ids[low] == id ? (int)low : -1;
}

/* ---- reading: versions ---- */

static int unpack(struct version_block *b, const struct version_stored *s, struct err *err)
{
	size_t raw = (size_t)s->raw;
	if (s->bytes.len > raw || raw / 256 > s->bytes.len) /* LZ4 cannot do better */
		return bad(s, err, "its size is impossible");
	if (b->raw_cap < raw) {
		b->raw = xrealloc(b->raw, raw);
		b->raw_cap = raw;
	}
	if (s->bytes.len == raw)
		memcpy(b->raw, s->bytes.ptr, raw);
	else if (LZ4_decompress_safe(s->bytes.ptr, b->raw, (int)s->bytes.len, (int)raw) != (int)raw)
		return bad(s, err, "it does not unpack");
	return 0;
}

static bool take_bytes(struct slice *in, uint64_t n, struct slice *ret)
{
	if (n > in->len)
		return false;
	*ret = (struct slice){in->ptr, (size_t)n};
	in->ptr += n;
	in->len -= (size_t)n;
	return true;
}

/* r->id is set. */
static bool read_version(struct slice *in, struct version_row *r)
{
	uint64_t n[7], revision = (uint64_t)ROW_REVISION(r->id);
	for (size_t i = 0; i < 7; i++)
		if (!get_varint(in, &n[i]))
			return false;
	if (n[0] > revision || n[1] > (uint64_t)SUB_MASK || n[3] > INT64_MAX || n[5] == 0)
		return false;
	r->prev = ROW_ID(revision - n[0]) | (int64_t)n[1];
	r->created = (int64_t)(revision - n[2]);
	r->version = (int64_t)n[3];
	r->lease = (int64_t)n[4];
	return r->prev < r->id && take_bytes(in, n[5], &r->key) && take_bytes(in, n[6], &r->value);
}

static int read_versions(
        struct version_block *b, const struct version_head *h, const struct version_stored *s, struct err *err)
{
	struct slice in = {b->raw, (size_t)s->raw};
	if (b->cap < h->n) {
		b->rows = xrealloc(b->rows, h->n * sizeof *b->rows);
		b->cap = h->n;
	}
	for (unsigned i = 0; i < h->n; i++) {
		b->rows[i].id = h->ids[i];
		if (!read_version(&in, &b->rows[i]))
			return bad(s, err, "a version in it does not read");
	}
	return in.len ? bad(s, err, "there is something behind its last version") : 0;
}

int version_block_decode(struct version_block *b, const struct version_stored *s, struct err *err)
{
	struct version_head h;
	b->n = 0;
	int rc = version_head_decode(&h, s, err);
	if (rc == 0)
		rc = unpack(b, s, err);
	if (rc == 0)
		rc = read_versions(b, &h, s, err);
	if (rc != 0)
		return rc;
	b->n = h.n;
	b->dead = h.dead;
	CHECK(b->n > 0 && b->n <= b->cap && b->rows[0].id == s->id);
	return 0;
}

void version_block_release(struct version_block *b)
{
	free(b->rows);
	free(b->raw);
	*b = (struct version_block){0};
}

size_t version_block_bytes(const struct version_block *b)
{
	return sizeof *b + b->cap * sizeof *b->rows + b->raw_cap;
}

const struct version_row *version_block_find(const struct version_block *b, int64_t id)
{
	unsigned low = 0, high = b->n;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (b->rows[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	bool is_there = low < b->n && b->rows[low].id == id && !version_bit(&b->dead, low);
	return is_there ? &b->rows[low] : NULL;
}

/* ---- writing ---- */

bool version_builder_has_room(const struct version_builder *b, const struct version_row *v)
{
	return b->n == 0 ||
	       (b->n < STORE_BLOCK_VERSIONS_MAX &&
	               b->raw.len + RECORD_HEAD_BYTES_MAX + v->key.len + v->value.len <= STORE_BLOCK_BYTES);
}

void version_builder_add(struct version_builder *b, const struct version_row *v)
{
	uint64_t revision = (uint64_t)ROW_REVISION(v->id);
	const uint64_t n[7] = {revision - (uint64_t)ROW_REVISION(v->prev), (uint64_t)(v->prev & SUB_MASK),
	        revision - (uint64_t)v->created, (uint64_t)v->version, (uint64_t)v->lease, v->key.len, v->value.len};
	CHECK(version_builder_has_room(b, v));
	CHECK(v->id > (b->n ? b->ids[b->n - 1] : 0));
	CHECK(v->prev >= 0 && v->prev < v->id);
	CHECK(v->version >= 0 && v->key.len > 0);
	CHECK(v->key.len + v->value.len + RECORD_HEAD_BYTES_MAX <= STORE_BLOCK_RAW_MAX);
	if (b->n == 0)
		strbuf_reset(&b->raw);
	strbuf_reserve(&b->raw, RECORD_HEAD_BYTES_MAX + v->key.len + v->value.len);
	for (size_t i = 0; i < 7; i++)
		b->raw.len += put_varint(b->raw.data + b->raw.len, n[i]);
	strbuf_add_slice(&b->raw, v->key);
	strbuf_add_slice(&b->raw, v->value);
	b->ids[b->n++] = v->id;
}

static void put_ids(struct version_builder *b)
{
	strbuf_reset(&b->id_bytes);
	strbuf_reserve(&b->id_bytes, (size_t)b->n * 2 * VARINT_BYTES_MAX);
	for (unsigned i = 1; i < b->n; i++) {
		char *at = b->id_bytes.data + b->id_bytes.len;
		uint64_t further = (uint64_t)(ROW_REVISION(b->ids[i]) - ROW_REVISION(b->ids[i - 1]));
		uint64_t sub = (uint64_t)(b->ids[i] & SUB_MASK);
		size_t len = put_varint(at, further << 1 | (sub != 0));
		if (sub)
			len += put_varint(at + len, sub);
		b->id_bytes.len += len;
	}
}

/* What it is packed to; nothing: it does not get smaller by an eighth. */
static struct slice pack(struct version_builder *b)
{
	size_t room = b->raw.len - b->raw.len / 8;
	strbuf_reset(&b->packed);
	strbuf_reserve(&b->packed, room);
	int n = LZ4_compress_default(b->raw.data, b->packed.data, (int)b->raw.len, (int)room);
	CHECK(n >= 0 && (size_t)n <= room);
	return n > 0 && (size_t)n < b->raw.len ? (struct slice){b->packed.data, (size_t)n} : SLICE_NULL;
}

void version_builder_seal(struct version_builder *b, struct version_stored *ret)
{
	CHECK(b->n > 0 && b->raw.len > 0 && b->raw.len <= STORE_BLOCK_RAW_MAX);
	put_ids(b);
	struct slice packed = pack(b);
	*ret = (struct version_stored){.id = b->ids[0],
	        .n = b->n,
	        .ids = strbuf_slice(&b->id_bytes),
	        .raw = (int64_t)b->raw.len,
	        .bytes = packed.len ? packed : strbuf_slice(&b->raw)};
	CHECK((int64_t)ret->bytes.len <= ret->raw);
	b->n = 0;
}

void version_builder_release(struct version_builder *b)
{
	strbuf_release(&b->raw);
	strbuf_release(&b->packed);
	strbuf_release(&b->id_bytes);
	b->n = 0;
}
