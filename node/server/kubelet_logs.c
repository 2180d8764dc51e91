/* Container logs: reads the runtime's log file and sends it as it is asked for.
 *
 *     open file --> (tail: seek) --> read, filter, send until the client's room is full --> on_writable: go on
 *                                          \--> at the end: follow and the container runs? wait for the file to grow
 *
 * While following, inotify wakes us for new lines, and a timer each second looks whether the container still runs,
 * whether the file was rotated (another inode at its path) and whether the client is there. */
#include "node/server/kubelet_logs_int.h"

#include "base/log.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/ground/times.h"
#include "node/runtime/log_file.h"
#include "node/server/answer_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 32 * 1024, LOOK_MS = 1000, LINE_BYTES_MAX = 1024 * 1024 };

struct log_stream {
	struct node *n;
	struct http_exchange *x; /* NULL: the client is gone */
	char *path, *uid, *id;
	int fd;
	bool follow, timestamps, at_line_start, ended, paused;
	int64_t since_ns, limit; /* -1: no limit */
	struct strbuf rest;      /* a line of which the end is still missing */
	uv_fs_event_t watch;
	uv_timer_t timer;
	unsigned handles;
};

static void handle_closed(uv_handle_t *h)
{
	struct log_stream *s = h->data;
	if (--s->handles)
		return;
	if (s->fd >= 0)
		close(s->fd);
	strbuf_release(&s->rest);
	free(s->path);
	free(s->uid);
	free(s->id);
	free(s);
}

static void finish(struct log_stream *s)
{
	if (s->ended)
		return;
	s->ended = true;
	if (s->x)
		http_respond_end(s->x);
	s->x = NULL;
	uv_close((uv_handle_t *)&s->watch, handle_closed);
	uv_close((uv_handle_t *)&s->timer, handle_closed);
}

static void client_gone(struct http_exchange *x, void *arg)
{
	struct log_stream *s = arg;
	s->x = NULL;
	finish(s);
}

/* False: enough for now, or for ever (the limit). */
static bool send_text(struct log_stream *s, struct slice text)
{
	if (s->limit >= 0 && (int64_t)text.len > s->limit)
		text.len = (size_t)s->limit;
	if (s->limit >= 0)
		s->limit -= (int64_t)text.len;
	return http_write(s->x, text) && s->limit != 0;
}

static bool send_line(struct log_stream *s, struct slice line)
{
	struct log_line l;
	struct strbuf b = STRBUF_INIT;
	if (!log_line_parse(line, &l) || l.time_ns < s->since_ns)
		return true;
	if (s->timestamps && s->at_line_start)
		strbuf_addf(&b, "%.*s ", SLICE_FMT(l.time_text));
	strbuf_add_slice(&b, l.text);
	if (!l.is_partial)
		strbuf_addc(&b, '\n');
	s->at_line_start = !l.is_partial;
	bool room = send_text(s, strbuf_slice(&b));
	strbuf_release(&b);
	return room;
}

static bool is_running(struct log_stream *s)
{
	struct pod *p = node_pod(s->n, slice_of(s->uid));
	if (!p || s->n->closing)
		return false;
	LIST_FOREACH (it, &p->containers) {
		struct container *c = CONTAINER_OF(it, struct container, in_pod);
		if (strcmp(c->id, s->id) == 0)
			return c->state == CONTAINER_RUNNING || c->state == CONTAINER_CREATED;
	}
	return false;
}

/* The file at the path is another one: rotated. What is left of the old one has been read. */
static bool reopen_rotated(struct log_stream *s)
{
	struct stat now, ours;
	if (stat(s->path, &now) != 0 || fstat(s->fd, &ours) != 0 || now.st_ino == ours.st_ino)
		return false;
	int fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	close(s->fd);
	s->fd = fd;
	return true;
}

/* Sends the whole lines in `rest`. False: stop. */
static bool drain_lines(struct log_stream *s)
{
	size_t at = 0;
	bool room = true;
	while (room && at < s->rest.len) {
		char *end = memchr(s->rest.data + at, '\n', s->rest.len - at);
		if (!end)
			break;
		room = send_line(s, (struct slice){s->rest.data + at, (size_t)(end - s->rest.data) - at});
		at = (size_t)(end - s->rest.data) + 1;
	}
	memmove(s->rest.data, s->rest.data + at, s->rest.len - at);
	s->rest.len -= at;
	return room;
}

static void pump(struct log_stream *s)
{
	bool was_running = is_running(s);
	if (s->ended || s->paused)
		return;
	for (;;) {
		if (s->rest.len && !drain_lines(s))
			break;
		strbuf_reserve(&s->rest, READ_BYTES);
		ssize_t n = s->rest.len < LINE_BYTES_MAX ? read(s->fd, s->rest.data + s->rest.len, READ_BYTES) : -1;
		if (n > 0) {
			s->rest.len += (size_t)n;
			continue;
		}
		if (n == 0 && s->follow && reopen_rotated(s))
			continue;
		if (n < 0 || !s->follow || !was_running)
			finish(s);
		return;
	}
	if (s->limit == 0) {
		finish(s);
		return;
	}
	s->paused = true;
	http_want_writable(s->x);
}

static void has_room(struct http_exchange *x, void *arg)
{
	struct log_stream *s = arg;
	s->paused = false;
	pump(s);
}

static void file_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
	pump(h->data);
}

static void look(uv_timer_t *t)
{
	pump(t->data);
}

/* ---- finding the file ---- */

static struct container *choose(struct pod *p, const char *name, bool previous, struct err *err)
{
	struct container *c = pod_container(p, name), *before = pod_container_before(p, name);
	struct slot *slot = pod_slot(p, name);
	if (!slot) {
		err_set(err, ERR_NOT_FOUND, "container \"%s\" is not in pod \"%s\"", name, p->name);
		return NULL;
	}
	if (previous && c && c->state == CONTAINER_EXITED && slot->waiting_reason && pod_state(p) == POD_RUNNING)
		return c;
	if (previous && !before)
		err_set(err, ERR_INVAL, "previous terminated container \"%s\" in pod \"%s\" not found", name, p->name);
	else if (!c)
		err_set(err, ERR_INVAL, "container \"%s\" in pod \"%s\" is waiting to start: %s", name, p->name,
		        slot->waiting_reason ? slot->waiting_reason : "ContainerCreating");
	return previous ? before : c;
}

static void read_options(struct log_stream *s, struct http_exchange *x)
{
	int64_t seconds;
	s->follow = kubelet_flag(x, "follow");
	s->timestamps = kubelet_flag(x, "timestamps");
	s->limit = -1;
	slice_to_i64(kubelet_param(x, "limitBytes"), &s->limit);
	struct slice since = kubelet_param(x, "sinceTime");
	if (since.len)
		s->since_ns = time_parse(since);
	if (slice_to_i64(kubelet_param(x, "sinceSeconds"), &seconds))
		s->since_ns = time_now_ns() - seconds * 1000000000;
}

static void begin(struct log_stream *s, struct http_exchange *x)
{
	uint64_t lines;
	s->x = x;
	s->at_line_start = true;
	if (slice_to_u64(kubelet_param(x, "tailLines"), &lines)) {
		int64_t at = lines ? log_file_tail_offset(s->fd, lines) : lseek(s->fd, 0, SEEK_END);
		lseek(s->fd, at > 0 ? at : 0, SEEK_SET);
	}
	s->handles = 2;
	uv_fs_event_init(loop_uv(s->n->loop), &s->watch);
	uv_timer_init(loop_uv(s->n->loop), &s->timer);
	s->watch.data = s->timer.data = s;
	http_set_content_type(x, "text/plain");
	http_on_abort(x, client_gone, s);
	http_on_writable(x, has_room, s);
	http_respond_begin(x, 200, -1);
	if (s->follow) {
		uv_fs_event_start(&s->watch, file_changed, s->path, 0);
		uv_timer_start(&s->timer, look, LOOK_MS, LOOK_MS);
	}
	pump(s);
}

void kubelet_logs(struct node *n, struct http_exchange *x, struct slice ns, struct slice pod, struct slice container)
{
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct pod *p = node_pod_named(n, ns, pod);
	if (!p)
		err_set(&err, ERR_NOT_FOUND, "pod \"%.*s/%.*s\" is not on this node", SLICE_FMT(ns), SLICE_FMT(pod));
	struct container *c =
	        p ? choose(p, arena_memdup(&a, container.ptr, container.len), kubelet_flag(x, "previous"), &err) : NULL;
	const char *path = c ? arena_printf(&a, "%s/%s/%u.log", pod_log_dir(p, &a), c->name, c->attempt) : "";
	int fd = c ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (c && fd < 0)
		err_set(&err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO,
		        "the log of container \"%s\" cannot be opened: %s", c->name, strerror(errno));
	if (fd < 0) {
		kubelet_answer_err(x, &err);
	} else {
		struct log_stream *s = xcalloc(1, sizeof *s);
		*s = (struct log_stream){
		        .n = n, .path = xstrdup(path), .uid = xstrdup(p->uid), .id = xstrdup(c->id), .fd = fd};
		read_options(s, x);
		begin(s, x);
	}
	arena_release(&a);
}
