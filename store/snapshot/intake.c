/* A snapshot on its way from a file or a pipe to the disk, read once: its sha256 is summed up and its pages are looked
 * at while they are written.
 *
 * The sha256 is what is left when all pages are taken off: a database is whole pages, so the 32 bytes stand at the end
 * of the last piece, which is not full. Nothing of what is written is believed before that fits, and it goes when it
 * does not. A snapshot of etcd is bbolt's pages and has the same end. One that is packed (packed.h) is unpacked on its
 * way, and all that is said here is of what was in it.
 *
 * What can go wrong: it is cut, changed, or no snapshot at all (ERR_CORRUPT); it has no sha256 and none was waived
 * (ERR_INVAL); the disk fills (ERR_NO_SPACE). */
#include "store/snapshot/intake_int.h"

#include "base/check.h"
#include "base/file/file_out.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "store/snapshot/bbolt_int.h"
#include "store/snapshot/packed.h"
#include "store/snapshot/page_check_int.h"
#include "store/snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 20, UNIT_BYTES = 512 };

static int no_snapshot(const struct intake *x, struct err *err)
{
	return err_set(err, ERR_CORRUPT,
	        "%s is not a whole snapshot (%" PRId64 " bytes, no sha256 at its end): save it again", x->from,
	        x->size_bytes);
}

/* From size_bytes. */
static int split(struct intake *x, struct err *err)
{
	int64_t over = x->size_bytes % UNIT_BYTES;
	x->has_sha256 = over == STORE_SNAPSHOT_HASH_BYTES;
	x->bytes = x->size_bytes - over;
	CHECK(x->bytes >= 0 && x->bytes % UNIT_BYTES == 0);
	if (x->bytes == 0 || (over && !x->has_sha256))
		return no_snapshot(x, err);
	if (x->has_sha256 || x->skip_hash)
		return 0;
	return err_set(err, ERR_INVAL,
	        "%s is a database without a sha256, not a snapshot: save one with snapshot save, or take it as it is "
	        "with --skip-hash-check",
	        x->from);
}

static bool is_pipe(const struct intake *x)
{
	return strcmp(x->from, "-") == 0;
}

int intake_look(struct intake *x, struct err *err)
{
	struct stat st;
	if (is_pipe(x) || packed_is(x->from))
		return 0;
	if (stat(x->from, &st) != 0)
		return err_errno(err, errno, "open %s", x->from);
	x->size_bytes = st.st_size;
	x->is_etcd = bbolt_is(x->from);
	return split(x, err);
}

/* ---- copying ---- */

struct copy {
	struct intake *x;
	int in;
	struct packed_in *unpacked; /* what is in it */
	struct file_out out;
	struct pki_digest *digest;
	struct page_check check;
	char *piece;
};

/* As much as there is, up to a whole piece; a pipe gives less at a time. */
static int read_piece(struct copy *c, size_t *ret_len, struct err *err)
{
	size_t n = 1;
	*ret_len = 0;
	while (*ret_len < PIECE_BYTES && n) {
		if (packed_in_read(c->unpacked, c->piece + *ret_len, PIECE_BYTES - *ret_len, &n, err) != 0)
			return err->code;
		*ret_len += n;
	}
	return 0;
}

static int check_pages(struct copy *c, size_t len, struct err *err)
{
	for (size_t at = 0; !c->x->is_etcd && at + PAGE_BYTES <= len; at += PAGE_BYTES)
		if (page_check_next(&c->check, c->piece + at, err) != 0)
			return err_wrap(err, "%s is damaged", c->x->from);
	return 0;
}

static int take_piece(struct copy *c, size_t len, struct err *err)
{
	struct intake *x = c->x;
	if (x->size_bytes == 0)
		x->is_etcd = bbolt_is_head(c->piece, len);
	x->size_bytes += (int64_t)len;
	size_t n = len - len % UNIT_BYTES;
	CHECK(len <= PIECE_BYTES);
	pki_digest_add(c->digest, c->piece, n);
	return check_pages(c, n, err) != 0 ? err->code : file_out_write(&c->out, c->piece, n, err);
}

/* The last piece is in the buffer; `len` of it came. */
static int finish(struct copy *c, size_t len, struct err *err)
{
	struct intake *x = c->x;
	if (split(x, err) != 0)
		return err->code;
	pki_digest_get(c->digest, x->sha256);
	CHECK(!x->has_sha256 || len >= STORE_SNAPSHOT_HASH_BYTES); /* pieces are whole units, so it is not cut apart */
	const char *end = c->piece + len - STORE_SNAPSHOT_HASH_BYTES;
	if (x->has_sha256 && !x->skip_hash && memcmp(end, x->sha256, sizeof x->sha256) != 0)
		return err_set(err, ERR_CORRUPT, "%s is damaged: its sha256 does not fit what is in it", x->from);
	if (x->has_sha256 && x->skip_hash) {
		pki_digest_add(c->digest, end, STORE_SNAPSHOT_HASH_BYTES);
		pki_digest_get(c->digest, x->sha256);
	}
	x->is_checked = !x->is_etcd && c->check.has_sums && c->check.has_maps;
	if (!x->is_etcd && page_check_end(&c->check, err) != 0)
		return err_wrap(err, "%s is damaged", x->from);
	return 0;
}

static int run(struct copy *c, struct err *err)
{
	size_t len = PIECE_BYTES;
	int rc = 0;
	while (rc == 0 && len == PIECE_BYTES) {
		rc = read_piece(c, &len, err);
		if (rc == 0)
			rc = take_piece(c, len, err);
	}
	return rc == 0 ? finish(c, len, err) : rc;
}

int intake_copy(struct intake *x, const char *to, struct err *err)
{
	struct copy c = {.x = x};
	struct stat st;
	c.in = is_pipe(x) ? dup(STDIN_FILENO) : open(x->from, O_RDONLY | O_CLOEXEC);
	if (c.in < 0)
		return err_errno(err, errno, "open %s", x->from);
	posix_fadvise(c.in, 0, 0, POSIX_FADV_SEQUENTIAL);
	int64_t bytes = fstat(c.in, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size - st.st_size % UNIT_BYTES : 0;
	if (!is_pipe(x) && packed_is(x->from)) /* how many it will be is not known */
		bytes = 0;
	int rc = file_out_open(&c.out, to, bytes, err);
	if (rc == 0) {
		x->size_bytes = 0;
		c.piece = xmalloc(PIECE_BYTES);
		c.unpacked = packed_in_new(c.in, x->from);
		c.digest = pki_digest_new();
		rc = run(&c, err);
		if (rc == 0)
			file_out_leave(&c.out);
		else
			file_out_drop(&c.out);
		pki_digest_free(c.digest);
		packed_in_free(c.unpacked);
		free(c.piece);
	}
	close(c.in);
	return rc;
}
