/* The etcd service's life, its methods by path, and the frame of unary calls. See etcd_service.h. */
#include "store/etcd/etcd_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/wire/tls.h"

#include <stdlib.h>

enum { PROGRESS_MS = 10 * 60 * 1000, TICK_MS = 1000, MESSAGE_OVERHEAD_BYTES = 512 * 1024 };

/* ---- messages ---- */

static void *arena_alloc_cb(void *arena, size_t size)
{
	return arena_alloc(arena, size);
}

static void arena_free_cb(void *arena, void *p)
{
}

ProtobufCAllocator etcd_allocator(struct arena *a)
{
	return (ProtobufCAllocator){arena_alloc_cb, arena_free_cb, a};
}

Etcdpb__ResponseHeader *etcd_header(struct etcd_service *s, struct arena *a, int64_t revision)
{
	Etcdpb__ResponseHeader *h = arena_alloc(a, sizeof *h);
	etcdpb__response_header__init(h);
	h->cluster_id = s->options.cluster_id;
	h->member_id = s->options.member_id;
	h->revision = revision;
	h->raft_term = s->raft ? raft_engine_term(s->raft) : 1;
	return h;
}

Etcdpb__KeyValue *etcd_kv(struct arena *a, const struct store_kv *kv)
{
	Etcdpb__KeyValue *v = arena_alloc(a, sizeof *v);
	etcdpb__key_value__init(v);
	v->key = etcd_bytes(kv->key);
	v->value = etcd_bytes(kv->value);
	v->create_revision = kv->create_revision;
	v->mod_revision = kv->mod_revision;
	v->version = kv->version;
	v->lease = kv->lease;
	return v;
}

/* ---- unary calls ---- */

static void call_free(struct etcd_call *c)
{
	c->service->calls--;
	store_request_release(&c->request);
	arena_release(&c->arena);
	free(c);
}

void etcd_reply(struct etcd_call *c, const ProtobufCMessage *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = malloc(n ? n : 1);
	CHECK(bytes != NULL);
	protobuf_c_message_pack(message, bytes);
	grpc_send(c->stream, (struct slice){(const char *)bytes, n});
	grpc_finish(c->stream, GRPC_OK, NULL);
	free(bytes);
	call_free(c);
}

void etcd_reply_err(struct etcd_call *c, int grpc_status, const char *text)
{
	c->service->counters.failed++;
	grpc_finish(c->stream, grpc_status, text);
	call_free(c);
}

struct cause_row {
	enum store_cause cause;
	int grpc;
	const char *text;
};

/* The texts clients compare with (api/v3rpc/rpctypes/error.go). */
static const struct cause_row causes[] = {
        {STORE_CAUSE_EMPTY_KEY, GRPC_INVALID_ARGUMENT, "etcdserver: key is not provided"},
        {STORE_CAUSE_KEY_NOT_FOUND, GRPC_INVALID_ARGUMENT, "etcdserver: key not found"},
        {STORE_CAUSE_VALUE_PROVIDED, GRPC_INVALID_ARGUMENT, "etcdserver: value is provided"},
        {STORE_CAUSE_LEASE_PROVIDED, GRPC_INVALID_ARGUMENT, "etcdserver: lease is provided"},
        {STORE_CAUSE_TOO_MANY_OPS, GRPC_INVALID_ARGUMENT, "etcdserver: too many operations in txn request"},
        {STORE_CAUSE_DUPLICATE_KEY, GRPC_INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request"},
        {STORE_CAUSE_LEASE_NOT_FOUND, GRPC_NOT_FOUND, "etcdserver: requested lease not found"},
        {STORE_CAUSE_LEASE_EXISTS, GRPC_FAILED_PRECONDITION, "etcdserver: lease already exists"},
        {STORE_CAUSE_LEASE_TTL, GRPC_OUT_OF_RANGE, "etcdserver: too large lease TTL"},
};

const char *etcd_error_text(const struct store_request *req, int *grpc_status)
{
	for (size_t i = 0; i < COUNT_OF(causes); i++)
		if (req->cause == causes[i].cause) {
			*grpc_status = causes[i].grpc;
			return causes[i].text;
		}
	*grpc_status = err_grpc_status(req->err.code);
	switch (req->err.code) {
	case ERR_COMPACTED:
		return "etcdserver: mvcc: required revision has been compacted";
	case ERR_FUTURE_REVISION:
		return "etcdserver: mvcc: required revision is a future revision";
	case ERR_TOO_BIG:
		*grpc_status = GRPC_INVALID_ARGUMENT;
		return "etcdserver: request is too large";
	case ERR_NO_SPACE:
		*grpc_status = GRPC_RESOURCE_EXHAUSTED;
		return "etcdserver: mvcc: database space exceeded";
	case ERR_TIMEOUT:
		*grpc_status = GRPC_UNAVAILABLE;
		return "etcdserver: request timed out";
	case ERR_UNAVAILABLE:
		return "etcdserver: server stopped";
	case ERR_CORRUPT:
		*grpc_status = GRPC_DATA_LOSS;
		return "etcdserver: corrupt cluster";
	case ERR_BUSY:
		*grpc_status = GRPC_RESOURCE_EXHAUSTED;
		return "etcdserver: too many requests";
	default:
		return req->err.msg;
	}
}

void etcd_reply_store_err(struct etcd_call *c, const struct store_request *req)
{
	int status;
	const char *text = etcd_error_text(req, &status);
	etcd_reply_err(c, status, text);
}

void *etcd_unpack(struct etcd_call *c, const ProtobufCMessageDescriptor *type, struct slice message)
{
	ProtobufCAllocator allocator = etcd_allocator(&c->arena);
	void *m = protobuf_c_message_unpack(type, &allocator, message.len, (const uint8_t *)message.ptr);
	if (!m)
		etcd_reply_err(c, GRPC_INVALID_ARGUMENT, "the request is not a valid protobuf message");
	return m;
}

static void submitted_done(struct store_request *req)
{
	struct etcd_call *c = CONTAINER_OF(req, struct etcd_call, request);
	if (c->stream)
		c->done(c);
	else
		call_free(c);
}

void etcd_submit(struct etcd_call *c, void (*done)(struct etcd_call *c))
{
	c->done = done;
	c->request.loop = c->service->loop;
	c->request.ops_max = c->service->options.txn_ops_max;
	c->request.bytes_max = c->service->options.request_bytes_max;
	c->request.done = submitted_done;
	store_submit(c->service->store, &c->request);
}

struct method {
	const char *path;
	etcd_handler *handler;
	bool is_data; /* refused while the alarm CORRUPT stands */
};

static const struct method methods[] = {
        {"/etcdserverpb.KV/Range", etcd_range, true},
        {"/etcdserverpb.KV/Put", etcd_put, true},
        {"/etcdserverpb.KV/DeleteRange", etcd_delete_range, true},
        {"/etcdserverpb.KV/Txn", etcd_txn, true},
        {"/etcdserverpb.KV/Compact", etcd_compact, true},
        {"/etcdserverpb.Lease/LeaseGrant", etcd_lease_grant, true},
        {"/etcdserverpb.Lease/LeaseRevoke", etcd_lease_revoke, true},
        {"/etcdserverpb.Lease/LeaseTimeToLive", etcd_lease_ttl, false},
        {"/etcdserverpb.Lease/LeaseLeases", etcd_lease_list, false},
        {"/etcdserverpb.Maintenance/Status", etcd_status, false},
        {"/etcdserverpb.Maintenance/Alarm", etcd_alarm, false},
        {"/etcdserverpb.Maintenance/Defragment", etcd_defragment, false},
        {"/etcdserverpb.Maintenance/MoveLeader", etcd_move_leader, false},
        {"/etcdserverpb.Cluster/MemberList", etcd_member_list, false},
        {"/etcdserverpb.Cluster/MemberAdd", etcd_member_add, false},
        {"/etcdserverpb.Cluster/MemberRemove", etcd_member_remove, false},
        {"/etcdserverpb.Cluster/MemberPromote", etcd_member_promote, false},
        {"/etcdserverpb.Cluster/MemberUpdate", etcd_member_update, false},
        {"/etcdserverpb.Maintenance/Hash", etcd_hash, false},
        {"/etcdserverpb.Maintenance/HashKV", etcd_hash_kv, false},
        {"/grpc.health.v1.Health/Check", etcd_health_check, false},
};

struct pending {
	struct etcd_service *service;
	const struct method *method;
	bool taken;
	struct etcd_call *call; /* once the message came */
};

static void on_message(struct grpc_stream *s, struct slice message, void *arg)
{
	struct pending *p = arg;
	if (p->taken)
		return; /* a second message on a unary call is ignored */
	p->taken = true;
	struct etcd_call *c = xcalloc(1, sizeof *c);
	c->service = p->service;
	c->stream = s;
	c->service->calls++;
	p->call = c;
	if (!p->method->is_data || !etcd_corrupt_refused(c))
		p->method->handler(c, message);
}

static void on_abort(struct grpc_stream *s, void *arg)
{
	struct pending *p = arg;
	if (p->call)
		p->call->stream = NULL; /* its store request is out: submitted_done() frees it */
}

static void open_unary(struct etcd_service *s, struct http_exchange *x, const struct method *method)
{
	static const struct grpc_stream_callbacks callbacks = {.on_message = on_message, .on_abort = on_abort};
	struct pending *p = ARENA_NEW(http_arena(x), struct pending);
	p->service = s;
	p->method = method;
	grpc_accept(x, s->options.request_bytes_max + MESSAGE_OVERHEAD_BYTES, &callbacks, p);
}

static void on_request(struct http_exchange *x, void *arg)
{
	struct etcd_service *s = arg;
	struct slice path = http_request(x)->path;
	s->counters.requests++;
	if (!grpc_is_request(x)) {
		etcd_http(s, x);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(methods); i++)
		if (slice_is(path, methods[i].path)) {
			open_unary(s, x, &methods[i]);
			return;
		}
	if (slice_is(path, "/etcdserverpb.Watch/Watch"))
		etcd_watch_open(s, x);
	else if (slice_is(path, "/etcdserverpb.Lease/LeaseKeepAlive"))
		etcd_lease_keepalive_open(s, x);
	else if (slice_is(path, "/etcdserverpb.Maintenance/Snapshot"))
		etcd_snapshot_open(s, x);
	else if (slice_is(path, "/grpc.health.v1.Health/Watch"))
		etcd_health_watch_open(s, x);
	else
		grpc_refuse(x, GRPC_UNIMPLEMENTED, "this method is not built yet");
}

/* ---- life ---- */

static void tick(uv_timer_t *t)
{
	etcd_watch_tick(t->data);
	etcd_quota_tick(t->data);
	etcd_cluster_tick(t->data);
}

int etcd_service_new(const struct etcd_service_options *o, struct etcd_service **ret, struct err *err)
{
	struct etcd_service *s = xcalloc(1, sizeof *s);
	s->options = *o;
	s->options.name = arena_strdup(&s->arena, o->name);
	s->options.client_url = arena_strdup(&s->arena, o->client_url);
	s->options.scratch_dir = arena_strdup(&s->arena, o->scratch_dir ? o->scratch_dir : "/tmp");
	s->options.peer_url = arena_strdup(&s->arena, o->peer_url);
	if (!s->options.progress_ms)
		s->options.progress_ms = PROGRESS_MS;
	if (!s->options.request_bytes_max)
		s->options.request_bytes_max = STORE_REQUEST_BYTES_MAX;
	s->loop = o->loop;
	s->store = o->store;
	s->raft = raft_engine_of(o->store);
	list_init(&s->watch_streams);
	struct http_server_options http = {.loop = o->loop, .handler = on_request, .arg = s, .tls = o->tls};
	if (http_server_new(&http, &s->http, err) != 0 ||
	        http_server_listen_tcp(s->http, o->address, o->port, err) != 0) {
		if (s->http)
			http_server_close(s->http, 0, NULL, NULL);
		arena_release(&s->arena);
		free(s);
		return err->code;
	}
	CHECK(uv_timer_init(loop_uv(s->loop), &s->timer) == 0);
	s->timer.data = s;
	uv_timer_start(&s->timer, tick, TICK_MS, TICK_MS);
	etcd_quota_tick(s);
	etcd_compactor_start(s);
	*ret = s;
	return 0;
}

int etcd_service_port(const struct etcd_service *s)
{
	return http_server_port(s->http);
}

static void free_now(uv_handle_t *h)
{
	struct etcd_service *s = h->data;
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;
	arena_release(&s->arena);
	free(s);
	if (closed)
		closed(arg);
}

static void wait_for_calls(uv_timer_t *t)
{
	struct etcd_service *s = t->data;
	if (!s->calls && list_empty(&s->watch_streams))
		uv_close((uv_handle_t *)t, free_now);
}

static void http_closed(void *arg)
{
	struct etcd_service *s = arg;
	uv_timer_start(
	        &s->timer, wait_for_calls, 0, 1); /* store requests of calls that are gone come back in a moment */
}

void etcd_service_close(struct etcd_service *s, unsigned timeout_ms, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->loop);
	s->closed = closed;
	s->closed_arg = arg;
	uv_timer_stop(&s->timer);
	etcd_compactor_stop(s);
	http_server_close(s->http, timeout_ms, http_closed, s);
}
