/* The client's pool and calls. See http_client.h.
 *
 * A new call waits in client->waiting; the client's deferred turn gives waiting calls to connections with room and
 * opens new ones when there is none: one while the protocol is not known, for HTTP/1.1 as many as calls wait, up to the
 * limit. A finished call is freed in its own deferred turn, because the protocols may still hold it on their stack.
 *
 * What can go wrong: a connection that cannot be made ends all waiting calls with its error when no other is open; one
 * that breaks ends its calls.
 *
 * One timer looks at what is due: four times a second while a call has a deadline, every second while others are open
 * (HTTP/2 asks whether the server is there), else when the first idle connection is to be closed. A client that rests
 * wakes nobody. */
#include "base/wire/http_client_int.h"

#include "base/check.h"
#include "base/wire/tls.h"

#include <stdlib.h>

enum {
	TICK_MS = 250,
	CALL_TICK_MS = 1000,
	CONNECTIONS_DEFAULT = 8,
	IDLE_MS_DEFAULT = 90000,
	BODY_MAX_DEFAULT = 16 * 1024 * 1024
};
enum { OUT_ROOM = 256 * 1024, CONNECT_MS_DEFAULT = 10000 };

static void client_turn(struct loop_defer *d);
static void want_tick(struct http_client *c, uint64_t ms);
static void on_tick(uv_timer_t *t);
static void finish_close(struct http_client *c);

/* ---- calls ---- */

bool header_vec_add(
        struct header_vec *v, struct arena *a, const void *name, size_t name_len, const void *value, size_t value_len)
{
	v->bytes += name_len + value_len;
	if (v->count >= HTTP_HEADERS_MAX || v->bytes > HTTP_HEADER_BYTES_MAX)
		return false;
	if (v->count == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 16;
		struct http_header *items = ARENA_ARRAY(a, struct http_header, cap);
		if (v->count)
			memcpy(items, v->items, v->count * sizeof *items);
		v->items = items;
		v->cap = cap;
	}
	char *n = arena_memdup(a, name, name_len);
	for (size_t i = 0; i < name_len; i++)
		if (n[i] >= 'A' && n[i] <= 'Z')
			n[i] |= 0x20;
	v->items[v->count++] = (struct http_header){{n, name_len}, {arena_memdup(a, value, value_len), value_len}};
	return true;
}

struct slice http_answer_header(const struct http_answer *a, const char *name)
{
	for (size_t i = 0; i < a->headers_count; i++)
		if (slice_is(a->headers[i].name, name))
			return a->headers[i].value;
	return SLICE_NULL;
}

static void update_answer(struct http_call *call)
{
	struct http_answer *a = &call->answer;
	a->headers = call->headers.items;
	a->headers_count = call->headers.count;
	a->trailers = call->trailers.items;
	a->trailers_count = call->trailers.count;
	if (!call->o.on_data)
		a->body = strbuf_slice(&call->body);
}

static void leave(struct http_call *call)
{
	struct client_conn *k = call->on;
	list_del(&call->link);
	call->on = NULL;
	if (!k)
		return;
	k->calls_count--;
	client_conn_released(k);
}

static void call_free(struct http_call *call)
{
	struct http_client *c = call->client;
	loop_defer_cancel(&call->turn);
	arena_release(&call->arena);
	strbuf_release(&call->out);
	strbuf_release(&call->body);
	free(call);
	c->calls_live--;
	finish_close(c);
}

static void call_turn(struct loop_defer *d)
{
	struct http_call *call = CONTAINER_OF(d, struct http_call, turn);
	if (call->finished) {
		call_free(call);
		return;
	}
	if (call->paused)
		return;
	if (call->body.len && call->o.on_data) {
		struct strbuf b = call->body;
		call->body = STRBUF_INIT;
		call->o.on_data(call, strbuf_slice(&b), call->o.arg);
		strbuf_release(&b);
	}
	if (!call->finished && call->on)
		call->on->protocol->wake(call);
	if (!call->finished && call->wants_writable && call_out_left(call) < OUT_ROOM / 2) {
		call->wants_writable = false;
		if (call->o.on_writable)
			call->o.on_writable(call, call->o.arg);
	}
}

static void later(struct http_call *call)
{
	loop_defer(call->client->loop, &call->turn);
}

void call_head(struct http_call *call)
{
	call->head_done = true;
	update_answer(call);
	if (call->o.on_data && !call->o.timeout_whole)
		call->deadline_ms = 0;
	if (call->o.on_head && !call->finished && call->answer.status >= 200)
		call->o.on_head(call, &call->answer, call->o.arg);
}

bool call_data(struct http_call *call, const char *data, size_t len)
{
	struct err err = ERR_INIT;
	if (call->finished)
		return true;
	if (call->o.on_data && !call->paused && call->body.len == 0) {
		call->o.on_data(call, (struct slice){data, len}, call->o.arg);
		return call->finished || !call->paused;
	}
	if (!call->o.on_data && call->body.len + len > call->o.body_bytes_max) {
		struct client_conn *k = call->on;
		err_set(&err, ERR_TOO_BIG, "answer is larger than %zu bytes", call->o.body_bytes_max);
		if (k)
			k->protocol->drop(k, call);
		call_done(call, &err);
		return true;
	}
	strbuf_add(&call->body, data, len);
	return !call->o.on_data || !call->paused;
}

void call_done(struct http_call *call, const struct err *err)
{
	if (call->finished)
		return;
	if (!err && call->o.on_data && call->body.len) { /* held bytes come before the end */
		struct strbuf b = call->body;
		call->body = STRBUF_INIT;
		call->o.on_data(call, strbuf_slice(&b), call->o.arg);
		strbuf_release(&b);
		if (call->finished)
			return;
	}
	call->finished = true;
	leave(call);
	call->answer.complete = !err;
	update_answer(call);
	later(call);
	call->o.on_done(call, &call->answer, err, call->o.arg);
}

void http_call_cancel(struct http_call *call)
{
	struct client_conn *k = call->on;
	if (call->finished)
		return;
	call->finished = true;
	if (k && !k->closing)
		k->protocol->drop(k, call);
	leave(call);
	later(call);
}

const char *http_call_target(const struct http_call *call)
{
	return call->o.target;
}

void http_call_pause(struct http_call *call)
{
	call->paused = true;
}

void http_call_resume(struct http_call *call)
{
	if (!call->paused)
		return;
	call->paused = false;
	later(call);
}

size_t call_out_left(const struct http_call *call)
{
	return call->out.len - call->out_at;
}

void call_out_taken(struct http_call *call, size_t n)
{
	call->out_at += n;
	if (call->out_at == call->out.len) {
		call->out_at = 0;
		strbuf_reset(&call->out);
	} else if (call->out_at > OUT_ROOM) {
		call->out.len -= call->out_at;
		memmove(call->out.data, call->out.data + call->out_at, call->out.len);
		call->out_at = 0;
	}
	if (call->wants_writable && call_out_left(call) < OUT_ROOM / 2)
		later(call);
}

bool http_call_write(struct http_call *call, struct slice data)
{
	CHECK(call->o.stream_body && !call->out_ended);
	if (call->finished)
		return true;
	strbuf_add_slice(&call->out, data);
	if (call->on)
		call->on->protocol->wake(call);
	if (call_out_left(call) < OUT_ROOM)
		return true;
	call->wants_writable = true;
	return false;
}

void http_call_write_end(struct http_call *call)
{
	call->out_ended = true;
	if (call->on && !call->finished)
		call->on->protocol->wake(call);
}

/* A value cannot end its header and begin another. */
static struct slice copy_value(struct arena *a, struct slice v)
{
	char *copy = arena_memdup(a, v.ptr, v.len);
	for (size_t i = 0; i < v.len; i++)
		if (copy[i] == '\r' || copy[i] == '\n' || copy[i] == 0)
			copy[i] = ' ';
	return (struct slice){copy, v.len};
}

/* Nor can a target or a host end its line, or its word. */
static const char *copy_word(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			*c = '_';
	return copy;
}

static void copy_options(struct http_call *call, const struct http_call_options *o)
{
	struct arena *a = &call->arena;
	call->o = *o;
	call->o.method = arena_strdup(a, o->method);
	call->o.target = copy_word(a, o->target);
	call->o.host = o->host ? copy_word(a, o->host) : NULL;
	call->o.upgrade = o->upgrade ? arena_strdup(a, o->upgrade) : NULL;
	struct http_header *h = ARENA_ARRAY(a, struct http_header, o->headers_count + 1);
	for (size_t i = 0; i < o->headers_count; i++) {
		h[i].name = (struct slice){
		        arena_memdup(a, o->headers[i].name.ptr, o->headers[i].name.len), o->headers[i].name.len};
		h[i].value = copy_value(a, o->headers[i].value);
	}
	call->o.headers = h;
	if (!o->body_bytes_max)
		call->o.body_bytes_max = BODY_MAX_DEFAULT;
	strbuf_add_slice(&call->out, o->body);
	call->out_ended = !o->stream_body;
}

struct http_call *http_client_call(struct http_client *c, const struct http_call_options *options)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(options->on_done && !c->closing);
	struct http_call *call = xcalloc(1, sizeof *call);
	call->client = c;
	arena_init(&call->arena);
	loop_defer_init(&call->turn, call_turn);
	copy_options(call, options);
	if (options->timeout_ms)
		call->deadline_ms = loop_now_ms(c->loop) + options->timeout_ms;
	list_push_back(&c->waiting, &call->link);
	c->calls_live++;
	want_tick(c, options->timeout_ms ? TICK_MS : CALL_TICK_MS);
	loop_defer(c->loop, &c->turn);
	return call;
}

/* ---- connections ---- */

void client_conn_wake(struct client_conn *k)
{
	if (!k->closing && !k->detached)
		loop_defer(k->client->loop, &k->turn);
}

static void conn_free(struct client_conn *k);

static void conn_turn(struct loop_defer *d)
{
	struct client_conn *k = CONTAINER_OF(d, struct client_conn, turn);
	if (k->detached)
		conn_free(k); /* the connection itself is somebody else's now */
	else if (k->protocol && !k->closing)
		k->protocol->flush(k);
}

static void client_conn_close(struct client_conn *k)
{
	if (k->closing)
		return;
	k->closing = k->going = true;
	conn_close(k->conn, 0);
}

static bool may_retry(const struct client_conn *k, const struct http_call *call)
{
	bool safe = strcmp(call->o.method, "GET") == 0 || strcmp(call->o.method, "HEAD") == 0;
	return safe && call->o.body.len == 0 && k->used && !call->got_bytes && !call->retried && !call->o.stream_body &&
	       !call->o.upgrade && !k->client->closing;
}

void client_conn_fail(struct client_conn *k, const struct err *err)
{
	client_conn_close(k);
	while (!list_empty(&k->calls)) {
		struct http_call *call = CONTAINER_OF(k->calls.next, struct http_call, link);
		if (!may_retry(k, call)) {
			call_done(call, err);
			continue;
		}
		call->retried = true;
		leave(call);
		strbuf_reset(&call->out);
		call->out_at = 0;
		call->out_ended = true;
		list_push_front(&k->client->waiting, &call->link);
		loop_defer(k->client->loop, &k->client->turn);
	}
}

void client_conn_released(struct client_conn *k)
{
	struct http_client *c = k->client;
	if (k->calls_count == 0)
		k->idle_since_ms = loop_now_ms(c->loop);
	if (k->calls_count == 0 && !k->going)
		want_tick(c, c->o.idle_ms + 1);
	if (k->going && k->calls_count == 0 && !k->detached)
		client_conn_close(k);
	loop_defer(c->loop, &c->turn);
}

static size_t open_conns(const struct http_client *c)
{
	size_t n = 0;
	LIST_FOREACH (it, &c->conns)
		n += !CONTAINER_OF(it, struct client_conn, link)->going;
	return n;
}

static void fail_waiting(struct http_client *c, const struct err *err)
{
	struct list_link batch;
	list_init(&batch);
	for (struct list_link *it; (it = list_pop_front(&c->waiting)) != NULL;)
		list_push_back(&batch, it);
	while (!list_empty(&batch))
		call_done(CONTAINER_OF(batch.next, struct http_call, link), err);
}

static void on_open(struct conn *conn, const struct err *err, void *arg)
{
	struct client_conn *k = arg;
	struct http_client *c = k->client;
	if (err) {
		struct err copy = *err;
		client_conn_close(k);
		if (open_conns(c) == 0)
			fail_waiting(c, &copy);
		return;
	}
	bool is_h2 = slice_is(conn_alpn(conn), "h2") || (!conn_alpn(conn).len && c->o.protocol == HTTP_CLIENT_H2);
	k->protocol = is_h2 ? &h2_client : &h1_client;
	k->idle_since_ms = k->last_read_ms = loop_now_ms(c->loop);
	loop_defer(c->loop, &c->turn);
}

static void on_read(struct conn *conn, const char *data, size_t len, void *arg)
{
	struct client_conn *k = arg;
	(void)conn;
	k->last_read_ms = loop_now_ms(k->client->loop);
	if (!k->closing && k->protocol)
		k->protocol->received(k, data, len);
}

static void on_end(struct conn *conn, const struct err *err, void *arg)
{
	struct client_conn *k = arg;
	struct err local = ERR_INIT;
	(void)conn;
	if (k->closing)
		return;
	if (!err && k->protocol)
		k->protocol->ended(k);
	if (k->closing)
		return;
	if (!err)
		err_set(&local, ERR_CLOSED, "server closed the connection");
	client_conn_fail(k, err ? err : &local);
}

static void on_drained(struct conn *conn, void *arg)
{
	(void)conn;
	client_conn_wake(arg);
}

static void conn_free(struct client_conn *k)
{
	struct http_client *c = k->client;
	if (k->protocol)
		k->protocol->closed(k);
	loop_defer_cancel(&k->turn);
	list_del(&k->link);
	c->conns_count--;
	free(k);
	finish_close(c);
}

static void on_closed(struct conn *conn, void *arg)
{
	struct client_conn *k = arg;
	(void)conn;
	CHECK(list_empty(&k->calls));
	loop_defer(k->client->loop, &k->client->turn);
	conn_free(k);
}

static const struct conn_callbacks callbacks = {on_open, on_read, on_end, on_drained, on_closed};

static void connect_one(struct http_client *c)
{
	struct client_conn *k = xcalloc(1, sizeof *k);
	struct conn_connect_options o = {
	        .tls = c->o.tls, .server_name = c->o.server_name, .timeout_ms = c->o.connect_ms};
	if (c->o.dial && !o.server_name)
		o.server_name = c->o.host;
	o.http_major = c->o.protocol == HTTP_CLIENT_H1 ? 1 : c->o.protocol == HTTP_CLIENT_H2 ? 2 : 0;
	k->client = c;
	list_init(&k->calls);
	loop_defer_init(&k->turn, conn_turn);
	list_push_back(&c->conns, &k->link);
	c->conns_count++;
	if (c->o.dial)
		k->conn = c->o.dial(c->o.dial_arg, &o, &callbacks, k);
	else if (c->o.unix_path)
		k->conn = conn_connect_unix(c->loop, c->o.unix_path, &o, &callbacks, k);
	else
		k->conn = conn_connect_tcp(c->loop, c->o.host, c->o.port, &o, &callbacks, k);
}

/* ---- the client ---- */

static struct client_conn *with_room(struct http_client *c)
{
	LIST_FOREACH (it, &c->conns) {
		struct client_conn *k = CONTAINER_OF(it, struct client_conn, link);
		if (k->protocol && !k->going && k->protocol->has_room(k))
			return k;
	}
	return NULL;
}

static void want_connections(struct http_client *c)
{
	size_t connecting = 0, waiting = 0, open = open_conns(c);
	bool knows_h1 = c->o.protocol == HTTP_CLIENT_H1;
	LIST_FOREACH (it, &c->conns) {
		struct client_conn *k = CONTAINER_OF(it, struct client_conn, link);
		connecting += !k->going && !k->protocol;
		knows_h1 |= k->protocol == &h1_client;
	}
	LIST_FOREACH (it, &c->waiting)
		waiting++;
	size_t want = waiting > connecting ? waiting - connecting : 0;
	if (!knows_h1 && connecting)
		want = 0;
	if (!knows_h1 && want > 1)
		want = 1;
	for (; want && open < c->o.connections_max; want--, open++)
		connect_one(c);
}

static void client_turn(struct loop_defer *d)
{
	struct http_client *c = CONTAINER_OF(d, struct http_client, turn);
	struct client_conn *k;
	while (!list_empty(&c->waiting) && (k = with_room(c)) != NULL) {
		struct http_call *call = CONTAINER_OF(list_pop_front(&c->waiting), struct http_call, link);
		call->on = k;
		call->answer.is_sent = true;
		list_push_back(&k->calls, &call->link);
		k->calls_count++;
		k->protocol->start(k, call);
		client_conn_wake(k);
		if (call->o.on_sent && !call->finished)
			call->o.on_sent(call, call->o.arg);
	}
	if (!list_empty(&c->waiting) && !c->closing)
		want_connections(c);
	finish_close(c);
}

static void expire(struct http_call *call)
{
	struct err err = ERR_INIT;
	struct client_conn *k = call->on;
	err_set(&err, ERR_TIMEOUT, "%s %s: no answer in %u ms", call->o.method, call->o.target, call->o.timeout_ms);
	if (k)
		k->protocol->drop(k, call);
	call_done(call, &err);
}

static void expire_list(struct list_link *calls, uint64_t now)
{
	LIST_FOREACH (it, calls) {
		struct http_call *call = CONTAINER_OF(it, struct http_call, link);
		if (call->deadline_ms && now >= call->deadline_ms) {
			expire(call);
			return; /* the list may have changed: the rest next time */
		}
	}
}

static bool has_deadline(struct list_link *calls)
{
	LIST_FOREACH (it, calls)
		if (CONTAINER_OF(it, struct http_call, link)->deadline_ms)
			return true;
	return false;
}

/* In how many milliseconds the timer has something to look at; 0: it has not. */
static uint64_t next_tick(struct http_client *c, uint64_t now)
{
	uint64_t next = has_deadline(&c->waiting) ? TICK_MS : 0;
	LIST_FOREACH (it, &c->conns) {
		struct client_conn *k = CONTAINER_OF(it, struct client_conn, link);
		uint64_t idle_end = k->idle_since_ms + c->o.idle_ms + 1;
		uint64_t ms = has_deadline(&k->calls)          ? TICK_MS
		              : k->calls_count || !k->protocol ? CALL_TICK_MS
		              : idle_end > now                 ? idle_end - now
		                                               : CALL_TICK_MS;
		next = !next || ms < next ? ms : next;
	}
	return next;
}

/* At the latest. */
static void want_tick(struct http_client *c, uint64_t ms)
{
	if (!c->closing && (!uv_is_active((uv_handle_t *)&c->tick) || uv_timer_get_due_in(&c->tick) > ms))
		uv_timer_start(&c->tick, on_tick, ms, 0);
}

static void on_tick(uv_timer_t *t)
{
	struct http_client *c = t->data;
	uint64_t now = loop_now_ms(c->loop);
	expire_list(&c->waiting, now);
	LIST_FOREACH (it, &c->conns) {
		struct client_conn *k = CONTAINER_OF(it, struct client_conn, link);
		if (k->closing || !k->protocol)
			continue;
		if (k->calls_count == 0 && now - k->idle_since_ms > c->o.idle_ms)
			client_conn_close(k);
		else
			k->protocol->tick(k, now);
		expire_list(&k->calls, now);
	}
	uint64_t next = next_tick(c, now);
	if (next)
		want_tick(c, next);
}

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

struct http_client *http_client_new(const struct http_client_options *options)
{
	struct http_client *c = xcalloc(1, sizeof *c);
	LOOP_CHECK_OWNER(options->loop);
	CHECK(options->host || options->unix_path);
	c->loop = options->loop;
	c->o = *options;
	c->o.host = xstrdup(options->host ? options->host : "localhost");
	c->o.host_header = options->host_header ? xstrdup(options->host_header) : NULL;
	c->o.unix_path = dup_or_null(options->unix_path);
	c->o.server_name = dup_or_null(options->server_name);
	c->o.connections_max = options->connections_max ? options->connections_max : CONNECTIONS_DEFAULT;
	c->o.idle_ms = options->idle_ms ? options->idle_ms : IDLE_MS_DEFAULT;
	c->o.connect_ms = options->connect_ms ? options->connect_ms : CONNECT_MS_DEFAULT;
	if (c->o.tls)
		tls_context_ref(c->o.tls);
	list_init(&c->conns);
	list_init(&c->waiting);
	loop_defer_init(&c->turn, client_turn);
	uv_timer_init(loop_uv(c->loop), &c->tick);
	c->tick.data = c;
	return c;
}

static void on_tick_closed(uv_handle_t *h)
{
	struct http_client *c = h->data;
	loop_defer_cancel(&c->turn);
	tls_context_unref(c->o.tls);
	free((char *)c->o.host);
	free((char *)c->o.host_header);
	free((char *)c->o.unix_path);
	free((char *)c->o.server_name);
	if (c->on_closed)
		c->on_closed(c->closed_arg);
	free(c);
}

static void finish_close(struct http_client *c)
{
	if (!c->closing || c->calls_live || c->conns_count || c->tick_closed || !list_empty(&c->waiting))
		return;
	c->tick_closed = true;
	uv_close((uv_handle_t *)&c->tick, on_tick_closed);
}

struct closing_client {
	struct loop_defer defer;
	struct http_client *client;
};

static void close_all(struct loop_defer *d)
{
	struct closing_client *cc = CONTAINER_OF(d, struct closing_client, defer);
	struct http_client *c = cc->client;
	struct err err = ERR_INIT;
	free(cc);
	err_set(&err, ERR_CANCELED, "client is closing");
	fail_waiting(c, &err);
	LIST_FOREACH (it, &c->conns)
		client_conn_fail(CONTAINER_OF(it, struct client_conn, link), &err);
	c->calls_live--;
	loop_defer(c->loop, &c->turn);
}

void http_client_close(struct http_client *c, void (*on_client_closed)(void *arg), void *arg)
{
	struct closing_client *cc = xcalloc(1, sizeof *cc);
	LOOP_CHECK_OWNER(c->loop);
	CHECK(!c->closing);
	c->closing = true;
	c->on_closed = on_client_closed;
	c->closed_arg = arg;
	cc->client = c;
	c->calls_live++; /* until close_all() ran */
	loop_defer_init(&cc->defer, close_all);
	loop_defer(c->loop, &cc->defer);
}
