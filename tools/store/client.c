/* See store_client.h. Everything of the connection belongs to the loop's thread and is touched there only, through
 * loop_call(); answers cross over in a list under a mutex. A stream that is read slowly is paused at QUEUE_MAX. */
#include "tools/store/client.h"

#include "base/check.h"
#include "base/rt/loop.h"
#include "base/wire/grpc.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"

#include <pthread.h>
#include <stdlib.h>

enum { QUEUE_MAX = 64 };

struct store_client {
	struct loop loop;
	struct http_client_options options;
	struct http_client *http;
	struct tls_context *tls;
	struct arena arena;
	unsigned timeout_ms;
	const char *user, *password; /* NULL: nobody */
	const char *token;           /* NULL: not asked for yet */
	bool is_authenticating;
};

struct message {
	struct message *next;
	size_t len;
	char bytes[];
};

struct store_call {
	struct store_client *client;
	struct grpc_call *grpc; /* the loop's; NULL once done */
	const char *method;
	struct slice outgoing;
	bool is_stream;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct message *head, **tail;
	unsigned queued;
	bool is_paused, is_done;
	struct err err;
};

static void open_http(void *arg)
{
	struct store_client *c = arg;
	c->http = http_client_new(&c->options);
}

int store_client_new(
        const struct store_client_settings *v, const char *endpoint, struct store_client **ret, struct err *err)
{
	struct arena scratch = ARENA_INIT;
	struct url url;
	const char *whole = strstr(endpoint, "://") ? endpoint : arena_printf(&scratch, "http://%s", endpoint);
	if (url_parse_any(&scratch, whole, 0, &url, err) != 0) {
		arena_release(&scratch);
		return err_set(err, ERR_INVAL,
		        "endpoint \"%s\" is not like http://127.0.0.1:2379 or unix:///run/etcd.sock", endpoint);
	}
	bool is_tls = url.is_tls;
	struct store_client *c = xcalloc(1, sizeof *c);
	struct tls_options t = {.ca_file = v->ca, .certificate_file = v->cert, .key_file = v->key, .h2_only = true};
	if (is_tls && tls_context_new(&t, &c->tls, err) != 0) {
		arena_release(&scratch);
		free(c);
		return err->code;
	}
	c->timeout_ms = (unsigned)v->timeout_s * 1000;
	if (v->user) {
		const char *colon = strchr(v->user, ':');
		c->user = colon && !v->password ? arena_printf(&c->arena, "%.*s", (int)(colon - v->user), v->user)
		                                : v->user;
		c->password = v->password ? v->password : colon ? colon + 1 : "";
	}
	loop_init(&c->loop, "client");
	struct http_client_options o = {.loop = &c->loop,
	        .host = arena_strdup(&c->arena, url.host),
	        .port = url.port,
	        .unix_path = url.unix_path ? arena_strdup(&c->arena, url.unix_path) : NULL,
	        .tls = c->tls,
	        .protocol = HTTP_CLIENT_H2,
	        .connect_ms = c->timeout_ms};
	c->options = o;
	arena_release(&scratch);
	loop_start_thread(&c->loop);
	loop_call(&c->loop, open_http, c);
	*ret = c;
	return 0;
}

static void http_closed(void *arg)
{
	struct store_client *c = arg;
	loop_stop(&c->loop);
}

static void close_http(void *arg)
{
	struct store_client *c = arg;
	http_client_close(c->http, http_closed, c);
}

void store_client_free(struct store_client *c)
{
	if (!c)
		return;
	loop_call(&c->loop, close_http, c);
	loop_join(&c->loop);
	loop_release(&c->loop);
	tls_context_unref(c->tls);
	arena_release(&c->arena);
	free(c);
}

/* ---- on the loop ---- */

static void on_message(struct grpc_call *g, struct slice bytes, void *arg)
{
	struct store_call *call = arg;
	struct message *m = malloc(sizeof *m + bytes.len);
	CHECK(m != NULL);
	*m = (struct message){.len = bytes.len};
	memcpy(m->bytes, bytes.ptr, bytes.len);
	pthread_mutex_lock(&call->lock);
	*call->tail = m;
	call->tail = &m->next;
	if (++call->queued >= QUEUE_MAX && !call->is_paused) {
		call->is_paused = true;
		grpc_call_pause(g);
	}
	pthread_cond_signal(&call->wake);
	pthread_mutex_unlock(&call->lock);
}

static void on_done(struct grpc_call *g, int status, const struct err *err, void *arg)
{
	struct store_call *call = arg;
	call->grpc = NULL;
	pthread_mutex_lock(&call->lock);
	call->is_done = true;
	if (err)
		call->err = *err;
	pthread_cond_signal(&call->wake);
	pthread_mutex_unlock(&call->lock);
}

static void open_call(void *arg)
{
	struct store_call *call = arg;
	const char *token = call->client->token;
	const struct http_header metadata[] = {{SLICE("token"), slice_of(token)}};
	struct grpc_call_options o = {.method = call->method,
	        .metadata = metadata,
	        .metadata_count = token ? 1 : 0,
	        .timeout_ms = call->is_stream ? 0 : call->client->timeout_ms,
	        .message_bytes_max = 1u << 30,
	        .request = call->outgoing,
	        .stream = call->is_stream,
	        .on_message = on_message,
	        .on_done = on_done,
	        .arg = call};
	call->grpc = grpc_client_call(call->client->http, &o);
}

static void send_more(void *arg)
{
	struct store_call *call = arg;
	if (call->grpc)
		grpc_call_send(call->grpc, call->outgoing);
}

static void send_end(void *arg)
{
	struct store_call *call = arg;
	if (call->grpc)
		grpc_call_send_end(call->grpc);
}

static void resume(void *arg)
{
	struct store_call *call = arg;
	if (call->grpc)
		grpc_call_resume(call->grpc);
}

static void cancel(void *arg)
{
	struct store_call *call = arg;
	if (call->grpc)
		grpc_call_cancel(call->grpc);
	call->grpc = NULL;
}

/* ---- on the caller's thread ---- */

static struct slice pack(const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *bytes = malloc(n + 1);
	CHECK(bytes != NULL);
	protobuf_c_message_pack(m, (uint8_t *)bytes);
	return (struct slice){bytes, n};
}

/* The first call of a user asks for a token. */
static int authenticate(struct store_client *c, struct err *err)
{
	Etcdpb__AuthenticateRequest r = ETCDPB__AUTHENTICATE_REQUEST__INIT;
	if (!c->user || c->token || c->is_authenticating)
		return 0;
	r.name = (char *)c->user;
	r.password = (char *)c->password;
	c->is_authenticating = true;
	Etcdpb__AuthenticateResponse *got = store_client_call(
	        c, "Auth/Authenticate", &r.base, &etcdpb__authenticate_response__descriptor, &c->arena, err);
	c->is_authenticating = false;
	if (got)
		c->token = got->token;
	return got ? 0 : err->code;
}

static struct store_call *open_any(
        struct store_client *c, const char *method, const ProtobufCMessage *request, bool is_stream)
{
	struct store_call *call = xcalloc(1, sizeof *call);
	call->client = c;
	call->method = arena_printf(&c->arena, "/etcdserverpb.%s", method);
	call->is_stream = is_stream;
	call->tail = &call->head;
	pthread_mutex_init(&call->lock, NULL);
	pthread_cond_init(&call->wake, NULL);
	if (authenticate(c, &call->err) != 0) {
		call->is_done = true; /* it ends with this error */
		return call;
	}
	call->outgoing = pack(request);
	loop_call(&c->loop, open_call, call);
	free((void *)call->outgoing.ptr);
	return call;
}

struct store_call *store_call_open(struct store_client *c, const char *method, const ProtobufCMessage *request)
{
	return open_any(c, method, request, true);
}

void store_call_send(struct store_call *call, const ProtobufCMessage *message)
{
	call->outgoing = pack(message);
	loop_call(&call->client->loop, send_more, call);
	free((void *)call->outgoing.ptr);
}

void store_call_send_end(struct store_call *call)
{
	loop_call(&call->client->loop, send_end, call);
}

static struct message *take(struct store_call *call, bool *was_paused)
{
	pthread_mutex_lock(&call->lock);
	while (!call->head && !call->is_done)
		pthread_cond_wait(&call->wake, &call->lock);
	struct message *m = call->head;
	if (m) {
		call->head = m->next;
		if (!call->head)
			call->tail = &call->head;
		call->queued--;
	}
	*was_paused = call->is_paused && call->queued == 0;
	if (*was_paused)
		call->is_paused = false;
	pthread_mutex_unlock(&call->lock);
	return m;
}

static void *arena_alloc_cb(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void arena_free_cb(void *arena, void *p)
{
}

void *store_call_next(
        struct store_call *call, const ProtobufCMessageDescriptor *answer, struct arena *a, struct err *err)
{
	ProtobufCAllocator allocator = {arena_alloc_cb, arena_free_cb, a};
	bool was_paused;
	struct message *m = take(call, &was_paused);
	if (was_paused)
		loop_call(&call->client->loop, resume, call);
	if (!m) {
		if (call->err.code)
			*err = call->err;
		return NULL;
	}
	void *unpacked = protobuf_c_message_unpack(answer, &allocator, m->len, (const uint8_t *)m->bytes);
	if (!unpacked)
		err_set(err, ERR_PROTOCOL, "the server's answer does not read");
	free(m);
	return unpacked;
}

void store_call_close(struct store_call *call)
{
	loop_call(&call->client->loop, cancel, call);
	for (struct message *m = call->head, *next; m; m = next) {
		next = m->next;
		free(m);
	}
	pthread_mutex_destroy(&call->lock);
	pthread_cond_destroy(&call->wake);
	free(call);
}

void *store_client_call(struct store_client *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, struct arena *a, struct err *err)
{
	struct arena unused = ARENA_INIT;
	struct err end = ERR_INIT;
	struct store_call *call = open_any(c, method, request, false);
	void *m = store_call_next(call, answer, a, err);
	if (m && store_call_next(call, answer, &unused, &end) == NULL && end.code) {
		*err = end;
		m = NULL;
	}
	if (!m && !err->code)
		err_set(err, ERR_PROTOCOL, "the server gave no answer");
	arena_release(&unused);
	store_call_close(call);
	return m;
}
