/* See log_file.h. A line that is not of the form (a torn last line, a foreign file) is passed over by all readers. */
#include "node/runtime/log_file.h"

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

/* The tag of the line that begins at `at`, within what pread gives. */
static bool line_is_partial(int fd, int64_t at)
{
	char head[96];
	struct log_line l;
	ssize_t n = pread(fd, head, sizeof head - 1, at);
	if (n <= 0)
		return false;
	struct slice s = {head, (size_t)n};
	return log_line_parse(slice_cut(&s, '\n'), &l) && l.is_partial;
}

int64_t log_file_tail_offset(int fd, uint64_t lines)
{
	char chunk[16384];
	int64_t end = lseek(fd, 0, SEEK_END);
	uint64_t seen = 0;
	if (end < 0)
		return -1;
	for (int64_t at = end; at > 0 && lines;) {
		int64_t from = at > (int64_t)sizeof chunk ? at - (int64_t)sizeof chunk : 0;
		ssize_t n = pread(fd, chunk, (size_t)(at - from), from);
		if (n <= 0)
			return -1;
		for (ssize_t i = n; i-- > 0;) {
			int64_t start = from + i + 1;
			if (chunk[i] != '\n' || start == end)
				continue;
			/* A line begins at `start`: it counts when the line before it is whole. */
			int64_t before = start - 1;
			char c = 0;
			while (before > 0 && pread(fd, &c, 1, before - 1) == 1 && c != '\n')
				before--;
			if (!line_is_partial(fd, before) && ++seen == lines)
				return start;
		}
		at = from;
	}
	return lines ? 0 : end;
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
