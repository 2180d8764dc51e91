/* Streams: messages both ways, over gRPC or as lines of JSON.
 *
 * What handles a stream sees protobuf messages come in and sends protobuf messages out. Over the JSON gateway the body
 * of the request is a row of JSON objects, each of which is one message, taken apart as it comes; every answer is a
 * line
 * {"result":...}, and an error at the end a line {"error":...} (or the whole response, when nothing was sent before).
 *
 * Messages of methods that look at users and roles are held back until these are known; a method for administrators
 * refuses others with the first message, before its handler has seen it. Held messages keep their order, and the end of
 * them waits its turn.
 *
 * What can go wrong: the client goes away (on_abort, once, also while messages are held), sends what is no message (the
 * stream ends with its error, which counts as an abort), or more than a message may be. */
#include "store/etcd/serve/stream.h"

#include "base/check.h"
#include "store/etcd/auth/auth.h"
#include "store/etcd/serve/counts.h"
#include "store/etcd/serve/identify.h"
#include "store/etcd/serve/json_answer.h"
#include "store/etcd/serve/method.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/system.h"
#include "store/proto/json.h"

#include <stdlib.h>

/* Messages that wait until users and roles are known; beyond it the client is not listened to. */
enum { HELD_MESSAGES_MAX = 64, HELD_BYTES_MAX = 512 * 1024 };

/* Why a client is not listened to. */
enum { PAUSED_BY_HANDLER = 1, PAUSED_FOR_HELD = 2 };

struct held {
	struct list_link link;
	struct slice message;
};

struct etcd_stream {
	struct etcd_service *service;
	struct list_link wanting_leader;
	const struct etcd_method *method;
	struct http_exchange *x;
	struct grpc_stream *grpc; /* NULL: JSON */
	struct etcd_stream_callbacks cb;
	void *arg;
	size_t message_bytes_max;
	struct strbuf text; /* JSON: what is no whole object yet */
	struct list_link held;
	size_t n_held, held_bytes;
	unsigned pauses;
	struct etcd_waiter waiter;
	bool is_waiting, is_admitted;
	bool ends; /* the client sends no more */
	bool has_begun, is_over;
};

struct etcd_service *etcd_stream_service(struct etcd_stream *x)
{
	return x->service;
}

/* ---- out ---- */

static bool send_json(struct etcd_stream *x, const ProtobufCMessage *m)
{
	struct strbuf line = STRBUF_INIT;
	etcd_count_sent(x->service->counts, x->method, 0);
	if (!x->has_begun) {
		x->has_begun = true;
		http_set_content_type(x->x, "application/json");
		http_respond_begin(x->x, 200, -1);
	}
	strbuf_adds(&line, "{\"result\":");
	etcd_json_write(&line, m);
	strbuf_adds(&line, "}\n");
	bool room = http_write(x->x, strbuf_slice(&line));
	strbuf_release(&line);
	return room;
}

bool etcd_stream_send(struct etcd_stream *x, const ProtobufCMessage *m)
{
	LOOP_CHECK_OWNER(x->service->loop);
	if (!x->grpc)
		return send_json(x, m);
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = malloc(n ? n : 1);
	CHECK(bytes != NULL);
	protobuf_c_message_pack(m, bytes);
	bool room = grpc_send(x->grpc, (struct slice){(const char *)bytes, n});
	etcd_count_sent(x->service->counts, x->method, n);
	free(bytes);
	return room;
}

static bool send_packed_json(struct etcd_stream *x, const ProtobufCMessageDescriptor *kind, struct slice packed)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(kind, NULL, packed.len, (const uint8_t *)packed.ptr);
	CHECK(m != NULL); /* our own */
	bool room = send_json(x, m);
	protobuf_c_message_free_unpacked(m, NULL);
	return room;
}

bool etcd_stream_send_message(struct etcd_stream *x, const ProtobufCMessageDescriptor *kind, struct rcbuf *message)
{
	LOOP_CHECK_OWNER(x->service->loop);
	struct slice packed = {message->data + GRPC_FRAME_HEAD_BYTES, message->len - GRPC_FRAME_HEAD_BYTES};
	if (!x->grpc) {
		bool room = send_packed_json(x, kind, packed);
		rcbuf_unref(message);
		return room;
	}
	etcd_count_sent(x->service->counts, x->method, packed.len);
	return grpc_send_ref(x->grpc, message);
}

static void finish_json(struct etcd_stream *x, int grpc_status, const char *text)
{
	struct strbuf line = STRBUF_INIT;
	if (grpc_status != GRPC_OK)
		etcd_gateway_error_json(&line, grpc_status, text);
	if (!x->has_begun) {
		http_set_content_type(x->x, "application/json");
		http_respond_copy(x->x, etcd_gateway_http_status(grpc_status), strbuf_slice(&line));
	} else {
		if (line.len)
			http_write(x->x, strbuf_slice(&line));
		http_respond_end(x->x);
	}
	strbuf_release(&line);
}

static void over(struct etcd_stream *x, int grpc_status)
{
	x->is_over = true;
	list_del(&x->wanting_leader);
	etcd_waiter_cancel(&x->waiter);
	etcd_count_handled(x->service->counts, x->method, grpc_status, 0);
}

void etcd_stream_finish(struct etcd_stream *x, int grpc_status, const char *text)
{
	LOOP_CHECK_OWNER(x->service->loop);
	CHECK(!x->is_over);
	over(x, grpc_status);
	if (x->grpc)
		grpc_finish(x->grpc, grpc_status, text);
	else
		finish_json(x, grpc_status, text ? text : "");
}

/* Ends it for a reason that its handler does not know. */
static void give_up(struct etcd_stream *x, int grpc_status, const char *text)
{
	etcd_stream_finish(x, grpc_status, text);
	if (x->cb.on_abort)
		x->cb.on_abort(x, x->arg);
}

/* ---- in ---- */

enum etcd_auth_error etcd_stream_identify(struct etcd_stream *x, struct etcd_identity *ret)
{
	return etcd_identify(x->service, x->x, !x->grpc, ret);
}

static void admit_again(struct etcd_waiter *w, const struct err *err);

/* May messages go to the handler now? When not, they will later, or the stream has ended. */
static bool is_open(struct etcd_stream *x)
{
	struct etcd_identity who;
	if (x->method->access == ETCD_ACCESS_OPEN)
		return true;
	if (x->is_waiting)
		return false;
	if (!etcd_system_is_fresh(x->service)) {
		x->is_waiting = true;
		x->waiter.run = admit_again;
		etcd_system_wait(x->service, &x->waiter, false);
		return false;
	}
	if (x->is_admitted || x->method->access != ETCD_ACCESS_ADMIN)
		return true;
	enum etcd_auth_error error = etcd_stream_identify(x, &who);
	if (!error)
		error = etcd_auth_check_admin(x->service->system.auth, &who);
	x->is_admitted = !error;
	if (error) {
		int status;
		const char *text = etcd_auth_error_text(error, &status);
		give_up(x, status, text);
	}
	return !error;
}

static void set_pause(struct etcd_stream *x, unsigned pauses)
{
	if (!x->pauses && pauses && !x->is_over)
		http_body_pause(x->x);
	if (x->pauses && !pauses && !x->is_over)
		http_body_resume(x->x);
	x->pauses = pauses;
}

static void hold(struct etcd_stream *x, struct slice message)
{
	x->n_held++;
	x->held_bytes += message.len;
	if (x->n_held > HELD_MESSAGES_MAX || x->held_bytes > HELD_BYTES_MAX)
		set_pause(x, x->pauses | PAUSED_FOR_HELD);
	struct held *h = xmalloc(sizeof *h + message.len + 1);
	h->message = (struct slice){memcpy(h + 1, message.len ? message.ptr : "", message.len), message.len};
	list_push_back(&x->held, &h->link);
}

static void deliver_held(struct etcd_stream *x)
{
	struct list_link *l;
	while (!x->is_over && !list_empty(&x->held) && is_open(x)) {
		l = list_pop_front(&x->held);
		struct held *h = CONTAINER_OF(l, struct held, link);
		CHECK(x->n_held > 0 && x->held_bytes >= h->message.len);
		x->n_held--;
		x->held_bytes -= h->message.len;
		x->cb.on_message(x, h->message, x->arg);
		free(h);
	}
	if (!x->is_over && list_empty(&x->held))
		set_pause(x, x->pauses & ~(unsigned)PAUSED_FOR_HELD);
	if (!x->is_over && x->ends && list_empty(&x->held) && x->cb.on_end) {
		void (*on_end)(struct etcd_stream *, void *) = x->cb.on_end;
		x->cb.on_end = NULL;
		on_end(x, x->arg);
	}
}

static void admit_again(struct etcd_waiter *w, const struct err *err)
{
	struct etcd_stream *x = CONTAINER_OF(w, struct etcd_stream, waiter);
	x->is_waiting = false;
	if (err)
		give_up(x, err_grpc_status(err->code), err->msg);
	else
		deliver_held(x);
}

static void take_message(struct etcd_stream *x, struct slice message)
{
	LOOP_CHECK_OWNER(x->service->loop);
	if (x->is_over)
		return;
	etcd_count_received(x->service->counts, x->method, x->grpc ? message.len : 0);
	hold(x, message);
	deliver_held(x);
}

static void take_end(struct etcd_stream *x)
{
	x->ends = true;
	deliver_held(x);
}

static void take_abort(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(x->service->loop);
	if (x->is_over)
		return;
	over(x, GRPC_CANCELLED);
	if (x->cb.on_abort)
		x->cb.on_abort(x, x->arg);
}

static void grpc_message(struct grpc_stream *g, struct slice message, void *arg)
{
	take_message(arg, message);
}

static void grpc_end(struct grpc_stream *g, void *arg)
{
	take_end(arg);
}

static void grpc_abort(struct grpc_stream *g, void *arg)
{
	take_abort(arg);
}

static void grpc_writable(struct grpc_stream *g, void *arg)
{
	struct etcd_stream *x = arg;
	if (!x->is_over && x->cb.on_writable)
		x->cb.on_writable(x, x->arg);
}

/* ---- JSON in ---- */

static void take_json(struct etcd_stream *x, struct slice text)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	ProtobufCMessage *m;
	if (etcd_json_read(&a, x->method->request, text, &m, &err) != 0) {
		give_up(x, GRPC_INVALID_ARGUMENT, err.msg);
	} else {
		size_t n = protobuf_c_message_get_packed_size(m);
		uint8_t *bytes = arena_alloc(&a, n + 1);
		protobuf_c_message_pack(m, bytes);
		take_message(x, (struct slice){(const char *)bytes, n});
	}
	arena_release(&a);
}

static void json_data(struct http_exchange *h, struct slice data, bool is_end, void *arg)
{
	struct etcd_stream *x = arg;
	size_t n, at = 0;
	if (x->is_over)
		return;
	strbuf_add_slice(&x->text, data);
	while (!x->is_over && (n = etcd_json_first((struct slice){x->text.data + at, x->text.len - at}))) {
		take_json(x, (struct slice){x->text.data + at, n});
		at += n;
	}
	if (x->is_over)
		return;
	if (at) {
		memmove(x->text.data, x->text.data + at, x->text.len - at);
		x->text.len -= at;
	}
	if (x->text.len > 2 * x->message_bytes_max)
		give_up(x, GRPC_RESOURCE_EXHAUSTED, "the message is too large");
	else if (is_end && slice_trim(strbuf_slice(&x->text)).len)
		give_up(x, GRPC_INVALID_ARGUMENT, "unexpected EOF");
	else if (is_end)
		take_end(x);
}

static void json_abort(struct http_exchange *h, void *arg)
{
	take_abort(arg);
}

static void json_writable(struct http_exchange *h, void *arg)
{
	grpc_writable(NULL, arg);
}

/* ---- leaders: metadata "hasleader", as etcd's clients send it for streams that must not be silent ---- */

enum { LEADERLESS_S_MAX = 3 };
static const char no_leader[] = "etcdserver: no leader";

void etcd_streams_tick(struct etcd_service *s)
{
	s->leaderless_s = etcd_has_leader(s) ? 0 : s->leaderless_s + 1;
	if (s->leaderless_s < LEADERLESS_S_MAX)
		return;
	LIST_FOREACH (l, &s->wanting_leader)
		give_up(CONTAINER_OF(l, struct etcd_stream, wanting_leader), GRPC_UNAVAILABLE, no_leader);
}

static void want_leader(struct etcd_stream *x)
{
	if (!slice_is(http_header(x->x, "hasleader"), "true"))
		return;
	if (etcd_has_leader(x->service))
		list_push_back(&x->service->wanting_leader, &x->wanting_leader);
	else
		give_up(x, GRPC_UNAVAILABLE, no_leader);
}

/* ---- life ---- */

static void release(void *arg)
{
	struct etcd_stream *x = arg;
	for (struct list_link *l; (l = list_pop_front(&x->held));)
		free(CONTAINER_OF(l, struct held, link));
	strbuf_release(&x->text);
}

void etcd_stream_open(struct etcd_service *s, struct http_exchange *x, const struct etcd_method *method, bool is_json)
{
	static const struct grpc_stream_callbacks callbacks = {
	        .on_message = grpc_message, .on_end = grpc_end, .on_abort = grpc_abort, .on_writable = grpc_writable};
	struct etcd_stream *st = ARENA_NEW(http_arena(x), struct etcd_stream);
	st->service = s;
	st->method = method;
	st->x = x;
	list_init(&st->held);
	list_init(&st->waiter.link);
	list_init(&st->wanting_leader);
	arena_on_release(http_arena(x), release, st);
	etcd_count_started(s->counts, method);
	method->open(st);
	if (is_json) {
		http_on_abort(x, json_abort, st);
		http_on_writable(x, json_writable, st);
		http_body_stream(x, json_data, st);
	} else {
		st->grpc = grpc_accept(x, st->message_bytes_max, &callbacks, st);
		want_leader(st);
	}
}

void etcd_stream_start(
        struct etcd_stream *x, size_t message_bytes_max, const struct etcd_stream_callbacks *callbacks, void *arg)
{
	x->cb = *callbacks;
	x->arg = arg;
	x->message_bytes_max = message_bytes_max;
}

void etcd_stream_pause(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(x->service->loop);
	set_pause(x, x->pauses | PAUSED_BY_HANDLER);
}

void etcd_stream_resume(struct etcd_stream *x)
{
	LOOP_CHECK_OWNER(x->service->loop);
	set_pause(x, x->pauses & ~(unsigned)PAUSED_BY_HANDLER);
}
