/* gzip (RFC 1952): for logs that are put away, what zcat reads; and as a stream, for answers. Any thread. */
#ifndef K3X_BASE_GZIP_H
#define K3X_BASE_GZIP_H

#include "base/err.h"
#include "base/mem/str.h"

/* Writes `from`, compressed, to `to`, which is made anew with the given mode and durable when this returns 0. On
 * failure nothing is left of it. `from` stays. */
int gzip_file(const char *from, const char *to, unsigned mode, struct err *err); /* blocks */

/* Level 1, as kube-apiserver has it: JSON becomes a twentieth by it already, and time is what is short. Some 130 KB. */
struct gzip_stream;
struct gzip_stream *gzip_stream_new(void); /* NULL: there is no memory */
void gzip_stream_free(struct gzip_stream *g);
/* Takes of `in` what it can, which is cut from it, while there is room in `out`; returns how many bytes it wrote there.
 * is_end: nothing comes after `in`; *ret_is_over: all is taken and written. Called again with the rest until then. */
size_t gzip_stream_run(
        struct gzip_stream *g, struct slice *in, bool is_end, char *out, size_t out_len, bool *ret_is_over);

#endif
