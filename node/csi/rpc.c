/* See rpc_int.h. Connections are made when calls need them: a driver that was away and is back is reached by the next
 * call. What can go wrong: nobody listens (Unavailable), no answer in time (DeadlineExceeded), an answer that is no
 * message (Internal). */
#include "node/csi/rpc_int.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/wire/grpc.h"

#include <stdlib.h>

enum { CONNECT_MS = 5000, IDLE_MS = 60000 };

struct rpc_client {
	struct loop *loop;
	struct http_client *http;
};

struct rpc {
	const ProtobufCMessageDescriptor *descriptor;
	ProtobufCMessage *answer;
	rpc_done_fn *done;
	void *arg;
};

struct rpc_client *rpc_client_new(struct loop *loop, const char *socket)
{
	LOOP_CHECK_OWNER(loop);
	struct rpc_client *c = xcalloc(1, sizeof *c);
	struct http_client_options o = {.loop = loop,
	        .unix_path = socket,
	        .protocol = HTTP_CLIENT_H2,
	        .connect_ms = CONNECT_MS,
	        .idle_ms = IDLE_MS};
	c->loop = loop;
	c->http = http_client_new(&o);
	return c;
}

void rpc_client_close(struct rpc_client *c, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	http_client_close(c->http, closed, arg);
	free(c);
}

static void got_message(struct grpc_call *g, struct slice message, void *arg)
{
	struct rpc *r = arg;
	if (r->answer)
		protobuf_c_message_free_unpacked(r->answer, NULL);
	r->answer = protobuf_c_message_unpack(r->descriptor, NULL, message.len, (const uint8_t *)message.ptr);
}

static void ended(struct grpc_call *g, int status, const struct err *err, void *arg)
{
	struct rpc *r = arg;
	struct err e = ERR_INIT;
	if (err)
		err_set(&e, err->code, "rpc error: code = %s desc = %s", grpc_status_name(status), err->msg);
	else if (!r->answer)
		err_set(&e, ERR_PROTOCOL, "rpc error: code = Internal desc = the answer cannot be read");
	r->done(r->arg, e.code ? NULL : r->answer, e.code ? &e : NULL);
	if (r->answer)
		protobuf_c_message_free_unpacked(r->answer, NULL);
	free(r);
}

void rpc_call(struct rpc_client *c, const char *path, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, unsigned timeout_ms, rpc_done_fn *done, void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(done && *path == '/');
	struct rpc *r = xcalloc(1, sizeof *r);
	*r = (struct rpc){.descriptor = answer, .done = done, .arg = arg};
	size_t size = protobuf_c_message_get_packed_size(request);
	char *bytes = xmalloc(size + 1);
	protobuf_c_message_pack(request, (uint8_t *)bytes);
	struct grpc_call_options o = {.method = path,
	        .timeout_ms = timeout_ms,
	        .message_bytes_max = NODE_CSI_ANSWER_BYTES_MAX,
	        .request = {bytes, size},
	        .on_message = got_message,
	        .on_done = ended,
	        .arg = r};
	grpc_client_call(c->http, &o);
	free(bytes);
}
