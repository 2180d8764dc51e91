/* The JSON gateway: etcd's API as POSTs of JSON, for whom gRPC is too much (etcd dev-guide/api_grpc_gateway).
 *
 * A request's path names the method, its body is the request message in JSON, the answer the response message; errors
 * are {"code":...,"message":...} with an HTTP status that follows from the gRPC one. The message is packed and goes to
 * the same handler that gRPC calls reach. Streams are in stream.c. A token comes in the header Authorization. */
#include "store/etcd/serve/gateway.h"

#include "base/check.h"
#include "base/json/json.h"
#include "store/etcd/serve/call.h"
#include "store/etcd/serve/json_answer.h"
#include "store/etcd/serve/method.h"
#include "store/etcd/serve/service.h"
#include "store/etcd/serve/stream.h"
#include "store/proto/json.h"

#include <stdlib.h>

bool etcd_gateway_takes(struct http_exchange *x)
{
	return slice_starts(http_request(x)->path, "/v3/");
}

struct post {
	struct etcd_service *service;
	const struct etcd_method *method;
	struct etcd_call *call;
};

static void on_abort(struct http_exchange *x, void *arg)
{
	struct post *p = arg;
	if (p->call)
		etcd_call_abort(p->call);
}

/* The message in JSON, packed into the arena. */
static int pack_body(
        struct arena *a, const ProtobufCMessageDescriptor *type, struct slice body, struct slice *ret, struct err *err)
{
	ProtobufCMessage *m;
	struct slice text = slice_trim(body);
	if (etcd_json_read(a, type, text.len ? text : SLICE("{}"), &m, err) != 0)
		return err->code;
	ret->len = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = arena_alloc(a, ret->len + 1);
	protobuf_c_message_pack(m, bytes);
	ret->ptr = (const char *)bytes;
	return 0;
}

static void on_body(struct http_exchange *x, struct slice body, void *arg)
{
	struct post *p = arg;
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct slice message;
	if (pack_body(&a, p->method->request, body, &message, &err) != 0) {
		etcd_gateway_reply_err(x, GRPC_INVALID_ARGUMENT, err.msg);
	} else {
		p->call = etcd_call_begin(p->service, p->method, NULL, x, message);
		etcd_call_enter(p->call);
	}
	arena_release(&a);
}

void etcd_gateway_open(struct etcd_service *s, struct http_exchange *x)
{
	LOOP_CHECK_OWNER(s->loop);
	const struct etcd_method *method = etcd_method_find_json(http_request(x)->path);
	if (!method) {
		etcd_gateway_reply_err(x, GRPC_NOT_FOUND, "Not Found");
	} else if (!slice_is(http_request(x)->method, "POST")) {
		etcd_gateway_reply_err(x, GRPC_UNIMPLEMENTED, "Method Not Allowed");
	} else if (method->open) {
		etcd_stream_open(s, x, method, true);
	} else {
		struct post *p = ARENA_NEW(http_arena(x), struct post);
		p->service = s;
		p->method = method;
		http_on_abort(x, on_abort, p);
		http_body_collect(x, 2 * s->options.request_bytes_max, on_body, p); /* base64 is a third longer */
	}
}
