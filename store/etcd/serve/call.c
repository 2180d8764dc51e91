/* Unary calls: the frame around every handler.
 *
 *     begun --system keyspace known--> admitted --handler--> submitted --answer--> done
 *                                         ^                      |
 *                                         +-- refused as too old +
 *
 * A call is one message in and one out, over gRPC or the JSON gateway; handlers see no difference. Before a handler
 * runs, the caller is identified and the method's own demands are checked. What a request touches is checked when the
 * handler submits it, against users and roles at one version of the system keyspace; the request carries that version,
 * and when the state machine refuses it because it has changed, the call is judged again. Putting a key under a lease
 * and revoking one need the right to write the lease's other keys: which those are is looked at when the request is
 * carried out, so it takes along what the caller may write.
 *
 * The client may go away at any time. The call then lives on until nothing of it is out, so that what the engine points
 * to stays; no handler is called any more, unless it has asked for it (`gone`). */
#include "store/etcd/serve/call.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/etcd/auth/admit.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/counts.h"
#include "store/etcd/serve/identify.h"
#include "store/etcd/serve/json_answer.h"
#include "store/etcd/serve/method.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/system.h"
#include "store/proto/unpack.h"

#include <stdlib.h>

enum { MESSAGE_OVERHEAD_BYTES = 512 * 1024, TRIES_MAX = 8 };

/* ---- ends ---- */

void etcd_call_end(struct etcd_call *c)
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->service->calls--;
	etcd_count_handled(c->service->counts, c->method, c->status, c->begun_ns);
	store_request_release(&c->request);
	arena_release(&c->arena);
	free(c);
}

static void ended(struct etcd_call *c)
{
	if (c->gone)
		c->gone(c);
	else
		etcd_call_end(c);
}

void etcd_call_abort(struct etcd_call *c)
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->is_gone = true;
	if (!c->is_out)
		ended(c);
}

static void send_grpc(struct etcd_call *c, const ProtobufCMessage *message)
{
	size_t n = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = malloc(n ? n : 1);
	CHECK(bytes != NULL);
	protobuf_c_message_pack(message, bytes);
	grpc_send(c->stream, (struct slice){(const char *)bytes, n});
	grpc_finish(c->stream, GRPC_OK, NULL);
	etcd_count_sent(c->service->counts, c->method, n);
	free(bytes);
}

static void send_json(struct etcd_call *c, const ProtobufCMessage *message)
{
	etcd_gateway_reply(c->json, message);
	etcd_count_sent(c->service->counts, c->method, 0);
}

void etcd_reply(struct etcd_call *c, const ProtobufCMessage *message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	if (!c->is_gone) {
		c->status = GRPC_OK;
		if (c->stream)
			send_grpc(c, message);
		else
			send_json(c, message);
	}
	etcd_call_end(c);
}

void etcd_reply_err(struct etcd_call *c, int grpc_status, const char *text)
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->service->counters.failed++;
	if (c->method->is_recipe)
		grpc_status = GRPC_UNKNOWN; /* etcd's own client prints what the server said */
	if (!c->is_gone) {
		c->status = grpc_status;
		if (c->stream)
			grpc_finish(c->stream, grpc_status, text);
		else
			etcd_gateway_reply_err(c->json, grpc_status, text);
	}
	etcd_call_end(c);
}

void etcd_reply_header(struct etcd_call *c, int64_t revision)
{
	Etcdpb__HeaderResponse m = ETCDPB__HEADER_RESPONSE__INIT;
	m.header = etcd_header(c->service, &c->arena, revision);
	etcd_reply(c, &m.base);
}

void etcd_reply_auth_err(struct etcd_call *c, enum etcd_auth_error error)
{
	int status;
	const char *text = etcd_auth_error_text(error, &status);
	etcd_reply_err(c, status, text);
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
        {STORE_CAUSE_SYSTEM_CHANGED, GRPC_INVALID_ARGUMENT, "etcdserver: revision of auth store is old"},
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
	void *m = etcd_message_unpack(&c->arena, type, message);
	if (!m)
		etcd_reply_err(c, GRPC_INVALID_ARGUMENT, "the request is not a valid protobuf message");
	return m;
}

/* ---- admission ---- */

static void wait_for_system(struct etcd_call *c, void (*then)(struct etcd_waiter *, const struct err *), bool refused)
{
	c->is_out = true;
	c->waiter.run = then;
	etcd_system_wait(c->service, &c->waiter, refused);
}

bool etcd_call_is_back(struct etcd_call *c, const struct err *err)
{
	c->is_out = false;
	if (c->is_gone) {
		ended(c);
		return false;
	}
	if (err) {
		etcd_reply_err(c, err_grpc_status(err->code), err->msg);
		return false;
	}
	return true;
}

static void waited(struct etcd_waiter *w, const struct err *err)
{
	struct etcd_call *c = CONTAINER_OF(w, struct etcd_call, waiter);
	if (etcd_call_is_back(c, err))
		c->done(c);
}

void etcd_call_reread(struct etcd_call *c, void (*then)(struct etcd_call *c))
{
	c->done = then;
	wait_for_system(c, waited, true);
}

/* False: it was answered. */
static bool identify(struct etcd_call *c)
{
	enum etcd_auth_error error = ETCD_AUTH_OK;
	if (c->method->access < ETCD_ACCESS_TOKEN)
		return true;
	struct http_exchange *x = c->json ? c->json : grpc_exchange(c->stream);
	error = etcd_identify(c->service, x, c->json != NULL, &c->who);
	if (!error && c->method->access == ETCD_ACCESS_ADMIN)
		error = etcd_auth_check_admin(c->service->system.auth, &c->who);
	if (error)
		etcd_reply_auth_err(c, error);
	return !error;
}

static void enter_again(struct etcd_waiter *w, const struct err *err)
{
	struct etcd_call *c = CONTAINER_OF(w, struct etcd_call, waiter);
	if (etcd_call_is_back(c, err))
		etcd_call_enter(c);
}

/* Does the client want an error at once when nobody leads? As etcd's do by the metadata "hasleader". */
static bool wants_leader(const struct etcd_call *c)
{
	return c->stream && slice_is(http_header(grpc_exchange(c->stream), "hasleader"), "true");
}

void etcd_call_enter(struct etcd_call *c)
{
	LOOP_CHECK_OWNER(c->service->loop);
	if (wants_leader(c) && !etcd_has_leader(c->service)) {
		etcd_reply_err(c, GRPC_UNAVAILABLE, "etcdserver: no leader");
		return;
	}
	if (c->method->access != ETCD_ACCESS_OPEN && !etcd_system_is_fresh(c->service)) {
		wait_for_system(c, enter_again, false);
		return;
	}
	if (c->method->is_data && etcd_corrupt_refused(c))
		return;
	if (identify(c))
		c->method->handler(c, c->message);
}

struct etcd_call *etcd_call_begin(struct etcd_service *s, const struct etcd_method *method, struct grpc_stream *stream,
        struct http_exchange *json, struct slice message)
{
	LOOP_CHECK_OWNER(s->loop);
	struct etcd_call *c = xcalloc(1, sizeof *c);
	c->service = s;
	c->method = method;
	c->stream = stream;
	c->json = json;
	c->message = (struct slice){arena_memdup(&c->arena, message.ptr, message.len), message.len};
	c->status = GRPC_CANCELLED;
	c->begun_ns = histogram_now_ns();
	s->calls++;
	etcd_count_started(s->counts, method);
	etcd_count_received(s->counts, method, stream ? message.len : 0);
	return c;
}

/* ---- submission ---- */

static void submit_now(struct etcd_call *c);

static void submit_again(struct etcd_waiter *w, const struct err *err)
{
	struct etcd_call *c = CONTAINER_OF(w, struct etcd_call, waiter);
	if (etcd_call_is_back(c, err) && identify(c))
		submit_now(c);
}

static void handle_again(struct etcd_waiter *w, const struct err *err)
{
	struct etcd_call *c = CONTAINER_OF(w, struct etcd_call, waiter);
	if (!etcd_call_is_back(c, err))
		return;
	store_request_release(&c->request);
	c->request = (struct store_request){0};
	if (identify(c))
		c->method->handler(c, c->message);
}

static void submitted_done(struct store_request *req)
{
	struct etcd_call *c = CONTAINER_OF(req, struct etcd_call, request);
	c->is_out = false;
	if (c->is_gone)
		ended(c);
	else if (req->cause == STORE_CAUSE_SYSTEM_CHANGED && c->tries++ < TRIES_MAX)
		wait_for_system(c, req->type == STORE_REQUEST_SYSTEM ? handle_again : submit_again, true);
	else if (req->cause == STORE_CAUSE_LEASE_KEYS)
		etcd_reply_auth_err(c, c->lease_keys_error);
	else
		c->done(c);
}

/* Does what the request may do hang on users and roles? */
static bool is_judged(const struct etcd_call *c)
{
	enum store_request_type type = c->request.type;
	return c->method->access != ETCD_ACCESS_OPEN &&
	       (type == STORE_REQUEST_OP || type == STORE_REQUEST_COMPACT || type == STORE_REQUEST_LEASE_GRANT ||
	               type == STORE_REQUEST_LEASE_REVOKE);
}

static void send_request(struct etcd_call *c)
{
	c->request.system_version_expected = is_judged(c) ? c->service->system.version : 0;
	c->request.loop = c->service->loop;
	c->request.ops_max = c->service->options.txn_ops_max;
	c->request.bytes_max = c->service->options.request_bytes_max;
	c->request.done = submitted_done;
	c->is_out = true;
	store_submit(c->service->store, &c->request);
}

static void submit_now(struct etcd_call *c)
{
	enum etcd_auth_error error = ETCD_AUTH_OK;
	if (c->method->access >= ETCD_ACCESS_TOKEN)
		error = etcd_admit(c->service->system.auth, &c->who, &c->arena, &c->request, &c->lease_keys_error);
	if (error)
		etcd_reply_auth_err(c, error);
	else
		send_request(c);
}

void etcd_submit(struct etcd_call *c, void (*done)(struct etcd_call *c))
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->done = done;
	submit_now(c);
}

void etcd_submit_next(struct etcd_call *c, const struct store_request *req, void (*done)(struct etcd_call *c))
{
	LOOP_CHECK_OWNER(c->service->loop);
	store_request_release(&c->request);
	c->request = *req;
	etcd_submit(c, done);
}

void etcd_submit_system(
        struct etcd_call *c, const struct store_system_entry *changes, size_t n, void (*done)(struct etcd_call *c))
{
	LOOP_CHECK_OWNER(c->service->loop);
	c->request.type = STORE_REQUEST_SYSTEM;
	c->request.system = (struct store_system_args){
	        .expect_version = c->service->system.version, .changes = changes, .n_changes = n};
	c->done = done;
	send_request(c);
}

/* ---- over gRPC ---- */

struct pending {
	struct etcd_service *service;
	const struct etcd_method *method;
	bool taken;
	struct etcd_call *call; /* once the message came, until it is answered or aborted */
};

static void on_message(struct grpc_stream *s, struct slice message, void *arg)
{
	struct pending *p = arg;
	if (p->taken)
		return; /* a second message on a unary call is ignored */
	p->taken = true;
	p->call = etcd_call_begin(p->service, p->method, s, NULL, message);
	etcd_call_enter(p->call);
}

static void on_abort(struct grpc_stream *s, void *arg)
{
	struct pending *p = arg;
	if (p->call)
		etcd_call_abort(p->call);
}

void etcd_call_open(struct etcd_service *s, struct http_exchange *x, const struct etcd_method *method)
{
	static const struct grpc_stream_callbacks callbacks = {.on_message = on_message, .on_abort = on_abort};
	struct pending *p = ARENA_NEW(http_arena(x), struct pending);
	p->service = s;
	p->method = method;
	grpc_accept(x, s->options.request_bytes_max + MESSAGE_OVERHEAD_BYTES, &callbacks, p);
}

bool etcd_corrupt_refused(struct etcd_call *c)
{
	if (!etcd_has_alarm(c->service, ETCD_ALARM_CORRUPT))
		return false;
	etcd_reply_err(c, GRPC_DATA_LOSS, "etcdserver: corrupt cluster");
	return true;
}
