/* See log_file.h. A line that is not of the form (a torn last line, a foreign file) is passed over by all readers. */
#include "node/runtime/log_file.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "node/ground/times.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool log_line_parse(struct slice line, struct log_line *ret)
{
	struct slice rest = line;
	*ret = (struct log_line){0};
	ret->time_text = slice_cut(&rest, ' ');
	struct slice stream = slice_cut(&rest, ' ');
	if (!rest.ptr || !(ret->time_ns = time_parse(ret->time_text)))
		return false;
	ret->is_stderr = slice_is(stream, "stderr");
	if (!ret->is_stderr && !slice_is(stream, "stdout"))
		return false;
	const char *space = memchr(rest.ptr, ' ', rest.len);
	struct slice tag = {rest.ptr, space ? (size_t)(space - rest.ptr) : rest.len};
	ret->is_partial = tag.len && tag.ptr[0] == 'P';
	if (!ret->is_partial && !(tag.len && tag.ptr[0] == 'F'))
		return false;
	ret->text = space ? (struct slice){space + 1, rest.len - tag.len - 1} : (struct slice){rest.ptr + rest.len, 0};
	return true;
}

/* ---- the last lines ---- */

enum { CHUNK_BYTES = 64 * 1024, HEAD_BYTES = 96 };

/* Backwards through a file, a chunk at a time; behind each chunk stand the first bytes of the one read before it, so
 * that the head of a line that begins near its end is whole. */
struct scan {
	char buf[CHUNK_BYTES + HEAD_BYTES];
	size_t len, valid; /* of the chunk; with what stands behind it */
	uint64_t wanted, seen;
	int64_t line; /* the line found last, if it is to be counted; -1 */
};

static bool is_partial(const struct scan *s, size_t at)
{
	CHECK(at <= s->valid);
	struct log_line l;
	size_t len = s->valid - at;
	struct slice head = {s->buf + at, len < HEAD_BYTES ? len : HEAD_BYTES};
	return log_line_parse(slice_cut(&head, '\n'), &l) && l.is_partial;
}

/* A line begins at `at` of the chunk. The one after it counts when this one is no part of it. True: enough. */
static bool found_line(struct scan *s, size_t at, int64_t offset)
{
	DCHECK(s->line < 0 || offset < s->line);
	if (s->line >= 0 && !is_partial(s, at) && ++s->seen == s->wanted)
		return true;
	s->line = offset;
	return false;
}

static bool read_chunk(struct scan *s, int fd, int64_t from, size_t len)
{
	CHECK(len > 0 && len <= CHUNK_BYTES && from >= 0);
	size_t behind = s->valid < HEAD_BYTES ? s->valid : HEAD_BYTES, got = 0;
	memmove(s->buf + len, s->buf, behind);
	while (got < len) {
		ssize_t n = pread(fd, s->buf + got, len - got, from + (int64_t)got);
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	s->len = len;
	s->valid = len + behind;
	return true;
}

static int64_t scan_back(struct scan *s, int fd, int64_t end)
{
	for (int64_t from = end; from > 0;) {
		size_t len = from > CHUNK_BYTES ? CHUNK_BYTES : (size_t)from;
		from -= (int64_t)len;
		if (!read_chunk(s, fd, from, len))
			return -1;
		for (size_t i = len; i-- > 0;)
			if (s->buf[i] == '\n' && from + (int64_t)i + 1 != end &&
			        found_line(s, i + 1, from + (int64_t)i + 1))
				return s->line;
	}
	return s->valid && found_line(s, 0, 0) ? s->line : 0;
}

int64_t log_file_tail_offset(int fd, uint64_t lines)
{
	CHECK(fd >= 0);
	int64_t end = lseek(fd, 0, SEEK_END);
	if (end < 0 || !lines)
		return end;
	struct scan *s = xcalloc(1, sizeof *s);
	s->wanted = lines;
	s->line = -1;
	int64_t at = scan_back(s, fd, end);
	free(s);
	return at;
}

char *log_file_tail(const char *path, unsigned lines, size_t bytes)
{
	struct strbuf out = STRBUF_INIT, raw = STRBUF_INIT;
	char chunk[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	int64_t at = log_file_tail_offset(fd, lines);
	ssize_t n;
	while (at >= 0 && raw.len < 256 * 1024 && (n = pread(fd, chunk, sizeof chunk, at)) > 0) {
		strbuf_add(&raw, chunk, (size_t)n);
		at += n;
	}
	close(fd);
	struct slice rest = strbuf_slice(&raw);
	while (rest.len) {
		struct log_line l;
		if (!log_line_parse(slice_cut(&rest, '\n'), &l))
			continue;
		strbuf_add_slice(&out, l.text);
		if (!l.is_partial)
			strbuf_addc(&out, '\n');
	}
	strbuf_release(&raw);
	if (out.len > bytes) {
		memmove(out.data, out.data + out.len - bytes, bytes + 1);
		out.len = bytes;
	}
	if (!out.len) {
		strbuf_release(&out);
		return NULL;
	}
	return strbuf_detach(&out);
}
