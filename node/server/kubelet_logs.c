/* Container logs: reads the runtime's log file and sends it as it is asked for.
 *
 *     OPENING --> READING --> SENDING --(the client's room is full)--> PAUSED --> SENDING
 *                    ^           \--> all sent: READING
 *                    \-- GROWING <--(at the end: it is followed and its container runs)
 *
 * OPENING and READING are errands on the pool: a log on a slow disk, or ten megabytes to be searched for their last
 * lines, stop nobody else. While GROWING, inotify wakes us for new lines, and a timer each second looks whether the
 * container still runs, whether the file was rotated (another inode at its path) and whether the client is there.
 *
 * What can go wrong: the file is not there or goes away (404, or the answer ends), a line longer than
 * NODE_LOG_LINE_BYTES_MAX (the answer ends), the pool is full (again at the next look of the timer), the client leaves
 * (what is open ends first). */
#include "node/server/kubelet_logs_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/rt/sm.h"
#include "node/ground/errand.h"
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

enum { READ_BYTES = 64 * 1024, LOOK_MS = 1000 };

enum log_state { LOG_OPENING, LOG_READING, LOG_SENDING, LOG_PAUSED, LOG_GROWING, LOG_ENDED };

struct log_stream {
	struct node *n;
	struct http_exchange *x; /* NULL: the client is gone, or all is said */
	struct sm sm;
	char *path, *uid, *id;
	int fd;
	bool follow, timestamps, at_line_start;
	int64_t since_ns, limit; /* -1: no limit */
	struct strbuf rest;      /* read and not sent yet; its last line may lack its end */
	uv_fs_event_t watch;
	uv_timer_t timer;
	unsigned handles;
	/* the errand; the pool's while on_errand */
	struct errand errand;
	bool on_errand, was_running, has_grown;
	bool has_tail;
	uint64_t tail_lines;
	ssize_t got; /* bytes; 0: the end; -1: `error` */
	int error;
};

static bool holds(const struct sm *m, int before)
{
	const struct log_stream *s = CONTAINER_OF(m, struct log_stream, sm);
	switch (sm_state(m)) {
	case LOG_ENDED:
		return !s->x;
	case LOG_GROWING:
		return s->x && s->follow && !s->on_errand;
	case LOG_SENDING:
	case LOG_PAUSED:
		return s->x && !s->on_errand;
	default:
		return s->x;
	}
}

static const struct sm_state states[] = {
        [LOG_OPENING] = {"opening", SM_TO(LOG_READING) | SM_TO(LOG_ENDED)},
        [LOG_READING] = {"reading", SM_TO(LOG_SENDING) | SM_TO(LOG_GROWING) | SM_TO(LOG_ENDED)},
        [LOG_SENDING] = {"sending", SM_TO(LOG_READING) | SM_TO(LOG_PAUSED) | SM_TO(LOG_ENDED)},
        [LOG_PAUSED] = {"paused", SM_TO(LOG_SENDING) | SM_TO(LOG_ENDED)},
        [LOG_GROWING] = {"growing", SM_TO(LOG_READING) | SM_TO(LOG_ENDED)},
        [LOG_ENDED] = {"ended", 0},
};
static const struct sm_kind machine = SM_KIND("log-stream", states, holds);

/* ---- the end ---- */

static void maybe_free(struct log_stream *s)
{
	CHECK(sm_state(&s->sm) == LOG_ENDED);
	if (s->handles || s->on_errand)
		return;
	if (s->fd >= 0)
		close(s->fd);
	strbuf_release(&s->rest);
	free(s->path);
	free(s->uid);
	free(s->id);
	free(s);
}

static void handle_closed(uv_handle_t *h)
{
	struct log_stream *s = h->data;
	s->handles--;
	maybe_free(s);
}

/* The exchange was answered, or has gone. */
static void end(struct log_stream *s)
{
	s->x = NULL;
	sm_move(&s->sm, LOG_ENDED);
	uv_close((uv_handle_t *)&s->watch, handle_closed);
	uv_close((uv_handle_t *)&s->timer, handle_closed);
}

static void finish(struct log_stream *s)
{
	http_respond_end(s->x);
	end(s);
}

static void client_gone(struct http_exchange *x, void *arg)
{
	struct log_stream *s = arg;
	CHECK(s->x == x);
	end(s);
}

/* ---- sending ---- */

/* False: enough for now, or for ever (the limit). */
static bool send_text(struct log_stream *s, struct slice text)
{
	CHECK(s->x);
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

/* Sends the whole lines in `rest`. False: stop. */
static bool drain_lines(struct log_stream *s)
{
	CHECK(sm_state(&s->sm) == LOG_SENDING);
	size_t at = 0;
	bool room = true;
	while (room && at < s->rest.len) {
		char *nl = memchr(s->rest.data + at, '\n', s->rest.len - at);
		if (!nl)
			break;
		room = send_line(s, (struct slice){s->rest.data + at, (size_t)(nl - s->rest.data) - at});
		at = (size_t)(nl - s->rest.data) + 1;
	}
	memmove(s->rest.data, s->rest.data + at, s->rest.len - at);
	s->rest.len -= at;
	return room;
}

static void read_more(struct log_stream *s);

static void send_lines(struct log_stream *s)
{
	bool room = drain_lines(s);
	if (s->limit == 0 || s->rest.len > NODE_LOG_LINE_BYTES_MAX) {
		finish(s);
	} else if (room) {
		read_more(s);
	} else {
		sm_move(&s->sm, LOG_PAUSED);
		http_want_writable(s->x);
	}
}

static void has_room(struct http_exchange *x, void *arg)
{
	struct log_stream *s = arg;
	if (sm_state(&s->sm) != LOG_PAUSED)
		return;
	sm_move(&s->sm, LOG_SENDING);
	send_lines(s);
}

/* ---- reading (pool) ---- */

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

static void read_on_pool(struct errand *e)
{
	struct log_stream *s = CONTAINER_OF(e, struct log_stream, errand);
	do
		s->got = read(s->fd, s->rest.data + s->rest.len, READ_BYTES);
	while ((s->got < 0 && errno == EINTR) || (s->got == 0 && s->follow && reopen_rotated(s)));
}

/* ---- reading (loop) ---- */

static bool is_running(struct log_stream *s)
{
	struct pod *p = node_pod(s->n, slice_of(s->uid));
	struct container *c = p && !s->n->closing ? pod_container_by_id(p, s->id) : NULL;
	return c && (c->state == CONTAINER_RUNNING || c->state == CONTAINER_CREATED);
}

static void have_read(struct errand *e)
{
	LOOP_CHECK_OWNER(e->n->loop);
	struct log_stream *s = CONTAINER_OF(e, struct log_stream, errand);
	s->on_errand = false;
	if (sm_state(&s->sm) == LOG_ENDED) {
		maybe_free(s);
	} else if (s->got > 0) {
		s->rest.len += (size_t)s->got;
		sm_move(&s->sm, LOG_SENDING);
		send_lines(s);
	} else if (s->got < 0 || !s->follow || !s->was_running) {
		finish(s);
	} else {
		sm_move(&s->sm, LOG_GROWING);
		if (s->has_grown)
			read_more(s);
	}
}

/* A full pool leaves the stream where the timer finds it. */
static void start_reading(struct log_stream *s)
{
	CHECK(!s->on_errand && sm_state(&s->sm) == LOG_READING);
	s->was_running = is_running(s);
	s->has_grown = false;
	strbuf_reserve(&s->rest, READ_BYTES);
	s->on_errand = errand_start(s->n, &s->errand, read_on_pool, have_read);
}

static void read_more(struct log_stream *s)
{
	sm_move(&s->sm, LOG_READING);
	start_reading(s);
}

static void poke(struct log_stream *s)
{
	s->has_grown = true;
	if (sm_state(&s->sm) == LOG_GROWING)
		read_more(s);
	else if (sm_state(&s->sm) == LOG_READING && !s->on_errand)
		start_reading(s);
}

static void file_changed(uv_fs_event_t *h, const char *name, int events, int status)
{
	poke(h->data);
}

static void look(uv_timer_t *t)
{
	poke(t->data);
}

/* ---- opening ---- */

static void open_on_pool(struct errand *e)
{
	struct log_stream *s = CONTAINER_OF(e, struct log_stream, errand);
	s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
	s->error = s->fd < 0 ? errno : 0;
	if (s->fd < 0 || !s->has_tail)
		return;
	int64_t at = log_file_tail_offset(s->fd, s->tail_lines);
	lseek(s->fd, at > 0 ? at : 0, SEEK_SET);
}

static void refuse(struct log_stream *s)
{
	struct err err = ERR_INIT;
	err_set(&err, s->error == ENOENT ? ERR_NOT_FOUND : ERR_IO, "the log of the container cannot be opened: %s",
	        strerror(s->error));
	kubelet_answer_err(s->x, &err);
	end(s);
}

static void have_opened(struct errand *e)
{
	LOOP_CHECK_OWNER(e->n->loop);
	struct log_stream *s = CONTAINER_OF(e, struct log_stream, errand);
	s->on_errand = false;
	if (sm_state(&s->sm) == LOG_ENDED) {
		maybe_free(s);
		return;
	}
	if (s->error) {
		refuse(s);
		return;
	}
	http_set_content_type(s->x, "text/plain");
	http_on_writable(s->x, has_room, s);
	http_respond_begin(s->x, 200, -1);
	if (s->follow)
		uv_fs_event_start(&s->watch, file_changed, s->path, 0);
	uv_timer_start(&s->timer, look, LOOK_MS, LOOK_MS);
	read_more(s);
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
	s->has_tail = slice_to_u64(kubelet_param(x, "tailLines"), &s->tail_lines);
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
	struct err err = ERR_INIT;
	s->x = x;
	s->at_line_start = true;
	s->handles = 2;
	sm_init(&s->sm, &machine, LOG_OPENING, s->path);
	uv_fs_event_init(loop_uv(s->n->loop), &s->watch);
	uv_timer_init(loop_uv(s->n->loop), &s->timer);
	s->watch.data = s->timer.data = s;
	http_on_abort(x, client_gone, s);
	s->on_errand = errand_start(s->n, &s->errand, open_on_pool, have_opened);
	if (s->on_errand)
		return;
	err_set(&err, ERR_BUSY, "too many files are being read: try again");
	kubelet_answer_err(x, &err);
	end(s);
}

void kubelet_logs(struct node *n, struct http_exchange *x, struct slice ns, struct slice pod, struct slice container)
{
	LOOP_CHECK_OWNER(n->loop);
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	struct pod *p = node_pod_named(n, ns, pod);
	if (!p)
		err_set(&err, ERR_NOT_FOUND, "pod \"%.*s/%.*s\" is not on this node", SLICE_FMT(ns), SLICE_FMT(pod));
	struct container *c =
	        p ? choose(p, arena_memdup(&a, container.ptr, container.len), kubelet_flag(x, "previous"), &err) : NULL;
	if (!c) {
		kubelet_answer_err(x, &err);
	} else {
		struct log_stream *s = xcalloc(1, sizeof *s);
		const char *path = arena_printf(&a, "%s/%s/%u.log", pod_log_dir(p, &a), c->name, c->attempt);
		*s = (struct log_stream){
		        .n = n, .path = xstrdup(path), .uid = xstrdup(p->uid), .id = xstrdup(c->id), .fd = -1};
		read_options(s, x);
		begin(s, x);
	}
	arena_release(&a);
}
