/* One batch of the log on disk: entries packed for one write, and unpacked again.
 *
 *     header | payload                              magic KXBB: entries, each with a header, padded to eight bytes
 *     header | raw length, packed length | bytes    magic KXBZ: the same under LZ4, padded
 *
 * What the log mostly holds is text that says the same over and over, and the log is most of what a quiet server
 * writes: so a payload that shrinks by an eighth is written packed. The checksum is of what is on the disk; what
 * unpacks to something else than it says was never written by us, and counts as not there.
 *
 * What can go wrong: broken bytes (no batch is there); the disk does not read. */
#include "raft/log/log_int.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <lz4.h>
#include <stdlib.h>

/* Less than this fills one block of the disk either way. */
enum { PACK_BYTES_MIN = 2048 };

struct packed_head {
	uint32_t raw_length, length;
};

static size_t padded(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

size_t log_batch_bytes(const struct log_entry *entries, size_t n)
{
	size_t bytes = sizeof(struct batch_header);
	for (size_t i = 0; i < n; i++)
		bytes += sizeof(struct entry_header) + padded(entries[i].data.len);
	return bytes;
}

static void add_padding(struct strbuf *b)
{
	static const char zeros[8];
	strbuf_add(b, zeros, padded(b->len) - b->len);
}

static void add_entries(struct strbuf *out, const struct log_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct entry_header e = {entries[i].term, entries[i].kind, (uint32_t)entries[i].data.len};
		strbuf_add(out, &e, sizeof e);
		strbuf_add(out, entries[i].data.ptr, entries[i].data.len);
		add_padding(out);
	}
}

/* Packs the payload of `raw` into *out, behind room for a header. False: it does not pay. */
static bool pack(struct strbuf *out, const struct strbuf *raw)
{
	const size_t skip = sizeof(struct batch_header) + sizeof(struct packed_head);
	size_t len = raw->len - sizeof(struct batch_header);
	if (len < PACK_BYTES_MIN)
		return false;
	strbuf_reset(out);
	strbuf_reserve(out, skip + len);
	int n = LZ4_compress_default(
	        raw->data + sizeof(struct batch_header), out->data + skip, (int)len, (int)(len - len / 8));
	if (n <= 0)
		return false;
	struct packed_head head = {(uint32_t)len, (uint32_t)n};
	memcpy(out->data + sizeof(struct batch_header), &head, sizeof head);
	out->len = skip + (size_t)n;
	add_padding(out);
	return true;
}

struct strbuf *log_batch_encode(struct strbuf buffers[2], uint64_t index, const struct log_entry *entries, size_t n)
{
	struct batch_header h = {.magic = LOG_BATCH_MAGIC, .count = (uint32_t)n, .first = index};
	struct strbuf *out = &buffers[0];
	strbuf_reset(out);
	strbuf_add(out, &h, sizeof h);
	add_entries(out, entries, n);
	CHECK(out->len == log_batch_bytes(entries, n));
	if (pack(&buffers[1], out)) {
		out = &buffers[1];
		h.magic = LOG_PACKED_MAGIC;
	}
	CHECK(out->len <= log_batch_bytes(entries, n));
	h.length = (uint32_t)(out->len - sizeof h);
	memcpy(out->data, &h, sizeof h);
	return out;
}

void log_batch_seal(struct strbuf *b, uint64_t salt)
{
	struct batch_header h;
	CHECK(b->len >= sizeof h);
	memcpy(&h, b->data, sizeof h);
	h.salt = salt;
	memcpy(b->data, &h, sizeof h);
	h.crc = crc32c(0, b->data + 8, b->len - 8); /* what stands behind the checksum itself */
	memcpy(b->data, &h, sizeof h);
}

bool log_is_batch_magic(uint32_t magic)
{
	return magic == LOG_BATCH_MAGIC || magic == LOG_PACKED_MAGIC;
}

bool log_is_newer_batch_magic(uint32_t magic)
{
	uint32_t form = magic >> 24;
	return (magic & 0xffffff) == (LOG_BATCH_MAGIC & 0xffffff) && form > ' ' && form < 0x7f &&
	       !log_is_batch_magic(magic);
}

/* Puts what is packed in *payload in the place of it. False: it is not what it says. */
static bool unpack(char **payload, size_t *len)
{
	struct packed_head head;
	if (*len < sizeof head)
		return false;
	memcpy(&head, *payload, sizeof head);
	if (head.raw_length > LOG_BATCH_BYTES_MAX || head.length > *len - sizeof head ||
	        padded(head.length) != *len - sizeof head)
		return false;
	char *raw = xmalloc(head.raw_length + 1);
	int n = LZ4_decompress_safe(*payload + sizeof head, raw, (int)head.length, (int)head.raw_length);
	free(*payload);
	*payload = raw;
	*len = head.raw_length;
	return n >= 0 && (uint32_t)n == head.raw_length;
}

/* Does the header say what can be? */
static bool may_be(const struct segment *s, uint64_t offset, const struct batch_header *h, size_t got)
{
	return got == sizeof *h && log_is_batch_magic(h->magic) && h->salt == s->salt &&
	       h->length <= LOG_BATCH_BYTES_MAX && offset + sizeof *h + h->length <= s->size;
}

/* The length of a payload that is not unpacked yet. */
static size_t raw_length(const struct batch_header *h, const char *payload, size_t len)
{
	struct packed_head head;
	if (h->magic != LOG_PACKED_MAGIC)
		return len;
	if (len < sizeof head)
		return 0;
	memcpy(&head, payload, sizeof head);
	return head.raw_length;
}

static int check(const struct segment *s, uint64_t offset, struct batch_header *h, char **payload, size_t *len,
        bool *sound, struct err *err)
{
	size_t got;
	if (s->file->v->read(s->file, offset, h, sizeof *h, &got, err) != 0)
		return err->code;
	if (!may_be(s, offset, h, got))
		return 0;
	*payload = xrealloc(*payload, h->length + 1);
	if (s->file->v->read(s->file, offset + sizeof *h, *payload, h->length, len, err) != 0)
		return err->code;
	uint32_t crc = crc32c(0, (const char *)h + 8, sizeof *h - 8);
	*sound = *len == h->length && crc32c(crc, *payload, h->length) == h->crc;
	*sound &= h->count <= raw_length(h, *payload, *len) / sizeof(struct entry_header);
	return 0;
}

int log_check_batch(const struct segment *s, uint64_t offset, struct batch_header *h, char **payload, size_t *len,
        bool *sound, struct err *err)
{
	*sound = false;
	*len = 0;
	*payload = xmalloc(1);
	int rc = check(s, offset, h, payload, len, sound, err);
	if (rc != 0) {
		free(*payload);
		*payload = NULL;
	}
	return rc;
}

int log_load_batch(const struct segment *s, uint64_t offset, struct batch_header *h, char **payload, size_t *len,
        bool *sound, struct err *err)
{
	int rc = log_check_batch(s, offset, h, payload, len, sound, err);
	if (rc == 0 && *sound && h->magic == LOG_PACKED_MAGIC)
		*sound = unpack(payload, len);
	return rc;
}

bool log_parse_entries(const char *payload, size_t length, uint32_t count, struct log_entry *out)
{
	size_t at = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct entry_header e;
		if (length - at < sizeof e)
			return false;
		memcpy(&e, payload + at, sizeof e);
		at += sizeof e;
		if (e.length > length - at)
			return false;
		size_t bytes = padded(e.length);
		if (length - at < bytes)
			return false;
		out[i] = (struct log_entry){e.term, e.kind, {payload + at, e.length}};
		at += bytes;
	}
	return at == length;
}
