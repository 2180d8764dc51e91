/* See gzip.h. The file goes through zlib in pieces, so that memory is bounded whatever its size. */
#include "base/gzip.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

enum { PIECE_BYTES = 64 * 1024 };

static int copy(int from, gzFile to, const char *name, struct err *err)
{
	char piece[PIECE_BYTES];
	ssize_t n;
	while ((n = read(from, piece, sizeof piece)) > 0)
		if (gzwrite(to, piece, (unsigned)n) != (int)n)
			return err_errno(err, errno ? errno : EIO, "compress %s", name);
	return n == 0 ? 0 : err_errno(err, errno, "read %s", name);
}

/* The descriptor is gzclose()'s; a copy of it is synced afterwards. */
static int write_out(int from, const char *name, int fd, struct err *err)
{
	int durable = dup(fd);
	gzFile to = durable < 0 ? NULL : gzdopen(fd, "wb6");
	if (!to) {
		close(fd);
		if (durable >= 0)
			close(durable);
		return err_errno(err, errno ? errno : ENOMEM, "compress %s", name);
	}
	int rc = copy(from, to, name, err);
	if (gzclose(to) != Z_OK && rc == 0)
		rc = err_errno(err, errno ? errno : EIO, "compress %s", name);
	if (rc == 0 && fdatasync(durable) != 0)
		rc = err_errno(err, errno, "sync what %s was compressed to", name);
	close(durable);
	return rc;
}

int gzip_file(const char *from, const char *to, unsigned mode, struct err *err)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), rc;
	if (in < 0)
		return err_errno(err, errno, "open %s", from);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (out < 0)
		rc = err_errno(err, errno, "open %s", to);
	else if ((rc = write_out(in, from, out, err)) != 0)
		unlink(to);
	close(in);
	return rc;
}

/* ---- as a stream ---- */

struct gzip_stream {
	z_stream z;
};

struct gzip_stream *gzip_stream_new(void)
{
	enum { LEVEL = 1, WINDOW_BITS = 14, AS_GZIP = 16, MEMORY_LEVEL = 7 };
	struct gzip_stream *g = xcalloc(1, sizeof *g);
	if (deflateInit2(&g->z, LEVEL, Z_DEFLATED, WINDOW_BITS + AS_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
		return g;
	free(g);
	return NULL;
}

void gzip_stream_free(struct gzip_stream *g)
{
	if (!g)
		return;
	deflateEnd(&g->z);
	free(g);
}

size_t gzip_stream_run(
        struct gzip_stream *g, struct slice *in, bool is_end, char *out, size_t out_len, bool *ret_is_over)
{
	size_t len = in->len > PIECE_BYTES ? PIECE_BYTES : in->len;
	CHECK(out_len > 0);
	g->z.next_in = (unsigned char *)in->ptr;
	g->z.avail_in = (unsigned)len;
	g->z.next_out = (unsigned char *)out;
	g->z.avail_out = (unsigned)out_len;
	int rc = deflate(&g->z, is_end && len == in->len ? Z_FINISH : Z_NO_FLUSH);
	CHECK(rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR);
	size_t taken = len - g->z.avail_in;
	in->ptr += taken;
	in->len -= taken;
	*ret_is_over = rc == Z_STREAM_END;
	return out_len - g->z.avail_out;
}
