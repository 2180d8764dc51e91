/* Exchanges: what lies between a handler and the protocols. See http_int.h for the two lives of one.
 *
 * A response goes through the queue of pieces. http_respond_bufs() does not fill it at once: the array is pulled from
 * as the queue empties, so 10,000 objects cost no more queue than ten. Callbacks (abort, writable, held body) run in
 * the exchange's deferred turn, so that none comes from inside a call.
 *
 * What can go wrong: a handler that never answers keeps its exchange until the client leaves; one that writes on
 * although there is no room is cut off at CONN_WRITE_QUEUE_BYTES_MAX. */
#include "base/wire/http_int.h"

#include "base/check.h"
#include "base/gzip.h"

#include <stdlib.h>

enum {
	HEAD_KEPT = 8 * 1024,
	BODY_KEPT = 16 * 1024,
	QUEUE_KEPT = 64,
	HEADERS_KEPT = 64,
	COPY_BELOW = 1024,
	GZIP_ROOM = 16 * 1024
};

static void turn(struct loop_defer *d);

void header_list_add(struct header_list *l, struct slice name, struct slice value)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->items = xrealloc(l->items, l->cap * sizeof *l->items);
	}
	l->items[l->count++] = (struct http_header){name, value};
}

static void header_list_reset(struct header_list *l)
{
	l->count = 0;
	if (l->cap > HEADERS_KEPT) {
		free(l->items);
		*l = (struct header_list){0};
	}
}

struct http_exchange *exchange_new(struct http_connection *c)
{
	struct http_server *s = c->server;
	struct list_link *spare = list_pop_front(&s->spare);
	struct http_exchange *x;
	if (spare) {
		x = CONTAINER_OF(spare, struct http_exchange, link);
		s->spare_count--;
	} else {
		x = xcalloc(1, sizeof *x);
		arena_init(&x->arena);
	}
	list_init(&x->link);
	loop_defer_init(&x->turn, turn);
	x->server = s;
	x->connection = c;
	x->content_length = -1;
	x->request.content_length = -1;
	x->progress_ms = loop_now_ms(s->loop);
	s->exchanges_live++;
	list_push_back(&c->exchanges, &x->link);
	c->exchanges_count++;
	return x;
}

/* ---- what is held for requests ---- */

bool exchange_hold(struct http_exchange *x, size_t bytes)
{
	struct http_connection *c = x->connection;
	struct http_server *s = x->server;
	if (c && c->held_bytes + bytes > HTTP_CONNECTION_HELD_BYTES_MAX)
		return false;
	if (!x->is_trusted && s->strangers_held_bytes + bytes > HTTP_STRANGERS_HELD_BYTES_MAX)
		return false;
	x->held_bytes += bytes;
	if (c)
		c->held_bytes += bytes;
	if (!x->is_trusted)
		s->strangers_held_bytes += bytes;
	return true;
}

static void let_go(struct http_exchange *x)
{
	if (x->connection)
		x->connection->held_bytes -= x->held_bytes;
	if (!x->is_trusted)
		x->server->strangers_held_bytes -= x->held_bytes;
	x->held_bytes = 0;
}

void http_trust(struct http_exchange *x)
{
	if (!x->is_trusted)
		x->server->strangers_held_bytes -= x->held_bytes;
	x->is_trusted = true;
	if (x->connection)
		http_connection_known(x->connection);
}

/* Once it is answered nobody looks at the request any more, while the answer may wait for its reader for long. */
static void drop_request(struct http_exchange *x)
{
	arena_release(&x->head_arena);
	x->headers.count = 0;
	x->request.headers_count = 0;
	x->request.method = x->request.target = x->request.path = x->request.query = x->request.authority = SLICE_NULL;
	if (x->head.cap > HEAD_KEPT)
		strbuf_release(&x->head);
	if (x->body.cap > BODY_KEPT)
		strbuf_release(&x->body);
	let_go(x);
}

bool exchange_has_stalled(const struct http_exchange *x, uint64_t now_ms)
{
	/* A body that is streamed may rest as long as its sender likes: most are calls that last. */
	bool owes_request = !x->dispatched || (!x->body_ended && x->body_mode == BODY_COLLECT && !x->user_done);
	bool owes_reading = x->head_sent && (x->queue_count || !exchange_is_queued(x));
	if (owes_request)
		return now_ms - x->progress_ms > x->server->o.read_stall_ms;
	return owes_reading && now_ms - x->progress_ms > HTTP_WRITE_STALL_MS_MAX;
}

static struct http_buf *queue_at(struct http_exchange *x, size_t i)
{
	return &x->queue[(x->queue_head + i) & (x->queue_cap - 1)];
}

void exchange_drop_queue(struct http_exchange *x)
{
	for (size_t i = 0; i < x->queue_count; i++)
		rcbuf_unref(queue_at(x, i)->ref);
	while (x->bufs_next < x->bufs_count) {
		struct http_buf b = x->bufs[x->bufs_next++];
		http_buf_drop(&b);
	}
	http_buf_drop(&x->piece);
	gzip_stream_free(TAKE(x->gzip));
	x->wants_gzip = false;
	x->queue_count = x->queue_bytes = x->queue_head = 0;
}

void exchange_free(struct http_exchange *x)
{
	arena_release(&x->arena);
	arena_release(&x->head_arena);
	strbuf_release(&x->head);
	strbuf_release(&x->body);
	free(x->headers.items);
	free(x->out_headers.items);
	free(x->trailers.items);
	free(x->queue);
	free(x);
}

/* Back to how exchange_new() expects it, with memory worth keeping. */
static void recycle(struct http_exchange *x)
{
	struct http_exchange keep = {.arena = x->arena};
	struct http_server *s = x->server;
	exchange_drop_queue(x);
	loop_defer_cancel(&x->turn);
	let_go(x);
	arena_release(&x->head_arena);
	arena_reset(&x->arena);
	if (x->head.cap > HEAD_KEPT)
		strbuf_release(&x->head);
	if (x->body.cap > BODY_KEPT)
		strbuf_release(&x->body);
	if (x->queue_cap > QUEUE_KEPT) {
		free(x->queue);
		x->queue = NULL;
		x->queue_cap = 0;
	}
	strbuf_reset(&x->head);
	strbuf_reset(&x->body);
	header_list_reset(&x->headers);
	header_list_reset(&x->out_headers);
	header_list_reset(&x->trailers);
	keep = (struct http_exchange){
	        .arena = x->arena,
	        .head = x->head,
	        .body = x->body,
	        .headers = x->headers,
	        .out_headers = x->out_headers,
	        .trailers = x->trailers,
	        .queue = x->queue,
	        .queue_cap = x->queue_cap,
	};
	*x = keep;
	list_init(&x->link);
	http_server_recycle(s, x);
}

static void wake(struct http_exchange *x)
{
	if (x->connection && !x->wire_done)
		x->connection->protocol->wake(x);
}

static void later(struct http_exchange *x)
{
	loop_defer(x->server->loop, &x->turn);
}

static void turn(struct loop_defer *d)
{
	struct http_exchange *x = CONTAINER_OF(d, struct http_exchange, turn);
	if (x->aborted && !x->user_done) {
		x->user_done = true;
		if (x->on_abort && x->dispatched)
			x->on_abort(x, x->abort_arg);
	}
	if (x->user_done && x->wire_done) {
		recycle(x);
		return;
	}
	if (x->wants_held) {
		x->wants_held = false;
		exchange_deliver_held(x);
		if (x->connection && !x->wire_done)
			x->connection->protocol->body_wanted(x);
	}
	if (x->user_done || x->aborted)
		return;
	if (x->wants_writable && x->status && x->queue_bytes < HTTP_WRITE_ROOM_BYTES / 2 && !x->ended) {
		x->wants_writable = false;
		if (x->on_writable)
			x->on_writable(x, x->writable_arg);
	}
}

static void detach(struct http_exchange *x)
{
	struct http_connection *c = x->connection;
	if (!c)
		return;
	list_del(&x->link);
	c->exchanges_count--;
	c->held_bytes -= x->held_bytes;
	x->connection = NULL;
}

/* The handler may still look at the peer when the connection is gone. */
static void keep_peer(struct http_exchange *x)
{
	struct http_peer *p = &x->peer;
	struct arena *a = &x->arena;
	if (!x->dispatched || x->user_done)
		return;
	p->address = arena_strdup(a, p->address);
	p->common_name.ptr = arena_memdup(a, p->common_name.ptr, p->common_name.len);
	p->certificate_sha256.ptr = arena_memdup(a, p->certificate_sha256.ptr, p->certificate_sha256.len);
	struct slice *list = ARENA_ARRAY(a, struct slice, p->organizations_count);
	for (size_t i = 0; i < p->organizations_count; i++) {
		struct slice o = p->organizations[i];
		list[i] = (struct slice){arena_memdup(a, o.ptr, o.len), o.len};
	}
	p->organizations = list;
}

void exchange_broken(struct http_exchange *x)
{
	if (x->wire_done)
		return;
	keep_peer(x);
	x->wire_done = true;
	x->aborted = !x->user_done;
	exchange_drop_queue(x);
	detach(x);
	later(x);
}

void exchange_sent(struct http_exchange *x)
{
	x->wire_done = true;
	detach(x);
	later(x);
}

/* What is left of the body is read and thrown away, so that the connection can go on. */
static void discard_body(struct http_exchange *x)
{
	if (x->body_ended)
		return;
	x->body_mode = BODY_DISCARD;
	x->body_paused = false;
	x->wants_held = true;
}

static void user_done(struct http_exchange *x)
{
	discard_body(x);
	x->user_done = true;
	x->ended = true;
	drop_request(x);
	later(x);
	wake(x);
}

/* ---- request ---- */

const struct http_request *http_request(const struct http_exchange *x)
{
	return &x->request;
}

struct slice http_header(const struct http_exchange *x, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < x->headers.count; i++) {
		const struct http_header *h = &x->headers.items[i];
		if (h->name.len == len && memcmp(h->name.ptr, name, len) == 0)
			return h->value;
	}
	return SLICE_NULL;
}

struct arena *http_arena(struct http_exchange *x)
{
	return &x->arena;
}

struct loop *http_loop(struct http_exchange *x)
{
	return x->server->loop;
}

void http_set_user(struct http_exchange *x, void *user)
{
	x->user = user;
}

void *http_user(struct http_exchange *x)
{
	return x->user;
}

void http_on_abort(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg), void *arg)
{
	x->on_abort = fn;
	x->abort_arg = arg;
}

static void fill_peer(struct http_exchange *x)
{
	const struct conn_peer *p = conn_peer(x->connection->conn);
	x->peer = (struct http_peer){
	        .address = p->address,
	        .verified = p->verified,
	        .is_proxy = p->is_proxy,
	        .common_name = p->common_name,
	        .organizations = p->organizations,
	        .organizations_count = p->organizations_count,
	        .certificate_sha256 = p->certificate_sha256,
	};
	x->request.peer = &x->peer;
	x->request.is_tls = conn_is_tls(x->connection->conn);
}

void exchange_dispatch(struct http_exchange *x)
{
	struct slice rest = x->request.target;
	x->request.path = slice_cut(&rest, '?');
	x->request.query = rest.ptr ? rest : (struct slice){"", 0};
	x->request.headers = x->headers.items;
	x->request.headers_count = x->headers.count;
	fill_peer(x);
	x->dispatched = true;
	if (!x->server->o.vouches)
		http_connection_known(x->connection);
	x->server->o.handler(x, x->server->o.arg);
	if (x->user_done && x->body_mode == BODY_UNDECIDED)
		x->body_mode = BODY_DISCARD;
}

/* ---- bodies ---- */

static void refuse_body(struct http_exchange *x, int status, const char *why)
{
	x->body_mode = BODY_DISCARD;
	strbuf_release(&x->body);
	if (x->on_body_refused && !x->user_done && !x->aborted)
		x->on_body_refused(x, status, why, x->body_arg);
	else
		exchange_refuse(x, status, why);
}

static void body_too_large(struct http_exchange *x)
{
	refuse_body(x, 413, "request body is too large");
}

bool exchange_takes_body(const struct http_exchange *x)
{
	return x->body_mode != BODY_UNDECIDED && !(x->body_mode == BODY_STREAM && x->body_paused);
}

static void deliver_end(struct http_exchange *x)
{
	if (!x->body_ended || x->end_delivered || x->user_done || x->aborted)
		return;
	if (x->body_mode == BODY_COLLECT) {
		x->end_delivered = true;
		x->on_body(x, strbuf_slice(&x->body), x->body_arg);
	} else if (x->body_mode == BODY_STREAM && !x->body_paused && x->body.len == 0) {
		x->end_delivered = true;
		x->on_data(x, (struct slice){"", 0}, true, x->body_arg);
	}
}

bool exchange_body(struct http_exchange *x, const char *data, size_t len)
{
	if (x->user_done)
		x->body_mode = BODY_DISCARD;
	x->progress_ms = loop_now_ms(x->server->loop);
	if (x->body_mode != BODY_DISCARD && x->body_mode != BODY_STREAM && !exchange_hold(x, len)) {
		refuse_body(x, 429, "too much is held for requests at this moment: send fewer at a time");
		return true;
	}
	switch (x->body_mode) {
	case BODY_COLLECT:
		if (x->body.len + len > x->body_limit) {
			body_too_large(x);
			return true;
		}
		strbuf_add(&x->body, data, len);
		break;
	case BODY_STREAM:
		if (x->body_paused || x->body.len)
			strbuf_add(&x->body, data, len);
		else
			x->on_data(x, (struct slice){data, len}, false, x->body_arg);
		break;
	case BODY_UNDECIDED:
		strbuf_add(&x->body, data, len);
		break;
	case BODY_DISCARD:
		break;
	}
	return exchange_takes_body(x);
}

void exchange_body_end(struct http_exchange *x)
{
	x->body_ended = true;
	deliver_end(x);
}

void exchange_deliver_held(struct http_exchange *x)
{
	if (x->user_done || x->aborted)
		return;
	if (x->body_mode == BODY_COLLECT && (x->is_body_too_large || x->body.len > x->body_limit)) {
		body_too_large(x);
		return;
	}
	if (x->body_mode == BODY_STREAM && x->body.len && !x->body_paused) {
		struct strbuf b = x->body;
		x->body = STRBUF_INIT;
		x->on_data(x, strbuf_slice(&b), false, x->body_arg);
		strbuf_release(&b);
	}
	deliver_end(x);
}

static void body_decided(struct http_exchange *x)
{
	x->wants_held = true;
	later(x);
}

void http_body_collect(struct http_exchange *x, size_t limit_bytes,
        void (*fn)(struct http_exchange *x, struct slice body, void *arg), void *arg)
{
	CHECK(x->body_mode == BODY_UNDECIDED && !x->user_done);
	x->body_mode = BODY_COLLECT;
	x->body_limit = limit_bytes;
	x->on_body = fn;
	x->body_arg = arg;
	bool is_too_large = x->request.content_length > 0 && (uint64_t)x->request.content_length > limit_bytes;
	if (x->request.content_length > 0 &&
	        !is_too_large) /* memory comes with the bytes, not with the promise of them */
		strbuf_reserve(&x->body,
		        x->request.content_length < BODY_KEPT ? (size_t)x->request.content_length : BODY_KEPT);
	x->is_body_too_large = is_too_large;
	body_decided(x);
}

void http_on_body_refused(
        struct http_exchange *x, void (*fn)(struct http_exchange *x, int status, const char *why, void *arg), void *arg)
{
	x->on_body_refused = fn;
	x->body_arg = arg;
}

void http_body_stream(struct http_exchange *x,
        void (*fn)(struct http_exchange *x, struct slice data, bool is_end, void *arg), void *arg)
{
	CHECK(x->body_mode == BODY_UNDECIDED && !x->user_done);
	x->body_mode = BODY_STREAM;
	x->on_data = fn;
	x->body_arg = arg;
	body_decided(x);
}

void http_body_pause(struct http_exchange *x)
{
	x->body_paused = true;
}

void http_body_resume(struct http_exchange *x)
{
	x->body_paused = false;
	body_decided(x);
}

/* ---- responses ---- */

void http_set_header(struct http_exchange *x, const char *name, struct slice value)
{
	CHECK(x->status == 0);
	struct slice copy = {arena_memdup(&x->arena, value.ptr, value.len), value.len};
	for (char *p = (char *)copy.ptr; p < copy.ptr + copy.len; p++)
		if (*p == '\r' || *p == '\n' || *p == 0)
			*p = ' '; /* a header cannot end another */
	header_list_add(&x->out_headers, slice_of(name), copy);
}

void http_set_content_type(struct http_exchange *x, const char *content_type)
{
	CHECK(x->status == 0);
	header_list_add(&x->out_headers, SLICE("content-type"), slice_of(content_type));
}

void http_set_trailer(struct http_exchange *x, const char *name, struct slice value)
{
	struct slice copy = {arena_memdup(&x->arena, value.ptr, value.len), value.len};
	CHECK(!x->user_done);
	header_list_add(&x->trailers, slice_of(name), copy);
}

void http_respond_begin(struct http_exchange *x, int status, int64_t content_length)
{
	LOOP_CHECK_OWNER(x->server->loop);
	CHECK(x->status == 0 && !x->user_done && status >= 200);
	x->status = status;
	x->progress_ms = loop_now_ms(x->server->loop);
	x->content_length = content_length;
	x->no_body = status == 204 || status == 304 || slice_is(x->request.method, "HEAD");
	wake(x);
}

static void queue_push(struct http_exchange *x, struct http_buf b)
{
	if (x->queue_count == x->queue_cap) {
		size_t cap = x->queue_cap ? x->queue_cap * 2 : 8;
		struct http_buf *q = xmalloc(cap * sizeof *q);
		for (size_t i = 0; i < x->queue_count; i++)
			q[i] = *queue_at(x, i);
		free(x->queue);
		x->queue = q;
		x->queue_cap = cap;
		x->queue_head = 0;
	}
	*queue_at(x, x->queue_count++) = b;
	x->queue_bytes += b.data.len;
}

bool http_write_buf(struct http_exchange *x, struct http_buf piece)
{
	CHECK(x->status != 0 && !x->user_done);
	if (x->no_body || x->wire_done || piece.data.len == 0) {
		http_buf_drop(&piece);
		return true;
	}
	http_buf_make(&piece);
	queue_push(x, piece);
	if (x->queue_bytes > CONN_WRITE_QUEUE_BYTES_MAX + piece.data.len)
		x->reset = true; /* the protocol breaks it off at the end of the turn */
	wake(x);
	if (x->queue_bytes < HTTP_WRITE_ROOM_BYTES)
		return true;
	x->wants_writable = true;
	return false;
}

bool http_write_ref(struct http_exchange *x, struct rcbuf *data)
{
	return http_write_buf(x, (struct http_buf){.data = {data->data, data->len}, .ref = data});
}

bool http_write(struct http_exchange *x, struct slice data)
{
	if (data.len == 0)
		return x->queue_bytes < HTTP_WRITE_ROOM_BYTES;
	return http_write_ref(x, rcbuf_copy(data.ptr, data.len));
}

size_t http_write_pending(const struct http_exchange *x)
{
	return x->queue_bytes;
}

void http_on_writable(struct http_exchange *x, void (*fn)(struct http_exchange *x, void *arg), void *arg)
{
	x->on_writable = fn;
	x->writable_arg = arg;
}

void http_want_writable(struct http_exchange *x)
{
	x->wants_writable = true;
	later(x);
}

void http_respond_end(struct http_exchange *x)
{
	CHECK(x->status != 0 && !x->user_done);
	user_done(x);
}

void http_respond(struct http_exchange *x, int status)
{
	http_respond_begin(x, status, 0);
	user_done(x);
}

void http_respond_arena(struct http_exchange *x, int status, struct slice body)
{
	http_respond_begin(x, status, (int64_t)body.len);
	http_write_buf(x, (struct http_buf){.data = body, .ref = NULL});
	x->reset = false; /* given as a whole, it may be as large as it is */
	user_done(x);
}

void http_respond_copy(struct http_exchange *x, int status, struct slice body)
{
	struct slice copy = {arena_memdup(&x->arena, body.ptr, body.len), body.len};
	http_respond_arena(x, status, copy);
}

void http_respond_strbuf(struct http_exchange *x, int status, struct strbuf *body)
{
	size_t len = body->len;
	char *text = strbuf_detach(body);
	arena_on_release(&x->arena, free, text);
	http_respond_arena(x, status, (struct slice){text, len});
}

void http_respond_rcbuf(struct http_exchange *x, int status, struct rcbuf *body)
{
	http_respond_begin(x, status, body->len);
	http_write_ref(x, body);
	x->reset = false;
	user_done(x);
}

/* Few bytes at a time: their making takes longer than their sending, and other connections wait meanwhile. */
static void pull_gzip(struct http_exchange *x)
{
	char out[GZIP_ROOM / 2];
	while (x->gzip && x->queue_bytes < GZIP_ROOM) {
		while (!x->piece.data.len && x->bufs_next < x->bufs_count) {
			http_buf_drop(&x->piece);
			x->piece = x->bufs[x->bufs_next++];
			http_buf_make(&x->piece);
		}
		bool is_over, is_end = x->bufs_next == x->bufs_count;
		size_t n = gzip_stream_run(x->gzip, &x->piece.data, is_end, out, sizeof out, &is_over);
		struct rcbuf *b = n ? rcbuf_copy(out, n) : NULL;
		if (b)
			queue_push(x, (struct http_buf){.data = {b->data, n}, .ref = b});
		if (is_over)
			gzip_stream_free(TAKE(x->gzip));
	}
}

static void pull_bufs(struct http_exchange *x)
{
	if (x->gzip) {
		pull_gzip(x);
		return;
	}
	while (x->bufs_next < x->bufs_count && x->queue_bytes < HTTP_WRITE_ROOM_BYTES) {
		struct http_buf b = x->bufs[x->bufs_next++];
		if (!b.data.len) {
			http_buf_drop(&b);
			continue;
		}
		http_buf_make(&b);
		queue_push(x, b);
	}
}

void http_compress(struct http_exchange *x)
{
	CHECK(x->status == 0);
	x->wants_gzip = true;
}

void http_respond_bufs(struct http_exchange *x, int status, const struct http_buf *bufs, size_t count)
{
	int64_t total = 0;
	for (size_t i = 0; i < count; i++)
		total += (int64_t)bufs[i].data.len;
	if (x->wants_gzip && (x->gzip = gzip_stream_new())) {
		http_set_header(x, "content-encoding", SLICE("gzip"));
		http_set_header(x, "vary", SLICE("Accept-Encoding"));
	}
	http_respond_begin(x, status, x->gzip ? -1 : total);
	x->bufs = bufs;
	x->bufs_count = count;
	if (x->no_body || x->wire_done)
		exchange_drop_queue(x);
	user_done(x);
}

void http_abort(struct http_exchange *x)
{
	CHECK(!x->user_done);
	x->reset = true;
	user_done(x);
}

void exchange_refuse(struct http_exchange *x, int status, const char *message)
{
	if (x->user_done || x->aborted)
		return;
	if (x->status) { /* too late to say it politely */
		x->reset = true;
		wake(x);
		return;
	}
	x->aborted = true; /* the handler hears of it, but the answer is ours */
	x->out_headers.count = 0;
	discard_body(x);
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_begin(x, status, (int64_t)strlen(message));
	if (!x->no_body)
		queue_push(x, (struct http_buf){.data = slice_of(message), .ref = NULL});
	x->ended = true;
	later(x);
	wake(x);
}

/* ---- for the protocols ---- */

bool exchange_is_queued(const struct http_exchange *x)
{
	return x->bufs_next == x->bufs_count && !x->gzip;
}

bool exchange_has_more(struct http_exchange *x)
{
	pull_bufs(x);
	return x->queue_count > 0;
}

bool exchange_front(struct http_exchange *x, struct slice *piece)
{
	if (!exchange_has_more(x))
		return false;
	*piece = queue_at(x, 0)->data;
	return true;
}

void exchange_move(struct http_exchange *x, struct conn *to, size_t len)
{
	struct http_buf *b = queue_at(x, 0);
	struct slice part = {b->data.ptr, len};
	bool whole = len == b->data.len;
	CHECK(len <= b->data.len);
	if (!b->ref || len < COPY_BELOW) {
		conn_write(to, part.ptr, part.len);
		if (whole)
			rcbuf_unref(b->ref);
	} else {
		conn_write_ref(to, whole ? b->ref : rcbuf_ref(b->ref), part);
	}
	x->queue_bytes -= len;
	x->written += (int64_t)len;
	x->progress_ms = loop_now_ms(x->server->loop);
	b->data.ptr += len;
	b->data.len -= len;
	if (whole) {
		x->queue_head = (x->queue_head + 1) & (x->queue_cap - 1);
		x->queue_count--;
	}
	if (x->wants_writable && x->queue_bytes < HTTP_WRITE_ROOM_BYTES / 2)
		later(x);
}
