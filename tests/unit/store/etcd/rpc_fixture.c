/* See rpc_fixture.h. */
#include "store/engine/raft_engine.h"
#include "tests/unit/store/etcd/rpc_fixture.h"

#include "base/wire/http_client.h"

#include <unistd.h>

enum { WAIT_MS_MAX = 60000 };

static struct {
	struct loop loop;
	struct arena arena;
	struct engine *store;
	struct etcd_service *service;
	struct http_client *http;
	char folder[64];
	struct http_header token;
	bool is_closed;
} rpc;

struct arena *rpc_arena(void)
{
	return &rpc.arena;
}

struct etcd_service *rpc_service(void)
{
	return rpc.service;
}

void rpc_use_token(const char *token)
{
	rpc.token = (struct http_header){SLICE("token"), token ? slice_of(token) : SLICE_NULL};
}

void rpc_wait(bool (*is_true)(void *arg), void *arg)
{
	uint64_t end = uv_hrtime() + (uint64_t)WAIT_MS_MAX * 1000000;
	while (!is_true(arg) && uv_hrtime() < end)
		uv_run(loop_uv(&rpc.loop), UV_RUN_NOWAIT);
	assert_true(is_true(arg));
}

/* ---- life ---- */

void rpc_open(const struct etcd_service_options *options)
{
	struct etcd_service_options o = options ? *options : (struct etcd_service_options){0};
	struct err err = ERR_INIT;
	memset(&rpc, 0, sizeof rpc);
	snprintf(rpc.folder, sizeof rpc.folder, "/tmp/k3x-rpc-XXXXXX");
	assert_non_null(mkdtemp(rpc.folder));
	struct raft_engine_options e = {.data_dir = rpc.folder};
	assert_int_equal(raft_engine_open_alone(&e, &rpc.store, &err), 0);
	loop_init(&rpc.loop, "rpc");
	loop_own(&rpc.loop);
	o.loop = &rpc.loop;
	o.store = rpc.store;
	static const struct etcd_listen listen = {
	        .address = "127.0.0.1", .serves = ETCD_SERVES_GRPC | ETCD_SERVES_HTTP};
	o.listens = &listen;
	o.n_listens = 1;
	o.name = "m1";
	o.client_url = "http://127.0.0.1:2379";
	o.peer_url = "http://127.0.0.1:2380";
	o.cluster_id = 0xc1;
	o.member_id = 0xa1;
	o.bcrypt_cost = 4;
	assert_int_equal(etcd_service_new(&o, &rpc.service, &err), 0);
	struct http_client_options h = {.loop = &rpc.loop,
	        .host = "127.0.0.1",
	        .port = etcd_service_port(rpc.service),
	        .protocol = HTTP_CLIENT_H2};
	rpc.http = http_client_new(&h);
}

static void closed(void *arg)
{
	rpc.is_closed = true;
}

static bool is_closed(void *arg)
{
	return rpc.is_closed;
}

void rpc_close(void)
{
	http_client_close(rpc.http, closed, NULL);
	rpc_wait(is_closed, NULL);
	rpc.is_closed = false;
	etcd_service_close(rpc.service, 0, closed, NULL);
	rpc_wait(is_closed, NULL);
	loop_stop(&rpc.loop);
	loop_run(&rpc.loop);
	loop_release(&rpc.loop);
	store_close(rpc.store);
	assert_int_equal(system(arena_printf(&rpc.arena, "rm -rf %s", rpc.folder)), 0);
	arena_release(&rpc.arena);
}

int rpc_setup(void **state)
{
	rpc_open(NULL);
	return 0;
}

int rpc_teardown(void **state)
{
	rpc_close();
	return 0;
}

/* ---- unary calls ---- */

static struct slice packed(const ProtobufCMessage *m)
{
	uint8_t *bytes = arena_alloc(&rpc.arena, protobuf_c_message_get_packed_size(m) + 1);
	return (struct slice){(const char *)bytes, protobuf_c_message_pack(m, bytes)};
}

static const char *path_of(const char *method)
{
	return method[0] == '/' ? method : arena_printf(&rpc.arena, "/etcdserverpb.%s", method);
}

static void on_message(struct grpc_call *call, struct slice message, void *arg)
{
	struct rpc_call *c = arg;
	if (c->type)
		assert_non_null(c->message = etcd_message_unpack(&rpc.arena, c->type, message));
}

static void on_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	struct rpc_call *c = arg;
	c->status = status;
	c->text = err ? arena_strdup(&rpc.arena, err->msg) : "";
}

struct rpc_call *rpc_begin_bytes(const char *method, struct slice request, const ProtobufCMessageDescriptor *type)
{
	struct rpc_call *c = ARENA_NEW(&rpc.arena, struct rpc_call);
	c->status = -1;
	c->type = type;
	c->grpc = grpc_client_call(rpc.http, &(struct grpc_call_options){.method = path_of(method),
	                                             .request = request,
	                                             .metadata = &rpc.token,
	                                             .metadata_count = rpc.token.value.ptr != NULL,
	                                             .on_message = on_message,
	                                             .on_done = on_done,
	                                             .arg = c});
	return c;
}

struct rpc_call *rpc_begin(const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type)
{
	return rpc_begin_bytes(method, packed(request), type);
}

bool rpc_is_answered(const struct rpc_call *c)
{
	return c->status >= 0;
}

static bool is_answered(void *arg)
{
	return rpc_is_answered(arg);
}

void rpc_end(struct rpc_call *c)
{
	rpc_wait(is_answered, c);
}

void rpc_cancel(struct rpc_call *c)
{
	grpc_call_cancel(c->grpc);
}

void *rpc_ok(const char *method, const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type)
{
	struct rpc_call *c = rpc_begin(method, request, type);
	rpc_end(c);
	assert_string_equal(c->text, "");
	assert_int_equal(c->status, GRPC_OK);
	assert_true(!type || c->message);
	return c->message;
}

void rpc_fails(const char *method, const ProtobufCMessage *request, int status, const char *text)
{
	struct rpc_call *c = rpc_begin(method, request, NULL);
	rpc_end(c);
	assert_string_equal(c->text, text);
	assert_int_equal(c->status, status);
}

/* ---- streams ---- */

struct arrival {
	struct list_link link;
	void *message;
};

struct rpc_stream {
	struct grpc_call *grpc;
	const ProtobufCMessageDescriptor *type;
	struct list_link arrived;
	size_t n_arrived;
	int status; /* -1: open */
};

static void on_stream_message(struct grpc_call *call, struct slice message, void *arg)
{
	struct rpc_stream *s = arg;
	struct arrival *a = ARENA_NEW(&rpc.arena, struct arrival);
	assert_non_null(a->message = etcd_message_unpack(&rpc.arena, s->type, message));
	list_push_back(&s->arrived, &a->link);
	s->n_arrived++;
}

static void on_stream_done(struct grpc_call *call, int status, const struct err *err, void *arg)
{
	((struct rpc_stream *)arg)->status = status;
}

struct rpc_stream *rpc_stream_open(const char *method, const ProtobufCMessageDescriptor *type)
{
	struct rpc_stream *s = ARENA_NEW(&rpc.arena, struct rpc_stream);
	s->status = -1;
	s->type = type;
	list_init(&s->arrived);
	s->grpc = grpc_client_call(rpc.http, &(struct grpc_call_options){.method = path_of(method),
	                                             .stream = true,
	                                             .on_message = on_stream_message,
	                                             .on_done = on_stream_done,
	                                             .arg = s});
	return s;
}

void rpc_stream_send(struct rpc_stream *s, const ProtobufCMessage *m)
{
	grpc_call_send(s->grpc, packed(m));
}

static bool has_arrived(void *arg)
{
	return ((struct rpc_stream *)arg)->n_arrived > 0;
}

void *rpc_stream_next(struct rpc_stream *s)
{
	rpc_wait(has_arrived, s);
	s->n_arrived--;
	return CONTAINER_OF(list_pop_front(&s->arrived), struct arrival, link)->message;
}

size_t rpc_stream_waiting(struct rpc_stream *s)
{
	return s->n_arrived;
}

static bool has_ended(void *arg)
{
	return ((struct rpc_stream *)arg)->status >= 0;
}

void rpc_stream_end(struct rpc_stream *s)
{
	grpc_call_send_end(s->grpc);
}

int rpc_stream_status(struct rpc_stream *s)
{
	rpc_wait(has_ended, s);
	return s->status;
}

void rpc_stream_cancel(struct rpc_stream *s)
{
	grpc_call_cancel(s->grpc);
}

/* ---- what most tests do ---- */

int64_t rpc_put(const char *key, const char *value)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = etcd_bytes(slice_of(key));
	r.value = etcd_bytes(slice_of(value));
	Etcdpb__PutResponse *m = rpc_ok("KV/Put", &r.base, &etcdpb__put_response__descriptor);
	return m->header->revision;
}

void rpc_put_under(const char *key, int64_t lease)
{
	Etcdpb__PutRequest r = ETCDPB__PUT_REQUEST__INIT;
	r.key = etcd_bytes(slice_of(key));
	r.lease = lease;
	rpc_ok("KV/Put", &r.base, &etcdpb__put_response__descriptor);
}

const Etcdpb__RangeResponse *rpc_get(const char *key)
{
	Etcdpb__RangeRequest r = ETCDPB__RANGE_REQUEST__INIT;
	r.key = etcd_bytes(slice_of(key));
	return rpc_ok("KV/Range", &r.base, &etcdpb__range_response__descriptor);
}

const char *rpc_pairs(Etcdpb__KeyValue *const *kvs, size_t n)
{
	struct strbuf text = STRBUF_INIT;
	for (size_t i = 0; i < n; i++)
		strbuf_addf(
		        &text, "%.*s=%.*s ", SLICE_FMT(etcd_slice(kvs[i]->key)), SLICE_FMT(etcd_slice(kvs[i]->value)));
	const char *kept = arena_strdup(&rpc.arena, strbuf_cstr(&text));
	strbuf_release(&text);
	return kept;
}

int64_t rpc_grant(int64_t id, int64_t ttl_s)
{
	Etcdpb__LeaseGrantRequest r = ETCDPB__LEASE_GRANT_REQUEST__INIT;
	r.id = id;
	r.ttl = ttl_s;
	Etcdpb__LeaseGrantResponse *m = rpc_ok("Lease/LeaseGrant", &r.base, &etcdpb__lease_grant_response__descriptor);
	return m->id;
}
