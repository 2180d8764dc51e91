/* Lines become "TIME stdout F text"; one that is longer than a limit is cut into parts marked P, as containerd does it,
 * so that `kubectl logs` and log shippers read them the same. What came in one read goes out in one write. A line's
 * beginning is kept until its end comes; a container that is silent holds no memory.
 *
 * What can go wrong: a full disk: what does not fit is lost, as a container must not stand still for its log. */
#include "node/wasm/zygote/log_writer.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int log_writer_reopen(struct log_writer *w, struct err *err)
{
	int fd = open(w->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_errno(err, errno, "open %s", w->path);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	return 0;
}

int log_writer_open(struct log_writer *w, const char *path, struct err *err)
{
	*w = (struct log_writer){.path = xstrdup(path), .fd = -1};
	return log_writer_reopen(w, err);
}

static void add_line(struct strbuf *out, int stream, struct slice head, struct slice text, bool ends, int64_t now_ns)
{
	struct tm tm;
	time_t s = (time_t)(now_ns / 1000000000);
	gmtime_r(&s, &tm);
	strbuf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ %s %c ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	        tm.tm_hour, tm.tm_min, tm.tm_sec, (long long)(now_ns % 1000000000), stream ? "stderr" : "stdout",
	        ends ? 'F' : 'P');
	strbuf_add_slice(out, head);
	strbuf_add_slice(out, text);
	strbuf_addc(out, '\n');
}

static void put(struct log_writer *w, const struct strbuf *out)
{
	size_t done = 0;
	while (w->fd >= 0 && done < out->len) {
		ssize_t n = write(w->fd, out->data + done, out->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

void log_writer_add(struct log_writer *w, int stream, struct slice bytes, int64_t now_ns)
{
	CHECK(stream == 0 || stream == 1);
	struct strbuf out = STRBUF_INIT, *partial = &w->partial[stream];
	while (bytes.len) {
		const char *end = memchr(bytes.ptr, '\n', bytes.len);
		size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len, room = WASM_LOG_LINE_BYTES_MAX - partial->len;
		struct slice text = {bytes.ptr, len < room ? len : room};
		bool ends = end && len <= room;
		if (!ends && len < room) {
			strbuf_add_slice(partial, text);
			break;
		}
		add_line(&out, stream, strbuf_slice(partial), text, ends, now_ns);
		strbuf_release(partial);
		bytes.ptr += text.len + ends;
		bytes.len -= text.len + ends;
	}
	put(w, &out);
	strbuf_release(&out);
}

void log_writer_close(struct log_writer *w, int64_t now_ns)
{
	struct strbuf out = STRBUF_INIT;
	for (int stream = 0; stream < 2; stream++) {
		if (w->partial[stream].len)
			add_line(&out, stream, strbuf_slice(&w->partial[stream]), SLICE_NULL, true, now_ns);
		strbuf_release(&w->partial[stream]);
	}
	put(w, &out);
	strbuf_release(&out);
	if (w->fd >= 0)
		close(w->fd);
	free(w->path);
	*w = (struct log_writer){.fd = -1};
}
