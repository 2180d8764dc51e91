/* See http_gzip_int.h. Level 1, as kube-apiserver has it: JSON becomes a twentieth by it already, and time is what is
 * short. A step takes at most STEP_BYTES of a piece, so that neither a long piece nor many short ones hold the loop:
 * what is pulled at a time is little, and the rest waits until the peer has taken it.
 *
 * What can go wrong: no memory for zlib, then the answer goes out as it is. */
#include "base/wire/http_gzip_int.h"

#include "base/check.h"

#include <stdlib.h>
#include <zlib.h>

enum { LEVEL = 1, WINDOW_BITS = 14, AS_GZIP = 16, MEMORY_LEVEL = 7, STEP_BYTES = 64 * 1024, OUT_BYTES = 8 * 1024 };

struct http_gzip {
	z_stream z;
	const struct http_buf *bufs; /* the rest of the answer */
	size_t count;
	struct http_buf piece; /* what is left of the one that is being taken */
	bool is_over;
};

struct http_gzip *http_gzip_new(const struct http_buf *bufs, size_t count)
{
	struct http_gzip *g = xcalloc(1, sizeof *g);
	if (deflateInit2(&g->z, LEVEL, Z_DEFLATED, WINDOW_BITS + AS_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(g);
		return NULL;
	}
	g->bufs = bufs;
	g->count = count;
	return g;
}

void http_gzip_free(struct http_gzip *g)
{
	if (!g)
		return;
	http_buf_drop(&g->piece);
	for (size_t i = 0; i < g->count; i++) {
		struct http_buf b = g->bufs[i];
		http_buf_drop(&b);
	}
	deflateEnd(&g->z);
	free(g);
}

/* What is left of a piece keeps the piece's reference until all of it is taken. */
static struct slice next_step(struct http_gzip *g)
{
	while (!g->piece.data.len && g->count) {
		http_buf_drop(&g->piece);
		g->piece = *g->bufs++;
		g->count--;
		http_buf_make(&g->piece);
	}
	struct slice step = g->piece.data;
	step.len = step.len > STEP_BYTES ? STEP_BYTES : step.len;
	g->piece.data.ptr += step.len;
	g->piece.data.len -= step.len;
	return step;
}

struct rcbuf *http_gzip_next(struct http_gzip *g)
{
	struct rcbuf *out;
	char bytes[OUT_BYTES];
	int rc = Z_OK;
	g->z.next_out = (unsigned char *)bytes;
	g->z.avail_out = sizeof bytes;
	while (g->z.avail_out && rc != Z_STREAM_END && !g->is_over) {
		if (!g->z.avail_in) {
			struct slice step = next_step(g);
			g->z.next_in = (unsigned char *)step.ptr;
			g->z.avail_in = (unsigned)step.len;
		}
		bool is_last = !g->count && !g->piece.data.len;
		rc = deflate(&g->z, is_last ? Z_FINISH : Z_NO_FLUSH);
		CHECK(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
		g->is_over = rc == Z_STREAM_END;
	}
	out = sizeof bytes > g->z.avail_out ? rcbuf_copy(bytes, sizeof bytes - g->z.avail_out) : NULL;
	return out;
}

bool http_accepts_gzip(struct slice accept_encoding)
{
	while (accept_encoding.len)
		if (slice_is(slice_trim(slice_cut(&accept_encoding, ',')), "gzip"))
			return true;
	return false;
}
