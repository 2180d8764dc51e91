/* Sends states. One copy serves everybody who asks while it is new enough; it is removed when nobody has used it for a
 * minute. A stream reads a chunk and compresses it on the pool, writes it, and reads the next when the connection has
 * room and the limit allows.
 *
 * What can go wrong: the copy can't be made (the asker is told and asks again), the file can't be read (the connection
 * is closed). */
#include "raft/wire/state_stream.h"

#include "raft/wire/conn_frame.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"
#include "base/rt/sm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lz4.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STREAMS_MAX = 4, KEEP_MS = 60000, WANT_MS_MAX = 5000, STALL_MS_MAX = 30000 };

struct stream {
	struct list_link link;
	struct state_exporter *exporter;
	struct conn *conn;
	struct wire_frame_reader reader;
	struct state_want want;
	uint64_t came_ms;
	bool has_want, started, working, wants_room;
	uint64_t offset;
	size_t got; /* by the read under way */
	struct pool_work work;
	int fd;
	struct strbuf frame;
	int error;
	uv_timer_t timer; /* the limit */
	unsigned refs;    /* connection, work, timer */
};

enum copy_state { COPY_NONE, COPY_MAKING, COPY_READY };

struct state_exporter {
	struct loop *loop;
	struct pool *pool;
	char *path;
	uint64_t bytes_per_s;
	void (*copy_fn)(void *arg, struct raft_state_copy *c);
	void *arg;
	struct sm sm; /* enum copy_state */
	struct raft_state_copy copy;
	struct pool_work check;
	uint64_t id, size;
	uint32_t crc;
	int error;
	uint64_t used_at_ms;
	struct list_link streams;
	unsigned n_streams;
	uv_timer_t timer;
	bool closing, timer_closed;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void serve_waiting(struct state_exporter *x);
static void read_next(struct stream *s);

/* ---- the copy ---- */

static const struct sm_state copy_states[] = {
        [COPY_NONE] = {"none", SM_TO(COPY_MAKING)},
        [COPY_MAKING] = {"making", SM_TO(COPY_READY) | SM_TO(COPY_NONE)},
        [COPY_READY] = {"ready", SM_TO(COPY_NONE)},
};

/* What may be sent has a name, so that whoever goes on with it later knows it for the same. */
static bool copy_holds(const struct sm *m, int before)
{
	const struct state_exporter *x = CONTAINER_OF(m, struct state_exporter, sm);
	return m->state != COPY_READY || (x->id && !x->error);
}

static const struct sm_kind copy_machine = SM_KIND("state-copy", copy_states, copy_holds);

static void drop_copy(struct state_exporter *x)
{
	if (sm_state(&x->sm) != COPY_READY)
		return;
	unlink(x->path);
	sm_move(&x->sm, COPY_NONE);
}

static void finish_close(struct state_exporter *x)
{
	if (!x->closing || !x->timer_closed || x->n_streams || sm_state(&x->sm) == COPY_MAKING)
		return;
	void (*closed)(void *) = x->closed;
	void *arg = x->closed_arg;
	drop_copy(x);
	free(x->path);
	free(x);
	closed(arg);
}

static int checksum_file(const char *path, uint64_t *size, uint32_t *crc)
{
	char *buffer = xmalloc(STATE_CHUNK_BYTES);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;
	*size = *crc = 0;
	while (fd >= 0 && (n = read(fd, buffer, STATE_CHUNK_BYTES)) > 0) {
		*crc = crc32c(*crc, buffer, (size_t)n);
		*size += (uint64_t)n;
	}
	int error = n < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	free(buffer);
	return error;
}

static void check_work(struct pool_work *w)
{
	struct state_exporter *x = CONTAINER_OF(w, struct state_exporter, check);
	x->error = checksum_file(x->path, &x->size, &x->crc);
}

static void copy_failed(struct state_exporter *x, const char *why)
{
	LOOP_CHECK_OWNER(x->loop);
	log_warn("raft", "state not copied", "error=\"%s\"", why);
	unlink(x->path);
	sm_move(&x->sm, COPY_NONE);
	LIST_FOREACH (l, &x->streams) {
		struct stream *s = CONTAINER_OF(l, struct stream, link);
		if (s->conn && s->has_want && !s->started)
			conn_close(s->conn, 0);
	}
	finish_close(x);
}

static void check_done(struct pool_work *w)
{
	struct state_exporter *x = CONTAINER_OF(w, struct state_exporter, check);
	if (x->error) {
		copy_failed(x, strerror(x->error));
		return;
	}
	x->used_at_ms = loop_now_ms(x->loop);
	do
		pki_random(&x->id, sizeof x->id);
	while (!x->id); /* 0 stands for nothing */
	sm_move(&x->sm, COPY_READY);
	log_info("raft", "state copied", "index=%" PRIu64 " bytes=%" PRIu64, x->copy.index, x->size);
	if (x->closing)
		finish_close(x);
	else
		serve_waiting(x);
}

static void copied(struct raft_state_copy *c)
{
	struct state_exporter *x = c->arg;
	CHECK(c == &x->copy && sm_state(&x->sm) == COPY_MAKING);
	if (c->err.code)
		copy_failed(x, c->err.msg);
	else if (!pool_submit(x->pool, &x->check, x->loop, check_work, check_done))
		copy_failed(x, "too much else to do");
}

static void make_copy(struct state_exporter *x)
{
	LOOP_CHECK_OWNER(x->loop);
	drop_copy(x);
	unlink(x->path);
	sm_move(&x->sm, COPY_MAKING);
	x->copy = (struct raft_state_copy){.path = x->path, .done = copied, .arg = x};
	x->copy_fn(x->arg, &x->copy);
}

/* ---- streams ---- */

static void stream_unref(struct stream *s)
{
	struct state_exporter *x = s->exporter;
	CHECK(s->refs > 0);
	if (--s->refs)
		return;
	CHECK(!s->working && !s->conn && x->n_streams > 0);
	list_del(&s->link);
	x->n_streams--;
	if (s->fd >= 0)
		close(s->fd);
	wire_frame_reader_release(&s->reader);
	strbuf_release(&s->frame);
	free(s);
	x->used_at_ms = loop_now_ms(x->loop);
	finish_close(x);
}

static void stream_close(struct stream *s)
{
	if (s->conn)
		conn_close(s->conn, 0);
	s->conn = NULL;
}

/* Reads a chunk and makes its frame. */
static void read_work(struct pool_work *w)
{
	struct stream *s = CONTAINER_OF(w, struct stream, work);
	char *raw = xmalloc(STATE_CHUNK_BYTES);
	ssize_t n = pread(s->fd, raw, STATE_CHUNK_BYTES, (off_t)s->offset);
	s->error = n > 0 ? 0 : n < 0 ? errno : EIO;
	strbuf_reset(&s->frame);
	if (n > 0) {
		struct state_chunk head = {STATE_CHUNK, (uint32_t)n, s->offset};
		strbuf_add(&s->frame, &head, sizeof head);
		strbuf_reserve(&s->frame, (size_t)LZ4_compressBound((int)n));
		int packed = LZ4_compress_default(raw, s->frame.data + s->frame.len, (int)n, (int)n - 1);
		if (packed > 0)
			s->frame.len += (size_t)packed;
		else
			strbuf_add(&s->frame, raw, (size_t)n);
	}
	s->got = n > 0 ? (size_t)n : 0;
	free(raw);
}

static void pace_over(uv_timer_t *t)
{
	read_next(t->data);
}

static void read_done(struct pool_work *w)
{
	struct stream *s = CONTAINER_OF(w, struct stream, work);
	uint64_t limit = s->exporter->bytes_per_s;
	CHECK(s->working && s->got <= STATE_CHUNK_BYTES);
	s->working = false;
	s->offset += s->got;
	if (s->conn && s->error) {
		log_warn("raft", "state not read", "error=\"%s\"", strerror(s->error));
		stream_close(s);
	} else if (s->conn) {
		s->wants_room = !conn_write_frame(s->conn, strbuf_slice(&s->frame));
		s->exporter->used_at_ms = loop_now_ms(s->exporter->loop);
		if (limit)
			uv_timer_start(&s->timer, pace_over, STATE_CHUNK_BYTES * UINT64_C(1000) / limit, 0);
		else
			read_next(s);
	}
	stream_unref(s);
}

static void read_next(struct stream *s)
{
	LOOP_CHECK_OWNER(s->exporter->loop);
	if (!s->conn || s->working || s->wants_room || uv_is_active((uv_handle_t *)&s->timer) ||
	        s->offset >= s->exporter->size)
		return;
	if (!pool_submit(s->exporter->pool, &s->work, s->exporter->loop, read_work, read_done)) {
		stream_close(s); /* it comes again */
		return;
	}
	s->working = true;
	s->refs++;
}

static void start_stream(struct stream *s)
{
	LOOP_CHECK_OWNER(s->exporter->loop);
	struct state_exporter *x = s->exporter;
	CHECK(sm_state(&x->sm) == COPY_READY && x->copy.index >= s->want.min_index && !s->started);
	struct state_head head = {STATE_HEAD, x->crc, x->id, x->copy.index, x->size};
	s->fd = open(x->path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0) {
		stream_close(s);
		return;
	}
	s->started = true;
	s->offset = s->want.export_id == x->id && s->want.offset <= x->size ? s->want.offset : 0;
	log_info("raft", "sending the state", "to=%s index=%" PRIu64 " bytes=%" PRIu64 " from=%" PRIu64,
	        conn_peer(s->conn)->address, x->copy.index, x->size, s->offset);
	conn_write_frame(s->conn, (struct slice){(const char *)&head, sizeof head});
	read_next(s);
}

/* Those who wait get the copy if it is new enough; else a new one is made, unless somebody reads the old one: its
 * file may go, they have it open, and they are given to the end what they began. */
static void serve_waiting(struct state_exporter *x)
{
	LOOP_CHECK_OWNER(x->loop);
	bool too_old = false;
	LIST_FOREACH (l, &x->streams) {
		struct stream *s = CONTAINER_OF(l, struct stream, link);
		if (!s->conn || !s->has_want || s->started)
			continue;
		if (sm_state(&x->sm) == COPY_READY && x->copy.index >= s->want.min_index)
			start_stream(s);
		else
			too_old = true;
	}
	bool in_use = false;
	LIST_FOREACH (l, &x->streams) {
		struct stream *s = CONTAINER_OF(l, struct stream, link);
		in_use |= s->conn && s->started && s->offset < x->size;
	}
	if (too_old && sm_state(&x->sm) != COPY_MAKING && !in_use)
		make_copy(x);
}

static bool stream_frame(void *arg, struct slice payload)
{
	struct stream *s = arg;
	if (s->has_want || !state_want_decode(payload, &s->want)) {
		stream_close(s);
		return false;
	}
	s->has_want = true;
	serve_waiting(s->exporter);
	return s->conn != NULL;
}

static void stream_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct stream *s = arg;
	struct err err = ERR_INIT;
	size_t used;
	if (s->conn && wire_frame_feed(&s->reader, data, len, stream_frame, s, &used, &err) != 0)
		stream_close(s);
}

static void stream_ended(struct conn *c, const struct err *err, void *arg)
{
	stream_close(arg);
}

static void stream_drained(struct conn *c, void *arg)
{
	struct stream *s = arg;
	s->wants_room = false;
	read_next(s);
}

static void stream_timer_closed(uv_handle_t *h)
{
	stream_unref(h->data);
}

static void stream_closed(struct conn *c, void *arg)
{
	struct stream *s = arg;
	s->conn = NULL;
	uv_close((uv_handle_t *)&s->timer, stream_timer_closed);
	stream_unref(s);
}

bool state_exporter_serve(struct state_exporter *x, struct conn *c)
{
	LOOP_CHECK_OWNER(x->loop);
	static const struct conn_callbacks callbacks = {.on_read = stream_read,
	        .on_end = stream_ended,
	        .on_drained = stream_drained,
	        .on_closed = stream_closed};
	if (x->n_streams >= STREAMS_MAX || x->closing)
		return false;
	struct stream *s = xcalloc(1, sizeof *s);
	s->exporter = x;
	s->conn = c;
	s->fd = -1;
	s->refs = 2;
	s->reader.bytes_max = 1024;
	s->came_ms = loop_now_ms(x->loop);
	conn_limit_stall(c, STALL_MS_MAX);
	uv_timer_init(loop_uv(x->loop), &s->timer);
	s->timer.data = s;
	list_push_back(&x->streams, &s->link);
	x->n_streams++;
	CHECK(x->n_streams <= STREAMS_MAX);
	conn_start(c, &callbacks, s);
	return true;
}

bool state_exporter_is_busy(const struct state_exporter *x)
{
	return x->n_streams > 0;
}

/* ---- life ---- */

static void tick(uv_timer_t *t)
{
	struct state_exporter *x = t->data;
	LIST_FOREACH (l, &x->streams) {
		struct stream *s = CONTAINER_OF(l, struct stream, link);
		if (s->conn && !s->has_want && loop_now_ms(x->loop) - s->came_ms > WANT_MS_MAX)
			stream_close(s); /* its place is somebody else's */
	}
	if (sm_state(&x->sm) == COPY_READY && !x->n_streams && loop_now_ms(x->loop) - x->used_at_ms > KEEP_MS)
		drop_copy(x);
	if (sm_state(&x->sm) != COPY_MAKING)
		serve_waiting(x);
}

struct state_exporter *state_exporter_new(struct loop *loop, struct pool *pool, const char *folder,
        uint64_t bytes_per_s, void (*copy)(void *arg, struct raft_state_copy *c), void *arg)
{
	struct state_exporter *x = xcalloc(1, sizeof *x);
	*x = (struct state_exporter){.loop = loop,
	        .pool = pool,
	        .path = xprintf("%s/outgoing.state", folder),
	        .bytes_per_s = bytes_per_s,
	        .copy_fn = copy,
	        .arg = arg};
	sm_init(&x->sm, &copy_machine, COPY_NONE, x->path);
	list_init(&x->streams);
	unlink(x->path); /* of an earlier life */
	uv_timer_init(loop_uv(loop), &x->timer);
	x->timer.data = x;
	uv_timer_start(&x->timer, tick, 1000, 1000);
	return x;
}

static void timer_closed(uv_handle_t *h)
{
	struct state_exporter *x = h->data;
	x->timer_closed = true;
	finish_close(x);
}

void state_exporter_close(struct state_exporter *x, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(x->loop);
	CHECK(!x->closing);
	x->closing = true;
	x->closed = closed;
	x->closed_arg = arg;
	LIST_FOREACH (l, &x->streams)
		stream_close(CONTAINER_OF(l, struct stream, link));
	uv_close((uv_handle_t *)&x->timer, timer_closed);
}
