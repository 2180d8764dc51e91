/* See cri.h. What can go wrong: the runtime is away (every call fails with ERR_UNAVAILABLE or ERR_CLOSED at once or at
 * its timeout; callers try again), an answer that is no message (ERR_PROTOCOL). */
#include "node/runtime/cri.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/wire/grpc.h"

#include <stdlib.h>

struct cri {
	struct loop *loop;
	struct http_client *http;
};

struct cri_call {
	struct grpc_call *grpc;
	const ProtobufCMessageDescriptor *descriptor;
	ProtobufCMessage *answer;
	cri_done_fn *done;
	void (*on_message)(void *arg, struct slice message, const struct err *err);
	void *arg;
	bool broken;
};

enum { CRI_CONNECT_MS = 5000, CRI_IDLE_MS = 0x3fffffff };

struct cri *cri_new(struct loop *loop, const char *socket_path)
{
	LOOP_CHECK_OWNER(loop);
	struct cri *c = xcalloc(1, sizeof *c);
	struct http_client_options o = {.loop = loop,
	        .unix_path = socket_path,
	        .protocol = HTTP_CLIENT_H2,
	        .connect_ms = CRI_CONNECT_MS,
	        .idle_ms = CRI_IDLE_MS};
	c->loop = loop;
	c->http = http_client_new(&o);
	return c;
}

void cri_close(struct cri *c, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	http_client_close(c->http, closed, arg);
	free(c);
}

static void got_message(struct grpc_call *g, struct slice message, void *arg)
{
	struct cri_call *call = arg;
	if (call->on_message) {
		call->on_message(call->arg, message, NULL);
		return;
	}
	if (call->answer)
		protobuf_c_message_free_unpacked(call->answer, NULL);
	call->answer = protobuf_c_message_unpack(call->descriptor, NULL, message.len, (const uint8_t *)message.ptr);
	call->broken = !call->answer;
}

static void finished(struct grpc_call *g, int status, const struct err *err, void *arg)
{
	CHECK(((struct cri_call *)arg)->done || ((struct cri_call *)arg)->on_message);
	struct cri_call *call = arg;
	struct err e = ERR_INIT;
	if (err)
		e = *err;
	else if (call->on_message)
		err_set(&e, ERR_CLOSED, "the stream ended");
	else if (call->broken || !call->answer)
		err_set(&e, ERR_PROTOCOL, "the runtime's answer cannot be read");
	if (call->on_message)
		call->on_message(call->arg, SLICE_NULL, &e);
	else
		call->done(call->arg, e.code ? NULL : call->answer, e.code ? &e : NULL);
	if (call->answer)
		protobuf_c_message_free_unpacked(call->answer, NULL);
	free(call);
}

static void start(
        struct cri *c, struct cri_call *call, const char *path, const ProtobufCMessage *request, unsigned timeout_ms)
{
	static const struct http_header metadata[] = {{{"containerd-namespace", 20}, {"k8s.io", 6}}};
	size_t size = protobuf_c_message_get_packed_size(request);
	char *bytes = xmalloc(size + 1);
	protobuf_c_message_pack(request, (uint8_t *)bytes);
	struct grpc_call_options o = {.method = path,
	        .timeout_ms = timeout_ms,
	        .message_bytes_max = CRI_ANSWER_BYTES_MAX,
	        .metadata = metadata,
	        .metadata_count = call->on_message ? 1 : 0,
	        .request = {bytes, size},
	        .on_message = got_message,
	        .on_done = finished,
	        .arg = call};
	call->grpc = grpc_client_call(c->http, &o);
	free(bytes);
}

struct cri_call *cri_call(struct cri *c, const char *method, const ProtobufCMessage *request,
        const ProtobufCMessageDescriptor *answer, unsigned timeout_ms, cri_done_fn *done, void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(done && answer);
	char path[128] = "/runtime.v1.";
	struct cri_call *call = xcalloc(1, sizeof *call);
	call->descriptor = answer;
	call->done = done;
	call->arg = arg;
	strncat(path, method, sizeof path - strlen(path) - 1);
	start(c, call, path, request, timeout_ms);
	return call;
}

struct cri_call *cri_stream(struct cri *c, const char *path, const ProtobufCMessage *request,
        void (*on_message)(void *arg, struct slice message, const struct err *err), void *arg)
{
	LOOP_CHECK_OWNER(c->loop);
	CHECK(on_message && *path == '/');
	struct cri_call *call = xcalloc(1, sizeof *call);
	call->on_message = on_message;
	call->arg = arg;
	start(c, call, path, request, 0);
	return call;
}

void cri_forget(struct cri_call *call)
{
	grpc_call_cancel(call->grpc);
	if (call->answer)
		protobuf_c_message_free_unpacked(call->answer, NULL);
	free(call);
}
