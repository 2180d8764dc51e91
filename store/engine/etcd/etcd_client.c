/* See etcd_client_int.h. What belongs to the loop is touched there only, through loop_call(); an answer crosses over
 * under a lock, for the caller waits with a limit of its own (a server that hangs answers nothing).
 *
 * Every call says hasleader, so that a member that was cut off from the majority refuses at once instead of waiting,
 * and a watch on it ends instead of being silent. */
#include "store/engine/etcd/etcd_client_int.h"

#include "base/check.h"
#include "base/rt/cond.h"
#include "base/rt/loop.h"
#include "base/wire/grpc.h"
#include "base/wire/tls.h"
#include "base/wire/url.h"
#include "store/engine/shared_log.h"
#include "store/proto/unpack.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX (256u * 1024 * 1024)

struct etcd_client {
	struct loop loop;
	struct arena arena;
	struct http_client_options *endpoints;
	size_t n, at;
	struct tls_context *tls;
	int bell;
	/* ---- the loop's ---- */
	struct http_client *http;
	struct grpc_call *call, *watch;
	/* ---- one call ---- */
	const char *method;
	struct slice request;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct strbuf answer; /* under the lock, like the rest */
	bool has_answer, is_done;
	struct err err;
	bool is_watch_over;
	int64_t told; /* revision */
};

static const struct http_header metadata[] = {{{"hasleader", 9}, {"true", 4}}};

/* ---- the loop's ---- */

static void open_http(void *arg)
{
	struct etcd_client *c = arg;
	c->http = http_client_new(&c->endpoints[c->at]);
}

static void cancel_calls(struct etcd_client *c)
{
	if (c->call)
		grpc_call_cancel(c->call);
	if (c->watch)
		grpc_call_cancel(c->watch);
	c->call = c->watch = NULL;
}

static void turn(void *arg)
{
	struct etcd_client *c = arg;
	cancel_calls(c);
	http_client_close(c->http, NULL, NULL);
	c->at = (c->at + 1) % c->n;
	open_http(c);
}

static void http_closed(void *arg)
{
	loop_stop(&((struct etcd_client *)arg)->loop);
}

static void close_all(void *arg)
{
	struct etcd_client *c = arg;
	cancel_calls(c);
	http_client_close(c->http, http_closed, c);
}

static void on_message(struct grpc_call *g, struct slice bytes, void *arg)
{
	struct etcd_client *c = arg;
	pthread_mutex_lock(&c->lock);
	strbuf_reset(&c->answer);
	strbuf_add_slice(&c->answer, bytes);
	c->has_answer = true;
	pthread_mutex_unlock(&c->lock);
}

static void on_done(struct grpc_call *g, int status, const struct err *err, void *arg)
{
	struct etcd_client *c = arg;
	c->call = NULL;
	pthread_mutex_lock(&c->lock);
	c->is_done = true;
	c->err = err ? *err : ERR_INIT;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

static void begin_call(void *arg)
{
	struct etcd_client *c = arg;
	struct grpc_call_options o = {.method = c->method,
	        .metadata = metadata,
	        .metadata_count = COUNT_OF(metadata),
	        .timeout_ms = SHARED_LOG_CALL_MS,
	        .message_bytes_max = MESSAGE_BYTES_MAX,
	        .request = c->request,
	        .on_message = on_message,
	        .on_done = on_done,
	        .arg = c};
	c->call = grpc_client_call(c->http, &o);
}

static void cancel_call(void *arg)
{
	struct etcd_client *c = arg;
	if (c->call)
		grpc_call_cancel(c->call);
	c->call = NULL;
}

static void ring(struct etcd_client *c)
{
	CHECK(eventfd_write(c->bell, 1) == 0);
}

static void on_event(struct grpc_call *g, struct slice bytes, void *arg)
{
	struct etcd_client *c = arg;
	struct arena a = ARENA_INIT;
	Etcdpb__WatchResponse *r = etcd_message_unpack(&a, &etcdpb__watch_response__descriptor, bytes);
	pthread_mutex_lock(&c->lock);
	c->is_watch_over = c->is_watch_over || !r || r->canceled;
	for (size_t i = 0; r && i < r->n_events; i++)
		if (r->events[i]->kv && r->events[i]->kv->mod_revision > c->told)
			c->told = r->events[i]->kv->mod_revision;
	pthread_mutex_unlock(&c->lock);
	arena_release(&a);
	ring(c);
}

static void on_watch_done(struct grpc_call *g, int status, const struct err *err, void *arg)
{
	struct etcd_client *c = arg;
	c->watch = NULL;
	pthread_mutex_lock(&c->lock);
	c->is_watch_over = true;
	pthread_mutex_unlock(&c->lock);
	ring(c);
}

static void begin_watch(void *arg)
{
	struct etcd_client *c = arg;
	struct grpc_call_options o = {.method = c->method,
	        .metadata = metadata,
	        .metadata_count = COUNT_OF(metadata),
	        .message_bytes_max = MESSAGE_BYTES_MAX,
	        .request = c->request,
	        .stream = true,
	        .on_message = on_event,
	        .on_done = on_watch_done,
	        .arg = c};
	if (c->watch)
		grpc_call_cancel(c->watch);
	c->watch = grpc_client_call(c->http, &o);
}

/* ---- the caller's ---- */

static struct slice pack(struct arena *a, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	char *bytes = arena_alloc(a, n + 1);
	protobuf_c_message_pack(m, (uint8_t *)bytes);
	return (struct slice){bytes, n};
}

/* What is not known to be refused may have been done. */
static int sort_error(struct err *err)
{
	static const int sure[] = {
	        ERR_BUSY, ERR_TOO_BIG, ERR_INVAL, ERR_FORBIDDEN, ERR_UNAUTHENTICATED, ERR_UNIMPLEMENTED};
	if (strstr(err->msg, "space exceeded"))
		return err_set(
		        err, ERR_NO_SPACE, "etcd: its database is full: compact and defragment it, or raise its quota");
	if (strstr(err->msg, "request is too large"))
		return err_set(err, ERR_TOO_BIG, "etcd: the request is too large: raise its --max-request-bytes");
	for (size_t i = 0; i < COUNT_OF(sure); i++)
		if (err->code == sure[i])
			return err_wrap(err, "etcd");
	err->code = ERR_UNAVAILABLE;
	return err_wrap(err, "etcd");
}

static int wait_for_answer(struct etcd_client *c, struct err *err)
{
	struct timespec limit = cond_limit(SHARED_LOG_CALL_MS + 500);
	pthread_mutex_lock(&c->lock);
	while (!c->is_done && cond_wait_until(&c->wake, &c->lock, &limit))
		;
	bool is_done = c->is_done;
	*err = c->err;
	pthread_mutex_unlock(&c->lock);
	if (!is_done)
		return err_set(err, ERR_UNAVAILABLE, "no answer within %d ms", SHARED_LOG_CALL_MS);
	return err->code;
}

void *etcd_client_call(struct etcd_client *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, struct arena *a, struct err *err)
{
	void *m = NULL;
	c->method = arena_printf(a, "/etcdserverpb.%s", method);
	c->request = pack(a, request);
	c->has_answer = c->is_done = false;
	c->err = ERR_INIT;
	loop_call(&c->loop, begin_call, c);
	int rc = wait_for_answer(c, err);
	loop_call(&c->loop, cancel_call, c); /* from here on nobody else touches the answer */
	if (rc == 0 && c->has_answer)
		m = etcd_message_unpack(
		        a, answer, (struct slice){arena_memdup(a, c->answer.data, c->answer.len), c->answer.len});
	if (rc == 0 && !m)
		err_set(err, ERR_UNAVAILABLE, "the server's answer does not read");
	if (!m)
		sort_error(err);
	return m;
}

void etcd_client_watch(struct etcd_client *c, struct slice key, int64_t revision)
{
	struct arena a = ARENA_INIT;
	Etcdpb__WatchCreateRequest create = ETCDPB__WATCH_CREATE_REQUEST__INIT;
	Etcdpb__WatchRequest r = ETCDPB__WATCH_REQUEST__INIT;
	create.key = etcd_bytes(key);
	create.start_revision = revision;
	r.request_case = ETCDPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST;
	r.create_request = &create;
	c->is_watch_over = false;
	c->method = "/etcdserverpb.Watch/Watch";
	c->request = pack(&a, &r.base);
	loop_call(&c->loop, begin_watch, c);
	arena_release(&a);
}

int etcd_client_fd(struct etcd_client *c)
{
	return c->bell;
}

int64_t etcd_client_heard(struct etcd_client *c, bool *ret_is_over)
{
	eventfd_t n;
	eventfd_read(c->bell, &n);
	pthread_mutex_lock(&c->lock);
	*ret_is_over = c->is_watch_over;
	int64_t told = c->told;
	pthread_mutex_unlock(&c->lock);
	return told;
}

size_t etcd_client_endpoints(const struct etcd_client *c)
{
	return c->n;
}

void etcd_client_turn(struct etcd_client *c)
{
	loop_call(&c->loop, turn, c);
}

/* ---- life ---- */

static int add_endpoints(struct etcd_client *c, const struct dsn *dsn, struct err *err)
{
	c->n = dsn->n_endpoints;
	c->endpoints = arena_alloc(&c->arena, c->n * sizeof *c->endpoints);
	for (size_t i = 0; i < c->n; i++) {
		struct url url;
		if (url_parse(&c->arena, dsn->endpoints[i], 2379, &url, err) != 0)
			return err->code;
		c->endpoints[i] = (struct http_client_options){.loop = &c->loop,
		        .host = url.host,
		        .port = url.port,
		        .tls = url.is_tls ? c->tls : NULL,
		        .protocol = HTTP_CLIENT_H2,
		        .connect_ms = SHARED_LOG_CALL_MS};
	}
	return 0;
}

static void release(struct etcd_client *c)
{
	if (c->tls)
		tls_context_unref(c->tls);
	if (c->bell >= 0)
		close(c->bell);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	strbuf_release(&c->answer);
	arena_release(&c->arena);
	free(c);
}

int etcd_client_new(const struct dsn *dsn, const struct dsn_tls *tls, struct etcd_client **ret, struct err *err)
{
	struct etcd_client *c = xcalloc(1, sizeof *c);
	struct tls_options t = {.ca_file = tls->ca_file,
	        .certificate_file = tls->certificate_file,
	        .key_file = tls->key_file,
	        .h2_only = true};
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	c->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(c->bell >= 0);
	int rc = strncmp(dsn->endpoints[0], "https:", 6) == 0 ? tls_context_new(&t, &c->tls, err) : 0;
	if (rc == 0)
		rc = add_endpoints(c, dsn, err);
	if (rc != 0) {
		release(c);
		return rc;
	}
	loop_init(&c->loop, "etcd");
	loop_start_thread(&c->loop);
	loop_call(&c->loop, open_http, c);
	*ret = c;
	return 0;
}

void etcd_client_free(struct etcd_client *c)
{
	loop_call(&c->loop, close_all, c);
	loop_join(&c->loop);
	loop_release(&c->loop);
	release(c);
}
