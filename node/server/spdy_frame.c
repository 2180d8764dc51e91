/* See spdy_frame_int.h. Header blocks are a zlib stream per direction. Ours is made of stored blocks, each followed by
 * an empty one, which every inflater takes and which needs no compressor; the server's are passed over unread, as a
 * reply says all we need by its type. */
#include "node/server/spdy_frame_int.h"

#include "base/check.h"
#include "base/limits.h"

enum { FRAME_HEAD = 8 };
_Static_assert(SPDY_FRAME_BYTES_MAX <= 0xffffff, "what the head of a frame can say");

static void put32(struct strbuf *b, uint32_t v)
{
	char c[4] = {(char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v};
	strbuf_add(b, c, 4);
}

static uint32_t get32(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void put_text(struct strbuf *b, const char *text)
{
	put32(b, (uint32_t)strlen(text));
	strbuf_adds(b, text);
}

/* RFC 1951 section 3.2.4: a stored block is its length, the complement, the bytes. */
static void put_stored(struct strbuf *out, struct slice data)
{
	unsigned n = (unsigned)data.len;
	char head[5] = {0, (char)n, (char)(n >> 8), (char)~n, (char)(~n >> 8)};
	strbuf_add(out, head, sizeof head);
	strbuf_add_slice(out, data);
}

void spdy_write_syn(struct strbuf *out, unsigned stream_id, const char *stream_type, bool *first)
{
	CHECK(stream_id & 1);
	struct strbuf pairs = STRBUF_INIT, block = STRBUF_INIT;
	put32(&pairs, 1);
	put_text(&pairs, "streamtype");
	put_text(&pairs, stream_type);
	if (*first)
		strbuf_add(&block, "\x78\x01", 2); /* RFC 1950: the head of the zlib stream, once */
	*first = false;
	put_stored(&block, strbuf_slice(&pairs));
	put_stored(&block, SLICE_NULL);
	put32(out, 0x80030000u | SPDY_SYN_STREAM);
	put32(out, (uint32_t)block.len + 10);
	put32(out, stream_id);
	put32(out, 0);
	strbuf_add(out, "\0\0", 2);
	strbuf_add_slice(out, strbuf_slice(&block));
	strbuf_release(&pairs);
	strbuf_release(&block);
}

void spdy_write_data(struct strbuf *out, unsigned stream_id, struct slice data, bool is_end)
{
	CHECK(data.len <= 0xffffff);
	put32(out, stream_id);
	put32(out, (is_end ? (uint32_t)SPDY_FLAG_FIN << 24 : 0) | (uint32_t)data.len);
	strbuf_add_slice(out, data);
}

void spdy_write_ping(struct strbuf *out, uint32_t id)
{
	put32(out, 0x80030000u | SPDY_PING);
	put32(out, 4);
	put32(out, id);
}

int spdy_frame_next(struct slice *in, struct spdy_frame *ret, struct err *err)
{
	if (in->len < FRAME_HEAD)
		return 0;
	uint32_t head = get32(in->ptr), rest = get32(in->ptr + 4), len = rest & 0xffffff;
	if (len > SPDY_FRAME_BYTES_MAX)
		return err_set(err, ERR_PROTOCOL, "the runtime's stream has a frame of %u bytes: at most %u are taken",
		        len, SPDY_FRAME_BYTES_MAX);
	if (in->len < FRAME_HEAD + len)
		return 0;
	struct slice body = {in->ptr + FRAME_HEAD, len};
	*ret = (struct spdy_frame){.is_end = rest >> 24 & SPDY_FLAG_FIN, .body = body};
	ret->type = head & 0x80000000u ? head & 0xffff : SPDY_DATA;
	bool has_id = ret->type == SPDY_SYN_REPLY || ret->type == SPDY_RST_STREAM || ret->type == SPDY_PING;
	if (ret->type == SPDY_DATA)
		ret->id = head & 0x7fffffff;
	else if (has_id && len < 4)
		return err_set(
		        err, ERR_PROTOCOL, "the runtime's stream has a frame of type %u that is cut short", ret->type);
	else if (has_id)
		ret->id = get32(body.ptr) & (ret->type == SPDY_PING ? 0xffffffff : 0x7fffffff);
	in->ptr += FRAME_HEAD + len;
	in->len -= FRAME_HEAD + len;
	return 1;
}
