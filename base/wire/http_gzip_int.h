/* An answer's pieces as one gzip stream (RFC 1952), made as it is pulled. Of one exchange, on its loop. */
#ifndef K3X_BASE_WIRE_HTTP_GZIP_INT_H
#define K3X_BASE_WIRE_HTTP_GZIP_INT_H

#include "base/wire/http.h"

struct http_gzip;

/* The pieces are taken over; the array lives as long as the stream. NULL, and nothing taken: there is no memory. */
struct http_gzip *http_gzip_new(const struct http_buf *bufs, size_t count);
/* With the pieces that were not taken. NULL is allowed. */
void http_gzip_free(struct http_gzip *g);
/* The next bytes, some 8 KB: one reference. NULL: it is over. */
struct rcbuf *http_gzip_next(struct http_gzip *g);

#endif
