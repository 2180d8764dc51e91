/* See packed.h. A frame has a checksum of all that is in it, so what comes out is what went in. What can go wrong: a
 * frame that is cut or changed, the disk fills. How large it becomes when it is unpacked is for whoever writes it
 * somewhere to bear: the disk's end is found like any other. */
#include "store/snapshot/packed.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 * 1024, HEAD_BYTES = 4 };

bool packed_is_head(const char *head, size_t len)
{
	return len >= HEAD_BYTES && memcmp(head, "\x04\x22\x4d\x18", HEAD_BYTES) == 0;
}

/* ---- out ---- */

struct packer {
	LZ4F_cctx *lz4;
	char *room;
	size_t room_bytes;
};

static const LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max256KB, .contentChecksumFlag = LZ4F_contentChecksumEnabled}};

static int put(struct packed_out *o, size_t n, struct err *err)
{
	CHECK(LZ4F_isError(n) || n <= o->packer->room_bytes);
	if (LZ4F_isError(n))
		return err_set(err, ERR_INTERNAL, "pack %s: %s", o->file.path, LZ4F_getErrorName(n));
	return file_out_write(&o->file, o->packer->room, n, err);
}

static void free_packer(struct packer *p)
{
	if (!p)
		return;
	LZ4F_freeCompressionContext(p->lz4);
	free(p->room);
	free(p);
}

int packed_out_open(struct packed_out *o, const char *path, bool is_packed, struct err *err)
{
	*o = (struct packed_out){0};
	if (file_out_open(&o->file, path, 0, err) != 0 || !is_packed)
		return err->code;
	struct packer *p = o->packer = xcalloc(1, sizeof *p);
	p->room_bytes = LZ4F_compressBound(PIECE_BYTES, &preferences) + LZ4F_HEADER_SIZE_MAX;
	p->room = xmalloc(p->room_bytes);
	if (LZ4F_isError(LZ4F_createCompressionContext(&p->lz4, LZ4F_VERSION)))
		err_set(err, ERR_NOMEM, "pack %s", path);
	else
		put(o, LZ4F_compressBegin(p->lz4, p->room, p->room_bytes, &preferences), err);
	if (err->code)
		packed_out_drop(o);
	return err->code;
}

int packed_out_write(struct packed_out *o, const void *data, size_t len, struct err *err)
{
	struct packer *p = o->packer;
	if (!p)
		return file_out_write(&o->file, data, len, err);
	for (const char *at = data; len && !err->code;) {
		size_t n = len < PIECE_BYTES ? len : PIECE_BYTES;
		put(o, LZ4F_compressUpdate(p->lz4, p->room, p->room_bytes, at, n, NULL), err);
		at += n;
		len -= n;
	}
	return err->code;
}

int packed_out_keep(struct packed_out *o, struct err *err)
{
	struct packer *p = o->packer;
	if (p && put(o, LZ4F_compressEnd(p->lz4, p->room, p->room_bytes, NULL), err) != 0) {
		packed_out_drop(o);
		return err->code;
	}
	free_packer(TAKE(o->packer));
	return file_out_keep(&o->file, err);
}

void packed_out_drop(struct packed_out *o)
{
	free_packer(TAKE(o->packer));
	file_out_drop(&o->file);
}

/* ---- in ---- */

struct packed_in {
	int fd;
	const char *name;
	LZ4F_dctx *lz4; /* NULL: as it is */
	char *piece;
	size_t at, len;                      /* of what was read of the file and not used yet */
	bool is_begun, is_inside, is_at_end; /* inside: a frame has begun and not ended */
};

static int fill(struct packed_in *p, struct err *err)
{
	ssize_t n;
	CHECK(p->at <= p->len && p->len <= PIECE_BYTES);
	if (p->at < p->len || p->is_at_end)
		return 0;
	do
		n = read(p->fd, p->piece, PIECE_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, errno, "read %s", p->name);
	p->at = 0;
	p->len = (size_t)n;
	p->is_at_end = n == 0;
	return 0;
}

/* A pipe may give its first bytes one by one. */
static int begin(struct packed_in *p, struct err *err)
{
	CHECK(!p->is_begun && !p->lz4 && p->len == 0);
	p->is_begun = true;
	while (p->len < HEAD_BYTES && !p->is_at_end) {
		ssize_t n = read(p->fd, p->piece + p->len, PIECE_BYTES - p->len);
		if (n < 0 && errno != EINTR)
			return err_errno(err, errno, "read %s", p->name);
		p->is_at_end = n == 0;
		p->len += n > 0 ? (size_t)n : 0;
	}
	if (packed_is_head(p->piece, p->len) && LZ4F_isError(LZ4F_createDecompressionContext(&p->lz4, LZ4F_VERSION)))
		return err_set(err, ERR_NOMEM, "unpack %s", p->name);
	return 0;
}

static int unpack(struct packed_in *p, char *data, size_t room, size_t *ret_len, struct err *err)
{
	while (!*ret_len) {
		if (fill(p, err) != 0)
			return err->code;
		if (p->is_at_end && p->at == p->len)
			return p->is_inside ? err_set(err, ERR_CORRUPT, "%s is cut: its LZ4 frame has no end", p->name)
			                    : 0;
		size_t n = room, used = p->len - p->at;
		size_t rc = LZ4F_decompress(p->lz4, data, &n, p->piece + p->at, &used, NULL);
		if (LZ4F_isError(rc))
			return err_set(err, ERR_CORRUPT, "%s is damaged: LZ4 says %s", p->name, LZ4F_getErrorName(rc));
		CHECK(used <= p->len - p->at && n <= room);
		p->at += used;
		p->is_inside = rc != 0;
		*ret_len = n;
	}
	return 0;
}

int packed_in_read(struct packed_in *p, char *data, size_t room, size_t *ret_len, struct err *err)
{
	*ret_len = 0;
	CHECK(room > 0); /* nothing read means the end */
	if (!p->is_begun && begin(p, err) != 0)
		return err->code;
	if (p->lz4)
		return unpack(p, data, room, ret_len, err);
	if (fill(p, err) != 0)
		return err->code;
	size_t n = p->len - p->at < room ? p->len - p->at : room;
	memcpy(data, p->piece + p->at, n);
	p->at += n;
	*ret_len = n;
	return 0;
}

struct packed_in *packed_in_new(int fd, const char *name)
{
	struct packed_in *p = xcalloc(1, sizeof *p);
	p->fd = fd;
	p->name = name;
	p->piece = xmalloc(PIECE_BYTES);
	return p;
}

void packed_in_free(struct packed_in *p)
{
	if (p->lz4)
		LZ4F_freeDecompressionContext(p->lz4);
	free(p->piece);
	free(p);
}

/* ---- looking ---- */

bool packed_is(const char *path)
{
	char head[HEAD_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof head, 0);
	if (fd >= 0)
		close(fd);
	return n == (ssize_t)sizeof head && packed_is_head(head, sizeof head);
}

size_t packed_peek(const char *path, char *head, size_t room)
{
	struct err unused = ERR_INIT;
	size_t have = 0, n = 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	struct packed_in *p = packed_in_new(fd, path);
	while (have < room && n && packed_in_read(p, head + have, room - have, &n, &unused) == 0)
		have += n;
	packed_in_free(p);
	close(fd);
	return have;
}
