/* See client.h. */
#include "jepsen/client.h"

#include "base/check.h"
#include "base/mem/list.h"
#include "base/rt/loop.h"
#include "base/wire/grpc.h"

#include <stdlib.h>

struct client {
	struct loop loop;
	struct http_client *http;
	struct arena arena;
	uv_timer_t timer;
	bool timer_fired;
	unsigned timeout_ms;
};

struct pending {
	struct client *client;
	const ProtobufCMessageDescriptor *descriptor;
	struct client_answer answer;
	bool is_done;
};

struct message {
	struct list_link link;
	size_t len;
	char bytes[];
};

struct client_stream {
	struct client *client;
	struct grpc_call *call; /* NULL once done */
	struct list_link messages;
	struct err err;
};

static void *arena_alloc_cb(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void arena_free_cb(void *arena, void *p)
{
}

static void *unpack(struct arena *a, const ProtobufCMessageDescriptor *d, const void *bytes, size_t len)
{
	ProtobufCAllocator allocator = {arena_alloc_cb, arena_free_cb, a};
	return protobuf_c_message_unpack(d, &allocator, len, bytes);
}

static struct slice pack(struct arena *a, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *bytes = arena_alloc(a, n + 1);
	protobuf_c_message_pack(m, (uint8_t *)bytes);
	return (struct slice){bytes, n};
}

/* The loop stood still since the last call: its time is of then. */
static void wake(struct client *c)
{
	loop_own(&c->loop);
	uv_update_time(loop_uv(&c->loop));
}

struct client *client_new(const char *host, int port, unsigned timeout_ms)
{
	struct client *c = xcalloc(1, sizeof *c);
	c->timeout_ms = timeout_ms;
	loop_init(&c->loop, "client");
	loop_own(&c->loop);
	uv_timer_init(loop_uv(&c->loop), &c->timer);
	struct http_client_options o = {
	        .loop = &c->loop, .host = host, .port = port, .protocol = HTTP_CLIENT_H2, .connect_ms = timeout_ms};
	c->http = http_client_new(&o);
	return c;
}

static void closed(void *arg)
{
	struct client *c = arg;
	uv_close((uv_handle_t *)&c->timer, NULL);
	loop_stop(&c->loop);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	loop_own(&c->loop);
	http_client_close(c->http, closed, c);
	loop_run(&c->loop);
	loop_release(&c->loop);
	arena_release(&c->arena);
	free(c);
}

/* ---- calls ---- */

static void on_message(struct grpc_call *call, struct slice bytes, void *arg)
{
	struct pending *p = arg;
	p->answer.message = unpack(&p->client->arena, p->descriptor, bytes.ptr, bytes.len);
}

static void on_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct pending *p = arg;
	p->is_done = true;
	p->answer.status = status;
	if (err)
		p->answer.err = *err;
}

struct client_answer client_call(
        struct client *c, const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer)
{
	struct pending p = {.client = c, .descriptor = answer};
	arena_reset(&c->arena);
	wake(c);
	struct grpc_call_options o = {.method = arena_printf(&c->arena, "/etcdserverpb.%s", method),
	        .timeout_ms = c->timeout_ms,
	        .message_bytes_max = 64u << 20,
	        .request = pack(&c->arena, request),
	        .on_message = on_message,
	        .on_done = on_done,
	        .arg = &p};
	grpc_client_call(c->http, &o);
	while (!p.is_done)
		loop_turn(&c->loop);
	if (p.answer.status == GRPC_OK && p.answer.message) {
		p.answer.outcome = CLIENT_OK;
		return p.answer;
	}
	if (p.answer.status == GRPC_OK)
		err_set(&p.answer.err, ERR_PROTOCOL, "the answer is empty or does not read");
	p.answer.message = NULL;
	p.answer.outcome = client_outcome_of(p.answer.status, p.answer.err.msg);
	return p.answer;
}

/* ---- streams ---- */

static void on_stream_message(struct grpc_call *call, struct slice bytes, void *arg)
{
	struct client_stream *s = arg;
	struct message *m = xmalloc(sizeof *m + bytes.len);
	list_init(&m->link);
	m->len = bytes.len;
	memcpy(m->bytes, bytes.ptr, bytes.len);
	list_push_back(&s->messages, &m->link);
}

static void on_stream_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct client_stream *s = arg;
	s->call = NULL;
	if (err)
		s->err = *err;
}

struct client_stream *client_stream_open(struct client *c, const char *method, const ProtobufCMessage *first)
{
	struct client_stream *s = xcalloc(1, sizeof *s);
	s->client = c;
	list_init(&s->messages);
	arena_reset(&c->arena);
	wake(c);
	struct grpc_call_options o = {.method = arena_printf(&c->arena, "/etcdserverpb.%s", method),
	        .message_bytes_max = 64u << 20,
	        .request = pack(&c->arena, first),
	        .stream = true,
	        .on_message = on_stream_message,
	        .on_done = on_stream_done,
	        .arg = s};
	s->call = grpc_client_call(c->http, &o);
	return s;
}

void client_stream_send(struct client_stream *s, const ProtobufCMessage *message)
{
	arena_reset(&s->client->arena);
	wake(s->client);
	if (s->call)
		grpc_call_send(s->call, pack(&s->client->arena, message));
}

static void on_timer(uv_timer_t *t)
{
	struct client *c = CONTAINER_OF(t, struct client, timer);
	c->timer_fired = true;
}

void *client_stream_next(struct client_stream *s, const ProtobufCMessageDescriptor *descriptor, unsigned timeout_ms,
        struct arena *a, bool *ended)
{
	struct client *c = s->client;
	wake(c);
	c->timer_fired = false;
	uv_timer_start(&c->timer, on_timer, timeout_ms, 0);
	while (list_empty(&s->messages) && s->call && !c->timer_fired)
		loop_turn(&c->loop);
	uv_timer_stop(&c->timer);
	struct list_link *l = list_pop_front(&s->messages);
	*ended = !l && !s->call;
	if (!l)
		return NULL;
	struct message *m = CONTAINER_OF(l, struct message, link);
	void *unpacked = unpack(a, descriptor, m->bytes, m->len);
	free(m);
	return unpacked;
}

const struct err *client_stream_error(const struct client_stream *s)
{
	return &s->err;
}

void client_stream_close(struct client_stream *s)
{
	if (!s)
		return;
	loop_own(&s->client->loop);
	if (s->call)
		grpc_call_cancel(s->call);
	for (struct list_link *l; (l = list_pop_front(&s->messages)) != NULL;)
		free(CONTAINER_OF(l, struct message, link));
	free(s);
}
