/* Pieces of bodies, and in which form they may go out. See http.h. */
#include "base/wire/http.h"

#include "base/check.h"

void http_buf_make(struct http_buf *b)
{
	if (!b->maker)
		return;
	struct rcbuf *made = b->maker->make(b->source);
	CHECK(made->len == b->data.len && !b->ref);
	b->maker->drop(b->source);
	*b = (struct http_buf){.data = {made->data, made->len}, .ref = made};
}

void http_buf_drop(struct http_buf *b)
{
	if (b->maker)
		b->maker->drop(b->source);
	rcbuf_unref(b->ref);
	*b = (struct http_buf){.ref = NULL};
}

bool http_accepts_gzip(struct slice accept_encoding)
{
	while (accept_encoding.len)
		if (slice_is(slice_trim(slice_cut(&accept_encoding, ',')), "gzip"))
			return true;
	return false;
}
