/* Answers of the JSON gateway: messages as JSON, errors with an HTTP status that follows from the gRPC one. */
#include "store/etcd/serve/json_answer.h"

#include "base/check.h"
#include "base/json/json.h"
#include "base/wire/grpc.h"
#include "store/proto/json.h"

int etcd_gateway_http_status(int grpc_status)
{
	static const int statuses[] = {[GRPC_OK] = 200,
	        [GRPC_CANCELLED] = 499,
	        [GRPC_UNKNOWN] = 500,
	        [GRPC_INVALID_ARGUMENT] = 400,
	        [GRPC_DEADLINE_EXCEEDED] = 504,
	        [GRPC_NOT_FOUND] = 404,
	        [GRPC_ALREADY_EXISTS] = 409,
	        [GRPC_PERMISSION_DENIED] = 403,
	        [GRPC_RESOURCE_EXHAUSTED] = 429,
	        [GRPC_FAILED_PRECONDITION] = 400,
	        [GRPC_ABORTED] = 409,
	        [GRPC_OUT_OF_RANGE] = 400,
	        [GRPC_UNIMPLEMENTED] = 501,
	        [GRPC_INTERNAL] = 500,
	        [GRPC_UNAVAILABLE] = 503,
	        [GRPC_DATA_LOSS] = 500,
	        [GRPC_UNAUTHENTICATED] = 401};
	return grpc_status >= 0 && grpc_status < (int)COUNT_OF(statuses) ? statuses[grpc_status] : 500;
}

static void add_error(struct strbuf *out, int grpc_status, const char *text)
{
	CHECK(grpc_status != GRPC_OK);
	strbuf_addf(out, "{\"code\":%d,\"message\":", grpc_status);
	json_write_str(out, slice_of(text));
	strbuf_addc(out, '}');
}

void etcd_gateway_error_json(struct strbuf *out, int grpc_status, const char *text)
{
	strbuf_adds(out, "{\"error\":");
	add_error(out, grpc_status, text);
	strbuf_adds(out, "}\n");
}

void etcd_gateway_reply(struct http_exchange *x, const ProtobufCMessage *m)
{
	struct strbuf out = STRBUF_INIT;
	etcd_json_write(&out, m);
	http_set_content_type(x, "application/json");
	http_respond_strbuf(x, 200, &out);
}

void etcd_gateway_reply_err(struct http_exchange *x, int grpc_status, const char *text)
{
	struct strbuf out = STRBUF_INIT;
	add_error(&out, grpc_status, text);
	http_set_content_type(x, "application/json");
	http_respond_strbuf(x, etcd_gateway_http_status(grpc_status), &out);
}
